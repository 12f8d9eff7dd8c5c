"""How fast are token shards read, and how large are they? `python benchmarks/read_tokens.py CORPUS [ENCODING] [--parts enwiki]`

Each reader reads the column `tokens` of all shards with one thread, from files that the system has in memory, in turn, several
times; printed are medians. `--encode` also encodes the documents of the corpus with the ordinary library and with gigatoken, in
one thread and in turn, and compares all ids.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

os.environ["POLARS_MAX_THREADS"] = "1"  # read when Polars is imported

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import raywiki as rw
from raywiki.corpus import Corpus, tokens_table
from raywiki.tokens import Encoding, find_vocabulary, load_encoding
from raywiki.tokens.fast import fast_encoding

RUNS = 7


def read_shards(corpus: Corpus, encoding: str, prefix: str) -> None:
    manifests = [each for part, each in corpus.manifests(tokens_table(encoding)).items() if part.startswith(prefix)]
    paths = [corpus.shard_path(manifest, shard) for manifest in manifests for shard in manifest.shards]
    tokens, size = sum(each.counts["tokens"] for each in manifests), sum(os.path.getsize(path) for path in paths)
    print(f"{tokens:,} tokens, {size:,} bytes in {len(paths)} shards")
    for each in manifests:
        print(f"  {each.part}: {sum(shard.bytes for shard in each.shards) / each.counts['tokens']:.2f} bytes a token")
    readers: dict[str, Callable[[str], object]] = {
        "pyarrow": lambda path: pq.read_table(path, columns=["tokens"], use_threads=False),
        "pyarrow, page checksums verified": lambda path: pq.ParquetFile(path, page_checksum_verification=True).read(
            columns=["tokens"], use_threads=False
        ),
        "Polars": lambda path: pl.read_parquet(path, columns=["tokens"]),
    }
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(RUNS):
        for name, read in readers.items():
            taken[name].append(measure(lambda read=read: [read(path) for path in paths]))
    for name, seconds in taken.items():
        rates = [tokens / 1e6 / each for each in seconds]
        print(f"  {name}: {median(rates):.0f} million tokens/s ({min(rates):.0f} to {max(rates):.0f})")


def encode_documents(corpus: Corpus, encoding: str, prefix: str) -> None:
    name, vocabulary = find_vocabulary(corpus.tables(), encoding)
    plain = load_encoding(name, vocabulary)
    for part in corpus.manifests("decisions"):
        if part.startswith(prefix):
            texts = rw.scan_documents(corpus, [part]).select("text").collect()["text"].to_list()
            print(f"  {part}: {compare(texts, plain, vocabulary)}", flush=True)


def compare(texts: list[str], plain: Encoding, vocabulary: bytes) -> str:
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    results: dict[str, list[np.ndarray]] = {}
    rates: dict[str, list[float]] = {plain.library: [], "gigatoken": []}
    for library in list(rates) * 3:
        used = plain if library == plain.library else fast_encoding(plain, vocabulary)  # a new one each time: it has a cache
        assert used is not None, "gigatoken is not installed, or does not take the vocabulary"
        rates[library].append(megabytes / measure(lambda used=used: results.update({used.library: used.encode(texts)})))
    differ = sum(not np.array_equal(*each) for each in zip(*results.values(), strict=True))
    one, other = (median(each) for each in rates.values())
    speeds = f"{plain.library} {one:.1f} MB/s, gigatoken {other:.1f} MB/s, {other / one:.1f} times"
    return f"{megabytes:.1f} MB, {speeds}; {differ} of {len(texts)} documents differ"


def measure(action: Callable[[], object]) -> float:
    """CPU seconds of this process: the machine is shared."""
    started = time.process_time()
    action()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("encoding", nargs="?")
    parser.add_argument("--encode", action="store_true")
    parser.add_argument("--parts", default="", metavar="PREFIX", help="only parts whose id begins so")
    given = parser.parse_args()
    pa.set_cpu_count(1)
    corpus = Corpus.open(given.corpus).require()
    encoding = corpus.tables().require_encoding(given.encoding)
    read_shards(corpus, encoding, given.parts)
    if given.encode:
        encode_documents(corpus, encoding, given.parts)


if __name__ == "__main__":
    main()
