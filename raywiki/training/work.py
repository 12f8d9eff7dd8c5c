"""A segment as it is handed to those who train it, and what each of them does with it: the same with Ray and without."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raywiki.corpus import Corpus
from raywiki.training.board import board
from raywiki.training.cache import cache_folder, open_cache
from raywiki.training.plan import Plan, SegmentResult
from raywiki.training.stored import StoredRun, at_home, pull_source

if TYPE_CHECKING:
    from raywiki.training.loop import Progress


@dataclass(frozen=True)
class Work:
    """All that a worker is sent. `shards` has path and digest of each shard, by part; `pace` is what `train_segment` takes.

    `stored` is the URL of a run in a store, "" for one in a folder that all workers see.
    """

    plan: Plan
    corpus: str
    shards: Mapping[str, list[tuple[str, str]]]
    pace: Mapping[str, Any]
    folder: str = ""  # or URL, of this call
    since: float = 0.0  # when it began, as its file system tells
    tensorboard: bool = False
    stored: str = ""


def do_work(
    work: Work, device: str | None, patience: float = 0.0, progress: Progress | None = None, is_first: bool = True
) -> SegmentResult:
    """One worker's whole share of a segment: open the tokens of its parts, decoding them where no process here has, and train.

    Args:
        work: the same on every worker.
        device: see `workers.join`.
        patience: seconds to wait for another process that trains the run.
        progress: called on the first worker after each step, with the step and its metrics.
        is_first: whether this is that worker.

    Raises:
        ValueError, OSError: as `open_cache` and `train_segment` do.
    """
    from raywiki.training.loop import train_segment  # torch: whoever only sends work need not load it

    fs = Corpus(work.corpus).fs
    caches = {part: open_cache(cache_folder(), part, shards, open_file=fs.open) for part, shards in work.shards.items()}
    with ExitStack() as stack:
        plan, more = _at_home(work, patience, is_first, stack) if work.stored else (work.plan, {})
        shown = stack.enter_context(board(plan.run.folder, work.tensorboard and is_first, progress))
        return train_segment(
            plan, caches, device=device, since=work.since, patience=patience, progress=shown, **work.pace, **more
        )


def _at_home(work: Work, patience: float, is_first: bool, stack: ExitStack) -> tuple[Plan, dict[str, Any]]:
    """The plan of a run in a store in this machine's working copy, and what `train_segment` is to take beside it.

    The first worker holds the run and publishes it; the others, which may be on other machines, only read its checkpoint.
    """
    stored = StoredRun(work.stored)
    pull_source(stored, work.plan)
    more = stack.enter_context(stored.trained_here(work.plan, work.since, patience)) if is_first else {}
    return at_home(work.plan, stored.folder if is_first else stored.pull()), more
