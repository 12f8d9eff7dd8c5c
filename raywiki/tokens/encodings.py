"""Encodings: a vocabulary file and the library that applies it.

A vocabulary is one JSON file, kept in the corpus beside the tokens made with it, so that no worker and no later command
needs the network, a cache folder or the path it came from. It is either a `tokenizer.json` of Hugging Face's tokenizers
(what `train_bpe` writes), or a tiktoken encoding written out as its pattern, ranks and special tokens.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from fsspec.core import url_to_fs

from raywiki.corpus import Corpus, Tables, encoding_name, tokens_table
from raywiki.tokens.ranks import END_OF_TEXT, complete_ranks, vocabulary_of_ranks

VOCABULARY = "vocabulary.json"


@dataclass(frozen=True)
class Encoding:
    """A vocabulary ready for use.

    `encode` maps n texts to n arrays of ids, special tokens in the text taken as plain text; `decode` maps ids to text.
    `token_bytes` is what an id stands for, None for an id that the vocabulary leaves out.
    `end_of_text` is the id that closes each document; `digest` is the SHA-256 of the vocabulary file; `library` names who
    does the work ("tiktoken", "tokenizers", "gigatoken") and decides nothing.
    """

    name: str
    vocab_size: int
    end_of_text: int
    digest: str
    encode: Callable[[Sequence[str]], list[np.ndarray]]
    decode: Callable[[Sequence[int]], str]
    token_bytes: Callable[[int], bytes | None]
    library: str


def read_vocabulary(name_or_file: str) -> tuple[str, bytes]:
    """Name and vocabulary file of an encoding, from tiktoken's name of it or from a file at a path or URL.

    The file is a `tokenizer.json` or a rank file of tiktoken's (see `raywiki.tokens.ranks`), whatever its ending; its stem is
    the name. A file that is called as an encoding of tiktoken's is, is meant with a path before it: `./gpt2`.

    Raises:
        ValueError: no such encoding or file, the file is no vocabulary, or tiktoken's file cannot be had here.
    """
    if not _is_file(name_or_file):
        return name_or_file, _tiktoken_vocabulary(name_or_file)
    fs, path = url_to_fs(name_or_file)
    name = encoding_name(name_or_file)
    try:
        data = fs.cat_file(path)
    except FileNotFoundError:
        raise ValueError(
            f"no vocabulary file {name_or_file}: make one with `raywiki tokenizer train CORPUS --to {name_or_file}`"
        ) from None
    if data.lstrip().startswith(b"{"):
        return name, data
    beside = fs.cat_file(path + ".json") if fs.exists(path + ".json") else None
    return name, complete_ranks(name, name_or_file, data, beside)


def _is_file(name_or_file: str) -> bool:
    import tiktoken

    looks = "/" in name_or_file or name_or_file.endswith((".json", ".tiktoken")) or os.path.isfile(name_or_file)
    return looks and name_or_file not in tiktoken.list_encoding_names()


def vocabulary_path(corpus: Corpus, name: str) -> str:
    return corpus.path(tokens_table(name), VOCABULARY)


def find_vocabulary(tables: Tables, encoding: str | None, overwrite: bool = False) -> tuple[str, bytes]:
    """Name and vocabulary of an encoding: the corpus's own copy where it has one, else the file or tiktoken's.

    None is the only encoding that the corpus has, "gpt2" when it has none.

    Raises:
        ValueError: no such encoding; or the corpus has another vocabulary under the same name.
    """
    corpus = tables.corpus
    name = tables.encoding(encoding) or "gpt2"
    own = vocabulary_path(corpus, name)
    known = corpus.fs.cat_file(own) if corpus.fs.exists(own) else None
    if known is not None and encoding in (None, name):
        return name, known
    name, vocabulary = read_vocabulary(encoding or name)
    if not overwrite and known is not None and known != vocabulary:
        raise ValueError(
            f"{encoding} is not the vocabulary that {corpus.url} has as encoding {name!r}: rename the file to keep both, "
            "or redo the tokens with --overwrite"
        )
    return name, vocabulary


def _tiktoken_vocabulary(name: str) -> bytes:
    import tiktoken

    names = tiktoken.list_encoding_names()
    if name not in names:
        raise ValueError(f"unknown encoding {name!r}: take one of {', '.join(names)}, or the path of a vocabulary file")
    try:
        encoding = tiktoken.get_encoding(name)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: a file with the wrong digest
        raise ValueError(
            f"the vocabulary of {name!r} cannot be had here ({type(error).__name__}): set TIKTOKEN_CACHE_DIR to a folder that "
            "holds tiktoken's files, or train a vocabulary with `raywiki tokenizer train CORPUS --to vocabulary.json`"
        ) from error
    return vocabulary_of_ranks(name, encoding._mergeable_ranks, encoding._pat_str, encoding._special_tokens)


def load_encoding(name: str, vocabulary: bytes) -> Encoding:
    """The encoding of a vocabulary file's content.

    Raises:
        ValueError: the content is no vocabulary, or has no `<|endoftext|>` to close documents with.
    """
    try:
        body = json.loads(vocabulary)
        load = _load_tiktoken if "tiktoken" in body else _load_tokenizers
    except (ValueError, TypeError) as error:
        raise ValueError(f"the vocabulary of {name!r} is no tokenizer.json: {error}") from error
    return load(name, vocabulary, hashlib.sha256(vocabulary).hexdigest())


def _load_tiktoken(name: str, vocabulary: bytes, digest: str) -> Encoding:
    import tiktoken

    body = json.loads(vocabulary)
    ranks = {base64.b64decode(token): rank for token, rank in body["ranks"].items()}
    try:
        encoding = tiktoken.Encoding(
            body["tiktoken"], pat_str=body["pattern"], mergeable_ranks=ranks, special_tokens=body["special_tokens"]
        )
    except ValueError as error:
        raise ValueError(f"the split pattern of {name!r} is no regular expression of tiktoken's: {error}") from error

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        return [encoding.encode_to_numpy(text, disallowed_special=()) for text in texts]

    def decode(ids: Sequence[int]) -> str:
        return encoding.decode(list(ids))

    names = {rank: token for token, rank in ranks.items()}
    names |= {token: text.encode() for text, token in body["special_tokens"].items()}
    return Encoding(name, encoding.n_vocab, encoding.eot_token, digest, encode, decode, names.get, "tiktoken")


def _load_tokenizers(name: str, vocabulary: bytes, digest: str) -> Encoding:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(vocabulary.decode())
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"the vocabulary of {name!r} is no tokenizer.json: {error}") from error
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    if end_of_text is None:
        raise ValueError(f"the vocabulary of {name!r} has no {END_OF_TEXT} token to close documents with")
    tokenizer.encode_special_tokens = True  # "<|endoftext|>" written in an article is text like any other

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(each.ids, dtype=np.uint32) for each in encoded]

    def decode(ids: Sequence[int]) -> str:
        return tokenizer.decode(list(ids), skip_special_tokens=False)

    added = {token: each.content.encode() for token, each in tokenizer.get_added_tokens_decoder().items()}

    def token_bytes(token: int) -> bytes | None:
        if token in added:
            return added[token]
        text = tokenizer.id_to_token(token)
        if text is None or not all(char in BYTES for char in text):
            return None if text is None else text.encode()  # no byte-level vocabulary
        return bytes(BYTES[char] for char in text)

    return Encoding(name, tokenizer.get_vocab_size(), end_of_text, digest, encode, decode, token_bytes, "tokenizers")


def _bytes_by_character() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for: GPT-2's `bytes_to_unicode`, the other way round.

    >>> len(_bytes_by_character()), _bytes_by_character()["Ġ"]
    (256, 32)
    """
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTES = _bytes_by_character()
