"""How long does a core wait between two tasks of a verb, and how much faster is `extract` with two cores than with one?

    python benchmarks/cores.py [--tasks 12] [--seconds 0.5] [--runs 3]
    python benchmarks/cores.py PART.bz2 [--runs 3] [--verb read_dump]

Without a part, tasks that only sleep run on two cores by Ray Data as it comes and by `engine.cluster.run`, in turn: the time
from the first one's start to the last one's end, over that of a perfect schedule, and the median of what lies between two
tasks of a worker. Sleeping makes it nearly independent of what else the machine does. With a part, `extract`, or a
pipeline of `read_dump` that counts the characters of the pages, reads it with one core and with two, in turn, each in a Ray of
its own that is up before; prints the wall seconds of each, and the ratio of their medians. Beside `read_dump` plain processes
read the same ranges in the same rounds: what two of them gain is what the machine has to give. Where the same work takes twice
as long from one minute to the next, wall seconds tell little; so the share of the cores' time in which workers compute is
printed too, and twice that with two cores over that with one. On a machine that others use, RAY_worker_niceness=0 keeps tasks
from waiting for them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import raywiki as rw
from raywiki.dumps import DumpRange, read_range, split_dump
from raywiki.engine import cluster
from raywiki.summary import plural


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--verb", choices=["extract", "read_dump"], default="extract")
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)  # of one run, in a process of its own
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)  # of one run: by processes without Ray
    args = parser.parse_args()
    if args.cores:
        seconds = seconds_by_processes(args.dump, args.cores) if args.plain else seconds_of(args.verb, args.dump, args.cores)
        print(json.dumps(seconds))
    elif args.dump:
        compare_cores(args.dump, args.runs, args.verb)
    else:
        compare_waits(args.tasks, args.seconds, args.runs)


def start(cores: int) -> None:
    import ray

    ray.init(address="local", num_cpus=cores, object_store_memory=cluster.OBJECT_STORE_BYTES, include_dashboard=False)


def nap(item: tuple[int, float]) -> tuple[float, float, int]:
    began = time.time()
    time.sleep(item[1])
    return began, time.time(), os.getpid()


def by_ray_data(items: list[tuple[int, float]]) -> list[tuple[float, float, int]]:
    import ray

    rows = [{"item": item} for item in items]
    data = ray.data.from_items(rows, override_num_blocks=len(rows)).map(lambda row: {"nap": nap(row["item"])}, num_cpus=1)
    data.context.enable_progress_bars = data.context.print_on_execution_start = False
    return [tuple(row["nap"]) for row in data.iter_rows()]


def by_run(items: list[tuple[int, float]]) -> list[tuple[float, float, int]]:
    return [result for _, result in cluster.run(nap, items)]


def compare_waits(tasks: int, seconds: float, runs: int) -> None:
    start(2)
    items = [(number, seconds) for number in range(tasks)]
    by_ray_data(items)  # the workers start
    ways: dict[str, Any] = {"Ray Data as it comes": by_ray_data, "engine.cluster.run": by_run}
    found = defaultdict(list)
    for _ in range(runs):
        for name, way in ways.items():
            naps = way(items)
            took = max(end for _, end, _ in naps) - min(begin for begin, _, _ in naps)
            found[name].append((took, statistics.median(waits(naps))))
    for name, each in found.items():
        took, wait = (statistics.median(values) for values in zip(*each, strict=True))
        print(f"{name:20} {took:6.2f} s where {tasks * seconds / 2:.2f} s is perfect; {wait:.3f} s between two tasks of a core")


def waits(naps: list[tuple[float, float, int]]) -> list[float]:
    """Seconds between the end of a task and the begin of the next one of the same worker."""
    by_worker: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for begin, end, worker in sorted(naps):
        by_worker[worker].append((begin, end))
    return [after[0] - before[1] for each in by_worker.values() for before, after in pairwise(each)]


def compare_cores(dump: str, runs: int, verb: str) -> None:
    ways = {verb: ["--verb", verb]}
    if verb == "read_dump":
        ways["plain processes"] = ["--plain"]
    walls: dict[tuple[str, int], list[float]] = defaultdict(list)
    shares: dict[tuple[str, int], list[float]] = defaultdict(list)
    for number in range(runs):
        for way, options in ways.items():
            for cores in (1, 2):
                command = [sys.executable, __file__, dump, *options, "--cores", str(cores)]
                wall, cpu = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
                share = cpu / (cores * wall)
                told = f", workers compute for {share:.1%} of it" if cpu else ""
                print(f"run {number + 1}, {way}, {plural(cores, 'core')}: {wall:6.1f} s{told}", flush=True)
                walls[way, cores].append(wall)
                shares[way, cores].append(share)
    for way in ways:
        one, two = (statistics.median(walls[way, cores]) for cores in (1, 2))
        print(f"{way}: two cores are {one / two:.2f} times as fast as one (medians of {plural(runs, 'run')})", end="")
        one, two = (statistics.median(shares[way, cores]) for cores in (1, 2))
        print(f", {2 * two / one:.2f} times by the time in which workers compute" if one else "")


def seconds_of(verb: str, dump: str, cores: int) -> tuple[float, float]:
    """Wall seconds of a verb once Ray is up and its workers have started, and CPU seconds of its workers if known, else 0."""
    start(cores)
    before = last_of_each(seen for _, seen in cluster.run(nap_and_clock, [(number, 0.5) for number in range(4 * cores)]))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        if verb == "extract":
            rw.extract(f"{folder}/corpus", dump)
            return time.monotonic() - began, 0
        counted = rw.read_dump(dump).map_batches(count_characters, batch_format="pyarrow")
        counted.context.enable_progress_bars = counted.context.print_on_execution_start = False
        rows = list(counted.iter_rows())
        wall = time.monotonic() - began
    return wall, cpu_since(before, rows)


def seconds_by_processes(dump: str, processes: int) -> tuple[float, float]:
    """Wall seconds in which plain processes read a dump's ranges, once they have started, and their CPU seconds."""
    ranges = split_dump(dump)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        before = last_of_each(pool.map(nap_and_clock, [(number, 0.5) for number in range(4 * processes)], chunksize=1))
        began = time.monotonic()
        rows = [row for each in pool.map(count_range, ranges, chunksize=1) for row in each]
        wall = time.monotonic() - began
    return wall, cpu_since(before, rows)


def cpu_since(before: dict[int, float], rows: list[dict[str, Any]]) -> float:
    """CPU seconds of the workers that made these rows of `count_characters`; prints what they counted."""
    print(f"{sum(row['characters'] for row in rows):,} characters")
    after = last_of_each((row["worker"], row["cpu"]) for row in rows)
    return sum(cpu - before.get(worker, 0) for worker, cpu in after.items())


def last_of_each(clocks: Iterable[tuple[int, float]]) -> dict[int, float]:
    """The last CPU seconds of each worker, which only grow."""
    last: dict[int, float] = {}
    for worker, cpu in clocks:
        last[worker] = max(cpu, last.get(worker, 0))
    return last


def nap_and_clock(item: tuple[int, float]) -> tuple[int, float]:
    nap(item)
    return os.getpid(), time.process_time()


def count_range(dump_range: DumpRange) -> list[dict[str, Any]]:
    return [row for pages in read_range(dump_range) for row in count_characters(pages).to_pylist()]


def count_characters(pages: pa.Table) -> pa.Table:
    characters = pc.sum(pc.utf8_length(pages["text"])).as_py() or 0
    return pa.table({"characters": [characters], "worker": [os.getpid()], "cpu": [time.process_time()]})


if __name__ == "__main__":
    main()
