"""Growing by real dump parts, and the verbs' promises: nothing twice, content is identity, the same bytes everywhere."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

import raywiki as rw

TRAIN = dict(size="nano", seq_len=64, batch_size=4, total_batch_size=256, device="cpu", num_workers=1, steps=5, eval_every=5)


def digests(corpus, table: str) -> dict[str, str]:
    return {part: manifest.digest for part, manifest in rw.Corpus(corpus).manifests(table).items()}


@pytest.fixture(scope="module")
def english(tmp_path_factory, shared_data, gpt2_vocabulary, ray_session):
    """The three English parts, added one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
        corpus = tmp_path_factory.mktemp("english") / "corpus"
        grown = [
            rw.grow(corpus, next(shared_data.glob(f"enwiki-*articles{number}*.bz2")), "r1", encoding="gpt2", **TRAIN)
            for number in (1, 2, 3)
        ]
        return corpus, grown


def test_the_english_parts(english):
    corpus, grown = english
    articles = rw.scan_articles(corpus)
    assert articles.group_by("part").len().sort("len").collect()["len"].to_list() == [30, 33, 43]
    assert [manifest.rows for manifest in rw.Corpus(corpus).manifests("articles").values()] == [30, 43, 33]
    assert articles.select(pl.col("text").str.starts_with("#REDIRECT").any()).collect().item() is False
    assert articles.select((pl.col("sha1_ok")).all()).collect().item() is True
    assert [summary.train.step for summary in grown] == [5, 10, 15]
    assert [len(summary.committed) for summary in grown] == [1, 1, 1]
    kept = rw.scan_documents(corpus).select(pl.len()).collect().item()
    assert kept == rw.scan_tokens(corpus, "gpt2").select(pl.len()).collect().item() > 90


def test_the_same_command_again_commits_nothing(english, shared_data):
    corpus, _ = english
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file() and ".lock" not in path.name}
    again = rw.grow(corpus, sorted(shared_data.glob("enwiki-*.bz2"))[-1], "r1", encoding="gpt2", **TRAIN)
    assert again.committed == ()
    assert again.train.state == "unchanged"
    assert "nothing to do, nothing committed" in str(again)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_one_by_one_and_all_at_once_are_the_same_bytes(english, shared_data, gpt2_vocabulary, tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    corpus, _ = english
    rw.extract(tmp_path / "corpus", sorted(shared_data.glob("enwiki-*.bz2")))
    rw.curate(tmp_path / "corpus")
    rw.tokenize(tmp_path / "corpus", "gpt2")
    for table in ("articles", "signatures", "bands", "pairs", "decisions", "tokens/encoding=gpt2"):
        assert digests(corpus, table) == digests(tmp_path / "corpus", table)


def test_a_renamed_part_is_the_part_that_it_was(english, shared_data, tmp_path):
    corpus, _ = english
    shutil.copy(next(shared_data.glob("enwiki-*articles1*.bz2")), tmp_path / "renamed.xml.bz2")
    summary = rw.extract(corpus, tmp_path / "renamed.xml.bz2")
    assert summary.committed == ()
    assert summary.parts[0]["part"] == "enwiki-20160501-p10p595"


def test_validation_pages_stay_when_parts_are_added(english):
    corpus, _ = english
    val = rw.scan_tokens(corpus, "gpt2").filter(pl.col("split") == "val").collect()
    from raywiki.tokens import splits

    assert splits(val["page_id"].to_list()) == ["val"] * len(val)
    train = rw.scan_tokens(corpus, "gpt2").filter(pl.col("split") == "train").collect()
    assert set(splits(train["page_id"].to_list())) == {"train"}


def test_status_tells_what_is_stale_and_the_next_run_redoes_it(english, tmp_path):
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
