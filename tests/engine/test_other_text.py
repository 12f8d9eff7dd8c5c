"""Text that is no dump, by the verbs: beside parts of a wiki, damaged, twice, and under a word of the user's."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from little_corpus import TINY, make_dumps
from made_dumps import TAIL, page_xml, wiki_xml
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.engine import extract_dumps
from raywiki.manifest import source_of
from raywiki.training import config
from raywiki.training.order import step_samples
from raywiki.training.runs import read_run


def some_texts(count: int, seed: int) -> list[str]:
    """Texts that tell of nothing; no two are alike."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghiklmnopqrstuvw", k=chance.randint(2, 8))) for _ in range(300)]
    return [" ".join(chance.choices(words, k=60)).capitalize() + "." for _ in range(count)]


def write_c4(path: Path, texts: list[str]) -> Path:
    rows = [{"text": text, "url": f"http://x.org/{n}", "timestamp": "2019-04-25T12:57:54Z"} for n, text in enumerate(texts)]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def write_files(folder: Path) -> dict[str, Path]:
    """A C4 file, JSON lines, a Parquet file as the hub has it, a folder of books, and a file of blocks."""
    c4, books = some_texts(40, 1), some_texts(12, 2)
    folder.mkdir(parents=True)
    hub = folder / "train-00000-of-00041.parquet"
    texts = some_texts(30, 3)
    columns = {"id": [str(n) for n in range(30)], "url": ["u"] * 30, "title": ["t"] * 30, "text": texts}
    pq.write_table(pa.table(columns), hub, row_group_size=10)
    (folder / "books").mkdir()
    for number, text in enumerate(books):
        (folder / "books" / f"{number:02d}.txt").write_text(text)
    blocks = folder / "more.txt"
    blocks.write_text("\n\n".join([*books[:2], *some_texts(20, 4)]))
    return {
        "c4": write_c4(folder / "c4-train.00000-of-00002.json.gz", [*c4, c4[0], c4[0]]),
        "jsonl": write_c4(folder / "own.jsonl", [c4[1]]),
        "hub": hub,
        "books": folder / "books",
        "blocks": blocks,
    }


@pytest.fixture
def here(monkeypatch, tmp_path):
    without_ray(monkeypatch, tmp_path / "cache")


def articles(corpus) -> dict[str, dict[str, int]]:
    return {part: manifest.counts for part, manifest in Corpus(corpus).manifests("articles").items()}


def train_on_a_mixture(corpus: Path, monkeypatch) -> None:
    """A run of a very small model; its sources have the shares that were asked for, as the order of its steps counts them."""
    monkeypatch.setitem(config.SIZES, "nano", TINY)
    mix = {"c4": 0.2, "novels": 0.1, "parquet": 0.1, "text": 0.1, "wiki": 0.5}
    text = ",".join(f"{source}={share}" for source, share in mix.items())
    rw.train(corpus, "r1", mix=text, steps=64, total_batch_size=512, eval_every=64)
    run = read_run(corpus / "runs" / "r1")
    (segment,) = run.segments
    assert (run.steps_done, segment.mix) == (64, text)
    learned = np.concatenate([step_samples(segment, step).part for step in range(64)])
    sources = [segment.parts[part].source for part in learned]
    assert {source: sources.count(source) / len(sources) for source in mix} == pytest.approx(mix, abs=0.002)


def test_a_dump_without_siteinfo_is_read_with_a_warning(here, tmp_path) -> None:
    pages = "".join(page_xml(number, text) for number, text in enumerate(some_texts(3, 1), start=1))
    path, corpus = tmp_path / "cut.xml", tmp_path / "corpus"
    path.write_text(f"<mediawiki>{pages}{TAIL}")
    with pytest.raises(ValueError, match="has no <siteinfo>"):
        rw.extract(corpus, path)
    news = path.rename(tmp_path / "uawikinews-20230501-pages-articles.xml")
    summary = rw.extract(corpus, news, language="uk")
    assert "its dump has no <siteinfo>; it was read as one of uawikinews in the language uk" in summary.warnings[0]
    assert summary.committed == ("uawikinews-20230501",)
    assert rw.scan_articles(corpus).collect()["url"][0] == "https://ua.wikinews.org/wiki/Page_1"


def test_templates_of_a_dump_without_siteinfo(here, tmp_path) -> None:
    page = page_xml(1, "a text", title="Template:A", namespace=10)
    path, to = tmp_path / "cut.xml", tmp_path / "made.parquet"
    path.write_text(f"<mediawiki>{page}{TAIL}")
    with pytest.raises(ValueError, match="has no <siteinfo>"):
        rw.collect_templates(path, to=to)
    with pytest.raises(ValueError, match="language='English' is no language code"):
        rw.collect_templates(path, to=to, language="English")
    summary = rw.collect_templates(path, to=to, language="uk")
    assert (summary.wiki, summary.definitions) == ("ukwiki", 1)


def test_all_formats_beside_a_wiki(here, tmp_path, monkeypatch) -> None:
    files, corpus = write_files(tmp_path / "files"), tmp_path / "corpus"
    rw.extract(corpus, make_dumps(tmp_path, 1))
    rw.extract(corpus, [files["c4"], files["hub"], files["books"]])
    rw.extract(corpus, files["blocks"], format="blocks", source="novels")
    again = rw.extract(corpus, [files["c4"], files["hub"], files["books"], files["blocks"]])
    assert [row["state"] for row in again.parts] == ["unchanged"] * 4
    manifests = Corpus(corpus).manifests("articles")
    assert {source_of(each): each.settings.get("format") for each in manifests.values()} == {
        "wiki": None, "c4": "c4", "parquet": "parquet", "text": "text", "novels": "blocks",
    }  # fmt: skip
    for manifest in manifests.values():
        assert manifest.settings["language"] == "vi"  # that of the corpus
        assert manifest.counts["pages"] == manifest.counts["articles"] + manifest.counts["errors"]
        assert manifest.counts["characters"] > 0
    frame = rw.scan_articles(corpus).collect()
    assert frame.group_by("part").agg(pl.col("page_id").n_unique() == pl.len())["page_id"].all()
    summary = rw.curate(corpus, min_chars=100, rules=["disambiguation", "list", "stub"])
    duplicates = {row["part"].partition("-")[0]: row["duplicates"] for row in summary.parts}
    assert duplicates == {"viwiki": 0, "c4": 2, "train": 0, "books": 0, "more": 2}
    rw.train_tokenizer(corpus, to=str(tmp_path / "small.json"), vocab_size=300)
    rw.tokenize(corpus, str(tmp_path / "small.json"), val_fraction=0.2, title=True)
    tokens = Corpus(corpus).manifests("tokens/encoding=small")
    assert sorted(map(source_of, tokens.values())) == ["c4", "novels", "parquet", "text", "wiki"]
    train_on_a_mixture(corpus, monkeypatch)
    status = str(rw.status(corpus))
    assert "novels" in status
    assert "wikis" not in status  # it holds one


def test_a_new_word_for_the_source_is_asked_for(here, tmp_path) -> None:
    path, corpus = write_c4(tmp_path / "a.jsonl", some_texts(3, 1)), tmp_path / "corpus"
    rw.extract(corpus, path, source="web")
    with pytest.raises(ValueError, match=r"committed with source='web', not source='c4'.*--overwrite"):
        rw.extract(corpus, path, source="c4")
    with pytest.raises(ValueError, match="committed with format='c4', not format='jsonl'"):
        rw.extract(corpus, path, format="jsonl")
    with pytest.raises(ValueError, match="source='a=b' is no name"):
        rw.extract(corpus, path, source="a=b")
    with pytest.raises(ValueError, match="there is no format 'csv': it is dump, c4, jsonl"):
        rw.extract(corpus, path, format="csv")
    rw.extract(corpus, path, source="c4", overwrite=True)
    (manifest,) = Corpus(corpus).manifests("articles").values()
    assert (source_of(manifest), manifest.settings) == ("c4", {"language": "en", "format": "c4", "source": "c4"})
    (dump,) = make_dumps(tmp_path, 1)
    rw.extract(corpus, dump, source="greens")
    assert source_of(Corpus(corpus).manifests("articles")["viwiki-20260101-p100p199"]) == "greens"
    with pytest.raises(ValueError, match=r"has no column|is no MediaWiki dump"):
        rw.extract(corpus, path, format="dump")


def test_templates_are_for_the_dumps_of_a_call_alone(here, tmp_path, monkeypatch) -> None:
    """Other text is sent no templates, is read once, and does not tell what a wiki's next part is cleaned with."""
    kept = []
    monkeypatch.setattr(extract_dumps, "keep_pages", lambda fs, path, tables: kept.append(path) or list(tables))
    pages = [page_xml(1, "{{greet}} all"), page_xml(2, "Hello", title="Bản mẫu:Greet", namespace=10)]
    names = ("viwiki-20260101-pages-articles.xml", "viwiki-20260101-pages-articles1.xml-p1p9")
    dump, piece = (tmp_path / name for name in names)
    for path in (dump, piece):
        path.write_bytes(wiki_xml(pages))
    text = write_c4(tmp_path / "viwiki-mail.jsonl", ["{{greet}} you", "{{greet}} me"])
    rw.collect_templates(dump, to=tmp_path / "vi.parquet")

    rw.extract(tmp_path / "own", [text, dump])
    part, other = sorted(Corpus(tmp_path / "own").manifests("articles").values(), key=lambda each: "format" in each.settings)
    assert (part.settings, "templates" in other.settings) == ({"language": "vi", "templates": "own"}, False)
    assert kept
    assert all(part.part in path for path in kept)

    rw.extract(tmp_path / "given", [text, piece], templates=tmp_path / "vi.parquet")
    settings = [each.settings for each in Corpus(tmp_path / "given").manifests("articles").values()]
    assert sorted(len(each.get("templates", "")) for each in settings) == [0, 64]
    texts = rw.scan_articles(tmp_path / "given").collect()["text"].to_list()
    assert sorted(texts)[1:] == ["{{greet}} me", "{{greet}} you"]
    assert {row["state"] for row in rw.extract(tmp_path / "given", [text, piece]).parts} == {"unchanged"}
    rw.extract(tmp_path / "later", text)
    rw.extract(tmp_path / "later", piece, templates=tmp_path / "vi.parquet")  # is the first part of its wiki here


@pytest.mark.parametrize("given", [{"templates": "vi.parquet"}, {"templates": "own"}, {"cleaner": "mwparserfromhell"}])
def test_what_only_dumps_have_is_refused_where_there_is_none(here, tmp_path, given) -> None:
    (dump,) = make_dumps(tmp_path, 1)
    text, corpus = write_c4(tmp_path / "a.jsonl", some_texts(3, 1)), tmp_path / "corpus"
    pages = [page_xml(1, "text", title="Bản mẫu:A", namespace=10)]
    (tmp_path / "all.xml").write_bytes(wiki_xml(pages))
    rw.collect_templates(tmp_path / "all.xml", to=tmp_path / "vi.parquet")
    ((name, value),) = given.items()
    value = str(tmp_path / value) if value.endswith("parquet") else value
    with pytest.raises(ValueError, match=f"{name} is for dumps, and none of these files is one: leave --{name} out"):
        rw.extract(corpus, text, **{name: value})
    assert not corpus.exists()
    rw.extract(corpus, text, templates="none", cleaner="raywiki")
    rw.extract(corpus, [], **{name: value})
    assert rw.extract(corpus, [text, dump], **{name: value}).committed == ("viwiki-20260101-p100p199",)


def test_what_was_read_as_a_dump_is_not_read_as_text_unasked(here, tmp_path) -> None:
    (dump,) = make_dumps(tmp_path, 1)
    path = dump.rename(tmp_path / "kept.xml")
    corpus = tmp_path / "corpus"
    rw.extract(corpus, path)
    before = Corpus(corpus).manifests("articles")
    sentence = "committed with format={}, not format={}: leave format as it is, or redo the part with --overwrite"
    with pytest.raises(ValueError, match=sentence.format("'dump'", "'text'")):
        rw.extract(corpus, path, format="text")
    assert Corpus(corpus).manifests("articles") == before
    rw.extract(corpus, path, format="text", source="notes", overwrite=True)
    (manifest,) = Corpus(corpus).manifests("articles").values()
    assert (manifest.settings["format"], source_of(manifest)) == ("text", "notes")
    with pytest.raises(ValueError, match=sentence.format("'text'", "'dump'")):
        rw.extract(corpus, path)
    rw.extract(corpus, path, overwrite=True)
    assert Corpus(corpus).manifests("articles") == {
        part: replace(each, seconds=ANY, notes=ANY) for part, each in before.items()
    }


def test_damage_is_counted_or_refused(here, tmp_path) -> None:
    corpus, path = tmp_path / "corpus", tmp_path / "c4-a.jsonl"
    write_c4(path, some_texts(3, 1))
    with path.open("ab") as file:
        file.write(b'{"text": "\xff"}\n{"text"\n')
    summary = rw.extract(corpus, path)
    assert [(row["pages"], row["articles"], row["errors"]) for row in summary.parts] == [(5, 3, 2)]
    assert "2 rows could not be read: line 4: it is not UTF-8" in summary.warnings[0]
    details = Corpus(corpus).read_details(next(iter(Corpus(corpus).manifests("articles").values())))
    assert [error["line"] for error in details["page_errors"]] == [4, 5]
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(gzip.compress(write_c4(tmp_path / "b.jsonl", some_texts(900, 2)).read_bytes(), mtime=0)[:-9])
    with pytest.raises(ValueError, match=r"cut\.json\.gz is damaged after \d+ lines"):
        rw.extract(corpus, cut)
    assert len(articles(corpus)) == 1  # nothing of it was committed
    summary = rw.extract(corpus, cut, allow_damaged=True)
    assert "what comes after is left out" in summary.warnings[0]
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"content": "An ox."}\n')
    with pytest.raises(ValueError, match="line 1: it has no text, but content"):
        rw.extract(corpus, [wrong, path])


def test_shards_of_ranges_with_the_same_text(here, tmp_path) -> None:
    """A text that two ranges have is two rows with ids of their own, however the file is named; gc finds nothing to remove."""
    texts, corpus = some_texts(900, 5), tmp_path / "corpus"
    path = write_c4(tmp_path / "a.jsonl", [*texts, *texts[:5], texts[0]])
    assert path.stat().st_size > 300_000
    rw.extract(corpus, path)
    (manifest,) = Corpus(corpus).manifests("articles").values()
    assert len(manifest.shards) == 2
    frame = rw.scan_articles(corpus).collect()
    assert frame["text"].to_list() == [*texts, *texts[:5], texts[0]]
    assert frame["page_id"].n_unique() == 906
    assert len(rw.gc(corpus, min_age=0).paths) == 0
    other = write_c4(tmp_path / "b.jsonl", texts[:5])
    rw.extract(corpus, other)
    ids = rw.scan_articles(corpus).filter(pl.col("part").str.starts_with("b-")).collect()["page_id"].to_list()
    assert ids == frame["page_id"].to_list()[:5]


def test_ray_gives_the_same(ray_session, tmp_path, monkeypatch) -> None:
    """Ranges, errors and repeated texts on Ray, as in this process."""
    files = write_files(tmp_path / "files")
    texts = some_texts(900, 5)
    path = write_c4(tmp_path / "a.jsonl", [*texts, *texts[:5]])
    rw.extract(tmp_path / "ray", [path, files["hub"]])
    without_ray(monkeypatch, tmp_path / "cache")
    rw.extract(tmp_path / "here", [path, files["hub"]])
    digests = [[each.digest for each in Corpus(tmp_path / name).manifests("articles").values()] for name in ("ray", "here")]
    assert digests[0] == digests[1]
