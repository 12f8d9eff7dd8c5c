"""Learning rate as a pure function of the step within a segment."""

from __future__ import annotations

import math

FINAL = 0.1  # where "cosine" and "rewarm" end, as a share of the peak (Hoffmann et al. 2022)
DECAY = 0.2  # share of a "wsd" segment spent decaying (Hägele et al., arXiv 2405.18392)

SCHEDULES = {
    "cosine": "warm-up from 0, then a cosine to a tenth of the peak",
    "wsd": "warm-up from 0, constant, and over the last fifth down to 0 by 1 - sqrt",
    "rewarm": "for a run that goes on: warm-up from a tenth of the peak, where it had ended, then a cosine back to it",
    "constant": "the same rate throughout",
}


def learning_rate(schedule: str, step: int, steps: int, lr: float, warmup_steps: int) -> float:
    """Learning rate of a step (0 … steps - 1) of a segment of `steps` steps with peak `lr`.

    Raises:
        ValueError: there is no such schedule.

    >>> [round(learning_rate("cosine", step, 6, 1.0, 2), 2) for step in range(6)]
    [0.5, 1.0, 0.87, 0.55, 0.23, 0.1]
    >>> [round(learning_rate("rewarm", step, 6, 1.0, 2), 2) for step in range(6)]
    [0.55, 1.0, 0.87, 0.55, 0.23, 0.1]
    """
    check_schedule(schedule)
    assert 0 <= step < steps
    if schedule == "constant":
        return lr
    if step < warmup_steps:
        share = (step + 1) / warmup_steps
        return lr * (FINAL + (1 - FINAL) * share if schedule == "rewarm" else share)
    if schedule == "wsd":
        decay = max(1, round(DECAY * steps))
        left = steps - step  # counts the step itself, so that the last one still learns
        return lr if left > decay else lr * (1 - math.sqrt(1 - left / (decay + 1)))
    progress = (step + 1 - warmup_steps) / max(1, steps - warmup_steps)
    return lr * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * progress)))


def check_schedule(schedule: str) -> str:
    """The same name; ValueError when there is no such schedule."""
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule!r}: choose one of {', '.join(SCHEDULES)}")
    return schedule
