"""How many sequences a worker takes at once: as many as its memory holds, which is found by trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from raywiki.training.options import at_least_1
from raywiki.training.precision import autocast

TOKENS_AT_ONCE = 1 << 13  # micro-batch on a CPU where none is asked for
MOST_TOKENS_AT_ONCE = 1 << 17  # micro-batch of a GPU at most: it is busy long before


def micro_batch(sequences: int, seq_len: int, workers: int, batch_size: int | None, most: int = TOKENS_AT_ONCE) -> int:
    """Sequences that a worker takes at once: the given number, or the largest that fits `most` tokens and leaves no small rest.

    Raises:
        ValueError: a step has fewer sequences than there are workers.

    >>> micro_batch(512, 1024, workers=1, batch_size=None), micro_batch(12, 256, workers=5, batch_size=3)
    (8, 3)
    """
    if sequences < workers:
        raise ValueError(
            f"{workers} workers cannot share the {sequences} sequences of a step: take fewer workers, or a total_batch_size of "
            f"at least {workers * seq_len}"
        )
    if batch_size is not None:
        return at_least_1("batch_size", batch_size)
    share = -(-sequences // workers)
    return -(-share // -(-share // max(1, most // seq_len)))


def smaller(batch_size: int) -> int:
    """The next size to try where this one did not fit: half of it.

    Raises:
        ValueError: one sequence is too much.
    """
    if batch_size == 1:
        raise ValueError(
            "the device has not enough memory for one sequence of this model: take a smaller --size or --seq-len, "
            "or a larger GPU"
        )
    return -(-batch_size // 2)


def largest_that_fits(batch_size: int, fits: Callable[[int], bool]) -> int:
    """`batch_size`, or the first of its halves that fits.

    >>> largest_that_fits(12, lambda size: size < 5)
    3
    """
    while not fits(batch_size):
        batch_size = smaller(batch_size)
    return batch_size


def try_step(model: nn.Module, batch_size: int, seq_len: int, device: torch.device, precision: str) -> bool:
    """Whether so many sequences fit while all else that training needs is there: gradients, and the optimiser's two moments.

    Weights stay as they are and no gradient is left. The model is not compiled here, and then needs no less memory.
    """
    ids = torch.zeros((batch_size, seq_len), dtype=torch.int64, device=device)
    held: list[Any] = []
    try:
        held += [torch.empty_like(weight) for weight in model.parameters() for _ in range(2)]
        for _ in range(2):  # the second time, the gradients of the first are there
            with autocast(device, precision):
                loss = model(ids, ids)
            loss.backward()
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        model.zero_grad(set_to_none=True)
        held.clear()
        if device.type == "cuda":
            torch.cuda.empty_cache()
