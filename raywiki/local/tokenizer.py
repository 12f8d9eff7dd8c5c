"""tokenizer train: a vocabulary from the documents of a corpus."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow.compute as pc

from raywiki.corpus import Corpus
from raywiki.curation import in_sample
from raywiki.documents import Documents, documents_of
from raywiki.files import file_to_write, put
from raywiki.progress import Progress
from raywiki.tokens import train_bpe

MAX_CHARS = 200_000_000  # they take half a minute on two cores; see benchmarks/vocabulary.md
_SEED = 0x766F6361  # so that the choice has nothing to do with `curate --fraction` or the val documents


def train_tokenizer(
    corpus: str | os.PathLike[str] | Corpus, *, to: str, vocab_size: int = 32_768, max_chars: int = MAX_CHARS
) -> str:
    """Train a byte-level BPE vocabulary on the documents of a corpus and write it as a `tokenizer.json`.

    Of a corpus with more text than `max_chars`, the documents with the lowest hashes of their page ids are read. The same
    documents give the same file. A batch of them is in memory at a time, and how often each word occurs. Returns `to`.

    Args:
        corpus: folder or URL of the corpus.
        to: file or URL to write.
        vocab_size: ids in all, `<|endoftext|>` included; 256 bytes and that one are the least.
        max_chars: Unicode characters of text to learn from, about.

    Raises:
        ValueError: nothing is curated yet, articles are gone, `vocab_size` is under 257 or `max_chars` under 1.
        OSError: `to` cannot be written.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}, it must be at least 1")
    fs, path = file_to_write(to, "vocabulary", "tokenizer.json")
    tables = Corpus.open(corpus).require().tables()
    tables.require_articles()
    parts = documents_of(tables.corpus, tables["articles"], tables["decisions"])
    chars = sum(pc.sum(table["n_chars"]).as_py() for part in parts for table in part.tables(["n_chars"]))
    share = min(1.0, max_chars / max(1, chars))
    with Progress("tokenizer train", share * chars / 1e6, "M characters") as progress:
        vocabulary = train_bpe(_texts(parts, share, progress), vocab_size)
    put(path, vocabulary, fs)
    return to


def _texts(parts: Sequence[Documents], share: float, progress: Progress) -> Iterator[str]:
    """The texts of so large a share of the documents in order, a batch of them in memory at a time."""
    for part in parts:
        for table in part.tables(["n_chars", "text"]):
            batch = pl.DataFrame(table)
            chosen = batch.filter(in_sample(share, _SEED)) if share < 1 else batch
            yield from chosen["text"]
            progress.advance(int(chosen["n_chars"].sum()) / 1e6, {"documents": chosen.height})
    progress.say("merging")
