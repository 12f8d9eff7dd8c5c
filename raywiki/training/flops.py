"""How much of the device is used: MFU, against what this very device can do, and as nanoGPT counts it.

MFU (Chowdhery et al. 2022, appendix B) is the operations that the model needs for a token, 6N + 12·L·H·Q·T, times the tokens of
a second, by the operations that the device could do in a second. nanoGPT takes the 312 TFLOP/s of an A100 in bfloat16 for the
latter, whatever the device; here that is measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import torch

from raywiki.training.precision import DTYPES, choose_precision
from raywiki.training.workers import find_device

A100 = 312e12  # FLOP/s, dense bfloat16 (NVIDIA's data sheet of the A100)
SIDES = {"cpu": (512, 1024, 1536), "cuda": (2048, 4096, 8192)}  # of square matrices
SECONDS = 1.0  # to measure for, all shapes together
# FLOPs of a stretch of training from which a second of measuring is too little to be noticed, a minute or two of most devices.
WORTH_IT = {"cpu": 1e13, "cuda": 1e15}
# The share of the device's own matrix products that a training is taken to reach where none was measured. CPU: the median of
# nano's steps on two shared cores (benchmarks/plan_ratios.md). GPU: nanoGPT's README and its
# config/train_gpt2.py have 300 billion tokens of GPT-2 (124M) in about 4 days on 8 A100, 0.30 of the 312 TFLOP/s of each.
SHARES = {"cpu": 0.5, "cuda": 0.3}


@dataclass(frozen=True)
class Rate:
    """Operations of training that a device is taken to do in a second: `share` of `peak` FLOP/s, in `precision`."""

    device: str
    precision: str
    peak: float
    share: float

    def tok_per_sec(self, flops_per_token: float) -> float:
        return self.peak * self.share / flops_per_token


def expected_rate(device: str | None = None) -> Rate:
    """What to expect of a device, which is measured for a second. Raises ValueError when it is not there."""
    chosen = find_device(device)
    precision = choose_precision(chosen)
    if chosen.type not in SHARES:
        raise ValueError(f"there is no device {chosen.type!r} to plan for: choose cpu or cuda")
    return Rate(chosen.type, precision, matmul_peak(chosen, precision), SHARES[chosen.type])


def is_worth_measuring(flops: float, device: torch.device) -> bool:
    """Whether so many operations take so long that measuring the device first is no loss."""
    return flops >= WORTH_IT.get(device.type, float("inf"))


@lru_cache
def matmul_peak(device: torch.device, precision: str, seconds: float = SECONDS) -> float:
    """FLOP/s of the device's own matrix products, 2·n³ operations for n × n matrices: the best shape's median.

    Measured once in a process, with the float32 setting (TF32 or not) that is valid then.
    """
    return max(_rate(device, precision, side, seconds / len(SIDES[device.type])) for side in SIDES[device.type])


def _rate(device: torch.device, precision: str, side: int, seconds: float) -> float:
    a, b = (torch.randn(side, side, device=device, dtype=DTYPES[precision], generator=_random(device)) for _ in range(2))
    out, times, ends = torch.empty_like(a), list[float](), time.monotonic() + seconds
    torch.mm(a, b, out=out)  # the first product of a shape also chooses its kernel
    while len(times) < 3 or time.monotonic() < ends:
        _wait(device)
        clock = time.perf_counter()
        torch.mm(a, b, out=out)
        _wait(device)
        times.append(time.perf_counter() - clock)
    return 2 * side**3 / median(times)


def _random(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(0)  # the process's own generator stays as it is


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
