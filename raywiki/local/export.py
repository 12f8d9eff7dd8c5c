"""export: the kept documents, their tokens or a run's weights in the files that other tools read. It needs no cluster."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raywiki.corpus import Corpus, Tables
from raywiki.documents import documents_of, require_curated
from raywiki.local.export_documents import (
    CODECS,
    EXTRA,
    SEPARATORS,
    plan_hf,
    plan_jsonl,
    plan_parquet,
    plan_text,
)
from raywiki.local.export_model import plan_model
from raywiki.local.export_target import Export, Target, require_counts
from raywiki.local.export_tokens import SHARD_TOKENS, Tokens, plan_llmc, plan_nanogpt
from raywiki.manifest import Manifest, tokens_table
from raywiki.progress import Progress
from raywiki.summary import as_html, plural, sentences, table
from raywiki.tokens import load_encoding, vocabulary_path

# The formats, each with the options that it takes, and what they are when nobody says.
FORMATS: dict[str, dict[str, Any]] = {
    "nanogpt": {"encoding": None},
    "llmc": {"encoding": None, "shard_tokens": SHARD_TOKENS},
    "hf": {"columns": []},
    "jsonl": {"columns": [], "compression": "none"},
    "parquet": {},
    "text": {"separator": "doc", "compression": "none"},
}


@dataclass(frozen=True)
class ExportSummary:
    """What one call of `export` wrote.

    `parts` has one dict for each part with its counts, which are those of its manifests; `written` are the names of the files
    that this call wrote, of `files` in all with `bytes` in all; `notes` are sentences that are good to know.
    """

    corpus: str
    to: str
    format: str
    parts: tuple[dict[str, Any], ...]
    written: tuple[str, ...]
    files: int
    bytes: int
    seconds: float
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        did = (
            f"{len(self.written):,} of {plural(self.files, 'file')} written" if self.written else "nothing to do, all is there"
        )
        lines = [
            f"export {self.corpus} to {self.to} as {self.format}: {did} ({self.bytes / 1e6:,.1f} MB, {self.seconds:.1f} s)"
        ]
        lines += ["  " + line for line in table([*self.parts, self._total()] if len(self.parts) > 1 else self.parts)]
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", self.notes)])

    def _total(self) -> dict[str, Any]:
        return {name: "all" if name == "part" else sum(row[name] for row in self.parts) for name in self.parts[0]}


def export(
    corpus: str | os.PathLike[str] | Corpus, to: str | os.PathLike[str], *, format: str, parts: Sequence[str] | None = None,
    encoding: str | None = None, columns: Sequence[str] | None = None, compression: str | None = None,
    separator: str | None = None, shard_tokens: int | None = None, run: str | None = None, checkpoint: int | str | None = None,
    overwrite: bool = False,
) -> ExportSummary:  # fmt: skip
    """Write what curation keeps, or with `run` a model, as files for other tools, and `_export.json`, which names them, last.

    Files appear whole; the same call again, after whatever interrupted it or when the corpus has grown, leaves alone what was
    made from the same manifests and settings. The same corpus gives the same bytes. One call at a time to one place.

    Args:
        corpus: folder or URL of the corpus.
        to: folder or URL, which is new, empty, or holds an earlier export of the same kind.
        format: "nanogpt" (train.bin, val.bin, and meta.pkl unless the encoding is GPT-2's), "llmc" (.bin files with the header
            that llm.c and modded-nanogpt read), "hf" (layout, columns and card of the hub's `wikimedia/wikipedia`), "jsonl",
            "parquet" (what `scan_documents` gives), or "text" (as WikiExtractor writes).
        parts: ids of the parts; all that are curated when None.
        encoding: of nanogpt and llmc: which tokens, by name or `tokenizer.json`; the corpus's own when it has one.
        columns: of hf and jsonl: columns of the articles table to add to id, url, title and text.
        compression: of jsonl and text: "gz" or "zst"; "none" when None.
        separator: of text: "doc" for `<doc …>` and `</doc>`; "blank" for a blank line, and none in the documents.
        shard_tokens: of llmc: ids in a file; 100 million when None.
        run: write the weights of this run, of the recipe classic: as "hf", a folder that transformers opens (config, weights,
            tokenizer, card), or as "nanogpt", the ckpt.pt (and meta.pkl, unless the encoding is GPT-2's) of its sample.py.
        checkpoint: of the run: a step, "latest" (when None) or "best", the lowest validation loss of those that are kept.
        overwrite: replace an export with other settings or parts.

    Returns:
        A summary with the counts of each part, which add up to the corpus's manifests; of a model, without.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: an unknown format, part, column or encoding; an option that the format does not take; nothing is curated
            or tokenized, or what is, is stale; the target holds something else; counts do not add up; a shard is damaged;
            there is no such run or checkpoint, or its recipe is none that the format knows.
        OSError: the target cannot be written to.
    """
    started = time.monotonic()
    given = dict(encoding=encoding, columns=columns, compression=compression, separator=separator, shard_tokens=shard_tokens)
    settings = _settings(format, given)
    _check_run(run, checkpoint, {**given, "parts": parts})
    corpus = Corpus.open(corpus).require()
    target, tables = Target(to), corpus.tables()
    warnings: list[str] = []
    if run is not None:
        planned = plan_model(tables, run, checkpoint, format, target.url)
    else:
        decisions = require_curated(tables, "export", parts)
        planned = _plan(tables, decisions, format, settings)
        missing = [part for part in tables["articles"] if parts is None and part not in decisions]
        warnings = [f"part {part} is not curated yet and not exported: run `raywiki curate {corpus.url}`" for part in missing]
    target.require(planned, overwrite)
    with Progress(f"export {format}", sum(file.amount for file in planned.files), planned.unit) as progress:
        written = target.make(planned, progress)
    require_counts(planned.expected, target.counts())
    target.complete(planned)
    rows = tuple({"part": part, **counts} for part, counts in planned.expected.items())
    return ExportSummary(
        corpus.url, target.url, planned.format, rows, tuple(written), len(planned.files), target.bytes,
        time.monotonic() - started, tuple(warnings), planned.notes,
    )  # fmt: skip


def _check_run(run: str | None, checkpoint: int | str | None, given: Mapping[str, Any]) -> None:
    """Raise ValueError for options of a model without a run, and for those of data with one."""
    if run is None and checkpoint is not None:
        raise ValueError("checkpoint says which weights of a run: name the run too, or leave checkpoint out")
    if run is not None:
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"{name} says which articles or tokens, and a run's weights have none: leave {name} or run out"
                )


def _settings(format: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a format with their values. Raises ValueError for one that it does not take, or a value it cannot have."""
    if format not in FORMATS:
        raise ValueError(f"format {format!r} is unknown: take one of {', '.join(FORMATS)}")
    for name, value in given.items():
        if value is not None and name not in FORMATS[format]:
            takers = " and ".join(each for each, options in FORMATS.items() if name in options)
            raise ValueError(f"{name} is an option of {takers}, not of {format}: leave it out")
    settings = {name: default if given[name] is None else given[name] for name, default in FORMATS[format].items()}
    allowed = {"compression": tuple(CODECS), "separator": SEPARATORS}
    for name, values in allowed.items():
        if settings.get(name, values[0]) not in values:
            raise ValueError(f"{name} is {settings[name]!r}, it must be one of {', '.join(values)}")
    if "columns" in settings:
        settings["columns"] = list(dict.fromkeys(settings["columns"]))
        unknown = [name for name in settings["columns"] if name not in EXTRA]
        if unknown:
            raise ValueError(f"column {unknown[0]!r} cannot be added: take some of {', '.join(EXTRA)}")
    if not 0 < settings.get("shard_tokens", 1) < 1 << 31:
        raise ValueError(f"shard_tokens is {settings['shard_tokens']}, it must be at least 1 and below {1 << 31}")
    return settings


def _plan(tables: Tables, decisions: Mapping[str, Manifest], format: str, settings: dict[str, Any]) -> Export:
    if format in ("nanogpt", "llmc"):
        tokens, is_gpt2 = _tokens(tables, decisions, settings["encoding"], leading=format == "llmc")
        settings = {**settings, "encoding": tokens.encoding.name}
        return plan_llmc(tokens, settings) if format == "llmc" else plan_nanogpt(tokens, settings, is_gpt2)
    articles = {part: tables["articles"][part] for part in decisions}
    _require_whole(tables, [*articles.values(), *decisions.values()])
    documents = documents_of(tables.corpus, articles, decisions)
    plans = {"hf": plan_hf, "jsonl": plan_jsonl, "parquet": plan_parquet, "text": plan_text}
    return plans[format](documents, settings)


def _tokens(tables: Tables, decisions: Mapping[str, Manifest], encoding: str | None, leading: bool) -> tuple[Tokens, bool]:
    """The tokens of these parts, and whether their encoding is GPT-2's. Raises ValueError when some are missing or stale."""
    corpus, name = tables.corpus, tables.require_encoding(encoding)
    hint = f"run `raywiki tokenize {corpus.url}` first"
    committed = tables[tokens_table(name)]
    for part, each in decisions.items():
        if part not in committed:
            raise ValueError(f"part {part} has no tokens of encoding {name!r}: {hint}")
        if tables.is_stale(committed[part]) or committed[part].upstream.get(each.folder) != each.digest:
            raise ValueError(f"the {name} tokens of part {part} are stale: {hint}")
    manifests = {part: committed[part] for part in decisions}
    _require_whole(tables, list(manifests.values()))
    vocabulary = corpus.fs.cat_file(vocabulary_path(corpus, name))
    loaded = load_encoding(name, vocabulary)
    for part, manifest in manifests.items():
        if manifest.settings["vocabulary"] != loaded.digest:
            raise ValueError(f"the {name} tokens of part {part} were made with another vocabulary: {hint}, with --overwrite")
    return Tokens(corpus, loaded, manifests, leading), json.loads(vocabulary).get("tiktoken") == "gpt2"


def _require_whole(tables: Tables, manifests: Sequence[Manifest]) -> None:
    for manifest in manifests:
        if not tables.is_whole(manifest):
            raise ValueError(f"files of {manifest.folder} are gone or cut short: run `raywiki {manifest.verb}` again first")
