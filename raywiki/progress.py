"""Progress of long work on standard error: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

LINE_EVERY = 10.0  # seconds
BAR_WIDTH = 20  # columns
TITLE_WIDTH = 30

_open: list[Callable[[str], None]] = []  # who hears what is waited for, the innermost last
_counters: list[Callable[[str, str, float, float], None]] = []  # who is told of each advance


def say(text: str) -> None:
    """Show beside the innermost open bar what is waited for, until it advances; nothing where there is none.

    Whoever starts something slow need not know for whom.
    """
    if _open:
        _open[-1](text)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """While open, `listener` is called with what is said: in a process whose bar is another process's."""
    _open.append(listener)
    try:
        yield
    finally:
        _open.remove(listener)


@contextmanager
def counted_by(counter: Callable[[str, str, float, float], None]) -> Iterator[None]:
    """While open, `counter` is told of each advance of any progress: its title, what is counted, how much is done, of how much.

    Of a figure beside it, whose end nobody knows, the total is 0.

    >>> with counted_by(print), Progress("extract", 20, "MB") as progress:
    ...     progress.advance(5, {"articles": 30})
    extract MB 5.0 20
    extract articles 30 0
    """
    _counters.append(counter)
    try:
        yield
    finally:
        _counters.remove(counter)


class Progress:
    """Context that counts towards a total and shows speed and time left.

    With `slow_start`, all before the first advance is preparation: it says nothing about the speed, which is counted from that
    advance on, and where there is no terminal each thing that is waited for until then is a line.

    >>> import io, contextlib
    >>> with contextlib.redirect_stderr(io.StringIO()) as shown, Progress("extract", 20, "MB") as progress:
    ...     progress.advance(20, {"articles": 30})
    >>> shown.getvalue().startswith("extract: 20 of 20 MB")
    True
    """

    def __init__(self, title: str, total: float, unit: str, slow_start: bool = False) -> None:
        self.title, self.total, self.unit, self.slow_start = title, total, unit, slow_start
        self.done, self.skipped, self.figures, self.note = 0.0, 0.0, dict[str, int](), ""
        self.counted_from = 0.0  # what was done when the clock was started
        self.said = ""
        self.started = self.shown = time.monotonic()
        self.printed: float | None = None  # what was done when the last line was printed
        self.bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and (bar := _bar()) is not None:
            self.bar = bar
            self.bar.start()
            self.task = self.bar.add_task(_shorten(self.title), total=self.total or None, figures="…")
        _open.append(self.say)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _open.remove(self.say)
        if self.bar is not None:
            self.bar.stop()
        elif kind is None and self.done > self.skipped and self.done != self.printed:
            self._line()

    def skip(self, amount: float) -> None:
        """Count what was done before: it says nothing about the speed."""
        self.done = self.skipped = self.counted_from = amount

    def say(self, text: str) -> None:
        """Show what is waited for until the next advance. What was waited for at the start says nothing about the speed."""
        if self.done == self.skipped:
            self.started = time.monotonic()
        if self.bar is not None:
            room = max(1, self._room())
            self.bar.update(self.task, figures=text if len(text) <= room else text[: room - 1] + "…")
        elif self.slow_start and self.done == self.skipped and text != self.said:
            print(f"{self.title}: {text}", file=sys.stderr, flush=True)
        self.said = text

    def advance(self, amount: float, figures: Mapping[str, int] | None = None, note: str = "") -> None:
        """Count `amount` more of the total, and add to the other figures shown beside it; `note` is shown as it is."""
        is_first = self.done == self.skipped
        self.done, self.note = self.done + amount, note or self.note
        if is_first and self.slow_start:
            self.started, self.counted_from = time.monotonic(), self.done
        for name, value in (figures or {}).items():
            self.figures[name] = self.figures.get(name, 0) + value
        for tell in _counters:
            tell(self.title, self.unit, self.done, self.total)
            for name in figures or {}:
                tell(self.title, name, self.figures[name], 0)
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, figures=_as_many(self._figures(), self._room()))
        elif time.monotonic() - self.shown >= LINE_EVERY:
            self._line()

    def _room(self) -> int:
        """Columns of a terminal's line beside title and bar."""
        return self.bar.console.width - len(_shorten(self.title)) - BAR_WIDTH - 2

    def _line(self) -> None:
        self.shown, self.printed = time.monotonic(), self.done
        print(f"{self.title}: {', '.join(self._figures())}", file=sys.stderr, flush=True)

    def _figures(self) -> list[str]:
        """What is shown, the most wanted first."""
        counted = self.done - self.counted_from
        speed = counted / max(time.monotonic() - self.started, 1e-3)
        digits = 1 if self.total < 100 and self.total % 1 else 0
        shown = [f"{self.done:,.{digits}f} of {self.total:,.{digits}f} {self.unit}"]
        if self.total - self.done > 1e-6 * self.total and speed > 0:  # a sum of floats may stay a little below
            minutes, seconds = divmod(int((self.total - self.done) / speed), 60)
            shown.append(f"{minutes}:{seconds:02d} left")
        shown += [self.note] if self.note else []
        if counted or not self.slow_start:
            shown.append(f"{speed:,.{(speed < 100) + (speed < 1)}f} {self.unit.split(' of ')[0]}/s")
        return shown + [f"{value:,} {name}" for name, value in self.figures.items()]


def _as_many(figures: list[str], room: int) -> str:
    """The first figures, as many as the columns have room for.

    >>> _as_many(["3 of 20 MB", "0:12 left", "30 articles"], 22)
    '3 of 20 MB, 0:12 left'
    """
    while len(figures) > 1 and len(", ".join(figures)) > room:
        figures = figures[:-1]
    return ", ".join(figures)


def _bar() -> Any:
    """A bar of rich's; None on a machine without it, where lines must do."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar
    except ImportError:
        return None
    title, figures = TextColumn("{task.description}"), TextColumn("{task.fields[figures]}")
    return Bar(title, BarColumn(BAR_WIDTH), figures, console=Console(stderr=True), transient=True)


def _shorten(title: str) -> str:
    """A title of at most 30 columns: its start is the verb, its end tells one part from another.

    >>> _shorten("extract enwiki-20251101-p1p41242-and-more")
    'extract en…1-p1p41242-and-more'
    """
    return title if len(title) <= TITLE_WIDTH else f"{title[:10]}…{title[10 - TITLE_WIDTH + 1 :]}"
