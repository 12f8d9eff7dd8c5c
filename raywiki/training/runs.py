"""Runs and segments: what a run is, what it has learned from, and what it shall do next. Pure bookkeeping, no torch.

`runs/<run>/segments.json` holds the configuration that never changes and the list of segments. Planning compares the parts
of today with those the run knows: nothing new, an unfinished segment to go on with, or a new segment. Which steps are done
is what the newest checkpoint says.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from raywiki.files import put
from raywiki.training.checkpoint import latest_step
from raywiki.training.config import GPTConfig, find_recipe, find_size
from raywiki.training.order import Segment, SegmentPart, closing_counters, n_windows
from raywiki.training.schedule import check_schedule

SEGMENTS, CHECKPOINTS, METRICS, STOP = "segments.json", "checkpoints", "metrics.jsonl", "STOP"
FORMAT = 1
ROUND = 1024  # slots of a round at most: the share of a part is a multiple of 1/1024


@dataclass(frozen=True)
class PartTokens:
    """What planning knows of a part's tokens: its id, a digest of its tokens, and their numbers."""

    name: str
    digest: str
    train_tokens: int
    val_tokens: int


@dataclass(frozen=True)
class RunConfig:
    """What a run is made with and keeps for ever. `vocabulary` is a digest of the encoding's vocabulary."""

    size: str
    recipe: str
    encoding: str
    vocabulary: str
    vocab_size: int
    seq_len: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    seed: int

    @property
    def model(self) -> GPTConfig:
        return GPTConfig(self.vocab_size, self.seq_len, self.n_layer, self.n_head, self.n_embd, self.dropout)


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it. Without segments it may not be on disk yet."""

    folder: Path
    config: RunConfig
    segments: tuple[Segment, ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def steps_done(self) -> int:
        return latest_step(self.folder / CHECKPOINTS)


@dataclass(frozen=True)
class Plan:
    """A segment to train, with all that `train_segment` must know. Small, and can be pickled."""

    run: Run
    index: int

    @property
    def segment(self) -> Segment:
        return self.run.segments[self.index]


def open_run(
    folder: str | os.PathLike[str], *, encoding: str, vocabulary: str, vocab_size: int, size: str | None = None,
    recipe: str | None = None, seq_len: int | None = None, seed: int | None = None, n_layer: int | None = None,
    n_head: int | None = None, n_embd: int | None = None, dropout: float | None = None,
) -> Run:  # fmt: skip
    """The run in a folder, or a new one; nothing is written before the first segment is planned.

    None means the run's own value or, for a new run, the default: size "nano", recipe "gpt2", seed 0, no dropout, and the
    size's own shape.

    Raises:
        ValueError: the run exists with another value (the sentence names both), or a name or number makes no sense.
    """
    folder = Path(folder)
    given: dict[str, Any] = dict(
        size=size, recipe=recipe, encoding=encoding, vocabulary=vocabulary, vocab_size=vocab_size, seq_len=seq_len,
        n_layer=n_layer, n_head=n_head, n_embd=n_embd, dropout=dropout, seed=seed,
    )  # fmt: skip
    run = read_run(folder)
    if run is None:
        return Run(folder, _new_config(given))
    if size is not None:
        find_size(size)  # an unknown name is a better message than one that differs
    if recipe is not None:
        find_recipe(recipe)
    for name, value in given.items():
        own = getattr(run.config, name)
        if value is not None and value != own:
            raise ValueError(
                f"run {run.name} has {name}={_short(own)}, not {name}={_short(value)}: "
                f"leave {name} as it is, or choose another name for a new run"
            )
    return run


def read_run(folder: str | os.PathLike[str]) -> Run | None:
    """The run in a folder, or None when there is none. Raises ValueError when its segments.json is damaged."""
    path = Path(folder) / SEGMENTS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        body = json.loads(data)
        written = body["format"]
        if written == FORMAT:
            segments = tuple(_segment_from_json(each) for each in body["segments"])
            return Run(Path(folder), RunConfig(**body["config"]), segments)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}): restore it from a copy, or remove the run's folder") from error
    raise ValueError(f"{path} has format {written}, this raywiki reads {FORMAT}: upgrade raywiki")


def plan_segment(
    run: Run, parts: Sequence[PartTokens], *, steps: int | None = None, replay: float = 0.25, schedule: str | None = None,
    lr: float | None = None, total_batch_size: int | None = None, warmup_steps: int | None = None,
) -> Plan | None:  # fmt: skip
    """What the run shall do next over these parts; None when nothing is left to do. Writes segments.json if that is new.

    Call it again after each segment, until it returns None or training was stopped.

    - The first segment shares itself out by the parts' numbers of windows; one pass over them by default.
    - New parts open a segment: old ones share `replay` of it, new ones the rest; one pass over the new by default.
    - The same request as before goes on with an unfinished segment. Another one (`steps`, `lr`, …) ends it where it stands.
    - `steps` counts all steps over the present set of parts, so the same command again finds nothing to do.

    Args:
        run: see `open_run`.
        parts: all parts of the corpus that the run shall know, those it learned from before included; in any order.
        steps: optimiser steps over this set of parts.
        replay: share of the older parts in a segment that brings new ones, from 0 to below 1.
        schedule: see `schedule.SCHEDULES`; by default "cosine" for the first segment and "rewarm" for later ones.
        lr: peak learning rate; by default that of the segment before, else the size's.
        total_batch_size: tokens in a step, a multiple of seq_len; by default that of the segment before, else the size's.
        warmup_steps: by default a tenth of the segment, at most 1,000.

    Raises:
        ValueError: a part is missing, has other tokens than those learned from, or is too short; a number makes no sense.
    """
    _check_request(steps, replay, schedule, lr, warmup_steps)
    parts = sorted(parts, key=lambda part: part.name)
    _check_parts(run, parts)
    asked = dict(schedule=schedule, lr=lr, total_batch_size=total_batch_size, warmup_steps=warmup_steps)
    done = run.steps_done
    for index, segment in enumerate(run.segments):
        if done < segment.end_step and (index < len(run.segments) - 1 or _is_same(run, segment, parts, steps, asked)):
            return Plan(run, index)
    kept = _end_at(run.segments, done)
    over = _steps_over(kept, parts)
    wanted = steps
    if steps is None and kept != run.segments:
        wanted = _steps_over(run.segments, parts) or None  # cut short by other settings: these do the rest
    if over and (wanted is None or wanted <= over):
        return None
    segment = _new_segment(run, kept, parts, wanted and wanted - over, replay, asked)
    grown = replace(run, segments=(*kept, segment))
    write_run(grown)
    return Plan(grown, len(kept))


def write_run(run: Run) -> None:
    """Write segments.json, in one step."""
    run.folder.mkdir(parents=True, exist_ok=True)
    body = {
        "format": FORMAT,
        "run": run.name,
        "config": asdict(run.config),
        "segments": [asdict(segment) for segment in run.segments],
    }
    put(run.folder / SEGMENTS, json.dumps(body, indent=1, ensure_ascii=False) + "\n")


def quotas(weights: Sequence[float]) -> list[int]:
    """Small integers in proportion to the weights: 0 for weight 0, else at least 1, about 1,024 in all at most.

    >>> quotas([500, 1500]), quotas([1, 0, 1_000_000])
    ([1, 3], [1, 0, 1024])
    """
    total = sum(weights)
    shares = [max(1, round(ROUND * weight / total)) if weight else 0 for weight in weights]
    divisor = math.gcd(*shares)
    return [share // divisor for share in shares]


def _new_config(given: dict[str, Any]) -> RunConfig:
    defaults = {"size": "nano", "recipe": "gpt2", "seed": 0, "dropout": 0.0}
    chosen: dict[str, Any] = defaults | {name: value for name, value in given.items() if value is not None}
    find_recipe(chosen["recipe"])
    shape = asdict(find_size(chosen["size"]))
    names = {field.name for field in fields(RunConfig)}
    config = RunConfig(**({name: value for name, value in shape.items() if name in names} | chosen))
    _ = config.model  # its own checks
    return config


def _check_request(steps: int | None, replay: float, schedule: str | None, lr: float | None, warmup_steps: int | None) -> None:
    if steps is not None and steps < 1:
        raise ValueError(f"steps={steps} is no number of steps: give at least 1, or none for one pass over the data")
    if not 0 <= replay < 1:
        raise ValueError(f"replay={replay} is no share: give a number from 0 to below 1")
    if lr is not None and not 0 < lr < math.inf:
        raise ValueError(f"lr={lr} is no learning rate: give a number above 0, such as 0.0006")
    if warmup_steps is not None and warmup_steps < 0:
        raise ValueError(f"warmup_steps={warmup_steps} is no number of steps: give 0 or more")
    if schedule is not None:
        check_schedule(schedule)


def _check_parts(run: Run, parts: Sequence[PartTokens]) -> None:
    if not parts:
        raise ValueError(f"there is no part with tokens to train run {run.name} on: tokenize one first")
    given = {part.name: part for part in parts}
    assert len(given) == len(parts), "a part twice"
    known = {part.name: part for segment in run.segments for part in segment.parts}
    for name, trained in known.items():
        if name not in given:
            raise ValueError(
                f"run {run.name} learned from part {name}, which is missing now: tokenize it again, or train a new run "
                "under another name"
            )
        if given[name].digest != trained.digest:
            raise ValueError(
                f"part {name} has other tokens (digest {given[name].digest[:12]}) than those run {run.name} learned from "
                f"({trained.digest[:12]}): restore them, or train a new run under another name"
            )
    for part in parts:
        if part.train_tokens <= run.config.seq_len:
            raise ValueError(
                f"part {part.name} has {part.train_tokens} training tokens, too few for one sequence of "
                f"{run.config.seq_len} and its next token: choose a smaller --seq-len, or leave the part out"
            )


def _is_same(run: Run, segment: Segment, parts: Sequence[PartTokens], steps: int | None, asked: dict[str, Any]) -> bool:
    """Whether this request is the one that opened the last segment."""
    return (
        segment.part_names == [part.name for part in parts]
        and steps in (None, _steps_over(run.segments, parts))
        and all(value in (None, getattr(segment, name)) for name, value in asked.items())
    )


def _end_at(segments: tuple[Segment, ...], done: int) -> tuple[Segment, ...]:
    """The segments, the last one cut to what is done of it."""
    if not segments or done >= segments[-1].end_step:
        return segments
    *before, last = segments
    steps = done - last.start_step
    return (*before, replace(last, steps=steps)) if steps > 0 else tuple(before)


def _steps_over(segments: Sequence[Segment], parts: Sequence[PartTokens]) -> int:
    """Steps of the last segments that are over exactly these parts."""
    names, total = [part.name for part in parts], 0
    for segment in reversed(segments):
        if segment.part_names != names:
            break
        total += segment.steps
    return total


def _new_segment(
    run: Run, segments: tuple[Segment, ...], parts: Sequence[PartTokens], steps: int | None, replay: float,
    asked: dict[str, Any],
) -> Segment:  # fmt: skip
    last = segments[-1] if segments else None
    size, seq_len = find_size(run.config.size), run.config.seq_len
    defaults: dict[str, Any] = {
        "schedule": "rewarm" if last else "cosine",
        "lr": last.lr if last else size.lr,
        "total_batch_size": last.total_batch_size if last else max(1, size.total_batch_size // seq_len) * seq_len,
    }
    chosen = defaults | {name: value for name, value in asked.items() if value is not None}
    batch = chosen["total_batch_size"]
    if batch < seq_len or batch % seq_len:
        raise ValueError(f"total_batch_size={batch} tokens is no multiple of seq_len={seq_len}: choose one that is")
    used = closing_counters(last) if last else {}
    windows = [n_windows(part.train_tokens, seq_len) for part in parts]
    is_new = [part.name not in used for part in parts]
    if last and not any(is_new):  # more of the same: the mixture stays
        shares = [part.quota for part in last.parts]
    else:
        shares = quotas(_weights(windows, is_new, replay))
    if steps is None:  # one pass over what is new
        new_windows = sum(n for n, new in zip(windows, is_new, strict=True) if new)
        new_share = sum(q for q, new in zip(shares, is_new, strict=True) if new) / sum(shares)
        steps = math.ceil(new_windows * seq_len / batch / new_share)
    return Segment(
        start_step=last.end_step if last else 0,
        steps=steps,
        seq_len=seq_len,
        seed=run.config.seed,
        parts=tuple(
            SegmentPart(part.name, part.digest, part.train_tokens, quota, used.get(part.name, 0))
            for part, quota in zip(parts, shares, strict=True)
        ),
        **{"warmup_steps": min(1000, max(1, steps // 10)), **chosen},
    )


def _weights(windows: Sequence[int], is_new: Sequence[bool], replay: float) -> list[float]:
    """Share of each part: by windows, within `replay` for the old and the rest for the new."""
    new = sum(n for n, fresh in zip(windows, is_new, strict=True) if fresh)
    old = sum(windows) - new
    if not old:
        return list(windows)
    return [n / new * (1 - replay) if fresh else n / old * replay for n, fresh in zip(windows, is_new, strict=True)]


def _segment_from_json(body: dict[str, Any]) -> Segment:
    return Segment(**{**body, "parts": tuple(SegmentPart(**part) for part in body["parts"])})


def _short(value: Any) -> str:
    """A digest as its first twelve digits, anything else as it is."""
    return value[:12] + "…" if isinstance(value, str) and len(value) == 64 else str(value)
