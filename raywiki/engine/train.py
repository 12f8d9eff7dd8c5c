"""train: token shards to a GPT, with Ray Train; each segment of a run is one Ray run.

What is trained, in which order, and how it is saved is `raywiki.training`'s; Ray gives workers, placement, and a restart
when one dies. A restarted worker group goes on from our own newest checkpoint.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from raywiki.corpus import Corpus, Manifest, tokens_table
from raywiki.engine.cluster import start
from raywiki.progress import Progress
from raywiki.summary import table
from raywiki.training import PartTokens, Plan, open_cache, open_run, plan_segment, read_metrics
from raywiki.training.cache import shards_digest
from raywiki.training.runs import METRICS, STOP, Run, read_run

MAX_FAILURES = 3  # restarts of the workers after one of them died
POLL = 0.5  # seconds between two looks at the metrics


@dataclass(frozen=True)
class TrainSummary:
    """What one call of `train` did.

    `state` is "trained", "stopped" (by a signal or a STOP file) or "unchanged". `segments` has one dict for each segment
    that was trained: its parts, its first and last step, and the validation loss (nats a token) of each part `before` and
    `after` it. `val_loss` is the newest one of each part.
    """

    corpus: str
    run: str
    state: str
    step: int
    segments: tuple[dict[str, Any], ...]
    val_loss: dict[str, float | None]
    seconds: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        did = {
            "trained": f"trained to step {self.step:,}",
            "stopped": f"stopped at step {self.step:,}; the same command goes on from there",
            "unchanged": f"nothing to do, it stands at step {self.step:,}",
        }[self.state]
        lines = [f"train {self.corpus} run {self.run}: {did} ({self.seconds:.1f} s)"]
        for segment in self.segments:
            lines.append(f"  steps {segment['first_step']:,} to {segment['last_step']:,}; validation loss by part")
            rows = [
                {"part": part, "before": segment["before"].get(part), "after": loss} for part, loss in segment["after"].items()
            ]
            lines += ["    " + line for line in table(rows)]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def train(
    corpus: str | os.PathLike[str] | Corpus, run: str, *, encoding: str | None = None, size: str | None = None,
    recipe: str | None = None, steps: int | None = None, batch_size: int | None = None,
    total_batch_size: int | None = None, seq_len: int | None = None, lr: float | None = None,
    schedule: str | None = None, replay: float | None = None, eval_every: int | None = None,
    checkpoint_every: int | None = None, seed: int | None = None, num_workers: int | None = None,
    device: str | None = None,
) -> TrainSummary:  # fmt: skip
    """Train a run over all tokenized parts, or go on where it stands; nothing when it has seen them.

    Parts that the run has not seen open a new segment, which goes on from the last checkpoint. What is not given is the
    run's own, else the size's default. Stop it with Ctrl-C, SIGTERM or a file `runs/<run>/STOP`: it saves first.

    Args:
        corpus: folder of the corpus; on a cluster, one that all nodes see.
        run: name of the run, the folder `runs/<run>`.
        encoding: which tokens; the run's, or the only ones there are.
        size: name of a model shape (`raywiki.training.SIZES`).
        recipe: architecture and optimiser (`raywiki.training.RECIPES`).
        steps: optimiser steps over the present set of parts; one pass over the new ones when None.
        batch_size: sequences that one worker takes at once.
        total_batch_size: tokens in one optimiser step.
        seq_len: tokens in a sequence.
        lr: peak learning rate.
        schedule: "cosine", "wsd", "rewarm" or "constant".
        replay: share of older parts in a segment that brings new ones; 0.25 when None.
        eval_every: steps between evaluations.
        checkpoint_every: steps between checkpoints.
        seed: of the weights and the data order.
        num_workers: Ray Train workers; one for each GPU of the cluster, or one where there is none.
        device: "cpu" or "cuda"; CUDA where the cluster has a GPU.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there are no such tokens, or they are stale or fewer than one sequence; the run exists with another
            size, encoding, recipe, seq_len or seed; a part it learned from is missing or has other tokens; the batch
            does not divide.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    if not corpus.is_local:
        raise ValueError(f"train needs a corpus in a folder that all workers see, not {corpus.url}: copy its tokens/ there")
    if not run or "/" in run or run.startswith("."):
        raise ValueError(f"run={run!r} is no name of a run: choose a plain name such as r1")
    folder = Path(corpus.path("runs", run))
    tokens, warnings = _tokens(corpus, _encoding_of(corpus, folder, encoding))
    settings = next(iter(tokens.values())).settings
    opened = open_run(
        folder, encoding=settings["encoding"], vocabulary=settings["vocabulary"], vocab_size=settings["vocab_size"],
        size=size, recipe=recipe, seq_len=seq_len, seed=seed,
    )  # fmt: skip
    job = _Job(
        corpus=corpus.url_of(), shards={part: _shards(corpus, manifest) for part, manifest in tokens.items()},
        batch_size=batch_size, eval_every=eval_every, checkpoint_every=checkpoint_every, device=device,
        num_workers=num_workers,
    )  # fmt: skip
    parts = [_part_tokens(manifest) for manifest in tokens.values()]
    request = dict(steps=steps, schedule=schedule, lr=lr, total_batch_size=total_batch_size)
    trained: list[Plan] = []
    state = "unchanged"
    while (plan := plan_segment(opened, parts, replay=0.25 if replay is None else replay, **request)) is not None:  # type: ignore[arg-type]
        trained.append(plan)
        _train_on_ray(job, plan)
        opened = plan.run
        state = "trained" if opened.steps_done >= plan.segment.end_step else "stopped"
        if state == "stopped":
            break
    return _summary(corpus, opened, state, trained, time.monotonic() - started, warnings)


def _encoding_of(corpus: Corpus, folder: Path, encoding: str | None) -> str:
    """Name of the encoding to train on: the given one, the run's, or the only one that the corpus has."""
    names = corpus.encodings()
    if not names:
        raise ValueError(f"{corpus.url} has no tokens to train on: run `raywiki tokenize {corpus.url}` first")
    if encoding is not None:
        name = Path(encoding).stem if encoding.endswith(".json") else encoding
        if name not in names:
            raise ValueError(f"{corpus.url} has no tokens of encoding {name!r}, only of {', '.join(names)}: tokenize it first")
        return name
    run = read_run(folder)
    if run is not None:
        return run.config.encoding
    if len(names) > 1:
        raise ValueError(f"{corpus.url} has tokens of several encodings ({', '.join(names)}): name one with --encoding")
    return names[0]


def _tokens(corpus: Corpus, encoding: str) -> tuple[dict[str, Manifest], tuple[str, ...]]:
    """The parts with training tokens, and a warning for each part that has none."""
    manifests = corpus.manifests(tokens_table(encoding))
    for part, manifest in manifests.items():
        if corpus.is_stale(manifest):
            raise ValueError(f"the {encoding} tokens of part {part} are stale: run `raywiki tokenize {corpus.url}` first")
    empty = [part for part, manifest in manifests.items() if not manifest.counts["train_tokens"]]
    if len(empty) == len(manifests):
        raise ValueError(f"no part of {corpus.url} has a training token: no article was kept; see `raywiki status`")
    warnings = tuple(f"part {part} has no training token and is left out" for part in empty)
    return {part: manifest for part, manifest in manifests.items() if part not in empty}, warnings


def _shards(corpus: Corpus, manifest: Manifest) -> list[tuple[str, str]]:
    return [(corpus.shard_path(manifest, shard), shard.sha256) for shard in manifest.shards]


def _part_tokens(manifest: Manifest) -> PartTokens:
    digest = shards_digest([shard.sha256 for shard in manifest.shards])
    return PartTokens(manifest.part, digest, manifest.counts["train_tokens"], manifest.counts["val_tokens"])


@dataclass(frozen=True)
class _Job:
    """What the workers need beside the plan."""

    corpus: str
    shards: Mapping[str, list[tuple[str, str]]]
    batch_size: int | None
    eval_every: int | None
    checkpoint_every: int | None
    device: str | None
    num_workers: int | None


def _train_on_ray(job: _Job, plan: Plan) -> None:
    """Train one segment on a Ray Train worker group; return when it is finished, stopped, or has failed."""
    start()
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    resources = ray.cluster_resources()
    use_gpu = job.device != "cpu" and resources.get("GPU", 0) > 0
    if job.device == "cuda" and not use_gpu:
        raise ValueError("device=cuda, but the Ray cluster has no GPU: leave --device out, or start Ray where there is one")
    workers = job.num_workers or (int(resources["GPU"]) if use_gpu else 1)
    cpus = max(1, int(resources.get("CPU", 1)) // workers)
    folder = plan.run.folder / "ray"  # Ray's own state: of use to nobody once the segment is over
    trainer = TorchTrainer(
        _train_worker,
        train_loop_config={"job": job, "plan": plan, "error": str(folder / "error.pickle")},
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker={"CPU": cpus, "GPU": int(use_gpu)}
        ),
        run_config=RunConfig(
            name=f"{plan.run.name}-{uuid.uuid4().hex[:8]}",
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _watch(trainer, plan)
        if (folder / "error.pickle").exists():
            raise pickle.loads((folder / "error.pickle").read_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train_worker(config: dict[str, Any]) -> None:
    """One Ray Train worker. A user's mistake is carried as a file: raised here, Ray would try it again three times."""
    import ray.train
    import ray.train.torch

    job, plan, error_path = config["job"], config["plan"], config["error"]
    try:
        from raywiki.training import train_segment

        corpus = Corpus(job.corpus)
        caches = {
            part: open_cache(cache_folder(), part, job.shards[part], open_file=corpus.fs.open)
            for part in plan.segment.part_names
        }
        train_segment(
            plan, caches, batch_size=job.batch_size, device=str(ray.train.torch.get_device()), eval_every=job.eval_every,
            checkpoint_every=job.checkpoint_every,
        )  # fmt: skip
    except (ValueError, OSError) as error:
        if ray.train.get_context().get_world_rank() == 0:
            Path(error_path).write_bytes(pickle.dumps(error))


def cache_folder() -> Path:
    """Where decoded tokens lie on a node: $RAYWIKI_CACHE_DIR, else raywiki's folder in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RAYWIKI_CACHE_DIR") or Path(home) / "raywiki")


def _watch(trainer: Any, plan: Plan) -> None:
    """Run the trainer in a thread of its own; show progress, and turn Ctrl-C and SIGTERM into a request to save and stop."""
    failure: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            failure.append(error)

    segment, path = plan.segment, plan.run.folder / METRICS
    thread = threading.Thread(target=fit, name="ray-train", daemon=True)
    with Progress(f"train {plan.run.name}", segment.end_step, "steps") as progress, _stop_on_signal(plan.run.folder / STOP):
        progress.skip(max(plan.run.steps_done, segment.start_step))
        thread.start()
        while thread.is_alive():
            thread.join(POLL)
            last = _last_line(path)
            if last.get("train_loss") and last["step"] > progress.done:
                progress.advance(last["step"] - progress.done, note=f"loss {last['train_loss']:.3f}")
    if failure:
        raise _unwrap(failure[0])


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
def _stop_on_signal(stop_file: Path) -> Iterator[None]:
    """While open, SIGINT and SIGTERM write the STOP file that the training loop looks for; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        stop_file.touch()
        signal.signal(number, old[number])

    old: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _unwrap(error: BaseException) -> BaseException:
    """The first worker's own exception, where Ray names one."""
    failures = getattr(error, "worker_failures", None)
    return next(iter(failures.values())) if failures else error


def _summary(
    corpus: Corpus, run: Run, state: str, trained: list[Plan], seconds: float, warnings: tuple[str, ...]
) -> TrainSummary:
    path = run.folder / METRICS
    records = [record for record in read_metrics(path) if record.get("val_loss")] if path.exists() else []
    losses = {record["step"]: record["val_loss"] for record in records}
    segments = [
        {
            "parts": plan.segment.part_names,
            "first_step": plan.segment.start_step,
            "last_step": plan.segment.end_step,
            "before": losses.get(plan.segment.start_step, {}),
            "after": _only(plan.segment.part_names, losses.get(plan.segment.end_step, {})),
        }
        for plan in trained
    ]
    newest: dict[str, float | None] = records[-1]["val_loss"] if records else {}
    return TrainSummary(corpus.url, run.name, state, run.steps_done, tuple(segments), newest, seconds, warnings)


def _only(parts: list[str], losses: dict[str, float | None]) -> dict[str, float | None]:
    return {part: loss for part, loss in losses.items() if part in parts}
