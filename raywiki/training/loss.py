"""Cross-entropy of a head with many ids, without ever holding all logits.

A step of 8 × 1,024 tokens over GPT-2's vocabulary has 1.6 GB of float32 logits, and as much again for their gradient: more
than the rest of a small model. Here they are made some rows at a time, and each piece is turned into its gradients at once,
while it is in the cache: the same number of operations, none of them done twice.

torch's own `F.linear_cross_entropy` does this since 2.13. It is not used: raywiki runs with torch 2.7, and on a CPU the size of
piece that it chooses by itself takes 5 to 8 times as long (`benchmarks/train_speed.md`).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORED = -1  # a target that does not count
LOGITS_AT_ONCE = {"cpu": 1 << 24, "cuda": 1 << 27}  # numbers: what a piece needs is small beside the weights and moments


@torch.compiler.disable  # compiling its loop takes minutes, and most of its time goes into matrix products
def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, cap: float | None = None) -> Tensor:
    """Sum of the losses, in nats, of `softmax(hidden @ weight.T)` over the targets that are not `IGNORED`; float32.

    Products are made in autocast's type where that is enabled, everything else in float32.

    Args:
        hidden: (..., width).
        weight: (ids, width), float32.
        targets: as `hidden` without its last dimension, int64.
        cap: bound the logits as `soft_cap` does.
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    rows, flat = hidden.flatten(0, -2), targets.flatten()
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        return _WithGradients.apply(rows, weight, flat, dtype, cap)
    total, head = torch.zeros((), device=hidden.device), weight.to(dtype)
    for piece in _pieces(rows, weight):
        logits = F.linear(rows[piece].to(dtype), head).float()
        logits = logits if cap is None else soft_cap(logits, cap)
        total += F.cross_entropy(logits, flat[piece], ignore_index=IGNORED, reduction="sum")
    return total


def soft_cap(logits: Tensor, cap: float) -> Tensor:
    """Logits bounded to ±`cap` by a tanh, float32; small ones hardly change (Gemma 2, arXiv 2408.00118)."""
    return cap * torch.tanh(logits.float() / cap)


def _pieces(rows: Tensor, weight: Tensor) -> list[slice]:
    size = max(1, LOGITS_AT_ONCE.get(rows.device.type, 1 << 24) // len(weight))
    return [slice(first, first + size) for first in range(0, len(rows), size)]


class _WithGradients(torch.autograd.Function):
    """The loss, its gradients being made on the way: the softmax minus 1 at the target, by the chain rule.

    On a CPU memory is what takes the time: fresh memory has to be cleared by the kernel, so pieces share two buffers, and what
    does not count is left out of the small factors instead of the large one.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, targets: Tensor, dtype: torch.dtype, cap: float | None) -> Tensor:
        total, pieces = torch.zeros((), device=rows.device), _pieces(rows, weight)
        head, for_rows, for_weight = weight.to(dtype), torch.empty_like(rows), torch.zeros_like(weight)
        shape = min(len(rows), pieces[0].stop), len(weight)
        logits, softmax = (torch.empty(shape, dtype=each, device=rows.device) for each in (dtype, torch.float32))
        bounded = torch.empty(shape if cap is not None else (0, 0), device=rows.device)
        with torch.autocast(rows.device.type, enabled=False):
            for piece in pieces:
                x, ids = rows[piece].to(dtype), targets[piece, None]
                counts = ids != IGNORED
                ids = ids.clamp(min=0)
                z = torch.mm(x, head.t(), out=logits[: len(x)])
                if cap is not None:
                    z = torch.div(z, cap, out=bounded[: len(x)]).tanh_().mul_(cap)
                log_p = torch.log_softmax(z, 1, torch.float32, out=softmax[: len(x)])
                total -= (log_p.gather(1, ids) * counts).sum()
                gradient = log_p.exp_().scatter_add_(1, ids, log_p.new_full(ids.shape, -1.0))
                if cap is not None:  # the derivative of cap · tanh(z / cap) is 1 - tanh²
                    gradient.sub_(z.div_(cap).square_().mul_(gradient))
                gradient = gradient.to(dtype)
                for_rows[piece] = (gradient @ head) * counts
                if dtype == weight.dtype:
                    for_weight.addmm_(gradient.t(), x * counts)
                else:
                    for_weight += gradient.t() @ (x * counts)
        ctx.save_for_backward(for_rows, for_weight)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        for_rows, for_weight = ctx.saved_tensors  # nobody else has them
        return for_rows.mul_(gradient), for_weight.mul_(gradient), None, None, None
