"""One optimiser step: gradients by micro-batches, clipped, and applied. What does not fit or overflows is done again."""

from __future__ import annotations

import math
from contextlib import closing, nullcontext

import torch
from torch import Tensor, nn

from raywiki.training.fitting import smaller
from raywiki.training.optim import GRAD_CLIP
from raywiki.training.order import hash64
from raywiki.training.precision import SMALLEST_SCALE, autocast
from raywiki.training.state import Training


def update(training: Training) -> tuple[Tensor, Tensor]:
    """Apply the clipped gradient of the step's mean loss. This worker's share of that loss, and the gradient's norm.

    When memory runs out, the step is done again with half the micro-batch, and a note says so; with several workers the others
    are waiting for this one's gradients by then, so the error is raised, with its `batch_size`. A gradient that overflows in
    fp16 is made again with a loss scaled half as much: no step is left out.

    Raises:
        ValueError: one sequence is too much for the device.
        torch.OutOfMemoryError: memory ran out with several workers, or in the optimiser's own step.
    """
    while True:
        made = _gradients_if_they_fit(training)
        if made is None:
            _take_less(training)
            continue
        share, norm = made
        training.scaler.update()
        if not training.scaler.is_enabled() or math.isfinite(norm) or training.scaler.get_scale() < SMALLEST_SCALE:
            break
        training.model.zero_grad(set_to_none=True)
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)
    return share, norm


def _gradients_if_they_fit(training: Training) -> tuple[Tensor, Tensor] | None:
    try:
        return _gradients(training), _clip(training)
    except torch.OutOfMemoryError as error:
        if training.workers.count > 1:
            vars(error)["batch_size"] = training.batches.batch_size  # for whoever takes the segment up again
            raise
    return None  # outside of the handler, whose traceback would hold on to the memory


def _gradients(training: Training) -> Tensor:
    """Gradients of the step's mean loss, in the weights; this worker's share of the loss."""
    workers, step = training.workers, training.step
    if training.plan.run.config.dropout:  # seeded anew in each step, so that no generator's state need be saved
        torch.manual_seed(hash64(training.segment.seed, "dropout", step, workers.rank))
    total = torch.zeros((), device=workers.device)
    with closing(training.batches.of(step)) as batches:
        for ids, targets, n_targets, is_last in batches:
            # Workers exchange gradients once a step, with the last micro-batch.
            with nullcontext() if is_last or workers.count == 1 else training.wrapped.no_sync():
                with autocast(workers.device, training.precision):
                    loss = training.wrapped(ids, targets) / n_targets
                # the loss is a sum over workers, but their gradients are averaged
                training.scaler.scale(loss * workers.count).backward()
            total += loss.detach()
    return total


def _clip(training: Training) -> Tensor:
    """Clip the gradients; their norm before."""
    if training.scaler.is_enabled():
        training.scaler.unscale_(training.optimizer)
    gradients = [weight.grad for weight in training.model.parameters() if weight.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    # On a CPU the norm is known: most steps spare a pass over all gradients. On a GPU nobody waits for it.
    if norm.device.type != "cpu" or not norm <= GRAD_CLIP:
        nn.utils.clip_grads_with_norm_(list(training.model.parameters()), GRAD_CLIP, norm)
    return norm


def _take_less(training: Training) -> None:
    training.model.zero_grad(set_to_none=True)
    if training.workers.device.type == "cuda":
        torch.cuda.empty_cache()
    before = training.batches.batch_size
    training.batches.batch_size = smaller(before)
    training.notes += (
        f"memory ran out at step {training.step:,} with {before} sequences at once: it was done again, and went on, with "
        f"{training.batches.batch_size}",
    )
