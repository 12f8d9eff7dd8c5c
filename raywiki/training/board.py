"""The metrics of a run as TensorBoard's event files: a view of metrics.jsonl, which can be deleted at any time.

    runs/<run>/tensorboard/events.out.tfevents.…     one file for each call that trained

Points carry the step. A call that goes on from step n makes TensorBoard forget what earlier files say of step n and later
(`purge_step`), and begins with the line of step n: so nothing stands twice after a crash. The first file of a folder begins
with all lines that the run has so far. Every step is flushed before its checkpoint can be written, so that nothing is missing;
only steps of a call with --no-tensorboard are, until the folder is removed and written anew.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raywiki.training.checkpoint import stands_at
from raywiki.training.metrics import Metrics, leading_to_last, read_metrics
from raywiki.training.runs import BOARD, CHECKPOINTS, METRICS

_NO_POINTS = {"step", "segment", "tokens", "seconds"}
OnStep = Callable[[int, Metrics], None]


def wants_board(folder: Path, asked: bool | None) -> bool:
    """Whether a run's steps go to TensorBoard: as asked, else when the run has such files already.

    Raises:
        ValueError: they do, and the package is missing.
    """
    wanted = (folder / BOARD).is_dir() if asked is None else asked
    if wanted and importlib.util.find_spec("tensorboard") is None:
        why = "--tensorboard was asked for" if asked else f"{folder / BOARD} is there, so each step goes to TensorBoard"
        raise ValueError(
            f"{why}, but the package tensorboard is missing: pip install raywiki[tensorboard], or train with --no-tensorboard"
        )
    return wanted


def points(metrics: Metrics) -> dict[str, float]:
    """Name and value of each point of a line of metrics.jsonl.

    >>> points({"step": 5, "train_loss": 3.2, "mfu": None, "val_loss": {"p1": 3.4, "p2": None}})
    {'train/loss': 3.2, 'val_loss/p1': 3.4}
    """
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found |= {f"{name}/{part}": each for part, each in value.items()}
        elif name not in _NO_POINTS:
            found[f"train/{name.removeprefix('train_')}"] = value
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


@contextmanager
def board(folder: Path, wanted: bool, progress: OnStep | None = None) -> Iterator[OnStep | None]:
    """What to call after each step so that it is written, before `progress` is called; `progress` itself unless `wanted`.

    When the block fails before it has saved a checkpoint, what it wrote is removed.
    """
    if not wanted:
        yield progress
        return
    writer: Any = None

    def on_step(step: int, metrics: Metrics) -> None:
        nonlocal writer
        if writer is None:
            writer = _open(folder, step)
        _write(writer, metrics)
        writer.flush()
        if progress is not None:
            progress(step, metrics)

    stood, files = stands_at(folder / CHECKPOINTS), set((folder / BOARD).glob("*"))
    failed = True
    try:
        yield on_step
        failed = False
    finally:
        if writer is not None:
            writer.close()  # before the file is removed: closing writes, which would make it again
            if failed and stands_at(folder / CHECKPOINTS) == stood:
                _take_back(folder / BOARD, files)


def _open(folder: Path, step: int) -> Any:
    """A writer whose file begins with the line before this step, or with all lines before it where it is the first file."""
    from torch.utils.tensorboard import SummaryWriter

    files = sorted(path.name for path in (folder / BOARD).glob("events.*"))
    if files:
        _wait_for_a_later_name(files[-1])
    is_new = not files
    writer = SummaryWriter(str(folder / BOARD), purge_step=None if is_new else step - 1)
    for line in leading_to_last(read_metrics(folder / METRICS)):
        if line["step"] < step and (is_new or line["step"] == step - 1):
            _write(writer, line)
    return writer


def _wait_for_a_later_name(newest: str) -> None:
    """TensorBoard reads files in the order of their names, which begin with the second: be in a later one."""
    second = newest.split(".")[3]
    if second.isdigit() and 0 <= int(second) - int(time.time()) <= 1:
        time.sleep(int(second) + 1 - time.time())


def _write(writer: Any, metrics: Metrics) -> None:
    for name, value in points(metrics).items():
        writer.add_scalar(name, value, metrics["step"])


def _take_back(folder: Path, files: set[Path]) -> None:
    """Remove all but these files, and the folder when it is empty then."""
    for path in set(folder.glob("*")) - files:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not files:
        folder.rmdir()
