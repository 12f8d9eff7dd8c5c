"""Verbs without Ray, each in a process of its own, that begin at the same time: what `store.py race` asks for."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

_CLEAN = multiprocessing.get_context("forkserver")  # what is imported there needs not be imported by each process
_CLEAN.set_forkserver_preload(["torch", "s3fs", "pyarrow.parquet", "mwparserfromhell", "raywiki.training.loop", "ray"])


def run_at_once(words: Sequence[str], count: int, environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Run a command so many times at once; the exit status of each, and the last line that it wrote on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder, f"{number}.log") for number in range(count)]
        begin = _CLEAN.Barrier(count)
        processes = [_CLEAN.Process(target=_run, args=(list(words), log, dict(environment), begin)) for log in logs]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        lines = [log.read_text().strip().splitlines() or [""] for log in logs]
    return [(process.exitcode or 0, said[-1]) for process, said in zip(processes, lines, strict=True)]


def _run(words: list[str], log: Path, environment: Mapping[str, str], begin: multiprocessing.synchronize.Barrier) -> None:
    os.environ.update(environment)
    import pytest
    from verbs_here import without_ray

    from raywiki.cli import main

    os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    without_ray(pytest.MonkeyPatch(), log.with_suffix(".cache"))
    begin.wait()
    main(words)
