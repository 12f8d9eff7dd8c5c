"""The verb `curate` on made articles: what a change of settings reads and writes, what users' expressions may do."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import raywiki as rw
from raywiki.corpus import Corpus, Manifest, part_folder
from raywiki.schema import ARTICLES

WORDS = ["".join(random.Random(seed).choices("abcdefghijklmnop", k=6)) for seed in range(300)]
RULES = ["gopher_repetition", "c4", "disambiguation"]
INDEX = ("signatures", "bands", "pairs")


def commit_articles(corpus: Path, part: str, page_ids: list[int], texts: list[str]) -> None:
    """Commit a part of articles in two shards."""
    opened, shards = Corpus(corpus), []
    for index, half in enumerate((slice(0, len(texts) // 2), slice(len(texts) // 2, None))):
        ids, chosen = page_ids[half], texts[half]
        columns = {
            "page_id": ids,
            "title": [f"Page {page_id}" for page_id in ids],
            "url": [""] * len(ids),
            "text": chosen,
            "n_chars": [len(text) for text in chosen],
            "is_disambiguation": [page_id % 10 == 0 for page_id in ids],
        }
        arrays = [pa.array(columns.get(name, [None] * len(ids)), ARTICLES.field(name).type) for name in ARTICLES.names]
        table = pa.Table.from_arrays(arrays, schema=ARTICLES)
        shards.append(opened.write_shard(part_folder("articles", part), f"{index:05d}-made.parquet", [table], ARTICLES))
    counts = dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted", "errors"), 0)
    counts |= {"pages": len(texts), "articles": len(texts)}
    opened.commit(Manifest("articles", part, {"language": "en"}, tuple(shard for shard in shards if shard), counts))


def make_articles(corpus: Path, parts: int = 2) -> Path:
    """Parts of 120 articles of 10 to 150 words in sentences; some repeat themselves, some repeat another, exactly or nearly."""
    rng = random.Random(7)
    known: list[str] = []
    for part in range(parts):
        for _ in range(120):
            words = rng.choices(WORDS, k=rng.randint(10, 150))
            if rng.random() < 0.1:
                words = words[:5] * 9
            elif known and rng.random() < 0.4:
                words = rng.choice(known).replace(".", "").split()
                if rng.random() < 0.7:
                    words[rng.randrange(len(words))] = rng.choice(words)
            known.append(" ".join(word + "." * (number % 7 == 6) for number, word in enumerate(words)) + ".")
        page_ids = [1000 * part + number for number in range(1, 121)]
        commit_articles(corpus, f"xwiki-20260101-p{part}", page_ids, known[-120:])
    return corpus


def content(corpus: Path, *tables: str) -> dict[str, int]:
    """When each file of these tables was written."""
    return {
        str(path.relative_to(corpus)): path.stat().st_mtime_ns for table in tables for path in corpus.glob(f"{table}/part=*/*")
    }


def decisions(corpus: Path) -> pl.DataFrame:
    return rw.scan_decisions(corpus).collect()


def digests(corpus: Path, table: str) -> dict[str, str]:
    return {part: manifest.digest for part, manifest in Corpus(corpus).manifests(table).items()}


@pytest.fixture(scope="module")
def curated(tmp_path_factory, ray_session) -> Path:
    """A curated corpus. Do not write to it."""
    corpus = make_articles(tmp_path_factory.mktemp("curated") / "corpus")
    rw.curate(corpus, min_chars=200, rules=RULES)
    return corpus


@pytest.fixture
def copy(curated, tmp_path) -> Path:
    shutil.copytree(curated, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture
def columns_read(monkeypatch) -> list[list[str] | None]:
    """The columns of articles that the driver reads; Ray, and thus every reader elsewhere, is refused."""
    from raywiki.engine import curate, index

    read: list[list[str] | None] = []

    def refuse(function, items, **told):
        assert not items, f"{function} runs on Ray"
        return iter(())

    def spy(corpus, manifest, shard, columns=None, batch_size=1024):
        read.append(columns if manifest.table == "articles" else [])
        return iter_shard(corpus, manifest, shard, columns, batch_size)

    iter_shard = Corpus.iter_shard
    monkeypatch.setattr(Corpus, "iter_shard", spy)
    monkeypatch.setattr(curate, "run", refuse)
    monkeypatch.setattr(index, "run", refuse)
    return read


def test_the_made_articles_have_every_kind_of_decision(curated):
    counts = [manifest.counts for manifest in Corpus(curated).manifests("decisions").values()]
    assert all(min(count.values()) > 0 for count in counts)
    reasons = set(decisions(curated)["reasons"].explode().drop_nulls())
    assert {"min_chars", "top_2_gram", "duplicated_5_n_grams", "too_few_sentences", "near_dup", "disambiguation"} <= reasons


def test_parts_one_by_one_are_the_same_bytes_as_all_at_once(curated, tmp_path):
    across = decisions(curated).filter(pl.col("dup_part") != pl.col("part"))
    assert set(across["reasons"].list.last()) == {"exact_dup", "near_dup"}
    for part in Corpus(curated).manifests("articles"):
        shutil.copytree(curated / part_folder("articles", part), tmp_path / "corpus" / part_folder("articles", part))
        rw.curate(tmp_path / "corpus", min_chars=200, rules=RULES)
    for table in ("decisions", *INDEX):
        assert digests(tmp_path / "corpus", table) == digests(curated, table)


def test_another_min_chars_reads_no_text_and_rewrites_decisions_only(copy, columns_read, tmp_path):
    before = content(copy, "articles", *INDEX)
    changed = rw.curate(copy, min_chars=500, overwrite=True)
    assert len(changed.committed) == 2
    assert sorted({name for columns in columns_read for name in columns}) == ["n_chars", "page_id"]
    assert content(copy, "articles", *INDEX) == before
    assert decisions(copy)["keep"].sum() not in (0, len(decisions(copy)))
    assert len(list(copy.glob("decisions/part=*/*.parquet"))) == 2


def test_changed_settings_give_what_a_fresh_corpus_gives(copy, curated, tmp_path):
    shutil.copytree(curated, tmp_path / "fresh", ignore=shutil.ignore_patterns("decisions", *INDEX))
    settings = {"min_chars": 500, "min_words": 20, "fraction": 0.7, "rules": ["fineweb", *RULES]}
    rw.curate(copy, **settings, overwrite=True)
    rw.curate(tmp_path / "fresh", **settings)
    assert decisions(copy).equals(decisions(tmp_path / "fresh"))
    assert digests(copy, "pairs") == digests(tmp_path / "fresh", "pairs")
    assert digests(copy, "decisions") == digests(tmp_path / "fresh", "decisions")


def test_what_lies_below_changed_decisions_is_stale(copy, tmp_path):
    rw.train_tokenizer(copy, to=str(tmp_path / "small.json"), vocab_size=300)
    rw.tokenize(copy, str(tmp_path / "small.json"))
    assert [row["state"] for row in rw.status(copy).parts] == ["ok", "ok"]
    rw.curate(copy, min_chars=500, overwrite=True)
    assert [row["state"] for row in rw.status(copy).parts] == ["stale: small", "stale: small"]


def test_a_part_that_comes_later_costs_nothing_for_the_others(copy):
    texts = [" ".join(random.Random(seed).choices(WORDS, k=60)) + "." for seed in range(30)]
    texts[7] = rw.scan_documents(copy).select("text").last().collect().item()
    commit_articles(copy, "xwiki-20260101-p9", list(range(9001, 9031)), texts)
    before = content(copy, "decisions", *INDEX)
    summary = rw.curate(copy)
    assert summary.committed == ("xwiki-20260101-p9",)
    assert before.items() <= content(copy, "decisions", *INDEX).items()
    assert decisions(copy).filter(page_id=9008)["reason"].to_list() == ["exact_dup"]


def test_known_reasons_of_another_version_are_not_used(copy, columns_read, monkeypatch):
    monkeypatch.setattr(rw, "__version__", "0.0.0")
    with pytest.raises(AssertionError, match=r"_evaluate_shard .* runs on Ray"):
        rw.curate(copy, min_chars=500, overwrite=True)


def test_damaged_decisions_are_made_anew_from_the_texts(copy, curated):
    [shard, _] = sorted(copy.glob("decisions/part=*/*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-9])
    rw.curate(copy, min_chars=500, overwrite=True)
    rw.curate(copy, min_chars=200, overwrite=True)
    assert decisions(copy).equals(decisions(curated))


def test_ones_own_expression_is_never_answered_from_earlier_decisions(copy):
    own = pl.col("text").map_elements(lambda text: text.find("a") >= 0, pl.Boolean).alias("has_a")
    rw.curate(copy, rules=[own], overwrite=True)
    failed = decisions(copy).filter(pl.col("reasons").list.contains("has_a"))["page_id"].sort()
    without = rw.scan_articles(copy).filter(~pl.col("text").str.contains("a"))
    assert failed.equals(without.select(pl.col("page_id").sort()).collect()["page_id"])
    with pytest.raises(ValueError, match="give `rules` again"):
        rw.curate(copy, min_chars=500, overwrite=True)
    other = pl.col("text").map_elements(lambda text: text.find("a") < 0, pl.Boolean).alias("has_a")
    rw.curate(copy, rules=[other], min_chars=500, overwrite=True)
    assert decisions(copy).filter(pl.col("reasons").list.contains("has_a")).height == 240 - len(failed)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (pl.when(pl.col("page_id") % 7 > 0).then(True).alias("own"), "rule 'own' gives null .* of 60 articles"),
        ((pl.col("n_chars") > 5).head(3), "gives 3 values for 60 articles"),
        (pl.col("n_chars").max() > 5, "gives one value for all articles"),
        (pl.col("nothing") > 5, "rule 'nothing' cannot be evaluated"),
    ],
)
def test_an_expression_that_is_no_rule_is_a_sentence_and_commits_nothing(copy, own, message):
    before = content(copy, "decisions")
    with pytest.raises(ValueError, match=message):
        rw.curate(copy, rules=[own], overwrite=True)
    assert content(copy, "decisions") == before
