"""Does a corpus in a store survive that what reads it or grows it is killed? `python benchmarks/store_kills.py TO [--kills 3]`

As `grow_kills.py`, in a SeaweedFS on this machine and for other verbs: a corpus of little dumps grows, a run writes a sample
and is evaluated, texts and a model are exported into the store, and a report is written there. Then the same by commands of
which each is killed so many times (SIGKILL), at moments drawn at random from the time that it took, and called again. Both must
leave the same tables, losses, weights and exports, and nothing that `status --verify` calls a problem.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from grow_kills import RUN, kill_each, state, tell, time_each
from little_corpus import make_dumps
from s3_server import Server

import raywiki as rw
from raywiki.corpus import Corpus

KILLED = ("grow", "sample", "eval", "export", "report")


def commands(url: str, dumps: list[str], vocabulary: str) -> list[list[str]]:
    made = ["--encoding", vocabulary, "--val-fraction", "0.2", "--size", "nano", "--recipe", "classic", "--seq-len", "32"]
    steps = ["--steps", "40", "--total-batch-size", "256", "--checkpoint-every", "5", "--eval-every", "20", "--device", "cpu"]
    return [
        ["extract", url, dumps[0]],
        ["curate", url, "--min-chars", "100"],
        ["tokenizer", "train", url, "--vocab-size", "300", "--to", vocabulary],
        ["grow", url, *dumps[:2], "--run", RUN, "--min-chars", "100", *steps, *made],
        ["grow", url, dumps[2], "--run", RUN, *steps],
        ["sample", url, "--run", RUN, "--prompt", "A", "--max-tokens", "200"],
        ["eval", url, "--run", RUN],
        ["export", url, "--format", "jsonl", "--to", f"{url}-text"],
        ["export", url, "--format", "hf", "--run", RUN, "--to", f"{url}-model"],
        ["report", url, "--prompt", "A"],
    ]


def all_of(url: str) -> dict[str, object]:
    """As `grow_kills.state`, with the exports, the report without its times, and what is wrong with the corpus."""
    fs = Corpus(url).fs
    found: dict[str, Any] = state(url)
    for name in ("text", "model"):
        root = Corpus(f"{url}-{name}").root
        files = {path[len(root) :]: fs.cat_file(path) for path in fs.find(root)}
        found[f"export of {name}"] = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    shown = fs.cat_file(f"{Corpus(url).root}/report.html").decode()
    found["report"] = (
        sorted(set(re.findall(r"<h[123][^>]*>.*?</h[123]>", shown.replace(url, "")))),
        len(re.findall("<svg", shown)),
    )
    told = rw.status(url, verify=True)
    found["problems"] = told.problems
    left = rw.gc(url, min_age=0, dry_run=True).paths
    found["half-written"] = [path for path in left if not path.endswith(".parquet")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path)
    parser.add_argument("--kills", type=int, default=3, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    (given.to / "dumps").mkdir(parents=True)
    dumps = [str(path) for path in make_dumps(given.to / "dumps", articles=40)]
    server = Server(given.to / "store").start()
    try:
        os.environ.update({**server.environment, "RAYWIKI_CACHE_DIR": str(given.to / "cache"), "OMP_NUM_THREADS": "1"})
        os.environ.setdefault("RAY_worker_niceness", "0")  # else a busy machine lets them wait for minutes
        bucket = server.make_bucket("wiki")
        whole, killed = f"{bucket}/whole/corpus", f"{bucket}/killed/corpus"
        first, second = (commands(url, dumps, str(given.to / "small.json")) for url in (whole, killed))
        took = time_each(first)
        planned = {number: given.kills for number, words in enumerate(first) if words[0] in KILLED}
        done = kill_each(second, took, planned, random.Random(given.seed))
        tell(done, all_of(whole), all_of(killed))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
