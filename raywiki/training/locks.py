"""Lock files: one process at a time makes a cache or trains a run. The system drops a lock when its process dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

_PAUSE = 0.1


@contextmanager
def hold_lock(path: Path, wait: float | None = None, busy: str = "") -> Iterator[str]:
    """Hold the lock while the block runs; "", or a sentence where there are no locks.

    Where the file system knows no locks, a lease stands in: a file that is there while the lock is held, and that names
    the process. That of a process which was killed on another machine must be removed by hand.

    Args:
        path: lock file; made when missing, with its folder, and left there.
        wait: seconds to wait for another process; for ever when None.
        busy: the sentence of the ValueError raised after that; who holds the lock is added where it is known.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    timeout = -1 if wait is None else wait
    try:
        lock, remark = _acquire(path, timeout)
    except Timeout:
        holder = lock_holder(path)
        raise ValueError(f"{busy} (it is {holder})" if holder else busy) from None
    try:
        yield remark
    finally:
        lock.release()


def _acquire(path: Path, timeout: float) -> tuple[BaseFileLock, str]:
    lock: BaseFileLock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=timeout, poll_interval=_PAUSE)
    except Timeout:
        raise
    except (NotImplementedError, OSError) as error:
        lease = path.with_name(path.name + ".lease")
        lock = SoftFileLock(lease, thread_local=False)
        lock.acquire(timeout=timeout, poll_interval=_PAUSE)
        return lock, f"{path} cannot be locked here ({error}): {lease} stands in for a lock, and must be removed after a crash"
    with suppress(OSError):  # for whoever finds it held
        path.write_text(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%F %T')}\n")
    return lock, ""


def held_by(path: Path) -> str:
    """Who holds a lock now, as "process 12 on host since …"; "" when nobody does, or nobody can tell. Takes no lock itself."""
    lease = path.with_name(path.name + ".lease")
    if lease.exists():
        return f"whoever made {lease}"
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return lock_holder(path) or "another process"
    except OSError:
        pass
    return ""


def lock_holder(path: Path) -> str:
    """Who wrote the lock file: "process 12 on host since …"; "" when that is not known."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
