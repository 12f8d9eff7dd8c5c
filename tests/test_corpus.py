from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raywiki.corpus import Corpus, Manifest, Shard, part_order, settle
from raywiki.files import file_sha256
from raywiki.local.remove import orphans

SCHEMA = pa.schema([pa.field("page_id", pa.int64()), pa.field("text", pa.string())])


def rows(*page_ids: int) -> pa.Table:
    return pa.table({"page_id": list(page_ids), "text": [f"text {i}" for i in page_ids]}, schema=SCHEMA)


def signatures(corpus: Corpus, part: str, *shards: Shard, **more) -> Manifest:
    return Manifest("signatures", part, settings={}, shards=shards, counts={"articles": sum(s.rows for s in shards)}, **more)


@pytest.fixture(params=["local", "memory"])
def corpus(request, tmp_path) -> Corpus:
    return Corpus(str(tmp_path / "corpus") if request.param == "local" else f"memory://{tmp_path.name}/{time.monotonic_ns()}")


def test_a_part_is_there_when_its_manifest_is(corpus):
    shard = corpus.write_shard("signatures/part=p1", "00000-aa.parquet", [rows(1, 2), rows(3)], SCHEMA)
    assert corpus.manifests("signatures") == {}
    manifest = corpus.commit(signatures(corpus, "p1", shard))
    assert corpus.read_manifest("signatures", "p1") == manifest
    assert corpus.manifests("signatures")["p1"].rows == 3
    with corpus.fs.open(corpus.shard_path(manifest, shard)) as file:
        read = pq.ParquetFile(file)
        assert read.metadata.num_row_groups == 2
        assert read.read().column("page_id").to_pylist() == [1, 2, 3]
    assert file_sha256(corpus.url_of("signatures/part=p1", shard.name)) == shard.sha256


def test_a_shard_without_rows_is_no_file(corpus):
    assert corpus.write_shard("signatures/part=p1", "00000-aa.parquet", [rows()], SCHEMA) is None
    assert not [path for path in corpus.fs.find(corpus.root) if path.endswith("parquet")]


def test_the_same_rows_are_the_same_bytes(tmp_path):
    one, two = (Corpus(tmp_path / name).write_shard("t/part=p", "s", [rows(1, 2), rows(3)], SCHEMA) for name in "ab")
    assert one == two


def test_a_failing_writer_leaves_nothing(tmp_path):
    corpus = Corpus(tmp_path / "corpus")

    def broken():
        yield rows(1)
        raise ValueError("bad page")

    with pytest.raises(ValueError, match="bad page"):
        corpus.write_shard("signatures/part=p1", "s.parquet", broken(), SCHEMA)
    assert not [path for path in corpus.fs.find(corpus.root) if not path.endswith("/")]


def test_a_new_commit_removes_the_shards_it_replaces(corpus):
    old = corpus.write_shard("signatures/part=p1", "00000-old.parquet", [rows(1)], SCHEMA)
    corpus.commit(signatures(corpus, "p1", old))
    new = corpus.write_shard("signatures/part=p1", "00000-new.parquet", [rows(1, 2)], SCHEMA)
    corpus.commit(signatures(corpus, "p1", new))
    left = [path.rpartition("/")[2] for path in corpus.fs.find(corpus.root)]
    assert sorted(left) == ["00000-new.parquet", "_manifest.json"]


def test_counts_must_add_up(corpus):
    counts = {
        "pages": 4,
        "articles": 2,
        "redirects": 1,
        "other_namespaces": 0,
        "other_models": 0,
        "deleted": 0,
        "errors": 0,
    }
    shard = corpus.write_shard("articles/part=p1", "s.parquet", [rows(1, 2)], SCHEMA)
    with pytest.raises(ValueError, match="4 pages are not 2 articles \\+ 1 redirects"):
        corpus.commit(Manifest("articles", "p1", {}, (shard,), counts))
    with pytest.raises(ValueError, match="hold 2 rows instead of 3"):
        corpus.commit(Manifest("articles", "p1", {}, (shard,), {**counts, "articles": 3}))
    assert corpus.manifests("articles") == {}


def test_a_damaged_manifest_is_an_error_and_not_a_missing_part(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    shard = corpus.write_shard("signatures/part=p1", "s.parquet", [rows(1)], SCHEMA)
    path = corpus.path(corpus.commit(signatures(corpus, "p1", shard)).folder, "_manifest.json")
    content = corpus.fs.cat_file(path)
    for damaged, sentence in [
        (content[:100], "is no manifest"),
        (content.replace(b'"rows": 1', b'"rows": 2'), "does not match its own digest"),
        (content.replace(b'"format": 1', b'"format": 9'), "has manifest format 9"),
    ]:
        corpus.fs.pipe_file(path, damaged)
        with pytest.raises(ValueError, match=sentence):
            corpus.manifests("signatures")


def test_the_digest_is_of_the_content_alone():
    shard = Shard("s.parquet", 1, 10, "ab")
    made = Manifest("articles", "p", {"language": "en"}, (shard,), {}, source={"name": "a.bz2", "bytes": 3, "sha256": "x"})
    renamed = Manifest("articles", "p", {"language": "en"}, (shard,), {}, source={"name": "b.bz2", "bytes": 3, "sha256": "x"},
                       seconds=9.0, raywiki="9", notes={"gaps": []})  # fmt: skip
    other = Manifest("articles", "p", {"language": "vi"}, (shard,), {}, source=made.source)
    assert made.digest == renamed.digest != other.digest


def test_stale_is_what_was_made_from_something_else(corpus):
    shard = corpus.write_shard("articles/part=p1", "s.parquet", [rows(1)], SCHEMA)
    counts = {
        "pages": 1,
        "articles": 1,
        "redirects": 0,
        "other_namespaces": 0,
        "other_models": 0,
        "deleted": 0,
        "errors": 0,
    }
    articles = corpus.commit(Manifest("articles", "p1", {"language": "en"}, (shard,), counts))
    below = corpus.commit(signatures(corpus, "p1", upstream={"articles/part=p1": articles.digest}))
    below_that = corpus.commit(Manifest("t", "p1", {}, (), {}, upstream={"signatures/part=p1": below.digest}))
    assert not corpus.is_stale(below_that)
    corpus.commit(Manifest("articles", "p1", {"language": "vi"}, (shard,), counts))
    assert corpus.is_stale(below)
    assert corpus.is_stale(below_that)


def test_orphans_are_what_no_manifest_names(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    shard = corpus.write_shard("signatures/part=p1", "s.parquet", [rows(1)], SCHEMA)
    corpus.commit(signatures(corpus, "p1", shard))
    corpus.write_shard("signatures/part=p2", "lost.parquet", [rows(1)], SCHEMA)
    [(path, (age, size))] = orphans(corpus.tables()).items()
    assert path.endswith("/lost.parquet")
    assert 0 <= age < 60
    assert size == (tmp_path / "corpus/signatures/part=p2/lost.parquet").stat().st_size


def test_settings_are_adopted_and_never_changed_in_silence():
    defaults = {"min_chars": 500, "fraction": 1.0}
    assert settle("decisions", [], {}, defaults) == defaults
    committed = [{"min_chars": 800, "fraction": 1.0}]
    assert settle("decisions", committed, {"min_chars": None}, defaults)["min_chars"] == 800
    with pytest.raises(ValueError, match=r"min_chars=800, not min_chars=300: .*--overwrite"):
        settle("decisions", committed, {"min_chars": 300}, defaults)
    assert settle("decisions", committed, {"min_chars": 300}, defaults, overwrite=True)["min_chars"] == 300


def test_parts_sort_by_their_numbers():
    parts = ["enwiki-20251101-p100p200", "enwiki-20251101-p2p30", "enwiki-20251101-p31p99"]
    assert sorted(parts, key=part_order) == [parts[1], parts[2], parts[0]]


WRITER = """
import sys, pyarrow as pa
from raywiki.corpus import Corpus, Manifest
corpus = Corpus(sys.argv[1])
schema = pa.schema([("page_id", pa.int64())])
for i in range(100_000):
    table = pa.table({"page_id": list(range(i % 50 + 1))}, schema=schema)
    shard = corpus.write_shard("signatures/part=p1", f"{i}.parquet", [table], schema)
    corpus.commit(Manifest("signatures", "p1", {"i": i}, (shard,), {"articles": table.num_rows}))
    print(i, flush=True)
"""


def test_kill_9_at_any_moment_leaves_the_old_or_the_new_part(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    for attempt in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, corpus.root], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(0.013 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        manifest = corpus.read_manifest("signatures", "p1")
        [shard] = manifest.shards
        path = corpus.shard_path(manifest, shard)
        assert file_sha256(path) == shard.sha256
        assert pq.read_metadata(path).num_rows == shard.rows == manifest.counts["articles"]


def _open_on_a_full_disk(real_open, path, mode="rb", **options):
    """/dev/full fails every write as a full disk does."""
    return open("/dev/full", "wb", buffering=0) if "w" in mode else real_open(path, mode, **options)


def test_a_full_disk_commits_nothing(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    corpus = Corpus(tmp_path / "corpus")
    monkeypatch.setattr(corpus.fs, "open", functools.partial(_open_on_a_full_disk, corpus.fs.open))
    with pytest.raises(OSError, match=r"make room.*part=p1"):
        corpus.write_shard("signatures/part=p1", "s.parquet", [rows(1)], SCHEMA)
    with pytest.raises(OSError, match=r"make room.*part=p1"):
        corpus.commit(signatures(corpus, "p1"))
    monkeypatch.undo()
    assert corpus.manifests("signatures") == {}
