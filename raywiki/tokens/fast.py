"""The fast backend: gigatoken (`pip install raywiki[fast]`), five to fifty times as fast as tiktoken and tokenizers.

It is a beta, so nobody takes its word for it: a sample of the documents is encoded by the ordinary library too, and a part
whose ids ever differ is encoded again without it. So a backend never changes a byte of the tokens.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from raywiki.tokens.encodings import Encoding
from raywiki.tokens.ranks import CL100K_PATTERN, GPT2_PATTERN, O200K_PATTERN, ranks_file
from raywiki.tokens.table import documents

SAMPLE = 1 / 256  # of the documents: a fiftieth of the time with tiktoken, a fifth with tokenizers
SCHEMES = {GPT2_PATTERN: "gpt2", CL100K_PATTERN: "gpt4", O200K_PATTERN: "o200k"}  # what gigatoken calls these split patterns


class BackendFailed(Exception):
    """The fast backend gave other ids than the ordinary one, or none; the sentence says for which page."""


def fast_encoding(plain: Encoding, vocabulary: bytes) -> Encoding | None:
    """The same encoding by gigatoken; None when it is not installed or does not take the vocabulary.

    Its cache of words only grows, so take a new one for each shard (0.1 s). `encode` raises BackendFailed.
    """
    try:
        tokenizer = _load(vocabulary)
    except Exception:  # ImportError, or whatever a beta raises on a vocabulary that it does not know: the ordinary library does
        return None

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        try:
            return [tokenizer.encode(text) for text in texts]
        except BaseException as error:
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":  # Rust's, of no public type
                raise BackendFailed(f"gigatoken failed ({type(error).__name__}: {error})") from error
            raise

    return replace(plain, library="gigatoken", encode=encode)


def _load(vocabulary: bytes) -> Any:
    """gigatoken's tokenizer without special tokens, as it would find them in the text of articles."""
    import gigatoken

    as_json, scheme, ranks = _as_gigatoken_reads(vocabulary)
    if as_json is not None:
        return gigatoken.Tokenizer.from_json(as_json)
    with tempfile.TemporaryDirectory() as folder:  # it reads ranks from files alone
        path = Path(folder, "ranks.tiktoken")
        path.write_bytes(ranks)
        return gigatoken.Tokenizer.from_tiktoken(path, scheme, {})


@lru_cache(maxsize=2)
def _as_gigatoken_reads(vocabulary: bytes) -> tuple[str | None, str, bytes]:
    """A `tokenizer.json`, or the name of the split pattern and a rank file; once for all shards of a worker process."""
    body = json.loads(vocabulary)
    if "tiktoken" not in body:
        added = [token for token in body.get("added_tokens", ()) if not token["special"]]
        return json.dumps({**body, "added_tokens": added, "post_processor": None}), "", b""
    ranks = {base64.b64decode(token): rank for token, rank in body["ranks"].items()}
    return None, SCHEMES[body["pattern"]], ranks_file(ranks)


def check_sample(articles: pa.Table, tokens: pa.Table, plain: Encoding, title: bool = False) -> None:
    """Compare a sample of a batch with what the ordinary library makes of it: by a hash of the page id, one row at least.

    Args:
        articles: n rows with `page_id` and `text`.
        tokens: the n rows of the tokens table that were made from them by another backend.
        plain: the ordinary encoding.
        title: as it was given to `articles_to_tokens`.

    Raises:
        BackendFailed: the ids of a document differ.
    """
    if not articles.num_rows:
        return
    page_ids = articles["page_id"].to_pylist()
    hashes = [xxhash.xxh3_64_intdigest(page_id.to_bytes(8, "little"), seed=1) for page_id in page_ids]
    chosen = [row for row, each in enumerate(hashes) if each < SAMPLE * 2**64] or [0]
    wanted = plain.encode(documents(articles.take(chosen), title))
    for row, ids in zip(chosen, wanted, strict=True):
        got = tokens["tokens"][row].values.to_numpy()
        if not np.array_equal(got[:-1], ids):
            raise BackendFailed(f"gigatoken gave other ids than {plain.library} for page {page_ids[row]}")
