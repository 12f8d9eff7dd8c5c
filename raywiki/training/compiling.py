"""torch.compile, where it works."""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache
def why_not_compiled(device: torch.device) -> str | None:
    """What torch.compile lacks on this machine, found by compiling something small; None where it works."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # a compiler's failures come in many types
        return " ".join(str(error).split())[:160] or type(error).__name__
    return None
