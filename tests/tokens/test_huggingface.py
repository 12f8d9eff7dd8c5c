"""What tokenizers makes of a vocabulary of tiktoken's is what tiktoken makes of it."""

from __future__ import annotations

import json

from tokenizers import Tokenizer

from raywiki.tokens import load_encoding, read_vocabulary, tokenizer_json, train_bpe
from raywiki.tokens.huggingface import merges_of
from raywiki.tokens.ranks import CL100K_PATTERN, GPT2_PATTERN, vocabulary_of_ranks

TEXTS = [
    "The quick brown fox's tail, 1234567 km;  two   spaces \n\n\tand a tab. ",
    "Đây là tiếng Việt. Ελληνικά; українська! 日本語 🦡🦡 e\u0301",
    "'s 't 've 'LL don't I'll   ",
    "\u2028\u00a0\r\n \n",
    "",
]


def of_ranks(pattern: str) -> bytes:
    """A rank file of 256 bytes and a few merges, as a corpus keeps it."""
    tokens = [b"th", b"the", b" t", b" the", b"in", b"  ", b"ing", b"\xc4\x91", b"12"]
    ranks = {bytes([byte]): byte for byte in range(256)} | {token: 256 + place for place, token in enumerate(tokens)}
    return vocabulary_of_ranks("made", ranks, pattern, {"<|endoftext|>": 300})


def same(vocabulary: bytes) -> bytes:
    """The tokenizer.json, once it is seen to do the same."""
    made = tokenizer_json(vocabulary)
    encoding, tokenizer = load_encoding("made", vocabulary), Tokenizer.from_str(made.decode())
    for text, ids in zip(TEXTS, encoding.encode(TEXTS), strict=True):
        assert tokenizer.encode(text).ids == ids.tolist(), text
        assert tokenizer.decode(ids.tolist(), skip_special_tokens=False) == text
    assert tokenizer.token_to_id("<|endoftext|>") == encoding.end_of_text
    assert tokenizer.encode("a<|endoftext|>").ids[-1] == encoding.end_of_text
    return made


def test_ranks_with_the_split_of_gpt2():
    same(of_ranks(GPT2_PATTERN))


def test_gpt2(gpt2_vocabulary, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    made = same(read_vocabulary("gpt2")[1])
    assert len(json.loads(made)["model"]["merges"]) == 50_000  # as many as GPT-2's merges.txt has


def test_a_vocabulary_of_ones_own_is_its_file():
    vocabulary = train_bpe(TEXTS * 3, vocab_size=280)
    assert same(vocabulary) == vocabulary


def test_another_split_has_no_tokenizer_json():
    assert tokenizer_json(of_ranks(CL100K_PATTERN)) is None


def test_merges_give_the_ranks_back():
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"cd": 257, b"abcd": 258, b"abc": 259}
    assert merges_of(ranks) == [(b"a", b"b"), (b"c", b"d"), (b"ab", b"cd"), (b"ab", b"c")]
