"""Exports of text: jsonl, text and parquet, one file for each part, and the layout of a data set on the Hugging Face hub.

All hold the articles that curation keeps, in the order of the corpus, and are read and written a batch at a time.

- `text` is what WikiExtractor writes without `--json`: `<doc id="" url="" title="">`, the title, an empty line, the text and
  `</doc>`. What would be such a mark inside a text gets `&lt;`, and the attributes are escaped as XML's are.
- `hf` has the columns of the hub's `wikimedia/wikipedia`, and its names: `20231101.en/train-00000-of-00041.parquet`, a folder
  for each dump of a wiki, named after the day and the wiki's place, and a card that lists them as configurations.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from raywiki.documents import ROWS, Documents
from raywiki.files import HashingFile
from raywiki.local.export_card import write_card
from raywiki.local.export_target import Advance, Counts, Export, PlannedFile
from raywiki.manifest import Manifest, digest_of, is_dump, source_of
from raywiki.schema import ARTICLES

COLUMNS = ("id", "url", "title", "text")  # of the hub's data set
EXTRA = tuple(name for name in ARTICLES.names if name not in ("url", "title", "text"))
CODECS = {"none": None, "gz": "gzip", "zst": "zstd"}
SEPARATORS = ("doc", "blank")
SHARD_BYTES = 256_000_000  # of article shards that make one shard of `hf`; the hub's are some 250 to 400 MB
FORMAT = 1  # of what is written: other bytes from the same articles need another number

_MARK = re.compile(r"^<(?=/?doc\b)", re.M)
_BLANK_LINES = re.compile(r"\n\s*\n")
_DUMP = re.compile(r"(?P<wiki>[a-z][a-z0-9_]*?)(?P<project>wiki)?-(?P<date>\d{8})(?:-.*)?")


def plan_jsonl(documents: Sequence[Documents], settings: dict[str, Any]) -> Export:
    """`<part>.jsonl`, `.jsonl.gz` or `.jsonl.zst`: id, url, title, text, the extra columns, and part."""
    return _plan_lines("jsonl", ".jsonl", documents, settings, partial(_json_lines, settings["columns"]), settings["columns"])


def plan_text(documents: Sequence[Documents], settings: dict[str, Any]) -> Export:
    """`<part>.txt`, or with a compression `.txt.gz` or `.txt.zst`."""
    lines = {"doc": _doc_lines, "blank": _blank_lines}[settings["separator"]]
    return _plan_lines("text", ".txt", documents, settings, lines, [])


def plan_parquet(documents: Sequence[Documents], settings: dict[str, Any]) -> Export:
    """`<part>.parquet`: the columns of `rw.scan_documents`, that is those of the articles table, and part."""
    schema = ARTICLES.append(pa.field("part", pa.string(), nullable=False))

    def convert(part: str, rows: pa.Table) -> pa.Table:
        return rows.select(ARTICLES.names).append_column(schema.field("part"), pa.array([part] * rows.num_rows)).cast(schema)

    files = [
        _planned("parquet", f"{each.part}.parquet", [each], settings, partial(_write_parquet, [each], schema, convert))
        for each in documents
    ]
    return Export("parquet", settings, files, _expected(documents))


def plan_hf(documents: Sequence[Documents], settings: dict[str, Any]) -> Export:
    """`README.md` and `<day>.<language>/train-00000-of-000NN.parquet`, with extra columns after the four."""
    extra = [ARTICLES.field(name).with_nullable(True) for name in settings["columns"]]
    schema = pa.schema([*(pa.field(name, pa.string()) for name in COLUMNS), *extra])

    def convert(part: str, rows: pa.Table) -> pa.Table:
        ids = pa.field("id", pa.string()), rows["page_id"].cast(pa.string())
        return rows.append_column(*ids).select(schema.names).cast(schema)

    files, configs = [], dict[str, list[Documents]]()
    for each in documents:
        configs.setdefault(hub_config(each.articles), []).append(each)
    configs = {name: held for name, held in sorted(configs.items()) if any(each.shards for each in held)}
    for config, held in configs.items():
        groups = list(_groups(held))
        for number, group in enumerate(groups):
            name = f"{config}/train-{number:05d}-of-{len(groups):05d}.parquet"
            files.append(_planned("hf", name, group, settings, partial(_write_parquet, group, schema, convert)))
    pairs = {name: [(each.articles, each.decisions) for each in held] for name, held in configs.items()}
    key = digest_of([FORMAT, "card", settings, [[name, [each.made_from for each in held]] for name, held in configs.items()]])
    files.append(PlannedFile("README.md", key, partial(write_card, pairs, schema.names)))
    return Export("hf", settings, files, _expected(documents))


def hub_config(articles: Manifest) -> str:
    """The name of a dump's configuration in the hub's data set: day and place of the wiki, as in its address; of other text
    its source.

    >>> hub_config(Manifest("articles", "zh_yuewiki-20231101-p1p9", {"language": "yue"}, (), {}))
    '20231101.zh-yue'
    >>> hub_config(Manifest("articles", "enwiktionary-20231101", {"language": "en"}, (), {}))
    '20231101.enwiktionary'
    >>> hub_config(Manifest("articles", "my_pages-abababab", {"language": "en"}, (), {}))
    'en'
    >>> hub_config(Manifest("articles", "p1", {"format": "c4"}, (), {}, source={"of": "c4"}))
    'text.c4'
    """
    if not is_dump(articles):
        return f"text.{source_of(articles)}"
    match = _DUMP.fullmatch(articles.part)
    if match is None:
        return str(articles.settings.get("language") or "default")
    return f"{match['date']}.{match['wiki'].replace('_', '-')}"


def _groups(documents: Sequence[Documents]) -> Iterator[list[Documents]]:
    """Articles that make one shard: as many bytes of them as `SHARD_BYTES`, whatever is kept of them."""
    group: list[Documents] = []
    held = 0
    for each in documents:
        for shard in each.shards:
            if group and held + shard.bytes > SHARD_BYTES:
                yield group
                group, held = [], 0
            held += shard.bytes
            if group and group[-1].articles is each.articles:
                group[-1] = Documents(each.corpus, each.articles, each.decisions, (*group[-1].shards, shard))
            else:
                group.append(Documents(each.corpus, each.articles, each.decisions, (shard,)))
    if group:
        yield group


def _expected(documents: Sequence[Documents]) -> dict[str, dict[str, int]]:
    return {each.part: {"documents": each.decisions.counts["kept"]} for each in documents}


def _planned(
    kind: str, name: str, documents: Sequence[Documents], settings: dict[str, Any],
    write: Callable[[HashingFile, Advance], Counts],
) -> PlannedFile:  # fmt: skip
    """A file of documents. How many are kept of some shards of a part is not known before: their share of its rows is."""
    amount = sum(
        each.decisions.counts["kept"] * sum(shard.rows for shard in each.shards) / max(each.articles.rows, 1)
        for each in documents
    )
    return PlannedFile(name, digest_of([FORMAT, kind, settings, [each.made_from for each in documents]]), write, amount)


def _plan_lines(
    kind: str, ending: str, documents: Sequence[Documents], settings: dict[str, Any],
    lines: Callable[[str, pa.Table], Iterable[str]], extra: Sequence[str],
) -> Export:  # fmt: skip
    compression = settings["compression"]
    ending += "" if compression == "none" else f".{compression}"
    columns = ["page_id", "url", "title", "text", *extra]
    files = [
        _planned(kind, each.part + ending, [each], settings, partial(_write_lines, each, columns, lines, CODECS[compression]))
        for each in documents
    ]
    return Export(kind, settings, files, _expected(documents))


def _write_lines(
    documents: Documents, columns: Sequence[str], lines: Callable[[str, pa.Table], Iterable[str]], codec: str | None,
    sink: HashingFile, advance: Advance,
) -> Counts:  # fmt: skip
    counts = Counter(documents=0)
    with _compressed(sink, codec) as file:
        for rows in documents.tables(columns):
            file.write("".join(lines(documents.part, rows)).encode())
            counts["documents"] += rows.num_rows
            advance(rows.num_rows)
    return {documents.part: counts}


@contextmanager
def _compressed(sink: HashingFile, codec: str | None) -> Iterator[Any]:
    if codec is None:
        yield sink
        return
    with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), codec) as file:
        yield file


def _json_lines(extra: Sequence[str], part: str, rows: pa.Table) -> Iterator[str]:
    for row in rows.to_pylist():
        record = {"id": str(row["page_id"]), **{name: row[name] for name in (*COLUMNS[1:], *extra)}, "part": part}
        yield json.dumps(record, ensure_ascii=False, default=_as_json) + "\n"


def _as_json(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")  # a timestamp, as a dump has it; all else is JSON's


def _doc_lines(part: str, rows: pa.Table) -> Iterator[str]:
    for page_id, url, title, text in _fields(rows):
        url, quoted = (escape(each, {'"': "&quot;"}) for each in (url, title))
        yield f'<doc id="{page_id}" url="{url}" title="{quoted}">\n{title}\n\n{_MARK.sub("&lt;", text)}\n\n</doc>\n'


def _blank_lines(part: str, rows: pa.Table) -> Iterator[str]:
    """Title, and text without its own blank lines: so a blank line is the end of a document."""
    for _, _, title, text in _fields(rows):
        yield f"{title}\n{_BLANK_LINES.sub(chr(10), text.strip())}\n\n"


def _fields(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in ("page_id", "url", "title", "text")), strict=True)


def _write_parquet(
    documents: Sequence[Documents], schema: pa.Schema, convert: Callable[[str, pa.Table], pa.Table], sink: HashingFile,
    advance: Advance,
) -> Counts:  # fmt: skip
    columns = [name for name in schema.names if name in ARTICLES.names]
    counts: Counts = {each.part: Counter(documents=0) for each in documents}

    def converted() -> Iterator[pa.Table]:
        for each in documents:
            for rows in each.tables(columns):
                yield convert(each.part, rows)
                counts[each.part]["documents"] += rows.num_rows
                advance(rows.num_rows)

    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for table in _row_groups(converted()):
            writer.write_table(table, row_group_size=table.num_rows)
    return counts


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least `ROWS`, but the last: few may be kept of a thousand."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
