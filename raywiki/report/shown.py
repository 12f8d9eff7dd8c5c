"""Rows of numbers as tables of a page: what stands in each cell, with units in the heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Format = Callable[[Any], str]
Column = tuple[str, str, Format | None]  # key of the row, head, how its numbers are written; None: a column of words

DASH = "–"


@dataclass(frozen=True)
class ShownTable:
    """A table as it is shown: its cells are text, and a column of numbers `is_number`."""

    caption: str
    heads: tuple[str, ...]
    is_number: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def shown_table(
    caption: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], dash: str = "", notes: Iterable[str] = ()
) -> ShownTable:
    """A table of these columns.

    Args:
        caption: what it shows, with units.
        rows: a dict for each; None is shown as a dash.
        columns: in their order; those that no row has are left out.
        dash: what a dash means, told below a table that has one.
        notes: what else is told there.

    >>> shown_table("Sizes", [{"part": "p1", "pages": 1200}], [("part", "part", None), ("pages", "pages", count)]).rows
    (('p1', '1,200'),)
    """
    rows = list(rows)
    columns = [column for column in columns if any(column[0] in row for row in rows)]
    cells = tuple(tuple(_cell(row.get(key), form) for key, _, form in columns) for row in rows)
    said = [f"{DASH} {dash}"] if dash and any(DASH in row for row in cells) else []
    heads, numeric = tuple(head for _, head, _ in columns), tuple(form is not None for *_, form in columns)
    return ShownTable(caption, heads, numeric, cells, (*said, *notes))


def count(value: float) -> str:
    return f"{value:,}"


def loss(value: float) -> str:
    return f"{value:.3f}"


def change(value: float) -> str:
    return f"{value:+.3f}"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def significant(value: float) -> str:
    """Three digits of a number, and all before its point.

    >>> significant(12345.6), significant(1.23456), significant(0.00123), significant(0)
    ('12,346', '1.23', '0.00123', '0')
    """
    if not value:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    return f"{value:,.{digits}f}"


def size_unit(largest: float) -> tuple[str, Format]:
    """The unit in which bytes up to this are written, and how.

    >>> unit, form = size_unit(4_200_000)
    >>> unit, form(4_200_000), form(5_000)
    ('MB', '4.20', '0.00500')
    """
    name, factor = next(((name, factor) for name, factor in _SIZES if largest >= factor), ("bytes", 1))
    return name, lambda value: significant(value / factor) if factor > 1 else count(value)


def time_unit(largest: float) -> tuple[str, Format]:
    """The unit in which seconds up to this are written, and how: seconds below two minutes, minutes below two hours.

    >>> unit, form = time_unit(7200)
    >>> unit, form(5400)
    ('hours', '1.50')
    """
    name, factor = next(((name, factor) for name, factor in _TIMES if largest >= 2 * factor), ("seconds", 1))
    return name, lambda value: significant(value / factor)


def largest_of(rows: Iterable[Mapping[str, Any]]) -> float:
    """The largest number of these rows, 0 without one."""
    return max((value for row in rows for value in row.values() if isinstance(value, int | float)), default=0)


def matrix_table(rows: Sequence[Mapping[str, Any]], caption: str, notes: Iterable[str] = ()) -> ShownTable:
    """The forgetting matrix (see `rw.forgetting`): a row for each part, a column for each segment.

    A cell has the loss with its interval, and below it the change with its own: marked ▲ where the part was forgotten by more
    than the noise, ▼ where it was learned by more than that. Or it says why there is no loss.
    """
    segments = sorted({(row["segment"], row["step"]) for row in rows})
    found = {(row["part"], row["segment"]): row for row in rows}
    parts = dict.fromkeys(row["part"] for row in rows)
    heads = tuple(f"segment {number + 1}, step {step:,}" for number, step in segments)
    cells = tuple((part, *(_matrix_cell(found[part, number]) for number, _ in segments)) for part in parts)
    return ShownTable(caption, ("part", *heads), (False, *(True for _ in heads)), cells, tuple(notes))


def interval(low: float | None, high: float | None, form: Format) -> str:
    """An interval in brackets, or nothing where there is none.

    >>> interval(1.0, 2.0, loss), interval(None, None, loss)
    (' (1.000 to 2.000)', '')
    """
    return f" ({form(low)} to {form(high)})" if low is not None and high is not None else ""


def _matrix_cell(row: Mapping[str, Any]) -> str:
    if row["loss"] is None:
        return str(row["note"])
    lines = [loss(row["loss"]) + interval(row["low"], row["high"], loss)]
    if row["change"] is not None:
        mark = "▲ " if (row["change_low"] or 0) > 0 else "▼ " if (row["change_high"] or 0) < 0 else ""
        lines.append(mark + change(row["change"]) + interval(row["change_low"], row["change_high"], change))
    return "\n".join(lines)


def _cell(value: Any, form: Format | None) -> str:
    if value is None:
        return DASH
    return str(value) if form is None or isinstance(value, str) else form(value)


_SIZES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_TIMES = (("hours", 3600), ("minutes", 60))
