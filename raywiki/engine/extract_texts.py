"""extract, of text that is no dump: what it writes for each range, and how a part of it is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from raywiki.corpus import Corpus, Tables
from raywiki.dumps import DumpRange
from raywiki.dumps.texts import TextReport, check_text, describe_errors, read_text, unique_ids
from raywiki.engine.extract_plan import PlannedPart
from raywiki.manifest import Manifest, Shard, shard_key
from raywiki.schema import ARTICLES

PARQUET_OPTIONS = {"compression": "zstd", "compression_level": 3, "write_statistics": ["page_id", "n_chars"]}
SAID = 3  # broken rows that a warning describes; the notes have more


@dataclass(frozen=True)
class TextResult:
    """What came of a range: its shard, and what is needed to prove that nothing is lost."""

    shard: Shard | None
    report: TextReport
    seconds: float

    @property
    def figures(self) -> dict[str, int]:
        """For the progress bar."""
        return {"articles": self.report.pages - self.report.errors}


def extract_text_range(part: PlannedPart, text_range: DumpRange) -> TextResult:
    """Read one range and write its shard; ids are by text alone yet."""
    started = time.monotonic()
    reader = read_text(text_range, part.settings["format"], allow_damaged=part.allow_damaged)
    name = f"{text_range.index:05d}-{part.key}.parquet"
    shard = Corpus(part.corpus).write_shard(part.folder, name, reader, ARTICLES, **PARQUET_OPTIONS)
    return TextResult(shard, reader.report, time.monotonic() - started)


def commit_text(tables: Tables, part: PlannedPart, done: Sequence[TextResult]) -> Manifest:
    """Prove that the ranges add up to the file, then publish the part. Raises ValueError when they do not."""
    ordered = check_text([result.report for result in done])
    ids = [report.ids for report in ordered]
    n_articles, n_errors = sum(map(len, ids)), sum(report.errors for report in ordered)
    shards = [result.shard for result in done]
    written = Manifest.made("articles", part.part, part.settings, shards, {"articles": n_articles}, seconds=0)
    counts = dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted"), 0)
    counts |= {"errors": n_errors, "articles": n_articles, "pages": sum(report.pages for report in ordered)}
    counts["characters"] = sum(report.characters for report in ordered)
    made = Manifest.made(
        "articles", part.part, part.settings, _renumbered(tables.corpus, written, ids), counts,
        seconds=sum(result.seconds for result in done), notes=_notes(part.part, ordered, n_errors),
        source={**part.source, "format": part.settings["format"], "of": part.settings["source"]},
    )  # fmt: skip
    return tables.commit(made, {"page_errors": [error for report in ordered for error in report.page_errors]})


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
