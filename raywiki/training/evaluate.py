"""Validation loss of each part, on windows that never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import nn

from raywiki.training.batches import read_windows, val_windows
from raywiki.training.precision import autocast
from raywiki.training.workers import Workers


def evaluate(
    model: nn.Module, val: Mapping[str, np.ndarray], parts: Iterable[str], seq_len: int, workers: Workers,
    batch_size: int, limit: int, precision: str | None = None,
) -> dict[str, float | None]:  # fmt: skip
    """Mean loss in nats a token of each part's validation text; None for a part with fewer than two such tokens.

    Draws no random number and leaves the model in the mode it had, so that how often it is called changes no training.

    Args:
        model: the bare model; every worker calls this with the same weights, and the windows are shared out.
        val: validation tokens of each part.
        limit: windows of a part at most.
        precision: see `precision.choose_precision`.
    """
    was_training = model.training
    model.eval()
    losses = {name: _loss(model, val[name], seq_len, workers, batch_size, limit, precision) for name in parts}
    model.train(was_training)
    return losses


@torch.no_grad()
def _loss(
    model: nn.Module, tokens: np.ndarray, seq_len: int, workers: Workers, batch_size: int, limit: int, precision: str | None
) -> float | None:
    starts = val_windows(tokens, seq_len, limit)
    if not len(starts):
        return None
    total = torch.zeros((), dtype=torch.float64, device=workers.device)
    mine = starts[workers.rank :: workers.count]
    for first in range(0, len(mine), batch_size):
        ids, targets = read_windows(tokens, mine[first : first + batch_size], seq_len, workers.device)
        with autocast(workers.device, precision):
            total += model(ids, targets).double()
    n_targets = int(np.minimum(seq_len, len(tokens) - 1 - starts).sum())
    return workers.sum(total.item())[0] / n_targets
