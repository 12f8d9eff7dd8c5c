"""How fast is one dump part read to pages, beside bz2 alone and other readers?

    python benchmarks/read_dump.py PART.xml.bz2 [--runs 3] [--range-mb 64] [--only NAME …]

Each reader reads the whole file in a process of its own, so that its peak memory is its own; rounds are interleaved, and the
median of the runs is shown. MB are 10^6 bytes of XML.
"""

from __future__ import annotations

import argparse
import bz2
import importlib.util
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from raywiki.dumps import DumpRange, RangeReport, check_ranges, read_range, split_dump

PIECE_BYTES = 1 << 20


def bz2_alone(path: str, range_bytes: int) -> int:
    """bz2.decompress in pieces, nothing done with the XML: the limit."""
    del range_bytes
    total, decompressor = 0, bz2.BZ2Decompressor()
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            while piece:
                total += len(decompressor.decompress(piece))
                piece = decompressor.unused_data if decompressor.eof else b""
                decompressor = bz2.BZ2Decompressor() if decompressor.eof else decompressor
    return total


def read_one(r: DumpRange) -> RangeReport:
    reader = read_range(r)
    for _ in reader:
        pass
    return reader.report


def raywiki_1(path: str, range_bytes: int) -> int:
    """raywiki.dumps to tables of pages, every checksum verified, on one process."""
    return check_ranges(map(read_one, split_dump(path, range_bytes))).counts["xml_bytes"]


def raywiki_2(path: str, range_bytes: int) -> int:
    """The same over one file on two processes."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(abs, range(2))  # both are up, and have imported this file
        start = time.perf_counter()
        reports = list(pool.imap_unordered(read_one, split_dump(path, range_bytes)))
        total = check_ranges(reports).counts["xml_bytes"]
        raywiki_2.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        return total


def mwxml_loop(path: str, range_bytes: int) -> int:
    """bz2.open and a plain loop over mwxml's pages and revisions."""
    import mwxml

    del range_bytes
    with bz2.open(path) as file:
        for page in mwxml.Dump.from_file(file):
            for revision in page:
                len(revision.text or "")
        return file.tell()


def indexed_bzip2(path: str, range_bytes: int) -> int:
    """indexed_bzip2 on one thread, nothing done with the XML."""
    import indexed_bzip2 as library

    del range_bytes
    return _drain(library.open(path, parallelization=1))


def rapidgzip(path: str, range_bytes: int) -> int:
    """rapidgzip's bzip2 reader on one thread, nothing done with the XML."""
    import rapidgzip as library

    del range_bytes
    return _drain(library.RapidgzipFile(path, parallelization=1))


def _drain(file) -> int:
    total = 0
    with file:
        while piece := file.read(PIECE_BYTES):
            total += len(piece)
    return total


READERS: list[Callable[[str, int], int]] = [bz2_alone, raywiki_1, raywiki_2, mwxml_loop, indexed_bzip2, rapidgzip]


def measure(name: str, path: str, range_bytes: int) -> dict[str, float]:
    """Run one reader in this process; seconds do not count imports."""
    reader = next(one for one in READERS if one.__name__ == name)
    if name == "raywiki_1":
        import pyarrow  # noqa: F401
    elif name == "mwxml_loop":
        import mwxml  # noqa: F401
    start = time.perf_counter()
    total = reader(path, range_bytes)
    seconds = getattr(reader, "seconds", time.perf_counter() - start)
    whose = resource.RUSAGE_CHILDREN if name == "raywiki_2" else resource.RUSAGE_SELF
    return {"xml_bytes": total, "seconds": seconds, "rss_mb": resource.getrusage(whose).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--range-mb", type=float, help="MiB of the file in a range; by default what split_dump chooses")
    parser.add_argument("--only", nargs="*", help="names of readers", choices=[reader.__name__ for reader in READERS])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size = os.path.getsize(arguments.path)
    whole = split_dump(arguments.path, int(arguments.range_mb * (1 << 20)) if arguments.range_mb else None)
    range_bytes = whole[0].end
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.path, range_bytes)))
        return
    libraries = ("indexed_bzip2", "rapidgzip")
    names = [reader.__name__ for reader in READERS if not arguments.only or reader.__name__ in arguments.only]
    names = [name for name in names if name not in libraries or importlib.util.find_spec(name)]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(arguments.runs):
        for name in names:
            command = [sys.executable, __file__, arguments.path, "--measure", name, "--range-mb", str(range_bytes / (1 << 20))]
            results[name].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    show(results, size, len(whole))


def show(results: dict[str, list[dict[str, float]]], size: int, n_ranges: int) -> None:
    seconds = {name: statistics.median(run["seconds"] for run in runs) for name, runs in results.items()}
    xml = max(run["xml_bytes"] for runs in results.values() for run in runs)
    print(f"{xml / 1e6:.0f} MB of XML in {size / 1e6:.0f} MB, {n_ranges} ranges, {os.cpu_count()} cores")
    print(f"{'reader':<14} {'MB/s':>7} {'of bz2 alone':>13} {'peak MB':>8}  runs (s)")
    for name, runs in results.items():
        ratio = f"{seconds['bz2_alone'] / seconds[name]:.2f}" if "bz2_alone" in seconds else "–"
        every = " ".join(f"{run['seconds']:.2f}" for run in runs)
        rss = max(run["rss_mb"] for run in runs)
        print(f"{name:<14} {xml / 1e6 / seconds[name]:7.1f} {ratio:>13} {rss:8.0f}  {every}")
    if {"raywiki_1", "raywiki_2"} <= results.keys():
        print(f"two processes over one: {seconds['raywiki_1'] / seconds['raywiki_2']:.2f} times as fast as one")


if __name__ == "__main__":
    main()
