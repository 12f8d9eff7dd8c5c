"""A plan in words and figures, for whoever decides whether to start it."""

from __future__ import annotations

from typing import Any

from raywiki.training.config import recipe_name
from raywiki.training.options import PRECISIONS
from raywiki.training.order import n_windows
from raywiki.training.plan import MOST_EPOCHS, TOKENS_PER_WEIGHT, Plan, segment_rate
from raywiki.training.quotas import parse_mix


def plan_title(plan: Plan) -> str:
    """What the segment is: its place in the run, its steps and tokens."""
    segment, first = plan.segment, plan.first_step
    left = segment.end_step - first
    goes_on = f", {first - segment.start_step:,} of its steps are done" if first > segment.start_step else ""
    return (
        f"plan {plan.run.name}, segment {plan.index + 1}: steps {first:,} to {segment.end_step:,}{goes_on}; "
        f"{left:,} steps of {segment.total_batch_size:,} tokens are {left * segment.total_batch_size:,} tokens"
    )


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """For each part of the segment: training tokens, share of the segment, passes that this makes, and the part's role."""
    segment = plan.segment
    length = sum(part.quota for part in segment.parts)
    sequences = segment.steps * segment.sequences_per_step
    rows = []
    parts = [segment.parts[index] for index in segment.sequence] if segment.order == "sequential" else segment.parts
    several = len({part.source for part in parts}) > 1
    for part in parts:
        passes = sequences * part.quota / length / n_windows(part.train_tokens, segment.seq_len)
        role = "new" if not part.base else "replayed" if segment.replay is not None else "again"
        share = f"{100 * part.quota / length:.3g} %"
        source = {"source": part.source} if several else {}
        rows.append({"part": part.name, **source, "tokens": part.train_tokens, "share": share, "passes": passes, "role": role})
    return rows


def plan_lines(plan: Plan, workers: int, device: str, tok_per_sec: float | None, precision: str | None = None) -> list[str]:
    """Model, learning rate, time and what the defaults came from, a line each."""
    segment, config = plan.segment, plan.run.config
    auto = "bfloat16 where the GPU has it, else float16" if device == "cuda" else "float32"
    lines = [
        f"{config.size}, recipe {recipe_name(config.recipe)}: {config.model.n_params:,} weights on {workers} x {device}, in "
        f"{PRECISIONS.get(precision or '', auto)}; "
        f"{segment.sequences_per_step:,} sequences of {segment.seq_len:,} tokens a step",
        _rates(plan),
        *_order(plan),
        *_mix(plan),
        *_why_from_there(plan),
    ]
    if config.init_from is not None and config.init_sha256 is not None and plan.index == 0:
        lines.append(
            f"it begins with the weights of {config.init_from} (SHA-256 {config.init_sha256[:12]}…); a lower --lr forgets "
            "less of what they know"
        )
    left = segment.end_step - plan.first_step
    if tok_per_sec and (seconds := left * segment.total_batch_size / tok_per_sec) >= 1:
        lines.append(f"about {duration(seconds)} at the {tok_per_sec:,.0f} tokens/s of this run's last steps")
    if segment.epochs is not None and plan.made_from != plan.run.segments:
        lines.append(
            f"{segment.epochs:g} passes over what is new: 1 to {MOST_EPOCHS} by default, as a weight can use "
            f"{TOKENS_PER_WEIGHT} tokens (arXiv 2203.15556) and up to {MOST_EPOCHS} passes are nearly as good as new text "
            "(arXiv 2305.16264); --epochs or --steps say else"
        )
    return [*lines, *plan.notes]


def _why_from_there(plan: Plan) -> list[str]:
    """Why a later segment starts where it does, as long as it has not begun."""
    start, before = plan.segment.start_step, plan.run.segments[plan.index - 1] if plan.index else None
    if before is None or plan.first_step > start:
        return []
    if plan.leaves_aside:
        return [
            f"goes on from step {start:,}, the last one before the learning rate's decay ({plan.segment.schedule}): steps "
            f"{start:,} to {before.end_step:,} of segment {plan.index} stay a branch, with a checkpoint of its last step, and "
            "what they read counts as not read yet"
        ]
    lost = plan.segment.schedule == "wsd" and before.trunk_step < start
    reason = f" as there is no whole checkpoint of step {before.trunk_step:,}, the last one before the decay" if lost else ""
    return [f"goes on from step {start:,}, the run's last weights{',' if lost else ''}{reason}"]


def _rates(plan: Plan) -> str:
    segment = plan.segment
    first, last = (segment_rate(segment, step) for step in (segment.start_step, segment.end_step - 1))
    return (
        f"learning rate {first:.2g} in the first step, {segment.lr:.2g} after {segment.warmup_steps:,} steps of warm-up, "
        f"{last:.2g} in the last ({segment.schedule})"
    )


def _order(plan: Plan) -> list[str]:
    """That parts are read one after the other, where there are several."""
    segment = plan.segment
    read = [segment.parts[index].name for index in segment.sequence if segment.parts[index].quota]
    if segment.order != "sequential" or len(read) < 2:
        return []
    return [f"the parts are read one after the other, as listed (sequential): the last steps learn from {read[-1]} alone"]


def _mix(plan: Plan) -> list[str]:
    """The shares that the sources have of the segment, where a mixture was asked for."""
    segment, length = plan.segment, sum(part.quota for part in plan.segment.parts)
    if segment.mix is None:
        return []
    slots = {source: sum(p.quota for p in segment.parts if p.source == source) for source in parse_mix(segment.mix)}
    shares = ", ".join(f"{source} {100 * own / length:.3g} %" for source, own in slots.items())
    return [f"the sources share the segment as mix {segment.mix} says, whatever they hold: {shares} of its sequences"]


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(40), duration(4000), duration(40_000), duration(4e6), duration(4e8)
    ('40 s', '67 min', '11.1 h', '46 days', '12.7 years')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 100 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days" if seconds < 730 * 86_400 else f"{seconds / (365.25 * 86_400):.1f} years"
