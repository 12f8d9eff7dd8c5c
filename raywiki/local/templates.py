"""Files of templates: a wiki's template table as one Parquet file, written, checked, copied into a corpus, and opened once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from raywiki.corpus import Corpus
from raywiki.files import file_sha256, replacing, sync, write_parquet
from raywiki.manifest import templates_copy
from raywiki.schema import TEMPLATES
from raywiki.wikitext.definitions import Definitions

ROWS = 1 << 12  # in a row group: those of a few names are read without the others
COPY_BYTES = 8 << 20
PARQUET_OPTIONS = {"compression_level": 3, "use_dictionary": False, "write_statistics": ["name", "page_id"]}
_WIKI = b"raywiki.wiki"  # in the file's metadata: name of the wiki's database


@dataclass(frozen=True)
class TemplatesFile:
    """A Parquet file with the columns of `raywiki.schema.TEMPLATES`, sorted by name; `wiki` is "" where the file says none."""

    url: str
    rows: int
    bytes: int
    sha256: str
    wiki: str = ""


def write_templates(fs: AbstractFileSystem, path: str, templates: pa.Table, wiki: str) -> TemplatesFile | None:
    """Write a table of `merge_templates` in one step; None, and no file, when it holds no template."""
    groups = (templates.slice(start, ROWS) for start in range(0, templates.num_rows, ROWS))
    schema = TEMPLATES.with_metadata({_WIKI: json.dumps(wiki).encode()})
    written = write_parquet(fs, path, groups, schema, **PARQUET_OPTIONS)
    return None if written is None else TemplatesFile(fs.unstrip_protocol(path), *written, wiki)


def open_templates(url: str) -> TemplatesFile:
    """Look at a file of templates that a user names.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no Parquet file, has not the columns, or its names are not sorted, unique and normal.
    """
    fs, path = url_to_fs(url)
    make = f"make one with `raywiki templates DUMP… --to {url}`"
    if not fs.exists(path):
        raise FileNotFoundError(f"there is no file of templates at {url}: {make}")
    try:
        with fs.open(path, "rb") as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            _check_columns(parquet.schema_arrow)
            _check_names(parquet)
            wiki = json.loads((parquet.schema_arrow.metadata or {}).get(_WIKI, b'""'))
            return TemplatesFile(url, parquet.metadata.num_rows, fs.size(path), file_sha256(url), wiki)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ValueError(f"{url} is no file of templates ({error}): {make}") from error


def _check_columns(schema: pa.Schema) -> None:
    for name in ("name", "text", "redirect"):
        if name not in schema.names or schema.field(name).type not in (pa.string(), pa.large_string()):
            raise ValueError(f"it has no column {name!r} of text")


def _check_names(parquet: pq.ParquetFile) -> None:
    """Sorted, each once, none null: definitions are found by bisection."""
    names = (name for batch in parquet.iter_batches(columns=["name"]) for name in batch["name"].to_pylist())
    for one, two in pairwise(names):
        if one is None or two is None or one >= two:
            raise ValueError(f"its names are not sorted, or one comes twice: {two!r} stands behind {one!r}")


def keep_copy(corpus: Corpus, templates: TemplatesFile) -> TemplatesFile:
    """The corpus's own copy of a file of templates, under its digest; written in one step unless it is there."""
    path = corpus.path(templates_copy(templates.sha256))
    fs, inner = url_to_fs(templates.url)
    if not corpus.fs.exists(path):
        with (
            fs.open(inner, "rb") as source,
            replacing(corpus.fs, path) as temporary,
            corpus.fs.open(temporary, "wb") as copy,
        ):
            while piece := source.read(COPY_BYTES):
                copy.write(piece)
            sync(copy)
    return kept_copy(corpus, templates.sha256)


def kept_copy(corpus: Corpus, sha256: str) -> TemplatesFile:
    """The copy that an earlier call kept. Raises ValueError when it is gone."""
    path = corpus.path(templates_copy(sha256))
    if not corpus.fs.exists(path):
        raise ValueError(f"{path} is gone, with which the corpus was cleaned: give its file again with --templates")
    return TemplatesFile(corpus.url_of(templates_copy(sha256)), 0, corpus.fs.size(path), sha256)


@lru_cache(maxsize=2)
def load_definitions(templates: TemplatesFile) -> Definitions:
    """The definitions of a file, read once a process; batches are sent the file's place alone.

    Raises:
        ValueError: the file is gone or damaged.
    """
    fs, path = url_to_fs(templates.url)
    try:
        with fs.open(path, "rb") as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
            table = parquet.read(columns=["name", "text", "redirect"]).combine_chunks()
        pa.default_memory_pool().release_unused()  # what it was before it was one piece: as much again
        return Definitions.from_table(table)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{templates.url} is damaged or missing ({error}): run `raywiki extract` again") from error


def find_templates(url: str, names: set[str], redirects: int = 5) -> dict[str, dict[str, Any]]:
    """Rows of a file of templates by name: these names and what they are redirected to, so many times at most.

    Row groups that hold none of them are not read.
    """
    found: dict[str, dict[str, Any]] = {}
    fs, path = url_to_fs(url)
    with fs.open(path, "rb") as file:
        parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
        for _ in range(1 + redirects):
            found |= {row["name"]: row for row in _rows_of(parquet, names)}
            names = {row["redirect"] for row in found.values() if row["redirect"]} - found.keys()
            if not names:
                break
    return found


def _rows_of(parquet: pq.ParquetFile, names: set[str]) -> Iterator[dict[str, Any]]:
    column = parquet.schema_arrow.names.index("name")
    for group in range(parquet.num_row_groups):
        limits = parquet.metadata.row_group(group).column(column).statistics
        if limits is None or not limits.has_min_max or any(limits.min <= name <= limits.max for name in names):
            there = parquet.read_row_group(group, columns=["name"])["name"].to_pylist()
            rows = [row for row, name in enumerate(there) if name in names]
            if rows:
                yield from parquet.read_row_group(group, columns=["name", "text", "redirect"]).take(rows).to_pylist()
