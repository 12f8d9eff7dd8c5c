"""How many bytes of text each id stands for: by which losses under different encodings can be compared.

It follows from the vocabulary file alone: no shard stores it, and no library of tokens is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from raywiki.corpus import Corpus
from raywiki.tokens.encodings import BYTES, vocabulary_path
from raywiki.tokens.ranks import END_OF_TEXT

_CUTTERS = {"ByteLevel", "Digits", "Split"}  # steps of a pre-tokenizer that say where text is cut, and change none of it


def byte_lengths(vocabulary: bytes) -> np.ndarray | None:
    """Bytes of UTF-8 behind each id, int32 of shape (highest id + 1,); None where ids do not say it.

    The lengths of a text's ids add up to `len(text.encode())`. End-of-text and all special tokens have 0, as no text is encoded
    to them, and so have ids that the vocabulary leaves out. A rank file's split pattern must leave no character out, as none of
    those that are published does.

    None is the answer for a `tokenizer.json` that is no byte-level BPE, that may change, add or drop characters (by a
    normalizer, a space before the text, a cut that takes something away, truncation, padding, one of the 256 bytes that is
    missing), or in which an id is not what tokenizers will take it for.

    Args:
        vocabulary: content of a vocabulary file, as a corpus keeps it.

    >>> from raywiki.tokens import train_bpe
    >>> byte_lengths(train_bpe(["the theatre and the thesis"] * 10, vocab_size=260))[[0, 1, 257, 258, 259]].tolist()
    [0, 1, 2, 3, 4]
    """
    body = json.loads(vocabulary)
    if "tiktoken" in body:
        found = {rank: len(base64.b64decode(token)) for token, rank in body["ranks"].items()}
        found |= dict.fromkeys(body["special_tokens"].values(), 0)
    elif _keeps_bytes(body):
        found = {token: 0 if text == END_OF_TEXT else len(text) for text, token in body["model"]["vocab"].items()}
        found |= {added["id"]: _added_length(added) for added in body.get("added_tokens") or ()}
    else:
        return None
    lengths = np.zeros(max(found) + 1, np.int32)
    lengths[list(found)] = list(found.values())
    return lengths


def corpus_byte_lengths(corpus: Corpus, encoding: str, digest: str) -> tuple[np.ndarray | None, str]:
    """`byte_lengths` of the vocabulary that a corpus keeps, if it has this SHA-256 (hex); else None and a sentence why not."""
    path = vocabulary_path(corpus, encoding)
    vocabulary = corpus.fs.cat_file(path) if corpus.fs.exists(path) else b""
    if hashlib.sha256(vocabulary).hexdigest() != digest:
        return None, f"no bits per byte: {path} is not the vocabulary of these tokens any more; restore it"
    lengths = byte_lengths(vocabulary)
    why = f"no bits per byte: the vocabulary {encoding} is no byte-level BPE, or changes text before it is encoded"
    return lengths, "" if lengths is not None else why


def _added_length(token: dict[str, Any]) -> int:
    return 0 if token["special"] or token["content"] == END_OF_TEXT else len(token["content"].encode())


def _keeps_bytes(body: dict[str, Any]) -> bool:
    """Whether a tokenizer.json gives each byte of a text to exactly one id, by a character of the id's text."""
    model, cutter = body["model"], body.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", [cutter])
    return (
        body.get("normalizer") in (None, {"type": "Sequence", "normalizers": []})
        and not (body.get("truncation") or body.get("padding"))
        and model.get("type", "BPE") == "BPE"
        and not (model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"))
        and BYTES.keys() <= model["vocab"].keys()
        and any(step.get("type") == "ByteLevel" for step in steps)
        and all(step.get("type") in _CUTTERS and step.get("behavior") != "Removed" for step in steps)
        and not any(step["type"] == "ByteLevel" and step.get("add_prefix_space", True) for step in steps)
        and _are_plain(body.get("added_tokens") or (), model["vocab"])
    )


def _are_plain(added: Sequence[dict[str, Any]], vocab: dict[str, int]) -> bool:
    """Whether the tokens beside a model's own have the ids that tokenizers will give them, and one length each."""
    ids = dict(vocab)
    for token in added:
        text = token["content"]
        if ids.setdefault(text, len(ids)) != token["id"]:
            return False
        if not token["special"] and (token["lstrip"] or token["rstrip"] or (text in vocab and not text.isascii())):
            return False  # it takes white space along; or its id stands for other bytes too
    return sorted(ids.values()) == list(range(len(ids)))
