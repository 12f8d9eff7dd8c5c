from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from raywiki.schema import tokens_schema
from raywiki.tokens import articles_to_tokens, load_encoding, read_vocabulary, splits, train_bpe

TEXTS = ["The history of the aardvark.", "Ο μέγας Αλέξανδρος", "emoji 🦡 and\n\ntwo lines", ""]
VOCABULARY = train_bpe(TEXTS * 20, vocab_size=300)


def articles(texts: list[str]) -> pa.Table:
    return pa.table({"page_id": range(10, 10 + len(texts)), "text": texts})


def test_tokens_decode_to_the_text_and_end_with_the_document():
    encoding = load_encoding("small", VOCABULARY)
    table = articles_to_tokens(articles(TEXTS), encoding)
    assert table.schema == tokens_schema(300)
    for row, text in zip(table.to_pylist(), TEXTS, strict=True):
        *ids, end = row["tokens"]
        assert encoding.decode(ids) == text
        assert end == encoding.end_of_text
        assert row["n_tokens"] == len(row["tokens"])


def test_a_batch_without_rows_has_the_schema():
    assert articles_to_tokens(articles([]).cast(pa.schema([("page_id", pa.int64()), ("text", pa.string())])),
                              load_encoding("small", VOCABULARY)).schema == tokens_schema(300)  # fmt: skip


def test_a_special_token_in_the_text_is_text():
    encoding = load_encoding("small", VOCABULARY)
    [ids] = encoding.encode(["a <|endoftext|> b"])
    assert encoding.end_of_text not in ids
    assert encoding.decode(ids.tolist()) == "a <|endoftext|> b"


def test_training_a_vocabulary_again_gives_the_same_file():
    assert train_bpe(TEXTS * 20, vocab_size=300) == VOCABULARY


def test_gpt2_is_kept_as_a_file_and_needs_no_cache_afterwards(gpt2_vocabulary, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    name, vocabulary = read_vocabulary("gpt2")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    encoding = load_encoding(name, vocabulary)
    assert (encoding.vocab_size, encoding.end_of_text) == (50257, 50256)
    [ids] = encoding.encode(["Hello world <|endoftext|>"])
    assert ids[:2].tolist() == [15496, 995]
    assert 50256 not in ids


@pytest.mark.parametrize(
    ("vocabulary", "sentence"),
    [
        (b"not json", "no tokenizer.json"),
        (b"{}", "no tokenizer.json"),
        (VOCABULARY.replace(b"<|endoftext|>", b"<|end|>"), "has no"),
    ],
)
def test_what_is_no_vocabulary_is_refused(vocabulary, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_encoding("bad", vocabulary)


def test_too_small_a_vocabulary_and_no_text_are_refused():
    with pytest.raises(ValueError, match="vocab_size=100 is too small"):
        train_bpe(TEXTS, vocab_size=100)
    with pytest.raises(ValueError, match="no text"):
        train_bpe([], vocab_size=300)


def test_the_split_has_its_share_and_hangs_on_the_page_id_alone():
    ids = np.arange(1, 40_001)
    val = [page for page, split in zip(ids, splits(ids, 0.01), strict=True) if split == "val"]
    assert 300 < len(val) < 500
    assert splits(val, 0.01) == ["val"] * len(val)
    assert set(val) <= {page for page, split in zip(ids, splits(ids, 0.02), strict=True) if split == "val"}
    with pytest.raises(ValueError, match="val_fraction=2"):
        articles_to_tokens(articles(["x"]), load_encoding("small", VOCABULARY), val_fraction=2)
