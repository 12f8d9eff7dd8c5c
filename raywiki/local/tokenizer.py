"""tokenizer train: a vocabulary from the documents of a corpus."""

from __future__ import annotations

import os

import fsspec

from raywiki.corpus import Corpus
from raywiki.scan import scan_documents
from raywiki.tokens import train_bpe


def train_tokenizer(corpus: str | os.PathLike[str] | Corpus, *, to: str, vocab_size: int = 32_768) -> str:
    """Train a byte-level BPE vocabulary on the documents of a corpus and write it as a `tokenizer.json`.

    The same documents give the same file. Returns `to`.

    Raises:
        ValueError: nothing is curated yet, or `vocab_size` is under 257.
    """
    documents = scan_documents(corpus).select("text")
    texts = (text for batch in documents.collect_batches(maintain_order=True) for text in batch["text"])
    vocabulary = train_bpe(texts, vocab_size)
    with fsspec.open(to, "wb") as file:
        file.write(vocabulary)
    return to
