"""Arrow schemas of the tables: the one place where a column gets its name and type.

`PAGES` is what a dump holds, one row a `<page>`; the other tables lie in a corpus as Parquet.
A part's id is no column on disk: the folder `part=<part id>` carries it, and every `scan_` frame has it as `part`.
"""

from __future__ import annotations

import pyarrow as pa

TIMESTAMP = pa.timestamp("s", tz="UTC")

PAGES = pa.schema(
    [
        pa.field("page_id", pa.int64(), nullable=False),
        pa.field("namespace", pa.int32(), nullable=False),
        pa.field("title", pa.string(), nullable=False),  # with its namespace prefix, as in the dump
        pa.field("redirect", pa.string()),  # the title redirected to; null: the page is no redirect
        pa.field("revision_id", pa.int64()),
        pa.field("timestamp", TIMESTAMP),
        pa.field("model", pa.string()),  # "wikitext", "Scribunto", "json", …
        pa.field("text", pa.string()),  # the wikitext of the last revision; null: deleted
        pa.field("sha1_ok", pa.bool_()),  # null: the dump names no checksum
        pa.field("error", pa.string()),  # why the page could not be read whole; null: it was
    ]
)

DROPPED_TEMPLATES = pa.list_(pa.struct([("name", pa.string()), ("count", pa.int32())]))

ARTICLES = pa.schema(
    [
        pa.field("page_id", pa.int64(), nullable=False),
        pa.field("revision_id", pa.int64()),
        pa.field("timestamp", TIMESTAMP),
        pa.field("title", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("n_chars", pa.int64(), nullable=False),  # Unicode characters of `text`
        pa.field("categories", pa.list_(pa.string())),
        pa.field("is_disambiguation", pa.bool_(), nullable=False),
        pa.field("dropped_templates", DROPPED_TEMPLATES),
        pa.field("sha1_ok", pa.bool_()),
        pa.field("error", pa.string()),
    ]
)

# Template pages of a wiki, one row for each name, in the order of names (by their UTF-8 bytes).
TEMPLATES = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # without its namespace, as `raywiki.wikitext` compares names
        pa.field("text", pa.string()),  # the wikitext of its definition; null: it is a redirect
        pa.field("redirect", pa.string()),  # name of the template redirected to; null: it is none
        pa.field("page_id", pa.int64(), nullable=False),
        pa.field("revision_id", pa.int64()),
    ]
)

DECISIONS = pa.schema(
    [
        pa.field("page_id", pa.int64(), nullable=False),
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),  # why not kept, the first of `reasons`; null: kept
        pa.field("reasons", pa.list_(pa.string()), nullable=False),  # rules that failed, then "exact_dup" or "near_dup"
        pa.field("dup_of", pa.int64()),  # page id of the published article it repeats …
        pa.field("dup_part", pa.string()),  # … and the part that holds that one
        pa.field("similarity", pa.float32()),  # estimated Jaccard similarity with it; 1 for an exact duplicate
    ]
)

# The dedup index: three tables, each a pure function of the articles (and, for pairs, of the parts that arrived before).
SIGNATURES = pa.schema(
    [
        pa.field("page_id", pa.int64(), nullable=False),
        pa.field("text_hash", pa.binary(16), nullable=False),  # xxh3_128 of the text, white space collapsed
        pa.field("n_grams", pa.uint32(), nullable=False),  # different word n-grams; 0: the text is too short for one
        pa.field("bands", pa.binary()),  # one little-endian u32 a MinHash band; null when n_grams is 0
        pa.field("sketch", pa.binary(512)),  # 4,096 parity bits of the n-grams (odd sketch); null when n_grams is 0
    ]
)

BANDS = pa.schema(  # the band keys of a part, sorted by key: what a later part is joined with
    [
        pa.field("key", pa.uint32(), nullable=False),
        pa.field("page_id", pa.int64(), nullable=False),
    ]
)

PAIRS = pa.schema(  # texts of a part and the texts they nearly repeat, of the same part or an earlier one
    [
        pa.field("text_hash", pa.binary(16), nullable=False),
        pa.field("other_hash", pa.binary(16), nullable=False),
        pa.field("similarity", pa.float32(), nullable=False),
    ]
)

EVALS = pa.schema(  # the validation windows of a run as its segments begin and end
    [
        pa.field("segment", pa.int32(), nullable=False),  # during which it was evaluated
        pa.field("moment", pa.string(), nullable=False),  # "begin" or "end" of that segment
        pa.field("step", pa.int64(), nullable=False),  # steps that the weights have learned from
        pa.field("part", pa.string(), nullable=False),
        pa.field("window", pa.int64(), nullable=False),  # its first token, counted in the part's validation tokens
        pa.field("n_targets", pa.int32(), nullable=False),  # tokens that are predicted: those after the first
        pa.field("n_bytes", pa.int32()),  # UTF-8 bytes that the targets stand for; null: the vocabulary does not say
        pa.field("loss", pa.float64(), nullable=False),  # nats, the sum over the targets
    ]
)


def tokens_schema(vocab_size: int) -> pa.Schema:
    """Schema of the tokens table: 16-bit ids where the vocabulary allows it, else 32-bit."""
    token = pa.uint16() if vocab_size <= 1 << 16 else pa.uint32()
    return pa.schema(
        [
            pa.field("page_id", pa.int64(), nullable=False),
            pa.field("split", pa.string(), nullable=False),  # "train" or "val", by a hash of the page id
            pa.field("n_tokens", pa.int32(), nullable=False),
            pa.field("tokens", pa.list_(pa.field("element", token, nullable=False)), nullable=False),
        ]
    )
