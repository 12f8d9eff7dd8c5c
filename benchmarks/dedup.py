"""Deduplication measured: raywiki against datatrove on the same documents, and the index at the size of the English Wikipedia.

    python benchmarks/dedup.py peers DUMP.bz2 … --peer-python VENV/bin/python
    python benchmarks/dedup.py index                     # needs 5 GB of disk

(VENV has `pip install "datatrove[processing]" spacy orjson`.)

`peers` makes `--megabytes` of documents from the dumps' wikitext: every article, and copies of it with words replaced at
random. Both sides run on one core, one after the other, reading the same file: raywiki's kernels (signatures, bands, pairs,
decisions), and datatrove's four MinHash stages at the same parameters (5-grams, 14 × 8). It prints megabytes of text a second,
and whether raywiki's duplicates contain datatrove's, with a reason for each document where they do not.

`index` makes signatures of random n-gram sets for 27 parts of 259,000 articles, and a part in which 5 % repeat earlier ones. It
adds that part to the first 9, the first 18 and to all 27 parts, and prints seconds and peak memory of one process for each.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PARTS, ARTICLES = 27, 259_000  # about 7 million


# --- documents ---------------------------------------------------------------------------------------------------------


def make_documents(dumps: Sequence[str], megabytes: float, seed: int = 0) -> list[dict[str, Any]]:
    """Articles of the dumps and altered copies of them, half and half, in random order, `megabytes` of UTF-8 in all."""
    rng = random.Random(seed)
    found = [text for dump in dumps for text in read_wikitext(dump)]
    rng.shuffle(found)
    originals, size = [], 0
    for text in found:  # at most half of it is original
        originals.append(text)
        size += len(text.encode())
        if size >= megabytes * 5e5:
            break
    texts, size = [], 0
    for text in cycle_with_changes(originals, rng):
        texts.append(text)
        size += len(text.encode())
        if size >= megabytes * 1e6:
            break
    rng.shuffle(texts)
    return [{"id": str(number), "text": text} for number, text in enumerate(texts)]


def read_wikitext(dump: str) -> list[str]:
    content = bz2.decompress(Path(dump).read_bytes()).decode()
    pages = re.findall(r"<ns>0</ns>(?:(?!<redirect).)*?<text[^>]*>(.*?)</text>", content, re.DOTALL)
    return [page for page in pages if len(page) > 500 and not page.startswith("#")]


def cycle_with_changes(texts: Sequence[str], rng: random.Random) -> Any:
    """The texts, then copies without end in which a share of the words (for all pages: from none to many) is another word."""
    yield from texts
    while True:
        for text in texts:
            yield replace_words(text, rng.choice((1.0, 0.97, 0.93, 0.9, 0.85, 0.8, 0.7, 0.5)), rng)


def replace_words(text: str, similarity: float, rng: random.Random) -> str:
    kept = (2 * similarity / (1 + similarity)) ** (1 / 5)  # of each word, so that 5-grams reach that Jaccard similarity
    return re.sub(r"\S+", lambda word: word[0] if rng.random() < kept else random_word(rng), text)


def random_word(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9)))


# --- peers -------------------------------------------------------------------------------------------------------------


def run_peers(dumps: Sequence[str], megabytes: float, peer_python: str) -> None:
    documents = make_documents(dumps, megabytes)
    size = sum(len(document["text"].encode()) for document in documents) / 1e6
    print(f"{len(documents)} documents, {size:.1f} MB of text, one core each")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "documents", "documents.jsonl")
        path.parent.mkdir()
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
        ours = run_on_one_core([sys.executable, __file__, "ours", folder])
        theirs = run_on_one_core([peer_python, __file__, "datatrove", folder])
    for name, result in (("raywiki", ours), ("datatrove", theirs)):
        steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in result["seconds"].items())
        total = sum(result["seconds"].values())
        speeds = f"signatures {size / result['seconds']['signatures']:.2f} MB/s, all {size / total:.2f} MB/s"
        print(f"{name}: {steps}; {speeds}; {len(result['removed'])} duplicates; peak {result['peak_gb']:.2f} GB")
    ratio = theirs["seconds"]["signatures"] / ours["seconds"]["signatures"]
    total_ratio = sum(theirs["seconds"].values()) / sum(ours["seconds"].values())
    print(f"raywiki is {ratio:.1f} times as fast at signatures, {total_ratio:.1f} times as fast in all")
    explain(documents, set(ours["removed"]), set(theirs["removed"]))


def run_on_one_core(command: list[str]) -> dict[str, Any]:
    variables = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **variables, "PYTHONPATH": str(Path(__file__).parents[1])}
    pin: Callable[[], None] = lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # noqa: E731
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=pin)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Stopwatch:
    """Seconds of each step, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step], self.last = now - self.last, now


def report(watch: Stopwatch, removed: Sequence[str]) -> None:
    print(json.dumps({"seconds": watch.seconds, "removed": list(removed), "peak_gb": peak_gb()}))


def peak_gb() -> float:
    """Peak resident memory of this process. `getrusage` would count what its parent held when it started this one."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def run_ours(folder: str) -> None:
    import polars as pl

    from raywiki import curation

    curation.articles_to_signatures  # noqa: B018 - imported before the clock starts
    watch = Stopwatch()
    articles = pl.read_ndjson(Path(folder, "documents", "documents.jsonl")).select(
        page_id=pl.col("id").cast(pl.Int64), text=pl.col("text")
    )
    watch.lap("reading")
    signatures = curation.articles_to_signatures(articles.to_arrow())
    watch.lap("signatures")
    bands = pl.DataFrame(curation.signatures_to_bands(signatures)).with_columns(arrival=pl.lit(0))
    candidates = curation.candidate_pairs(bands, 0)
    pairs = curation.merge_pairs([curation.verify_pairs(candidates, signatures, signatures)])
    watch.lap("pairs")
    reasons = curation.evaluate_rules(articles.lazy(), [])
    texts = pl.DataFrame(signatures.select(["page_id", "text_hash"])).join(reasons, on="page_id")
    nothing = pl.DataFrame(schema={"text_hash": pl.Binary, "part": pl.String, "page_id": pl.Int64})
    decided = curation.decide(texts, pairs, nothing, "all")
    watch.lap("decisions")
    report(watch, decided.filter(~pl.col("keep"))["page_id"].cast(pl.String).to_list())


def run_datatrove(folder: str) -> None:
    import logging

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.logging import logger

    logger.remove()
    logging.disable(logging.INFO)
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    where = {name: str(Path(folder, name)) for name in ("documents", "signatures", "buckets", "ids", "kept", "removed")}
    stages = {
        "signatures": [JsonlReader(where["documents"]), MinhashDedupSignature(where["signatures"], config)],
        "buckets": [MinhashDedupBuckets(where["signatures"], where["buckets"], config=config)],
        "clusters": [MinhashDedupCluster(where["buckets"], where["ids"], config=config)],
        "filter": [
            JsonlReader(where["documents"]),
            MinhashDedupFilter(where["ids"], exclusion_writer=JsonlWriter(where["removed"], compression=None)),
            JsonlWriter(where["kept"], compression=None),
        ],
    }
    watch = Stopwatch()
    for stage, pipeline in stages.items():
        tasks = config.num_buckets if stage == "buckets" else 1
        logs = str(Path(folder, "logs", stage))
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=logs).run()
        watch.lap(stage)
    lines = (line for path in Path(where["removed"]).glob("*.jsonl") for line in path.read_text().splitlines())
    report(watch, [json.loads(line)["id"] for line in lines])


def explain(documents: list[dict[str, Any]], ours: set[str], theirs: set[str]) -> None:
    """Say of each document that only one side removes why, by exact similarities with all others."""
    only_theirs, only_ours = sorted(theirs - ours, key=int), sorted(ours - theirs, key=int)
    print(f"both remove {len(ours & theirs)} documents, datatrove alone {len(only_theirs)}, raywiki alone {len(only_ours)}")
    similar = most_similar(documents, [int(name) for name in only_theirs + only_ours])
    kept = {int(document["id"]) for document in documents} - {int(name) for name in ours}
    reasons = Counter(why_kept(similar[int(name)], kept, int(name)) for name in only_theirs)
    for reason, count in reasons.most_common():
        print(f"  datatrove alone, {count}: {reason}")
    if only_ours:
        lowest = min(max(similar[int(name)].values(), default=0.0) for name in only_ours)
        print(f"  raywiki alone, {len(only_ours)}: least similarity with another document {lowest:.3f}")


def why_kept(similar: dict[int, float], kept: set[int], own: int) -> str:
    earlier = max((value for other, value in similar.items() if other in kept and other < own), default=0.0)
    if earlier >= 0.8:
        return "at least 0.80 similar to a published document, missed: no band in common"
    if earlier >= 0.775:
        return "0.775 to 0.80 similar to a published document, at the edge of the verification"
    if max(similar.values(), default=0.0) >= 0.8:
        return "similar to documents that are duplicates themselves or come later, to no earlier published one"
    return "less than 0.80 similar to any document: a band in common is enough for datatrove, which verifies nothing"


def most_similar(documents: list[dict[str, Any]], chosen: list[int]) -> dict[int, dict[int, float]]:
    """Exact Jaccard similarity of the chosen documents with every other that shares an n-gram with them."""
    import numpy as np
    import polars as pl

    from raywiki.curation.signatures import hash_ngrams

    grams, owners = hash_ngrams([document["text"] for document in documents], 5)
    sizes = np.bincount(owners, minlength=len(documents))
    table = pl.DataFrame({"gram": grams, "document": owners})
    wanted = table.filter(pl.col("document").is_in(chosen))
    shared = wanted.lazy().join(table.lazy(), on="gram", suffix="_other")
    shared = shared.group_by("document", "document_other").len("both").collect(engine="streaming")
    found: dict[int, dict[int, float]] = {name: {} for name in chosen}
    for one, other, both in shared.iter_rows():
        if one != other:
            found[one][other] = both / (sizes[one] + sizes[other] - both)
    return found


# --- index -------------------------------------------------------------------------------------------------------------


def run_index(folder: str, parts: int, articles: int) -> None:
    make_index(Path(folder), parts, articles)
    for earlier in sorted({parts // 3, 2 * parts // 3, parts}):
        command = [sys.executable, __file__, "add", folder, "--parts", str(earlier), "--new", str(parts)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run(command, check=True, env=environment)


def make_index(folder: Path, parts: int, articles: int) -> None:
    """Signatures and bands of `parts` parts and one more, of which every 20th article repeats one of an earlier part."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from raywiki.curation import signatures_to_bands
    from raywiki.schema import SIGNATURES

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    repeated = []
    for part in range(parts + 1):
        page_ids = np.sort(rng.choice(10_000_000, articles, replace=False)) + part * 10_000_000
        bands, sketches = rng.bytes(56 * articles), rng.bytes(512 * articles)
        columns: list[pa.Array] = [
            pa.array(page_ids),
            fixed(rng.bytes(16 * articles), 16),
            pa.array(rng.integers(100, 3000, articles), pa.uint32()),
            fixed(bands, 56).cast(pa.binary()),
            fixed(sketches, 512),
        ]
        table = pa.Table.from_arrays(columns, schema=SIGNATURES)
        per_part = articles // 20 // parts
        if part < parts:
            repeated.append(table.take(list(range(per_part))))  # a slice would hold the whole table
        else:
            copies = pa.concat_tables(repeated)
            own = table.slice(0, copies.num_rows)
            for name in ("n_grams", "bands", "sketch"):
                own = own.set_column(own.schema.get_field_index(name), SIGNATURES.field(name), copies[name])
            table = pa.concat_tables([own, table.slice(copies.num_rows)])
        options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False}
        pq.write_table(table, folder / f"signatures{part}.parquet", row_group_size=1 << 14, **options)
        delta = dict.fromkeys(("key", "page_id"), "DELTA_BINARY_PACKED")
        index = signatures_to_bands(table)
        pq.write_table(index, folder / f"bands{part}.parquet", column_encoding=delta, row_group_size=1 << 16, **options)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
    print(f"{parts} parts of {articles} articles and one more: {size:.2f} GB")


def fixed(data: bytes, width: int) -> Any:
    import pyarrow as pa

    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def add_part(folder: Path, parts: int, new: int) -> None:
    """Compare part `new` with the first `parts` parts and decide it, in this process."""
    import polars as pl

    from raywiki import curation

    watch = Stopwatch()
    order = [*range(parts), new]
    found = []
    for low, high in curation.key_ranges(16):
        scans = [
            pl.scan_parquet(folder / f"bands{part}.parquet")
            .filter(pl.col("key").is_between(low, high))
            .with_columns(arrival=pl.lit(arrival, pl.Int32))
            for arrival, part in enumerate(order)
        ]
        found.append(curation.candidate_pairs(pl.concat(scans), parts))
    candidates = curation.merge_candidates(found)
    watch.lap("candidates")
    own = read_signatures(folder, new, candidates["page_id"])
    verified = [
        curation.verify_pairs(group, own, read_signatures(folder, order[arrival], group["other_page_id"]))
        for (arrival,), group in candidates.group_by("other_arrival")
    ]
    pairs = curation.merge_pairs(verified)
    watch.lap("verification")
    texts = [pl.scan_parquet(folder / f"signatures{part}.parquet").select("text_hash", "page_id") for part in order]
    published = pl.concat([scan.with_columns(part=pl.lit(f"part {index}")) for index, scan in enumerate(texts[:-1])])
    articles = texts[-1].with_columns(reasons=pl.lit([], pl.List(pl.String))).collect()
    decided = curation.decide(articles, pairs, published, f"part {new}")
    watch.lap("decisions")
    seconds = ", ".join(f"{step} {lap:.1f} s" for step, lap in watch.seconds.items())
    print(
        f"one part added to {parts}: {sum(watch.seconds.values()):.1f} s ({seconds}), peak {peak_gb():.2f} GB, "
        f"{candidates.height} candidates, {curation.count_decisions(decided)['duplicates']} duplicates"
    )


def read_signatures(folder: Path, part: int, page_ids: Any) -> Any:
    """The signatures of some articles, a batch of the file in memory at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(page_ids.unique())
    file = pq.ParquetFile(folder / f"signatures{part}.parquet")
    batches = file.iter_batches(1 << 14, columns=["page_id", "text_hash", "n_grams", "sketch"])
    return pa.Table.from_batches([batch.filter(pc.is_in(batch["page_id"], wanted)) for batch in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    peers = commands.add_parser("peers")
    peers.add_argument("dumps", nargs="+")
    peers.add_argument("--megabytes", type=float, default=50)
    peers.add_argument("--peer-python", required=True)
    index = commands.add_parser("index")
    index.add_argument("--folder", help="made and left there; a temporary one if not given")
    index.add_argument("--parts", type=int, default=PARTS)
    index.add_argument("--articles", type=int, default=ARTICLES)
    add = commands.add_parser("add", help="one step of index")
    add.add_argument("folder")
    add.add_argument("--parts", type=int, required=True)
    add.add_argument("--new", type=int, required=True)
    for name in ("ours", "datatrove"):
        commands.add_parser(name, help="one side of peers").add_argument("folder")
    given = parser.parse_args()
    if given.command == "peers":
        run_peers(given.dumps, given.megabytes, given.peer_python)
    elif given.command == "ours":
        run_ours(given.folder)
    elif given.command == "datatrove":
        run_datatrove(given.folder)
    elif given.command == "add":
        add_part(Path(given.folder), given.parts, given.new)
    elif given.folder:
        run_index(given.folder, given.parts, given.articles)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run_index(folder, given.parts, given.articles)


if __name__ == "__main__":
    main()
