"""Progress of long work on standard error: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

LINE_EVERY = 10.0  # seconds


class Progress:
    """Context that counts towards a total and shows speed and time left.

    >>> import io, contextlib
    >>> with contextlib.redirect_stderr(io.StringIO()) as shown, Progress("extract", 20, "MB") as progress:
    ...     progress.advance(20, {"articles": 30})
    >>> shown.getvalue().startswith("extract: 20 of 20 MB")
    True
    """

    def __init__(self, title: str, total: float, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done, self.skipped, self.figures, self.note = 0.0, 0.0, dict[str, int](), ""
        self.started = self.shown = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.total or None, figures="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
        elif kind is None and self.done > self.skipped:
            self._line()

    def skip(self, amount: float) -> None:
        """Count what was done before: it says nothing about the speed."""
        self.done = self.skipped = amount

    def advance(self, amount: float, figures: Mapping[str, int] | None = None, note: str = "") -> None:
        """Count `amount` more of the total, and add to the other figures shown beside it; `note` is shown as it is."""
        self.done, self.note = self.done + amount, note or self.note
        for name, value in (figures or {}).items():
            self.figures[name] = self.figures.get(name, 0) + value
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, figures=self._figures())
        elif time.monotonic() - self.shown >= LINE_EVERY:
            self._line()

    def _line(self) -> None:
        self.shown = time.monotonic()
        print(f"{self.title}: {self._figures()}", file=sys.stderr, flush=True)

    def _figures(self) -> str:
        speed = (self.done - self.skipped) / max(time.monotonic() - self.started, 1e-3)
        digits = 1 if self.total < 100 and self.total % 1 else 0
        shown = [
            f"{self.done:,.{digits}f} of {self.total:,.{digits}f} {self.unit}",
            f"{speed:,.{1 if speed >= 1 else 2}f} {self.unit}/s",
        ]
        shown += [f"{value:,} {name}" for name, value in self.figures.items()]
        shown += [self.note] if self.note else []
        if self.done < self.total and speed > 0:
            minutes, seconds = divmod(int((self.total - self.done) / speed), 60)
            shown.append(f"{minutes}:{seconds:02d} left")
        return ", ".join(shown)
