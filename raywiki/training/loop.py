"""The training loop: one segment, on one process or on several, from wherever its newest checkpoint stands."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from raywiki.training.batches import read_samples
from raywiki.training.cache import TokenCache, check_caches
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.evaluate import evaluate
from raywiki.training.locks import hold_lock
from raywiki.training.metrics import Metrics, append_metrics, read_metrics, replace_last_metrics, rewind_metrics
from raywiki.training.optim import GRAD_CLIP
from raywiki.training.options import at_least_1
from raywiki.training.order import hash64, step_samples
from raywiki.training.plan import Plan, SegmentResult, require_parts, segment_rate
from raywiki.training.publish import published
from raywiki.training.runs import CHECKPOINTS, LOCK, METRICS, STOP, busy_sentence
from raywiki.training.state import Training, save, start
from raywiki.training.stop import stop_requests
from raywiki.training.workers import Workers, autocast, join, precision

TOKENS_AT_ONCE = 1 << 13  # micro-batch where none is asked for: GPT-2 small fits a 12 GB card with it

Report = Callable[[int, Metrics, Path], None]
Progress = Callable[[int, Metrics], None]


@dataclass(frozen=True)
class _Pace:
    """How a segment is walked through; none of it changes what is learned."""

    batch_size: int
    eval_every: int
    checkpoint_every: int
    keep: int
    max_val_windows: int
    started: float


def train_segment(
    plan: Plan, caches: Mapping[str, TokenCache], *, batch_size: int | None = None,
    device: str | torch.device | None = None, eval_every: int | None = None, checkpoint_every: int | None = None,
    keep: int = 2, max_val_windows: int = 256, compile: bool = False, since: float | None = None, patience: float = 0.0,
    report: Report | None = None, progress: Progress | None = None, should_stop: Callable[[], bool] | None = None,
) -> SegmentResult:  # fmt: skip
    """Train a segment to its end, or until asked to stop; go on from the run's newest checkpoint.

    Every worker of a process group calls this with the same arguments; without a group, one process does it all. N steps,
    a kill at any moment, and another call give what one undisturbed call gives: bit for bit on a CPU.

    Args:
        plan: see `plan.plan_segment`; `publish.published` writes it into the run once all that can be was checked.
        caches: the tokens by part id: of each part that the segment reads, and of all others to be evaluated.
        batch_size: sequences that one worker takes at once; total_batch_size is reached by accumulating gradients. By
            default as many as fit 8,192 tokens.
        device: "cpu", "cuda" or "cuda:1"; CUDA where there is a GPU, by default.
        eval_every: steps between evaluations; a tenth of the segment, at least 25 and at most 500, by default.
        checkpoint_every: steps between checkpoints; as `eval_every` by default.
        keep: newest checkpoints to keep, at least 1, beside those that are always kept; see `state.save`.
        max_val_windows: validation windows of a part at most.
        compile: pass the model through torch.compile.
        since: a STOP file that is older than this time of its file system was not meant for this call; see `stop`.
        patience: seconds to wait for another process that trains the run.
        report: called on every worker after each checkpoint, with the step, its metrics and the checkpoint's folder.
        progress: called on the first worker after each step, with the step and its metrics.
        should_stop: asked after each step, beside SIGTERM, SIGINT and the STOP file in the run's folder.

    Raises:
        ValueError: there are more workers than sequences in a step; the data or the checkpoint does not fit the plan;
            another process trains the run, or has changed it; the loss is no number any more.
    """
    started = time.monotonic()
    workers, segment = join(device), plan.segment
    _check_caches(plan, caches)
    eval_every = min(500, max(25, segment.steps // 10)) if eval_every is None else eval_every
    pace = _Pace(
        batch_size=micro_batch(segment.sequences_per_step, segment.seq_len, workers.count, batch_size),
        eval_every=at_least_1("eval_every", eval_every),
        checkpoint_every=at_least_1("checkpoint_every", eval_every if checkpoint_every is None else checkpoint_every),
        keep=at_least_1("keep", keep),
        max_val_windows=at_least_1("max_val_windows", max_val_windows),
        started=started,
    )
    with ExitStack() as stack:
        lease = _lock_run(plan, workers, stack, patience)
        training = start(plan, caches, workers, compile)
        training.notes += (lease,) if lease else ()
        workers.first(lambda: stack.enter_context(published(plan)))
        is_asked = stack.enter_context(stop_requests(training.folder / STOP, since, should_stop))
        last, checkpoint, stopped = _begin(training, pace), None, False
        before = last.get("val_loss", {}) if training.step == segment.start_step else _val_loss_at(training, segment.start_step)
        while training.step < segment.end_step and not stopped:
            last = _train_step(training, pace)
            at_end = training.step == segment.end_step
            stopped = not at_end and workers.sum(float(is_asked()))[0] > 0
            at_trunk = training.step == segment.trunk_step
            is_due = stopped or at_end or at_trunk or (training.step - segment.start_step) % pace.checkpoint_every == 0
            checkpoint = _record(training, pace, last, is_due, report, progress) or checkpoint
        if workers.is_first:
            (training.folder / STOP).unlink(missing_ok=True)
    return _result(training, "stopped" if stopped else "finished", last, before, checkpoint, started)


def micro_batch(sequences: int, seq_len: int, workers: int, batch_size: int | None) -> int:
    """Sequences that a worker takes at once: the given number, or the largest that fits and leaves no small rest.

    Raises:
        ValueError: a step has fewer sequences than there are workers.

    >>> micro_batch(512, 1024, workers=1, batch_size=None), micro_batch(12, 256, workers=5, batch_size=3)
    (8, 3)
    """
    if sequences < workers:
        raise ValueError(
            f"{workers} workers cannot share the {sequences} sequences of a step: take fewer workers, or a total_batch_size of "
            f"at least {workers * seq_len}"
        )
    if batch_size is not None:
        return at_least_1("batch_size", batch_size)
    share, most = -(-sequences // workers), max(1, TOKENS_AT_ONCE // seq_len)
    return -(-share // -(-share // most))


def _check_caches(plan: Plan, caches: Mapping[str, TokenCache]) -> None:
    """What the segment reads must be there, and all that is there must be what the plan says."""
    require_parts(plan, caches)
    expected = {name: part.train_tokens for name, part in plan.segment.known.items() if name in caches}
    check_caches({name: caches[name] for name in expected}, expected, plan.run.config.vocab_size)


def _lock_run(plan: Plan, workers: Workers, stack: ExitStack, patience: float) -> str:
    """Let no other process train this run until the stack is closed; a sentence where that is less than sure."""
    return workers.first(
        lambda: stack.enter_context(hold_lock(plan.run.folder / LOCK, patience, busy_sentence(plan.run.folder)))
    )


def _record(
    training: Training, pace: _Pace, last: Metrics, is_due: bool, report: Report | None, progress: Progress | None
) -> Path | None:
    """Write down what a step brought; when a checkpoint is due, its folder."""
    if training.workers.is_first:
        append_metrics(training.folder / METRICS, last, durable=is_due)
        if progress is not None:
            progress(training.step, last)
    if not is_due:
        return None
    checkpoint = save(training, pace.keep, last.get("val_loss", {}))
    if report is not None:
        report(training.step, last, checkpoint)
    return checkpoint


def _begin(training: Training, pace: _Pace) -> Metrics:
    """Metrics as of the step the weights stand at; where the segment begins there, with each of its parts evaluated."""
    path, step = training.folder / METRICS, training.step
    last: Metrics | None = training.workers.first(lambda: rewind_metrics(path, training.plan.index, step))
    if step != training.segment.start_step:
        return last or {"step": step}
    known = (last or {}).get("val_loss", {})
    missing = [name for name in training.caches if name not in known]
    if last is not None and not missing:
        return last
    line: Metrics = last or {"step": step, "segment": training.plan.index, "tokens": training.tokens, "train_loss": None}
    line = {**line, "val_loss": {**known, **_evaluate(training, pace, missing)}}
    training.workers.first(lambda: replace_last_metrics(path, line))
    return line


def _val_loss_at(training: Training, step: int) -> dict[str, float | None]:
    """What was evaluated at a step before, the last time that there was a step of this number; on every worker."""
    path = training.folder / METRICS
    return training.workers.first(
        lambda: next((line.get("val_loss", {}) for line in reversed(read_metrics(path)) if line["step"] == step), {})
    )


def _train_step(training: Training, pace: _Pace) -> Metrics:
    """One optimiser step; the metrics of the state after it."""
    segment, workers, clock = training.segment, training.workers, time.monotonic()
    index = training.step - segment.start_step
    lr = segment_rate(segment, training.step)
    for group in training.optimizer.param_groups:
        group["lr"] = lr
    if training.plan.run.config.dropout:  # seeded anew in each step, so that no generator's state need be saved
        torch.manual_seed(hash64(segment.seed, "dropout", training.step, workers.rank))
    share, norm = _update(training, pace.batch_size)
    training.step += 1
    [loss] = workers.sum(share.item())
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise ValueError(
            f"the loss of run {training.plan.run.name} is {loss} at step {training.step} (gradient norm {norm}, learning "
            f"rate {lr:.2g} on the way to {segment.lr:.2g}): {_after_divergence(training)} with a lower --lr"
        )
    if workers.device.type == "cuda":
        torch.cuda.synchronize(workers.device)
    now = time.monotonic()
    metrics: Metrics = {
        "step": training.step,
        "segment": training.plan.index,
        "tokens": training.tokens,
        "train_loss": loss,
        "lr": lr,
        "grad_norm": norm,
        "tok_per_sec": round(segment.total_batch_size / (now - clock), 1),
        "mfu": None,
        "seconds": round(now - pace.started, 3),
    }
    if (index + 1) % pace.eval_every == 0 or training.step == segment.end_step:
        metrics["val_loss"] = _evaluate(training, pace, list(training.caches))
    return metrics


def _update(training: Training, batch_size: int) -> tuple[Tensor, float]:
    """Apply the clipped gradient of the step's mean loss. This worker's share of that loss, and the gradient's norm."""
    segment, workers = training.segment, training.workers
    tokens = [training.caches[name].train for name in segment.part_names]
    whole = step_samples(segment, training.step)
    mine, n_targets = whole[workers.rank :: workers.count], int(whole.n_targets.sum())
    total = torch.zeros((), device=workers.device)
    for first in range(0, len(mine), batch_size):
        ids, targets = read_samples(tokens, mine[first : first + batch_size], segment.seq_len, workers.device)
        is_last = first + batch_size >= len(mine)
        # Workers exchange gradients once a step, with the last micro-batch.
        with nullcontext() if is_last or workers.count == 1 else training.wrapped.no_sync():
            with autocast(workers.device):
                loss = training.wrapped(ids, targets) / n_targets
            (loss * workers.count).backward()  # the loss is a sum over workers, but their gradients are averaged
        total += loss.detach()
    norm = nn.utils.clip_grad_norm_(training.model.parameters(), GRAD_CLIP)
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)
    return total, float(norm)


def _evaluate(training: Training, pace: _Pace, parts: list[str]) -> dict[str, float | None]:
    val = {name: training.caches[name].val for name in parts}
    seq_len = training.segment.seq_len
    return evaluate(training.model, val, parts, seq_len, training.workers, pace.batch_size, pace.max_val_windows)


def _after_divergence(training: Training) -> str:
    saved = training.plan.first_step
    return f"go on from its checkpoint of step {saved:,}" if saved else "nothing was saved yet, so begin again"


def _result(
    training: Training, status: str, last: Metrics, before: dict[str, float | None], checkpoint: Path | None, started: float
) -> SegmentResult:
    if checkpoint is None:  # there was nothing left to do
        found = find_checkpoint(training.folder / CHECKPOINTS, verify=False)
        checkpoint = found.folder if found else None
    return SegmentResult(
        status=status,
        step=training.step,
        train_loss=last.get("train_loss"),
        val_before=before,
        val_loss=last.get("val_loss", {}),
        tok_per_sec=last.get("tok_per_sec"),
        seconds=round(time.monotonic() - started, 3),
        checkpoint=checkpoint,
        device=training.workers.device.type,
        precision=precision(training.workers.device),
        notes=training.notes,
    )
