"""train: token shards to a GPT, with Ray Train; each segment of a run is one Ray run.

what a user asks         training.options.TrainOptions
→ what is planned        training.plan.plan_segment(run, parts, options), a pure function
→ what the workers do    engine.fit.fit_segment → training.loop.train_segment, which publishes the plan
→ what comes back        training.loop.SegmentResult → TrainSummary
"""

from __future__ import annotations

import os
import sys
import textwrap
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Unpack, cast

from raywiki.corpus import Corpus, Manifest, Tables, tokens_table
from raywiki.engine.fit import Placement, Work, fit_segment, place, wait_for_run
from raywiki.progress import Progress
from raywiki.summary import WIDTH, as_html, sentences, some_parts, table
from raywiki.training import PartTokens, Plan, SegmentResult, TrainOptions, chosen_parts, open_run, plan_segment, read_metrics
from raywiki.training.cache import shards_digest
from raywiki.training.describe import plan_lines, plan_rows, plan_title
from raywiki.training.options import PaceOptions, RunOptions, SegmentOptions, check_options, pick, spelled_out
from raywiki.training.plan import left_to_ask, require_parts
from raywiki.training.runs import METRICS, Run, check_run_name, check_same, read_run
from raywiki.training.scratch import find_grown, in_words, start_over

RATES = 50  # the last steps whose speed tells how long a plan will take


@dataclass(frozen=True)
class TrainSummary:
    """What one call of `train` did.

    `state` is "trained", "stopped" (by a signal or a STOP file) or "unchanged". `segments` has one dict for each segment
    that was trained: its parts, its first and last step and the one that was planned, the training loss at the end, the
    validation loss (nats a token) of each part `before` and `after` it, device and precision. `val_loss` is the newest one
    of each part.
    """

    corpus: str
    run: str
    state: str
    step: int
    segments: tuple[dict[str, Any], ...]
    val_loss: dict[str, float | None]
    seconds: float
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    _repr_html_ = as_html

    @property
    def exit_status(self) -> int:
        """Of the command: 3 when the training was stopped before its end, so that no script takes it for done."""
        return 3 if self.state == "stopped" else 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        did = {
            "trained": f"trained to step {self.step:,}",
            "stopped": f"stopped at step {self.step:,}; the same command goes on from there",
            "unchanged": f"nothing to do, it stands at step {self.step:,}",
        }[self.state]
        lines = [f"train {self.corpus} run {self.run}: {did} ({self.seconds:.1f} s)"]
        for segment in self.segments:
            of = f" of {segment['planned_step']:,}" if segment["last_step"] < segment["planned_step"] else ""
            loss = "" if segment["train_loss"] is None else f", training loss {segment['train_loss']:.3f}"
            steps = f"steps {segment['first_step']:,} to {segment['last_step']:,}{of}"
            losses = "; validation loss by part" if segment["after"] else ""
            lines.append(f"  {steps} on {segment['device']} in {segment['precision']}{loss}{losses}")
            rows = [
                {"part": part, "before": segment["before"].get(part), "after": loss} for part, loss in segment["after"].items()
            ]
            lines += ["    " + line for line in table(rows)]
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", self.notes)])


@spelled_out
def train(corpus: str | os.PathLike[str] | Corpus, run: str, **options: Unpack[TrainOptions]) -> TrainSummary:
    """Train a run over the tokenized parts, or go on where it stands; nothing when it has seen them.

    Parts that the run has not seen open a new segment, which goes on from the last checkpoint. What is not given is the
    run's own, else the size's default. The plan is printed on standard error before a segment starts. Stop it with Ctrl-C,
    SIGTERM or a file `runs/<run>/STOP`: it saves first. The loss of every step is in `rw.scan_metrics(corpus, run)`.

    Args:
        corpus: folder of the corpus; on a cluster, one that all nodes see.
        run: name of the run, the folder `runs/<run>`.
        options: see below; None, or what is not given, means the run's own value, else the default.

    Raises:
        FileNotFoundError: no corpus there.
        TypeError: an option is unknown.
        ValueError: there are no such tokens, or they are stale or fewer than one sequence; the run exists with another
            size, encoding, recipe, seq_len or seed; a part it learned from is gone or has other tokens; another process
            trains it; no node of the cluster can hold a worker. The run is as it was before.
        OSError, RuntimeError: the file system or a worker fails again and again; the run stands at its last checkpoint.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    folder = check_train(corpus, run, options)
    tables = corpus.tables()
    grown = find_grown(folder, options)
    encoding = _encoding_of(tables, grown.folder if grown else folder, options.get("encoding"))
    manifests, warnings = _tokens(tables, encoding)
    opened, parts, asked = _what_to_train(folder, grown, manifests, options)
    trained: list[tuple[Plan, SegmentResult]] = []
    state = "unchanged"
    while state != "stopped" and (plan := plan_segment(opened, parts, **asked)) is not None:
        plan = replace(plan, notes=(in_words(grown), *plan.notes)) if grown else plan
        if not trained and wait_for_run(folder):  # it is not what it was
            opened = read_run(folder) or opened
            continue
        shards = _shards(corpus, plan, manifests)
        require_parts(plan, shards)
        with Progress(f"train {run}", plan.segment.end_step, "steps"):  # shows that Ray is being started
            placement = place(options.get("num_workers"), options.get("device"))
        print(describe(plan, placement), file=sys.stderr, flush=True)
        work = Work(plan, corpus.url_of(), shards, pick(options, PaceOptions))
        fitted = fit_segment(work, placement)
        warnings += [*fitted.result.notes, *fitted.told]
        trained.append((plan, fitted.result))
        asked = left_to_ask(plan, parts, asked)
        opened, state = plan.run, "stopped" if fitted.result.status == "stopped" else "trained"
        if fitted.asked_to_stop and plan_segment(opened, parts, **asked) is not None:
            state = "stopped"  # between two segments
    return _summary(corpus, opened, state, trained, time.monotonic() - started, warnings)


def check_train(corpus: Corpus, run: str, options: TrainOptions) -> Path:
    """All that can be checked before there are tokens; the run's folder. Raises as `train` does."""
    check_options(options)
    if not corpus.is_local:
        raise ValueError(f"train needs a corpus in a folder that all workers see, not {corpus.url}: copy its tokens/ there")
    check_run_name(run)
    corpus.writable()
    folder = Path(corpus.path("runs", run))
    existing = read_run(folder)
    if existing is not None:
        check_same(existing, pick(options, RunOptions))
    find_grown(folder, options)
    return folder


def describe(plan: Plan, placement: Placement) -> str:
    """The plan as it is printed before a segment starts."""
    rates = [line["tok_per_sec"] for line in read_metrics(plan.run.folder / METRICS) if line.get("tok_per_sec")]
    lines = plan_lines(plan, placement.workers, placement.device, median(rates[-RATES:]) if rates else None)
    bullets = [line for text in lines for line in textwrap.wrap(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")]
    title = textwrap.wrap(plan_title(plan), WIDTH, subsequent_indent="  ")
    return "\n".join([*title, *("  " + line for line in table(plan_rows(plan))), *bullets])


def _what_to_train(
    folder: Path, grown: Run | None, manifests: dict[str, Manifest], options: TrainOptions
) -> tuple[Run, list[PartTokens], SegmentOptions]:
    """The run, its parts and what to ask `plan_segment` for; `grown` is the run that it starts over for, if any."""
    settings = next(iter(manifests.values())).settings
    own = {name: settings[name] for name in ("encoding", "vocabulary", "vocab_size")}
    there = [_part_tokens(manifest) for manifest in manifests.values()]
    if grown is not None:
        check_same(grown, own)
        return start_over(folder, grown, there, options)
    opened = open_run(folder, **own, **pick(options, RunOptions))
    return opened, chosen_parts(opened, there, options.get("parts")), cast(SegmentOptions, pick(options, SegmentOptions))


def _encoding_of(tables: Tables, folder: Path, encoding: str | None) -> str:
    """Name of the encoding to train on: the given one, the run's, or the only one that the corpus has."""
    run = read_run(folder)
    return tables.require_encoding(run.config.encoding if encoding is None and run is not None else encoding)


def _tokens(tables: Tables, encoding: str) -> tuple[dict[str, Manifest], list[str]]:
    """The parts with training tokens, and a warning for each part that has none."""
    tables.require_articles()
    manifests, url = tables[tokens_table(encoding)], tables.corpus.url
    for part, manifest in manifests.items():
        if tables.is_stale(manifest):
            raise ValueError(f"the {encoding} tokens of part {part} are stale: run `raywiki tokenize {url}` first")
    empty = [part for part, manifest in manifests.items() if not manifest.counts["train_tokens"]]
    if len(empty) == len(manifests):
        raise ValueError(f"no part of {url} has a training token: no article was kept; see `raywiki status`")
    warnings = [f"part {part} has no training token and is left out" for part in empty]
    return {part: manifest for part, manifest in manifests.items() if part not in empty}, warnings


def _shards(corpus: Corpus, plan: Plan, manifests: dict[str, Manifest]) -> dict[str, list[tuple[str, str]]]:
    """Path and digest of the shards of each part that the segment reads, or that is there to be evaluated."""
    known = plan.segment.known
    read = {part: manifests[part] for part in known if part in manifests and _digest(manifests[part]) == known[part].digest}
    return {part: [(corpus.shard_path(each, shard), shard.sha256) for shard in each.shards] for part, each in read.items()}


def _digest(manifest: Manifest) -> str:
    return shards_digest([shard.sha256 for shard in manifest.shards])


def _part_tokens(manifest: Manifest) -> PartTokens:
    return PartTokens(manifest.part, _digest(manifest), manifest.counts["train_tokens"], manifest.counts["val_tokens"])


def _summary(
    corpus: Corpus, run: Run, state: str, trained: list[tuple[Plan, SegmentResult]], seconds: float, warnings: list[str]
) -> TrainSummary:
    segments = tuple(
        {
            "parts": plan.segment.part_names,
            "first_step": plan.segment.start_step,
            "last_step": result.step,
            "planned_step": plan.segment.end_step,
            "train_loss": result.train_loss,
            "before": result.val_before,
            "after": result.val_loss,
            "device": result.device,
            "precision": result.precision,
        }
        for plan, result in trained
    )
    evaluated = [record["val_loss"] for record in read_metrics(run.folder / METRICS) if record.get("val_loss")]
    newest: dict[str, float | None] = evaluated[-1] if evaluated else {}
    bare = [part for part, loss in newest.items() if loss is None]
    notes = [f"{some_parts(bare)} cannot be evaluated without a validation page: see tokenize --val-fraction"] if bare else []
    return TrainSummary(corpus.url, run.name, state, run.steps_done, segments, newest, seconds, tuple(warnings), tuple(notes))
