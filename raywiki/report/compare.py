"""compare: two runs over the same tokens, window by window. Was growing worth it, or would starting over have been better?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from raywiki.corpus import Corpus
from raywiki.intervals import ENOUGH
from raywiki.report.evaluated import curve, difference, find_run, mean_loss, paired, segment_ends
from raywiki.summary import as_html, not_evaluated, sentences, some_parts, table
from raywiki.training.order import PartTokens
from raywiki.training.runs import Run

EQUAL = {"tokens": 0.01, "hours": 0.1}  # what may differ and still be called equal, as a share of the smaller


@dataclass(frozen=True)
class CompareSummary:
    """Two runs at the ends of their last segments.

    `runs` has a dict for each: `segments` and `step` where it ended, `tokens` that it learned from, `tokens_spent` with the
    decays that were left aside, and `hours` of training, those of such decays too. `parts` has a dict for each part: `windows`
    that both evaluated, the mean loss of the `first` and the `second` run (nats a token), their `difference`, second - first,
    and its 95 % interval, `low` to `high`; None where there is none. `total` has the same over all parts together. `equal` has,
    for tokens and for hours (`of`), where they are not equal at the ends, the same at the evaluated `step` (of `segment`, from
    0) of the longer run (`run`) that is nearest to where they are. `verdict` is a sentence.
    """

    corpus: str
    runs: tuple[dict[str, Any], ...]
    parts: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    equal: tuple[dict[str, Any], ...]
    verdict: str
    seconds: float
    notes: tuple[str, ...] = ()

    _repr_html_ = as_html

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        first, second = (row["run"] for row in self.runs)
        rows = [*self.parts, self.total] if len(self.parts) > 1 else self.parts
        return "\n".join(
            [
                f"compare {self.corpus}: first run {first}, second run {second} ({self.seconds:.1f} s)",
                *("  " + line for line in table(self.runs)),
                "  loss in nats a token; difference is second - first, low and high its 95 % interval",
                *("  " + line for line in table(rows)),
                *(line for each in self.equal for line in sentences(f"at equal {each['of']}", [_equal_words(each)])),
                *sentences("note", self.notes),
                *sentences("verdict", [self.verdict]),
            ]
        )


@dataclass(frozen=True)
class _Side:
    """A run as the last of its segments that was evaluated at its end left it, which is number `segment`."""

    run: Run
    segment: int
    ends: pl.DataFrame
    curve: pl.DataFrame

    @property
    def windows(self) -> pl.DataFrame:
        return self.ends.filter(pl.col("segment") == self.segment)

    @property
    def known(self) -> dict[str, PartTokens]:
        return self.run.segments[self.segment].known

    @property
    def row(self) -> dict[str, Any]:
        """As `CompareSummary.runs` has it."""
        way = self.run.segments[: self.segment + 1]
        return {
            "run": self.run.name,
            "segments": len(way),
            "step": way[-1].end_step,
            "tokens": self.run.tokens_at(self.segment, way[-1].end_step),
            "tokens_spent": sum(segment.steps * segment.total_batch_size for segment in way),
            "hours": float(self.curve["hours"][-1]) or None if self.curve.height else None,
        }


def compare(corpus: str | os.PathLike[str] | Corpus, run: str, other: str) -> CompareSummary:
    """Compare two runs on the validation text of the parts that both learned from; nothing is computed by a model.

    Each counts as it stood at the end of its last segment. Where they have not learned from equally many tokens (within 1 %),
    or not trained for equally many hours (within 10 %), the longer one is also compared at the evaluated step that is nearest
    to where it had. Intervals are paired bootstrap intervals of 95 % over windows, see `raywiki.intervals`. They hold the noise
    of the validation text, not that of seeds: a difference that is more than noise is one of these two runs, and one of the two
    ways to train them only as far as other seeds give it too. Hours are those of the machines that each was trained on.

    Args:
        corpus: folder of the corpus.
        run: name of the first run, such as the one that grew.
        other: name of the second, such as one that was trained by `from_scratch`.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such run, or it has not come to the end of a segment; the runs learned from other tokens, or see
            sequences of other lengths, so that no window of theirs is the same; no part with validation text is in both.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    runs = [find_run(corpus, name) for name in (run, other)]
    if run == other:
        raise ValueError(f"run {run} is both runs to compare: name two different ones")
    _check_windows_pair(*runs)
    first, second = (_side(corpus, each) for each in runs)
    common = _common_parts(first, second)
    pairs = paired(first.windows, second.windows).filter(pl.col("part").is_in(common))
    if not pairs.height:
        raise ValueError(f"runs {run} and {other} have no validation window in common: see `raywiki tokenize --val-fraction`")
    rows = tuple(_row(part, pairs.filter(pl.col("part") == part)) for part in common)
    total, states, equal = _row("all parts", pairs), dict[str, bool | None](), list[dict[str, Any]]()
    notes = list(_notes(first, second, rows))
    for what in EQUAL:
        states[what], found, why = _at_equal(what, first, second, pairs)
        equal += [found] if found else []
        notes += [why] if why else []
    return CompareSummary(
        corpus.url, (first.row, second.row), rows, total, tuple(equal), _verdict((run, other), total, states),
        time.monotonic() - started, tuple(notes),
    )  # fmt: skip


def _check_windows_pair(run: Run, other: Run) -> None:
    """Raise ValueError when the two have other vocabularies or see sequences of other lengths."""
    why = None
    if run.config.encoding != other.config.encoding:
        why = f"run {run.name} has encoding={run.config.encoding} and run {other.name} {other.config.encoding}"
    elif run.config.vocabulary != other.config.vocabulary:
        why = f"runs {run.name} and {other.name} have two vocabularies that are both called {run.config.encoding}"
    elif run.config.seq_len != other.config.seq_len:
        why = f"run {run.name} has seq_len={run.config.seq_len} and run {other.name} {other.config.seq_len}"
    if why is not None:
        raise ValueError(
            f"{why}, so that their validation windows are not the same: `raywiki eval` gives bits per byte of each, which can "
            "be compared where both have the same validation pages"
        )


def _side(corpus: Corpus, run: Run) -> _Side:
    ends = segment_ends(corpus, run)
    if not ends.height:
        raise ValueError(f"run {run.name} has not come to the end of a segment yet: train it to its end, then compare")
    number = int(ends["segment"][-1])
    is_done = pl.col("step") <= run.segments[number].end_step
    until = (pl.col("segment") < number) | ((pl.col("segment") == number) & is_done)
    return _Side(run, number, ends, curve(corpus, run).filter(until))


def _common_parts(first: _Side, second: _Side) -> list[str]:
    """Names of the parts that both runs learned from, of which they must have seen the same tokens."""
    common = [name for name in first.known if name in second.known]
    names = f"runs {first.run.name} and {second.run.name}"
    if not common:
        raise ValueError(f"{names} have no part in common: they learned from {_listed(first)}, and from {_listed(second)}")
    for part in common:
        digests = [side.known[part].digest for side in (first, second)]
        if digests[0] != digests[1]:
            raise ValueError(
                f"{names} learned from other tokens of part {part} (digests {digests[0][:12]} and {digests[1][:12]}), so that "
                "their losses there are no losses of the same text: train one of them again"
            )
    return sorted(common)


def _listed(side: _Side) -> str:
    return some_parts(sorted(side.known))


def _row(name: str, pairs: pl.DataFrame) -> dict[str, Any]:
    found, interval = difference(pairs)
    low, high = interval or (None, None)
    losses = {"first": mean_loss(pairs), "second": mean_loss(pairs, "other_loss")}
    return {"part": name, "windows": pairs.height, **losses, "difference": found, "low": low, "high": high}


def _at_equal(
    what: str, first: _Side, second: _Side, pairs: pl.DataFrame
) -> tuple[bool | None, dict[str, Any] | None, str | None]:
    """Whether both have spent equally many tokens or hours, None where that is not known; and if not, what is known of the
    longer one where it had spent as many as the other, or a sentence that says why nothing is.
    """
    spent = [side.row[what] for side in (first, second)]
    if None in spent:
        unknown = [side.run.name for side, value in zip((first, second), spent, strict=True) if value is None]
        return None, None, f"the hours of run {unknown[0]} are not known, as none of its metrics has the speed of a step"
    goal, longer = min(spent), first if spent[0] > spent[1] else second
    near = EQUAL[what] * goal
    if max(spent) - goal <= near:
        return True, None, None
    found = _nearest(what, goal, near, longer, second if longer is first else first, pairs)
    if found is None or abs(found[what] - goal) > near:
        at = "nowhere" if found is None else f"next at step {found['step']:,}"
        where = f"run {longer.run.name} was not evaluated where it had {_amount(what, goal)}, but {at}"
        return False, None, f"{where}: nothing is known at equal {what}"
    return False, _at_step(what, longer, found, first, second, pairs), None


def _nearest(
    what: str, goal: float, near: float, longer: _Side, shorter: _Side, pairs: pl.DataFrame
) -> dict[str, Any] | None:  # fmt: skip
    """The evaluated line of the longer run's metrics that is nearest to where it had so many tokens or hours.

    Of those that are near, the end of a segment comes first: its rate has come down, and its windows are stored.
    """
    evaluated = longer.curve.drop_nulls("val_loss").to_dicts()
    there = [row for row in evaluated if _means(row, pairs) and _sees_same(longer, row["segment"], shorter)]

    def order(row: dict[str, Any]) -> tuple[bool, bool, float]:
        away = abs(row[what] - goal)
        return away > near, away <= near and not _is_end(longer, row), away

    return min(there, key=order, default=None)


def _sees_same(longer: _Side, segment: int, shorter: _Side) -> bool:
    """Whether the longer run had seen no other tokens of any part then than the shorter one at its end."""
    known = longer.run.segments[segment].known
    return all(known[name].digest == part.digest for name, part in shorter.known.items() if name in known)


def _is_end(side: _Side, row: dict[str, Any]) -> bool:
    return bool(row["step"] == side.run.segments[row["segment"]].end_step)


def _means(row: dict[str, Any], pairs: pl.DataFrame) -> dict[str, float]:
    """The losses in a line of metrics, of those parts that are compared."""
    losses = {each["part"]: each["loss"] for each in row["val_loss"] if each["loss"] is not None}
    return {part: losses[part] for part in pairs["part"].unique(maintain_order=True) if part in losses}


def _at_step(
    what: str, longer: _Side, row: dict[str, Any], first: _Side, second: _Side, pairs: pl.DataFrame
) -> dict[str, Any]:  # fmt: skip
    """The longer run at a line of its metrics beside the other at its end: by windows where they are stored, else by means."""
    segment = longer.run.segments[row["segment"]]
    about = {"of": what, "run": longer.run.name, **{name: row[name] for name in ("segment", "step", "tokens")}}
    about["hours"] = row["hours"] or None
    about["of_parts"] = pairs["part"].n_unique()
    about["is_before_decay"] = not _is_end(longer, row) and segment.schedule != "constant"
    then = longer.ends.filter(pl.col("segment") == row["segment"]) if _is_end(longer, row) else longer.ends.clear()
    stored = paired(then, second.windows) if longer is first else paired(first.windows, then)
    if stored.height:
        parts = stored["part"].n_unique()
        return {**about, "parts": parts, **{name: value for name, value in _row("", stored).items() if name != "part"}}
    means = _means(row, pairs)
    both = pairs.filter(pl.col("part").is_in(list(means)))
    weights = dict(both.group_by("part").agg(pl.sum("n_targets")).iter_rows())
    loss = sum(means[part] * weight for part, weight in weights.items()) / sum(weights.values())
    losses = (loss, mean_loss(both, "other_loss") or 0.0) if longer is first else (mean_loss(both) or 0.0, loss)
    return {
        **about, "parts": len(weights), "windows": None, "first": losses[0], "second": losses[1],
        "difference": losses[1] - losses[0], "low": None, "high": None,
    }  # fmt: skip


def _notes(first: _Side, second: _Side, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for side, other in ((first, second), (second, first)):
        if side.segment < len(side.run.segments) - 1:
            yield f"run {side.run.name} is compared as segment {side.segment + 1} left it: a later one has not come to its end"
        if alone := sorted(side.known.keys() - other.known.keys()):
            yield f"only run {side.run.name} learned from {some_parts(alone)}: it is not compared there"
        stored = dict(side.windows.group_by("part").len().iter_rows())
        if fewer := [row["part"] for row in rows if 0 < row["windows"] < stored.get(row["part"], 0)]:
            yield f"run {side.run.name} has more windows of {some_parts(fewer)} than both have: only those of both count"
    if bare := [row["part"] for row in rows if not row["windows"]]:
        yield not_evaluated(bare)
    if few := [row["part"] for row in rows if 0 < row["windows"] < ENOUGH]:
        yield (
            f"fewer than {ENOUGH} validation windows in {some_parts(few)}: intervals there are too narrow, and a single window "
            "has none; see tokenize --val-fraction"
        )


def _verdict(names: tuple[str, str], total: dict[str, Any], states: dict[str, bool | None]) -> str:
    """Who won, by how much, after how much, and whether that is more than noise."""
    found, better = total["difference"], names[total["difference"] < 0]
    if total["windows"] < ENOUGH:
        return (
            f"{_after(states)}, run {better} has {abs(found):.3f} nats a token less, but {total['windows']} validation windows "
            f"are too few to tell that from noise: {ENOUGH} would do"
        )
    low, high = total["low"], total["high"]
    if low <= 0 <= high:
        return (
            f"{_after(states)}, neither won: {found:+.3f} nats a token ({low:+.3f} to {high:+.3f}) are no more than the noise "
            "of the validation text"
        )
    least, most = sorted((abs(low), abs(high)))
    return (
        f"{_after(states)}, run {better} won by {abs(found):.3f} nats a token ({least:.3f} to {most:.3f}), more than the noise "
        "of the validation text; how far another seed would be from this is not known"
    )


def _after(states: dict[str, bool | None]) -> str:
    """Whether tokens and hours were equal, in words.

    >>> _after({"tokens": True, "hours": True}), _after({"tokens": True, "hours": None})
    ('at equal tokens and equal hours', 'at equal tokens and unknown hours')
    """
    words = {True: "equal", False: "unequal", None: "unknown"}
    return "at " + " and ".join(f"{words[state]} {what}" for what, state in states.items())


def _amount(what: str, value: float) -> str:
    return f"{value:,.0f} tokens" if what == "tokens" else f"spent {value:,.4g} hours"


def _equal_words(found: dict[str, Any]) -> str:
    """One of `CompareSummary.equal` as a sentence."""
    hours = f", {found['hours']:,.4g} hours" if found["hours"] else ""
    where = (
        f"run {found['run']} at step {found['step']:,} of segment {found['segment'] + 1} ({found['tokens']:,} tokens{hours})"
    )
    losses = f"first {found['first']:.3f}, second {found['second']:.3f}, difference {found['difference']:+.3f}"
    if found["low"] is not None:
        losses += f" ({found['low']:+.3f} to {found['high']:+.3f})"
    parts = f", over the {found['parts']} parts that both know there" if found["parts"] < found["of_parts"] else ""
    why = "" if found["windows"] else "; no interval, as in mid-segment only means are kept, not windows"
    early = "; its learning rate had not come down yet, which is to its disadvantage" if found["is_before_decay"] else ""
    return f"{where}, the other at its end: {losses}{parts}{why}{early}"
