"""How long does a dump part take from .bz2 to articles, as a whole command?

    python benchmarks/extract.py PART.bz2 [--runs 3] [--peer 'COMMAND with {dump} and {out}']

Runs `raywiki extract`, Ray's start included, and the peer in turn, each into a fresh folder. Prints wall seconds, the peak
memory of the driver and of the largest Ray worker, the medians, and their ratio. The peer of the result page, from a
checkout of WikiExtractor:

    --peer 'python -m wikiextractor.WikiExtractor --json --no-templates --processes 2 -q -o {out} {dump}'
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", default="")
    parser.add_argument("--peer-cwd", default=".")
    args = parser.parse_args()
    megabytes = xml_megabytes(args.dump)
    dump = str(Path(args.dump).resolve())
    print(f"{megabytes:,.0f} MB of XML, {os.path.getsize(dump) / 1e6:,.0f} MB compressed, {os.cpu_count()} cores", flush=True)
    walls: dict[str, list[float]] = {"raywiki": [], "peer": []}
    for number in range(args.runs):
        ours = [sys.executable, "-m", "raywiki.cli", "extract", "{out}", dump]
        walls["raywiki"].append(timed("raywiki", number, ours, ".", megabytes))
        if args.peer:
            command = [word.replace("{dump}", dump) for word in shlex.split(args.peer)]
            walls["peer"].append(timed("peer", number, command, args.peer_cwd, megabytes))
    medians = {name: statistics.median(times) for name, times in walls.items() if times}
    for name, median in medians.items():
        print(f"{name:8} median {median:7.1f} s  {megabytes / median:6.1f} MB/s")
    if "peer" in medians:
        print(f"raywiki takes {medians['raywiki'] / medians['peer']:.2f} of the peer's wall time")


def timed(name: str, number: int, command: list[str], cwd: str, megabytes: float) -> float:
    """Wall seconds of one run."""
    out = tempfile.mkdtemp(prefix="bench-extract-")
    started, peaks = time.monotonic(), {"driver": 0, "worker": 0}
    child = subprocess.Popen([word.replace("{out}", f"{out}/corpus") for word in command], cwd=cwd, stdout=subprocess.DEVNULL)
    while child.poll() is None:
        look_at_memory(child.pid, peaks)
        time.sleep(0.2)
    wall = time.monotonic() - started
    if child.returncode:
        raise SystemExit(f"{name} failed with exit status {child.returncode}")
    memory = ", ".join(f"{what} {peak / 1e6:,.0f} MB" for what, peak in peaks.items() if peak)
    print(f"{name:8} run {number + 1}: {wall:7.1f} s, {megabytes / wall:6.1f} MB/s; peak memory: {memory}", flush=True)
    shutil.rmtree(out)
    return wall


def look_at_memory(driver: int, peaks: dict[str, int]) -> None:
    """Raise the peaks to the resident memory of the driver and of the largest Ray worker at work now."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            command = (proc / "cmdline").read_bytes()
            what = "driver" if int(proc.name) == driver else "worker" if command.startswith(b"ray::") else ""
            if what:
                resident = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                peaks[what] = max(peaks[what], resident)
        except (OSError, IndexError):
            continue  # it ended while we looked


def xml_megabytes(path: str) -> float:
    size = 0
    with bz2.open(path) as file:
        while data := file.read(1 << 22):
            size += len(data)
    return size / 1e6


if __name__ == "__main__":
    main()
