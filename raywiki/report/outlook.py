"""What `status` says beside the tables: what is next, who is writing, what `gc` frees, the token cache, dumps that wait."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus, Tables
from raywiki.dumps.source import PARTIAL
from raywiki.local.download import LOCK as DOWNLOAD_LOCK
from raywiki.local.remove import GcSummary
from raywiki.local.todo import to_do
from raywiki.manifest import tokens_table
from raywiki.summary import plural, some_parts
from raywiki.training.cache import cache_entries, cache_folder, cache_key
from raywiki.training.locks import held_by
from raywiki.training.parts import part_tokens
from raywiki.training.runs import LOCK
from raywiki.training.stored import StoredRun, saved_at

Runs = Mapping[str, dict[str, Any]]  # the content of each run's segments.json


def next_steps(tables: Tables, runs: Runs) -> list[str]:
    """What the verbs would do if they ran now, in their order; nothing where all is done."""
    url, encodings = tables.corpus.url, tables.encodings()
    left, steps = to_do(tables, encodings), list[str]()
    if gone := left.pop("articles"):
        steps.append(f"extract {some_parts(gone)} again, whose files are gone: `raywiki extract {url} DUMP…`")
    if waiting := left.pop("decisions"):
        steps.append(f"curate {some_parts(waiting)}: `raywiki curate {url}`")
    if not encodings and tables["articles"]:
        steps.append(f"tokenize {some_parts(list(tables['articles']))}: `raywiki tokenize {url}`")
    for table, parts in left.items():
        name = table.rpartition("=")[2]
        if parts:
            steps.append(f"tokenize {some_parts(parts)} with {name}: `raywiki tokenize {url} --encoding {name}`")
    to_train = [step for run, body in runs.items() for step in _training(tables, run, body)]
    if steps and runs:
        steps.append(f"or all of that, and train: `raywiki grow {url} --run {next(iter(runs))}`")
    return [*steps, *to_train]


def _training(tables: Tables, run: str, body: Mapping[str, Any]) -> list[str]:
    """Of a run: a segment that is not at its end, and parts with tokens that it has not learned from."""
    corpus, segments, steps = tables.corpus, body["segments"], []
    if segments:
        at, step = saved_at(corpus, run)
        end = segments[-1]["start_step"] + segments[-1]["steps"]
        if (at, step) < (len(segments) - 1, end):
            first = step if at == len(segments) - 1 else segments[-1]["start_step"]
            steps.append(f"run {run} goes on with segment {len(segments)} at step {first:,} of {end:,}")
    learned = {part["name"] for each in segments for part in (*each["parts"], *each.get("resting", ()))}
    encoding = body.get("config", {}).get("encoding")
    there = tables[tokens_table(encoding)].items() if encoding else ()
    if new := [part for part, manifest in there if part not in learned and manifest.counts["train_tokens"]]:
        steps.append(f"run {run} learns from {some_parts(new)}: `raywiki train {corpus.url} --run {run}`")
    return steps


def writers(corpus: Corpus, runs: Runs, orphans: GcSummary, dumps: str | None) -> list[str]:
    """Who is writing now, as far as what it leaves tells: locks of trainings and downloads, files that have no manifest yet."""
    said = []
    for run in runs:
        stored = None if corpus.is_local else StoredRun(corpus.url_of("runs", run))
        if holder := stored.holder() if stored else held_by(Path(corpus.path("runs", run, LOCK))):
            said.append(f"run {run} is being trained ({holder})")
    fs, folder = url_to_fs(dumps) if dumps is not None else (None, "")
    if isinstance(fs, LocalFileSystem) and (holder := held_by(Path(folder, DOWNLOAD_LOCK))):
        said.append(f"a download writes to {dumps} ({holder})")
    if orphans.young:
        files = f"{plural(orphans.young, 'file')} without a manifest, the newest {orphans.newest or 0:,.0f} s old"
        said.append(f"a verb may be at work, or has crashed within the hour: {files}")
    return said


def cache_state(tables: Tables) -> dict[str, Any]:
    """This machine's decoded tokens: `folder`, `bytes` and `parts` of all corpora, and those of this corpus."""
    entries = cache_entries(cache_folder())
    names = map(tokens_table, tables.encodings())
    own = {cache_key(part_tokens(manifest).digest) for name in names for manifest in tables[name].values()}
    here = [entry for entry in entries if entry.key in own]
    return {
        "folder": str(cache_folder()), "bytes": sum(entry.bytes for entry in entries), "parts": len(entries),
        "bytes_of_corpus": sum(entry.bytes for entry in here), "parts_of_corpus": len(here),
    }  # fmt: skip


def waiting_dumps(tables: Tables, folder: str) -> list[dict[str, Any]]:
    """Files of dumps in a folder or at a URL that the corpus lacks, as their sizes tell.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    fs, root = url_to_fs(os.fspath(folder))
    if not fs.isdir(root):
        raise FileNotFoundError(f"there is no folder {folder}: give the one that the dumps lie in")
    committed = {manifest.source.get("bytes") for manifest in tables["articles"].values()}
    rows = []
    for info in sorted(fs.ls(root, detail=True), key=lambda each: each["name"]):
        name = info["name"].rstrip("/").rpartition("/")[2]
        if info["type"] != "directory" and ".xml" in name and not name.startswith(".") and info["size"] not in committed:
            state = "not whole: download it again" if name.endswith(PARTIAL) else "not in the corpus"
            rows.append({"dump": name, "bytes": info["size"], "state": state})
    return rows


def remarks(url: str, orphans: GcSummary, cache: Mapping[str, Any]) -> list[str]:
    """What could be freed, in words."""
    said = []
    if orphans.paths:
        files = plural(len(orphans.paths), "file")
        said.append(f"`raywiki gc {url}` frees {orphans.bytes / 1e6:,.1f} MB in {files} that no manifest names")
    if cache["parts"]:
        own = f"of this corpus {cache['bytes_of_corpus'] / 1e6:,.1f} MB in {plural(cache['parts_of_corpus'], 'part')}"
        said.append(
            f"token cache {cache['folder']}: {cache['bytes'] / 1e6:,.1f} MB, {own}; `raywiki gc {url} --cache` frees what "
            "nobody uses"
        )
    return said
