"""The verbs in this process, without Ray: the tasks of a verb one after the other, a segment of training as its only worker.

For tests that look at what a verb does, not at how it is spread. Everything else is the product's own code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from raywiki.engine import cluster, curate, extract, fit, index, templates, tokens
from raywiki.training.work import do_work


def without_ray(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Until the patch is undone, verbs work here, with decoded tokens in the folder `cache`, and whoever starts Ray fails."""
    for module in (extract, curate, index, templates, tokens):
        patch.setattr(module, "run", run_here)
    patch.setattr(cluster, "start", lambda: pytest.fail("Ray is started"))
    patch.setattr(fit, "nodes", lambda: [{"CPU": 2.0}])
    patch.setattr(fit, "worker_cpus", lambda *_: 1)
    patch.setattr(fit, "_fit", fit_here)
    patch.setenv("RAYWIKI_CACHE_DIR", str(cache))


def run_here(function: Any, items: Sequence[Any], **told: Any) -> Iterator[tuple[int, Any]]:
    """What `engine.cluster.run` does."""
    for i, item in enumerate(items):
        yield i, function(item)


def fit_here(work: fit.Work, placement: fit.Placement) -> tuple[Exception | None, bool]:
    """What `engine.fit._fit` does, with one worker on the CPU."""
    try:
        result = do_work(work, "cpu")
        fit.leave(work.folder, fit.RESULT, asdict(result))
        return None, False
    except Exception as error:
        fit.leave(work.folder, fit.ERROR.format(rank=0), fit._error_record(0, error))
        return error, False
