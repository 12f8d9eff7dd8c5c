"""What forward passes compute with. Weights, gradients and the optimiser's moments are float32 whatever is chosen."""

from __future__ import annotations

from typing import Any

import torch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 1.0  # of an fp16 loss: gradients that overflow with it are no question of precision any more


def choose_precision(device: torch.device, asked: str | None = None) -> str:
    """ "fp32", "bf16" or "fp16": what was asked for, or ("auto") what suits the device.

    That is bf16 on a GPU that computes with it, fp16 on one that has only that, and fp32 on a CPU. Emulated bf16 would be
    slower than float32.

    >>> choose_precision(torch.device("cpu"))
    'fp32'
    """
    if asked not in (None, "auto"):
        return asked
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def autocast(device: torch.device, precision: str | None = None) -> torch.autocast:
    """Context of a forward pass; see `choose_precision`."""
    dtype = DTYPES[choose_precision(device, precision)]
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def loss_scaler(device: torch.device, precision: str, state: dict[str, Any] | None = None) -> torch.amp.GradScaler:
    """What keeps small gradients of fp16 from vanishing, as a checkpoint left it; without effect for other precisions."""
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    if state and scaler.is_enabled():
        scaler.load_state_dict(state)
    return scaler
