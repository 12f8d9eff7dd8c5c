"""Deduplication measured: raywiki against datatrove on the same documents, and the index at the size of the English Wikipedia.

    python benchmarks/dedup.py peers DUMP.bz2 … --peer-python VENV/bin/python
    python benchmarks/dedup.py verb DUMP.bz2 … --peer-python VENV/bin/python
    python benchmarks/dedup.py index                     # needs 6 GB of disk
    python benchmarks/dedup.py memory                    # needs 3 GB of disk

(VENV has `pip install "datatrove[processing]" spacy orjson`.)

`peers` makes `--megabytes` of documents from the dumps' wikitext: every article, and copies of it with words replaced at
random. Both sides run on one core, one after the other, reading the same file: raywiki's kernels (signatures, bands, pairs,
decisions), and datatrove's four MinHash stages at the same parameters (5-grams, 14 × 8). It prints megabytes of text a second,
and whether raywiki's duplicates contain datatrove's, with a reason for each document where they do not.

`verb` does the same with all cores: `raywiki.curate` on a corpus of these documents, from committed articles to committed
decisions, and datatrove's stages with as many workers; in turn, `--runs` times.

`index` and `memory` are in `dedup_index.py`.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from made_articles import write_articles
from peak_memory import memory, run_watched

CORES = os.cpu_count() or 1


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
        write_documents(Path(folder, "documents", "documents.jsonl"), documents)
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


def write_documents(path: Path, documents: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))


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


def run_datatrove(folder: str, workers: int) -> None:
    import logging
    import shutil

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
    for name in ("signatures", "buckets", "ids", "kept", "removed", "logs"):
        shutil.rmtree(Path(folder, name), ignore_errors=True)
    watch = Stopwatch()
    for stage, pipeline in stages.items():
        tasks = {"buckets": config.num_buckets, "clusters": 1}.get(stage, workers)
        logs = str(Path(folder, "logs", stage))
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(workers, tasks), logging_dir=logs).run()
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


# --- the verb ----------------------------------------------------------------------------------------------------------


def run_verb(dumps: Sequence[str], megabytes: float, peer_python: str, runs: int) -> None:
    documents = make_documents(dumps, megabytes)
    size = sum(len(document["text"].encode()) for document in documents) / 1e6
    print(f"{len(documents)} documents, {size:.1f} MB of text, {CORES} cores each, {runs} runs")
    walls: dict[str, list[float]] = {name: [] for name in ("raywiki", "raywiki with the start of Ray", "datatrove")}
    with tempfile.TemporaryDirectory() as folder:
        for worker in range(CORES):
            write_documents(Path(folder, "documents", f"{worker}.jsonl"), documents[worker::CORES])
        for number in range(runs):
            corpus = Path(folder, f"corpus{number}")
            write_articles(corpus, "wiki-20260101-p1", [int(d["id"]) for d in documents], [d["text"] for d in documents])
            ours = run_watched([sys.executable, __file__, "curate", str(corpus)])
            print(f"raywiki {ours['verb']:.2f} s, with the start of Ray {ours['wall']:.2f} s; {memory(ours)}; {ours['last']}")
            theirs = run_watched([peer_python, __file__, "datatrove", folder, "--workers", str(CORES)])
            total = sum(theirs["seconds"].values())
            steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in theirs["seconds"].items())
            print(f"datatrove {total:.2f} s: {steps}; {len(theirs['removed'])} duplicates", flush=True)
            for name, wall in zip(walls, (ours["verb"], ours["wall"], total), strict=True):
                walls[name].append(wall)
    medians = {name: statistics.median(times) for name, times in walls.items()}
    for name, wall in medians.items():
        faster = "" if name == "datatrove" else f", {medians['datatrove'] / wall:.1f} times as fast as datatrove"
        print(f"{name}: median {wall:.2f} s, {size / wall:.2f} MB/s, {size / wall / CORES:.2f} MB/s/core{faster}")


def run_curate(corpus: str, min_chars: int, rules: list[str]) -> None:
    """The verb in this process, whose clock starts when Ray is up and has run a first task."""
    import raywiki as rw
    from raywiki.engine import cluster

    assert len(list(cluster.run(abs, range(CORES)))) == CORES
    summary = rw.curate(corpus, min_chars=min_chars, rules=rules, overwrite=True)
    print(json.dumps({"verb": summary.seconds, "committed": len(summary.committed), "last": summary.parts[-1]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("peers", "verb"):
        peers = commands.add_parser(name)
        peers.add_argument("dumps", nargs="+")
        peers.add_argument("--megabytes", type=float, default=50)
        peers.add_argument("--peer-python", required=True)
        peers.add_argument("--runs", type=int, default=3, help="of verb")
    index = commands.add_parser("index")
    index.add_argument("--folder", help="made and left there; a temporary one if not given")
    index.add_argument("--parts", type=int, default=27)
    index.add_argument("--articles", type=int, default=259_000, help="in a part; 27 of them are about 7 million")
    curate = commands.add_parser("curate", help="our side of verb and index")
    curate.add_argument("corpus")
    curate.add_argument("--min-chars", type=int, default=500)
    curate.add_argument("--rules", nargs="*", default=[])
    large = commands.add_parser("memory")
    large.add_argument("--megabytes", type=int, default=1500)
    for name in ("ours", "datatrove"):
        side = commands.add_parser(name, help="one side of peers")
        side.add_argument("folder")
        side.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    if given.command == "peers":
        run_peers(given.dumps, given.megabytes, given.peer_python)
    elif given.command == "verb":
        run_verb(given.dumps, given.megabytes, given.peer_python, given.runs)
    elif given.command == "curate":
        run_curate(given.corpus, given.min_chars, given.rules)
    elif given.command == "ours":
        run_ours(given.folder)
    elif given.command == "datatrove":
        run_datatrove(given.folder, given.workers)
    elif given.command == "memory":
        from dedup_index import run_memory

        with tempfile.TemporaryDirectory() as folder:
            run_memory(Path(folder), given.megabytes)
    else:
        from dedup_index import run_index

        with contextlib.nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as folder:
            run_index(Path(folder), given.parts, given.articles)


if __name__ == "__main__":
    main()
