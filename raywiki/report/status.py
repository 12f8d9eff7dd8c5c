"""What a corpus holds, part by part: rows, tokens, and what is missing, stale or damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from raywiki.corpus import Corpus, Manifest, Tables, articles_gone
from raywiki.files import file_sha256
from raywiki.local.remove import YOUNG, find_orphans
from raywiki.manifest import TEMPLATES_FOLDER, part_order, tokens_table
from raywiki.report.inventory import part_sources
from raywiki.report.outlook import Runs, cache_state, next_steps, remarks, saved_at, waiting_dumps, writers
from raywiki.summary import articles_notes, articles_warnings, as_html, sentences, table


@dataclass(frozen=True)
class Status:
    """State of a corpus: one dict for each part and each run. `str(status)` is a screen of tables.

    `problems` are sentences about what a verb can mend, `notes` about what is as it is and good to know, `next` about what the
    verbs would do if they ran now, `writing` about who seems to be at work, `freeable` about disk that `gc` would free.
    `orphans` has its `files` and `bytes`, and how many are too `young`; `cache` has `folder`, `bytes` and `parts` of this
    machine's decoded tokens, and those of this corpus; `dumps` has one dict for each dump that the corpus lacks, of the folder
    that was named.
    """

    corpus: str
    parts: tuple[dict[str, Any], ...]
    runs: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()
    orphans: dict[str, int] = field(default_factory=dict)
    cache: dict[str, Any] = field(default_factory=dict)
    dumps: tuple[dict[str, Any], ...] = ()
    freeable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        lines = [f"corpus at {self.corpus}", *("  " + line for line in table(self.parts) or ["no part is committed"])]
        if self.runs:
            lines += ["runs", *("  " + line for line in table(self.runs))]
        if self.dumps:
            lines += ["dumps", *("  " + line for line in table(self.dumps))]
        lines += [*sentences("problem", self.problems), *sentences("note", (*self.notes, *self.freeable))]
        return "\n".join([*lines, *sentences("now", self.writing), *sentences("next", self.next)])


def status(
    corpus: str | os.PathLike[str] | Corpus, *, verify: bool = False, dumps: str | os.PathLike[str] | None = None
) -> Status:
    """Describe every part and run of a corpus, what is next, and what could be freed.

    Args:
        corpus: folder or URL.
        verify: read every shard and compare its SHA-256 with the manifest's; else only those of a part whose files are
            not all there with their sizes.
        dumps: folder or URL of dumps: tell which of them the corpus lacks.

    Returns:
        For each part its counts and `state`: "ok" when it is curated and tokenized, else the next thing that is missing, what
        is stale, or that its articles are gone.

    Raises:
        FileNotFoundError: there is no corpus at that place, or no folder of dumps.
        ValueError: a manifest is damaged.
    """
    corpus = Corpus.open(corpus).require()
    tables = corpus.tables()
    folder = None if dumps is None else os.fspath(dumps)
    waiting = () if folder is None else tuple(waiting_dumps(tables, folder))
    encodings = tables.encodings()
    gone = tables.without_articles()
    extracted = tables["articles"]
    sources = part_sources(tables)
    rows = [_row(tables, encodings, part, sources, gone) for part in sorted({*extracted, *gone}, key=part_order)]
    problems = [articles_gone(corpus, part, names) for part, names in gone.items()]
    said = [warning for manifest in extracted.values() for warning in articles_warnings(manifest)]
    problems += [warning for warning in said if "is damaged at bytes" in warning]  # another copy of the dump mends that
    for manifest in (manifest for name in tables.names() for manifest in tables[name].values()):
        if verify or not tables.is_whole(manifest):
            problems += _damaged(corpus, manifest)
    problems += _damaged_templates(corpus, extracted.values(), verify)
    notes = articles_notes(extracted.values(), extracted.values()) + [warning for warning in said if warning not in problems]
    runs, orphans, cache = corpus.runs(), find_orphans(tables, YOUNG), cache_state(tables)
    counts = {"files": len(orphans), "bytes": orphans.bytes, "young": orphans.young}
    return Status(
        corpus.url, tuple(rows), tuple(_runs(corpus, runs)), tuple(problems), tuple(notes), tuple(next_steps(tables, runs)),
        tuple(writers(corpus, runs, orphans, folder)), counts, cache, waiting, tuple(remarks(corpus.url, orphans, cache)),
    )  # fmt: skip


def _row(
    tables: Tables, encodings: list[str], part: str, sources: Mapping[str, str], gone: Iterable[str]
) -> dict[str, Any]:  # fmt: skip
    articles, decisions = tables["articles"].get(part), tables["decisions"].get(part)
    row: dict[str, Any] = {"part": part, **({"source": sources.get(part)} if sources else {})}
    row |= {name: articles.counts[name] if articles else None for name in ("pages", "articles")}
    row["kept"] = decisions.counts["kept"] if decisions else None
    for encoding in encodings:
        tokens = tables[tokens_table(encoding)].get(part)
        row[f"{encoding}_tokens"] = tokens.counts["tokens"] if tokens else None
    row["state"] = "articles gone" if part in gone else _state(tables, encodings, part)
    return row


def _state(tables: Tables, encodings: list[str], part: str) -> str:
    """What the next verb would do for a part; "ok": nothing."""
    stale = [name for name in tables.names() if part in tables[name] and tables.is_stale(tables[name][part])]
    lacking = [encoding for encoding in encodings if part not in tables[tokens_table(encoding)]]
    found = ["stale: " + ", ".join(name.rpartition("=")[2] for name in stale)] if stale else []
    if part not in tables["decisions"]:
        found.append("not curated")
    elif not encodings or lacking:
        found.append("not tokenized" + (f": {', '.join(lacking)}" if len(encodings) > 1 else ""))
    return "; ".join(found) or "ok"


def _damaged(corpus: Corpus, manifest: Manifest) -> list[str]:
    problems = []
    for name, (_, sha256) in manifest.files.items():
        path = corpus.path(manifest.folder, name)
        try:
            if file_sha256(corpus.url_of(manifest.folder, name)) != sha256:
                problems.append(f"{path} is not what its manifest says: remove it and run `raywiki {manifest.verb}` again")
        except FileNotFoundError:
            problems.append(f"{path} is missing: run `raywiki {manifest.verb}` again")
    return problems


def _damaged_templates(corpus: Corpus, articles: Iterable[Manifest], verify: bool) -> list[str]:
    """What is wrong with the copies of files of templates: one that is gone hinders the next part, not those that are there."""
    problems = []
    given = {each.templates for each in articles if each.templates and each.templates[0].startswith(f"{TEMPLATES_FOLDER}/")}
    for path, sha256 in sorted(given):
        mend = "give its file again with `raywiki extract --templates`"
        if not corpus.fs.exists(corpus.path(path)):
            problems.append(f"{corpus.path(path)} is missing, with which parts were cleaned: {mend}")
        elif verify and file_sha256(corpus.url_of(path)) != sha256:
            problems.append(f"{corpus.path(path)} is not what its name says: remove it and {mend}")
    return problems


def _runs(corpus: Corpus, runs: Runs) -> list[dict[str, Any]]:
    rows = []
    for run, body in runs.items():
        metrics = corpus.path("runs", run, "metrics.jsonl")
        whole = corpus.fs.cat_file(metrics).rpartition(b"\n")[0] if corpus.fs.exists(metrics) else b""  # a run may be at work
        records = [json.loads(line) for line in whole.splitlines() if line.strip()]
        saved = saved_at(corpus, run)[1]
        evaluated = [record for record in records if record.get("val_loss")]
        newest = evaluated[-1] if evaluated else {}
        rows.append(
            {
                "run": run,
                "segments": len(body["segments"]),
                "step": records[-1]["step"] if records else saved,
                "of": body["segments"][-1]["start_step"] + body["segments"][-1]["steps"],
                "parts": len({part["name"] for segment in body["segments"] for part in segment["parts"]}),
                "val_loss": _mean(newest.get("val_loss", {})),
                "bits_per_byte": _mean(newest.get("val_bpb", {})),
            }
        )
    return rows


def _mean(by_part: dict[str, float | None]) -> float | None:
    values = [value for value in by_part.values() if value is not None]
    return sum(values) / len(values) if values else None
