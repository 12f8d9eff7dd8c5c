"""Optimisers of the recipes.

The training loop sets the learning rate of every step: that of each group is the step's times the group's `lr_factor`, 1 where
it has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

WEIGHT_DECAY, BETAS, GRAD_CLIP = 0.1, (0.9, 0.95), 1.0  # Brown et al. 2020, appendix B
MOMENTUM = 0.95  # of Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon)
# Rates of what Muon does not touch, as shares of its own; in nanochat they differ in the same directions.
VALUES_FACTOR, SCALARS_FACTOR = 10.0, 5.0


def adamw(model: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    """AdamW, in one kernel where the device has it; weight decay for matrices only, not for biases and norms.

    `lr` is what stands there before the first step.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return _adamw(
        [
            {"params": [each for each in parameters if each.dim() >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [each for each in parameters if each.dim() < 2], "weight_decay": 0.0},
        ],
        lr,
    )


def muon_and_adamw(model: Any, lr: float = 1e-3) -> torch.optim.Optimizer | Together:
    """For `modern.GPT`: Muon for the matrices of its blocks, AdamW for all else. Only those matrices decay.

    Muon's step is scaled to be as large as AdamW's (Liu et al., arXiv 2502.16982), so that one learning rate serves both.
    Without the piece `muon`, AdamW has the matrices, too.

    Raises:
        ValueError: this torch has no Muon.
    """
    blocks = list(model.blocks.parameters())
    matrices = [each for each in blocks if each.dim() == 2]
    scalars = [each for each in [*blocks, model.mix] if each is not None and each.dim() != 2]
    values = list(model.values.parameters())
    known = {id(each) for each in [*blocks, *scalars, *values]}
    rest = [each for each in model.parameters() if id(each) not in known]
    groups = [
        {"params": rest, "weight_decay": 0.0, "lr_factor": 1.0},
        {"params": values, "weight_decay": 0.0, "lr_factor": VALUES_FACTOR},
        {"params": scalars, "weight_decay": 0.0, "lr_factor": SCALARS_FACTOR},
    ]
    if not model.pieces.muon:
        return _adamw([{"params": matrices, "weight_decay": WEIGHT_DECAY, "lr_factor": 1.0}, *groups], lr)
    return Together(_muon(matrices, lr), _adamw(groups, lr))


class Together:
    """Several optimisers of weights that no two of them share, to be used as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for each in self.optimizers for group in each.param_groups]

    def step(self) -> None:
        for each in self.optimizers:
            each.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for each in self.optimizers:
            each.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"together": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for each, state in zip(self.optimizers, state_dict["together"], strict=True):
            each.load_state_dict(state)


def _adamw(groups: list[dict[str, Any]], lr: float) -> torch.optim.Optimizer:
    groups = [group for group in groups if group["params"]]
    fused = {parameter.device.type for group in groups for parameter in group["params"]} <= {"cpu", "cuda"}
    return torch.optim.AdamW(groups, lr=lr, betas=BETAS, fused=fused)


def _muon(matrices: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(
            f"the recipe modern trains with Muon, which torch {torch.__version__} does not have: install torch 2.9 or later, "
            "or take --recipe modern,no_muon for a new run"
        )
    return torch.optim.Muon(matrices, lr=lr, weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw")
