"""The tokens table: articles to token ids, a row for each document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import xxhash

from raywiki.schema import tokens_schema
from raywiki.tokens.encodings import Encoding

VAL_FRACTION = 0.005

# 16-bit ids have no Parquet type of their own; split into byte planes and compressed they cost about 1.5 bytes each.
PARQUET_OPTIONS = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["split"],
    "column_encoding": {"tokens.list.element": "BYTE_STREAM_SPLIT"},
    "write_statistics": ["page_id", "n_tokens"],
}


def splits(page_ids: Sequence[int] | np.ndarray, val_fraction: float = VAL_FRACTION) -> list[str]:
    """ "val" or "train" for each page, by a hash of the page id alone (XXH3-64 of its 8 little-endian bytes).

    So a page stays on its side for ever: whatever parts are added, whatever else the corpus holds.

    >>> splits([12, 25, 39], val_fraction=0.5)
    ['train', 'train', 'val']
    """
    limit = int(val_fraction * 2**64)
    hashes = (xxhash.xxh3_64_intdigest(int(page_id).to_bytes(8, "little")) for page_id in page_ids)
    return ["val" if each < limit else "train" for each in hashes]


def documents(articles: pa.Table, title: bool = False) -> list[str]:
    """The text of each article as it is encoded: with `title`, the title and a blank line come first, where it has one."""
    texts = articles["text"].to_pylist()
    if not title:
        return texts
    return [f"{name}\n\n{text}" if name else text for name, text in zip(articles["title"].to_pylist(), texts, strict=True)]


def articles_to_tokens(
    articles: pa.Table, encoding: Encoding, *, val_fraction: float = VAL_FRACTION, title: bool = False
) -> pa.Table:
    """Encode the `text` of each article, closed by the end-of-text id.

    Args:
        articles: needs the columns `page_id` and `text`, and `title` where that is asked for; n rows.
        encoding: see `load_encoding`.
        val_fraction: share of pages whose `split` is "val".
        title: begin each document with its title and a blank line.

    Returns:
        n rows of the tokens table (`schema.tokens_schema(encoding.vocab_size)`), in the same order.

    Raises:
        ValueError: `val_fraction` is not within [0, 1].
    """
    if not 0 <= val_fraction <= 1:
        raise ValueError(f"val_fraction={val_fraction} is no share: give a number from 0 to 1")
    schema = tokens_schema(encoding.vocab_size)
    token_type = schema.field("tokens").type
    dtype = token_type.value_type.to_pandas_dtype()
    end = np.array([encoding.end_of_text], dtype=dtype)
    rows = [np.concatenate([ids.astype(dtype), end]) for ids in encoding.encode(documents(articles, title))]
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    values = pa.array(np.concatenate(rows) if rows else np.empty(0, dtype))
    tokens = pa.ListArray.from_arrays(offsets, values, type=token_type)
    page_ids = articles["page_id"].to_numpy()
    split = pa.array(splits(page_ids, val_fraction), pa.string())
    return pa.Table.from_arrays([pa.array(page_ids, pa.int64()), split, pa.array(lengths), tokens], schema=schema)
