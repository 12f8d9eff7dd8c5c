"""What grows with parts, documents and nodes: the pieces that one process does, at the size of the English Wikipedia.

    python benchmarks/scale.py status            # of `status`: 27 and 270 parts of 16 shards
    python benchmarks/scale.py tasks             # of tasks that do nothing, on a local Ray
    python benchmarks/scale.py digest            # of a dump's SHA-256, which the driver takes

What a driver needs at 7 million articles is measured by `python benchmarks/dedup.py index`.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from made_corpus import make_corpus

PARTS, SHARDS = 27, 16  # a part of 0.9 GB has 16 ranges
ROUNDS = 5


def look_at_status(folder: Path) -> None:
    for parts in (PARTS, 10 * PARTS):
        corpus = make_corpus(folder / str(parts), parts, shards=SHARDS)
        files = list(Path(corpus.root).rglob("_manifest.json"))
        size = sum(path.stat().st_size for path in files)
        code = "import sys, raywiki as rw, resource; str(rw.status(sys.argv[1]));"
        code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        command = [sys.executable, "-c", code, corpus.root]
        peaks: list[int] = []
        print(f"{parts} parts, {len(files):,} manifests, {size / 1e6:.1f} MB of them")
        say("  status in a process of its own", lambda: peaks.append(int(subprocess.check_output(command)) << 10))  # noqa: B023
        print(f"  at most {max(peaks) / 1e6:.0f} MB")
        say("  all manifests", lambda: [corpus.tables()[name] for name in corpus.tables().names()])  # noqa: B023


def run_tasks() -> None:
    from raywiki.engine import cluster

    list(cluster.run(len, ["a"] * 4))
    for count in (100, 400):
        begun = time.perf_counter()
        list(cluster.run(len, ["a"] * count))
        took = time.perf_counter() - begun
        print(f"{count} tasks that do nothing: {took:.1f} s, {1000 * took / count:.0f} ms each", flush=True)
    print(f"driver: at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def take_digest(folder: Path) -> None:
    from raywiki.dumps.checksums import dump_digests

    dump = folder / "dump.bz2"
    with open(dump, "wb") as file:
        for _ in range(64):
            file.write(bytes(range(256)) * (8 << 12))
    size = dump.stat().st_size
    seconds = say(f"SHA-256 of {size / 1e6:.0f} MB", lambda: dump_digests(str(dump)))
    print(f"  {size / 1e6 / seconds:.0f} MB/s")


def say(what: str, action: Callable[[], object]) -> float:
    """Do it some times, and print the median and both ends, in seconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    middle = statistics.median(times)
    print(f"{what}: {middle:.2f} s (median of {ROUNDS}, {min(times):.2f} to {max(times):.2f})", flush=True)
    return middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("status", "tasks", "digest"))
    what = parser.parse_args().what
    folder = Path(tempfile.mkdtemp(prefix="scale"))
    try:
        {"status": lambda: look_at_status(folder), "tasks": run_tasks, "digest": lambda: take_digest(folder)}[what]()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
