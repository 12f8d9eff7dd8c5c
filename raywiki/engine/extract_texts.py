"""extract, of text that is no dump: what it writes for each range, and how a part of it is committed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from raywiki.corpus import Corpus
from raywiki.dumps import DumpRange
from raywiki.dumps.texts import (
    SOURCES,
    TextReport,
    check_text,
    describe_errors,
    find_format,
    read_text,
    require_text,
    unique_ids,
)
from raywiki.manifest import Manifest, Shard, settle, shard_key
from raywiki.schema import ARTICLES

SOURCE = r"\w[\w.-]*"
PARQUET_OPTIONS = {"compression": "zstd", "compression_level": 3, "write_statistics": ["page_id", "n_chars"]}
SAID = 3  # broken rows that a warning describes; the notes have more


def check_source(source: str | None) -> None:
    """Raise ValueError when this can be no name of a source."""
    if source is not None and not re.fullmatch(SOURCE, source):
        raise ValueError(f"source={source!r} is no name of a source: give a word such as c4 or my-books")


def find_formats(paths: Sequence[str], given: str | None = None) -> dict[str, str]:
    """The format of each file: the given one, else what it looks like. Raises as `find_format` and `require_text` do."""
    formats = {path: given or find_format(path) for path in paths}
    for path, text_format in formats.items():
        require_text(path, text_format)
    return formats


def text_settings(
    part: str, committed: Mapping[str, Manifest], given: Mapping[str, str | None], text_format: str, overwrite: bool
) -> dict[str, Any]:
    """Format, source and language of a part; the language of a new one is that of the corpus, if it has one, else English."""
    old = committed.get(part)
    languages = {str(each.settings["language"]) for each in committed.values() if "language" in each.settings}
    defaults = {
        "language": languages.pop() if len(languages) == 1 else "en",
        "format": text_format,
        "source": SOURCES[str(given.get("format") or text_format)],
    }
    return settle(f"articles of part {part}", [old.settings] if old else [], given, defaults, overwrite)


def extract_text_range(
    corpus: Corpus, folder: str, key: str, r: DumpRange, text_format: str, allow_damaged: bool
) -> tuple[Shard | None, TextReport]:
    """Read one range and write its shard; ids are by text alone yet."""
    reader = read_text(r, text_format, allow_damaged=allow_damaged)
    shard = corpus.write_shard(folder, f"{r.index:05d}-{key}.parquet", reader, ARTICLES, **PARQUET_OPTIONS)
    return shard, reader.report


def text_manifest(
    corpus: Corpus, part: str, settings: dict[str, Any], source: dict[str, Any], shards: Sequence[Shard | None],
    reports: Sequence[TextReport], seconds: float,
) -> tuple[Manifest, list[dict[str, Any]]]:  # fmt: skip
    """The manifest of a part whose ranges add up, with the rows that were broken. Raises ValueError when they do not."""
    ordered = check_text(reports)
    ids = [report.ids for report in ordered]
    written = Manifest.made("articles", part, settings, shards, {"articles": sum(map(len, ids))}, seconds=0)
    n_errors = sum(report.errors for report in ordered)
    counts = dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted"), 0)
    counts |= {"errors": n_errors, "articles": sum(map(len, ids)), "pages": sum(report.pages for report in ordered)}
    counts["characters"] = sum(report.characters for report in ordered)
    made = Manifest.made(
        "articles", part, settings, _renumbered(corpus, written, ids), counts, seconds=seconds,
        source={**source, "format": settings["format"], "of": settings["source"]}, notes=_notes(part, ordered, n_errors),
    )  # fmt: skip
    return made, [error for report in ordered for error in report.page_errors]


def _notes(part: str, reports: Sequence[TextReport], n_errors: int) -> dict[str, Any]:
    gaps = [report.gap for report in reports if report.gap]
    warnings = [f"part {part}: {gap}; what comes after is left out" for gap in gaps]
    if n_errors:
        said = describe_errors(reports)[:SAID]
        more = "; … (page_errors in the notes of the part has up to 100 of each range)" if n_errors > len(said) else ""
        warnings.append(f"part {part}: {n_errors:,} rows could not be read: {'; '.join(said)}{more}")
    return {
        "first_page_id": None,
        "last_page_id": None,
        "xml_bytes": sum(report.text_bytes for report in reports),
        "gaps": [{"what": gap} for gap in gaps],
        "warnings": warnings,
    }


def _renumbered(corpus: Corpus, written: Manifest, ids: Sequence[np.ndarray]) -> list[Shard]:
    """The shards; one with a text that an earlier row of the part has too is written again, and its first form removed."""
    if not written.shards:
        return []
    unique = np.split(unique_ids(np.concatenate(ids)), np.cumsum([len(each) for each in ids])[:-1])
    filled = [(before, after) for before, after in zip(ids, unique, strict=True) if len(before)]
    shards = list(written.shards)
    for number, (before, after) in enumerate(filled):
        if not np.array_equal(before, after):
            shards[number] = _write_renumbered(corpus, written, shards[number], after)
            corpus.fs.rm_file(corpus.shard_path(written, written.shards[number]))
    return shards


def _write_renumbered(corpus: Corpus, written: Manifest, shard: Shard, ids: np.ndarray) -> Shard:
    """A shard with these ids instead of its own, under a name of its own."""

    def tables() -> Iterator[pa.Table]:
        at = 0
        for table in corpus.iter_shard(written, shard):
            own = pa.array(ids[at : at + table.num_rows], pa.int64())
            at += table.num_rows
            yield table.set_column(0, ARTICLES.field("page_id"), own).cast(ARTICLES)

    index, _, key = shard.name.removesuffix(".parquet").partition("-")
    name = f"{index}-{shard_key(key, ids.tolist())}.parquet"
    again = corpus.write_shard(written.folder, name, tables(), ARTICLES, **PARQUET_OPTIONS)
    assert again is not None
    return again
