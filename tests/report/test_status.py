"""status: the state of each part, each run, and what is damaged. The counts of reads are in tests/test_tables.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw


@pytest.fixture
def corpus(little, tmp_path, monkeypatch) -> Path:
    without_ray(monkeypatch, tmp_path / "cache")
    shutil.copytree(little / "corpus", tmp_path / "corpus")
    return tmp_path / "corpus"


def states(corpus: Path) -> list[str]:
    return [row["state"] for row in rw.status(corpus).parts]


def test_the_state_is_what_the_next_verb_would_do(corpus, little):
    assert states(corpus) == ["ok", "ok"]
    rw.extract(corpus, max((little / "dumps").iterdir()))
    assert states(corpus) == ["ok", "ok", "not curated"]
    rw.curate(corpus)
    assert states(corpus) == ["ok", "ok", "not tokenized"]
    rw.curate(corpus, min_chars=120, overwrite=True)
    assert states(corpus) == ["stale: small", "stale: small", "not tokenized"]
    rw.tokenize(corpus)
    assert states(corpus) == ["ok", "ok", "ok"]


def test_rows_are_what_the_tables_hold(corpus):
    [first, _] = rw.status(corpus).parts
    counts = {"pages": 24, "articles": 24, "kept": 24}
    assert {name: first[name] for name in counts} == counts
    [tokens, _] = rw.Corpus(corpus).manifests("tokens/encoding=small").values()
    assert first["small_tokens"] == tokens.counts["tokens"] > 0


def test_runs_are_told_with_where_they_stand(corpus):
    [run] = rw.status(corpus).runs
    assert {name: run[name] for name in ("run", "segments", "step", "of", "parts")} == {
        "run": "r1", "segments": 1, "step": 6, "of": 6, "parts": 2,
    }  # fmt: skip
    last = rw.scan_metrics(corpus, "r1").collect().row(-1, named=True)["val_loss"]
    losses = [each["loss"] for each in last]
    assert run["val_loss"] == pytest.approx(sum(losses) / 2)


def test_a_screen_of_it_has_every_part_and_run(corpus):
    screen = str(rw.status(corpus)).splitlines()
    assert screen[0] == f"corpus at {corpus}"
    assert max(map(len, screen[1:])) <= 100
    assert sum(" ok" in line for line in screen) == 2
    assert any(line.split()[:1] == ["r1"] for line in screen)


def test_only_verify_reads_the_shards(corpus):
    shard = next((corpus / "articles").rglob("*.parquet"))
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    assert rw.status(corpus).problems == ()
    [problem] = rw.status(corpus, verify=True).problems
    assert str(shard) in problem
    assert "remove it and run `raywiki extract` again" in problem
    shard.unlink()
    [problem] = rw.status(corpus).problems  # that a file is gone shows in the listing
    assert "is missing: run `raywiki extract` again" in problem
