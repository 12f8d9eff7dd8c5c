"""Do several nodes make what one makes, also when a node dies? And how fast are they?

    python benchmarks/cluster.py tables TO DUMP DUMP …   # all tables by one node, and by three, of which one dies in each verb
    python benchmarks/cluster.py speed TO DUMP DUMP …    # seconds of extract with 1, 2 and 3 nodes
    python benchmarks/cluster.py train TO DUMP DUMP …    # two workers on two nodes, of which one dies; --store: in a store

The nodes are processes of this machine, of one core and with a working folder and a token cache each (`tests/ray_nodes.py`);
the head takes no task. A node that dies is killed with all its processes at once while one of them is in a task, and another
one joins before the next verb. TO is a new folder. Without dumps those of the sample wiki are written there; little ones for
`train`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import pytest
from grow_kills import weights_digest
from little_corpus import make_dumps
from ray_nodes import Nodes
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.training.order import order_digest
from raywiki.training.runs import require_run
from raywiki.training.stored import run_folder

TABLES = {"extract": "extract", "curate": "curate", "tokenize": "tokenize"}  # a word of each verb's tasks as Ray shows them
WORKER = "RayTrainWorker"
MIN_CHARS, VAL_FRACTION = 200, 0.05


@dataclass
class Cluster:
    """Nodes of one core that come and go, and a driver that none of them knows."""

    nodes: Nodes = field(default_factory=Nodes)
    count: int = 0

    def add(self) -> None:
        self.count += 1
        name = f"n{self.count}"
        self.nodes.add(name, cpus=1, RAYWIKI_CACHE_DIR=str(self.nodes.folder / f"cache-{name}"))

    @property
    def names(self) -> list[str]:
        return [name for name, process in self.nodes.started.items() if name != "head" and process.poll() is None]

    def start(self, *words: object) -> subprocess.Popen[str]:
        (self.nodes.folder / "driver").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "raywiki.cli", *map(str, words), "--json"]
        own = {**os.environ, **self.nodes.environment, "RAYWIKI_CACHE_DIR": str(self.nodes.folder / "cache-driver")}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.nodes.folder / "driver", env=own, text=True, **pipes)  # type: ignore[call-overload]

    def run(self, *words: object) -> dict[str, object]:
        """A verb that must end well; its summary."""
        return ended(self.start(*words))

    def kill(self, verb: subprocess.Popen[str], word: str, after: float = 0.0, ready: object = None) -> str:
        """Kill a node that is in a task of the verb, so many seconds after the first such task was seen; its name."""
        first: float | None = None
        while verb.poll() is None:
            busy = [name for name in self.names if self.nodes.tasks(name, word)]
            first = first or (time.monotonic() if busy else None)
            if busy and first and time.monotonic() - first >= after and (ready is None or ready()):  # type: ignore[operator]
                self.nodes.kill(busy[-1])
                return busy[-1]
            time.sleep(0.02)
        raise SystemExit(f"no node was at work any more: {verb.communicate()[1][-2000:]}")


def ended(verb: subprocess.Popen[str], status: int = 0) -> dict[str, object]:
    out, err = verb.communicate()
    if verb.returncode != status:
        raise SystemExit(f"{' '.join(map(str, verb.args))} ended with {verb.returncode}:\n{err[-3000:]}")  # type: ignore[arg-type]
    summary = json.loads(out.splitlines()[-1]) if status == 0 else {"printed": out}
    return {**summary, "told": [line for line in err.splitlines() if line.startswith("raywiki: ")]}


@contextmanager
def cluster(nodes: int, **environment: str) -> Iterator[Cluster]:
    os.environ.update(environment)
    made = Cluster()
    try:
        made.nodes.add("head", cpus=0)
        for _ in range(nodes):
            made.add()
        yield made
    finally:
        made.nodes.stop()


def digests(corpus: str) -> dict[str, str]:
    tables = Corpus(corpus).tables()
    return {f"{name} {part}": each.digest for name in tables.names() for part, each in tables[name].items()}


def verbs(corpus: str, vocabulary: Path, dumps: list[str]) -> dict[str, list[object]]:
    return {
        "extract": ["extract", corpus, *dumps],
        "curate": ["curate", corpus, "--min-chars", MIN_CHARS],
        "tokenize": ["tokenize", corpus, "--encoding", vocabulary, "--val-fraction", VAL_FRACTION],
    }


def make(nodes: Cluster, corpus: str, vocabulary: Path, dumps: list[str]) -> None:
    """All tables, by verbs that nobody disturbs; the vocabulary where there is none."""
    for verb, words in verbs(corpus, vocabulary, dumps).items():
        if verb == "tokenize" and not vocabulary.exists():
            rw.train_tokenizer(corpus, to=str(vocabulary), vocab_size=2048)
        print(f"  {verb}: {nodes.run(*words).get('seconds', 0):.1f} s", flush=True)


def prepare(corpus: str, to: Path, dumps: list[str]) -> None:
    """The tables that training needs, by this process."""
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, to / "cache")
        rw.extract(corpus, dumps)
        rw.curate(corpus, min_chars=100)
        rw.train_tokenizer(corpus, to=str(to / "small.json"), vocab_size=300)
        rw.tokenize(corpus, str(to / "small.json"), val_fraction=VAL_FRACTION)


def tables(to: Path, dumps: list[str]) -> None:
    one, killed, vocabulary = str(to / "one"), str(to / "killed"), to / "small.json"
    with cluster(1) as nodes:
        print("one node", flush=True)
        make(nodes, one, vocabulary, dumps)
        for _ in range(2):
            nodes.add()
        print("three nodes, one of which dies in each verb", flush=True)
        for verb, words in verbs(killed, vocabulary, dumps).items():
            began = time.monotonic()
            process = nodes.start(*words)
            name = nodes.kill(process, TABLES[verb], after=1.0 if verb == "extract" else 0.0)
            after = time.monotonic() - began
            ended(process)
            print(f"  {verb}: {name} died after {after:.1f} of {time.monotonic() - began:.1f} s", flush=True)
            nodes.add()
    ours, theirs = digests(killed), digests(one)
    names = sorted({name.split()[0] for name in theirs})
    for name in names:
        same = {part: ours.get(part) == digest for part, digest in theirs.items() if part.split()[0] == name}
        print(f"{name:28} {sum(same.values())} of {len(same)} parts the same")
    raise SystemExit(ours != theirs)


def speed(to: Path, dumps: list[str]) -> None:
    with cluster(0) as nodes:
        for count in (1, 2, 3):
            nodes.add()
            nodes.run("extract", to / f"warm{count}", dumps[0])  # each node has started its worker
            done = nodes.run("extract", to / f"speed{count}", *dumps)
            print(f"{count} node{'s' * (count > 1)}: {done['seconds']:.1f} s", flush=True)


def train(to: Path, dumps: list[str], steps: int, store: bool) -> None:
    """A run that nobody disturbs; one that loses a node and has a third; one that loses a node and has none until one joins."""
    where, address = str(to / "corpus"), dict[str, str]()
    if store:
        from s3_server import Server

        server = Server(to / "server").start()
        address = server.environment
        os.environ.update(address)
        where = f"{server.make_bucket('wiki')}/corpus"
    try:
        with cluster(2, **address) as nodes:
            prepare(where, to, dumps)
            common = ["--steps", steps, "--size", "nano", "--seq-len", 64, "--total-batch-size", 256, "--device", "cpu"]
            common += ["--num-workers", 2, "--checkpoint-every", 5, "--eval-every", 20]

            def words(run: str) -> list[object]:
                return ["train", where, "--run", run, *common]

            began = time.monotonic()
            nodes.run(*words("whole"))
            print(f"undisturbed: {time.monotonic() - began:.0f} s", flush=True)
            nodes.add()
            began, process = time.monotonic(), nodes.start(*words("third"))
            name = nodes.kill(process, WORKER, ready=lambda: saved(where, "third"))
            after = time.monotonic() - began
            told = ended(process)["told"]
            print(
                f"{name} died after {after:.0f} of {time.monotonic() - began:.0f} s, and a third took its place: {told}",
                flush=True,
            )
            began, process = time.monotonic(), nodes.start(*words("none"))
            name = nodes.kill(process, WORKER, ready=lambda: saved(where, "none"))
            after = time.monotonic() - began
            done = ended(process, 1)
            told, took = done["told"], time.monotonic() - began
            print(f"{name} died after {after:.0f} of {took:.0f} s, and none is left: {told} {done['printed']}", flush=True)
            nodes.add()
            nodes.run(*words("none"))
            print("the same command went on when there was one", flush=True)
        whole = state(where, "whole")
        same = {run: state(where, run) == whole for run in ("third", "none")}
        print(json.dumps({"steps": steps, "same": same, "losses": whole["losses"][-1], "order": whole["order"]}))
        raise SystemExit(not all(same.values()))
    finally:
        if store:
            server.stop()


def saved(corpus: str, run: str) -> bool:
    """Whether a run has a checkpoint."""
    from raywiki.training.stored import saved_at

    return saved_at(Corpus(corpus), run)[1] > 0


def state(corpus: str, run: str) -> dict[str, object]:
    """Losses of all steps, the digest of the order and of the newest weights."""
    opened = require_run(run_folder(Corpus(corpus), run))
    lines = rw.scan_metrics(corpus, run).select("step", "train_loss", "val_loss").collect().unique().sort("step")
    segment = opened.segments[-1]
    return {
        "losses": lines.rows(),
        "order": order_digest(segment, segment.start_step, segment.end_step),
        "weights": weights_digest(opened),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tables", "speed", "train"))
    parser.add_argument("to", type=Path)
    parser.add_argument("dumps", nargs="*")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--store", action="store_true", help="train: the corpus and its runs in an object store")
    given = parser.parse_args()
    to = given.to.absolute()
    (to / "dumps").mkdir(parents=True, exist_ok=True)
    made = make_dumps if given.what == "train" else rw.write_sample_wiki
    dumps = [str(Path(each).absolute()) for each in given.dumps or made(to / "dumps")]
    if given.what == "train":
        train(to, dumps, given.steps, given.store)
    else:
        {"tables": tables, "speed": speed}[given.what](to, dumps)


if __name__ == "__main__":
    main()
