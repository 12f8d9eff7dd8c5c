"""A vocabulary as the files by which transformers and tokenizers encode text: `tokenizer.json` and its configuration."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from itertools import pairwise

from raywiki.tokens.encodings import BYTES, END_OF_TEXT
from raywiki.tokens.ranks import GPT2_PATTERN

# Ways to write GPT-2's split of text into words, which tokenizers has built in: that of today's tiktoken, and of older ones.
GPT2_PATTERNS = (GPT2_PATTERN, r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def tokenizer_json(vocabulary: bytes) -> bytes | None:
    """The `tokenizer.json` of a vocabulary file; None for one of tiktoken's that splits text otherwise than GPT-2.

    Its ids are those of `load_encoding`, but that `<|endoftext|>` in a text is the special token.

    Args:
        vocabulary: content of the file that a corpus keeps; see `encodings`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    body = json.loads(vocabulary)
    if "tiktoken" not in body:
        return vocabulary
    if body["pattern"] not in GPT2_PATTERNS:
        return None
    ranks = {base64.b64decode(token): rank for token, rank in body["ranks"].items()}
    merges = [(_text(left), _text(right)) for left, right in merges_of(ranks)]
    vocab = {_text(token): rank for token, rank in ranks.items()} | body["special_tokens"]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in body["special_tokens"]])
    return tokenizer.to_str(pretty=True).encode() + b"\n"


def merges_of(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merges of byte pairs that these ranks stand for, in their order: a token is made from the two that are left when
    its bytes are merged by all tokens before it.

    >>> merges_of({b"a": 0, b"b": 1, b"ab": 2, b"aab": 3})
    [(b'a', b'b'), (b'a', b'ab')]
    """
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            pieces = _pieces(ranks, token, rank)
            if len(pieces) == 2:  # else no text leads to this token
                merges.append((pieces[0], pieces[1]))
    return merges


def tokenizer_config(seq_len: int) -> bytes:
    """The `tokenizer_config.json` beside a `tokenizer.json`."""
    special = {f"{name}_token": END_OF_TEXT for name in ("bos", "eos", "unk", "pad")}
    body = {"tokenizer_class": "PreTrainedTokenizerFast", **special, "model_max_length": seq_len}
    return json.dumps({**body, "clean_up_tokenization_spaces": False}, indent=2).encode() + b"\n"


def _pieces(ranks: Mapping[bytes, int], token: bytes, below: int) -> list[bytes]:
    pieces = [token[place : place + 1] for place in range(len(token))]
    while len(pieces) > 2:
        pairs = [ranks.get(left + right, below) for left, right in pairwise(pieces)]
        first = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[first] >= below:
            break
        pieces[first : first + 2] = [pieces[first] + pieces[first + 1]]
    return pieces


def _text(token: bytes) -> str:
    return "".join(_CHARACTERS[byte] for byte in token)


_CHARACTERS = {byte: character for character, byte in BYTES.items()}
