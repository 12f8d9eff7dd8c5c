"""Training a GPT on token shards, one segment after another. Knows torch and no cluster.

    shards → cache.open_cache   → the tokens of a part as one flat array
    runs.plan_segment           → what to train next: a segment of a run (runs/<run>/segments.json)
    loop.train_segment          → trains it, on one process or several; checkpoints, metrics.jsonl
    order, schedule             → data order and learning rate, pure functions of (segment, step)
    sampling.load_model, sampling.generate → text from a checkpoint

Only `model`, `optim`, `evaluate`, `workers`, `loop` and `sampling` import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "GPTConfig": "raywiki.training.config",
    "PartTokens": "raywiki.training.runs",
    "Plan": "raywiki.training.runs",
    "RECIPES": "raywiki.training.config",
    "Run": "raywiki.training.runs",
    "RunConfig": "raywiki.training.runs",
    "SIZES": "raywiki.training.config",
    "Segment": "raywiki.training.order",
    "SegmentResult": "raywiki.training.loop",
    "TokenCache": "raywiki.training.cache",
    "generate": "raywiki.training.sampling",
    "load_model": "raywiki.training.sampling",
    "model_digest": "raywiki.training.checkpoint",
    "open_cache": "raywiki.training.cache",
    "open_run": "raywiki.training.runs",
    "order_digest": "raywiki.training.order",
    "plan_segment": "raywiki.training.runs",
    "read_metrics": "raywiki.training.metrics",
    "train_segment": "raywiki.training.loop",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


if TYPE_CHECKING:
    from raywiki.training.cache import TokenCache as TokenCache
    from raywiki.training.cache import open_cache as open_cache
    from raywiki.training.checkpoint import model_digest as model_digest
    from raywiki.training.config import RECIPES as RECIPES
    from raywiki.training.config import SIZES as SIZES
    from raywiki.training.config import GPTConfig as GPTConfig
    from raywiki.training.loop import SegmentResult as SegmentResult
    from raywiki.training.loop import train_segment as train_segment
    from raywiki.training.metrics import read_metrics as read_metrics
    from raywiki.training.order import Segment as Segment
    from raywiki.training.order import order_digest as order_digest
    from raywiki.training.runs import PartTokens as PartTokens
    from raywiki.training.runs import Plan as Plan
    from raywiki.training.runs import Run as Run
    from raywiki.training.runs import RunConfig as RunConfig
    from raywiki.training.runs import open_run as open_run
    from raywiki.training.runs import plan_segment as plan_segment
    from raywiki.training.sampling import generate as generate
    from raywiki.training.sampling import load_model as load_model
