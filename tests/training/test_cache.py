from __future__ import annotations

import os
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_corner import exit_status, kill_self, start_process, write_shard

from raywiki.training import cache as cache_module
from raywiki.training.cache import cache_entries, clean_cache, open_cache, shards_digest
from raywiki.training.locks import hold_lock

DOCUMENTS = [
    ("train", [1, 2, 0]),
    ("val", [7, 0]),
    ("train", []),
    ("train", [3, 0]),
    ("val", [8, 9, 0]),
    ("train", [4, 5, 6, 0]),
]


@pytest.fixture
def shards(tmp_path):
    return [write_shard(tmp_path / "a.parquet", DOCUMENTS), write_shard(tmp_path / "b.parquet", [("train", [256, 0])])]


def test_documents_in_order_by_split(tmp_path, shards):
    cache = open_cache(tmp_path / "cache", "p", shards)
    assert cache.train[:].tolist() == [1, 2, 0, 3, 0, 4, 5, 6, 0, 256, 0]
    assert cache.val.tolist() == [7, 0, 8, 9, 0]
    assert (cache.train[:].dtype, cache.max_id) == (np.uint16, 256)


def test_large_vocabularies_keep_32_bits(tmp_path):
    shard = write_shard(tmp_path / "big.parquet", [("train", [99_999, 0])], vocab_size=100_000)
    cache = open_cache(tmp_path / "cache", "p", [shard])
    assert cache.train[:].tolist() == [99_999, 0]
    assert cache.train[:].dtype == np.uint32


@pytest.mark.parametrize("documents", [[], [("val", [1, 0])], [("train", [1, 0])]])
def test_parts_without_tokens(tmp_path, documents):
    cache = open_cache(tmp_path / "cache", "p", [write_shard(tmp_path / "s.parquet", documents)])
    assert len(cache.train) + len(cache.val) == 2 * len(documents)
    assert open_cache(tmp_path / "cache", "p", []).max_id == -1


def test_made_once_and_keyed_by_digests(tmp_path, shards, monkeypatch):
    open_cache(tmp_path / "cache", "p", shards)
    for path, _ in shards:
        os.remove(path)
    assert len(open_cache(tmp_path / "cache", "p", shards).train) == 11
    assert shards_digest(["a", "b"]) != shards_digest(["b", "a"]) != shards_digest(["ba"])


def test_a_broken_cache_is_made_again(tmp_path, shards):
    open_cache(tmp_path / "cache", "p", shards)
    [train] = (tmp_path / "cache").glob("*/train.bin")
    train.write_bytes(train.read_bytes()[:-1])
    assert len(open_cache(tmp_path / "cache", "p", shards).train) == 11


def test_other_file_systems(tmp_path, shards):
    opened = []

    def open_file(path):
        opened.append(path)
        return open(path.removeprefix("remote:"), "rb")

    remote = [(f"remote:{path}", digest) for path, digest in shards]
    assert len(open_cache(tmp_path / "cache", "p", remote, open_file).train) == 11
    assert opened == [path for path, _ in remote]


def test_what_is_no_shard_is_refused(tmp_path, shards):
    (path, digest), other = shards
    with pytest.raises(ValueError, match=r"b\.parquet is not the file that was committed .* run `raywiki tokenize` again"):
        open_cache(tmp_path / "cache", "p", [(other[0], digest)])
    with pytest.raises(ValueError, match=r"gone\.parquet cannot be read as a shard of tokens"):
        open_cache(tmp_path / "cache", "p", [(str(tmp_path / "gone.parquet"), digest)])
    (tmp_path / "text").write_text("hello")
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    with pytest.raises(ValueError, match="text cannot be read as a shard of tokens"):
        open_cache(tmp_path / "cache", "p", [(str(tmp_path / "text"), digest)])
    big = write_shard(tmp_path / "big.parquet", [("train", [1, 0])], vocab_size=100_000)
    with pytest.raises(ValueError, match="the shards of part p mix uint16 and uint32"):
        open_cache(tmp_path / "cache", "p", [(path, shards[0][1]), big])
    assert [each for each in os.listdir(tmp_path / "cache") if not each.endswith(".lock")] == []


def test_a_shard_without_the_columns_is_refused(tmp_path):
    import hashlib

    pq.write_table(pa.table({"page_id": [1]}), tmp_path / "s.parquet")
    digest = hashlib.sha256((tmp_path / "s.parquet").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="cannot be read as a shard of tokens"):
        open_cache(tmp_path / "cache", "p", [(str(tmp_path / "s.parquet"), digest)])


def _open_and_check(folder, shards):
    assert len(open_cache(folder, "p", shards).train) == 11


def _die_before_rename(folder, shards):
    cache_module.os.rename = lambda *_: kill_self()
    open_cache(folder, "p", shards)


def test_killed_while_making_it(tmp_path, shards):
    assert exit_status(_die_before_rename, tmp_path / "cache", shards) == -9
    assert len(open_cache(tmp_path / "cache", "p", shards).train) == 11
    assert not list((tmp_path / "cache").glob(".*.tmp"))


def test_many_at_once(tmp_path, shards):
    processes = [start_process(_open_and_check, tmp_path / "cache", shards) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


def test_cleaning_leaves_what_somebody_uses(tmp_path, shards):
    """Or makes; what a killed process has left goes."""
    folder = tmp_path / "cache"
    assert clean_cache(folder) == ([], [])
    used = open_cache(folder, "used", shards[:1])
    open_cache(folder, "free", shards[1:])
    (folder / ".half.12345678.tmp").mkdir()
    (folder / ".making.12345678.tmp").mkdir()
    (folder / ".making.12345678.tmp" / "train.bin").write_bytes(b"xy")
    assert {entry.part: entry.bytes > 2 for entry in cache_entries(folder)} == {"": False, "used": True, "free": True}
    with hold_lock(folder / ".making.lock"):
        planned = clean_cache(folder, dry_run=True)
        assert len(cache_entries(folder)) == 4
        removed, left = clean_cache(folder)
    assert (removed, left) == planned
    assert sorted(entry.part or entry.key for entry in removed) == [".half.12345678.tmp", "free"]
    assert sorted(entry.part or entry.key for entry in left) == [".making.12345678.tmp", "used"]
    assert sorted(entry.key for entry in cache_entries(folder)) == sorted(entry.key for entry in left)
    assert used.train[:].tolist() == [1, 2, 0, 3, 0, 4, 5, 6, 0]
    del used
    assert [entry.part for entry in clean_cache(folder)[0]] == ["", "used"]
    assert len(open_cache(folder, "p", shards).train) == 11


def _open_and_wait(folder, shards):
    cache = open_cache(folder, "p", shards)
    (folder / "opened").touch()
    while (folder / "opened").exists():
        time.sleep(0.01)
    assert len(cache.train) == 11


def test_another_process_is_somebody(tmp_path, shards):
    folder = tmp_path / "cache"
    user = start_process(_open_and_wait, folder, shards)
    while not (folder / "opened").exists():
        assert user.exitcode is None
        time.sleep(0.01)
    assert [len(each) for each in clean_cache(folder)] == [0, 1]
    (folder / "opened").unlink()
    user.join()
    assert user.exitcode == 0
    assert [len(each) for each in clean_cache(folder)] == [1, 0]


def test_what_is_cleaned_while_it_is_opened_is_made_again(tmp_path, shards, monkeypatch):
    folder, real, cleaned = tmp_path / "cache", cache_module.fcntl.flock, []
    open_cache(folder, "p", shards)

    def flock(file, how):
        if not cleaned:  # after the file was opened and before the lock is there
            cleaned.append(True)
            cleaned.extend(clean_cache(folder)[0])
        real(file, how)

    monkeypatch.setattr(cache_module.fcntl, "flock", flock)
    assert len(open_cache(folder, "p", shards).train) == 11
    assert len(cleaned) == 2
    assert [entry.part for entry in cache_entries(folder)] == ["p"]
