"""From coordinates to tensors: token windows of a part's cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from raywiki.training.classic import IGNORED
from raywiki.training.order import Samples


def read_samples(tokens: Sequence[np.ndarray], samples: Samples, seq_len: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs and targets, int64 of shape (n, seq_len) each. `tokens` has the training tokens of each part of the segment."""
    n = len(samples)
    windows = np.empty((n, seq_len + 1), np.int64)
    for row, (part, start) in enumerate(zip(samples.part, samples.start, strict=True)):
        ring = tokens[part]
        head = ring[start : start + seq_len + 1]
        windows[row, : len(head)] = head
        windows[row, len(head) :] = ring[: seq_len + 1 - len(head)]
    return _to_device(windows, samples.n_targets, device)


def val_windows(tokens: np.ndarray, seq_len: int, limit: int) -> np.ndarray:
    """Starts of the validation windows of a part: all of them, or `limit` spread evenly. Nothing random, for ever the same.

    The windows cover tokens 1 … n-1 as targets, each once; the last may be shorter than seq_len.
    """
    count = -(-(len(tokens) - 1) // seq_len) if len(tokens) > 1 else 0
    chosen = np.arange(count) if count <= limit else np.arange(limit) * count // limit
    return chosen * seq_len


def read_windows(tokens: np.ndarray, starts: np.ndarray, seq_len: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs and targets of windows that end with the array; what lies behind its end is 0 and no target."""
    windows = np.zeros((len(starts), seq_len + 1), np.int64)
    for row, start in enumerate(starts):
        piece = tokens[start : start + seq_len + 1]
        windows[row, : len(piece)] = piece
    return _to_device(windows, np.minimum(seq_len, len(tokens) - 1 - starts), device)


def _to_device(windows: np.ndarray, n_targets: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    ids = torch.from_numpy(windows[:, :-1].copy())
    targets = torch.from_numpy(windows[:, 1:].copy())
    targets[torch.arange(targets.size(1))[None, :] >= torch.from_numpy(n_targets)[:, None]] = IGNORED
    if device.type == "cuda":
        return ids.pin_memory().to(device, non_blocking=True), targets.pin_memory().to(device, non_blocking=True)
    return ids.to(device), targets.to(device)
