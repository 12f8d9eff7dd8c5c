"""Writing a plan into the run's segments.json, and taking it back when its training fails before it has saved anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from raywiki.training.evals import rewind_evals
from raywiki.training.metrics import rewind_metrics
from raywiki.training.plan import Plan
from raywiki.training.runs import BOARD, EVALS, METRICS, SEGMENTS, read_run, write_run


@contextmanager
def published(plan: Plan) -> Iterator[None]:
    """Have the plan in segments.json while the block runs, and after it; the run's lock must be held.

    When the block fails before the first checkpoint of a new segment, the run is left as it was before.

    Raises:
        ValueError: another command has changed the run since this was planned.
    """
    _sweep(plan)
    run, before = plan.run, read_run(plan.run.folder)
    segments = before.segments if before else None
    if segments not in (plan.made_from, run.segments):
        raise ValueError(f"run {run.name} was changed by another command while this one began: run the same command again")
    if segments != run.segments:
        rewind_evals(run.folder / EVALS, plan.index, -1)  # of a plan that was given up
        write_run(run)
    try:
        yield
    except Exception:
        take_back(plan)
        raise


def take_back(plan: Plan) -> None:
    """Leave the run as it was before a plan, unless the plan is old or has saved a checkpoint; the lock must be held."""
    run = plan.run
    _sweep(plan)
    if plan.made_from == run.segments or run.stands_at() > (plan.index, plan.segment.start_step):
        return
    if plan.made_from:
        write_run(replace(run, segments=plan.made_from))
        rewind_metrics(run.folder / METRICS, *run.stands_at())
        rewind_evals(run.folder / EVALS, plan.index, -1)
        return
    for name in (SEGMENTS, METRICS, EVALS):
        (run.folder / name).unlink(missing_ok=True)
    shutil.rmtree(run.folder / BOARD, ignore_errors=True)


def _sweep(plan: Plan) -> None:
    """Remove the half-written files of processes that were killed; the lock is held, so nobody is writing."""
    for left in plan.run.folder.glob(".*.tmp"):
        left.unlink(missing_ok=True)
