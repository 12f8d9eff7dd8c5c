"""Rank files: a vocabulary in tiktoken's own form, a line with the base64 of a token and its rank for each token.

Such a file says neither how text is split nor which special tokens there are. Both come from a small JSON file beside it, whose
name has `.json` after that of the rank file, or are known when the ranks are those of an encoding that OpenAI publishes:

    vocab.tiktoken       IQ== 0 …
    vocab.tiktoken.json  {"pattern": "…", "special_tokens": {"<|endoftext|>": 50256}}
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

END_OF_TEXT = "<|endoftext|>"

# Split patterns and special tokens of OpenAI's rank files by the SHA-256 of the file, as tiktoken's openai_public.py has them
# (MIT licence): there they can be had with the file alone, that is, from the network.
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
CL100K_PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"""
    r"""\s+(?!\S)|\s"""
)
O200K_PATTERN = (
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"""
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"""
    r"""\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
_CL100K_SPECIAL = {
    END_OF_TEXT: 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}
PUBLISHED: dict[str, tuple[str, dict[str, int]]] = {
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930": (GPT2_PATTERN, {END_OF_TEXT: 50256}),  # gpt2, r50k_base
    "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069": (GPT2_PATTERN, {END_OF_TEXT: 50256}),  # p50k_base
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": (CL100K_PATTERN, _CL100K_SPECIAL),  # cl100k_base
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": (
        O200K_PATTERN,
        {END_OF_TEXT: 199999, "<|endofprompt|>": 200018},
    ),  # o200k_base
}


def read_ranks(data: bytes) -> dict[bytes, int]:
    """Rank of each token of a rank file's content. Raises ValueError when it is none, or has no rank for one of the 256 bytes.

    >>> read_ranks(b"IQ== 0")
    Traceback (most recent call last):
    ValueError: 255 of the 256 bytes have no rank
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        token, _, rank = line.strip().partition(b" ")
        if not token:
            continue
        try:
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"line {number} is not the base64 of a token and its rank") from error
    bare = sum(bytes([byte]) not in ranks for byte in range(256))
    if bare:
        raise ValueError(f"{bare} of the 256 bytes have no rank")
    return ranks


def ranks_file(ranks: Mapping[bytes, int]) -> bytes:
    """The rank file of these ranks as OpenAI writes them: in the order of the ranks."""
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda item: item[1]))
    return b"".join(lines)


def vocabulary_of_ranks(name: str, ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int]) -> bytes:
    """The vocabulary file that a corpus keeps: all that tiktoken needs, as JSON."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    body = {
        "tiktoken": name,
        "pattern": pattern,
        "special_tokens": special_tokens,
        "ranks": {base64.b64encode(token).decode(): rank for token, rank in ordered},
    }
    return json.dumps(body, ensure_ascii=False).encode()


def complete_ranks(name: str, file: str, data: bytes, beside: bytes | None) -> bytes:
    """The vocabulary file of a rank file with what stands beside it.

    Args:
        name: of the encoding.
        file: path or URL of the rank file, for what is said of it.
        data: its content.
        beside: content of `file` + ".json"; None when there is no such file.

    Raises:
        ValueError: the content is no rank file; or pattern and special tokens are not known, or make no sense.
    """
    try:
        ranks = read_ranks(data)
    except ValueError as error:
        raise ValueError(f"{file} is neither a tokenizer.json nor a rank file of tiktoken's: {error}") from error
    if beside is not None:
        pattern, special = _read_beside(f"{file}.json", beside)
    else:
        known = PUBLISHED.get(hashlib.sha256(ranks_file(ranks)).hexdigest())
        if known is None:
            raise ValueError(
                f"{file} holds ranks alone: write how text is split and its special tokens into {file}.json, as "
                f'{{"pattern": "…", "special_tokens": {{"{END_OF_TEXT}": {max(ranks.values()) + 1}}}}}'
            )
        pattern, special = known
    taken = sorted(set(special.values()) & set(ranks.values()))
    if taken:
        raise ValueError(f"{file}.json gives the id {taken[0]} to a special token, but {file} has it as a rank")
    return vocabulary_of_ranks(name, ranks, pattern, special)


def _read_beside(path: str, data: bytes) -> tuple[str, dict[str, int]]:
    try:
        body: Any = json.loads(data)
        pattern, special = body["pattern"], body["special_tokens"]
        right = isinstance(pattern, str) and all(isinstance(value, int) for value in special.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right or END_OF_TEXT not in special:
        raise ValueError(
            f'{path} needs "pattern", a regular expression, and "special_tokens", the ids of special tokens by their text, '
            f"{END_OF_TEXT} among them"
        )
    return pattern, special
