"""Losses and gradient norms of the last steps, left on the device until several of them are worth waiting for.

To read a number from a GPU, the process waits until the GPU has done all that was asked of it, and then the GPU waits for the
process. So numbers stay there for about half a second of steps. A CPU has nothing to wait for: there every step is read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from raywiki.training.workers import Workers

SECONDS = 0.5  # between two readings, about
MOST_STEPS = {"cuda": 32}  # between two readings; 1 on other devices


@dataclass(frozen=True)
class Step:
    """What a step brought: the run's steps after it, its loss (nats a token), gradient norm and learning rate, and its time."""

    step: int
    loss: float
    norm: float
    lr: float
    seconds: float


@dataclass
class Readback:
    """The steps that were not read yet. All workers read after the same steps."""

    workers: Workers
    every: int = 1
    waiting: list[tuple[int, float, Tensor, Tensor]] = field(default_factory=list)
    began: float = 0.0

    def begin(self) -> None:
        """A step begins: the clock starts, unless it runs for steps that are not read yet."""
        if not self.waiting:
            self.began = time.monotonic()

    def add(self, step: int, lr: float, share: Tensor, norm: Tensor) -> None:
        """A step was asked of the device; `share` is what its loss owes to this worker."""
        self.waiting.append((step, lr, share, norm))

    @property
    def is_due(self) -> bool:
        return len(self.waiting) >= self.every

    def read(self) -> list[Step]:
        """All steps that were waiting; those that were read together share their time equally."""
        if not self.waiting:
            return []
        values = torch.stack([torch.stack([share.double(), norm.double()]) for *_, share, norm in self.waiting]).tolist()
        *losses, seconds = self.workers.sum(*(share for share, _ in values), time.monotonic() - self.began)
        each = max(seconds / self.workers.count / len(self.waiting), 1e-9)  # on every worker the same, so `every` is, too
        steps = [
            Step(step, loss, norm, lr, each)
            for (step, lr, *_), loss, (_, norm) in zip(self.waiting, losses, values, strict=True)
        ]
        self.waiting = []
        self.every = max(1, min(MOST_STEPS.get(self.workers.device.type, 1), int(SECONDS / each)))
        return steps
