"""Bytes of text behind each id: exact for byte-level vocabularies, None for all others."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1]))
from made_corpus import ENCODING, make_corpus

from raywiki.tokens import byte_lengths, corpus_byte_lengths, load_encoding, read_vocabulary, train_bpe
from raywiki.tokens.ranks import CL100K_PATTERN, GPT2_PATTERN, O200K_PATTERN, vocabulary_of_ranks

TEXTS = ["The history of the aardvark.", "Ο μέγας Αλέξανδρος", "emoji 🦡 and\n\ntwo lines  ", "ça, l'été : don't <|endoftext|>"]
OWN = train_bpe(TEXTS * 20, vocab_size=320)
RANKS = {bytes([byte]): byte for byte in range(256)} | {b"th": 256, b"the": 257, b" \xce": 258, "é".encode(): 259}
PATTERNS = {"gpt2": GPT2_PATTERN, "cl100k": CL100K_PATTERN, "o200k": O200K_PATTERN}
# A character of each 256 code points of Unicode, surrogates aside, which are no text.
BLOCKS = "".join(chr(random.Random(first).randrange(first, first + 256)) for first in range(0, 0x110000, 256)
                 if not 0xD800 <= first < 0xE000)  # fmt: skip


def by_ranks(pattern: str) -> bytes:
    return vocabulary_of_ranks(pattern, RANKS, PATTERNS[pattern], {"<|endoftext|>": 300, "<|other|>": 301})


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(OWN), **fields}).encode()


def added(content: str, special: bool, **fields: object) -> bytes:
    """The vocabulary with one more token beside its own."""
    body = json.loads(OWN)
    token = dict(id=320, content=content, special=special, single_word=False, lstrip=False, rstrip=False, normalized=False)
    body["added_tokens"].append({**token, **fields})
    return json.dumps(body).encode()


QWEN_LIKE = changed(
    pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"\p{N}|\s+"}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ]},
)  # fmt: skip
EXACT = {"own": OWN, "split": QWEN_LIKE, "word": added("été", False), "special": added("été", True)}
EXACT |= {name: by_ranks(name) for name in PATTERNS}


@pytest.mark.parametrize("name", EXACT)
def test_the_lengths_of_a_text_add_up_to_its_bytes(name):
    encoding, lengths = load_encoding(name, EXACT[name]), byte_lengths(EXACT[name])

    @settings(max_examples=60, deadline=None)
    @given(st.text())
    @example(BLOCKS)
    @example(" ".join(TEXTS))
    def adds_up(text: str) -> None:
        [ids] = encoding.encode([text])
        assert lengths[ids].sum() == len(text.encode())

    adds_up()


def test_gpt2(gpt2_vocabulary, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    name, vocabulary = read_vocabulary("gpt2")
    encoding, lengths = load_encoding(name, vocabulary), byte_lengths(vocabulary)
    assert (len(lengths), lengths.max(), lengths[50256]) == (50257, 128, 0)
    texts = [BLOCKS, *TEXTS, "\n" * 99 + "-" * 999]
    for text, ids in zip(texts, encoding.encode(texts), strict=True):
        assert lengths[ids].sum() == len(text.encode())


@pytest.mark.parametrize("name", EXACT)
def test_each_id_has_the_length_of_its_bytes_and_the_end_of_a_document_none(name):
    encoding, lengths = load_encoding(name, EXACT[name]), byte_lengths(EXACT[name])
    assert lengths[encoding.end_of_text] == 0
    special = {encoding.end_of_text, *([301] if name in PATTERNS else [320] if name == "special" else [])}
    plain = [token for token in range(len(lengths)) if token not in special]
    assert [lengths[token] for token in plain] == [len(encoding.token_bytes(token) or b"") for token in plain]
    assert [lengths[token] for token in special] == [0] * len(special)


def without(character: str) -> bytes:
    body = json.loads(OWN)
    del body["model"]["vocab"][character]
    body["model"]["merges"] = [pair for pair in body["model"]["merges"] if character not in "".join(pair)]
    return json.dumps(body).encode()


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPACES = {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False}


@pytest.mark.parametrize(
    "vocabulary",
    [
        changed(normalizer={"type": "NFC"}),
        changed(normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}),
        changed(pre_tokenizer=None),
        changed(pre_tokenizer={"type": "Whitespace"}),
        changed(pre_tokenizer={**BYTE_LEVEL, "add_prefix_space": True}),
        changed(pre_tokenizer={"type": "Sequence", "pretokenizers": [SPACES, BYTE_LEVEL]}),
        changed(truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}),
        without("ç"),
        added("été", False, rstrip=True),
        added("é", False, id=json.loads(OWN)["model"]["vocab"]["é"]),  # which is the byte 0xE9 too
        added("é", True),  # tokenizers gives it the id that "é" has in the model
        added("été", False, id=400),
    ],
)
def test_what_does_not_keep_all_bytes_has_no_lengths(vocabulary):
    load_encoding("odd", vocabulary)  # it is a vocabulary, and can be trained on
    assert byte_lengths(vocabulary) is None


def test_an_empty_normalizer_is_none():
    assert byte_lengths(changed(normalizer={"type": "Sequence", "normalizers": []})) is not None


def test_of_a_corpus_the_vocabulary_of_the_digest_or_a_reason(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", 1)
    path = Path(corpus.path(f"tokens/encoding={ENCODING}/vocabulary.json"))
    for vocabulary, reason in {OWN: "", changed(normalizer={"type": "NFC"}): "no byte-level BPE, or changes text"}.items():
        path.write_bytes(vocabulary)
        digest = load_encoding("x", vocabulary).digest
        lengths, why = corpus_byte_lengths(corpus, ENCODING, digest)
        assert (lengths is None) == bool(reason)
        assert reason in why
        path.unlink()
        lengths, why = corpus_byte_lengths(corpus, ENCODING, digest)
        assert lengths is None
        assert "vocabulary.json is not the vocabulary of these tokens any more; restore it" in why
