"""Starting over: a new run with fresh weights over all that another run has learned from, to compare growing with.

The tokens that count are those on the way to the other run's newest weights: what it spent on decays that were left aside
(see `order.Segment.trunk_step`) taught it nothing, and is said beside the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from raywiki.training.options import RunOptions, SegmentOptions
from raywiki.training.order import PartTokens, Segment, closing_counters
from raywiki.training.quotas import quotas
from raywiki.training.runs import Run, check_run_name, check_same, read_run

OWN = ("seed", "lr", "schedule", "warmup_steps", "order")  # what a new start may have of its own


def find_grown(folder: Path, options: Mapping[str, Any]) -> Run | None:
    """The run that the run in a folder shall start over for, by the option `from_scratch`; None without that option.

    Raises:
        ValueError: there is no such run or it is not trained to its end; or an option says what that run says already.
    """
    name = options.get("from_scratch")
    if name is None:
        return None
    check_run_name(name)
    if name == folder.name:
        raise ValueError(f"run {name} cannot start over for itself: choose another name for the new run")
    given = {option for option, value in options.items() if value is not None}
    for option in (*RunOptions.__annotations__, *SegmentOptions.__annotations__, "encoding", "parts"):
        if option in given and option not in OWN:
            raise ValueError(
                f"{option} comes from run {name} when a run starts over for it: leave it out, or leave from_scratch out"
            )
    run = read_run(folder.parent / name)
    if run is None or not run.segments:
        raise ValueError(f"there is no run {name} in {folder.parent} to start over for: give the name of one that was trained")
    at, last = run.stands_at(), run.segments[-1]
    if at != (len(run.segments) - 1, last.end_step):
        raise ValueError(
            f"run {name} stands at step {at[1]:,} and is planned to step {last.end_step:,}: train it to its end, then start "
            "over for it"
        )
    return run


def start_over(
    folder: Path, grown: Run, there: Sequence[PartTokens], options: Mapping[str, Any]
) -> tuple[Run, list[PartTokens], SegmentOptions]:
    """The new run, or as far as it is; its parts, with quotas; and what to ask `plan_segment` for.

    Args:
        folder: of the new run.
        grown: the run whose training is done again, see `find_grown`.
        there: the parts that have tokens now.
        options: of the user; those of `OWN` count.

    Raises:
        ValueError: a part that `grown` learned from is not there or has other tokens; the folder has another run.
    """
    asked: dict[str, Any] = {name: options[name] for name in OWN if options.get(name) is not None}
    seed = asked.pop("seed", None)
    run = read_run(folder) or Run(folder, replace(grown.config, seed=grown.config.seed if seed is None else seed))
    check_same(run, {"seed": seed})
    parts, first, last = _mixture(grown, there), grown.segments[0], grown.segments[-1]
    steps = math.ceil(tokens_learned(grown) / last.total_batch_size)
    if replace(run.config, seed=0) != replace(grown.config, seed=0) or not _is_begun(run.segments, parts, steps):
        raise ValueError(
            f"run {run.name} is there already, and is not run {grown.name} up to step {last.end_step:,} once more: choose "
            "another name for a new run"
        )
    same: SegmentOptions = {"steps": steps, "total_batch_size": last.total_batch_size}
    if not run.segments:
        same |= {"lr": first.lr, "schedule": first.schedule}
    return run, parts, {**same, **asked}  # type: ignore[typeddict-item]


def tokens_learned(run: Run) -> int:
    """Tokens of all batches on the way to the end of a run's last segment."""
    return run.tokens_at(len(run.segments) - 1, run.segments[-1].end_step)


def in_words(grown: Run) -> str:
    """What is done once more, for the plan."""
    aside = sum(before.end_step - after.start_step for before, after in pairwise(grown.segments))
    began = "fresh weights" if grown.config.init_from is None else f"the weights of {grown.config.init_from} once more"
    also = f"; its decays that were left aside took {aside:,} steps more" if aside else ""
    return (
        f"{began}, and the {tokens_learned(grown):,} tokens that run {grown.name} learned from in "
        f"{len(grown.segments)} segment{'s' * (len(grown.segments) > 1)} to step {grown.segments[-1].end_step:,}, in the same "
        f"mixture{also}"
    )


def _mixture(grown: Run, there: Sequence[PartTokens]) -> list[PartTokens]:
    """The parts that a run learned from, with quotas by how many of their windows it used."""
    now, counters = {part.name: part for part in there}, closing_counters(grown.segments[-1])
    known = sorted(grown.known.values(), key=lambda part: part.name)
    for part in known:
        if part.name not in now:
            raise ValueError(f"run {grown.name} learned from part {part.name}, which has no tokens now: make them again first")
        if now[part.name].digest != part.digest:
            raise ValueError(
                f"part {part.name} has other tokens (digest {now[part.name].digest[:12]}) than those run {grown.name} learned "
                f"from ({part.digest[:12]}): restore them, or train a new run with options of its own"
            )
    shares = quotas([counters[part.name] for part in known])
    return [replace(now[part.name], quota=share) for part, share in zip(known, shares, strict=True)]


def _is_begun(segments: Sequence[Segment], parts: Sequence[PartTokens], steps: int) -> bool:
    """Whether these are the segments of that new start: none yet, or up to so many steps in that mixture."""
    mixture = [(part.name, part.digest, part.quota) for part in parts]
    own = [[(part.name, part.digest, part.quota) for part in segment.parts] for segment in segments]
    return all(each == mixture for each in own) and (not segments or segments[-1].end_step == steps)
