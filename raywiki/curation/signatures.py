"""Signatures of texts: what near-duplicates are found by, without the texts.

A text becomes the set of its different word n-grams, each a 32-bit hash, and of that set two things are kept:

- **bands**: MinHash (Broder, 1997) with `num_bands` × `rows_per_band` permutations; each band's minima become one 32-bit key.
  Two texts of Jaccard similarity s share a key with probability 1 - (1 - s^rows)^bands: with 14 × 8, 0.924 at s = 0.8 and
  0.998 at 0.9. Sharing a key makes two texts *candidates*, no more.
- **sketch**: an odd sketch (Mitzenmacher, Pagh and Pham, WWW 2014): 4,096 bits, each the parity of the number of n-grams that
  fall on it. The bits in which two sketches differ tell the size of the symmetric difference, hence the similarity. At
  s = 0.8 its standard error is 0.005 for texts of up to 4,096 n-grams and at most 0.010 for longer ones, of which a sample
  of at least 2,048 is sketched; the 112 minima would take about the same room and have 0.038.

The arithmetic is ours and never changes within one `SIGNATURE_FORMAT`: signatures made today are compared with ones made
years from now, on another machine, with other versions of every library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from raywiki.curation.words import hash_words, mix64
from raywiki.schema import BANDS, SIGNATURES

SIGNATURE_FORMAT = 1  # goes up when a signature of the same text and settings would differ

HALF_BITS = 2048  # of the two halves of a sketch
SAMPLE = 2 * HALF_BITS  # at most about so many n-grams of a text are sketched

_CHUNK_CHARACTERS = 1 << 17  # texts are hashed in chunks that stay in the processor's cache
_CHUNK_TEXTS = 64
_NGRAM_BASE = np.uint64(0xD6E8FEB86659FD93)  # odd


def articles_to_signatures(articles: pa.Table, *, ngram_size: int = 5, num_bands: int = 14, rows_per_band: int = 8) -> pa.Table:
    """Signatures of articles (columns `page_id` and `text`): one row each, in the same order.

    Args:
        articles: any table with those two columns, for example a shard of the articles table.
        ngram_size: words in an n-gram.
        num_bands: bands of the MinHash, hence keys for each article.
        rows_per_band: permutations in a band.

    Returns:
        A table with the schema `raywiki.schema.SIGNATURES`. Equal texts (white space aside) have equal rows, page id aside.

    Raises:
        ValueError: a setting is not positive, or a text is null.

    >>> table = pa.table({"page_id": [1, 2, 3], "text": ["a b c d e f", "A, B, C: d e f!", "too short"]})
    >>> signatures = articles_to_signatures(table)
    >>> signatures["n_grams"].to_pylist()
    [2, 2, 0]
    >>> bands = signatures["bands"].to_pylist()
    >>> len(bands[0]), bands[0] == bands[1], bands[2]
    (56, True, None)
    """
    for name, value in (("ngram_size", ngram_size), ("num_bands", num_bands), ("rows_per_band", rows_per_band)):
        if value < 1:
            raise ValueError(f"{name} is {value}, it must be at least 1")
    if articles["text"].null_count:
        raise ValueError(f"{articles['text'].null_count} articles have a null text: signatures need a text for each")
    permutations = _permutations(num_bands * rows_per_band)
    rows: dict[str, list[Any]] = {"text_hash": [], "n_grams": [], "bands": [], "sketch": []}
    for texts in _chunks(articles["text"]):
        grams, owners = hash_ngrams(texts, ngram_size)
        counts = np.bincount(owners, minlength=len(texts))
        minima = min_hashes(grams, counts[counts > 0], permutations)
        rows["text_hash"] += map(text_hash, texts)
        rows["n_grams"] += counts.tolist()
        rows["bands"] += _rows(band_keys(minima, num_bands), counts)
        rows["sketch"] += _rows(odd_sketches(grams, owners, counts)[counts > 0], counts)
    columns = [pa.array(values, SIGNATURES.field(name).type) for name, values in rows.items()]
    return pa.Table.from_arrays([articles["page_id"], *columns], schema=SIGNATURES)


def signatures_to_bands(signatures: pa.Table) -> pa.Table:
    """The band keys of one whole part, sorted by key and page id: the part's share of the index (`raywiki.schema.BANDS`).

    Of articles with the same text only the one with the lowest page id is indexed: what holds for it holds for all.

    Args:
        signatures: the signatures of all articles of a part, shards in any order.
    """
    signatures = signatures.sort_by("page_id")
    _, first = np.unique(_matrix(signatures["text_hash"], "V16").ravel(), return_index=True)
    indexed = signatures.select(["page_id", "bands"]).take(np.sort(first))
    indexed = indexed.filter(indexed["bands"].is_valid())
    if not indexed.num_rows:
        return BANDS.empty_table()
    keys = _matrix(indexed["bands"], "<u4")
    page_ids = np.repeat(indexed["page_id"].to_numpy(), keys.shape[1])
    order = np.lexsort((page_ids, keys.ravel()))
    return pa.table({"key": keys.ravel()[order], "page_id": page_ids[order]}, schema=BANDS)


def text_hash(text: str) -> bytes:
    """xxh3_128 of the text in UTF-8, each run of white space read as one blank: equal for exact duplicates.

    >>> text_hash("Two  lines\\nof text ") == text_hash("Two lines of text")
    True
    """
    return xxhash.xxh3_128_digest(" ".join(text.split()).encode("utf-8", "surrogatepass"))


def hash_ngrams(texts: Sequence[str], ngram_size: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The different n-grams of each text as 32-bit hashes, and the index of the text that each belongs to, ascending."""
    words, offsets = hash_words(texts)
    owners = np.repeat(np.arange(len(texts)), np.diff(offsets))
    starts = np.flatnonzero(np.arange(len(words)) + ngram_size <= offsets[1:][owners])
    owners, grams = owners[starts], words[starts]
    for ahead in range(1, ngram_size):
        grams = grams * _NGRAM_BASE + words[starts + ahead]
    # One sort for all texts of the chunk: the text's index above the hash.
    keyed = (owners.astype(np.uint64) << np.uint64(32)) | (mix64(grams) >> np.uint64(32))
    keyed.sort()
    if len(keyed):
        keyed = keyed[np.concatenate(([True], keyed[1:] != keyed[:-1]))]
    return keyed.astype(np.uint32), (keyed >> np.uint64(32)).astype(np.int64)


def min_hashes(
    grams: NDArray[np.uint32], counts: NDArray[np.int64], permutations: tuple[NDArray[np.uint32], NDArray[np.uint32]]
) -> NDArray[np.uint32]:
    """MinHash of consecutive runs of n-grams (`counts` of them, none empty): shape (runs, permutations)."""
    starts = np.cumsum(counts) - counts
    minima = np.empty((len(permutations[0]), len(counts)), np.uint32)
    permuted = np.empty_like(grams)
    if len(counts):
        for row, (flip, factor) in zip(minima, zip(*permutations, strict=True), strict=True):
            np.bitwise_xor(grams, flip, out=permuted)
            np.multiply(permuted, factor, out=permuted)
            np.minimum.reduceat(permuted, starts, out=row)
    return np.ascontiguousarray(minima.T)


def band_keys(minima: NDArray[np.uint32], num_bands: int) -> NDArray[np.uint32]:
    """One key for each band of each row of minima: shape (rows, bands). The band's number is part of its key."""
    bands = minima.reshape(len(minima), num_bands, minima.shape[1] // num_bands).astype(np.uint64)
    keys = np.broadcast_to(np.arange(num_bands, dtype=np.uint64), bands.shape[:2])
    for row in range(bands.shape[2]):
        keys = mix64(keys * _NGRAM_BASE + bands[:, :, row])
    return (keys >> np.uint64(32)).astype(np.uint32)


def odd_sketches(grams: NDArray[np.uint32], owners: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Odd sketches of sets of n-grams: 512 bytes for each text; `counts` of them, `owners` says whose each one is.

    Of a text at level L the n-grams whose hash begins with L zero bits are sketched. Those with just L zeros go to the first
    half, those with more to the second: so the second half alone, or the two halves of a text one level down, sketch the
    same sample, and texts on both sides of a level's border can be compared.
    """
    levels = sketch_levels(counts).astype(np.uint32)[owners]
    sampled = (grams >> (np.uint32(32) - np.maximum(levels, 1))) * (levels > 0) == 0
    grams, owners, levels = grams[sampled], owners[sampled], levels[sampled]
    halves = 1 - ((grams >> (np.uint32(31) - levels)) & np.uint32(1))
    cells = owners * SAMPLE + halves * HALF_BITS + (grams & np.uint32(HALF_BITS - 1))
    parity = (np.bincount(cells, minlength=len(counts) * SAMPLE) & 1).astype(np.uint8)
    return np.packbits(parity.reshape(len(counts), SAMPLE), axis=1)


def sketch_levels(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Level of each text's sketch: at level L about one in 2^L n-grams is sketched, at most 4,096 of them.

    >>> sketch_levels(np.array([0, 4096, 4097, 8192, 8193])).tolist()
    [0, 0, 1, 1, 2]
    """
    _, exponents = np.frexp(np.maximum(np.asarray(counts, np.float64) - 1, 0) // SAMPLE)
    return exponents.astype(np.int64)


def _chunks(column: pa.ChunkedArray) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    pieces = (piece.slice(start, 1024) for piece in column.chunks for start in range(0, len(piece), 1024))
    for text in (text for piece in pieces for text in piece.to_pylist()):
        if chunk and (characters + len(text) > _CHUNK_CHARACTERS or len(chunk) == _CHUNK_TEXTS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk


def _rows(values: NDArray[np.generic], counts: NDArray[np.int64]) -> list[bytes | None]:
    """Each row as bytes, and None for each text without n-grams."""
    rows = iter(values)
    return [next(rows).tobytes() if count else None for count in counts]


def _permutations(size: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Constants of `size` permutations x → (x ^ flip) · factor modulo 2^32, factor odd, always the same."""
    numbers = mix64(np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return numbers.astype(np.uint32), (numbers >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _matrix(column: pa.ChunkedArray, dtype: str) -> NDArray[np.generic]:
    """A column of byte strings of one length, without nulls, as a matrix."""
    values = np.frombuffer(b"".join(column.to_pylist()), np.dtype(dtype))
    return values.reshape(len(column), len(values) // max(len(column), 1))
