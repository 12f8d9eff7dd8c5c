from __future__ import annotations

import pyarrow as pa
import pytest

import raywiki as rw
from raywiki.corpus import Manifest
from raywiki.schema import ARTICLES, DECISIONS

SENTENCE = (
    "A long sentence that says how much it is in miles: {{convert thing|1|mi}}, which is quite far for somebody who walks."
)
NOTES = {
    "dropped_templates": {"convert thing": 6, "navbox": 2},
    "template_examples": {"convert thing": {"article": "First", "sentence": SENTENCE}},
}
NOTHING_ELSE = {"guessed": 0, "failed": 0, "defined": None, "module": None}  # of a part that was cleaned without templates


@pytest.fixture
def corpus(tmp_path) -> rw.Corpus:
    """Three articles: one kept, one that repeats it, one too short; two dropped templates."""
    made = rw.Corpus(tmp_path / "corpus")
    texts = {1: ("First", "a long text"), 2: ("Second", "a long\n\ntext"), 3: ("Third", "short")}
    articles = pa.Table.from_pylist(
        [
            dict(page_id=page_id, title=title, url="", text=text, n_chars=len(text), is_disambiguation=False,
                 dropped_templates=[{"name": "navbox", "count": page_id}])
            for page_id, (title, text) in texts.items()
        ],
        schema=ARTICLES,
    )  # fmt: skip
    decisions = pa.Table.from_pylist(
        [
            dict(page_id=1, keep=True, reasons=[]),
            dict(page_id=2, keep=False, reason="near_dup", reasons=["near_dup"], dup_of=1, dup_part="p1", similarity=0.9),
            dict(page_id=3, keep=False, reason="min_chars", reasons=["min_chars"]),
        ],
        schema=DECISIONS,
    )
    pages = dict(pages=3, articles=3, redirects=0, other_namespaces=0, other_models=0, deleted=0, errors=0)
    shard = made.write_shard("articles/part=p1", "a.parquet", [articles], ARTICLES)
    made.commit(Manifest("articles", "p1", {}, (shard,), pages, notes=NOTES))
    shard = made.write_shard("decisions/part=p1", "d.parquet", [decisions], DECISIONS)
    made.commit(Manifest("decisions", "p1", {}, (shard,), dict(articles=3, kept=1, filtered=1, duplicates=1)))
    return made


def test_a_duplicate_is_shown_beside_what_it_repeats(corpus):
    [row] = rw.inspect_rejects(corpus, reason="dup").rows
    assert (row["title"], row["dup_title"], row["text"], row["dup_text"]) == ("Second", "First", "a long text", "a long text")
    assert "0.90 similar to First (page 1, p1)" in str(rw.inspect_rejects(corpus, reason="near_dup"))


def test_all_rejects_and_an_unknown_reason(corpus):
    assert rw.inspect_rejects(corpus).total == 2
    with pytest.raises(ValueError, match=r"rejected for 'c4': the reasons are min_chars, near_dup"):
        rw.inspect_rejects(corpus, reason="c4")


def test_dropped_templates_are_summed_with_the_sentence_that_lost_them(corpus):
    found = rw.inspect_templates(corpus)
    assert found.total == 8
    assert found.rows == (
        {"template": "convert thing", "dropped": 6, **NOTHING_ELSE, "article": "First", "sentence": SENTENCE},
        {"template": "navbox", "dropped": 2, **NOTHING_ELSE, "article": None, "sentence": None},  # of a part without examples
    )


def test_the_sentence_stands_below_its_row(corpus):
    lines = str(rw.inspect_templates(corpus, n=1)).splitlines()
    assert lines[0] == "8 template uses dropped"
    assert lines[2].split() == ["convert", "thing", "6", "First"]
    assert " ".join(line.removeprefix("    | ") for line in lines[3:]) == SENTENCE
    assert max(map(len, lines)) <= 100
