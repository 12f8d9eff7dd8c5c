"""Leases: one process at a time trains a run in a store, which knows no locks.

    runs/<run>/.lease      a line of JSON: who holds it, where, since when; written again every few seconds

A conditional put decides between those who come at once (`files.create`). What is written again all the time belongs to a
process that lives; what stays the same for `EXPIRES` seconds, by the clock of whoever waits, belongs to none, and neither does
that of a process of this machine which is gone. A process that lost its lease, as one that slept for long has, must ask before
it writes: `Lease.require`.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from raywiki.files import create, put

RENEW = 5.0  # seconds between two signs of life
EXPIRES = 30.0  # seconds without one
SETTLE = 1.0  # seconds after taking over what expired, in which another one who does the same is seen
_PAUSE = 0.5


class Lease:
    """A lease that is held. `lost` is set when another process has it, or it could not be renewed for `EXPIRES` seconds."""

    def __init__(self, fs: AbstractFileSystem, path: str, own: dict[str, Any]) -> None:
        self.fs, self.path, self.own = fs, path, own
        self.lost, self._over, self._renewed = threading.Event(), threading.Event(), time.monotonic()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Raise OSError when the lease was lost: somebody else may be writing."""
        if self.lost.is_set() or time.monotonic() - self._renewed > EXPIRES:
            raise OSError(f"the lease {self.path} was lost, as this process did not renew it for too long: run the same again")

    def release(self) -> None:
        self._over.set()
        self._thread.join()
        if _read(self.fs, self.path).get("token") == self.own["token"]:
            self.fs.rm_file(self.path)

    def _renew(self) -> None:
        while not self._over.wait(RENEW):
            with suppress(Exception):  # a store that does not answer now may do so before the lease expires
                if _read(self.fs, self.path).get("token") != self.own["token"]:
                    self.lost.set()
                    return
                self.own["beat"] += 1
                put(self.path, _line(self.own), self.fs)
                self._renewed = time.monotonic()


@contextmanager
def hold_lease(fs: AbstractFileSystem, path: str, wait: float = 0.0, busy: str = "") -> Iterator[Lease]:
    """Hold a lease while the block runs.

    Args:
        fs, path: of its file.
        wait: seconds to wait for another process; its lease may expire meanwhile.
        busy: the sentence of the ValueError raised after that; who holds the lease is added.
    """
    own = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%F %T"),
        "machine": _machine(),
        "token": uuid.uuid4().hex,
        "beat": 0,
    }
    _acquire(fs, path, own, time.monotonic() + wait, busy)
    lease = Lease(fs, path, own)
    try:
        yield lease
    finally:
        with suppress(Exception):  # else it expires, and the store that fails has been told of
            lease.release()


def lease_holder(fs: AbstractFileSystem, path: str) -> str:
    """Who holds a lease, as "process 12 on host since …"; "" when nobody does, or its process is known to be gone."""
    found = _read(fs, path)
    return "" if not found or _is_gone(found) else _words(found)


def _acquire(fs: AbstractFileSystem, path: str, own: dict[str, Any], deadline: float, busy: str) -> None:
    seen: dict[str, Any] = {}
    since, took_over = time.monotonic(), False
    while True:
        if create(fs, path, _line(own)):
            if not took_over:
                return
            time.sleep(SETTLE)
            if _read(fs, path) == own:
                return
        found = _read(fs, path)
        if found != seen:
            seen, since = found, time.monotonic()
        if found and (_is_gone(found) or time.monotonic() - since > EXPIRES):
            took_over = True
            with suppress(FileNotFoundError):
                fs.rm_file(path)
        elif time.monotonic() >= deadline:
            raise ValueError(f"{busy} (it is {_words(found)})" if found else busy)
        else:
            time.sleep(_PAUSE)


def _read(fs: AbstractFileSystem, path: str) -> dict[str, Any]:
    """What a lease's file says; {} without one, or when it was cut short."""
    try:
        return dict(json.loads(fs.cat_file(path)))
    except (FileNotFoundError, ValueError):
        return {}


def _line(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode() + b"\n"


def _words(found: dict[str, Any]) -> str:
    return f"process {found.get('process')} on {found.get('host')} since {found.get('since')}"


def _is_gone(found: dict[str, Any]) -> bool:
    """Whether the process of a lease was one of this machine, and is no more."""
    if found.get("machine") != _machine() or not isinstance(found.get("process"), int):
        return False
    try:
        os.kill(found["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


@cache
def _machine() -> str:
    """What tells this machine, since it was started, and its set of processes, from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():x}"
