"""Runs beside each other, for the report: of each two that can be compared, who won and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from raywiki.corpus import Corpus
from raywiki.report.compare import CompareSummary, compare
from raywiki.report.shown import Column, ShownTable, change, count, loss, shown_table
from raywiki.training.runs import Run

MOST = 6  # pairs that are shown: all of four runs


@dataclass(frozen=True)
class Pair:
    """Two runs as `compare` finds them: a sentence, and the table behind it."""

    names: tuple[str, str]
    sentence: str
    table: ShownTable


def pairs(corpus: Corpus, runs: Sequence[Run]) -> tuple[list[Pair], list[str]]:
    """The pairs of runs with validation windows in common, `MOST` at most, and a note for each that is not among them."""
    found, notes = list[Pair](), list[str]()
    for one, other in combinations((run.name for run in runs), 2):
        if len(found) == MOST:
            notes.append(f"only {MOST} pairs of runs are compared here: `raywiki compare` takes any two")
            break
        try:
            found.append(_pair(compare(corpus, one, other)))
        except ValueError as error:
            notes.append(f"runs {one} and {other} are not compared: {error}")
    return found, notes


def _pair(summary: CompareSummary) -> Pair:
    first, second = (row["run"] for row in summary.runs)
    columns: list[Column] = [("part", "part", None), ("windows", "windows", count), ("first", f"run {first}", loss)]
    columns += [("second", f"run {second}", loss), ("difference", "difference", change), ("low", "from", change)]
    rows = [*summary.parts, summary.total] if len(summary.parts) > 1 else summary.parts
    tokens = " and ".join(f"{row['tokens']:,}" for row in summary.runs)
    caption = f"Runs {first} and {second} at the ends of their last segments, after {tokens} tokens: validation loss in nats a "
    caption += "token, the difference of the second, and its paired 95 % interval."
    shown = shown_table(caption, rows, [*columns, ("high", "to", change)], "too few windows for an interval", summary.notes)
    return Pair((first, second), f"Of runs {first} and {second}: {summary.verdict}.", shown)
