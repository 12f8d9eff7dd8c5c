"""A corpus in a real S3 server: verbs make there what they make in a folder, and nothing is half-made."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from dump_server import body, classic, write_copy
from killed_verbs import run_and_kill
from little_corpus import TINY, TRAIN
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.engine import fit
from raywiki.local.eval import evaluate
from raywiki.training import config, leases, stored
from raywiki.training.leases import hold_lease, lease_holder

GROW = dict(steps=6, total_batch_size=64, eval_every=3)


def state(corpus: Corpus) -> dict[str, str]:
    """Digest of every committed part of every table."""
    tables = corpus.tables()
    return {f"{name} {part}": each.digest for name in tables.names() for part, each in tables[name].items()}


def losses(corpus: str, run: str = "r1") -> list[float | None]:
    return rw.scan_metrics(corpus, run).collect()["train_loss"].to_list()


def told_by_plan(corpus: str, little: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """What `plan --run r1` says of one more part, were each step as fast as any other; nothing of the run is here before."""
    rw.gc(corpus, cache=True)
    dumps = {"viwiki-20260101-pages-articles4.xml-p400p499.bz2": body(4)}
    mirror = write_copy(little.parent / "mirror", classic("viwiki", "20260101", dumps))
    with monkeypatch.context() as patch:
        patch.setattr("raywiki.local.plan_run.median", lambda _: 1000.0)
        found = rw.plan(corpus, 1, mirrors=mirror, run="r1", device="cpu")
    return found.speed, [line.replace(corpus, "CORPUS") for _, line in found.advice]


@pytest.fixture(scope="module")
def here(s3_server, tmp_path_factory):
    """Verbs in this process, with what they need to reach the server, and a bucket."""
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, tmp_path_factory.mktemp("cache"))
        patch.setitem(config.SIZES, "nano", TINY)
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield s3_server.make_bucket("wiki")


@pytest.fixture(scope="module")
def corpus(here, little) -> str:
    """What the fixture `little` is, made by the verbs in the store."""
    url, dumps = f"{here}/little", sorted((little / "dumps").iterdir())
    rw.extract(url, dumps[:2])
    rw.curate(url, min_chars=100)
    rw.tokenize(url, str(little / "small.json"), val_fraction=0.2)
    rw.train(url, "r1", **TRAIN)
    return url


def test_all_verbs_make_what_they_make_in_a_folder(corpus, little, tmp_path, monkeypatch):
    """In one test, as each needs what the ones before it have made."""
    folder, dumps = str(tmp_path / "corpus"), sorted((little / "dumps").iterdir())
    shutil.copytree(little / "corpus", folder)
    made = state(Corpus(corpus))
    assert len(made) == 12
    assert made == state(Corpus(folder))
    assert losses(corpus) == losses(folder)
    assert "nothing to do" in str(rw.train(corpus, "r1", **TRAIN))
    Corpus(corpus).fs.put_file(str(dumps[2]), f"wiki/dumps/{dumps[2].name}")
    for place, dump in ((corpus, f"s3://wiki/dumps/{dumps[2].name}"), (folder, dumps[2])):
        rw.grow(place, dump, "r1", **GROW)
    assert state(Corpus(corpus)) == state(Corpus(folder)) != made
    assert losses(corpus) == losses(folder)
    assert rw.sample(corpus, "r1", "A", max_tokens=5) == rw.sample(folder, "r1", "A", max_tokens=5)
    assert evaluate(corpus, "r1").parts == evaluate(folder, "r1").parts
    assert rw.forgetting(corpus, "r1").equals(rw.forgetting(folder, "r1"))
    told, expected = rw.status(corpus, verify=True), rw.status(folder, verify=True)
    assert (told.parts, told.runs, told.problems, told.next) == (expected.parts, expected.runs, (), ())
    for options in (dict(format="jsonl"), dict(format="nanogpt", run="r1")):
        there = f"{corpus}-{options['format']}"
        rw.export(corpus, there, **options)
        rw.export(folder, str(tmp_path / options["format"]), **options)
        found = {path.rpartition("/")[2] for path in Corpus(there).fs.find(there)}
        assert found == {path.name for path in (tmp_path / options["format"]).rglob("*") if path.is_file()}
    assert rw.report(corpus).runs == 1
    assert told_by_plan(corpus, little, monkeypatch) == told_by_plan(folder, little, monkeypatch)
    rw.train(corpus, "r2", from_scratch="r1")
    assert str(rw.compare(corpus, "r1", "r2").to_dict()["parts"]).count("viwiki") == 3
    orphan = Corpus(corpus).path("articles", "part=viwiki-20260101-p100p199", "00009-left.parquet")
    Corpus(corpus).put(orphan, b"left")
    assert rw.gc(corpus, min_age=0).paths == (orphan,)
    rw.remove(corpus, "viwiki-20260101-p300p399")
    assert "viwiki-20260101-p300p399" not in Corpus(corpus).manifests("articles")
    assert os.listdir() == []  # where a URL is taken for a path, there is a folder "s3:"


def test_a_training_that_dies_goes_on_from_what_it_published(corpus, little, monkeypatch):
    """It dies as its last checkpoint is published, and its machine with all that it had."""
    put, calls = stored.StoredRun._put, []

    def dies(run: stored.StoredRun, name: str) -> None:
        calls.append(name)
        if calls.count("checkpoints/LATEST") == 2:
            raise KeyboardInterrupt
        put(run, name)

    monkeypatch.setattr(stored.StoredRun, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        rw.train(corpus, "dies", **TRAIN)
    monkeypatch.setattr(stored.StoredRun, "_put", put)
    run = stored.StoredRun(Corpus(corpus).url_of("runs", "dies"))
    assert run.stands_at() == (0, 3)
    shutil.rmtree(run.folder)
    assert run.holder() == ""
    rw.train(corpus, "dies", **TRAIN)
    assert losses(corpus, "dies") == losses(str(little / "corpus"))
    own, there = little / "corpus" / "runs" / "r1", {path[len(run.root) + 1 :] for path in run.fs.find(run.root)}
    assert there == {str(path.relative_to(own)) for path in own.rglob("*") if path.is_file() and path.name != ".lock"}


def test_verbs_that_are_killed_and_called_again(here, little, s3_server, tmp_path, monkeypatch):
    """kill -9 in each verb, between its first commit and its second, each on what the killed one before and its rerun made."""
    url, dumps = f"{here}/killed", sorted((little / "dumps").iterdir())[:2]
    environment, cache = {**s3_server.environment, "OMP_NUM_THREADS": "1"}, tmp_path / "cache"
    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(cache))
    calls = {
        "extract": ((url, dumps), {}),
        "curate": ((url,), {"min_chars": 100}),
        "tokenize": ((url, str(little / "small.json")), {"val_fraction": 0.2}),
        "train": ((url, "r1"), TRAIN),
    }
    for verb, (arguments, options) in calls.items():
        assert run_and_kill(verb, cache, environment, *arguments, **options) == -9
        getattr(rw, verb)(*arguments, **options)
    assert state(Corpus(url)) == state(Corpus(little / "corpus"))
    assert losses(url) == losses(str(little / "corpus"))
    assert not [path for path in rw.gc(url, min_age=0, dry_run=True) if not path.endswith(".parquet")]


def test_the_copy_of_a_run_can_go_at_any_time(corpus):
    run = stored.StoredRun(Corpus(corpus).url_of("runs", "r1"))
    run.pull()
    named = [row["folder"] for row in rw.gc(corpus, cache=True, dry_run=True).cache]
    assert f"runs/{run.folder.parent.name}/r1" in named
    rw.gc(corpus, cache=True)
    assert not run.folder.exists()
    assert (run.pull() / "segments.json").exists()


def test_one_process_at_a_time_trains_a_run(corpus, monkeypatch):
    monkeypatch.setattr("raywiki.engine.fit.PATIENCE", 0.0)
    run = stored.StoredRun(Corpus(corpus).url_of("runs", "busy"))
    told = pytest.raises(ValueError, match=r"run busy is being trained by another process.*s3://.*STOP \(it is process")
    with hold_lease(run.fs, run.path(stored.LEASE)), told:
        rw.train(corpus, "busy", **TRAIN)
    assert rw.train(corpus, "busy", **TRAIN).state == "trained"


def test_a_node_that_dies_in_training_does_not_give_its_lease_back(corpus, monkeypatch):
    """The next worker finds the lease of another machine, which a worker itself would not wait for."""
    for name, value in {"EXPIRES": 0.6, "SETTLE": 0.1, "_PAUSE": 0.1}.items():
        monkeypatch.setattr(leases, name, value)
    run, calls, fit_once = stored.StoredRun(Corpus(corpus).url_of("runs", "lost")), [], fit._fit

    def dies_first(work: fit.Work, placement: fit.Placement):
        calls.append(work)
        if len(calls) > 1:
            monkeypatch.setattr(leases, "EXPIRES", 30.0)
            return fit_once(work, placement)
        dead = {"process": 1, "host": "gone", "since": "then", "machine": "another", "token": "t", "beat": 7}
        run.fs.pipe_file(run.path(stored.LEASE), json.dumps(dead).encode())
        return RuntimeError("node died"), False

    monkeypatch.setattr(fit, "_fit", dies_first)
    trained = rw.train(corpus, "lost", **TRAIN)
    assert (len(calls), trained.state, run.holder()) == (2, "trained", "")
    assert any("went on from the last checkpoint, time 1 of 3 at most" in each for each in trained.warnings)


def test_a_lease_expires_when_it_is_not_renewed(here, monkeypatch):
    for name, value in {"EXPIRES": 0.6, "SETTLE": 0.1, "_PAUSE": 0.1}.items():
        monkeypatch.setattr(leases, name, value)
    fs, path, won = Corpus(here).fs, "wiki/leases/one", []
    dead = b'{"process": 1, "host": "gone", "since": "long ago", "machine": "another", "token": "t", "beat": 7}'
    fs.pipe_file(path, dead)
    assert lease_holder(fs, path) == "process 1 on gone since long ago"
    with pytest.raises(ValueError, match=r"^busy \(it is process 1 on gone since long ago\)$"), hold_lease(fs, path, 0, "busy"):
        pytest.fail("held")
    with hold_lease(fs, path, 5, "busy") as lease:
        fs.pipe_file(path, dead)
        lease.lost.set()
        with pytest.raises(OSError, match="was lost"):
            lease.require()

    def take() -> None:
        try:
            with hold_lease(fs, path, 0.3, "busy"):
                won.append(threading.get_ident())
                time.sleep(0.6)
        except ValueError:
            pass

    fs.rm_file(path)
    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert not fs.exists(path)


def test_a_shard_that_fails_midway_is_not_there(here):
    corpus, schema = Corpus(f"{here}/midway"), pa.schema({"text": pa.string()})

    def rows(count: int):
        for number in range(count):
            yield pa.table({"text": [os.urandom(1 << 20).hex()] * 4}, schema=schema)
            if number == 4:
                raise RuntimeError("midway")

    whole = corpus.write_shard("articles/part=p", "0.parquet", rows(2), schema)
    with pytest.raises(RuntimeError, match="midway"):
        corpus.write_shard("articles/part=p", "0.parquet", rows(9), schema, compression="none")
    with pytest.raises(RuntimeError, match="midway"):
        corpus.write_shard("articles/part=p", "1.parquet", rows(9), schema, compression="none")
    corpus.fs.invalidate_cache()
    assert [info["size"] for info in corpus.fs.find(corpus.root, detail=True).values()] == [whole.bytes]


def test_what_is_wrong_with_a_store_is_one_sentence(here, little, monkeypatch):
    from s3fs import S3FileSystem

    dump = sorted((little / "dumps").iterdir())[0]
    with pytest.raises(FileNotFoundError, match=r"^s3://nobody/corpus: .* does not exist: make the bucket first"):
        rw.extract("s3://nobody/corpus", dump)
    with pytest.raises(FileNotFoundError, match=r"^no corpus at s3://wiki/none: make one with"):
        rw.status("s3://wiki/none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    S3FileSystem.clear_instance_cache()
    for verb in (lambda: rw.extract("s3://wiki/little", dump), lambda: rw.status("s3://wiki/little")):
        with pytest.raises(PermissionError, match=r"^s3://wiki/little refuses these credentials .*: check the key"):
            verb()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(PermissionError, match=r"^s3://wiki/little: there are no credentials .*export AWS_ACCESS_KEY_ID"):
        rw.curate("s3://wiki/little")
    S3FileSystem.clear_instance_cache()


def test_a_store_that_goes_away_and_comes_back(here, s3_server, little):
    """The server is killed as the second part is written."""
    dumps, url = sorted((little / "dumps").iterdir()), f"{here}/away"
    rw.extract(url, dumps[0])
    s3_server.stop()
    begun = time.monotonic()
    with pytest.raises(ConnectionError, match=r"^s3://wiki/away does not answer .*then run the same again$"):
        rw.extract(url, dumps[:2])
    assert time.monotonic() - begun < 60
    s3_server.start()
    s3_server.make_bucket("wiki")
    rw.extract(url, dumps[:2])
    assert state(Corpus(url)).items() < state(Corpus(little / "corpus")).items()
