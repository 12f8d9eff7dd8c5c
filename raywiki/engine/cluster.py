"""Starting Ray and running one function over many items with Ray Data."""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Our tasks write their output themselves and return a record of it, so the object store holds next to nothing: there is no
# need to reserve the 30 % of RAM that Ray takes by default on a machine that someone also works on.
OBJECT_STORE_BYTES = 1 << 30


def start() -> None:
    """Connect to the cluster of `RAY_ADDRESS`, or start Ray on this machine; nothing when Ray is running already."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # silences a warning about GPUs that are not asked for
    import ray

    if ray.is_initialized():
        return
    local: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        # Up three seconds sooner than with a dashboard, which nobody asked for: one who wants it starts Ray and says where.
        local = {"address": "local", "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        # Only a dashboard would send them, and Ray Data starts a process to collect them.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # One line of Ray's own about every start says nothing that a user of raywiki can act on.
    ray.init(logging_level=logging.ERROR, log_to_driver=False, **local)


def run(function: Callable[[Item], Result], items: Sequence[Item], num_cpus: float = 1) -> Iterator[tuple[int, Result]]:
    """Apply `function` to each item in a Ray task of its own; yield (index, result) in the order they finish.

    A task whose worker or node dies is run again, so `function` must be safe to repeat. An exception that it raises stops
    the whole and is raised here as itself, with the worker's traceback as a note.
    """
    if not items:
        return
    start()
    import ray

    _quiet(ray.data.DataContext.get_current())

    def apply(row: dict[str, int]) -> dict[str, Any]:
        try:
            result, error = function(items[row["id"]]), None
        except Exception as raised:  # carried as a value: Ray's wrappers would lose its type and sentence
            raised.add_note(traceback.format_exc())
            result, error = None, raised
        return {"index": row["id"], "result": pickle.dumps((result, error))}

    dataset = ray.data.range(len(items), override_num_blocks=len(items)).map(apply, num_cpus=num_cpus)
    for row in dataset.iter_rows():
        result, error = pickle.loads(row["result"])
        if error is not None:
            raise error
        yield row["index"], result


def _quiet(context: Any) -> None:
    """Leave progress to raywiki: one bar for what the user asked, not one for each of Ray's operators."""
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
