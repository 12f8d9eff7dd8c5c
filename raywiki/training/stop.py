"""Being asked to stop: SIGTERM, SIGINT, a STOP file in the run's folder, or a function of the caller's."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def stop_requests(
    file: Path, since: float | None = None, also: Callable[[], bool] | None = None
) -> Iterator[Callable[[], bool]]:
    """A function that tells whether somebody asked to stop.

    A STOP file that is older than `since` (a time as the file's own file system tells it) was meant for an earlier call
    and is removed. None: whatever lies there now is old.

    Signals are caught while the block runs, where Python allows it (in the main thread); a second signal has its usual
    effect. Whoever honours a STOP file removes it.
    """
    asked = threading.Event()
    usual: dict[int, Any] = {}

    def ask(number: int, _: Any) -> None:
        asked.set()
        signal.signal(number, usual[number])

    def is_asked() -> bool:
        return asked.is_set() or file.exists() or (also is not None and also())

    if since is None or _modified(file) < since:
        file.unlink(missing_ok=True)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            usual[number] = signal.getsignal(number)
            signal.signal(number, ask)
    try:
        yield is_asked
    finally:
        for caught, handler in usual.items():
            signal.signal(caught, handler)


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return math.inf
