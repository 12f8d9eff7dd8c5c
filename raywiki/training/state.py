"""What a segment works on: model, optimiser and step, from the newest checkpoint and into the next one."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import raywiki
from raywiki.training.cache import TokenCache
from raywiki.training.checkpoint import Checkpoint, find_checkpoint, save_checkpoint
from raywiki.training.config import find_recipe
from raywiki.training.init_from import load_init
from raywiki.training.order import Segment, order_digest
from raywiki.training.plan import Plan
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
    notes: tuple[str, ...] = ()  # what whoever reads the result should know

    @property
    def segment(self) -> Segment:
        return self.plan.segment

    @property
    def folder(self) -> Path:
        return self.plan.run.folder

    @property
    def tokens(self) -> int:
        """Tokens of all batches of the run so far."""
        before = self.plan.run.segments[: self.plan.index]
        own = (self.step - self.segment.start_step) * self.segment.total_batch_size
        return sum(each.steps * each.total_batch_size for each in before) + own


def start(plan: Plan, caches: Mapping[str, TokenCache], workers: Workers, compile: bool) -> Training:
    """Model and optimiser as the newest checkpoint left them, or fresh; or with the weights that the run is to begin with.

    Raises:
        ValueError: the checkpoint does not belong to the plan, or those weights are not there any more.
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
    elif config.init_from is not None and config.init_sha256 is not None:
        load_init(config.init_from, config.init_sha256, plan.run.folder.parent, config.model, model)
    trained: Any = torch.compile(model) if compile else model
    step, notes = (found.step, _passed_over(found)) if found else (0, ())
    return Training(plan, caches, workers, model, workers.wrap(trained), optimizer, step, notes)


def find_for(plan: Plan) -> Checkpoint | None:
    """The checkpoint that a plan goes on from, or None for a fresh start. See `start`."""
    run, segment = plan.run, plan.segment
    found = find_checkpoint(run.folder / CHECKPOINTS)
    step = found.step if found else 0
    if not segment.start_step <= step <= segment.end_step:
        raise ValueError(
            f"run {run.name} shall train steps {segment.start_step} to {segment.end_step}, but its newest whole checkpoint "
            f"is of step {step}: remove damaged ones from {run.folder / CHECKPOINTS}, and train again"
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


def _passed_over(found: Checkpoint) -> tuple[str, ...]:
    if not found.passed_over:
        return ()
    names = ", ".join(found.passed_over)
    return (f"{names} was damaged or incomplete: the steps after step {found.step:,} were done again",)


def load_state(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer | None, device: torch.device) -> None:
    """Put a checkpoint's tensors into a model and its optimiser.

    Raises:
        ValueError: a file holds anything but tensors and plain values. It is not run.
    """
    load_weights(model, checkpoint.folder)
    if optimizer is not None:
        optimizer.load_state_dict(read_torch(checkpoint.folder / OPTIMIZER, device))


def save(training: Training, keep: int) -> Path:
    """Save a checkpoint of this step and keep the `keep` newest; its folder, on every worker."""
    plan, step = training.plan, training.step
    first = max(plan.segment.start_step, step - RECORDED_STEPS)
    digest = order_digest(plan.segment, first, step)
    about = {
        "segment": plan.index,
        "config": config_json(plan.run.config),
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
    return training.workers.first(lambda: save_checkpoint(training.folder / CHECKPOINTS, step, files, about, keep))
