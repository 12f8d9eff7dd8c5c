"""Small token shards, a tiny model, and processes that may die: what the tests of training share."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raywiki.schema import tokens_schema
from raywiki.training.cache import open_cache, shards_digest
from raywiki.training.loop import train_segment
from raywiki.training.order import PartTokens
from raywiki.training.plan import Plan, SegmentResult, chosen_parts, left_to_ask, plan_segment
from raywiki.training.runs import Run, open_run

END = 256  # end-of-text; the other ids are bytes
# Of a run whose plans alone are looked at.
MADE_WITH = {"encoding": "bytes", "vocabulary": "ab" * 32, "vocab_size": 257, "seq_len": 16}


def write_shard(path: Path, documents: Sequence[tuple[str, Sequence[int]]], vocab_size: int = 257) -> tuple[str, str]:
    """A shard of the tokens table with these (split, ids); its path and SHA-256."""
    columns = {
        "page_id": list(range(len(documents))),
        "split": [split for split, _ in documents],
        "n_tokens": pa.array([len(ids) for _, ids in documents], pa.int32()),
        "tokens": [list(ids) for _, ids in documents],
    }
    pq.write_table(pa.table(columns, schema=tokens_schema(vocab_size)), path, row_group_size=3)
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Corner:
    """A folder with token shards, caches and one run, and the loop that an engine would have."""

    folder: Path

    def __post_init__(self) -> None:
        self.parts: dict[str, tuple[PartTokens, list[tuple[str, str]]]] = {}

    def add(self, name: str, text: bytes, val: bytes = b"") -> PartTokens:
        """A part with one training document and, if there is such text, one for validation."""
        documents = [("train", [*text, END])] + ([("val", [*val, END])] if val else [])
        shard = write_shard(self.folder / f"{name}.parquet", documents)
        part = PartTokens(name, shards_digest([shard[1]]), len(text) + 1, len(val) + 1 if val else 0)
        self.parts[name] = (part, [shard])
        return part

    def open(self, run: str = "r1", **options: object) -> Run:
        shape = {"n_layer": 1, "n_head": 2, "n_embd": 16, "seq_len": 16, **options}
        return open_run(self.folder / "runs" / run, encoding="bytes", vocabulary="ab" * 32, vocab_size=257, **shape)

    def train(
        self, run: str = "r1", parts: Sequence[str] | None = None, plan: dict | None = None, shape: dict | None = None,
        **options: object,
    ) -> list[SegmentResult]:  # fmt: skip
        names, results = list(parts or self.parts), []
        opened = self.open(run, **(shape or {}))
        first = {} if opened.segments else {"schedule": "cosine"}  # the end of a segment is where the next one starts
        asked = {"total_batch_size": 64, "lr": 5e-3, **first, **(plan or {})}
        chosen = chosen_parts(opened, [part for part, _ in self.parts.values()], names)
        while (planned := plan_segment(opened, chosen, **asked)) is not None:
            opened = planned.run
            asked = left_to_ask(planned, chosen, asked)
            results.append(self.train_plan(planned, names, **options))
            if results[-1].status == "stopped":
                break
        return results

    def train_plan(self, plan: Plan, names: Sequence[str] = (), **options: object) -> SegmentResult:
        evaluated = [name for name in self.parts if name in names or name in plan.segment.known]
        caches = {name: open_cache(self.folder / "cache", name, self.parts[name][1]) for name in evaluated}
        return train_segment(plan, caches, **{"device": "cpu", "eval_every": 5, **options})

    def run_folder(self, run: str = "r1") -> Path:
        return self.folder / "runs" / run


_CLEAN = multiprocessing.get_context("forkserver")  # forks from a process without the threads of this one
_CLEAN.set_forkserver_preload(["torch", "raywiki.training.loop", "raywiki.training.cache", "pyarrow.parquet"])


def start_process(work: Callable[..., object], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Run a module's function in a process of its own."""
    process = _CLEAN.Process(target=work, args=arguments)
    process.start()
    return process


def exit_status(work: Callable[..., object], *arguments: object) -> int:
    """Run a module's function in a process of its own: 0, 1 when it raised, or minus the signal that ended it."""
    process = start_process(work, *arguments)
    process.join()
    return process.exitcode


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
