"""What a segment works on: model, optimiser and step, from the newest checkpoint and into the next one."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import raywiki
from raywiki.training.batches import Batches
from raywiki.training.cache import TokenCache
from raywiki.training.checkpoint import Checkpoint, checkpoint_names, find_checkpoint, find_step, save_checkpoint
from raywiki.training.compiling import why_not_compiled
from raywiki.training.config import find_recipe
from raywiki.training.fitting import MOST_TOKENS_AT_ONCE, TOKENS_AT_ONCE, largest_that_fits, micro_batch, try_step
from raywiki.training.init_from import load_init
from raywiki.training.order import Segment, order_digest
from raywiki.training.plan import Plan
from raywiki.training.precision import choose_precision, loss_scaler
from raywiki.training.runs import CHECKPOINTS, config_json
from raywiki.training.weights import MODEL, load_weights, read_torch, save_weights
from raywiki.training.workers import Workers

OPTIMIZER = "optimizer.pt"
RECORDED_STEPS = 8  # steps whose data order a checkpoint remembers, to be compared when it is gone on from


@dataclass
class Training:
    """One worker's share of a segment. Weights, the optimiser's moments and `step` are all that changes."""

    plan: Plan
    caches: Mapping[str, TokenCache]
    workers: Workers
    model: nn.Module  # bare: what is saved and evaluated
    wrapped: Any  # the same weights, their gradients averaged over the workers: what is trained
    optimizer: torch.optim.Optimizer
    step: int
    batches: Batches  # what is read, and how much of it at once
    precision: str
    scaler: torch.amp.GradScaler
    is_compiled: bool = False
    notes: tuple[str, ...] = ()  # what whoever reads the result should know

    @property
    def segment(self) -> Segment:
        return self.plan.segment

    @property
    def folder(self) -> Path:
        return self.plan.run.folder

    @property
    def flops_per_token(self) -> int:
        """Operations of training on a token, see `flops`."""
        return self.model.flops_per_token()  # type: ignore[operator]

    @property
    def tokens(self) -> int:
        """Tokens of all batches on the way to these weights."""
        return self.plan.run.tokens_at(self.plan.index, self.step)


def start(
    plan: Plan, caches: Mapping[str, TokenCache], workers: Workers, compile: bool | None = None,
    precision: str | None = None, batch_size: int | None = None,
) -> Training:  # fmt: skip
    """Model and optimiser as the newest checkpoint left them, or fresh; or with the weights that the run is to begin with.

    See `loop.train_segment` for the options.

    Raises:
        ValueError: the checkpoint does not belong to the plan, or those weights are not there any more; there are too many
            workers; the model cannot be compiled, or one sequence of it is too much for the device.
    """
    compiled, notes = _compiled(workers, compile)
    if workers.device.type == "cuda":
        torch.cuda.set_device(workers.device)
        torch.set_float32_matmul_precision("high")
    config = plan.run.config
    recipe = importlib.import_module(find_recipe(config.recipe))
    model = recipe.build_model(config.model, config.seed).to(workers.device)
    optimizer = recipe.build_optimizer(model)
    found = workers.first(lambda: find_for(plan))
    if found is not None:
        load_state(found, model, optimizer, workers.device)
    elif config.init_from is not None and config.init_sha256 is not None:
        load_init(config.init_from, config.init_sha256, plan.run.folder.parent, config.model, model)
    about, step = (found.about, found.step) if found else ({}, 0)
    precision = choose_precision(workers.device, precision)
    notes += _told(found.passed_over if found else workers.first(lambda: checkpoint_names(plan.run.folder / CHECKPOINTS)), step)
    if about.get("precision", precision) != precision:
        notes += (f"the steps before step {step:,} were computed in {about['precision']}, these in {precision}",)
    size, told = _batch_size(plan, workers, model, precision, batch_size, about.get("batch_size"))
    tokens = [caches[name].train for name in plan.segment.part_names]
    return Training(
        plan, caches, workers, model,
        wrapped=workers.wrap(torch.compile(model) if compiled else model),  # type: ignore[arg-type]
        optimizer=optimizer, step=step, batches=Batches(plan.segment, tokens, workers, size),
        precision=precision, scaler=loss_scaler(workers.device, precision, about.get("scaler")), is_compiled=compiled,
        notes=(*notes, *told),
    )  # fmt: skip


def _compiled(workers: Workers, asked: bool | None) -> tuple[bool, tuple[str, ...]]:
    """Whether to compile the model: where it was asked for, or, without a word, on a GPU where that works; and a note."""
    if not (workers.device.type == "cuda" if asked is None else asked):
        return False, ()
    why_not = why_not_compiled(workers.device)
    if workers.least(int(why_not is None)):
        return True, ()
    sentence = f"torch.compile does not work here ({why_not or 'on another worker'})"
    if asked:
        raise ValueError(f"{sentence}: install what it names, or leave --compile out")
    return False, (f"{sentence}: the model was not compiled, and is slower",)


def _batch_size(
    plan: Plan, workers: Workers, model: nn.Module, precision: str, asked: int | None, remembered: Mapping[str, Any] | None
) -> tuple[int, tuple[str, ...]]:
    """Sequences that each worker takes at once, and a note when they are fewer than what was asked for.

    On a GPU the number is tried out, unless the checkpoint remembers it for the same device, precision and workers.
    """
    segment, tries = plan.segment, is_tried_out(workers.device)
    most = MOST_TOKENS_AT_ONCE if tries else TOKENS_AT_ONCE
    size = micro_batch(segment.sequences_per_step, segment.seq_len, workers.count, asked, most)
    if not tries:
        return size, ()
    if asked is None and remembered and remembered["for"] == _memory(plan, workers, precision):
        return remembered["size"], ()
    fitting = largest_that_fits(size, lambda tried: try_step(model, tried, segment.seq_len, workers.device, precision))
    fitting = workers.least(fitting)
    told = f"batch_size={size} is more than the memory holds: {fitting} sequences were taken at once"
    return fitting, (told,) if asked and fitting < size else ()


def is_tried_out(device: torch.device) -> bool:
    """Whether the size of a micro-batch is found by trying: where memory is the device's own, and runs out with an error."""
    return device.type == "cuda"


def _memory(plan: Plan, workers: Workers, precision: str) -> list[Any]:
    """What the largest micro-batch depends on, beside the run."""
    device = workers.device
    name, size = "", 0
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, size = properties.name, properties.total_memory
    return [name, size, precision, workers.count, plan.segment.total_batch_size]


def find_for(plan: Plan) -> Checkpoint | None:
    """The checkpoint that a plan goes on from: the segment's newest, else the one where it starts. None for a fresh start.

    Raises:
        ValueError: there is none, or it does not belong to the plan.
    """
    run, segment = plan.run, plan.segment
    newest = found = find_checkpoint(run.folder / CHECKPOINTS)
    if newest is not None and newest.at[0] < plan.index:
        begun = find_step(run.folder / CHECKPOINTS, plan.index - 1, segment.start_step)
        found = replace(begun, passed_over=newest.passed_over) if begun else None
    index, step = found.at if found else (0, 0)
    if index > plan.index or not segment.start_step <= step <= segment.end_step:
        raise ValueError(
            f"run {run.name} shall train steps {segment.start_step} to {segment.end_step}, but its newest whole checkpoint "
            f"is of step {newest.step if newest else 0}: remove damaged ones from {run.folder / CHECKPOINTS}, and train again"
        )
    if found is None:
        return None
    if found.about["config"] != config_json(run.config):
        raise ValueError(f"{found.folder} belongs to another run than {run.folder}: restore the folder from a copy")
    order = found.about["order"]
    past = run.segments[order["segment"]] if order["segment"] < len(run.segments) else None
    steps = order["first_step"], order["last_step"]
    if past is None or steps[1] > past.end_step or order["digest"] != order_digest(past, *steps):
        raise ValueError(
            f"the data order of run {run.name} up to step {step} is not what {found.folder} recorded: segments.json was "
            "changed, or this raywiki orders data otherwise; restore the one or the other"
        )
    return found


def _told(passed_over: Sequence[str], step: int) -> tuple[str, ...]:
    if not passed_over:
        return ()
    return (f"{', '.join(passed_over)} was damaged or incomplete: the steps after step {step:,} were done again",)


@contextmanager
def last_weights(training: Training) -> Iterator[int]:
    """Inside, the model has the run's last weights, which a plan may leave aside; the step that they are of.

    They are the training's own where it leaves none aside, or where their checkpoint is not whole any more.
    """
    plan, folder = training.plan, training.plan.run.folder / CHECKPOINTS
    aside = None
    if plan.leaves_aside:
        end = plan.run.segments[plan.index - 1].end_step
        aside = training.workers.first(lambda: find_step(folder, plan.index - 1, end))
    if aside is None:
        yield training.step
        return
    own = training.workers.first(lambda: find_for(plan))
    assert own is not None, "what leaves weights aside goes on from a checkpoint"
    load_weights(training.model, aside.folder)
    yield aside.step
    load_weights(training.model, own.folder)


def load_state(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer | None, device: torch.device) -> None:
    """Put a checkpoint's tensors into a model and its optimiser.

    Raises:
        ValueError: a file holds anything but tensors and plain values. It is not run.
    """
    load_weights(model, checkpoint.folder)
    if optimizer is not None:
        optimizer.load_state_dict(read_torch(checkpoint.folder / OPTIMIZER, device))


def save(training: Training, keep: int, val_loss: Mapping[str, float | None]) -> Path:
    """Save a checkpoint of this step; its folder, on every worker.

    The `keep` newest stay, the best of the segment, each segment's last, and the last one before each decay: from there the
    run can grow for as long as it lives.

    Args:
        training: what is saved.
        keep: at least 1.
        val_loss: by part, as far as this step was evaluated.
    """
    plan, step = training.plan, training.step
    losses = [loss for loss in val_loss.values() if loss is not None]
    always = {(n, at) for n, each in enumerate(plan.run.segments) for at in (each.trunk_step, each.end_step)}
    first = max(plan.segment.start_step, step - RECORDED_STEPS)
    digest = order_digest(plan.segment, first, step)
    about = {
        "segment": plan.index,
        "val_loss": sum(losses) / len(losses) if losses else None,
        "config": config_json(plan.run.config),
        "precision": training.precision,
        "scaler": training.scaler.state_dict(),
        "batch_size": {
            "for": _memory(plan, training.workers, training.precision),
            "size": training.batches.batch_size,
        },
        "order": {"segment": plan.index, "first_step": first, "last_step": step, "digest": digest},
        "versions": {
            "raywiki": raywiki.__version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }
    files = {
        MODEL: lambda path: save_weights(training.model, path),
        OPTIMIZER: lambda path: torch.save(training.optimizer.state_dict(), path),
    }
    return training.workers.first(lambda: save_checkpoint(training.folder / CHECKPOINTS, step, files, about, keep, always))
