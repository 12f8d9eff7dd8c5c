"""A Ray cluster of several nodes on this machine: each node is a `ray start` of its own, with a working folder of its own.

`/proc/self/cwd` is that folder, another one on each node: a path below it is of one node's disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import free_ports, kill_all
from ray.util import get_node_ip_address

RAY = str(Path(sys.executable).with_name("ray"))
NODE = [f"--object-store-memory={200 << 20}", "--disable-usage-stats", "--block"]


class Nodes:
    """Started nodes by name, the first of them the head. `environment` is what a process needs to reach them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))  # short: Ray's socket paths have a limit
        self.address = f"{get_node_ip_address()}:{free_ports(1)[0]}"  # of a node on 127.0.0.1 Ray makes two addresses
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)}
        self.environment = {**token, "RAY_ADDRESS": self.address, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def add(self, name: str, cpus: int = 1, **environment: str) -> None:
        """Start a node and wait for it; again when it does not come up in half a minute, all that Ray gives it."""
        for attempt in range(3):
            self._start(name, f"{name}{attempt or ''}", cpus, environment)
            if self._is_up(name, f"{name}{attempt or ''}"):
                return
            self.kill(name)
        raise AssertionError(f"{name} did not start: {(self.folder / f'{name}2' / 'ray.log').read_text()}")

    def _start(self, name: str, place: str, cpus: int, environment: dict[str, str]) -> None:
        port = ["--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        command = [RAY, "start", *NODE, f"--num-cpus={cpus}", "--dashboard-agent-listen-port=0"]
        command += [f"--address={self.address}"] if self.started else port
        folder = self.folder / place
        folder.mkdir()
        clean = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
        ours = {key: value for key, value in self.environment.items() if key != "RAY_ADDRESS"}
        with open(folder / "ray.log", "wb") as log:
            self.started[name] = subprocess.Popen(
                command, cwd=folder, env={**clean, **ours, **environment}, stdout=log, stderr=log, start_new_session=True
            )

    def _is_up(self, name: str, place: str) -> bool:
        """Wait until a node runs; False when it ended."""
        while "Ray runtime started" not in (self.folder / place / "ray.log").read_text():
            if self.started[name].poll() is not None:
                return False
            time.sleep(0.05)
        return True

    def tasks(self, name: str, word: str) -> list[int]:
        """Processes of a node that are in a task whose name has the word."""
        return [pid for pid in descendants(self.started[name].pid) if word in title(pid) and title(pid).startswith("ray::")]

    def kill(self, name: str) -> None:
        """The machine falls silent: all of a node's processes at once."""
        for pid in [self.started[name].pid, *descendants(self.started[name].pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.started[name].wait()

    def stop(self) -> None:
        for name in self.started:
            self.kill(name)
        kill_all(str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """All processes below one, the nearest first."""
    above: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            above.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
        except OSError:
            continue  # it ended meanwhile
    found = [pid]
    for each in found:
        found += above.get(each, [])
    return found[1:]


def title(pid: int) -> str:
    """A process's command line, which Ray's workers replace by what they do."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""
