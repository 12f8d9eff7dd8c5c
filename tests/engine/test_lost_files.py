"""Files of committed parts that vanish, are cut short or flip a bit: the next run of their verb makes the same again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus

TABLES = ("articles", "signatures", "bands", "pairs", "decisions", "tokens/encoding=small")


@pytest.fixture
def corpus(undisturbed, tmp_path, monkeypatch) -> Path:
    without_ray(monkeypatch, tmp_path / "cache")
    shutil.copytree(undisturbed, tmp_path / "corpus")
    return tmp_path / "corpus"


def shard_of(corpus: Path, table: str) -> Path:
    opened = Corpus(corpus)
    manifest = list(opened.manifests(table).values())[-1]
    return Path(opened.shard_path(manifest, manifest.shards[0]))


def shards(corpus: Path) -> dict[str, str]:
    """SHA-256 of every shard by its path in the corpus."""
    return {str(path.relative_to(corpus)): hashlib.sha256(path.read_bytes()).hexdigest() for path in corpus.rglob("*.parquet")}


def run_all(corpus: Path, sample_parts: list[Path]) -> list[rw.Summary]:
    return [rw.extract(corpus, sample_parts[:2]), rw.curate(corpus), rw.tokenize(corpus)]


@pytest.mark.parametrize("first", [0, 1])
def test_files_that_are_gone_or_cut_short_are_made_again(first, corpus, undisturbed, sample_parts):
    harmed = [shard_of(corpus, table) for table in TABLES]
    for path in harmed[first::2]:
        path.unlink()
    for path in harmed[1 - first :: 2]:
        path.write_bytes(path.read_bytes()[:-100])
    problems = rw.status(corpus).problems
    assert all(any(str(path) in problem for problem in problems) for path in harmed), problems
    for summary in run_all(corpus, sample_parts):
        assert len(summary.committed) == 1, summary
        assert any("gone or cut short" in warning for warning in summary.warnings), summary
    assert shards(corpus) == shards(undisturbed)
    assert rw.status(corpus, verify=True).problems == ()
    assert [summary.committed for summary in run_all(corpus, sample_parts)] == [(), (), ()]


def test_what_the_error_of_a_flipped_bit_says_to_do_helps(corpus, undisturbed, sample_parts):
    path = shard_of(corpus, "articles")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    shutil.rmtree(corpus / "tokens")
    small = str(undisturbed.parent / "small.json")
    advice = f"{path.name} is damaged .*: remove what is left of it and run `raywiki extract` again"
    with pytest.raises(ValueError, match=advice):
        rw.tokenize(corpus, small, val_fraction=0.05)
    path.unlink()
    rw.extract(corpus, sample_parts[:2])
    rw.curate(corpus)
    rw.tokenize(corpus, small, val_fraction=0.05)
    assert shards(corpus) == shards(undisturbed)


def test_a_damaged_manifest_is_removed_and_made_again(corpus, undisturbed, sample_parts):
    manifest = shard_of(corpus, "articles").parent / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"articles": ', '"articles": 1'))
    with pytest.raises(ValueError, match=r"does not match its own digest.*Remove it, run the verb again"):
        rw.extract(corpus, sample_parts[:2])
    manifest.unlink()
    assert len(rw.extract(corpus, sample_parts[:2]).committed) == 1
    assert shards(corpus) == shards(undisturbed)
