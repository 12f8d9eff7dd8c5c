"""train without Ray: in this process, or in those that torchrun has started.

The first process plans, as `train` does, and hands each segment to the others; all of them then do what a Ray worker does
(`training.work.do_work`). On its way nothing imports Ray or Polars.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from raywiki.corpus import Corpus
from raywiki.engine.fit import Fitted, Placement, bar_of, call_folder, leave_as_it_was, show_step
from raywiki.engine.train import TrainSummary, train_by
from raywiki.training.options import TrainOptions
from raywiki.training.work import Work, do_work
from raywiki.training.workers import FIRST_TELLS, Workers, process_group


def train_here(
    corpus: str | os.PathLike[str] | Corpus, run: str, options: TrainOptions, runs: str | None = None
) -> TrainSummary | None:
    """`train` without Ray; None in processes of torchrun's that are not the first.

    Args:
        corpus: folder or URL of a corpus; its manifests and token shards are read.
        run: name of the run.
        options: those of `train`. `num_workers` is the number of processes, if it is given.
        runs: folder that holds the run's folder; that of the corpus when None.

    Raises:
        As `train` does. A fault that may pass is not tried again: the same call goes on from the last checkpoint.
    """
    with process_group(options.get("device")) as workers:
        if not workers.is_first:
            _follow(workers)
            return None
        first = _First(workers)
        try:
            summary = train_by(first.fit, first.place, Corpus.open(corpus), run, options, runs)
        except Exception:
            if first.others_wait:
                workers.first(_nothing)
            raise
        workers.first(_nothing)
        return summary


def _follow(workers: Workers) -> None:
    """Do what the first worker hands out until it has nothing more."""
    try:
        while (work := workers.first(_nothing)) is not None:
            do_work(work, str(workers.device), is_first=False)
    except Exception as error:
        if FIRST_TELLS in getattr(error, "__notes__", ()):
            raise SystemExit(1) from None
        raise


def _nothing() -> None:
    """No work: what the others have for the first worker, and what it sends them at the end."""


class _First:
    """The first worker, which the others wait for between two segments."""

    def __init__(self, workers: Workers) -> None:
        self.workers, self.others_wait = workers, True

    def place(self, num_workers: int | None, device: str | None) -> Placement:
        """The processes that there are. Raises ValueError when more or fewer were asked for."""
        count = self.workers.count
        if num_workers not in (None, count):
            raise ValueError(
                f"num_workers={num_workers}, but {count} was started: without Ray it is torchrun that starts several "
                f"(torchrun --nproc-per-node {num_workers} -m raywiki.training …)"
            )
        return Placement(count, self.workers.device.type, os.cpu_count() or 1)

    def fit(self, work: Work, placement: Placement) -> Fitted:
        try:
            run = work.stored or str(work.plan.run.folder)
            with call_folder(run) as (folder, since), bar_of(work.plan) as bar:
                work = replace(work, folder=folder, since=since)
                self.workers.first(lambda: work)
                self.others_wait = False

                def show(_: int, metrics: Mapping[str, Any]) -> None:
                    show_step(bar, work.plan, metrics)

                result = do_work(work, str(self.workers.device), progress=show)
                self.others_wait = True
        except BaseException:  # Ctrl-C while the tokens are read, too
            leave_as_it_was(work.plan)
            raise
        return Fitted(result, (), result.status == "stopped")
