"""What every command does around a verb: print what it returns, make one sentence of an error, and leave with a status.

Exit status 0: done; 1: failed, with one sentence on standard error; 3: stopped before the end, what was done is saved; 130
and 143: ended by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import json as _json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


def run_verb(action: Callable[[], Any], json: bool, debug: bool) -> int:
    """Run a verb, print what it returns, if anything, and return the exit status; an error becomes one sentence."""
    try:
        with _sigterm_leaves():
            result = action()
    except KeyboardInterrupt:
        _leave("interrupted", 128 + signal.SIGINT)
    except Exception as error:
        if debug:
            raise
        from raywiki.files import store_error  # not before a command runs: fsspec takes a while

        error = store_error(error) or error
        sentence = " ".join(str(error).split())
        if not isinstance(error, ValueError | OSError):  # not a mistake of the user's: say so
            sentence = f"{type(error).__name__}: {sentence} (unexpected; --debug shows where)"
        print(f"raywiki: {sentence}", file=sys.stderr)
        return 1
    if result is not None:
        print(_json.dumps(result.to_dict(), ensure_ascii=False) if json else result)
    return getattr(result, "exit_status", 0)


@contextmanager
def _sigterm_leaves() -> Iterator[None]:
    """While open, SIGTERM leaves as Ctrl-C does, so that Ray's processes are not left behind."""

    def leave(number: int, frame: object) -> None:
        _leave("terminated", 128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(what: str, status: int) -> NoReturn:
    """Say it once and leave, deaf to an impatient second Ctrl-C: while Ray stops, it would print a traceback."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(f"raywiki: {what}; run the same command again to go on", file=sys.stderr)
    raise SystemExit(status)
