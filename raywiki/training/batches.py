"""From coordinates to tensors: token windows of a part's cache."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import torch
from torch import Tensor

from raywiki.training.ahead import read_ahead
from raywiki.training.cache import Ids
from raywiki.training.loss import IGNORED
from raywiki.training.order import Samples, Segment, step_samples
from raywiki.training.workers import Workers

MicroBatch = tuple[Tensor, Tensor, int, bool]  # inputs, targets, targets of the whole step, whether it is the worker's last


class Batches:
    """What a worker reads of a segment, a step at a time, in order; read ahead by a thread until it is closed.

    Args:
        segment: whose steps these are.
        tokens: the training tokens of each of its parts.
        workers: the worker, and on which device it wants the tensors.
        batch_size: sequences of a micro-batch at most; after a change, `of` begins anew with the step it is asked for.
    """

    def __init__(self, segment: Segment, tokens: Sequence[Ids], workers: Workers, batch_size: int) -> None:
        self.segment, self.tokens, self.workers, self.batch_size = segment, tokens, workers, batch_size
        self._coming: Generator[MicroBatch, None, None] | None = None
        self._at: tuple[int, int] | None = None  # step and batch size that `_coming` goes on with

    def of(self, step: int) -> Generator[MicroBatch, None, None]:
        """The micro-batches of a step of the run."""
        if self._coming is None or self._at != (step, self.batch_size):
            self.close()
            self._coming = read_ahead(self._read(step, self.batch_size), self.workers.device)
        self._at = None  # whoever leaves half-way begins anew
        for batch in self._coming:
            is_last = batch[-1]
            if is_last:
                self._at = (step + 1, self.batch_size)
            yield batch
            if is_last:
                return

    def close(self) -> None:
        """End the thread."""
        if self._coming is not None:
            self._coming.close()
            self._coming = self._at = None

    def _read(self, first_step: int, batch_size: int) -> Generator[MicroBatch, None, None]:
        segment, workers = self.segment, self.workers
        for step in range(first_step, segment.end_step):
            whole = step_samples(segment, step)
            mine, n_targets = whole[workers.rank :: workers.count], int(whole.n_targets.sum())
            for first in range(0, len(mine), batch_size):
                rows = mine[first : first + batch_size]
                ids, targets = read_samples(self.tokens, rows, segment.seq_len, workers.device)
                yield ids, targets, n_targets, first + batch_size >= len(mine)


def read_samples(tokens: Sequence[Ids], samples: Samples, seq_len: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs and targets, int64 of shape (n, seq_len) each. `tokens` has the training tokens of each part of the segment."""
    n = len(samples)
    windows = np.empty((n, seq_len + 1), np.int64)
    for row, (part, start) in enumerate(zip(samples.part, samples.start, strict=True)):
        ring = tokens[part]
        head = ring[start : start + seq_len + 1]
        windows[row, : len(head)] = head
        if len(head) <= seq_len:
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
