"""What a run shall do next: a function of the run, the parts of today and what was asked. Nothing is written here.

Planning compares the parts of today with those the run knows: an unfinished segment to go on with, a new segment, or
nothing. `publish.published` writes a plan when its training begins.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from raywiki.training.checkpoint import find_step
from raywiki.training.config import default_lr, find_size
from raywiki.training.options import SegmentOptions, check_options
from raywiki.training.order import PartTokens, Segment, closing_counters, n_windows
from raywiki.training.quotas import mix_text, mixed_quotas, quotas, require_shares
from raywiki.training.runs import CHECKPOINTS, Run, RunConfig
from raywiki.training.schedule import learning_rate

REPLAY = 0.25
OWN = ("schedule", "lr", "total_batch_size", "warmup_steps", "replay", "order")  # another value ends an unfinished segment
# Up to about 4 passes over the same text teach nearly as much as new text (Muennighoff et al., arXiv 2305.16264).
MOST_EPOCHS = 4
TOKENS_PER_WEIGHT = 20  # what a model of a size can make use of (Hoffmann et al., arXiv 2203.15556)


@dataclass(frozen=True)
class Plan:
    """A segment to train, with all that `train_segment` must know. Small, and can be pickled.

    `run` has the segment; `made_from` are the run's segments as they were on disk when this was planned, None for a new
    run. `notes` are sentences about what is not plain from the segment.
    """

    run: Run
    index: int
    made_from: tuple[Segment, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def segment(self) -> Segment:
        return self.run.segments[self.index]

    @property
    def leaves_aside(self) -> bool:
        """Whether it goes on from before the decay of the segment before, whose last weights it leaves aside."""
        return self.index > 0 and self.segment.start_step < self.run.segments[self.index - 1].end_step

    @property
    def first_step(self) -> int:
        """The step that its training goes on from now, as the checkpoints tell."""
        return self.run.step_in(self.index)


@dataclass(frozen=True)
class SegmentResult:
    """How a call of `train_segment` ended: "finished" or "stopped", after `step` steps of the run.

    `val_before` and `val_loss` have the validation loss (nats a token) of each part at the segment's start and now,
    `bpb_before` and `val_bpb` the same in bits per byte, where it is known. `mfu` and `mfu_of_a100` are the median step's, see
    `flops`; None where the device was not measured. `notes` are sentences, such as which steps had to be done again.
    """

    status: str
    step: int
    train_loss: float | None
    val_before: dict[str, float | None]
    val_loss: dict[str, float | None]
    tok_per_sec: float | None
    seconds: float
    checkpoint: Path | None
    device: str
    precision: str
    mfu: float | None = None
    mfu_of_a100: float | None = None
    notes: tuple[str, ...] = ()
    bpb_before: dict[str, float | None] = field(default_factory=dict)
    val_bpb: dict[str, float | None] = field(default_factory=dict)


def plan_segment(run: Run, parts: Sequence[PartTokens], **options: Unpack[SegmentOptions]) -> Plan | None:
    """What the run shall do next over these parts; None when nothing is left to do.

    Call it again after each segment, with `left_to_ask`, until it returns None or training was stopped.

    - The first segment shares itself out by the parts' numbers of windows.
    - With a `mix` each source has its share, and its parts divide that among them, new and old ones too.
    - New parts open a segment, after the last one was trained to its end: old ones share `replay` of it, new ones the rest.
    - The same request as before goes on with an unfinished segment. Other settings (`lr`, …) end it where it stands and do
      what is left of its steps.
    - Without a length, a segment makes `default_epochs` passes over the new parts, and then nothing is left to do.
    - A later segment goes on from the last weights and warms up again ("rewarm"), where the rate had gone down. With "wsd"
      it goes on from the step before the last one's decay, its `trunk_step`, if that checkpoint is there, and so do those
      after it. Lengths count to the step where the run will stand.

    Args:
        run: see `open_run`.
        parts: the parts to train on, in any order. What the run knows beside them rests. Quotas, where they have any, are
            their mixture.
        options: see `options.SegmentOptions`; what is not given is the last segment's, else the default.

    Raises:
        ValueError: a part has other tokens than those learned from, or is too short; a number makes no sense.
    """
    check_options(options)
    asked = {name: value for name, value in options.items() if value is not None}
    if "mix" in asked:
        asked["mix"] = mix_text(str(asked["mix"]))
    parts = sorted(parts, key=lambda part: part.name)
    _check_parts(run, parts, bool(asked.get("accept_new_tokens")))
    on_disk, (at, done) = run.segments or None, run.stands_at(verify=True)
    run = _without_start_lost(run, at)
    for index, segment in enumerate(run.segments[at:], start=at):
        first = done if index == at else segment.start_step
        if first < segment.end_step and (index < len(run.segments) - 1 or _goes_on(run, segment, parts, asked)):
            return Plan(run, index, on_disk, _why_first(segment, parts, first))
    kept = _end_at(run.segments, at, done)
    draft = _Draft(run, kept, parts, asked)
    steps = draft.steps(planned=run.segments[-1].end_step if kept != run.segments else None)
    if steps < 1:
        return None
    segment = draft.segment(steps)
    notes = _notes(run, kept, segment)
    return Plan(replace(run, segments=(*kept, segment)), len(kept), on_disk, notes)


def left_to_ask(plan: Plan, parts: Sequence[PartTokens], options: SegmentOptions) -> SegmentOptions:
    """What to ask for when a plan was trained: all of it again, but `more_steps` once only."""
    served = plan.index == len(plan.run.segments) - 1 and _same_parts(plan.segment, sorted(parts, key=lambda part: part.name))
    return {**options, "more_steps": None} if served else options


def require_parts(plan: Plan, there: Container[str]) -> None:
    """Raise ValueError when a part that the segment reads is not among those whose tokens are there."""
    for part in plan.segment.parts:
        if part.quota and part.name not in there:
            raise ValueError(
                f"run {plan.run.name} shall learn from part {part.name}, which has no tokens now: make them again, or end "
                "this segment where it stands and name the parts that are left (--unfinished cut --parts …)"
            )


def segment_rate(segment: Segment, step: int) -> float:
    """Learning rate of a step of the run that lies in a segment."""
    index, steps = step - segment.start_step, segment.planned_steps or segment.steps
    return learning_rate(segment.schedule, index, steps, segment.lr, segment.warmup_steps, segment.lr_from)


def chosen_parts(run: Run, there: Sequence[PartTokens], names: Sequence[str] | None = None) -> list[PartTokens]:
    """The parts to train on: those of the names, or all that are there.

    Raises:
        ValueError: a name is unknown; or, without names, the run learned from a part that is not there any more.
    """
    by_name = {part.name: part for part in there}
    for name in names or ():
        if name not in by_name:
            raise ValueError(f"there is no part {name!r} with tokens: the parts are {', '.join(by_name) or 'none'}")
    if names is not None:
        return [by_name[name] for name in dict.fromkeys(names)]
    for name in run.known:
        if name not in by_name:
            raise ValueError(
                f"run {run.name} learned from part {name}, which has no tokens now: make them again, or go on without it by "
                f"naming the parts that are left (--parts {' --parts '.join(by_name) or '…'})"
            )
    return list(there)


def default_epochs(config: RunConfig, tokens: int) -> int:
    """Passes over `tokens` training tokens that are worth their time: 1 to 4.

    A model makes use of about 20 tokens for each of its weights (Hoffmann et al. 2022); where there are fewer, up to 4
    passes are nearly as good as new text (Muennighoff et al. 2023).
    """
    return min(MOST_EPOCHS, max(1, math.ceil(TOKENS_PER_WEIGHT * config.model.n_scaling_params / max(1, tokens))))


def default_batch(config: RunConfig, tokens: int) -> int:
    """Tokens in an optimiser step that suit a training over `tokens` tokens in all (passes counted).

    0.2920 · C^0.3271 tokens for a budget of C operations (Bi et al., arXiv 2401.02954, equation 1), as a power of two of
    sequences, and not over what the size's source takes with far more text.
    """
    budget = config.model.flops_per_token * tokens
    sequences = 0.2920 * budget**0.3271 / config.seq_len
    most = find_size(config.size).total_batch_size // config.seq_len
    return config.seq_len * max(1, min(most, 2 ** round(math.log2(max(1.0, sequences)))))


@dataclass(frozen=True)
class _Draft:
    """A segment in the making: the run's segments as far as they are done, the parts of today, and what was asked."""

    run: Run
    kept: tuple[Segment, ...]
    parts: Sequence[PartTokens]
    asked: dict[str, Any]

    @property
    def last(self) -> Segment | None:
        return self.kept[-1] if self.kept else None

    @property
    def over(self) -> tuple[Segment, ...]:
        """The last segments, those that are over exactly these parts."""
        count = 0
        while count < len(self.kept) and _same_parts(self.kept[-1 - count], self.parts):
            count += 1
        return self.kept[len(self.kept) - count :]

    @property
    def new(self) -> list[str]:
        """Parts that came with this set: their order begins."""
        before = self.kept[: len(self.kept) - len(self.over)]
        known = before[-1].known if before else {}
        return [part.name for part in self.parts if part.name not in known or known[part.name].digest != part.digest]

    @property
    def schedule(self) -> str:
        return self.asked.get("schedule") or (inherited_schedule(self.kept) if self.kept else "wsd")

    @property
    def mix(self) -> str | None:
        """Shares of the sources: the asked ones, else the last segment's."""
        return self.asked.get("mix") or (self.last.mix if self.last else None)

    @cached_property
    def start(self) -> int:
        """The step that the segment goes on from; see `plan_segment`."""
        last = self.last
        if last is None or self.schedule != "wsd" or last.trunk_step == last.end_step:
            return last.end_step if last else 0
        trunk = find_step(self.run.folder / CHECKPOINTS, len(self.kept) - 1, last.trunk_step)
        return trunk.step if trunk else last.end_step

    def used(self) -> dict[str, int]:
        """Windows of each part that are used where the segment starts, none of those with other tokens than were seen."""
        if self.last is None:
            return {}
        known, counters = self.last.known, closing_counters(self.last, self.start)
        digests = {part.name: part.digest for part in self.parts}
        return {name: n for name, n in counters.items() if digests.get(name, known[name].digest) == known[name].digest}

    def epochs(self) -> float:
        tokens = sum(part.train_tokens for part in self.parts)
        return self.asked.get("epochs") or default_epochs(self.run.config, tokens)

    def batch(self) -> int:
        own = self.asked.get("total_batch_size") or (self.last.total_batch_size if self.last else None)
        seq_len = self.run.config.seq_len
        batch = own or default_batch(self.run.config, round(self.epochs() * sum(part.train_tokens for part in self.parts)))
        if batch < seq_len or batch % seq_len:
            raise ValueError(f"total_batch_size={batch} tokens is no multiple of seq_len={seq_len}: choose one that is")
        return batch

    def shares(self) -> list[int]:
        """Quota of each part: its own where parts come with quotas."""
        if any(part.quota for part in self.parts):
            return [part.quota for part in self.parts]
        same_mix = self.last is not None and self.mix == self.last.mix
        if (
            self.last is not None and self.over and same_mix and "replay" not in self.asked
        ):  # more of the same: the mixture stays
            known = self.last.known
            return [known[part.name].quota for part in self.parts]
        windows = [n_windows(part.train_tokens, self.run.config.seq_len) for part in self.parts]
        is_new, sources = [part.name in self.new for part in self.parts], [part.source for part in self.parts]
        if self.mix is None:
            return quotas(_weights(windows, is_new, self.replay()))
        shares, weights = require_shares(self.mix, sources), [0.0] * len(windows)
        for source in shares:
            own = [number for number, each in enumerate(sources) if each == source]
            divided = _weights([windows[number] for number in own], [is_new[number] for number in own], self.replay())
            for number, weight in zip(own, divided, strict=True):
                weights[number] = weight
        return mixed_quotas(weights, sources, shares)

    def replay(self) -> float:
        recorded = self.over[-1].replay if self.over else None
        return self.asked.get("replay", REPLAY if recorded is None else recorded)

    def steps(self, planned: int | None) -> int:
        """Steps of the segment, below 1 when there is nothing to do; `planned` is the end of one that was cut short."""
        stands = self.last.end_step if self.last else 0
        end = self._end(stands, planned)
        if end <= stands and (self.over or "until_step" in self.asked):
            return 0  # only new parts may end before a decay that is left aside had ended
        return end - self.start

    def _end(self, stands: int, planned: int | None) -> int:
        """The step at which the segment shall end, of a run that stands at step `stands`."""
        if "steps" in self.asked:
            return (self.over[0].start_step if self.over else self.start) + int(self.asked["steps"])
        if "more_steps" in self.asked:
            return stands + int(self.asked["more_steps"])
        if "until_step" in self.asked:
            return int(self.asked["until_step"])
        asked = self.asked.get("epochs")
        if self.over and asked in (None, self.over[-1].epochs):
            return planned or stands  # what other settings than those of a segment that was cut short shall do
        if not self.new and asked is None:
            return self.start
        return self.start + self._steps_of(self.epochs())

    def _steps_of(self, epochs: float) -> int:
        """Steps until the new parts have been passed `epochs` times since they came."""
        seq_len, shares, used = self.run.config.seq_len, self.shares(), self.used()
        bases = {part.name: part.base for part in self.over[0].parts} if self.over else {}
        new = [number for number, part in enumerate(self.parts) if part.name in self.new]
        if not new:  # fewer parts than before: all of them are known
            new = [number for number, share in enumerate(shares) if share]
            bases = used
        left = sum(
            epochs * n_windows(self.parts[number].train_tokens, seq_len)
            - (used.get(self.parts[number].name, 0) - bases.get(self.parts[number].name, 0))
            for number in new
        )
        return math.ceil(left * seq_len / self.batch() / (sum(shares[number] for number in new) / sum(shares)))

    def segment(self, steps: int) -> Segment:
        last, asked, used = self.last, self.asked, self.used()
        by_epochs = not {"steps", "more_steps", "until_step"} & asked.keys()
        names = {part.name for part in self.parts}
        rests = [replace(part, quota=0, base=used[name]) for name, part in (last.known if last else {}).items() if name in used]
        shares = self.shares()
        return Segment(
            start_step=self.start,
            steps=steps,
            seq_len=self.run.config.seq_len,
            total_batch_size=self.batch(),
            seed=self.run.config.seed,
            schedule=self.schedule,
            lr=asked.get("lr") or (last.lr if last else default_lr(self.run.config.size, self.run.config.recipe)),
            warmup_steps=asked.get("warmup_steps", min(1000, max(1, steps // 10))),
            parts=tuple(
                replace(part, quota=share, base=used.get(part.name, 0)) for part, share in zip(self.parts, shares, strict=True)
            ),
            lr_from=segment_rate(last, self.start - 1) if last else 0.0,
            replay=self.replay() if 0 < len(self.new) < len(names) else None,
            epochs=self.epochs() if by_epochs else None,
            resting=tuple(part for part in rests if part.name not in names),
            order=asked.get("order") or (last.order if last else "mixed"),
            mix=self.mix,
        )


def inherited_schedule(segments: Sequence[Segment]) -> str:
    """The schedule of a segment that is asked for none: what had decayed warms up again, unless the run grows from its trunk.

    Warmed up again a run ended lower than from its trunk at equal steps, the decay's counted: `benchmarks/growth.md`.
    """
    last = segments[-1]
    from_trunk = len(segments) > 1 and last.start_step < segments[-2].end_step
    has_decayed = last.schedule == "cosine" or (last.trunk_step < last.end_step and not from_trunk)
    return "rewarm" if has_decayed else last.schedule


def _check_parts(run: Run, parts: Sequence[PartTokens], accept_new_tokens: bool) -> None:
    if not parts:
        raise ValueError(f"there is no part with tokens to train run {run.name} on: tokenize one first")
    assert len({part.name for part in parts}) == len(parts), "a part twice"
    for part in parts:
        trained = run.known.get(part.name)
        if trained is not None and part.digest != trained.digest and not accept_new_tokens:
            raise ValueError(
                f"part {part.name} has other tokens (digest {part.digest[:12]}) than those run {run.name} learned from "
                f"({trained.digest[:12]}): go on with the new ones by --accept-new-tokens, restore the old ones, or train a "
                "new run under another name"
            )
        if part.train_tokens <= run.config.seq_len:
            raise ValueError(
                f"part {part.name} has {part.train_tokens} training tokens, too few for one sequence of "
                f"{run.config.seq_len} and its next token: choose a smaller --seq-len, or leave the part out"
            )


def _same_parts(segment: Segment, parts: Sequence[PartTokens]) -> bool:
    return [(part.name, part.digest) for part in segment.parts] == [(part.name, part.digest) for part in parts]


def _goes_on(run: Run, segment: Segment, parts: Sequence[PartTokens], asked: dict[str, Any]) -> bool:
    """Whether the last segment, which is not finished, goes on as it was planned."""
    if not _same_parts(segment, parts):
        changed = {part.name for part in parts if part.digest != segment.known.get(part.name, part).digest}
        return asked.get("unfinished", "finish") == "finish" and not changed
    own = {name: getattr(segment, name) for name in OWN}
    other_mix = asked.get("mix", segment.mix) != segment.mix
    if other_mix or any(value is not None and asked.get(name, value) != value for name, value in own.items()):
        return False
    over = _Draft(run, run.segments, parts, asked).over
    ends = {"steps": over[0].start_step + asked.get("steps", 0), "until_step": asked.get("until_step")}
    ends["more_steps"] = (run.segments[-2].end_step if run.segments[1:] else 0) + asked.get("more_steps", 0)
    length = next((name for name in ends if name in asked), None)
    return asked.get("epochs") in (None, segment.epochs) if length is None else ends[length] == segment.end_step


def _without_start_lost(run: Run, at: int) -> Run:
    """The run without a segment that was planned and cannot start any more, as the checkpoint before the decay was lost."""
    for index, segment in enumerate(run.segments[at + 1 : at + 2], start=at + 1):
        before = run.segments[at]
        if segment.start_step < before.end_step and not find_step(run.folder / CHECKPOINTS, at, segment.start_step):
            return replace(run, segments=run.segments[:index])
    return run


def _end_at(segments: tuple[Segment, ...], at: int, done: int) -> tuple[Segment, ...]:
    """The segments, the last one that was begun cut to what is done of it, which is step `done` of the segment `at`."""
    if not segments:
        return ()
    *before, last = segments[: at + 1]
    if done >= last.end_step:
        return (*before, last)
    steps = done - last.start_step
    cut = replace(last, steps=steps, planned_steps=last.planned_steps or last.steps)
    return (*before, cut) if steps > 0 else tuple(before)


def _weights(windows: Sequence[int], is_new: Sequence[bool], replay: float) -> list[float]:
    """Share of each part: by windows, within `replay` for the old and the rest for the new."""
    new = sum(n for n, fresh in zip(windows, is_new, strict=True) if fresh)
    old = sum(windows) - new
    if not old or not new:
        return list(windows)
    return [n / new * (1 - replay) if fresh else n / old * replay for n, fresh in zip(windows, is_new, strict=True)]


def _why_first(segment: Segment, parts: Sequence[PartTokens], done: int) -> tuple[str, ...]:
    if _same_parts(segment, parts):
        return ()
    return (
        f"this segment was interrupted at step {done:,} and is finished first, over its own parts; "
        "--unfinished cut ends it where it stands",
    )


def _notes(run: Run, kept: tuple[Segment, ...], segment: Segment) -> tuple[str, ...]:
    notes = []
    if kept != run.segments:
        planned, stands = run.segments[-1].end_step, kept[-1].end_step if kept else 0
        notes.append(f"the segment before ends at step {stands:,} of {planned:,}, as this one asks for other settings or parts")
    renewed = [part.name for part in segment.parts if part.digest != run.known.get(part.name, part).digest]
    if renewed:
        notes.append(f"other tokens than before in {', '.join(renewed)}: their order begins anew")
    return tuple(notes)
