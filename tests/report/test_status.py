"""status: the state of each part, each run, and what is damaged. The counts of reads are in tests/test_tables.py."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw
from raywiki.training.cache import cache_folder, open_cache
from raywiki.training.locks import hold_lock
from raywiki.training.parts import shard_files
from raywiki.training.runs import read_run, write_run


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


def test_what_is_next(corpus, little):
    new, at = "viwiki-20260101-p300p399", f"raywiki {{}} {corpus}"
    assert rw.status(corpus).next == ()
    rw.extract(corpus, max((little / "dumps").iterdir()))
    curate, tokenize, all_of_it = rw.status(corpus).next
    assert curate == f"curate part {new}: `{at.format('curate')}`"
    assert tokenize == f"tokenize part {new} with small: `{at.format('tokenize')} --encoding small`"
    assert all_of_it == f"or all of that, and train: `{at.format('grow')} --run r1`"
    rw.curate(corpus)
    rw.tokenize(corpus)
    assert rw.status(corpus).next == (f"run r1 learns from part {new}: `{at.format('train')} --run r1`",)
    assert "  next: run r1 learns from part" in str(rw.status(corpus))


def test_a_segment_that_is_not_at_its_end_is_next(corpus):
    run = read_run(corpus / "runs" / "r1")
    write_run(replace(run, segments=(replace(run.segments[0], steps=9),)))
    assert rw.status(corpus).next == ("run r1 goes on with segment 1 at step 6 of 9",)


def test_what_gc_would_free_and_who_writes(corpus):
    assert (rw.status(corpus).writing, rw.status(corpus).freeable) == ((), ())
    for name, age in {"old": 7200, "young": 60}.items():
        path = corpus / "articles" / f"part={name}" / "00000-aa.parquet"
        path.parent.mkdir()
        path.write_bytes(b"x" * 3_000_000)
        os.utime(path, (time.time() - age,) * 2)
    found, freed = rw.status(corpus), rw.gc(corpus, dry_run=True)
    assert found.orphans == {"files": len(freed), "bytes": freed.bytes, "young": freed.young}
    assert found.orphans == {"files": 1, "bytes": 3_000_000, "young": 1}
    assert found.freeable == (f"`raywiki gc {corpus}` frees 3.0 MB in 1 file that no manifest names",)
    assert "1 file without a manifest, the newest 60 s old" in found.writing[0]
    with hold_lock(corpus / "runs" / "r1" / ".lock"):
        said = rw.status(corpus).writing
        assert said[0].startswith(f"run r1 is being trained (process {os.getpid()} on ")
    assert len(rw.status(corpus).writing) == 1


def test_the_token_cache(corpus, tmp_path):
    tokens, corpus_ = "tokens/encoding=small", rw.Corpus(corpus)
    first, second = corpus_.manifests(tokens).values()
    used = open_cache(cache_folder(), first.part, shard_files(corpus_, first))
    open_cache(cache_folder(), second.part, shard_files(corpus_, second))
    open_cache(cache_folder(), "of another corpus", [])
    found = rw.status(corpus)
    assert found.cache["folder"] == str(tmp_path / "cache")
    assert (found.cache["parts"], found.cache["parts_of_corpus"]) == (3, 2)
    assert found.cache["bytes"] > found.cache["bytes_of_corpus"] > 2 * (first.counts["tokens"] + second.counts["tokens"])
    assert f"`raywiki gc {corpus} --cache` frees what nobody uses" in found.freeable[0]
    assert rw.gc(corpus).cache == ()
    planned = rw.gc(corpus, cache=True, dry_run=True)
    assert rw.status(corpus).cache == found.cache
    cleaned = rw.gc(corpus, cache=True)
    assert (cleaned.cache, cleaned.cache_left) == (planned.cache, planned.cache_left)
    assert {row["part"] for row in cleaned.cache} == {second.part, "of another corpus"}
    assert cleaned.cache_left == 1
    assert "left 1 part in the token cache, which somebody reads or makes just now" in " ".join(str(cleaned).split())
    assert len(used.train) == first.counts["train_tokens"]
    assert rw.status(corpus).cache["parts"] == 1


def test_dumps_that_wait_are_told_when_their_folder_is(corpus, little, tmp_path):
    folder = shutil.copytree(little / "dumps", tmp_path / "dumps")
    third = max(folder.iterdir())
    third.symlink_to(third.rename(tmp_path / "elsewhere"))  # a folder of links is as good
    (folder / "viwiki-20260101-pages-articles4.xml-p400p499.bz2.partial").write_bytes(b"some")
    (folder / ".download.lock").touch()
    (folder / "viwiki-20260101-md5sums.txt").touch()
    found = rw.status(corpus, dumps=folder)
    assert [(row["dump"], row["state"]) for row in found.dumps] == [
        (third.name, "not in the corpus"),
        ("viwiki-20260101-pages-articles4.xml-p400p499.bz2.partial", "not whole: download it again"),
    ]
    assert max(map(len, str(found).splitlines()[1:])) <= 100
    assert rw.status(corpus).dumps == ()
    with hold_lock(folder / ".download.lock"):
        assert rw.status(corpus, dumps=folder).writing[0].startswith(f"a download writes to {folder} (process ")
    with pytest.raises(FileNotFoundError, match=r"^there is no folder .*nowhere: give the one that the dumps lie in"):
        rw.status(corpus, dumps=tmp_path / "nowhere")
