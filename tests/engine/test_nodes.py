"""A cluster of three nodes: one dies in the middle of a task, one does not see the driver's disk, one has another raywiki."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_corpus import MIN_CHARS, VAL_FRACTION
from ray_nodes import Nodes
from verbs_here import without_ray

import raywiki as rw
from raywiki.engine.other_nodes import hindrance, signs, what_to_do


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A head that takes no task, and two nodes of one core."""
    started = Nodes()
    try:
        started.add("head", cpus=0)
        started.add("a")
        started.add("b")
        yield started
    finally:
        started.stop()


def start(nodes: Nodes, *words: object) -> subprocess.Popen[str]:
    """Python on the cluster, from a working folder that no node has."""
    folder = nodes.folder / "driver"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **nodes.environment}, text=True, **pipes)


def test_a_folder_of_the_drivers_disk_is_one_sentence_and_stays_as_it_was(nodes, sample_parts):
    """`/proc/self/cwd` is another folder in each process."""
    before = sorted((nodes.folder / "driver").glob("**/*"))
    out, err = (extract := start(nodes, "-m", "raywiki.cli", "extract", "/proc/self/cwd/corpus", sample_parts[0])).communicate(
        timeout=200
    )
    assert (extract.returncode, out) == (1, "")
    [sentence] = [line for line in err.splitlines() if line.startswith("raywiki: ")]
    assert "of the Ray cluster does not see /proc/self/cwd/corpus: put it where all nodes see it" in sentence
    assert sorted((nodes.folder / "driver").glob("**/*")) == before


@pytest.fixture
def alone(tmp_path, sample_parts) -> rw.Corpus:
    """What one process makes of two parts, without Ray; the vocabulary lies beside it."""
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, tmp_path / "cache")
        corpus = rw.Corpus(tmp_path / "alone")
        rw.extract(corpus, sample_parts[:2])
        rw.curate(corpus, min_chars=MIN_CHARS)
        rw.train_tokenizer(corpus, to=str(tmp_path / "small.json"), vocab_size=512)
        rw.tokenize(corpus, str(tmp_path / "small.json"), val_fraction=VAL_FRACTION)
    return corpus


VERBS = f"""
import sys, raywiki as rw
corpus, vocabulary, *parts = sys.argv[1:]
rw.extract(corpus, parts)
rw.curate(corpus, min_chars={MIN_CHARS})
rw.tokenize(corpus, vocabulary, val_fraction={VAL_FRACTION})
"""


def test_a_node_dies_in_the_middle_of_a_task(nodes, alone, sample_parts, tmp_path):
    """The other one does its tasks, and the tables are those of one process, byte for byte."""
    corpus = rw.Corpus(tmp_path / "corpus")
    verbs = start(nodes, "-c", VERBS, corpus.url, tmp_path / "small.json", *sample_parts[:2])
    victim = None
    while victim is None:
        assert verbs.poll() is None, verbs.communicate()
        victim = next((name for name in ("a", "b") if nodes.tasks(name, "extract 2 parts")), None)
        time.sleep(0.01)
    nodes.kill(victim)
    _, err = verbs.communicate(timeout=400)
    assert verbs.returncode == 0, err
    for table in ("articles", "signatures", "bands", "pairs", "decisions", "tokens/encoding=small"):
        ours, theirs = (
            {part: each.digest for part, each in each_corpus.manifests(table).items()} for each_corpus in (corpus, alone)
        )
        assert ours == theirs, table
        assert len(ours) == 2


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("__version__ = '0.0.1'", "has raywiki 0.0.1, not 7"),
        ("raise ImportError('no such thing')", "has no raywiki (no such thing)"),
        ("", "has raywiki of no version, not 7"),
    ],
)
def test_what_a_node_says_that_has_another_raywiki(module, expected, tmp_path):
    """Asked as Ray asks it: pickled, in a process that cannot import what this one can."""
    from ray import cloudpickle

    (tmp_path / "raywiki").mkdir()
    (tmp_path / "raywiki" / "__init__.py").write_text(module)
    (tmp_path / "asked").write_bytes(cloudpickle.dumps(hindrance({}, "7")))
    script = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script, str(tmp_path / "asked")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
    assert "install raywiki 7 on every node" in what_to_do("10.0.0.7", done.stdout.strip(), {}, "7")


def test_the_signs_of_places(tmp_path):
    """A file is known by its size, a folder by a file in it or in the nearest one above; nothing is left behind."""
    dump, corpus = tmp_path / "dump.bz2", tmp_path / "to" / "come"
    dump.write_bytes(b"1234567")
    with signs([str(dump), str(corpus), str(tmp_path), "s3://bucket/corpus"]) as seen:
        assert list(seen.values()) == [str(dump), str(corpus), str(tmp_path)]
        sizes = {path: Path(path).stat().st_size for path in seen}
        assert pickle.loads(_by_value(sizes))() == ""
        dump.write_bytes(b"12")
        assert pickle.loads(_by_value(sizes))() == f"sees another file at {dump} than we do"
        dump.unlink()
        assert pickle.loads(_by_value(sizes))() == f"does not see {dump}"
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree(tmp_path)


def _by_value(sizes: dict[str, int]) -> bytes:
    from ray import cloudpickle

    return cloudpickle.dumps(hindrance(sizes))
