"""grow --wiki: what is missing is fetched, what is committed needs no file, and what does not fit is refused before all."""

from __future__ import annotations

import bz2
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from dump_server import DumpServer, classic, serving
from engine_corpus import run_state
from little_corpus import TRAIN
from made_corpus import ENCODING, make_corpus
from made_dumps import dump_xml
from verbs_here import without_ray

import raywiki as rw
from raywiki.dumps import source
from raywiki.dumps.mirrors import CHUNK_BYTES
from raywiki.local.plan_steps import CHECKPOINT_BYTES, CHECKPOINTS
from raywiki.local.space import Need, needs, require_room
from raywiki.local.todo import to_do
from raywiki.ratios import bundled_ratios
from raywiki.training.cache import cache_folder
from raywiki.training.checkpoint import stands_at

OTHER = {f"viwiki-20260201-pages-articles{n}.xml-p{n}50p{n + 1}49.bz2": b"newer" for n in (1, 2)}


@pytest.fixture
def server(little) -> Iterator[DumpServer]:
    """The dump of the little corpus, and a newer one that is cut into other parts."""
    bodies = {path.name: path.read_bytes() for path in sorted((little / "dumps").iterdir())}
    with serving({**classic("viwiki", "20260101", bodies), **classic("viwiki", "20260201", OTHER)}) as server:
        yield server


@pytest.fixture
def corpus(little, tmp_path, monkeypatch) -> Path:
    without_ray(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr(source, "FIRST_WAIT", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(little / "corpus", tmp_path / "corpus")
    return tmp_path / "corpus"


def fetched(server: DumpServer) -> list[str]:
    """The numbers of the parts whose files were sent."""
    return sorted(path.partition("articles")[2][0] for path in server.sent if path.endswith(".bz2"))


def test_only_what_the_corpus_lacks_is_fetched(corpus, server, capsys):
    """Of the dump that it has parts of, though there is a newer one; then nothing, with no file left."""
    grown = rw.grow(corpus, run="r1", wiki="viwiki:1-3", mirrors=server.url, **TRAIN)
    assert fetched(server) == ["3"]
    assert [path.name for path in Path("dumps").glob("viwiki*")] == ["viwiki-20260101-pages-articles3.xml-p300p399.bz2"]
    assert grown.committed == ("viwiki-20260101-p300p399",)
    assert [len(each["parts"]) for each in grown.train.segments] == [3]
    [segment] = grown.train.segments
    assert set(segment["before"]) == set(segment["after"]) == set(rw.Corpus(corpus).manifests("articles"))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"grow {corpus}: ")]
    stages = [line.removeprefix(f"grow {corpus}: ") for line in said]
    assert stages[0].startswith("download, 1 file of viwiki of 20260101 to dumps, 0.0 MB")
    assert stages[1:] == ["extract, 1 dump part", "curate, 1 part", "tokenize, 1 part with small", "train, run r1 on 3 parts"]
    assert str(grown).splitlines()[0].startswith("download viwiki of 20260101 to dumps: 1 of 1 file fetched")
    assert max(len(line) for line in str(grown).splitlines() if line.startswith(" ")) <= 100
    assert grown.to_dict()["download"]["files"][0]["state"] == "fetched"

    shutil.rmtree("dumps")
    again = rw.grow(corpus, run="r1", wiki="viwiki:1-3", mirrors=server.url, **TRAIN)
    assert (again.committed, again.download, again.train.state) == ((), None, "unchanged")
    assert fetched(server) == ["3"]
    assert "download, no file of viwiki of 20260101 is missing" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_fetched(corpus, little, server, tmp_path):
    dumps = shutil.copytree(little / "dumps", tmp_path / "dumps")  # a note is left beside what is verified
    grown = rw.grow(corpus, run="r1", wiki="viwiki:3", to=dumps, mirrors=server.url, **TRAIN)
    assert (fetched(server), grown.download, len(grown.committed)) == ([], None, 1)


def test_without_a_dump_it_goes_on_with_what_is_there(corpus, little):
    rw.extract(corpus, max((little / "dumps").iterdir()))
    grown = rw.grow(corpus, run="r1", **TRAIN)
    assert (grown.extract.committed, grown.committed) == ((), ("viwiki-20260101-p300p399",))
    assert grown.train.state == "trained"


def test_pages_of_another_dump_are_refused_before_they_are_fetched(corpus, server):
    said = r"^part 1 of viwiki of 20260201 has pages 150 to 249, of which part viwiki-20260101-p200p299"
    with pytest.raises(ValueError, match=said):
        rw.grow(corpus, run="r1", wiki="viwiki:1", date="20260201", mirrors=server.url)
    assert fetched(server) == []


def test_what_extract_would_refuse_is_refused_before_it_is_fetched(corpus, server):
    with pytest.raises(ValueError, match="language='vi', not language='fr'"):
        rw.grow(corpus, run="r1", wiki="viwiki:1", mirrors=server.url, language="fr")
    name = "viwiki-20260101-pages-articles1.xml-p100p199.bz2"
    server.files |= classic("viwiki", "20260101", {name: b"another"})
    with pytest.raises(ValueError, match=rf"^part viwiki-20260101-p100p199 is committed from another file than {name}"):
        rw.grow(corpus, run="r1", wiki="viwiki:1", mirrors=server.url)
    assert fetched(server) == []


def test_what_has_no_room_is_refused_before_it_is_fetched(corpus, server, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    before = sorted(corpus.rglob("*"))
    said = r"^dumps has 0\.0 MB free, and about \d+\.\d MB are still to be written there \(download, extract, curate, "
    with pytest.raises(OSError, match=said):
        rw.grow(corpus, run="r1", wiki="viwiki:3", mirrors=server.url)
    assert (fetched(server), sorted(corpus.rglob("*")), Path("dumps").exists()) == ([], before, False)


def test_the_room_is_looked_at_again_before_each_stage(corpus, little, monkeypatch):
    def fills_the_disk(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        return rw.extract(*arguments, **options)

    module = importlib.import_module("raywiki.engine.grow")
    monkeypatch.setattr(module, "extract", fills_the_disk)
    with pytest.raises(OSError, match=r"are still to be written there \(curate, tokenize, train\): make room, or add fewer"):
        rw.grow(corpus, max((little / "dumps").iterdir()), "r1", **TRAIN)
    assert len(rw.Corpus(corpus).manifests("articles")) == 3
    assert len(rw.Corpus(corpus).manifests("decisions")) == 2


def test_killed_in_its_download_and_in_its_training(corpus, little, server, tmp_path):
    """The same call again ends in what an undisturbed one ends in, and fetches the rest of the file alone."""
    long, chance = "viwiki-20260101-pages-articles3.xml-p300p399.bz2", random.Random(3)
    texts = ["".join(chance.choices("abcdefghijklmnoprstuvy    ", k=9000)) for _ in range(40)]
    bodies = {path.name: path.read_bytes() for path in sorted((little / "dumps").iterdir())}
    bodies[long] = bz2.compress(dump_xml(texts, first_id=300))  # so long that half of it is several pieces
    server.files |= classic("viwiki", "20260101", bodies)
    options = {"wiki": "viwiki:1-3", "mirrors": server.url, "to": str(tmp_path / "dumps"), "steps": 120, "device": "cpu"}
    options |= {"total_batch_size": 64, "checkpoint_every": 10, "eval_every": 60, "order": "sequential"}
    [file] = [path for path in server.files if path.endswith("p300p399.bz2")]
    checkpoints, partial = corpus / "runs" / "r1" / "checkpoints", tmp_path / "dumps" / f"{Path(file).name}.partial"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "other cache"))
        whole = shutil.copytree(corpus, tmp_path / "whole")
        rw.grow(whole, run="r1", **{**options, "to": str(tmp_path / "other dumps")})
    server.asked.clear()
    server.faults[file] = ["stall"]
    kill_grow(corpus, options, lambda: partial.exists() and partial.stat().st_size > 0)
    assert len(rw.Corpus(corpus).manifests("articles")) == 2
    kill_grow(corpus, options, lambda: stands_at(checkpoints) > (1, 20))
    assert (1, 20) < stands_at(checkpoints) < (1, 120), "the kill came too late to test anything"
    assert rw.status(corpus).next[0].startswith("run r1 goes on with segment 2 at step ")
    rw.grow(corpus, run="r1", **options)
    assert server.ranges(file) == [None, f"bytes={CHUNK_BYTES}-"]
    for table in ("articles", "decisions", "tokens/encoding=small"):
        ours, theirs = (rw.Corpus(each).manifests(table) for each in (corpus, whole))
        assert {part: each.digest for part, each in ours.items()} == {part: each.digest for part, each in theirs.items()}
    assert run_state(corpus / "runs" / "r1") == run_state(whole / "runs" / "r1")
    assert rw.status(corpus).next == ()


def kill_grow(corpus: Path, options: dict[str, object], is_there: Callable[[], bool]) -> None:
    """Grow in a process of its own, and kill it at the moment when something is there."""
    script, root = Path(__file__).with_name("killed_grow.py"), Path(rw.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    command = [sys.executable, str(script), str(corpus), os.environ["RAYWIKI_CACHE_DIR"], json.dumps(options)]
    grown = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while not is_there():
            assert grown.poll() is None, grown.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        grown.kill()
        grown.wait()
        grown.stderr.close()


def test_what_will_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "cache"))
    tables, of = rw.Corpus(tmp_path / "new").tables(), bundled_ratios("enwiki")
    cached, *found = sorted(
        needs(tables, "enwiki", "gpt2", 50257, 1000, 1e6, {}), key=lambda need: need.folder != str(cache_folder())
    )
    assert (cached.verb, cached.bytes) == ("train", 1e6 * of["tokens"].value * 2)
    expected = [1e6 * of[f"{name}_bytes"].value for name in ("articles", "curation", "tokens")]
    assert [each.bytes for each in found] == pytest.approx([*expected, 1000 * CHECKPOINT_BYTES * CHECKPOINTS])
    assert {each.folder for each in found} == {str(tmp_path / "new")}


def test_what_is_done_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "cache"))
    tables = make_corpus(tmp_path / "corpus", 3).tables()
    assert to_do(tables, [ENCODING]) == {"articles": [], "decisions": [], f"tokens/encoding={ENCODING}": []}
    left = to_do(tables, ["other"])
    assert left["tokens/encoding=other"] == list(tables["articles"])
    of_one = {need.verb: need.bytes for need in needs(tables, "xwiki", ENCODING, 260, 1000, 0, to_do(tables, [ENCODING]))[:-1]}
    assert of_one == {"extract": 0, "curate": 0, "tokenize": 0, "train": 3 * 100 * 2}
    assert needs(tables, "xwiki", "other", 260, 1000, 0, left)[2].bytes > 0


def test_folders_on_one_disk_share_its_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    needs = [Need("extract", str(tmp_path / "a" / "b"), 1.2e6), Need("train", str(tmp_path / "c"), 0.7e6)]
    require_room(needs)
    with pytest.raises(
        OSError, match=r"a/b has 2\.0 MB free, and about 3\.1 MB are still to be written there \(extract, train\)"
    ):
        require_room([*needs, Need("train", str(tmp_path), 1.2e6)])
