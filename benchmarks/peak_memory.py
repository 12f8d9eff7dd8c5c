"""Running a command while its memory is watched; for the benchmarks beside this file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

LOOK_EVERY = 1.0  # seconds; a look takes 40 ms: more of them would slow down what is measured
_FIELDS = re.compile(r"^(PPid|VmHWM):\s*(\d+)", re.M)


def run_watched(command: list[str]) -> dict[str, Any]:
    """The JSON object that a command prints last, its wall seconds, and the peak memory of it and of its largest Ray worker."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        peaks = wait_and_watch(child)
        wall = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        if child.returncode:
            raise SystemExit(err.read())
        return {**json.loads(out.read().splitlines()[-1]), "wall": wall, **peaks}


def memory(result: dict[str, Any]) -> str:
    return f"peak memory: driver {result['driver'] / 1e9:.2f} GB, largest worker {result['worker'] / 1e9:.2f} GB"


def wait_and_watch(child: subprocess.Popen) -> dict[str, int]:
    """Wait for a process to end; the peak resident bytes of it (`driver`) and of its largest Ray worker (`worker`).

    Ray workers that do not descend from it, those of another Ray on the machine, do not count.
    """
    peaks = {"driver": 0, "worker": 0}
    while True:
        try:
            child.wait(LOOK_EVERY)
            return peaks
        except subprocess.TimeoutExpired:
            _look(child.pid, peaks)


def _look(driver: int, peaks: dict[str, int]) -> None:
    found: dict[int, tuple[int, int, bool]] = {}
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            fields = dict(_FIELDS.findall((proc / "status").read_text()))
            is_worker = (proc / "cmdline").read_bytes().startswith(b"ray::")
        except OSError:
            continue  # it ended while we looked
        found[int(proc.name)] = int(fields["PPid"]), 1024 * int(fields.get("VmHWM", 0)), is_worker
    for pid, (above, peak, is_worker) in found.items():
        while is_worker and above != driver and above in found:
            above = found[above][0]
        if pid == driver or (is_worker and above == driver):
            what = "driver" if pid == driver else "worker"
            peaks[what] = max(peaks[what], peak)
