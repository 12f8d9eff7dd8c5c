"""read_dump: dump parts as a Ray Dataset of pages, one read task for each byte range."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from raywiki.dumps import DumpRange, read_range, split_dump
from raywiki.engine.cluster import start
from raywiki.files import absolute
from raywiki.schema import PAGES

if TYPE_CHECKING:
    import ray.data

# What a byte of .bz2 becomes in memory, for Ray's estimates: XML compresses about 4 to 5 times.
EXPANSION = 5


def read_dump(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, allow_damaged: bool = False
) -> ray.data.Dataset:
    """Pages of dump parts as a Ray Dataset, for a pipeline of your own.

    Every page is a row (`raywiki.schema.PAGES`), redirects and other namespaces too. One dump is read by as many tasks as it
    has byte ranges. Unlike `extract`, which proves that no byte between two ranges is lost, each range vouches for itself.

    Args:
        paths: dump parts, paths or URLs.
        allow_damaged: read past damage instead of raising.

    Raises:
        FileNotFoundError: a dump is not there.
        ValueError: a file is no dump; while reading: a dump is damaged.
    """
    start()
    import ray

    names = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    source = DumpDatasource([os.fspath(name) for name in names], allow_damaged)
    return ray.data.read_datasource(source, override_num_blocks=len(source.ranges))


class DumpDatasource(Datasource):
    """Ray Data source of the pages of dump parts."""

    def __init__(self, paths: Sequence[str], allow_damaged: bool = False) -> None:
        super().__init__()
        paths = [absolute(path) for path in paths]  # a worker has a working folder of its own
        # A file that is no dump is the caller's mistake: it is said here, before any task starts.
        self.ranges = [dump_range for path in paths for dump_range in split_dump(path)]
        self.allow_damaged = allow_damaged

    def get_name(self) -> str:
        return "Dump"

    def estimate_inmemory_data_size(self) -> int:
        return EXPANSION * sum(each.end - each.start for each in self.ranges)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: object = None
    ) -> list[ReadTask]:
        """One task for each range, whatever `parallelism` asks for: the ranges depend on the files alone."""
        return [self._task(dump_range, per_task_row_limit) for dump_range in self.ranges]

    def _task(self, dump_range: DumpRange, row_limit: int | None) -> ReadTask:
        allow_damaged = self.allow_damaged

        def read() -> Iterator[pa.Table]:
            yield PAGES.empty_table()  # a range without a page start still has the table's schema
            yield from read_range(dump_range, allow_damaged=allow_damaged)

        size = EXPANSION * (dump_range.end - dump_range.start)
        metadata = BlockMetadata(num_rows=None, size_bytes=size, input_files=(dump_range.path,), exec_stats=None)
        return ReadTask(read, metadata, schema=PAGES, per_task_row_limit=row_limit)
