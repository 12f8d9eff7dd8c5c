"""How well does a vocabulary of `raywiki tokenizer train` fit, how long does it take, and how much memory on much text?

    python benchmarks/vocabulary.py CORPUS [--vocab-size 8192]
    python benchmarks/vocabulary.py CORPUS --megabytes 1500

The first prints bytes of text per token on the corpus's validation documents (those whose page id hashes lowest) and on all of
it, for the vocabulary trained on the documents, for one of the same size by the tokenizers library's own ByteLevelBPETokenizer,
and for GPT-2's. The second makes a corpus of so many megabytes of shuffled paragraphs and watches the command's memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from made_articles import write_articles
from peak_memory import memory, run_watched
from tokenize_speed import PART, documents_in, made_texts

import raywiki as rw

VAL_FRACTION = 0.1  # of the documents: three parts of an English dump have some sixty


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="a curated corpus")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--megabytes", type=int, help="of made text")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        train_once(*args.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        if args.megabytes:
            watch(args.corpus, Path(folder), args.megabytes)
        else:
            compare(args.corpus, Path(folder), args.vocab_size)


def compare(corpus: str, folder: Path, vocab_size: int) -> None:
    from tokenizers import ByteLevelBPETokenizer

    from raywiki.tokens import load_encoding, splits

    documents = rw.scan_documents(corpus).select("page_id", "text").collect()
    in_val = pl.Series(splits(documents["page_id"].to_list(), VAL_FRACTION)) == "val"
    texts = {"val": documents["text"].filter(in_val).to_list(), "all": documents["text"].to_list()}
    sizes = {name: sum(len(text.encode()) for text in each) for name, each in texts.items()}
    print(f"{len(texts['all'])} documents, {sizes['all'] / 1e6:.1f} MB, {len(texts['val'])} of them val")

    made = []
    for name in ("one.json", "two.json"):
        started = time.perf_counter()
        rw.train_tokenizer(corpus, to=str(folder / name), vocab_size=vocab_size)
        made.append((folder / name).read_bytes())
        print(f"raywiki tokenizer train: {time.perf_counter() - started:.1f} s")
    assert made[0] == made[1], "the same corpus gave two files"
    started = time.perf_counter()
    library = ByteLevelBPETokenizer()
    library.train_from_iterator(texts["all"], vocab_size=vocab_size, show_progress=False)
    print(f"tokenizers' ByteLevelBPETokenizer: {time.perf_counter() - started:.1f} s\n\nbytes a token             val    all")
    rows = {
        f"raywiki, {vocab_size:,}": load_encoding("one", made[0]).encode,
        f"tokenizers, {vocab_size:,}": lambda texts: [np.array(each.ids) for each in library.encode_batch(list(texts))],
        "gpt2, 50,257": gpt2(),
    }
    for name, encode in rows.items():
        ratios = [sizes[split] / count(encode(texts[split])) for split in ("val", "all")]
        print(f"{name:20} {ratios[0]:8.3f} {ratios[1]:6.3f}")


def gpt2():
    import tiktoken

    encoding = tiktoken.get_encoding("gpt2")
    return lambda texts: encoding.encode_ordinary_batch(list(texts), num_threads=2)


def count(encoded: Iterable) -> int:
    return sum(len(ids) for ids in encoded)


def watch(source: str, folder: Path, megabytes: int) -> None:
    count = documents_in(megabytes)
    write_articles(folder / "corpus", PART, range(1, count + 1), made_texts(source, count), shards=32)
    rw.curate(folder / "corpus")
    for max_chars in (200_000_000, 10**12):
        done = run_watched([sys.executable, __file__, "-", "--child", str(folder / "corpus"), str(max_chars)])
        print(f"{megabytes} MB, {max_chars:,} characters at most: {done['seconds']:.1f} s; {memory(done)}", flush=True)


def train_once(corpus: str, max_chars: str) -> None:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rw.train_tokenizer(corpus, to=f"{folder}/new.json", vocab_size=8192, max_chars=int(max_chars))
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
