"""Starting Ray and running one function over many items with Ray Data."""

from __future__ import annotations

import atexit
import json
import logging
import os
import pickle
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from raywiki.engine.address import check_address
from raywiki.engine.gauges import gauges
from raywiki.engine.other_nodes import hindrance, require_alike
from raywiki.engine.resources import Resources, cpus_for_worker, fits
from raywiki.progress import counted_by, say

Item = TypeVar("Item")
Result = TypeVar("Result")

# Our tasks write their output themselves and return a record of it, so the object store holds next to nothing: there is no
# need to reserve the 30 % of RAM that Ray takes by default on a machine that someone also works on.
OBJECT_STORE_BYTES = 1 << 30
MOST_WAITING = 1000  # tasks that are sent to Ray before they can run; Ray Data looks at each of them ten times a second
_until_shut_down = ExitStack()


def start() -> None:
    """Connect to the cluster of `RAY_ADDRESS`, or start Ray on this machine; nothing when Ray is running already.

    Raises:
        ValueError: `RAY_ADDRESS` is no address of a Ray head.
        ConnectionError: no Ray answers there, or it does not take us.
    """
    loaded = sys.modules.get("ray")
    if loaded is not None and loaded.is_initialized():
        return
    say("starting Ray")
    address = os.environ.get("RAY_ADDRESS") or "local"
    with _own_signals():
        if address == "local":
            _start_here()
        else:
            _connect(address)
        atexit.register(_shut_down)


def _start_here() -> None:
    import ray

    # Every worker would warn about GPUs that a task did not ask for. Workers inherit the environment of this moment.
    with environment(RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0"):
        # Up three seconds sooner than with a dashboard, which nobody asked for: one who wants it starts Ray and says where.
        # One line of Ray's own about every start says nothing that a user of raywiki can act on.
        ray.init(
            address="local",
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )


@contextmanager
def environment(**defaults: str) -> Iterator[None]:
    """While open, these variables are set, those that the caller set himself as he did."""
    added = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _connect(address: str) -> None:
    import ray

    check_address(address)
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # another version of Ray there, or a machine that is not of the cluster
        raise ConnectionError(f"Ray at RAY_ADDRESS={address} does not take us: {' '.join(str(error).split())}") from error
    _until_shut_down.close()  # of a Ray that somebody else has shut down
    _until_shut_down.enter_context(counted_by(gauges()))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Around `ray.init`: keep what the process does at SIGTERM, and let Ctrl-C wait for a Ray that can be stopped.

    `ray.init` puts a handler of its own in place of the caller's. Interrupted half-way it leaves a process that crashes at
    its end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = threading.Event()

    def later(number: int, frame: object) -> None:
        interrupted.set()
        say("stopping as soon as Ray is up")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, later)
    left = None
    try:
        yield
    except SystemExit as error:  # what Ray's handler does
        left = error
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
    if left is not None:
        signal.raise_signal(signal.SIGTERM)
        raise left
    if interrupted.is_set():
        signal.raise_signal(signal.SIGINT)


def _shut_down() -> None:
    """At the end of the process, before Ray's own: another Ctrl-C while Ray stops would print twenty lines that say nothing."""
    import ray

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _until_shut_down.close()
    ray.shutdown()


def nodes() -> list[Resources]:
    """What each living node of the cluster has in all, whoever uses it now."""
    start()
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def require(bundle: Resources, count: int = 1) -> None:
    """Nothing when the cluster can ever hold `count` such bundles, each on one node, at once; Ray would wait for ever.

    A cluster that grows by itself may get such nodes: it is told on standard error, and waited for.

    Raises:
        ValueError: no node can.
    """
    problem = fits(nodes(), bundle, count)
    if problem is None:
        return
    if not _is_autoscaling():
        raise ValueError(f"{problem}; ask for less, or add a node (`ray start --address=…`)")
    print(f"raywiki: {problem}; waiting for the cluster's autoscaler to add one", file=sys.stderr, flush=True)


def worker_cpus(workers: int, gpus: float = 0) -> int:
    """The most CPUs that each of so many workers, with so many GPUs each, can have at once.

    Raises:
        ValueError: the nodes have no room for them, and there is no autoscaler.
    """
    cpus = cpus_for_worker(nodes(), workers, gpus)
    if not cpus:
        require({"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1}, workers)
    return max(1, cpus)


def _is_autoscaling() -> bool:
    """Whether an autoscaler adds nodes. A cluster of fixed nodes has one that only reports: it calls their types node_<id>."""
    from ray.experimental.internal_kv import _internal_kv_get

    if _internal_kv_get(b"__autoscaler_v2_enabled", namespace=b"__autoscaler") == b"1":
        return True
    report = json.loads(_internal_kv_get(b"__autoscaling_status") or b"{}").get("autoscaler_report") or {}
    return any(not name.startswith("node_") for name in report.get("active_nodes") or {})


def run(
    function: Callable[[Item], Result], items: Sequence[Item], num_cpus: float = 1, *, name: str = "",
    places: Sequence[str] = (),
) -> Iterator[tuple[int, Result]]:  # fmt: skip
    """Apply `function` to each item in a Ray task of its own; yield (index, result) in the order they finish.

    A task is sent its own item only. A task whose worker or node dies is run again, so `function` must be safe to repeat.
    An exception that it raises stops the whole and is raised here as itself, with the worker's traceback as a note.

    Args:
        function: from a module, or pickled by value.
        items: one for each task.
        num_cpus: of each task.
        name: what the tasks do, in the words of the progress: Ray's dashboard shows it.
        places: paths and URLs that the tasks read or write. Of several nodes each must see them.

    Raises:
        ValueError: no node of the cluster has `num_cpus`; a node has no raywiki, or another one, or does not see a place.
    """
    if not items:
        return
    require({"CPU": num_cpus})
    require_alike(places)
    import ray
    from ray import cloudpickle
    from ray.experimental.internal_kv import _internal_kv_put

    say("waiting for the first result")
    failed = f"raywiki-failed-{uuid.uuid4().hex}".encode()
    apply = _task(cloudpickle.dumps(function), failed)
    apply.__name__ = name or getattr(function, "__name__", "task")
    rows = [{"index": index, "item": cloudpickle.dumps(item)} for index, item in enumerate(items)]
    # Only where there are more: Ray warns of a limit that is not reached.
    at_once = ray.data.TaskPoolStrategy(size=MOST_WAITING if len(rows) > MOST_WAITING else None)
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(apply, num_cpus=num_cpus, compute=at_once)
    dataset.set_name(re.sub(r"[^\w.-]+", "_", apply.__name__))
    # Ray Data would send a task only when it has seen that a core is free, up to a fifth of a second late, and but one in the
    # first second. Without its budget tasks wait in Ray's own queue, which runs as many at a time as there are cores for. The
    # budget is for blocks that fill the object store, and ours are small.
    dataset.context.op_resource_reservation_enabled = False
    # One bar for what the user asked, raywiki's, not one for each of Ray's operators. The context is the data set's own.
    dataset.context.enable_progress_bars = False
    dataset.context.print_on_execution_start = False
    # Ray Data would start a process more, which asks for statistics that only a dashboard has.
    with only_errors("ray.data"), environment(RAY_DATA_USAGE_DISABLED="1"):
        for done, row in enumerate(dataset.iter_rows(), 1):
            result, error = pickle.loads(row["result"])
            if error is not None:
                # Ray Data now cancels what has not ended. A task that ends in that moment brings down the whole process with
                # a stack of Ray's (a race in its TaskManager: ray-project/ray pull request 54798), so the short ones may end.
                _internal_kv_put(failed, b"")  # not taken back: those that start while the rest is cancelled see it too
                time.sleep(min(2.0, 0.1 + 0.005 * (len(rows) - done)))
                raise error
            yield row["index"], result


def _task(function: bytes, failed: bytes) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What Ray does with a row: the pickled `function` on its item. It is pickled by value: to say that a node has no raywiki
    it needs none.

    Once there is a key `failed` in Ray's store nobody will read what it returns.
    """
    unlike = hindrance({})

    def apply(row: dict[str, Any]) -> dict[str, Any]:
        import pickle
        import traceback

        import ray
        from ray import cloudpickle
        from ray.experimental.internal_kv import _internal_kv_exists

        if _internal_kv_exists(failed):
            return {"index": row["index"], "result": b""}
        if problem := unlike():  # a node that joined since the others were asked
            told = f"node {ray.util.get_node_ip_address()} of the Ray cluster {problem}: install the same raywiki on every node"
            return {"index": row["index"], "result": cloudpickle.dumps((None, ValueError(told)))}
        from raywiki.engine.cluster import portable

        try:
            result, error = pickle.loads(function)(pickle.loads(row["item"])), None
        except Exception as raised:  # carried as a value: Ray's wrappers would lose its type and sentence
            raised.add_note(traceback.format_exc())
            result, error = None, portable(raised)
        return {"index": row["index"], "result": cloudpickle.dumps((result, error))}

    return apply


def portable(error: Exception) -> Exception:
    """The exception itself where it survives being pickled, else one of a built-in type with its sentence and notes.

    >>> class Odd(ValueError):
    ...     def __init__(self, file, line):
    ...         super().__init__(f"{file} is odd in line {line}")
    >>> portable(Odd("a.txt", 3))
    ValueError('a.txt is odd in line 3')
    """
    from ray import cloudpickle

    try:
        pickle.loads(cloudpickle.dumps(error))
        return error
    except Exception:
        kind = next((kind for kind in (ValueError, OSError) if isinstance(error, kind)), None)
        plain = kind(str(error)) if kind else RuntimeError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            plain.add_note(note)
        return plain


@contextmanager
def only_errors(name: str) -> Iterator[None]:
    """While open, the logger of that name says only errors."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
