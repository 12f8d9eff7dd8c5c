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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Unpack, cast

from raywiki.corpus import Corpus, Manifest, Tables, tokens_table
from raywiki.engine.fit import Fitted, Placement, fit_segment, place, wait_for_run, wait_for_stored
from raywiki.files import local_folder, require_writable
from raywiki.manifest import TABLES
from raywiki.progress import Progress
from raywiki.summary import WIDTH, as_html, not_evaluated, sentences, some_parts, table
from raywiki.tokens import corpus_byte_lengths
from raywiki.training import Plan, SegmentResult, TrainOptions, chosen_parts, open_run, plan_segment, read_metrics
from raywiki.training.board import wants_board
from raywiki.training.describe import plan_lines, plan_rows, plan_title
from raywiki.training.init_from import RUN, require_source
from raywiki.training.metrics import step_rates
from raywiki.training.options import PaceOptions, RunOptions, SegmentOptions, check_options, pick, spelled_out
from raywiki.training.order import PartTokens
from raywiki.training.parts import part_tokens, shard_files
from raywiki.training.plan import left_to_ask, require_parts
from raywiki.training.runs import METRICS, Run, check_run_name, check_same, read_run
from raywiki.training.scratch import find_grown, in_words, start_over
from raywiki.training.stored import StoredRun, run_folder
from raywiki.training.work import Work

RATES = 50  # the last steps whose speed tells how long a plan will take


@dataclass(frozen=True)
class TrainSummary:
    """What one call of `train` did.

    `state` is "trained", "stopped" (by a signal or a STOP file) or "unchanged". `segments` has one dict for each segment
    that was trained: its parts, its first and last step and the one that was planned, the training loss at the end, the
    validation loss (nats a token) of each part `before` and `after` it, the same in bits per byte (`bpb_before`, `bpb_after`;
    empty where that is not known), device, precision, and the shares of the device's own matrix products and of an A100's that
    were made use of (`mfu`, `mfu_of_a100`). `val_loss` and `val_bpb` are the newest of each part.
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
    val_bpb: dict[str, float | None] = field(default_factory=dict)

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
            if segment["mfu"] is not None:
                lines.append(
                    f"    {segment['mfu']:.1%} of the device's own matrix products (MFU); "
                    f"{segment['mfu_of_a100']:.2%} of an A100's, as nanoGPT counts"
                )
            lines += ["    " + line for line in table(_loss_rows(segment))]
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", self.notes)])


def _loss_rows(segment: dict[str, Any]) -> list[dict[str, Any]]:
    """Validation loss of each part before and after a segment, and in bits per byte where that is known."""
    columns = {"before": "before", "after": "after"}
    if segment["bpb_after"]:
        columns |= {"bits_per_byte_before": "bpb_before", "bits_per_byte_after": "bpb_after"}
    return [{"part": part, **{name: segment[key].get(part) for name, key in columns.items()}} for part in segment["after"]]


@spelled_out
def train(corpus: str | os.PathLike[str] | Corpus, run: str, **options: Unpack[TrainOptions]) -> TrainSummary:
    """Train a run over the tokenized parts, or go on where it stands; nothing when it has seen them.

    Parts that the run has not seen open a new segment, which goes on from the last checkpoint. What is not given is the
    run's own, else the size's default. The plan is printed on standard error before a segment starts. Stop it with Ctrl-C,
    SIGTERM or a file `runs/<run>/STOP`: it saves first. The loss of every step is in `rw.scan_metrics(corpus, run)`.

    Args:
        corpus: folder of the corpus; on a cluster, one that all nodes see, or a URL. A run at a URL is trained in a copy in
            the cache folder of the first worker's machine, and published after each checkpoint.
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
    return train_by(fit_segment, place, Corpus.open(corpus), run, options)


def train_by(
    fit: Callable[[Work, Placement], Fitted], find_place: Callable[[int | None, str | None], Placement], corpus: Corpus,
    run: str, options: TrainOptions, runs: str | None = None,
) -> TrainSummary:  # fmt: skip
    """`train`, with each segment trained by `fit` on what `find_place` says for the options num_workers and device.

    `runs` is the folder that holds the run's folder; the corpus's own when None.
    """
    started = time.monotonic()
    runs = None if runs is None else local_folder(runs, "runs apart from their corpus")
    folder = check_train(corpus.require(), run, options, runs)
    stored = StoredRun(corpus.url_of("runs", run)) if runs is None and not corpus.is_local else None
    tables = corpus.tables()
    grown = find_grown(folder, options)
    encoding = _encoding_of(tables, grown.folder if grown else folder, options.get("encoding"))
    manifests, warnings = _tokens(tables, encoding)
    opened, parts, asked = _what_to_train(folder, grown, manifests, options)
    trained: list[tuple[Plan, SegmentResult]] = []
    state, (lengths, why) = "unchanged", corpus_byte_lengths(corpus, opened.config.encoding, opened.config.vocabulary)
    while state != "stopped" and (plan := plan_segment(opened, parts, **asked)) is not None:
        plan = replace(plan, notes=(in_words(grown), *plan.notes)) if grown else plan
        if not trained and (wait_for_stored(stored) if stored else wait_for_run(folder)):  # it is not what it was
            opened = read_run(folder) or opened
            continue
        shards = _shards(corpus, plan, manifests)
        require_parts(plan, shards)
        with Progress(f"train {run}", plan.segment.end_step, "steps", slow_start=True):  # shows that Ray is being started
            placement = find_place(options.get("num_workers"), options.get("device"))
        print(describe(plan, placement, options.get("precision")), file=sys.stderr, flush=True)
        tensorboard = wants_board(folder, options.get("tensorboard"))
        pace = {**pick(options, PaceOptions), "byte_lengths": lengths}
        work = Work(plan, corpus.url_of(), shards, pace, tensorboard=tensorboard, stored=stored.url if stored else "")
        fitted = fit(work, placement)
        if stored:
            stored.pull()
        warnings += [*fitted.result.notes, *fitted.told]
        trained.append((plan, fitted.result))
        asked = left_to_ask(plan, parts, asked)
        opened, state = plan.run, "stopped" if fitted.result.status == "stopped" else "trained"
        if fitted.asked_to_stop and plan_segment(opened, parts, **asked) is not None:
            state = "stopped"  # between two segments
    return _summary(corpus, opened, state, trained, time.monotonic() - started, warnings, [why] if why and trained else [])


def check_train(corpus: Corpus, run: str, options: TrainOptions, runs: str | None = None) -> Path:
    """All that can be checked before there are tokens; the run's folder, in `runs` or in the corpus. Raises as `train` does."""
    check_options(options)
    if runs is None and "memory" in corpus.fs.protocol:
        where = "a store, or a folder that all workers see"
        raise ValueError(f"train needs a corpus in {where}, not {corpus.url}: copy its tokens/ there")
    check_run_name(run)
    if runs is None:
        corpus.writable()
    else:
        require_writable(runs)
    folder = Path(runs, run) if runs is not None else _folder_of(corpus, run, options)
    wants_board(folder, options.get("tensorboard"))
    existing, asked = read_run(folder), pick(options, RunOptions)
    if existing is not None:
        check_same(existing, asked)
    elif (place := asked.get("init_from")) is not None:
        require_source(place, folder.parent, asked)
    find_grown(folder, options)
    return folder


def _folder_of(corpus: Corpus, run: str, options: TrainOptions) -> Path:
    """The run's folder; where it is a copy of a stored run's, those of the runs that the options name lie beside it."""
    named = [options.get("from_scratch"), (options.get("init_from") or "").partition(RUN)[2]]
    for other in (each for each in named if each and not corpus.is_local):
        check_run_name(other)
        run_folder(corpus, other)
    return run_folder(corpus, run, must=False)


def describe(plan: Plan, placement: Placement, precision: str | None = None) -> str:
    """The plan as it is printed before a segment starts."""
    rates = step_rates(plan.run.folder / METRICS)
    rate = median(rates[-RATES:]) if rates else None
    lines = plan_lines(plan, placement.workers, placement.device, rate, precision)
    bullets = [line for text in lines for line in textwrap.wrap(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")]
    title = textwrap.wrap(plan_title(plan), WIDTH, subsequent_indent="  ")
    return "\n".join([*title, *("  " + line for line in table(plan_rows(plan))), *bullets])


def _what_to_train(
    folder: Path, grown: Run | None, manifests: dict[str, Manifest], options: TrainOptions
) -> tuple[Run, list[PartTokens], SegmentOptions]:
    """The run, its parts and what to ask `plan_segment` for; `grown` is the run that it starts over for, if any."""
    settings = next(iter(manifests.values())).settings
    own = {name: settings[name] for name in ("encoding", "vocabulary", "vocab_size")}
    there = [part_tokens(manifest) for manifest in manifests.values()]
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
    manifests, url = tables[tokens_table(encoding)], tables.corpus.url
    is_copy = not any(tables.parts(table) for table in TABLES)  # of tokens alone: nobody can tell what became of the rest
    if not is_copy:
        tables.require_articles()
    for part, manifest in manifests.items():
        if not is_copy and tables.is_stale(manifest):
            raise ValueError(f"the {encoding} tokens of part {part} are stale: run `raywiki tokenize {url}` first")
    empty = [part for part, manifest in manifests.items() if not manifest.counts["train_tokens"]]
    if len(empty) == len(manifests):
        raise ValueError(f"no part of {url} has a training token: no article was kept; see `raywiki status`")
    warnings = [f"part {part} has no training token and is left out" for part in empty]
    return {part: manifest for part, manifest in manifests.items() if part not in empty}, warnings


def _shards(corpus: Corpus, plan: Plan, manifests: dict[str, Manifest]) -> dict[str, list[tuple[str, str]]]:
    """Path and digest of the shards of each part that the segment reads, or that is there to be evaluated."""
    known = plan.segment.known
    there = [manifests[part] for part in known if part in manifests]
    return {each.part: shard_files(corpus, each) for each in there if part_tokens(each).digest == known[each.part].digest}


def _summary(
    corpus: Corpus, run: Run, state: str, trained: list[tuple[Plan, SegmentResult]], seconds: float, warnings: list[str],
    notes: list[str],
) -> TrainSummary:  # fmt: skip
    segments = tuple(
        {
            "parts": plan.segment.part_names,
            "first_step": plan.segment.start_step,
            "last_step": result.step,
            "planned_step": plan.segment.end_step,
            "train_loss": result.train_loss,
            "before": result.val_before,
            "after": result.val_loss,
            "bpb_before": result.bpb_before,
            "bpb_after": result.val_bpb,
            "device": result.device,
            "precision": result.precision,
            "mfu": result.mfu,
            "mfu_of_a100": result.mfu_of_a100,
        }
        for plan, result in trained
    )
    evaluated = [record for record in read_metrics(run.folder / METRICS) if record.get("val_loss")]
    newest = evaluated[-1] if evaluated else {}
    losses: dict[str, float | None] = newest.get("val_loss", {})
    notes = [*notes, *_dashes(losses, segments)]
    return TrainSummary(
        corpus.url, run.name, state, run.steps_done, segments, losses, seconds, tuple(warnings), tuple(notes),
        newest.get("val_bpb", {}),
    )  # fmt: skip


def _dashes(losses: dict[str, float | None], segments: Sequence[dict[str, Any]]) -> list[str]:
    """What the dashes in a summary mean: parts that cannot be evaluated, and those of which a segment's begin is not known."""
    bare = [part for part, loss in losses.items() if loss is None]
    rows = [row for segment in segments for row in _loss_rows(segment) if row["part"] not in bare]
    late = list(dict.fromkeys(row["part"] for row in rows if None in row.values()))
    notes = [not_evaluated(bare)] if bare else []
    if late:
        notes.append(f"not all losses of {some_parts(late)} are known as the segment began, so that the change is not either")
    return notes
