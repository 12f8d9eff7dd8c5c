"""The fast backend gives the ids of the ordinary one, or the part is encoded without it."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1]))

from text_corpus import make_text_corpus
from verbs_here import without_ray

import raywiki as rw
from raywiki.dumps import RangeReader, split_dump
from raywiki.engine import tokens as verb
from raywiki.tokens import Encoding, check_sample, fast_encoding, load_encoding, read_vocabulary, train_bpe
from raywiki.tokens.fast import BackendFailed
from raywiki.wikitext import pages_to_articles

SHARED = Path(__file__).resolve().parents[3] / "shared"
TEXTS = {page_id: f"The {page_id}th document, of <|endoftext|> and ένα δύο τρία." * 9 for page_id in range(1, 21)}
SAMPLE = "Γη, земля, trái đất, 地球, देश, 1,234.5 km² and it's <|endoftext|> said “we'll see”\n\n* a list\n"


@lru_cache
def backends(name: str) -> tuple[Encoding, Encoding]:
    """The ordinary encoding and the fast one."""
    pytest.importorskip("gigatoken")
    if name == "gpt2":
        if not (SHARED / "tiktoken").is_dir():
            pytest.skip("needs GPT-2's vocabulary in ../shared/tiktoken")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TIKTOKEN_CACHE_DIR", str(SHARED / "tiktoken"))
            vocabulary = read_vocabulary("gpt2")[1]
    else:
        draw, letters = random.Random(name), "abcdefghijklmnopqrstuvwxyzαβγδежзиđ地"
        words = ("".join(draw.choices(letters, k=9)) for _ in range(int(name) // 2))
        vocabulary = train_bpe([SAMPLE, *(f"{word} {word}" for word in words)], int(name))
    plain = load_encoding(name, vocabulary)
    fast = fast_encoding(plain, vocabulary)
    assert fast is not None
    assert (fast.library, fast.vocab_size) == ("gigatoken", 50257 if name == "gpt2" else int(name))
    return plain, fast


def assert_same(name: str, texts: list[str]) -> None:
    plain, fast = backends(name)
    for text, wanted, got in zip(texts, plain.encode(texts), fast.encode(texts), strict=True):
        assert np.array_equal(wanted, got), text[:200]
        assert plain.end_of_text not in got


NAMES = ["gpt2", "1000", "32000"]
ODD = st.sampled_from(
    ["<|endoftext|>", "<|endo", "'s", "'LL", " ", "\n", "\r\n", "\t", "\u3000", "\xa0", "\x85", "\u2028", "²", "٣"]
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.text("ab12 \n'")), max_size=30
    )
)
def test_any_text(name, pieces):
    assert_same(name, ["".join(pieces)])


@pytest.mark.parametrize("name", NAMES)
def test_every_unicode_block(name):
    starts = [start for start in range(0, 0x110000, 256) if not 0xD800 <= start < 0xE000]
    blocks = ["".join(map(chr, range(start, start + 256))) for start in starts]
    assert_same(name, blocks)
    assert_same(name, ["".join(f"a{char} {char}1" for char in block[::5]) for block in blocks[:512]])


@pytest.mark.parametrize("name", NAMES)
def test_a_long_text_without_a_blank(name):
    draw = random.Random(0)
    assert_same(name, ["a" * 1_000_000, "".join(draw.choices("abcdefgh", k=300_000)), "地球" * 100_000, " " * 100_000 + "x"])


@pytest.mark.parametrize("name", NAMES)
def test_the_articles_of_a_real_dump(name, shared_data):
    assert_same(name, [text for table in tables(sorted(shared_data.glob("ltgwiki*"))) for text in table["text"].to_pylist()])


def tables(dumps: list[Path]) -> Iterator[pa.Table]:
    for dump in dumps:
        for piece in split_dump(str(dump)):
            for pages in RangeReader(piece):
                yield pages_to_articles(pages, language="ltg")


def test_a_vocabulary_that_it_does_not_know_goes_without_it():
    pytest.importorskip("gigatoken")
    plain = load_encoding("small", train_bpe(["words"] * 9, 260))
    for odd in (b'{"tiktoken": "x", "pattern": "\\\\w+", "ranks": {}}', b"{}"):
        assert fast_encoding(plain, odd) is None


# --- what tokenize does with it --------------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> rw.Corpus:
    """Two parts, the first in two shards, and a vocabulary beside it."""
    without_ray(monkeypatch, tmp_path)
    (tmp_path / "own.json").write_bytes(train_bpe(TEXTS.values(), 300))
    rows = list(TEXTS.items())
    return make_text_corpus(tmp_path / "corpus", {"p1": dict(rows[:14]), "p2": dict(rows[14:])}, shard_rows=7)


def encode(corpus: rw.Corpus, tmp_path: Path) -> tuple[rw.Summary, dict[str, rw.corpus.Manifest]]:
    verb._encoding.cache_clear()
    summary = rw.tokenize(corpus, str(tmp_path / "own.json"), overwrite=True)
    return summary, corpus.manifests("tokens/encoding=own")


def with_fast(monkeypatch, change) -> None:
    """Let the fast backend be the ordinary one with its ids changed by a function of text and ids."""

    def made(plain: Encoding, vocabulary: bytes) -> Encoding:
        def encode(texts):
            return [change(text, ids) for text, ids in zip(texts, plain.encode(texts), strict=True)]

        return replace(plain, library="gigatoken", encode=encode)

    monkeypatch.setattr(verb, "fast_encoding", made)


def test_the_backend_is_a_note_and_changes_nothing(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "fast_encoding", lambda plain, vocabulary: None)
    summary, slow = encode(corpus, tmp_path)
    assert not any("encoded" in warning for warning in summary.warnings)
    assert {each.notes["encoded_by"] for each in slow.values()} == {"tokenizers"}
    assert len(slow["p1"].shards) == 2
    for part in slow:
        corpus.fs.rm(corpus.path("tokens/encoding=own", f"part={part}"), recursive=True)
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, tmp_path)
        with_fast(patch, lambda text, ids: ids)
        summary, fast = encode(corpus, tmp_path)
    assert {each.notes["encoded_by"] for each in fast.values()} == {"gigatoken"}
    for part in slow:
        assert (fast[part].digest, fast[part].shards) == (slow[part].digest, slow[part].shards)


def failing(text: str, ids: np.ndarray) -> np.ndarray:
    if "The 8th" in text:
        raise BackendFailed("gigatoken failed (PanicException: oh)")
    return ids


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text, ids: ids[::-1] if "The 8th" in text else ids, "gigatoken gave other ids than tokenizers for page 8"),
        (failing, r"gigatoken failed \(PanicException: oh\)"),
    ],
)
def test_a_part_whose_ids_differ_is_encoded_without_it(corpus, tmp_path, monkeypatch, change, why):
    with_fast(monkeypatch, change)
    summary, manifests = encode(corpus, tmp_path)
    [warning] = [each for each in summary.warnings if "encoded" in each]
    assert re.fullmatch(f"part p1 was encoded by tokenizers, as {why}", warning)
    assert {part: each.notes["encoded_by"] for part, each in manifests.items()} == {"p1": "tokenizers", "p2": "gigatoken"}
    decode = load_encoding("own", (tmp_path / "own.json").read_bytes()).decode
    documents = rw.scan_tokens(corpus, "own").collect().iter_rows(named=True)
    assert {row["page_id"]: decode(row["tokens"][:-1]) for row in documents} == TEXTS


def test_the_sample_hangs_on_the_page_id_and_is_never_empty():
    plain = load_encoding("own", train_bpe(TEXTS.values(), 300))
    articles = pa.table({"page_id": range(5000), "text": [f"text {page_id}" for page_id in range(5000)]})
    asked: list[list[str]] = []
    counting = replace(plain, encode=lambda texts: asked.append(list(texts)) or plain.encode(texts))
    tokens = rw.articles_to_tokens(articles, plain)
    check_sample(articles, tokens, counting)
    check_sample(articles.slice(1000), tokens.slice(1000), counting)
    check_sample(articles.slice(0, 1), tokens.slice(0, 1), counting)
    check_sample(articles.slice(0, 0), tokens.slice(0, 0), counting)
    whole, later, one = asked
    assert 8 <= len(whole) <= 40
    assert later == [text for text in whole if int(text.split()[1]) >= 1000]
    assert one == ["text 0"]
