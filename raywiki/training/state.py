"""What a segment works on: model, optimiser and step, from the newest checkpoint and into the next one."""

from __future__ import annotations

import importlib
import pickle
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import raywiki
from raywiki.training.cache import TokenCache
from raywiki.training.checkpoint import Checkpoint, checkpoint_names, find_checkpoint, find_step, save_checkpoint
from raywiki.training.config import find_recipe
from raywiki.training.order import Segment, order_digest
from raywiki.training.plan import Plan
from raywiki.training.runs import CHECKPOINTS
from raywiki.training.workers import Workers

MODEL, OPTIMIZER = "model.pt", "optimizer.pt"
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
    notes: tuple[str, ...] = ()  # what whoever reads the result should know

    @property
    def segment(self) -> Segment:
        return self.plan.segment

    @property
    def folder(self) -> Path:
        return self.plan.run.folder

    @property
    def tokens(self) -> int:
        """Tokens of all batches on the way to these weights."""
        return self.plan.run.tokens_at(self.plan.index, self.step)


def start(plan: Plan, caches: Mapping[str, TokenCache], workers: Workers, compile: bool) -> Training:
    """Model and optimiser as the newest checkpoint left them, or fresh.

    Raises:
        ValueError: the checkpoint does not belong to the plan.
    """
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
    trained: Any = torch.compile(model) if compile else model
    step = found.step if found else 0
    passed_over = found.passed_over if found else workers.first(lambda: checkpoint_names(plan.run.folder / CHECKPOINTS))
    return Training(plan, caches, workers, model, workers.wrap(trained), optimizer, step, _told(passed_over, step))


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
    if found.about["config"] != asdict(run.config):
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


def load_state(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer | None, device: torch.device) -> None:
    """Put a checkpoint's tensors into a model and its optimiser.

    Raises:
        ValueError: a file holds anything but tensors and plain values. It is not run.
    """
    model.load_state_dict(_load(checkpoint.folder / MODEL, device))
    if optimizer is not None:
        optimizer.load_state_dict(_load(checkpoint.folder / OPTIMIZER, device))


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than tensors, and is not loaded: it is no checkpoint of raywiki's") from error


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
        "config": asdict(plan.run.config),
        "order": {"segment": plan.index, "first_step": first, "last_step": step, "digest": digest},
        "versions": {
            "raywiki": raywiki.__version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }
    files = {
        MODEL: lambda path: torch.save(training.model.state_dict(), path),
        OPTIMIZER: lambda path: torch.save(training.optimizer.state_dict(), path),
    }
    return training.workers.first(lambda: save_checkpoint(training.folder / CHECKPOINTS, step, files, about, keep, always))
