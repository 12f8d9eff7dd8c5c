"""metrics.jsonl: one JSON object a line, one line a step of a segment, in order; what a curve is plotted from.

The line of step n tells how things stood after n optimiser steps: `step`, `segment`, `tokens` (read so far), `train_loss`
(of the step's own batch, null where a run or a branch begins), `val_loss` (by part, in nats a token; null for a part without
validation text; the key is absent where nothing was evaluated), `val_bpb` (the same in bits per byte; absent where that is not
known), `lr`, `grad_norm`, `tok_per_sec` (null for a step that compiled the model), `mfu` (share of the device's own matrix
products; null where those were not measured), `seconds` (since the call began). Lines are in the order of (segment, step). A
segment that goes on from before the decay of the one before gives numbers of steps again, from its start on: what led to the
newest weights are the lines with no smaller step behind them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from raywiki.files import put

Metrics = dict[str, Any]


def read_metrics(path: str | os.PathLike[str]) -> list[Metrics]:
    """The lines of a metrics.jsonl, without a last one that was cut short; empty when there is no file."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines[:-1] if line]  # what follows the last newline was not finished


def step_rates(path: str | os.PathLike[str]) -> list[float]:
    """Tokens a second of each step in a metrics.jsonl that has a speed."""
    return [line["tok_per_sec"] for line in read_metrics(path) if line.get("tok_per_sec")]


def leading_to_last(lines: list[Metrics]) -> list[Metrics]:
    """Those lines that are on the way to the last one: without the decays that were left aside.

    >>> [line["loss"] for line in leading_to_last([{"step": 1, "loss": 3}, {"step": 2, "loss": 2}, {"step": 1, "loss": 4}])]
    [4]
    """
    way: list[Metrics] = []
    for line in reversed(lines):
        if not way or line["step"] < way[-1]["step"]:
            way.append(line)
    return way[::-1]


def append_metrics(path: Path, *lines: Metrics, durable: bool = False) -> None:
    """Add lines; with `durable`, they survive a power failure."""
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(map(_line, lines)))
        if durable:
            file.flush()
            os.fsync(file.fileno())


def rewind_metrics(path: Path, segment: int, step: int) -> Metrics | None:
    """Drop the lines behind this step of the segment, which will be done again; the step's own line, or None without one."""
    lines = read_metrics(path)
    kept = [line for line in lines if (line["segment"], line["step"]) <= (segment, step)]
    if path.exists():
        _write(path, kept)
    return kept[-1] if kept and kept[-1]["step"] == step else None


def replace_last_metrics(path: Path, metrics: Metrics) -> None:
    """Put this line in the place of the last one if that is of the same step, else behind it."""
    lines = read_metrics(path)
    if lines and lines[-1]["step"] == metrics["step"]:
        lines.pop()
    _write(path, [*lines, metrics])


def _write(path: Path, lines: list[Metrics]) -> None:
    put(path, "".join(_line(line) for line in lines))


def _line(metrics: Metrics) -> str:
    return json.dumps(metrics, ensure_ascii=False, allow_nan=False) + "\n"
