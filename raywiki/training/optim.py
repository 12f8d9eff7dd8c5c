"""Optimisers of the recipes."""

from __future__ import annotations

import torch
from torch import nn

WEIGHT_DECAY, BETAS, GRAD_CLIP = 0.1, (0.9, 0.95), 1.0  # Brown et al. 2020, appendix B


def adamw(model: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    """AdamW, in one kernel where the device has it; weight decay for matrices only, not for biases and norms.

    The training loop sets the learning rate of every step; `lr` is what stands there before the first.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [each for each in parameters if each.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [each for each in parameters if each.dim() < 2], "weight_decay": 0.0},
    ]
    fused = {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}
    return torch.optim.AdamW(groups, lr=lr, betas=BETAS, fused=fused)
