"""report: a corpus and its runs as one HTML file that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import raywiki
from raywiki.corpus import Corpus, Tables
from raywiki.files import file_to_write, put
from raywiki.intervals import ENOUGH
from raywiki.local.export_card import licence
from raywiki.local.export_documents import hub_config
from raywiki.manifest import is_dump, wiki_of
from raywiki.progress import Progress
from raywiki.report import growth, inventory
from raywiki.report.chart import FRAME, SKIP, Chart, Curve, line_chart
from raywiki.report.evaluated import curve, find_run, segment_ends
from raywiki.report.excerpts import Excerpt, excerpts, find_prompts
from raywiki.report.forgetting import forgetting
from raywiki.report.inspect import inspect_templates
from raywiki.report.pairs import pairs
from raywiki.report.shown import (
    Column,
    ShownTable,
    change,
    count,
    largest_of,
    loss,
    matrix_table,
    percent,
    shown_table,
    significant,
    size_unit,
    time_unit,
)
from raywiki.report.status import status
from raywiki.scan import scan_evals
from raywiki.summary import as_html, sentences, some_parts, table
from raywiki.training.runs import Run

NAME, TEMPLATE = "report.html", "report.html.j2"
MAX_TOKENS = 48  # of a sample text
TEMPLATES = 15  # dropped templates that are shown
LIBRARIES = ("torch", "polars", "pyarrow", "numpy", "ray")


@dataclass(frozen=True)
class ReportSummary:
    """A report that was written: its `file`, a path or URL, and how many bytes, parts, runs and sample texts it has."""

    corpus: str
    file: str
    bytes: int
    parts: int
    runs: int
    samples: int
    seconds: float
    notes: tuple[str, ...] = ()

    _repr_html_ = as_html

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        numbers = {name: getattr(self, name) for name in ("bytes", "parts", "runs", "samples")}
        lines = [f"report {self.corpus}: wrote {self.file} ({self.seconds:.1f} s)", *("  " + line for line in table([numbers]))]
        return "\n".join([*lines, *sentences("note", self.notes)])


@dataclass(frozen=True)
class _Known:
    """What is stored of a run. `why` is a sentence where something is missing, and its frame or rows have no row then."""

    run: Run
    lines: pl.DataFrame
    ends: pl.DataFrame
    evals: pl.DataFrame
    matrix: growth.Rows
    why: tuple[str, ...]


def report(
    corpus: str | os.PathLike[str] | Corpus, to: str | os.PathLike[str] | None = None, run: str | None = None, *,
    prompts: Sequence[str] | None = None, max_tokens: int = MAX_TOKENS,
) -> ReportSummary:  # fmt: skip
    """Write what a corpus holds, what its runs learned and forgot, and what that cost, as one HTML file.

    It has tables and drawings, no script, and asks nothing of any network. What is quoted in it is from the corpus and its
    models. The same corpus gives the same file, in one step: afterwards there is the old one or the new one.

    Args:
        corpus: folder or URL of the corpus.
        to: file or URL to write; `report.html` in the corpus when None.
        run: tell of this run alone; of all when None.
        prompts: each segment's last checkpoint writes a text after each; the first words of two validation documents when None.
        max_tokens: tokens of such a text, at most; 0 writes none. They are drawn on the CPU.

    Raises:
        FileNotFoundError: no corpus there.
        OSError: `to` cannot be written.
        ValueError: there is no such run; a manifest, the notes of a part or a run is damaged; `max_tokens` is negative.
    """
    started = time.monotonic()
    if max_tokens < 0:
        raise ValueError(f"max_tokens is {max_tokens}, it must be a number of tokens of at least 0")
    if isinstance(prompts, str):
        raise TypeError("prompts is one text: give a list of texts")
    corpus = Corpus.open(corpus).require()
    runs = [find_run(corpus, name, weights=True) for name in ([run] if run is not None else corpus.runs())]
    file = os.fspath(to) if to is not None else f"{corpus.url.rstrip('/')}/{NAME}"
    fs, path = file_to_write(file, "report", NAME)
    tables = corpus.tables()
    with Progress("report", max(1, len(runs)), "runs") as progress:
        progress.say("reading tables")
        page = _corpus_page(tables)
        sections = []
        for each in runs:
            progress.say(f"run {each.name}")
            sections.append(_run_page(corpus, tables, each, prompts, max_tokens))
            progress.advance(1)
        beside, why_not = pairs(corpus, runs)
    content = render({**page, "runs": sections, "pairs": beside, "notes": [*page["notes"], *why_not]}).encode()
    put(path, content, fs)
    written = sum(1 for section in sections for each in section["samples"] if not each.why)
    parts = len(inventory.part_ids(tables))
    return ReportSummary(
        corpus.url, file, len(content), parts, len(sections), written, time.monotonic() - started
    )  # fmt: skip


def render(page: Mapping[str, Any]) -> str:
    """The HTML of a page. All texts are escaped: titles, templates and what a model writes come from wikis."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(TEMPLATE).render(page, size=FRAME, skip=SKIP).strip() + "\n"


# --- the corpus ------------------------------------------------------------------------------------------------------


def _corpus_page(tables: Tables) -> dict[str, Any]:
    """What the template takes of the corpus alone."""
    state = status(tables.corpus)
    rows, encodings = inventory.funnel(tables), tables.encodings()
    whole = [*rows, inventory.total_row(rows)] if len(rows) > 1 else rows
    templates = inspect_templates(tables.corpus, n=TEMPLATES)
    return {
        "title": tables.corpus.url.rstrip("/").rpartition("/")[2] or tables.corpus.url,
        "place": tables.corpus.url,
        "sentence": growth.corpus_sentence(inventory.total_row(rows), len(rows), encodings),
        "problems": state.problems,
        "notes": list(state.notes),
        "funnel": _funnel_table(whole, encodings),
        "bars": _bars(rows),
        "cost": _cost_tables(tables),
        "templates": _templates_table([row for row in templates.rows if row["dropped"]], templates.total),
        "reasons": _reasons_table(inventory.reject_reasons(tables["decisions"].values())),
        "settings": _settings_tables(tables),
        "sources": _sources(tables),
    }


def _funnel_table(rows: growth.Rows, encodings: Sequence[str]) -> ShownTable:
    columns: list[Column] = [("part", "part", None), ("source", "source", None)]
    names = ("pages", "redirects", "other_pages", "articles", "filtered", "duplicates", "kept")
    columns += [(name, name.replace("_", " "), count) for name in names]
    for name in encodings:
        columns += [(f"{name}_tokens", f"tokens ({name})", count), (f"{name}_val_tokens", "of them for validation", count)]
    caption = "Pages of each dump part, what became of them, and tokens of what is kept."
    sums = "Pages are redirects, other pages (of other namespaces and models, deleted, unreadable) and articles; articles are "
    return shown_table(
        caption, rows, columns, "not made yet", [sums + "filtered, duplicates and kept."] if rows else []
    )  # fmt: skip


def _bars(rows: growth.Rows) -> list[dict[str, Any]]:
    """For the drawing of the funnel: widths as shares of the part with most pages."""
    most = max((row["pages"] or row["articles"] or 0 for row in rows), default=0) or 1
    names = ("pages", "articles", "kept")
    return [
        {"part": row["part"], **{name: (row[name] or 0) / most for name in names}, "kept_count": row["kept"]} for row in rows
    ]


def _cost_tables(tables: Tables) -> list[ShownTable]:
    shown, heads = [], {"dedup_index": "dedup index", "dump": "dump (not in the corpus)"}
    for rows, caption, unit_of in (
        (inventory.part_bytes(tables), "Bytes on disk of each part and stage, in {}.", size_unit),
        (inventory.part_seconds(tables), "Work of each part and stage, its tasks added up, in {}.", time_unit),
    ):
        whole = [*rows, inventory.total_row(rows)] if len(rows) > 1 else rows
        unit, form = unit_of(largest_of(rows))
        names = [name for name in (rows[0] if rows else {}) if name != "part"]
        columns: list[Column] = [("part", "part", None), *((name, heads.get(name, name), form) for name in names)]
        shown.append(shown_table(caption.format(unit), whole, columns, "not made yet, or not noted"))
    return shown


def _templates_table(rows: Sequence[Mapping[str, Any]], total: int) -> ShownTable:
    columns: list[Column] = [("template", "template", None), ("dropped", "dropped", count), ("share", "share of all", percent)]
    columns += [("article", "first in", None), ("sentence", "wikitext around it", None)]
    caption = f"Templates that were dropped most often, {TEMPLATES} at most, of {total:,} uses that were."
    return shown_table(caption, [{**row, "share": row["dropped"] / total} for row in rows], columns, "no example was kept")


def _reasons_table(rows: growth.Rows) -> ShownTable:
    columns: list[Column] = [("reason", "reason", None), ("articles", "articles", count), ("share", "share", percent)]
    caption = "Articles that curation left out, by the first rule that each failed."
    return shown_table(caption, rows, [*columns, ("parts", "parts", count)])


def _settings_tables(tables: Tables) -> list[ShownTable]:
    columns: list[Column] = [(name, name, None) for name in ("table", "setting", "value")]
    made = shown_table("What the tables were made with.", inventory.settings(tables), [*columns, ("parts", "parts", count)])
    versions = [{"what": "raywiki that made the parts", "version": ", ".join(inventory.made_by(tables)) or "–"}]
    versions += [{"what": "raywiki that wrote this page", "version": raywiki.__version__}]
    versions += [{"what": "Python", "version": platform.python_version()}]
    versions += [{"what": name, "version": found} for name in LIBRARIES if (found := _version(name))]
    return [made, shown_table("Versions.", versions, [("what", "what", None), ("version", "version", None)])]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _sources(tables: Tables) -> list[dict[str, str]]:
    """The wikis that texts and titles of dumps are from, each with its licence and the address of that."""
    found = {}
    for each in filter(is_dump, tables["articles"].values()):
        number = licence(hub_config(each)).rpartition("-")[2]
        wiki = wiki_of(each)
        found[wiki, number] = {
            "wiki": wiki, "licence": f"CC BY-SA {number}", "url": f"https://creativecommons.org/licenses/by-sa/{number}/"
        }  # fmt: skip
    return list(found.values())


# --- a run -----------------------------------------------------------------------------------------------------------


def _known(corpus: Corpus, run: Run) -> _Known:
    """What is stored of a run; a run of an older raywiki, or one that has just begun, lacks some of it."""
    why: list[str] = []
    lines = pl.DataFrame(schema={"segment": pl.Int64, "step": pl.Int64, "hours": pl.Float64, "val_loss": pl.List(pl.Float64)})
    ends, evals = (pl.DataFrame(schema={"segment": pl.Int32}) for _ in range(2))
    matrix: growth.Rows = []
    try:
        lines = curve(corpus, run)
        evals, ends = scan_evals(corpus, run.name).collect(), segment_ends(corpus, run)
        matrix = forgetting(corpus, run.name).to_dicts()
    except ValueError as error:
        why.append(str(error))
    return _Known(run, lines, ends, evals, matrix, tuple(why))


def _run_page(
    corpus: Corpus, tables: Tables, run: Run, prompts: Sequence[str] | None, max_tokens: int
) -> dict[str, Any]:  # fmt: skip
    """What the template takes of one run."""
    known = _known(corpus, run)
    segments = growth.segment_rows(run, known.lines)
    step, now = growth.losses_now(known.lines, known.ends, known.matrix)
    ended = int(known.ends["segment"][-1]) if known.ends.height else None
    changes = growth.brought(run, known.ends, known.evals, ended) if ended is not None else []
    bytes_of = {row["part"]: row["total"] for row in inventory.part_bytes(tables)}
    returns = growth.part_returns(run, known.ends, known.evals, segments, bytes_of)
    said = growth.run_sentences(run, known.lines, segments, now, changes, known.matrix) if known.lines.height else []
    done = {row["segment"] - 1 for row in segments if row["start_step"] + row["done"] == row["end_step"]}
    samples, why_none = _samples(corpus, run, prompts, max_tokens, done)
    return {
        "name": run.name,
        "sentences": list(said),
        "why": known.why,
        "now": _now_table(run.name, step, now),
        "changes": _changes_table(run, ended, changes),
        "chart": _chart(run, known.lines) if known.lines.height else None,
        "segments": _segments_table(run, segments, corpus.fs.du(corpus.path("runs", run.name))),
        "matrix": _matrix(run, known.matrix),
        "returns": _returns_table(run.name, returns),
        "samples": samples,
        "why_no_samples": why_none,
        "settings": _run_settings(run),
    }


def _now_table(name: str, step: int | None, rows: growth.Rows) -> ShownTable:
    columns: list[Column] = [("part", "part", None), ("windows", "windows", count), ("loss", "loss (nats a token)", loss)]
    columns += [("low", "from", loss), ("high", "to", loss), ("bits_per_byte", "bits per byte", loss)]
    when = f"after step {step:,}" if step is not None else "not evaluated yet"
    dash = "no validation text, no bytes known, or no interval: of steps within a segment only means are kept"
    caption = f"Validation loss of run {name} by part, {when}; from and to are its 95 % interval."
    return shown_table(caption, rows, columns, dash)


def _changes_table(run: Run, ended: int | None, rows: growth.Rows) -> ShownTable:
    columns: list[Column] = [("part", "part", None), ("role", "role", None), ("windows", "windows", count)]
    columns += [("before", "loss before", loss), ("after", "loss after", loss), ("change", "change", change)]
    columns += [("low", "from", change), ("high", "to", change), ("per_million", "change per million new tokens", change)]
    number = 0 if ended is None else ended + 1
    caption = f"What segment {number} of run {run.name} brought: validation loss in nats a token with the weights before it "
    caption += "and at its end; from and to are the 95 % interval of the change."
    return shown_table(caption, rows, columns, "nothing was evaluated, or no part was new", _few(rows))


def _few(rows: growth.Rows) -> Iterator[str]:
    """A note of the parts whose windows are too few for an interval that can be trusted."""
    if few := list(dict.fromkeys(row["part"] for row in rows if 0 < (row["windows"] or 0) < ENOUGH)):
        yield f"Fewer than {ENOUGH} validation windows in {some_parts(few)}: intervals there are too narrow, or there is none."


def _chart(run: Run, lines: pl.DataFrame) -> Chart:
    """Training and validation loss over tokens: the way to the newest weights, and thin beside it the decays left aside."""
    strands = growth.strands(run, lines)
    curves = [
        Curve("training, a batch", list(strand.drop_nulls("train_loss").select("tokens", "train_loss").iter_rows()),
              is_aside=number is not None)
        for number, strand in strands
    ]  # fmt: skip
    evaluated = [
        (number, strand.drop_nulls("val_loss").select("tokens", "val_loss").explode("val_loss").unnest("val_loss"))
        for number, strand in strands
    ]
    for rank, part in enumerate(dict.fromkeys(part for _, frame in evaluated for part in frame["part"])):
        for number, frame in evaluated:
            points = frame.filter(pl.col("part") == part).drop_nulls("loss").select("tokens", "loss")
            curves.append(Curve(part, list(points.iter_rows()), rank, number is not None))
    begun = sorted(lines["segment"].unique())
    borders = [(float(run.tokens_at(number, run.segments[number].start_step)), f"{number + 1}") for number in begun]
    description = f"Curves of the loss of run {run.name} over {lines['tokens'][-1]:,} tokens; the tables have the numbers."
    return line_chart(
        f"Loss of run {run.name}", curves, borders, y_label="loss (nats a token)", description=description
    )  # fmt: skip


def _segments_table(run: Run, rows: growth.Rows, size: int) -> ShownTable:
    columns: list[Column] = [("segment", "segment", count), ("start_step", "from step", count), ("end_step", "to step", count)]
    columns += [("done", "steps done", count), ("tokens", "tokens read", count), ("hours", "hours", significant)]
    columns += [("batch", "tokens a step", count), ("schedule", "schedule", None), ("lr", "peak learning rate", "{:g}".format)]
    columns += [("warmup_steps", "warm-up steps", count), ("replay", "share read again", percent)]
    columns += [("parts", "parts", count), ("new_parts", "new parts", count)]
    dash = "no speed was noted, or no such share was asked for"
    unit, form = size_unit(size)
    caption = f"Segments of run {run.name}, whose folder takes {form(size)} {unit}; hours are those of its steps."
    return shown_table(caption, rows, columns, dash)


def _matrix(run: Run, rows: growth.Rows) -> ShownTable:
    caption = f"Validation loss (nats a token) of each part as each segment of run {run.name} ended, with its 95 % interval; "
    caption += "below it the change since its lowest earlier one, with its own."
    mark = "▲ forgotten, ▼ learned, by more than the noise of the validation text."
    return matrix_table(rows, caption, [mark, *_few(rows)] if rows else [])


def _returns_table(name: str, rows: growth.Rows) -> ShownTable:
    columns: list[Column] = [("part", "part", None), ("segment", "added by segment", count), ("before", "loss before", loss)]
    columns += [("now", "loss now", loss), ("fell", "fell by", change), ("hours", "hours of training", significant)]
    columns += [("gb", "GB on disk", significant), ("per_hour", "fell per hour", significant)]
    columns += [("per_gb", "fell per GB", significant)]
    caption = (
        f"What each part brought to run {name} for what it cost: its own validation loss (nats a token) before it was added "
    )
    caption += "and at the end of the last segment, the hours for which it was read, and its bytes in all tables."
    first = (
        "Before the first segment the weights were fresh, or those that the run began with, so that its parts also taught what "
    )
    first += "is common to all text: compare parts that were added later. What other parts taught meanwhile counts too."
    return shown_table(
        caption, rows, columns, "not evaluated, no speed noted, or gone from the corpus", [first] if rows else []
    )


def _samples(
    corpus: Corpus, run: Run, prompts: Sequence[str] | None, max_tokens: int, done: Collection[int]
) -> tuple[list[Excerpt], str]:
    """The sample texts of a run, those after one prompt together, and why there are none, if so.

    `done` are the segments that came to their ends.
    """
    if not max_tokens:
        return [], "none were asked for"
    try:
        chosen = list(prompts) if prompts is not None else find_prompts(corpus, run)
    except (ValueError, OSError) as error:
        return [], str(error)
    if not chosen:
        return [], "there is no prompt: none was given, and no validation document is long enough"
    found = list(excerpts(corpus, run, chosen, max_tokens, done))
    return sorted(found, key=lambda each: chosen.index(each.prompt) if each.prompt in chosen else -1), ""


def _run_settings(run: Run) -> ShownTable:
    config = {name: value for name, value in asdict(run.config).items() if value is not None}
    rows = [{"setting": name, "value": inventory.word(value)} for name, value in config.items()]
    rows.append({"setting": "weights", "value": f"{run.config.model.n_params:,}"})
    return shown_table(f"What run {run.name} is made with.", rows, [("setting", "setting", None), ("value", "value", None)])
