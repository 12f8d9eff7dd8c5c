"""Who writes the shards: the Ray task that reads a range, or a Datasink of Ray Data?

    python benchmarks/write_paths.py PART.xml.bz2 [--runs 3] [--range-mb 64]

`task` is what raywiki does: each task reads its range and writes its own shard in bounded batches (`rw.extract`, with its
checksums and counts). `datasink` is `read_datasource` → `map_batches` → `write_datasink` with a sink that writes each block
as it comes, one Parquet file a task, and counts nothing. Each run is a process of its own with a Ray of its own; runs are in
turn. Seconds do not count Ray's start. Memory is the peak (VmHWM) of the largest worker and of the driver.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from peak_memory import wait_and_watch
from ray.data.datasource import Datasink

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.dumps import SiteInfo, read_siteinfo, split_dump
from raywiki.engine import cluster, extract_dumps, extract_plan
from raywiki.engine import read as read_module
from raywiki.engine.pages import page_kinds
from raywiki.schema import ARTICLES
from raywiki.wikitext import pages_to_articles


def by_task(dump: str, folder: str) -> None:
    rw.extract(folder, dump)


def by_datasink(dump: str, folder: str) -> None:
    import ray.data

    source, site = read_module.DumpDatasource([dump]), read_siteinfo(dump)
    pages = ray.data.read_datasource(source, override_num_blocks=len(source.ranges))
    articles = pages.map_batches(to_articles, batch_format="pyarrow", batch_size=None, fn_kwargs={"site": site})
    articles.write_datasink(ShardSink(folder))


def to_articles(pages: pa.Table, site: SiteInfo) -> pa.Table:
    pages = pages.filter(pc.equal(page_kinds(pages), "articles"))
    return pages_to_articles(pages, language=site.language, namespaces=site.namespaces, base_url=site.base)


class ShardSink(Datasink[None]):
    """Each block becomes a row group when it comes: a sink cannot hold less."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def write(self, blocks: Iterable[pa.Table], ctx) -> None:
        name = f"{ctx.task_idx:05d}.parquet"
        Corpus(self.folder).write_shard("articles", name, blocks, ARTICLES, **extract_dumps.PARQUET_OPTIONS)


WAYS = {"task": by_task, "datasink": by_datasink}


def measure(way: str, dump: str, range_bytes: int | None) -> None:
    """One run in this process."""
    for module in (extract_plan, read_module):
        module.split_dump = partial(split_dump, range_bytes=range_bytes)  # type: ignore[attr-defined]
    cluster.start()
    with tempfile.TemporaryDirectory(prefix="bench-write-") as folder:
        started = time.perf_counter()
        WAYS[way](dump, folder)
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, **written(folder)}))


def written(folder: str) -> dict[str, int]:
    import pyarrow.parquet as pq

    shards = [pq.ParquetFile(path) for path in Path(folder).rglob("*.parquet")]
    chars = sum(pc.sum(shard.read(["n_chars"])["n_chars"]).as_py() for shard in shards)
    return {"shards": len(shards), "rows": sum(shard.metadata.num_rows for shard in shards), "characters": chars}


def watched(way: str, dump: str, range_bytes: int | None) -> dict[str, float]:
    """One run in a process of its own, with the peaks of its memory."""
    command = [
        sys.executable,
        __file__,
        dump,
        "--measure",
        way,
        *(["--range-mb", f"{range_bytes / 1e6}"] if range_bytes else []),
    ]
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out)
        peaks = wait_and_watch(child)
        if child.returncode:
            raise SystemExit(f"{way} failed with exit status {child.returncode}")
        out.seek(0)
        return {**json.loads(out.read().splitlines()[-1]), **{what: peak / 1e6 for what, peak in peaks.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--range-mb", type=float, help="MB of the file in a range; by default what split_dump chooses")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    dump, range_bytes = str(Path(args.dump).resolve()), int(args.range_mb * 1e6) if args.range_mb else None
    if args.measure:
        measure(args.measure, dump, range_bytes)
        return
    ranges = split_dump(dump, range_bytes)
    size, step = os.path.getsize(dump) / 1e6, ranges[0].end / 1e6
    print(f"{size:,.0f} MB in {len(ranges)} ranges of {step:,.1f} MB; {os.cpu_count()} cores")
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(args.runs):
        for way in WAYS:
            run = watched(way, dump, range_bytes)
            runs[way].append(run)
            memory = f"worker {run['worker']:,.0f} MB, driver {run['driver']:,.0f} MB"
            print(
                f"{way:9} run {number + 1}: {run['seconds']:6.1f} s; peak memory: {memory}; {run['shards']} shards", flush=True
            )
    assert len({(run["rows"], run["characters"]) for each in runs.values() for run in each}) == 1, runs
    for way, each in runs.items():
        seconds, worker = (statistics.median(run[name] for run in each) for name in ("seconds", "worker"))
        print(f"{way:9} median {seconds:6.1f} s, largest worker {worker:,.0f} MB")


if __name__ == "__main__":
    main()
