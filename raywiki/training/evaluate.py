"""The loss of each validation window, on windows that never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from raywiki.training.batches import read_windows, val_windows
from raywiki.training.classic import IGNORED
from raywiki.training.evals import WINDOWS
from raywiki.training.precision import autocast
from raywiki.training.workers import Workers

LOGITS_AT_ONCE = 1 << 28  # half a GB of bfloat16; a window of GPT-2 has a fifth of that


def evaluate(
    model: Any, val: Mapping[str, np.ndarray], seq_len: int, workers: Workers, *, batch_size: int, limit: int,
    precision: str | None = None, byte_lengths: np.ndarray | None = None, progress: Callable[[int], object] | None = None,
) -> pa.Table:  # fmt: skip
    """Loss of the validation windows of each part; none of a part with fewer than two such tokens.

    Draws no random number and leaves the model in the mode it had, so that how often it is called changes no training.

    Args:
        model: the bare model; every worker calls this with the same weights, and the windows are shared out.
        val: validation tokens of each part.
        batch_size: windows at once, at most; fewer where their logits would take too much memory.
        limit: windows of a part at most, see `val_windows`.
        precision: see `precision.choose_precision`.
        byte_lengths: bytes of text behind each id; without it, `n_bytes` is null.
        progress: called with the number of windows that this worker has done more.

    Returns:
        A row for each window (`evals.WINDOWS`), on every worker, in the order of the parts and windows.
    """
    was_training = model.training
    model.eval()
    found = []
    for part, tokens in val.items():
        starts = val_windows(tokens, seq_len, limit)
        mine = slice(workers.rank, None, workers.count)
        losses = np.zeros(len(starts))
        losses[mine] = _losses(model, tokens, starts[mine], workers.device, batch_size, precision, progress)
        shared = workers.sum(*losses) if len(starts) else []
        n_targets = np.minimum(seq_len, len(tokens) - 1 - starts)
        targets = [tokens[first + 1 : first + 1 + n] for first, n in zip(starts, n_targets, strict=True)]
        n_bytes = [None if byte_lengths is None else int(byte_lengths[ids].sum()) for ids in targets]
        columns = [[part] * len(starts), starts, n_targets, n_bytes, shared]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, WINDOWS, strict=True)]
        found.append(pa.Table.from_arrays(arrays, schema=WINDOWS))
    model.train(was_training)
    return pa.concat_tables([WINDOWS.empty_table(), *found])


@torch.no_grad()
def _losses(
    model: Any, tokens: np.ndarray, starts: np.ndarray, device: torch.device, batch_size: int, precision: str | None,
    progress: Callable[[int], object] | None,
) -> np.ndarray:  # fmt: skip
    """Sum of the losses of each window, float64 of shape (n,)."""
    seq_len, losses = model.config.seq_len, list[Tensor]()
    at_once = min(batch_size, max(1, LOGITS_AT_ONCE // (seq_len * model.config.padded_vocab_size)))
    for first in range(0, len(starts), at_once):
        ids, targets = read_windows(tokens, starts[first : first + at_once], seq_len, device)
        with autocast(device, precision):
            logits = model(ids)
        for row, wanted in zip(logits, targets, strict=True):  # one by one: a copy in float32 of all would be large
            losses.append(F.cross_entropy(row.float(), wanted, ignore_index=IGNORED, reduction="none").double().sum())
        if progress is not None:
            progress(len(ids))
    return torch.stack(losses).cpu().numpy() if losses else np.empty(0)
