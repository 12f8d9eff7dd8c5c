"""Where an export goes: a folder or URL, files that appear whole, and a record of what each was made from.

    TO/train.bin  val.bin  meta.pkl  _export.json

`_export.json` is written last: it names each file with its size, its SHA-256 and the key of all that it was made from. While an
export is not finished, `.export-unfinished.json` lies there instead, with the names that are planned. So whatever interrupts
it, the next run knows what is done, what is its own, and which temporary names were left behind.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsspec.implementations.local import LocalFileSystem

import raywiki
from raywiki.files import HashingFile, asking, file_system, put, require_writable, writing
from raywiki.summary import some_parts

RECORD, UNFINISHED = "_export.json", ".export-unfinished.json"
RECORD_FORMAT = 1
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.tmp")  # what `raywiki.files.replacing` writes to

Counts = dict[str, Counter[str]]  # what a file holds of each part
Advance = Callable[[float], None]


@dataclass(frozen=True)
class PlannedFile:
    """A file to be made: its name below the target, and a key of all that its bytes depend on.

    `write(sink, advance)` writes the content, tells progress in the units of `amount` as it goes, and returns its counts.
    """

    name: str
    key: str
    write: Callable[[HashingFile, Advance], Counts]
    amount: float = 0.0


@dataclass(frozen=True)
class Export:
    """All that is to lie in a target: the format, its settings, the files, and the counts of each part that must come out."""

    format: str
    settings: dict[str, Any]
    files: Sequence[PlannedFile]
    expected: dict[str, dict[str, int]]
    unit: str = "documents"
    notes: tuple[str, ...] = ()


class Target:
    """The folder or URL of an export, as it is found.

    Raises:
        ValueError: it is a file, or holds a record of an export that cannot be read.
        OSError: it cannot be written to.
    """

    def __init__(self, to: str | os.PathLike[str]) -> None:
        self.url = os.fspath(to)
        self.fs, root = file_system(self.url)
        self.root = root.rstrip("/") or "/"
        if self.fs.isfile(self.root):
            raise ValueError(f"{self.url} is a file: an export goes into a folder, give a new or an empty one")
        if isinstance(self.fs, LocalFileSystem):
            require_writable(self.root)
        with asking(self.url):
            listed = self.fs.find(self.root, detail=True)
        self.sizes = {path[len(self.root.rstrip("/")) + 1 :]: info["size"] for path, info in listed.items()}
        self.record = self._read(UNFINISHED) or self._read(RECORD)
        self.done: dict[str, dict[str, Any] | None] = dict(self.record["files"]) if self.record else {}

    def path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def require(self, export: Export, overwrite: bool) -> None:
        """Raise ValueError when the target holds something else than an earlier run of this export; nothing is written."""
        foreign = [name for name in self._foreign() if not self.record or name in {file.name for file in export.files}]
        if foreign:
            raise ValueError(
                f"{self.url} holds {foreign[0]}, which is of no export of raywiki: give a new or an empty folder with --to"
            )
        if self.record is None or overwrite:
            return
        there = {"format": self.record["export"], **self.record["settings"]}
        wanted = {"format": export.format, **export.settings}
        for name in sorted(there.keys() | wanted.keys(), key=lambda name: (name != "format", name)):
            if there.get(name) != wanted.get(name):
                raise ValueError(
                    f"{self.url} holds an export with {name}={there.get(name)!r}, not {name}={wanted.get(name)!r}: give "
                    "another folder with --to, or replace it with --overwrite"
                )
        gone = [part for part in self.record["parts"] if part not in export.expected]
        if gone:
            raise ValueError(
                f"{self.url} holds {some_parts(gone)}, which this export would take away: name all parts that shall be there, "
                "give another folder with --to, or replace it with --overwrite"
            )

    def is_done(self, file: PlannedFile) -> bool:
        """Whether a file is there, made from the same and as long as the record says."""
        entry = self.done.get(file.name)
        return entry is not None and entry["key"] == file.key and self.sizes.get(file.name) == entry["bytes"]

    def make(self, export: Export, progress: Any) -> list[str]:
        """Write the files that are not done, remove what was of an earlier export, and return the names written.

        Afterwards `_export.json` is not there yet: `complete` writes it, once the counts are found right.
        """
        names = dict.fromkeys(file.name for file in export.files)
        obsolete = [name for name in self.done if name not in names and name in self.sizes]
        todo = {file.name: file for file in export.files if not self.is_done(file)}
        self._remove(name for name in self.sizes if self._is_left_behind(name, names))
        progress.skip(sum(file.amount for file in export.files) - sum(file.amount for file in todo.values()))
        if todo or obsolete or not self._says(export):
            kept = {name: None if name in todo else self.done[name] for name in names}
            self.done = {**kept, **dict.fromkeys(obsolete)}  # what is still to be removed is ours until it is
            self._put(UNFINISHED, export)
            self.record = None  # what it said is not so until `complete`, even if the same comes out again
            self._remove(name for name in (RECORD, *obsolete) if name in self.sizes)
            self.done = kept
        for file in todo.values():
            self.done[file.name] = self._write(file, progress.advance)
            self._put(UNFINISHED, export)
        return list(todo)

    def counts(self) -> Counts:
        """What all files hold of each part."""
        total: Counts = {}
        for entry in self.done.values():
            for part, counts in (entry or {"counts": {}})["counts"].items():
                total.setdefault(part, Counter()).update(counts)
        return total

    def complete(self, export: Export) -> None:
        """Write `_export.json`, unless it says all that already."""
        if RECORD not in self.sizes or not self._says(export) or UNFINISHED in self.sizes:
            self._put(RECORD, export)
            if self.fs.exists(self.path(UNFINISHED)):
                self.fs.rm_file(self.path(UNFINISHED))

    @property
    def bytes(self) -> int:
        return sum(entry["bytes"] for entry in self.done.values() if entry)

    def _write(self, file: PlannedFile, advance: Advance) -> dict[str, Any]:
        with writing(self.fs, self.path(file.name)) as raw:
            sink = HashingFile(raw)
            counts = file.write(sink, advance)
        held = {part: dict(each) for part, each in counts.items()}
        return {"key": file.key, "bytes": sink.size, "sha256": sink.sha256.hexdigest(), "counts": held}

    def _read(self, name: str) -> dict[str, Any] | None:
        if name not in self.sizes:
            return None
        try:
            body = json.loads(self.fs.cat_file(self.path(name)))
            if {"export", "settings", "parts", "files"} <= body.keys() and body["format"] == RECORD_FORMAT:
                return body
        except (ValueError, AttributeError, KeyError):
            pass
        raise ValueError(f"{self.path(name)} is no record of this raywiki's export: give a new or an empty folder with --to")

    def _body(self, export: Export) -> dict[str, Any]:
        body = {"format": RECORD_FORMAT, "raywiki": raywiki.__version__, "export": export.format}
        return {**body, "settings": export.settings, "parts": export.expected, "files": self.done}

    def _says(self, export: Export) -> bool:
        return self.record is not None and self.record == {**self._body(export), "raywiki": self.record.get("raywiki")}

    def _put(self, name: str, export: Export) -> None:
        with asking(self.url):
            put(self.path(name), json.dumps(self._body(export), ensure_ascii=False, indent=1) + "\n", self.fs)

    def _foreign(self) -> list[str]:
        ours = {*self.done, RECORD, UNFINISHED}
        return sorted(name for name in self.sizes if name not in ours and not self._is_left_behind(name, None))

    def _is_left_behind(self, name: str, planned: Iterable[str] | None) -> bool:
        """Whether a name is the temporary one of a file that an export makes; `planned` None: of any file."""
        folder, _, last = name.rpartition("/")
        match = _TEMPORARY.fullmatch(last)
        of = f"{folder}/{match['name']}".lstrip("/") if match else ""
        return match is not None and (planned is None or of in {*planned, *self.done, RECORD, UNFINISHED})

    def _remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.fs.rm_file(self.path(name))


def require_counts(expected: Mapping[str, Mapping[str, int]], found: Counts) -> None:
    """Raise ValueError unless the files hold of each part what the corpus's manifests say."""
    for part, counts in expected.items():
        for name, count in counts.items():
            held = found.get(part, Counter())[name]
            if held != count:
                raise ValueError(
                    f"the export is not finished: of part {part} it holds {held:,} {name.replace('_', ' ')}, the "
                    f"manifest says {count:,}: `raywiki status --verify` tells which file is wrong"
                )
