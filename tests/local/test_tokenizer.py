"""tokenizer train: which documents it learns from, and what it shows."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest

import raywiki as rw
from raywiki.local import tokenizer


@pytest.fixture
def read(monkeypatch):
    """The texts that a vocabulary was trained on."""
    texts: list[list[str]] = []
    real = tokenizer.train_bpe

    def train_bpe(given, vocab_size):
        texts.append(list(given))
        return real(texts[-1], vocab_size)

    monkeypatch.setattr(tokenizer, "train_bpe", train_bpe)
    return texts


def test_all_documents_in_order_where_they_are_few_enough(little, tmp_path, read):
    rw.train_tokenizer(little / "corpus", to=str(tmp_path / "all.json"), vocab_size=300)
    assert read == [rw.scan_documents(little / "corpus").collect()["text"].to_list()]
    assert (tmp_path / "all.json").read_bytes() == (little / "small.json").read_bytes(), "the same file from the same corpus"


def test_of_more_text_a_sample_that_follows_from_the_page_ids(little, tmp_path, read):
    documents = rw.scan_documents(little / "corpus").select("text", "n_chars").collect()
    chars = documents["n_chars"].sum()
    for share in (0.2, 0.5, 0.5, 0.8):
        rw.train_tokenizer(little / "corpus", to=str(tmp_path / "new.json"), vocab_size=300, max_chars=int(share * chars))
    fifth, half, again, most = read
    assert half == again
    assert set(fifth) < set(half) < set(most) < set(documents["text"])
    assert 0.3 * chars < sum(map(len, half)) < 0.7 * chars
    assert len(json.loads((tmp_path / "new.json").read_bytes())["model"]["vocab"]) == 300


def test_the_sample_has_nothing_to_do_with_the_documents_that_a_fraction_keeps(little, tmp_path, read):
    from raywiki.curation import in_sample

    rw.train_tokenizer(little / "corpus", to=str(tmp_path / "new.json"), vocab_size=300, max_chars=5000)
    articles = rw.scan_documents(little / "corpus").filter(pl.col("text").is_in(read[0])).collect()
    kept_by_fraction = articles.filter(in_sample(0.5)).height
    assert 0 < kept_by_fraction < articles.height


def test_progress_counts_characters_and_documents(little, tmp_path, capsys):
    rw.train_tokenizer(little / "corpus", to=str(tmp_path / "new.json"), vocab_size=300)
    documents = rw.scan_documents(little / "corpus").collect()
    shown = capsys.readouterr().err
    assert shown.startswith("tokenizer train: ")
    assert f"{documents.height:,} documents" in shown


def test_articles_that_are_gone_are_a_sentence(little, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(little / "corpus", corpus)
    shutil.rmtree(next((corpus / "articles").iterdir()))
    with pytest.raises(ValueError, match=r"the articles of part .* are gone"):
        rw.train_tokenizer(corpus, to=str(tmp_path / "new.json"), vocab_size=300)
    assert not (tmp_path / "new.json").exists()
