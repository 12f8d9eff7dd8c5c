"""The forgetting matrix: the loss of every part as each segment of a run ended, and its change since it was at its lowest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import polars as pl

from raywiki.corpus import Corpus
from raywiki.intervals import ENOUGH, mean_interval
from raywiki.report.evaluated import difference, find_run, mean_loss, paired, segment_ends
from raywiki.training.runs import Run

SCHEMA = {
    "part": pl.String,
    "segment": pl.Int32,
    "step": pl.Int64,
    "windows": pl.Int64,
    "loss": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "lowest": pl.Int32,
    "change": pl.Float64,
    "change_low": pl.Float64,
    "change_high": pl.Float64,
    "note": pl.String,
}


def forgetting(corpus: str | os.PathLike[str] | Corpus, run: str) -> pl.DataFrame:
    """The validation loss of every part as each segment of a run ended, and its change since its lowest earlier one.

    A change above 0 was forgotten, one below 0 learned. (Of accuracies, Chaudhry et al., arXiv 1801.10112, call that difference
    the forgetting of a task.) Intervals are of 95 %, see `raywiki.intervals`: those of changes pair the windows, and are much
    narrower than those of losses.

    Returns:
        A row for each segment and each part that the run knows: `part`, `segment` (from 0, as in `rw.scan_evals`), `step` (the
        segment's last), `windows`, `loss` (nats a token) from `low` to `high`, `lowest` (the earlier segment that ended with
        the lowest loss), `change` since then, from `change_low` to `change_high`, and `note`, which says why something of it is
        null; null where nothing is.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such run, it is not in a folder, or nothing was stored of its evaluations.

    >>> forgotten = "forgetting(corpus, 'r1').filter(pl.col('change_low') > 0)"
    """
    corpus = Corpus.open(corpus).require()
    found = find_run(corpus, run)
    ends = segment_ends(corpus, found).partition_by("part", as_dict=True)
    none = pl.DataFrame(schema={"segment": pl.Int32, "n_targets": pl.Int32})
    parts = dict.fromkeys(name for segment in found.segments for name in segment.known)
    rows = [row for part in parts for row in _part_rows(found, part, ends.get((part,), none))]
    return pl.DataFrame(rows, schema=SCHEMA)


def _part_rows(run: Run, part: str, windows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """One row for each segment; `windows` are all that the part has, see `segment_ends`."""
    earlier: list[tuple[int, pl.DataFrame]] = []
    for number, segment in enumerate(run.segments):
        own = windows.filter(pl.col("segment") == number)
        row: dict[str, Any] = {"part": part, "segment": number, "step": segment.end_step, "windows": own.height}
        if not own.height:
            yield {**row, "note": _why_no_loss(part in segment.known, bool(windows.height))}
            continue
        row["loss"] = mean_loss(own)
        row["low"], row["high"] = mean_interval(own["loss"], own["n_targets"]) or (None, None)
        same = [(at, each) for at, each in earlier if each["digest"][0] == own["digest"][0]]
        if same:
            row["lowest"], lowest = min(same, key=lambda pair: mean_loss(pair[1]) or 0.0)
            row["change"], interval = difference(paired(lowest, own))
            row["change_low"], row["change_high"] = interval or (None, None)
        earlier.append((number, own))
        yield {**row, "note": _note(own.height, bool(same), len(earlier) > 1)}


def _why_no_loss(is_known: bool, has_windows: bool) -> str:
    if not is_known:
        return "not learned from yet"
    return "not evaluated as the segment ended" if has_windows else "no validation text was evaluated"


def _note(windows: int, has_earlier: bool, had_others: bool) -> str | None:
    too_few = "one window has no interval" if windows == 1 else "few windows: the interval is too narrow"
    few = too_few if windows < ENOUGH else ""
    first = "" if has_earlier else "the first with these tokens" if had_others else "the first one"
    return "; ".join(filter(None, (first, few))) or None
