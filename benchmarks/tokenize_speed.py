"""How fast is `raywiki tokenize`, and how fast are nanoGPT's data/openwebtext/prepare.py's steps on the same text and cores?

    python benchmarks/tokenize_speed.py CORPUS [--megabytes 200] [--processes 2] [--runs 3]

The text: documents made of the paragraphs that the corpus keeps, shuffled, until there are so many megabytes. Real text goes on
bringing new words for ever, shuffled paragraphs do not, and backends that remember words would shine: so one word in fifty is a
new one. nanoGPT's steps: `datasets` splits off 0.05 % for validation, encodes with tiktoken in `--processes` processes, and
writes the ids into a memory-mapped uint16 file in 1024 pieces. Opening the documents with `datasets` is not counted, nor is
Ray's start until its workers have run an empty task; both are printed. raywiki runs with gigatoken and, where that cannot be
imported, with tiktoken alone. The ids of all three are compared.

A file called `tokenize.py` would hide Python's module of that name from every script in this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

NEW_WORDS = 0.02  # of all words; English Wikipedia's first 33 million words hold about 600,000 different ones
CHARS = 6000  # of a document, about: the mean of an English article that curation keeps
PART = "made-20250101-pages-articles"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="a curated corpus; its paragraphs become the text")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps({"raywiki": run_raywiki, "nanogpt": run_nanogpt}[args.child[0]](Path(args.child[1]), args.processes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        make_corpus(args.corpus, here / "corpus", documents_in(args.megabytes))
        without = here / "without"
        without.mkdir()
        (without / "gigatoken.py").write_text("raise ImportError('left out by the benchmark')\n")
        kinds = {"gigatoken": {}, "tiktoken": {"PYTHONPATH": str(without)}, "nanoGPT": {}}
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for _ in range(args.runs):
            for kind, environment in kinds.items():
                rows[kind].append(child("nanogpt" if kind == "nanoGPT" else "raywiki", here, args.processes, environment))
                print(f"  {kind:9} {json.dumps(rows[kind][-1])}", flush=True)
        report(rows)


def report(rows: dict[str, list[dict[str, Any]]]) -> None:
    peer = median(row["seconds"] for row in rows["nanoGPT"])
    assert len({row["tokens"] for each in rows.values() for row in each}) == 1, "the counts of tokens differ"
    assert len({row["ids"] for each in rows.values() for row in each}) == 1, "the ids differ"
    print("\nbackend     seconds    MB/s  against nanoGPT's steps  bytes a token on disk  aside")
    for kind, each in rows.items():
        seconds = median(row["seconds"] for row in each)
        print(
            f"{kind:9} {seconds:9.1f} {each[0]['megabytes'] / seconds:7.1f}  {peer / seconds:23.2f}x"
            f"  {each[0]['disk'] / each[0]['tokens']:21.2f}  {median(row['aside'] for row in each):.1f} s"
        )


def child(kind: str, here: Path, processes: int, environment: dict[str, str]) -> dict[str, Any]:
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join([*environment.get("PYTHONPATH", "").split(), root])
    command = [sys.executable, __file__, "-", "--processes", str(processes), "--child", kind, str(here)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def documents_in(megabytes: int) -> int:
    return megabytes * 1_000_000 // (CHARS + 400)  # the last paragraph goes over


def make_corpus(source: str, corpus: Path, count: int) -> None:
    """A curated corpus of one part with so many documents."""
    from made_articles import write_articles

    import raywiki as rw

    texts = list(made_texts(source, count))
    started = time.perf_counter()
    write_articles(corpus, PART, range(1, count + 1), texts)
    rw.curate(corpus)
    words = Counter(word for text in texts for word in text.split())
    print(
        f"{count:,} documents, {sum(len(text.encode()) for text in texts) / 1e6:.0f} MB, {words.total():,} words, "
        f"{len(words):,} different ones; written and curated in {time.perf_counter() - started:.0f} s",
        flush=True,
    )


def made_texts(source: str, count: int, seed: int = 0) -> Iterator[str]:
    """So many documents of real paragraphs in another order, with new words among theirs."""
    import raywiki as rw

    rng = random.Random(seed)
    texts = rw.scan_documents(source).select("text").collect()["text"]
    paragraphs = [paragraph for text in texts for paragraph in text.split("\n") if len(paragraph) > 80]
    for _ in range(count):
        chosen: list[str] = []
        while sum(map(len, chosen)) < CHARS:
            chosen.append(re.sub(r"[^\W\d_]{4,}", lambda found: new_word(found[0], rng), rng.choice(paragraphs)))
        yield "\n\n".join(chosen)


def new_word(word: str, rng: random.Random) -> str:
    """Now and then its letters in another order."""
    return "".join(rng.sample(word, len(word))) if rng.random() < NEW_WORDS else word


def run_raywiki(here: Path, processes: int) -> dict[str, Any]:
    import ray

    import raywiki as rw
    from raywiki.engine.cluster import run
    from raywiki.manifest import tokens_table

    shutil.rmtree(here / "corpus" / "tokens", ignore_errors=True)
    started = time.perf_counter()
    ray.init(address="local", num_cpus=processes, include_dashboard=False, log_to_driver=False)
    assert len(list(run(_nothing, range(processes)))) == processes
    aside = time.perf_counter() - started
    started = time.perf_counter()
    rw.tokenize(here / "corpus", "gpt2", val_fraction=0.0005)
    seconds = time.perf_counter() - started
    [manifest] = rw.Corpus(here / "corpus").manifests(tokens_table("gpt2")).values()
    tokens = rw.scan_tokens(here / "corpus").select("page_id", "tokens").collect()
    return {
        "seconds": round(seconds, 2),
        "aside": round(aside, 2),
        "encoded_by": manifest.notes.get("encoded_by"),
        "megabytes": round(megabytes(here), 1),
        "tokens": manifest.counts["tokens"],
        "disk": sum(path.stat().st_size for path in (here / "corpus" / "tokens").glob("**/*.parquet")),
        "ids": sums_of(dict(zip(tokens["page_id"], tokens["tokens"], strict=True))),
    }


def _nothing(number: int) -> int:
    time.sleep(0.2)  # long enough that each worker gets one
    return number


def run_nanogpt(here: Path, processes: int) -> dict[str, Any]:
    """The steps of data/openwebtext/prepare.py in nanoGPT 3adf61e, in our words, with its numbers."""
    import datasets
    import numpy as np
    import tiktoken

    import raywiki as rw

    started = time.perf_counter()
    documents = here / "documents.parquet"
    rw.scan_documents(here / "corpus").select("page_id", "text").sink_parquet(documents)
    cache = tempfile.mkdtemp(dir=here)
    dataset = datasets.load_dataset("parquet", data_files=str(documents), cache_dir=cache, split="train")
    aside = time.perf_counter() - started

    started = time.perf_counter()
    encoding = tiktoken.get_encoding("gpt2")
    split = dataset.train_test_split(test_size=0.0005, seed=2357, shuffle=True)

    def process(row: dict[str, Any]) -> dict[str, Any]:
        ids = [*encoding.encode_ordinary(row["text"]), encoding.eot_token]
        return {"ids": ids, "len": len(ids)}

    encoded = split.map(process, remove_columns=["text"], num_proc=processes)
    disk = tokens = 0
    for name, each in encoded.items():
        total = np.sum(each["len"], dtype=np.uint64)
        path, start = here / f"{name}.bin", 0
        binary = np.memmap(path, dtype=np.uint16, mode="w+", shape=(int(total),))
        for piece in range(1024):
            if piece < len(each):  # the original has more documents than pieces
                rows = each.shard(num_shards=min(1024, len(each)), index=piece, contiguous=True).with_format("numpy")
                ids = np.concatenate(rows["ids"])
                binary[start : start + len(ids)] = ids
                start += len(ids)
        binary.flush()
        disk, tokens = disk + path.stat().st_size, tokens + int(total)
    seconds = time.perf_counter() - started
    by_page = {row["page_id"]: row["ids"] for each in encoded.values() for row in each}
    shutil.rmtree(cache)
    return {
        "seconds": round(seconds, 2),
        "aside": round(aside, 2),
        "megabytes": round(megabytes(here), 1),
        "tokens": tokens,
        "disk": disk,
        "ids": sums_of(by_page),
    }


def megabytes(here: Path) -> float:
    import polars as pl

    import raywiki as rw

    return rw.scan_documents(here / "corpus").select(pl.col("text").str.len_bytes().sum()).collect().item() / 1e6


def sums_of(ids: dict[int, Any]) -> str:
    """A hash of all pages and their ids, whatever their order."""
    import numpy as np
    import xxhash

    total = xxhash.xxh3_128()
    for page_id in sorted(ids):
        total.update(np.asarray(ids[page_id], np.uint32).tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    main()
