"""tokenizer train: a vocabulary from the documents of a corpus."""

from __future__ import annotations

import os

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus
from raywiki.files import put, require_writable
from raywiki.scan import scan_documents
from raywiki.tokens import train_bpe


def train_tokenizer(corpus: str | os.PathLike[str] | Corpus, *, to: str, vocab_size: int = 32_768) -> str:
    """Train a byte-level BPE vocabulary on the documents of a corpus and write it as a `tokenizer.json`.

    The same documents give the same file. Returns `to`.

    Raises:
        ValueError: nothing is curated yet, or `vocab_size` is under 257.
        OSError: `to` cannot be written.
    """
    if not to:
        raise ValueError("the vocabulary has no name: give a file, such as --to tokenizer.json")
    fs, path = url_to_fs(to)
    if isinstance(fs, LocalFileSystem):
        if os.path.isdir(path):
            raise IsADirectoryError(f"{to} is a folder: give the name of a file, such as {to.rstrip('/')}/tokenizer.json")
        require_writable(os.path.dirname(path))
    documents = scan_documents(corpus).select("text")
    texts = (text for batch in documents.collect_batches(maintain_order=True) for text in batch["text"])
    vocabulary = train_bpe(texts, vocab_size)
    put(path, vocabulary, fs)
    return to
