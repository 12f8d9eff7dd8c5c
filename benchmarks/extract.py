"""How long does a dump part take from .bz2 to articles, as a whole command?

    python benchmarks/extract.py PART.bz2 [--runs 3] [--peer "NAME=COMMAND with {dump} and {out}" …] [--peer-dump NAME=SMALL]

Runs `raywiki extract`, Ray's start included, and each peer in turn, each into a fresh folder. Prints wall seconds, the peak
memory of the driver and of the largest Ray worker, the medians, and ratios of seconds per MB of XML. A peer that would take
hours gets a smaller part by `--peer-dump`. From a checkout of WikiExtractor (`--peer-cwd`):

    --peer 'wikiextractor=python -m wikiextractor.WikiExtractor --json --no-templates --processes 2 -q -o {out} {dump}'
"""

from __future__ import annotations

import argparse
import bz2
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peak_memory import wait_and_watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--peer-dump", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--peer-cwd", default=".")
    args = parser.parse_args()
    commands = {"raywiki": f"{sys.executable} -m raywiki.cli extract {{out}} {{dump}}"}
    commands |= dict(peer.split("=", 1) for peer in args.peer)
    dumps = dict.fromkeys(commands, args.dump) | dict(peer.split("=", 1) for peer in args.peer_dump)
    megabytes = {path: xml_megabytes(path) for path in set(dumps.values())}
    for path, size in megabytes.items():
        print(f"{path}: {size:,.0f} MB of XML, {os.path.getsize(path) / 1e6:,.0f} MB compressed; {os.cpu_count()} cores")
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(args.runs):
        for name, command in commands.items():
            dump = dumps[name]
            words = [word.replace("{dump}", str(Path(dump).resolve())) for word in shlex.split(command)]
            cwd = "." if name == "raywiki" else args.peer_cwd
            walls[name].append(timed(name, number, words, cwd, megabytes[dump]))
    ours = statistics.median(walls["raywiki"]) / megabytes[args.dump]
    for name, times in walls.items():
        median, size = statistics.median(times), megabytes[dumps[name]]
        ratio = f"raywiki takes {ours / (median / size):.3f} of its time per MB" if name != "raywiki" else ""
        print(f"{name:14} median {median:7.1f} s  {size / median:6.1f} MB/s  {ratio}")


def timed(name: str, number: int, command: list[str], cwd: str, megabytes: float) -> float:
    """Wall seconds of one run."""
    out = tempfile.mkdtemp(prefix="bench-extract-")
    started = time.monotonic()
    child = subprocess.Popen([word.replace("{out}", f"{out}/corpus") for word in command], cwd=cwd, stdout=subprocess.DEVNULL)
    peaks = wait_and_watch(child)
    wall = time.monotonic() - started
    if child.returncode:
        raise SystemExit(f"{name} failed with exit status {child.returncode}")
    memory = ", ".join(f"{what} {peak / 1e6:,.0f} MB" for what, peak in peaks.items() if peak)
    print(f"{name:14} run {number + 1}: {wall:7.1f} s, {megabytes / wall:6.1f} MB/s; peak memory: {memory}", flush=True)
    shutil.rmtree(out)
    return wall


def xml_megabytes(path: str) -> float:
    size = 0
    with bz2.open(path) as file:
        while data := file.read(1 << 22):
            size += len(data)
    return size / 1e6


if __name__ == "__main__":
    main()
