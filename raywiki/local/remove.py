"""gc: remove what crashes left behind. remove: take a part out of all tables."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from raywiki.corpus import Corpus, Tables
from raywiki.manifest import MANIFEST, TEMPLATES_FOLDER, part_folder, part_order, tokens_table
from raywiki.summary import as_html, plural, sentences, some_parts, table
from raywiki.training.cache import cache_folder, clean_cache

YOUNG = 3600.0  # seconds: files that were left alone for so long belong to no verb that runs


@dataclass(frozen=True)
class GcSummary:
    """What one call of `gc` removed (`paths`), and how many files it left because they are younger than `min_age` seconds.

    Its length is the number of paths, `bytes` what the files took. `newest` is the age in seconds of the youngest file that was
    left. `cache` has one dict for each folder of the token cache that was removed, `cache_left` says how many somebody uses.
    """

    corpus: str
    paths: tuple[str, ...]
    young: int
    min_age: float
    dry_run: bool
    bytes: int = 0
    newest: float | None = None
    cache: tuple[dict[str, Any], ...] = ()
    cache_left: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        did = "to remove" if self.dry_run else "removed"
        lines = [*self.paths, f"{plural(len(self.paths), 'file')} {did}, {self.bytes / 1e6:,.1f} MB"]
        if self.cache:
            size = sum(row["bytes"] for row in self.cache)
            lines += [f"token cache: {plural(len(self.cache), 'part')} {did}, {size / 1e6:,.1f} MB"]
            lines += ["  " + line for line in table(self.cache)]
        if self.cache_left:
            kept = f"left {plural(self.cache_left, 'part')} in the token cache, which somebody reads or makes just now"
            lines += sentences("note", [kept])
        if self.young:
            left = f"left {plural(self.young, 'file')} younger than {_duration(self.min_age)}, which a running verb may need: "
            lines += sentences("note", [left + "when none is running, --min-age 0 removes them too"])
        return "\n".join(lines)


def gc(
    corpus: str | os.PathLike[str] | Corpus, *, min_age: float = YOUNG, cache: bool = False, dry_run: bool = False
) -> GcSummary:
    """Remove files that no manifest names, left by crashes.

    Args:
        corpus: folder or URL.
        min_age: seconds that a file must have been left alone; younger ones may belong to a verb that is running.
        cache: remove decoded tokens from this machine's cache too, of all corpora, but for those that somebody uses just now;
            they are decoded again when a training needs them.
        dry_run: list, remove nothing.

    Returns:
        A summary with the paths of the files, and how many are left as they are younger.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: a manifest is damaged, so that it cannot be told which files it names; `min_age` is negative.
        OSError: the corpus cannot be written to.
    """
    if not min_age >= 0:
        raise ValueError(f"min_age is {min_age}, it must be a number of seconds of at least 0")
    corpus = Corpus.open(corpus).require()
    if not dry_run:
        corpus.writable()
    found = find_orphans(corpus.tables(), min_age)
    if not dry_run:
        for path in found.paths:
            corpus.fs.rm_file(path)
    removed, left = clean_cache(cache_folder(), dry_run) if cache else ([], [])
    rows = tuple({"part": entry.part or "(not whole)", "bytes": entry.bytes, "folder": entry.key} for entry in removed)
    return replace(found, dry_run=dry_run, cache=rows, cache_left=len(left))


def find_orphans(tables: Tables, min_age: float) -> GcSummary:
    """What `gc` would remove."""
    found = orphans(tables)
    old = {path: size for path, (age, size) in sorted(found.items()) if age >= min_age}
    young = [age for age, _ in found.values() if age < min_age]
    newest = min(young, default=None)
    return GcSummary(tables.corpus.url, tuple(old), len(young), min_age, True, sum(old.values()), newest)


def orphans(tables: Tables) -> dict[str, tuple[float, int]]:
    """The files in the tables and among the templates that no manifest names, each with its age in seconds and its bytes."""
    corpus, now = tables.corpus, time.time()
    found = {}
    for name in tables.names():
        named = {corpus.path(each.folder, file) for each in tables[name].values() for file in (*each.files, MANIFEST)}
        for path, info in tables.files(name).items():
            if path not in named and "/part=" in path[len(corpus.path(name)) :]:
                found[path] = max(0.0, now - _modified(info)), info["size"]
    used = {corpus.path(each.templates[0]) for each in tables["articles"].values() if each.templates}
    for path, info in tables.files(TEMPLATES_FOLDER).items():
        if path not in used:
            found[path] = max(0.0, now - _modified(info)), info["size"]
    return found


def _modified(info: Mapping[str, Any]) -> float:
    modified = info.get("mtime") or info.get("LastModified") or info.get("last_modified") or info.get("created") or 0
    return modified.timestamp() if hasattr(modified, "timestamp") else float(modified)


def _duration(seconds: float) -> str:
    """A number of seconds in words.

    >>> _duration(3600), _duration(90)
    ('an hour', '90 seconds')
    """
    return "an hour" if seconds == 3600 else f"{seconds:,.0f} seconds"


@dataclass(frozen=True)
class RemoveSummary:
    """What one call of `remove` took out of a corpus, or would with `dry_run`.

    `parts` has one dict for each part; `runs` the removed parts that each run learned from; `redo` the parts that were curated
    in view of a removed one, which the next `curate` decides anew.
    """

    corpus: str
    parts: tuple[dict[str, Any], ...]
    runs: dict[str, list[str]]
    redo: tuple[str, ...]
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        did = f"{plural(len(self.parts), 'part')} {'would be removed' if self.dry_run else 'removed'}"
        lines = [f"remove {self.corpus}: {did}", *("  " + line for line in table(self.parts))]
        said = [f"run {run} learned from {some_parts(parts, 9)}: it keeps what it learned" for run, parts in self.runs.items()]
        if self.redo:
            said.append(
                f"what came later was compared with what is gone ({some_parts(self.redo)}): `raywiki curate {self.corpus}` "
                "decides them anew, and `raywiki tokenize` their tokens"
            )
        return "\n".join([*lines, *sentences("note", said)])


def remove(corpus: str | os.PathLike[str] | Corpus, parts: str | Sequence[str], *, dry_run: bool = False) -> RemoveSummary:
    """Take parts out of all tables: their articles, decisions, tokens, and their place in the dedup index.

    Of each part the last table goes first and in each table the manifest, so that whatever interrupts it, the same call again
    does the rest. Files of runs stay.

    Args:
        corpus: folder or URL.
        parts: ids of the parts.
        dry_run: say what would be removed, and remove nothing.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such part; the sentence lists those there are.
        OSError: the corpus cannot be written to.
    """
    corpus = Corpus.open(corpus).require()
    if not dry_run:
        corpus.writable()
    wanted = list(dict.fromkeys([parts] if isinstance(parts, str) else parts))
    tables = corpus.tables()
    there = {part for name in tables.names() for part in tables.parts(name, committed=False)}
    unknown = [part for part in wanted if part not in there]
    known = ", ".join(sorted(there, key=part_order)) or "none"
    if not wanted:
        raise ValueError(f"no part to remove is named: the parts of {corpus.url} are {known}")
    if unknown:
        raise ValueError(f"{corpus.url} has no part {unknown[0]}: its parts are {known}")
    rows = tuple(_row(tables, part) for part in wanted)
    summary = RemoveSummary(corpus.url, rows, corpus.runs_that_know(wanted), _redone(tables, wanted), dry_run)
    if not dry_run:
        for part in wanted:
            _remove(tables, part)
    return summary


def _remove(tables: Tables, part: str) -> None:
    fs, corpus = tables.corpus.fs, tables.corpus
    for name in reversed(tables.names()):
        if part not in tables.parts(name, committed=False):
            continue
        folder = part_folder(name, part)
        manifest = corpus.path(folder, MANIFEST)
        if manifest in tables.files(name):
            fs.rm_file(manifest)
        if fs.exists(corpus.path(folder)):  # an object store knows no folder without a file
            fs.rm(corpus.path(folder), recursive=True)


def _row(tables: Tables, part: str) -> dict[str, Any]:
    files = [
        info
        for name in tables.names()
        for path, info in tables.files(name).items()
        if path.startswith(tables.corpus.path(part_folder(name, part)) + "/")
    ]
    articles = tables["articles"].get(part)
    tokens = [tables[tokens_table(name)].get(part) for name in tables.encodings()]
    return {
        "part": part,
        "articles": articles.counts["articles"] if articles else None,
        "tokens": sum(each.counts["tokens"] for each in tokens if each) if any(tokens) else None,
        "files": len(files),
        "MB": round(sum(info["size"] for info in files) / 1e6, 1),
    }


def _redone(tables: Tables, removed: Sequence[str]) -> tuple[str, ...]:
    """The other parts whose decisions hang on a removed part, directly or by the decisions of a part between."""
    hanging = {part_folder(name, part) for part in removed for name in tables.names()}
    manifests = [manifest for name in tables.names() for manifest in tables[name].values()]
    while more := {each.folder for each in manifests if each.folder not in hanging and not hanging.isdisjoint(each.upstream)}:
        hanging |= more
    return tuple(part for part in tables["decisions"] if part not in removed and part_folder("decisions", part) in hanging)
