"""Waiting for a command while its memory is watched; for the benchmarks beside this file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

LOOK_EVERY = 1.0  # seconds; a look takes 40 ms: more of them would slow down what is measured
_FIELDS = re.compile(r"^(PPid|VmHWM):\s*(\d+)", re.M)


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
