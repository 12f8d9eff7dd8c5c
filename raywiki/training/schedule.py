"""Learning rate as a pure function of the step within a segment."""

from __future__ import annotations

import math

FINAL = 0.1  # where "cosine" and "rewarm" end, as a share of the peak (Hoffmann et al. 2022)
DECAY = 0.2  # share of a "wsd" segment spent decaying (Hägele et al., arXiv 2405.18392)

SCHEDULES = {
    "cosine": "warm-up to the peak, then a cosine to a tenth of it",
    "wsd": "warm-up, constant, and over the last fifth down to 0 by 1 - sqrt",
    "rewarm": "a cosine for a run that goes on: its warm-up begins at the rate where the run had ended",
    "constant": "warm-up, then the same rate throughout",
}


def learning_rate(schedule: str, step: int, steps: int, lr: float, warmup_steps: int, lr_from: float | None = 0.0) -> float:
    """Learning rate of a step (0 … steps - 1) of a segment of `steps` steps with peak `lr`.

    The warm-up is a straight line from `lr_from` to the peak: from 0 in a new run, from where the run had ended in a later
    segment (a decline, where that was higher). None: as raywiki did before it recorded that rate, from a tenth of the peak
    for "rewarm", from 0 for "cosine" and "wsd", and no warm-up for "constant".

    Raises:
        ValueError: there is no such schedule.

    >>> [round(learning_rate("cosine", step, 6, 1.0, 2), 2) for step in range(6)]
    [0.5, 1.0, 0.87, 0.55, 0.23, 0.1]
    >>> [round(learning_rate("rewarm", step, 6, 1.0, 2, lr_from=0.1), 2) for step in range(6)]
    [0.55, 1.0, 0.87, 0.55, 0.23, 0.1]
    """
    check_schedule(schedule)
    assert 0 <= step < steps
    if lr_from is None:
        lr_from = {"rewarm": FINAL * lr, "constant": lr}.get(schedule, 0.0)
    if step < warmup_steps:
        return lr_from + (lr - lr_from) * (step + 1) / warmup_steps
    if schedule == "constant":
        return lr
    if schedule == "wsd":
        decay = decay_steps(schedule, steps)
        left = steps - step  # counts the step itself, so that the last one still learns
        return lr if left > decay else lr * (1 - math.sqrt(1 - left / (decay + 1)))
    progress = (step + 1 - warmup_steps) / max(1, steps - warmup_steps)
    return lr * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * progress)))


def decay_steps(schedule: str, steps: int) -> int:
    """How many of the last steps a schedule spends on a decay before which the run can go on as if there were none.

    >>> decay_steps("wsd", 100), decay_steps("cosine", 100)
    (20, 0)
    """
    return max(1, round(DECAY * steps)) if schedule == "wsd" else 0


def check_schedule(schedule: str) -> str:
    """The same name; ValueError when there is no such schedule."""
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule!r}: choose one of {', '.join(SCHEDULES)}")
    return schedule
