"""Lock files: one process at a time makes a cache or trains a run. The system drops a lock when its process dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.1


@contextmanager
def hold_lock(path: Path, wait: float | None = None, busy: str = "") -> Iterator[None]:
    """Hold the lock while the block runs. Where the platform or the file system knows no locks, just run it.

    Args:
        path: lock file; made when missing, with its folder, and left there.
        wait: seconds to wait for another process; for ever when None.
        busy: the sentence of the ValueError raised after that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        deadline = None if wait is None else time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline is not None and time.monotonic() >= deadline:
                    raise ValueError(busy) from None
                time.sleep(_PAUSE)
            except OSError:
                break
        yield
