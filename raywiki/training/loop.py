"""The training loop: one segment, on one process or on several, from wherever its newest checkpoint stands."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from raywiki.progress import say
from raywiki.training.cache import TokenCache, check_caches
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.evals import add_evals, part_losses, rewind_evals, windows_before
from raywiki.training.evaluate import evaluate
from raywiki.training.fitting import micro_batch
from raywiki.training.flops import A100, is_worth_measuring, matmul_peak
from raywiki.training.locks import hold_lock
from raywiki.training.metrics import Metrics, append_metrics, read_metrics, replace_last_metrics, rewind_metrics
from raywiki.training.options import PRECISIONS, at_least_1, check_precision
from raywiki.training.plan import Plan, SegmentResult, require_parts, segment_rate
from raywiki.training.publish import published
from raywiki.training.readback import Readback, Step
from raywiki.training.runs import CHECKPOINTS, EVALS, LOCK, METRICS, STOP, busy_sentence
from raywiki.training.state import Training, last_weights, save, start
from raywiki.training.stop import stop_requests
from raywiki.training.update import update
from raywiki.training.workers import Workers, join

Report = Callable[[int, Metrics, Path], None]
Progress = Callable[[int, Metrics], None]


@dataclass(frozen=True)
class _Pace:
    """How a segment is walked through; none of it changes what is learned."""

    eval_every: int
    checkpoint_every: int
    keep: int
    max_val_windows: int
    byte_lengths: np.ndarray | None
    started: float
    peak: float | None  # FLOP/s of all workers' devices, where it was worth measuring
    compiles_in: int | None  # the step that compiles the model, whose time is no measure of speed
    readback: Readback
    rates: list[float]  # tokens a second of the steps of this call


def train_segment(
    plan: Plan, caches: Mapping[str, TokenCache], *, batch_size: int | None = None,
    device: str | torch.device | None = None, eval_every: int | None = None, checkpoint_every: int | None = None,
    keep: int = 2, max_val_windows: int = 256, byte_lengths: np.ndarray | None = None, compile: bool | None = None,
    precision: str | None = None, since: float | None = None, patience: float = 0.0,
    report: Report | None = None, progress: Progress | None = None, should_stop: Callable[[], bool] | None = None,
) -> SegmentResult:  # fmt: skip
    """Train a segment to its end, or until asked to stop; go on from the run's newest checkpoint.

    Every worker of a process group calls this with the same arguments; without a group, one process does it all. N steps,
    a kill at any moment, and another call give what one undisturbed call gives: bit for bit on a CPU.

    Args:
        plan: see `plan.plan_segment`; `publish.published` writes it into the run once all that can be was checked.
        caches: the tokens by part id: of each part that the segment reads, and of all others to be evaluated.
        batch_size: sequences that one worker takes at once; total_batch_size is reached by accumulating gradients. By
            default as many as fit 8,192 tokens on a CPU, and as many as its memory holds on a GPU, found by trying. When
            memory runs out, half as many are taken, and the result's notes say so.
        device: "cpu", "cuda" or "cuda:1"; CUDA where there is a GPU, by default.
        eval_every: steps between evaluations; a tenth of the segment, at least 25 and at most 500, by default.
        checkpoint_every: steps between checkpoints; as `eval_every` by default.
        keep: newest checkpoints to keep, at least 1, beside those that are always kept; see `state.save`.
        max_val_windows: validation windows of a part at most.
        byte_lengths: bytes of text behind each id, so that losses are also told in bits per byte.
        compile: pass the model through torch.compile; on a GPU where that works, by default.
        precision: "fp32", "bf16", "fp16" or "auto", the default: bf16 on a GPU that has it, fp16 on one that has not, fp32 on
            a CPU. A run may change it, as it may change the device: what is saved is float32.
        since: a STOP file that is older than this time of its file system was not meant for this call; see `stop`.
        patience: seconds to wait for another process that trains the run.
        report: called on every worker after each checkpoint, with the step, its metrics and the checkpoint's folder.
        progress: called on the first worker for each step, with the step and its metrics: about half a second of steps
            together on a GPU.
        should_stop: asked after each step (by several GPUs as often as `progress` is called), beside SIGTERM, SIGINT and
            the STOP file in the run's folder.

    Raises:
        ValueError: there are more workers than sequences in a step; the data or the checkpoint does not fit the plan;
            another process trains the run, or has changed it; the loss is no number any more.
    """
    started = time.monotonic()
    workers, segment = join(device), plan.segment
    _check_caches(plan, caches)
    eval_every = at_least_1("eval_every", min(500, max(25, segment.steps // 10)) if eval_every is None else eval_every)
    checkpoint_every = at_least_1("checkpoint_every", eval_every if checkpoint_every is None else checkpoint_every)
    for name, value in {"keep": keep, "max_val_windows": max_val_windows}.items():
        at_least_1(name, value)
    check_precision(precision)
    micro_batch(segment.sequences_per_step, segment.seq_len, workers.count, batch_size)
    with ExitStack() as stack:
        lease = _lock_run(plan, workers, stack, patience)
        say("loading the model")
        training = start(plan, caches, workers, compile, precision, batch_size)
        stack.callback(training.batches.close)
        training.notes += (lease,) if lease else ()
        pace = _Pace(
            eval_every, checkpoint_every, keep, max_val_windows, byte_lengths, started, _peak(training),
            training.step + 1 if training.is_compiled else None, Readback(workers), [],
        )  # fmt: skip
        workers.first(lambda: stack.enter_context(published(plan)))
        is_asked = stack.enter_context(stop_requests(training.folder / STOP, since, should_stop))
        (last, before), checkpoint, stopped = _begin(training, pace), None, False
        say("compiling" if training.is_compiled else "the first step")
        while training.step < segment.end_step and not stopped:
            _train_step(training, pace)
            at_end = training.step == segment.end_step
            at_trunk = training.step == segment.trunk_step
            if pace.readback.is_due or workers.count == 1:
                stopped = not at_end and workers.sum(float(is_asked()))[0] > 0
            is_due = stopped or at_end or at_trunk or (training.step - segment.start_step) % pace.checkpoint_every == 0
            if lines := _metrics(training, pace, is_due):
                last = lines[-1]
                checkpoint = _record(training, pace, lines, is_due, report, progress) or checkpoint
        if workers.is_first:
            (training.folder / STOP).unlink(missing_ok=True)
    return _result(training, pace, "stopped" if stopped else "finished", last, before, checkpoint)


def _peak(training: Training) -> float | None:
    """FLOP/s that the devices of all workers could do, measured on the first one; None where little is left to train."""
    segment, workers = training.segment, training.workers
    left = (segment.end_step - training.step) * segment.total_batch_size * training.flops_per_token
    if not is_worth_measuring(left / workers.count, workers.device):
        return None
    say("measuring the device")
    return workers.count * workers.first(lambda: matmul_peak(workers.device, training.precision))


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
    training: Training, pace: _Pace, lines: list[Metrics], is_due: bool, report: Report | None, progress: Progress | None
) -> Path | None:
    """Write down what steps brought; when a checkpoint is due, its folder."""
    if training.workers.is_first:
        append_metrics(training.folder / METRICS, *lines, durable=is_due)
        for line in lines if progress is not None else ():
            progress(line["step"], line)  # type: ignore[misc]
    if not is_due:
        return None
    checkpoint = save(training, pace.keep, lines[-1].get("val_loss", {}))
    if report is not None:
        report(training.step, lines[-1], checkpoint)
    return checkpoint


def _begin(training: Training, pace: _Pace) -> tuple[Metrics, Metrics]:
    """Metrics as of the step the weights stand at, and `val_loss` (and `val_bpb`) of those that the end is compared with."""
    plan, workers, step = training.plan, training.workers, training.step
    path = training.folder / METRICS
    last: Metrics | None = workers.first(lambda: rewind_metrics(path, plan.index, step))
    workers.first(lambda: rewind_evals(training.folder / EVALS, plan.index, step))
    known = workers.first(lambda: windows_before(plan))
    if step != training.segment.start_step:
        before = part_losses(known, training.caches) if known.num_rows else _metrics_at(training, training.segment.start_step)
        return last or {"step": step}, before
    added = _evaluate_before(training, pace, set(training.caches) - set(known["part"].to_pylist()))
    before = found = part_losses(pa.concat_tables([known, added]), training.caches)
    line: Metrics = last or {"step": step, "segment": plan.index, "tokens": training.tokens, "train_loss": None}
    if plan.leaves_aside:  # other weights than those that it is compared with
        missing = [name for name in training.caches if name not in line.get("val_loss", {})]
        found = part_losses(_evaluate(training, pace, missing), missing)
    line = {**line, **{name: {**line.get(name, {}), **by_part} for name, by_part in found.items()}}
    if line != last:
        workers.first(lambda: replace_last_metrics(path, line))
    return line, before


def _evaluate_before(training: Training, pace: _Pace, missing: Container[str]) -> pa.Table:
    """Windows of parts that are missing with the run's last weights, which the segment may leave aside; kept."""
    parts = [name for name in training.caches if name in missing]
    with last_weights(training) if parts else nullcontext(training.step) as step:
        return _evaluate(training, pace, parts, "begin", step)


def _metrics_at(training: Training, step: int) -> Metrics:
    """The metrics of a step before, the last time that there was one of this number; on every worker."""
    path = training.folder / METRICS
    return training.workers.first(lambda: next((line for line in reversed(read_metrics(path)) if line["step"] == step), {}))


def _train_step(training: Training, pace: _Pace) -> None:
    """Ask the device for one optimiser step; what it brings is read later, see `_metrics`."""
    pace.readback.begin()
    lr = segment_rate(training.segment, training.step)
    for group in training.optimizer.param_groups:
        group["lr"] = lr * group.get("lr_factor", 1.0)
    share, norm = _update(training)
    training.step += 1
    pace.readback.add(training.step, lr, share, norm)


def _update(training: Training) -> tuple[Tensor, Tensor]:
    return update(training)


def _metrics(training: Training, pace: _Pace, must: bool) -> list[Metrics]:
    """A line for each step since the last reading; none while one may wait. `must`: a checkpoint waits for them.

    Raises:
        ValueError: a loss is no number, or a gradient.
    """
    segment, index = training.segment, training.step - training.segment.start_step
    at_end = training.step == segment.end_step
    is_evaluated = index % pace.eval_every == 0 or at_end
    if not (must or is_evaluated or pace.readback.is_due):
        return []
    lines = [_line(training, pace, step) for step in pace.readback.read()]
    if is_evaluated:
        windows = _evaluate(training, pace, list(training.caches), "end" if at_end else None)
        lines[-1] |= part_losses(windows, training.caches)
        lines[-1]["seconds"] = round(time.monotonic() - pace.started, 3)
    return lines


def _line(training: Training, pace: _Pace, step: Step) -> Metrics:
    segment = training.segment
    if not math.isfinite(step.loss) or not math.isfinite(step.norm):
        raise ValueError(
            f"the loss of run {training.plan.run.name} is {step.loss} at step {step.step} (gradient norm {step.norm}, learning "
            f"rate {step.lr:.2g} on the way to {segment.lr:.2g}): {_after_divergence(training)} with a lower --lr"
        )
    rate = segment.total_batch_size / step.seconds if step.step != pace.compiles_in else None
    pace.rates.extend([rate] if rate else [])
    return {
        "step": step.step,
        "segment": training.plan.index,
        "tokens": training.tokens - (training.step - step.step) * segment.total_batch_size,
        "train_loss": step.loss,
        "lr": step.lr,
        "grad_norm": step.norm,
        "tok_per_sec": round(rate, 1) if rate else None,
        "mfu": _mfu(training, rate, pace.peak) if rate and pace.peak else None,
        "seconds": round(time.monotonic() - pace.started, 3),
    }


def _mfu(training: Training, rate: float, peak: float) -> float:
    """Share of a peak (FLOP/s) that so many tokens a second make use of."""
    return float(f"{training.flops_per_token * rate / peak:.4g}")


def _evaluate(
    training: Training, pace: _Pace, parts: list[str], moment: str | None = None, step: int | None = None
) -> pa.Table:
    """The validation windows of these parts with the model's weights, those of `step`; kept when a `moment` is given."""
    say("evaluating")
    windows = evaluate(
        training.model, {name: training.caches[name].val for name in parts}, training.segment.seq_len, training.workers,
        batch_size=training.batches.batch_size, limit=pace.max_val_windows, precision=training.precision,
        byte_lengths=pace.byte_lengths,
    )  # fmt: skip
    if moment is not None:
        path, index, after = training.folder / EVALS, training.plan.index, training.step if step is None else step
        training.workers.first(lambda: add_evals(path, index, moment, after, windows))
    return windows


def _after_divergence(training: Training) -> str:
    saved = training.plan.first_step
    return f"go on from its checkpoint of step {saved:,}" if saved else "nothing was saved yet, so begin again"


def _result(
    training: Training, pace: _Pace, status: str, last: Metrics, before: Metrics, checkpoint: Path | None
) -> SegmentResult:
    workers, rate = training.workers, median(pace.rates) if pace.rates and pace.peak else None
    if checkpoint is None:  # there was nothing left to do
        found = find_checkpoint(training.folder / CHECKPOINTS, verify=False)
        checkpoint = found.folder if found else None
    return SegmentResult(
        status=status,
        step=training.step,
        train_loss=last.get("train_loss"),
        val_before=before.get("val_loss", {}),
        val_loss=last.get("val_loss", {}),
        bpb_before=before.get("val_bpb", {}),
        val_bpb=last.get("val_bpb", {}),
        tok_per_sec=last.get("tok_per_sec"),
        seconds=round(time.monotonic() - pace.started, 3),
        checkpoint=checkpoint,
        device=workers.device.type,
        precision=PRECISIONS[training.precision],
        mfu=_mfu(training, rate, pace.peak) if rate and pace.peak else None,
        mfu_of_a100=_mfu(training, rate, A100 * workers.count) if rate else None,
        notes=training.notes,
    )
