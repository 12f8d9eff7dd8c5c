"""Kill an export of one format before and within its writes, renames and removals, and look at what lies there.

    python killed_exports.py FORMAT FOLDER [FIRST]

Each export runs in a forked process of its own. The events are renames, removals, the first writes to a file and every
hundredth of the later ones; every third of them is tried, from FIRST on (0 to 2), into an empty folder and into one that
holds something. Formats write by the same functions, so that with other FIRSTs they try all of them between them. Prints
the number of the last event, or fails with what was found.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exported_corpus import ENCODING, PARTS, add_part, make_exportable
from fsspec.implementations.local import LocalFileSystem

import raywiki.files
from raywiki.corpus import Corpus
from raywiki.local import export_documents
from raywiki.local.export import export
from raywiki.tokens import vocabulary_path

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
RECORDS = ("_export.json", ".export-unfinished.json")
EVERY = 3  # events
RERUN_EVERY = 3  # kills; what lies there is looked at after each
OPTIONS: dict[str, Any] = {"llmc": {"shard_tokens": 3000}, "jsonl": {"compression": "gz"}}


def main(format: str, folder: Path, at: int = 0) -> None:
    os.fsync = lambda descriptor: None  # what a killed process wrote is there without; a power cut is not tried
    export_documents.SHARD_BYTES = 1  # a file for each shard of articles
    in_child(make_exportable, folder / "one", 1)
    shutil.copytree(folder / "one", folder / "two")
    in_child(add_second, folder / "two")
    for number in ("one", "two"):
        in_child(run, format, folder / number, folder / f"undisturbed-{number}")
    first, both = (content(folder / f"undisturbed-{number}") for number in ("one", "two"))
    starts = (None, folder / "undisturbed-one")
    print(sum(kill_all(format, folder, start, range(at, 1000, EVERY), first, both) for start in starts))


def kill_all(
    format: str, folder: Path, start: Path | None, events: range, first: dict[str, bytes], both: dict[str, bytes]
) -> int:
    """Kill the export of both parts at one event after the other, into an empty folder or one that holds the first part."""
    for tried, count in enumerate(events):
        shutil.rmtree(folder / "to", ignore_errors=True)
        if start:
            shutil.copytree(start, folder / "to")
        if in_child(run, format, folder / "two", folder / "to", count, may_die=True) == 0:
            return count
        check(content(folder / "to"), first, both)
        if tried % RERUN_EVERY:
            continue
        in_child(run, format, folder / "two", folder / "to")
        assert content(folder / "to") == both, f"{format}, killed at {count}: other files than undisturbed"
    raise AssertionError("there is no end of it")


def add_second(folder: Path) -> None:
    corpus = Corpus(folder)
    add_part(corpus, 1, PARTS[1], corpus.fs.cat_file(vocabulary_path(corpus, ENCODING)))


def check(found: dict[str, bytes], first: dict[str, bytes], both: dict[str, bytes]) -> None:
    """Each file under a final name is whole, and `_export.json` is there only with all that it names."""
    for name, data in found.items():
        if not TEMPORARY.fullmatch(name.rpartition("/")[2]) and name not in RECORDS:
            assert data in (first.get(name), both.get(name)), f"{name} is half a file"
    if (record := found.get("_export.json")) is not None:
        whole = first if record == first["_export.json"] else both
        assert record == whole["_export.json"]
        assert all(found.get(name) == data for name, data in whole.items()), "_export.json names what is not there"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(format: str, corpus: Path, to: Path, killed_at: int | None = None) -> None:
    if killed_at is not None:
        kill_at(killed_at)
    export(corpus, to, format=format, **OPTIONS.get(format, {}))


def kill_at(limit: int) -> None:
    """Let this process be killed at the event of that number."""
    events, writes = iter(range(10**9)), dict[Any, int]()

    def counted(real: Callable[..., Any], half: bool = False) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if half:  # a ParquetWriter writes hundreds of times
                writes[given[0]] = writes.get(given[0], 0) + 1
            if (not half or writes[given[0]] < 3 or writes[given[0]] % 100 == 0) and next(events) == limit:
                if half:  # of what is written, the half is there
                    sink, data = given
                    sink.file.write(bytes(data)[: len(bytes(data)) // 2])
                    sink.file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        return call

    raywiki.files.HashingFile.write = counted(raywiki.files.HashingFile.write, half=True)  # type: ignore[method-assign]
    os.replace = counted(os.replace)
    raywiki.files.sync = counted(raywiki.files.sync)  # of the records: between their writing and their renaming
    LocalFileSystem.rm_file = counted(LocalFileSystem.rm_file)


def in_child(action: Callable[..., Any], *given: Any, may_die: bool = False) -> int:
    """Run it in a forked process; 0, or minus the signal that ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action(*given)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0 or (may_die and status == -signal.SIGKILL), f"a process left with {status}"
    return status


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
