"""What a run learned, as rows of numbers: its segments, what each part brought, what was forgotten, and the answer in words.

Pure functions of a run's segments and of the frames of `evaluated.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from raywiki.report.evaluated import difference, mean_loss, paired
from raywiki.summary import plural, some_parts
from raywiki.training.config import recipe_name
from raywiki.training.order import Segment
from raywiki.training.runs import Run

Rows = list[dict[str, Any]]


def strands(run: Run, lines: pl.DataFrame) -> list[tuple[int | None, pl.DataFrame]]:
    """The lines of a run's metrics (see `evaluated.curve`) as curves that can be drawn.

    Returns:
        The way to the newest weights, with None; then each decay that was left aside, with the number of its segment, from the
        step on at which the next segment left it.
    """
    is_way = pl.col("step") <= pl.col("step").cum_min(reverse=True)
    found: list[tuple[int | None, pl.DataFrame]] = [
        (None, lines.filter(is_way).unique("step", keep="last", maintain_order=True))
    ]
    begun = set(lines["segment"].unique())
    for number, after in enumerate(run.segments[1:]):
        aside = lines.filter((pl.col("segment") == number) & (pl.col("step") >= after.start_step))
        if aside.height > 1 and number + 1 in begun:
            found.append((number, aside))
    return found


def segment_rows(run: Run, lines: pl.DataFrame) -> Rows:
    """Of each segment: the steps that it was planned for and has `done`, tokens, hours, schedule, and the parts that are new.

    Hours are those of its steps, as `evaluated.curve` counts them; None where no step has a speed.
    """
    spent = lines.group_by("segment", maintain_order=True).agg(pl.last("step"), pl.last("hours"))
    last = {number: (step, hours) for number, step, hours in spent.iter_rows()}
    rows, before = [], 0.0
    for number, segment in enumerate(run.segments):
        step, hours = last.get(number, (segment.start_step, before))
        done, hours, before = step - segment.start_step, hours - before, hours
        rows.append(
            {
                "segment": number + 1,
                "start_step": segment.start_step,
                "end_step": segment.end_step,
                "done": done,
                "tokens": done * segment.total_batch_size,
                "hours": hours or None,
                "batch": segment.total_batch_size,
                "schedule": segment.schedule,
                "lr": segment.lr,
                "warmup_steps": segment.warmup_steps,
                "replay": segment.replay,
                "parts": len(segment.parts),
                "new_parts": len(new_parts(run, number)),
            }
        )
    return rows


def new_parts(run: Run, number: int) -> list[str]:
    """The parts that a segment (from 0) was the first to learn from."""
    known = run.segments[number - 1].known if number else {}
    return [part.name for part in run.segments[number].parts if part.name not in known]


def windows_at_begin(run: Run, ends: pl.DataFrame, evals: pl.DataFrame, number: int) -> pl.DataFrame:
    """The validation windows with the weights that a segment (from 0) is compared with: the last ones of the segment before.

    Args:
        run: its segments tell which tokens each part had.
        ends: see `evaluated.segment_ends`.
        evals: see `scan_evals`.
        number: of the segment.
    """
    columns = ["part", "window", "n_targets", "loss"]
    own = evals.filter((pl.col("segment") == number) & (pl.col("moment") == "begin")).select(columns)
    digests = [part.digest for part in run.segments[number].known.values()]
    before = ends.filter((pl.col("segment") == number - 1) & pl.col("digest").is_in(digests)).select(columns)
    return pl.concat([before, own.join(before, on="part", how="anti")])


def brought(run: Run, ends: pl.DataFrame, evals: pl.DataFrame, number: int) -> Rows:
    """What a segment (from 0) changed: of each part its mean loss before and after, and the change with its 95 % interval.

    `per_million` is the change for each million training tokens of the parts that were new (see `new_tokens`), None where no
    part was. `role` is "new", "replayed" or "again" as the plan says it, or "resting": the segment did not read it.
    """
    before, after = windows_at_begin(run, ends, evals, number), ends.filter(pl.col("segment") == number)
    segment, new, rows = run.segments[number], new_parts(run, number), []
    millions, again = new_tokens(run, number) / 1e6, "replayed" if segment.replay is not None else "again"
    for part in segment.known:
        pairs = paired(*(frame.filter(pl.col("part") == part) for frame in (before, after)))
        change, interval = difference(pairs)
        role = "new" if part in new else again if part in segment.part_names else "resting"
        row = {"part": part, "role": role, "windows": pairs.height, "before": mean_loss(pairs)}
        row |= {"after": mean_loss(pairs, "other_loss"), "change": change, **_ends(interval)}
        rows.append({**row, "per_million": None if change is None or not millions else change / millions})
    return rows


def new_tokens(run: Run, number: int) -> int:
    """Training tokens of the parts that a segment (from 0) was the first to learn from."""
    new = set(new_parts(run, number))
    return sum(part.train_tokens for part in run.segments[number].parts if part.name in new)


def part_returns(run: Run, ends: pl.DataFrame, evals: pl.DataFrame, segments: Rows, bytes_of: Mapping[str, int]) -> Rows:
    """What each part brought for what it cost: how far its own loss fell since it was added, an hour and a GB.

    Args:
        run, ends, evals: as `windows_at_begin` takes them.
        segments: see `segment_rows`.
        bytes_of: bytes on disk of each part.

    Returns:
        Of each part the `segment` (from 1) that added it, its loss `before` that and `now`, at the end of the last segment that
        came to one; the `hours` of training that it was read for, its share of those of each segment; `gb` (10⁹ bytes); and by
        how much its loss fell `per_hour` and `per_gb`. None where something of it is not known.
    """
    if not ends.height:
        return []
    last, rows = int(ends["segment"][-1]), Rows()
    for number in range(last + 1):
        before = windows_at_begin(run, ends, evals, number)
        for part in new_parts(run, number):
            digest = run.segments[number].known[part].digest  # with other tokens since then, it has other windows
            now = ends.filter((pl.col("segment") == last) & (pl.col("part") == part) & (pl.col("digest") == digest))
            pairs = paired(before.filter(pl.col("part") == part), now)
            loss, other = mean_loss(pairs), mean_loss(pairs, "other_loss")
            fell = None if loss is None or other is None else loss - other
            hours = _hours_of(part, run.segments[: last + 1], segments) or None
            gb = bytes_of[part] / 1e9 if part in bytes_of else None
            row = {"part": part, "segment": number + 1, "before": loss, "now": other, "fell": fell, "hours": hours, "gb": gb}
            rows.append({**row, "per_hour": _quotient(fell, hours), "per_gb": _quotient(fell, gb)})
    return rows


def losses_now(lines: pl.DataFrame, ends: pl.DataFrame, matrix: Rows) -> tuple[int | None, Rows]:
    """The step of the newest evaluation, and each part's loss and bits per byte then, with its interval at a segment's end.

    Args:
        lines: see `evaluated.curve`.
        ends: see `evaluated.segment_ends`.
        matrix: see `rw.forgetting`.
    """
    evaluated = lines.drop_nulls("val_loss")
    if not evaluated.height:
        return None, []
    newest = evaluated.row(-1, named=True)
    at_end = {row["part"]: row for row in matrix if (row["segment"], row["step"]) == (newest["segment"], newest["step"])}
    is_stored = bool(ends.height) and newest["segment"] == int(ends["segment"][-1])
    rows = []
    for each in newest["val_loss"]:
        found = at_end.get(each["part"], {}) if is_stored else {}
        row = {"part": each["part"], "windows": found.get("windows") or None, "loss": each["loss"]}
        rows.append({**row, "low": found.get("low"), "high": found.get("high"), "bits_per_byte": each["bpb"]})
    return newest["step"], rows


def forgotten(matrix: Rows) -> Rows:
    """Rows of the last segment whose loss is above its lowest earlier one by more than the noise, the worst first."""
    last = max((row["segment"] for row in matrix if row["loss"] is not None), default=-1)
    worse = [row for row in matrix if row["segment"] == last and (row["change_low"] or 0) > 0]
    return sorted(worse, key=lambda row: -row["change"])


# --- in words --------------------------------------------------------------------------------------------------------


def corpus_sentence(total: Mapping[str, Any], n_parts: int, encodings: Sequence[str]) -> str:
    """How much there is.

    >>> total = {"pages": 9, "articles": 5, "kept": 4, "made_tokens": 1200}
    >>> corpus_sentence(total, 2, ["made"])
    'The corpus holds 2 parts: 9 pages, 5 articles, 4 kept (80 %), 1,200 tokens (made).'
    """
    if not n_parts:
        return "The corpus holds no part yet."
    pieces = [f"{total[name]:,} {name}" for name in ("pages", "articles") if total[name] is not None]
    if total["kept"] is not None:
        share = f" ({100 * total['kept'] / total['articles']:.0f} %)" if total["articles"] else ""
        pieces.append(f"{total['kept']:,} kept{share}")
    pieces += [f"{total[f'{name}_tokens']:,} tokens ({name})" for name in encodings if total[f"{name}_tokens"] is not None]
    return f"The corpus holds {plural(n_parts, 'part')}: {', '.join(pieces)}."


def run_sentences(run: Run, lines: pl.DataFrame, segments: Rows, now: Rows, changes: Rows, matrix: Rows) -> Iterator[str]:
    """The answer: where the run stands, its loss by part now, what the last growth brought, and what was forgotten."""
    newest = lines.row(-1, named=True)
    hours = f" and {newest['hours']:,.3g} hours of training" if newest["hours"] else ""
    hours += " (with the decays that were left aside)" if hours and len(strands(run, lines)) > 1 else ""
    segment, config = run.segments[newest["segment"]], run.config
    yield (
        f"Run {run.name} ({config.size}, {recipe_name(config.recipe)}, {config.model.n_params:,} weights) stands at step "
        f"{newest['step']:,} of {segment.end_step:,}, in segment {newest['segment'] + 1} of {len(run.segments)}, after "
        f"{newest['tokens']:,} tokens{hours}."
    )
    yield _loss_sentence([row for row in now if row["loss"] is not None])
    if matrix:
        ended = max((row["segment"] for row in matrix if row["loss"] is not None), default=None)
        if ended is not None:
            yield _growth_sentence(run, ended, segments[ended], changes)
            yield _forgotten_sentence(matrix, ended)


def _loss_sentence(rows: Rows) -> str:
    if not rows:
        return "It was not evaluated yet: no part has a loss on text that it did not learn from."
    best, worst = (choose(rows, key=lambda row: row["loss"]) for choose in (min, max))
    if len(rows) == 1:
        return f"Its validation loss is now {best['loss']:.3f} nats a token on part {best['part']}."
    return (
        f"Its validation loss is now {mean_of(rows, 'loss'):.3f} nats a token in the mean of {len(rows)} parts, from "
        f"{best['loss']:.3f} ({best['part']}) to {worst['loss']:.3f} ({worst['part']})."
    )


def _growth_sentence(run: Run, ended: int, segment: Mapping[str, Any], changes: Rows) -> str:
    """What the last segment that came to its end brought, in means over the parts that were new and those that were not."""
    new = new_parts(run, ended)
    if ended:
        added = f"{plural(len(new), 'part')} with {new_tokens(run, ended):,} training tokens" if new else "no new part"
        start = f"The last growth, segment {ended + 1}, added {added}"
    else:
        start = f"The first segment learned from {plural(len(new), 'part')} with {new_tokens(run, 0):,} training tokens"
    start += f" and read {segment['tokens']:,} tokens: "
    pieces = []
    for name, is_new in (("new", True), ("earlier", False)):
        rows = [row for row in changes if (row["role"] == "new") == is_new and row["change"] is not None]
        if rows:
            change = mean_of(rows, "change")
            each = (
                f", {mean_of(rows, 'per_million'):+.3f} for each million new tokens"
                if rows[0]["per_million"] is not None
                else ""
            )
            pieces.append(
                f"the mean loss of the {plural(len(rows), f'{name} part')} went from {mean_of(rows, 'before'):.3f} to "
                f"{mean_of(rows, 'after'):.3f} nats a token ({change:+.3f}{each})"
            )
    return start + ("; ".join(pieces) or "what that changed was not evaluated") + "."


def _forgotten_sentence(matrix: Rows, ended: int) -> str:
    compared = [row for row in matrix if row["segment"] == ended and row["change"] is not None]
    if not compared:
        return "Nothing can be said of forgetting yet: no part was evaluated at the ends of two segments."
    worse = forgotten(matrix)
    if not worse:
        return (
            f"Nothing was forgotten: no loss of the {plural(len(compared), 'part')} that earlier segments ended with is above "
            "its lowest by more than the noise of the validation text."
        )
    worst = worse[0]
    most = f"{worst['change']:+.3f} nats a token ({worst['change_low']:+.3f} to {worst['change_high']:+.3f})"
    return (
        f"Forgotten: {some_parts([row['part'] for row in worse])}, whose loss is above its lowest by more than the noise of "
        f"the validation text, most of all {worst['part']} by {most} since segment {worst['lowest'] + 1}."
    )


def mean_of(rows: Rows, name: str) -> float:
    """The plain mean of a column, each part counting the same."""
    return sum(row[name] for row in rows) / len(rows)


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}


def _hours_of(part: str, way: Sequence[Segment], segments: Rows) -> float:
    """Hours for which a part was read: of each segment's, its share of the samples."""
    hours = 0.0
    for segment, row in zip(way, segments, strict=False):
        slots = sum(each.quota for each in segment.parts)
        own = sum(each.quota for each in segment.parts if each.name == part)
        hours += (row["hours"] or 0.0) * own / slots if slots else 0.0
    return hours


def _quotient(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else value / by
