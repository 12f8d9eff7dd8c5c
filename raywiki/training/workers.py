"""The processes that train together: one, or a torch.distributed process group that somebody else has set up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")
FIRST_TELLS = "raised on the first worker"  # a note of an error: the others need not tell it again


@dataclass(frozen=True)
class Workers:
    """This process's rank among `count` workers, and what they do together; all of it trivial for one."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Each value summed over all workers."""
        if self.count == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def least(self, value: int) -> int:
        """The smallest of all workers' values."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.int64, device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MIN)
        return int(tensor.item())

    def first(self, work: Callable[[], T]) -> T:
        """What `work` returns on the first worker, on all of them. What it raises there is raised everywhere."""
        if self.count == 1:
            return work()
        box: list[Any] = [None, None]
        if self.is_first:
            try:
                box[0] = work()
            except Exception as error:
                box[1] = error
        dist.broadcast_object_list(box, src=0, device=self.device if dist.get_backend() == "nccl" else None)
        if box[1] is not None:
            if not self.is_first:
                box[1].add_note(FIRST_TELLS)
            raise box[1]
        return box[0]

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the workers."""
        if self.count == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=ids)


def join(device: str | torch.device | None = None) -> Workers:
    """This process among its workers, on the named device; by default CUDA where there is a GPU, else the CPU.

    Raises:
        ValueError: the device is unknown or not there.
    """
    chosen = find_device(device)
    if dist.is_available() and dist.is_initialized():
        return Workers(dist.get_rank(), dist.get_world_size(), chosen)
    return Workers(0, 1, chosen)


@contextmanager
def process_group(device: str | None = None) -> Iterator[Workers]:
    """This process among those that torchrun has started with it, as its environment variables tell; alone without them.

    The group is NCCL's on GPUs, of which each process of a machine takes its own, and gloo's on CPUs.

    Raises:
        ValueError: the device is unknown or not there, or a machine has fewer GPUs than processes.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield join(device)
        return
    chosen = find_device(device)
    if chosen.type == "cuda":
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise ValueError(f"process {local} of this machine has no GPU, there are {there}: --nproc-per-node {there}")
        torch.cuda.set_device(local)
        chosen = torch.device("cuda", local)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield join(chosen)
    finally:
        dist.destroy_process_group()


def find_device(device: str | torch.device | None = None) -> torch.device:
    """A device that is there; see `join`."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"there is no device {device!r}: choose cpu or cuda") from error
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("device cuda was asked for, but torch sees no GPU here: choose cpu, or install torch for CUDA")
        if chosen.index is None:
            chosen = torch.device("cuda", torch.cuda.current_device())
    return chosen
