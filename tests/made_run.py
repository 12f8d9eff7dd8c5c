"""A run as its folder has it after training, written down without training: segments, metrics, and losses of windows.

Windows have 16 targets of 20 bytes each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from raywiki.training.evals import WINDOWS, add_evals
from raywiki.training.metrics import append_metrics
from raywiki.training.order import PartTokens, Segment
from raywiki.training.runs import EVALS, METRICS, Run, RunConfig, write_run

TARGETS, BATCH = 16, 64
Losses = Mapping[str, np.ndarray]  # of each part, those of its windows in nats a target


@dataclass(frozen=True)
class Stretch:
    """A segment to write down: its last step, the losses as it ended, and as it began of parts that are new.

    `between` has the mean loss of each part at steps in its midst. `end` is None for a segment that did not come to it.
    """

    steps: int
    end: Losses | None
    start: int = 0
    begin: Losses = field(default_factory=dict)
    between: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    parts: Sequence[str] | None = None
    tok_per_sec: float | None = 64.0  # a second for each step


def write(folder: Path, stretches: Sequence[Stretch], digests: Mapping[str, str] | None = None, **config: Any) -> Run:
    """The run in a folder, made of these segments."""
    shape = dict(size="nano", recipe="classic", encoding="bytes", vocabulary="ab" * 32, vocab_size=257, seq_len=TARGETS)
    shape |= dict(n_layer=1, n_head=2, n_embd=16, dropout=0.0, seed=0)
    segments = []
    for each in stretches:
        names = each.parts or list(each.end or each.begin)
        parts = [PartTokens(name, (digests or {}).get(name, name * 64)[:64], 5000, 500, 1) for name in names]
        own = Segment(each.start, each.steps, TARGETS, BATCH, 0, "wsd", 1e-3, 1, tuple(parts))
        segments.append(own)
    run = Run(folder, RunConfig(**{**shape, **config}), tuple(segments))
    write_run(run)
    for index, each in enumerate(stretches):
        _write_segment(run, index, each)
    return run


def change(run: Run, segment: int, **fields: Any) -> None:
    """Write a segment as if it had been another one: cut short, or over a part with other tokens."""
    segments = list(run.segments)
    segments[segment] = replace(segments[segment], **fields)
    write_run(replace(run, segments=tuple(segments)))


def _write_segment(run: Run, index: int, stretch: Stretch) -> None:
    path, segment = run.folder / EVALS, run.segments[index]
    before = run.segments[index - 1].end_step if index else 0
    add_evals(path, index, "begin", before, windows_of(stretch.begin))
    means = {step: dict(losses) for step, losses in stretch.between.items()}
    if stretch.end is not None:
        add_evals(path, index, "end", segment.end_step, windows_of(stretch.end))
        means[segment.end_step] = {part: float(losses.mean()) for part, losses in stretch.end.items() if len(losses)}
    for step in range(segment.start_step + 1, segment.end_step + 1):
        line = {"step": step, "segment": index, "tokens": run.tokens_at(index, step), "train_loss": 1.0, "lr": 1e-3}
        line |= {"tok_per_sec": stretch.tok_per_sec, "grad_norm": 1.0, "mfu": None, "seconds": 1.0}
        append_metrics(run.folder / METRICS, {**line, "val_loss": means[step]} if step in means else line)


def windows_of(losses: Losses) -> pa.Table:
    """These losses as `evals.parquet` has them."""
    rows = [
        {"part": part, "window": number * TARGETS, "n_targets": TARGETS, "n_bytes": 20, "loss": float(loss) * TARGETS}
        for part, of_part in losses.items()
        for number, loss in enumerate(of_part)
    ]
    return pa.Table.from_pylist(rows, schema=WINDOWS)
