"""One segment on a Ray Train worker group: what is sent to the workers, what comes back, and what becomes of an error.

Ray gives workers, placement and news of their death; whether to try again is decided here, because only here a user's
mistake can be told from a fault that passes. A worker that fails leaves a small JSON file in the folder of the call, and so
does the first one with what it reached; both are read by the driver alone.
"""

from __future__ import annotations

import errno
import json
import shutil
import signal
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from raywiki.engine.cluster import environment, nodes, only_errors, require, worker_cpus
from raywiki.engine.other_nodes import require_alike
from raywiki.files import asking, file_system, modified, put, store_error
from raywiki.progress import Progress, heard_by, say
from raywiki.training import Plan, SegmentResult
from raywiki.training.leases import hold_lease
from raywiki.training.locks import hold_lock
from raywiki.training.publish import take_back
from raywiki.training.runs import LOCK, METRICS, STOP, busy_sentence
from raywiki.training.stored import LEASE, StoredRun
from raywiki.training.work import Work, do_work

MAX_FAILURES = 3  # times that a segment is taken up again after a fault that may pass
DAY = 86_400.0  # seconds
POLL = 0.5  # seconds between two looks at the metrics
PATIENCE = 60.0  # seconds to wait for another process on the same run: one whose driver was killed ends by itself
LOCK_WAIT = 15.0  # seconds for which a worker waits for the run; the driver has waited before
NO_MEMORY = "OutOfMemory"  # of several workers, one found too little of it in the middle of a step
RESULT, ERROR, DOING = "result.json", "error-{rank}.json", "doing.txt"
# Faults of a file system that do not pass by trying again.
LASTING = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}


@dataclass(frozen=True)
class Placement:
    """Where a segment is trained: so many workers, each with a GPU or without, and with so many CPUs."""

    workers: int
    device: str
    cpus: int


@dataclass(frozen=True)
class Fitted:
    """What came back: the result, a sentence for each fault that was got over, and whether a signal asked to stop."""

    result: SegmentResult
    told: tuple[str, ...]
    asked_to_stop: bool


def place(num_workers: int | None, device: str | None) -> Placement:
    """Workers that the cluster can hold: one for each GPU, or one where there is none, unless the caller says else.

    Raises:
        ValueError: the cluster can never hold them.
    """
    gpus = int(sum(node.get("GPU", 0) for node in nodes()))
    if device == "cuda" and not gpus:
        raise ValueError("device=cuda, but the Ray cluster has no GPU: leave --device out, or start Ray where there is one")
    use_gpu = device != "cpu" and gpus > 0
    workers = num_workers or (gpus if use_gpu else 1)
    return Placement(workers, "cuda" if use_gpu else "cpu", worker_cpus(workers, int(use_gpu)))


def fit_segment(work: Work, placement: Placement) -> Fitted:
    """Train a segment to its end, or until it is stopped.

    Raises:
        ValueError: a user's mistake, by the sentence of the worker that found it.
        OSError, RuntimeError: what did not pass, by the sentence of the worker that it happened to.
    """
    try:
        with call_folder(work.stored or str(work.plan.run.folder)) as (folder, since):
            return _fit_until_it_passes(replace(work, folder=folder, since=since), placement)
    except Exception:
        leave_as_it_was(work.plan)
        raise


def _fit_until_it_passes(work: Work, placement: Placement) -> Fitted:
    told: list[str] = []
    while True:
        attempt = replace(work, folder=f"{work.folder}/{len(told)}")
        failure, asked = _fit(attempt, placement)
        if failure is None:
            return Fitted(_read_result(attempt.folder), tuple(told), asked)
        errors = _read_errors(attempt.folder)
        error, passes = what_failed(errors, failure, placement.workers)
        if not passes or len(told) == MAX_FAILURES:
            raise error
        work = replace(work, pace=_fewer_at_once(work.pace, errors))
        told.append(f"{error}: went on from the last checkpoint, time {len(told) + 1} of {MAX_FAILURES} at most")
        print(f"raywiki: {told[-1]}", file=sys.stderr, flush=True)
        if work.stored:  # a node that died did not give back its lease, which expires later than a worker would wait for
            wait_for_stored(StoredRun(work.stored))
        else:
            wait_for_run(work.plan.run.folder)


def what_failed(errors: list[dict[str, Any]], failure: BaseException, workers: int) -> tuple[BaseException, bool]:
    """The error to show, with the worker's traceback as a note, and whether it may pass by trying again.

    A user's mistake comes first, whichever worker found it; then a fault of a file system; what other workers met in a
    collective is their consequence. Without any file a worker died, or could not write.
    """
    kinds = {"ValueError": 0, "OSError": 1, NO_MEMORY: 1}
    silent = set(getattr(failure, "worker_failures", {})) - {each["rank"] for each in errors}
    if not errors or (silent and all(each["kind"] not in kinds for each in errors)):
        died = " and ".join(f"worker {rank}" for rank in sorted(silent))
        return RuntimeError(f"{died} died" if died else f"Ray Train failed ({' '.join(str(failure).split())[:200]})"), True
    first = min(errors, key=lambda each: (kinds.get(each["kind"], 2), each["time"]))
    where = f" (worker {first['rank']})" if workers > 1 else ""
    if first["kind"] == "ValueError":
        error: BaseException = ValueError(first["sentence"])
    elif first["kind"] == "OSError":
        error = OSError(f"{first['sentence']}{where}")
    else:
        error = RuntimeError(f"{first['kind']}: {first['sentence']}{where}")
    error.add_note(first["traceback"])
    passes = first["kind"] == "OSError" and first["errno"] not in LASTING
    passes = passes or first["kind"] == NO_MEMORY
    return error, passes or (first["kind"] == "RuntimeError" and workers > 1)


def _fewer_at_once(pace: Mapping[str, Any], errors: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The pace with half the micro-batch where it was too much for a worker's memory, for all workers the same."""
    sizes = [each["batch_size"] for each in errors if each["kind"] == NO_MEMORY]
    return {**pace, "batch_size": min(sizes) // 2} if sizes else pace


def wait_for_run(folder: Path) -> bool:
    """Wait, aloud, until no other process trains the run, and say whether one did.

    What a killed driver leaves behind ends by itself.

    Raises:
        ValueError: it is still being trained after `PATIENCE` seconds.
    """
    busy = busy_sentence(folder)
    if not (folder / LOCK).exists():
        return False
    try:
        with hold_lock(folder / LOCK, 0, busy):
            return False
    except ValueError as error:
        print(f"raywiki: {error}; waiting for up to {PATIENCE:.0f} s", file=sys.stderr, flush=True)
    with hold_lock(folder / LOCK, PATIENCE, busy):
        return True


def wait_for_stored(stored: StoredRun) -> bool:
    """As `wait_for_run`, for a run in a store: wait for its lease to be given back, or to expire. Its copy is brought anew."""
    holder = stored.holder()
    if not holder:
        return False
    busy = stored.busy_sentence()
    print(f"raywiki: {busy} (it is {holder}); waiting for up to {PATIENCE:.0f} s", file=sys.stderr, flush=True)
    with hold_lease(stored.fs, stored.path(LEASE), PATIENCE, busy):
        stored.pull()
    return True


def _fit(work: Work, placement: Placement) -> tuple[BaseException | None, bool]:
    """Run a worker group once; what it failed with, and whether a signal asked to stop."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    gpu = {"GPU": 1} if placement.device == "cuda" else {}
    resources: dict[str, float] = {"CPU": placement.cpus, **gpu}
    require(resources, placement.workers)  # a node may have gone since: Ray would wait for another one for ever
    require_alike([work.corpus])
    require(resources, placement.workers)  # what was lost a moment ago counts as alive, until it is asked
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"work": work},
        scaling_config=ScalingConfig(
            num_workers=placement.workers, use_gpu=placement.device == "cuda", resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=f"train-{work.plan.run.name}-segment-{work.plan.index + 1}-{uuid.uuid4().hex[:8]}",
            **_ray_storage(f"{work.folder}/ray"),  # of use to nobody once the segment is over
            failure_config=FailureConfig(max_failures=0),
        ),
    )
    # Else Ray would put a print of its own in the place of Python's, for good.
    with only_errors("ray.train"), environment(RAY_TQDM_PATCH_PRINT="0"):
        return _watch(trainer, work)


def _ray_storage(place: str) -> dict[str, Any]:
    """Where Ray Train keeps what it wants to keep, as its RunConfig takes it: a folder, or a place in a store."""
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    fs, path = file_system(place)
    if isinstance(fs, LocalFileSystem):
        return {"storage_path": path}
    return {"storage_path": path, "storage_filesystem": PyFileSystem(FSSpecHandler(fs))}


def _worker(config: dict[str, Any]) -> None:
    """One Ray Train worker. Whatever it raises ends the group; the driver reads why."""
    import ray.train
    import ray.train.torch

    work: Work = config["work"]
    rank = ray.train.get_context().get_world_rank()
    try:
        with heard_by(partial(_pass_on, work, rank)):
            result = do_work(work, str(ray.train.torch.get_device()), LOCK_WAIT, is_first=rank == 0)
        if rank == 0:
            leave(work.folder, RESULT, asdict(result))
    except Exception as error:
        leave(work.folder, ERROR.format(rank=rank), _error_record(rank, error))
        raise


def leave(folder: str, name: str, body: Mapping[str, Any]) -> None:
    """Write a small file into the folder of a call, for the driver."""
    fs, path = file_system(folder)
    put(f"{path}/{name}", json.dumps(body, default=str), fs)


def _pass_on(work: Work, rank: int, text: str) -> None:
    """Tell the driver what the first worker is doing; that it cannot be told is no reason to fail."""
    if rank == 0:
        with suppress(Exception):
            leave(work.folder, DOING, {"says": text})


def _error_record(rank: int, error: Exception) -> dict[str, Any]:
    kind = next((kind.__name__ for kind in (ValueError, OSError) if isinstance(error, kind)), type(error).__name__)
    sentence = " ".join(str(error).split())
    if type(error).__name__ == "OutOfMemoryError":
        kind = NO_MEMORY if getattr(error, "batch_size", 1) > 1 else "ValueError"
        sentence = f"the GPU has not enough memory ({sentence[:200]}): take a smaller --batch-size"
    return {
        "rank": rank,
        "kind": kind,
        "errno": getattr(error, "errno", None),
        "batch_size": getattr(error, "batch_size", None),
        "sentence": sentence,
        "traceback": traceback.format_exc(),
        "time": time.time(),
    }


def _read_errors(folder: str) -> list[dict[str, Any]]:
    fs, path = file_system(folder)
    fs.invalidate_cache()
    try:
        return [json.loads(fs.cat_file(found)) for found in sorted(fs.glob(f"{path}/{ERROR.format(rank='*')}"))]
    except Exception as error:
        if store_error(error) is None:
            raise
        return []  # the store fails, which is what the workers met, too


def _read_result(folder: str) -> SegmentResult:
    fs, path = file_system(folder)
    body = json.loads(fs.cat_file(f"{path}/{RESULT}"))
    checkpoint = Path(body["checkpoint"]) if body["checkpoint"] else None
    return SegmentResult(**{**body, "checkpoint": checkpoint, "notes": tuple(body["notes"])})


@contextmanager
def call_folder(run: str) -> Iterator[tuple[str, float]]:
    """A folder or URL for one call, and the time at which it was made as its file system tells; it goes when the call ends.

    `run` is the folder or URL of the run.
    """
    fs, root = file_system(run)
    folder, begun = f"{root}/.call-{uuid.uuid4().hex[:8]}", "begun"
    with asking(run):
        put(f"{folder}/{begun}", b"\n", fs)
        since = modified(fs.info(f"{folder}/{begun}"))
        for left in fs.glob(f"{root}/.call-*/{begun}"):  # by drivers that were killed long ago
            if modified(fs.info(left)) < since - DAY:
                fs.rm(left.rpartition("/")[0], recursive=True)
    try:
        yield fs.unstrip_protocol(folder) if not isinstance(fs, LocalFileSystem) else folder, since
    finally:
        with suppress(Exception):
            fs.rm(folder, recursive=True)


def leave_as_it_was(plan: Plan) -> None:
    """Take the plan back where its workers were killed before they could, and remove the folder of a run that is none."""
    folder = plan.run.folder
    if not folder.exists():
        return  # a copy that was on another machine
    try:
        with hold_lock(folder / LOCK, LOCK_WAIT):
            take_back(plan)
            if plan.made_from is None and not any(path.name not in (LOCK, STOP) for path in folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
    except (ValueError, OSError):
        pass  # somebody else trains the run already; or the file system fails, which is being told


def _watch(trainer: Any, work: Work) -> tuple[BaseException | None, bool]:
    """Run the trainer in a thread of its own; show progress, and turn Ctrl-C and SIGTERM into a request to save and stop."""
    failure: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            failure.append(error)

    run = work.plan.run
    thread, heard = threading.Thread(target=fit, name="ray-train", daemon=True), ""
    stop = f"{work.stored or run.folder}/{STOP}"
    with bar_of(work.plan) as bar, _stop_on_signal(stop) as asked:
        say("starting workers")
        thread.start()
        while thread.is_alive():
            thread.join(POLL)
            heard = _hear(work.folder, heard)
            show_step(bar, work.plan, _last_line(run.folder / METRICS))
    return failure[0] if failure else None, asked.is_set()


def bar_of(plan: Plan) -> Progress:
    """The bar of a segment, at the steps that are done."""
    bar = Progress(f"train {plan.run.name}", plan.segment.end_step, "steps", slow_start=True)
    bar.skip(plan.first_step)
    return bar


def show_step(bar: Progress, plan: Plan, metrics: Mapping[str, Any]) -> None:
    """Move the bar to a line of metrics.jsonl; not when it stands there already, or the line is another segment's."""
    if metrics.get("train_loss") and metrics["segment"] == plan.index and metrics["step"] > bar.done:
        bar.advance(metrics["step"] - bar.done, note=f"loss {metrics['train_loss']:.3f}")


def _hear(folder: str, heard: str) -> str:
    """Say what the first worker is doing, unless that was heard already; what was heard last."""
    fs, path = file_system(folder)
    try:
        text = json.loads(fs.cat_file(f"{path}/{DOING}"))["says"]
    except Exception:  # it has not said anything yet, or a store does not answer
        return heard
    if text != heard:
        say(text)
    return text


def _last_line(path: Path) -> dict[str, Any]:
    """The newest record of a metrics file, without reading the whole of it every half second."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - (1 << 14)))
            lines = file.read().split(b"\n")[:-1]
        return json.loads(lines[-1]) if lines else {}
    except (OSError, ValueError):  # not there yet, or a line longer than what was read
        return {}


@contextmanager
def _stop_on_signal(stop_file: str) -> Iterator[threading.Event]:
    """While open, SIGINT and SIGTERM write the STOP file that the training loop looks for; a second one ends the process.

    `stop_file` is a path or URL.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(number: int, frame: object) -> None:
        asked.set()
        fs, path = file_system(stop_file)
        fs.pipe_file(path, b"stop\n")
        say("saving")
        signal.signal(number, old[number])

    old: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
