"""Growing by real dump parts, and the verbs' promises: nothing twice, content is identity, the same bytes everywhere."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from little_corpus import TINY
from verbs_here import without_ray

import raywiki as rw
from raywiki.tokens import splits
from raywiki.training.config import SIZES

TRAIN = dict(size="nano", seq_len=16, batch_size=8, total_batch_size=128, device="cpu", num_workers=1, steps=5, eval_every=5)
VAL_FRACTION = 0.2  # of some thirty articles a part


def digests(corpus, table: str) -> dict[str, str]:
    return {part: manifest.digest for part, manifest in rw.Corpus(corpus).manifests(table).items()}


def val_pages(corpus) -> dict[str, set[int]]:
    """The validation pages of each part."""
    val = rw.scan_tokens(corpus, "gpt2").filter(pl.col("split") == "val").select("part", "page_id").collect()
    return {part: set(pages["page_id"]) for [part], pages in val.partition_by("part", as_dict=True).items()}


@pytest.fixture(scope="module")
def english(tmp_path_factory, shared_data, gpt2_vocabulary):
    """The three English parts, added one after the other, without Ray: corpus, summaries, and validation pages after each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
        folder = tmp_path_factory.mktemp("english")
        without_ray(patch, folder / "cache")
        patch.setitem(SIZES, "nano", TINY)
        corpus, grown, val = folder / "corpus", [], []
        for number in (1, 2, 3):
            dump = next(shared_data.glob(f"enwiki-*articles{number}*.bz2"))
            grown.append(rw.grow(corpus, dump, "r1", encoding="gpt2", val_fraction=VAL_FRACTION, **TRAIN))
            val.append(val_pages(corpus))
        return corpus, grown, val


@pytest.fixture
def here(monkeypatch, tmp_path) -> None:
    without_ray(monkeypatch, tmp_path / "cache")


def test_the_english_parts(english):
    corpus, grown, _ = english
    articles = rw.scan_articles(corpus)
    assert articles.group_by("part").len().sort("len").collect()["len"].to_list() == [30, 33, 43]
    assert [manifest.rows for manifest in rw.Corpus(corpus).manifests("articles").values()] == [30, 43, 33]
    assert articles.select(pl.col("text").str.starts_with("#REDIRECT").any()).collect().item() is False
    assert articles.select((pl.col("sha1_ok")).all()).collect().item() is True
    assert [summary.train.step for summary in grown] == [5, 10, 15]
    assert [len(summary.committed) for summary in grown] == [1, 1, 1]
    kept = rw.scan_documents(corpus).select(pl.len()).collect().item()
    assert kept == rw.scan_tokens(corpus, "gpt2").select(pl.len()).collect().item() > 90


def test_the_same_command_again_commits_nothing(english, shared_data, here):
    corpus, _, _ = english
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file() and ".lock" not in path.name}
    again = rw.grow(corpus, sorted(shared_data.glob("enwiki-*.bz2"))[-1], "r1", encoding="gpt2", **TRAIN)
    assert again.committed == ()
    assert again.train.state == "unchanged"
    assert "nothing to do, nothing committed" in str(again)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_one_by_one_and_all_at_once_are_the_same_bytes(
    english, shared_data, gpt2_vocabulary, ray_session, tmp_path, monkeypatch
):
    """The one without Ray, the other spread by it."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    corpus, _, _ = english
    rw.extract(tmp_path / "corpus", sorted(shared_data.glob("enwiki-*.bz2")))
    rw.curate(tmp_path / "corpus")
    rw.tokenize(tmp_path / "corpus", "gpt2", val_fraction=VAL_FRACTION)
    for table in ("articles", "signatures", "bands", "pairs", "decisions", "tokens/encoding=gpt2"):
        assert digests(corpus, table) == digests(tmp_path / "corpus", table)


def test_a_renamed_part_is_the_part_that_it_was(english, shared_data, tmp_path, here):
    corpus, _, _ = english
    shutil.copy(next(shared_data.glob("enwiki-*articles1*.bz2")), tmp_path / "renamed.xml.bz2")
    summary = rw.extract(corpus, tmp_path / "renamed.xml.bz2")
    assert summary.committed == ()
    assert summary.parts[0]["part"] == "enwiki-20160501-p10p595"


def test_validation_pages_stay_when_parts_are_added(english):
    """Those of part 1 are the same after parts 2 and 3 came: what a run learned from is never what it is judged by."""
    corpus, _, [one, two, three] = english
    assert [len(val) for val in (one, two, three)] == [1, 2, 3]
    assert all(one.values())
    assert {part: three[part] for part in one} == {part: two[part] for part in one} == one
    assert {part: three[part] for part in two} == two
    for part, pages in three.items():
        of_part = pl.col("part") == part
        documents = rw.scan_tokens(corpus, "gpt2").filter(of_part).select("page_id").collect()["page_id"].to_list()
        assert pages == {page for page, split in zip(documents, splits(documents, VAL_FRACTION), strict=True) if split == "val"}
        every_fifth = {page for number, page in enumerate(documents) if number % 5 == 0}
        assert pages != every_fifth, "a split by position would pass"


def test_status_tells_what_is_stale_and_the_next_run_redoes_it(english, tmp_path, here):
    corpus = tmp_path / "corpus"
    shutil.copytree(english[0], corpus)
    changed = rw.curate(corpus, min_chars=20_000, overwrite=True)
    assert len(changed.committed) == 3
    parts = rw.status(corpus).parts
    assert all(row["state"] == "stale: gpt2" for row in parts)
    with pytest.raises(ValueError, match="stale: run `raywiki tokenize"):
        rw.train(corpus, "r2", **TRAIN)
    redone = rw.tokenize(corpus)
    assert len(redone.committed) == 3
    assert {row["state"] for row in rw.status(corpus, verify=True).parts} == {"ok"}
    with pytest.raises(ValueError, match="other tokens"):
        rw.train(corpus, "r1", **TRAIN)


def test_a_flipped_bit_in_a_shard_is_found(english, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(english[0], corpus)
    [shard] = list((corpus / "articles/part=enwiki-20160501-p10p595").glob("00000-*.parquet"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 4
    shard.write_bytes(content)
    assert any(shard.name in problem for problem in rw.status(corpus, verify=True).problems)


def test_gc_removes_what_no_manifest_names(english, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(english[0], corpus)
    (corpus / "articles/part=lost").mkdir()
    (corpus / "articles/part=lost/00000-aa.parquet").write_bytes(b"x")
    young = rw.gc(corpus)
    assert (young.paths, young.young) == ((), 1)  # a verb may be at work on it
    assert len(rw.gc(corpus, min_age=0)) == 1
    assert digests(corpus, "articles") == digests(english[0], "articles")
