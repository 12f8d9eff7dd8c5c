"""Dump files from a mirror into a folder or to a URL: gone on with where they stopped, checked, and only then named.

    TO/<name>.partial    what has come so far of a file, in a folder of this machine
    TO/<name>            the file, when its checksum was found right
    TO/.<name>.verified  which checksum that was, and of which state of the file: it is not read again for it

At any other place the file is written in one go, its checksum is taken on the way, and nothing has its name unless it is right.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from typing import Any, Protocol

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.dumps import source
from raywiki.dumps.listing import DumpPart
from raywiki.dumps.mirrors import Connections, Mirror
from raywiki.files import move, nearest_folder, publishes_at_close, put, sync

SPACE_EVERY = 64 << 20  # bytes after which the free space is looked at again
# What tells of a file whether it has changed, the best first, where a file system knows several.
_MARKS = ("mtime", "ETag", "etag", "LastModified", "updated", "created")
Advance = Callable[[int], None]  # is told how many bytes came, or that so many are to come again (negative)


class Sink(Protocol):
    """Where a file goes: `at` bytes of it are there."""

    at: int

    def write(self, data: bytes) -> None: ...

    def restart(self) -> None:
        """Forget what is there."""

    def checksum(self) -> str:
        """Of what is there, as a listing has it."""

    def publish(self) -> None:
        """Give the file its name: it is right."""

    def close(self) -> None:
        """Without `publish`: leave no file under its name."""


def missing_parts(parts: Iterable[DumpPart], folder: str | os.PathLike[str]) -> list[DumpPart]:
    """Those of these parts whose files are not in a folder or at a URL, or not as the listing says: size and checksum.

    A file is read for its checksum once, and again only when it has changed.
    """
    fs, root = url_to_fs(os.fspath(folder))
    fs.invalidate_cache()
    return [part for part in parts if not is_right(fs, f"{root.rstrip('/')}/{part.name}", part)]


def is_right(fs: AbstractFileSystem, path: str, part: DumpPart) -> bool:
    """Whether a file is there and has the size and checksum that the listing says."""
    try:
        info = fs.info(path)
    except FileNotFoundError:
        return False
    if part.checksum is None or part.size not in (None, info["size"]):
        return False
    with suppress(OSError, ValueError):
        if json.loads(fs.cat_file(_sidecar(path))) == _state(info, part):
            return True
    with fs.open(path, "rb") as file:
        if _checksum_of(file, part) != part.checksum:
            return False
    remember(fs, path, part)
    return True


def remember(fs: AbstractFileSystem, path: str, part: DumpPart) -> None:
    """Note that the checksum of a file was found right."""
    fs.invalidate_cache()
    with suppress(OSError):  # a folder that only may be read: then its files are read again the next time
        put(_sidecar(path), json.dumps(_state(fs.info(path), part)) + "\n", fs)


def _sidecar(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.verified"


def _state(info: dict[str, Any], part: DumpPart) -> dict[str, Any]:
    """What is remembered of a verified file: another size or time of change, where its store tells one, is another file."""
    changed = next((str(info[name]) for name in _MARKS if info.get(name)), None)
    return {"bytes": info["size"], "changed": changed, "checksum": part.checksum}


def _checksum_of(file: Any, part: DumpPart) -> str:
    kind = _kind(part)
    return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


def _kind(part: DumpPart) -> str:
    assert part.checksum is not None, "what has no checksum is not fetched"
    return part.checksum.partition(":")[0]


def partial_bytes(part: DumpPart, folder: str) -> int:
    """How much of a file an earlier call has left in a folder of this machine."""
    try:
        return os.path.getsize(f"{folder}/{part.name}{source.PARTIAL}")
    except OSError:
        return 0


def require_space(folder: str, wanted: int) -> None:
    """Raise OSError when so many bytes are not free on the file system of a folder, which may not be there yet."""
    folder = nearest_folder(folder)
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise OSError(
            f"{folder} has {free / 1e6:,.1f} MB free, and {wanted / 1e6:,.1f} MB are still to come: make room and run the same "
            "again, it goes on from there"
        )


class PartialFile:
    """A file that grows in a folder of this machine, and stays there when it is not finished."""

    def __init__(self, folder: str, part: DumpPart) -> None:
        self.part, self.folder, self.final = part, folder, f"{folder}/{part.name}"
        self.partial = f"{folder}/{part.name}{source.PARTIAL}"
        self._file = open(self.partial, "ab", buffering=0)  # noqa: SIM115 a killed process has written what it counted
        self.at = self._looked_at = os.path.getsize(self.partial)

    def write(self, data: bytes) -> None:
        if self.at - self._looked_at >= SPACE_EVERY:
            self._looked_at = self.at
            require_space(self.folder, max(0, (self.part.size or 0) - self.at))
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest)
                self.at, rest = self.at + written, rest[written:]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            what = f"{self.partial} cannot grow ({error.strerror}): make room and run the same again, it goes on from there"
            raise OSError(what) from error

    def restart(self) -> None:
        self._file.truncate(0)
        self.at = self._looked_at = 0

    def checksum(self) -> str:
        """Read again from the disk: what counts is what lies there, bytes of earlier calls included."""
        with open(self.partial, "rb") as file:
            return _checksum_of(file, self.part)

    def publish(self) -> None:
        sync(self._file)
        move(LocalFileSystem(), self.partial, self.final)
        remember(LocalFileSystem(), self.final, self.part)

    def close(self) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            if self.at == 0:
                os.remove(self.partial)


class RemoteFile:
    """A file at any other place of fsspec's: in a store it appears when it is finished, elsewhere beside its name at first."""

    def __init__(self, fs: AbstractFileSystem, path: str, part: DumpPart) -> None:
        self.fs, self.path, self.part = fs, path, part
        self.is_store = publishes_at_close(fs)
        folder, _, name = path.rpartition("/")
        self._written = path if self.is_store else f"{folder}/.{name}{source.PARTIAL}"
        self._file: Any = None
        self.at = 0
        fs.makedirs(folder, exist_ok=True)

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._before = self._there()
            self._file = self.fs.open(self._written, "wb", autocommit=not self.is_store)
            self._sum = hashlib.new(_kind(self.part))
        self._file.write(data)
        self._sum.update(data)
        self.at += len(data)

    def restart(self) -> None:
        self.close()

    def checksum(self) -> str:
        return f"{_kind(self.part)}:{self._sum.hexdigest() if self._file else ''}"

    def publish(self) -> None:
        assert self._file is not None, "no file is empty that has a checksum"
        self._file.close()
        if self.is_store:
            self._file.commit()
        else:
            move(self.fs, self._written, self.path)
        self._file = None
        remember(self.fs, self.path, self.part)

    def close(self) -> None:
        """What is written of it goes, also where a store shows it already as it knows no uploads that can be taken back."""
        file, self._file, self.at = self._file, None, 0
        if file is None:
            return
        with suppress(Exception):
            file.discard() if self.is_store else file.close()
        if self._there() not in (None, self._before):
            self.fs.rm_file(self._written)

    def _there(self) -> dict[str, Any] | None:
        """What is told of the file that is there, if one is."""
        self.fs.invalidate_cache()
        try:
            return _state(self.fs.info(self._written), self.part)
        except FileNotFoundError:
            return None


def sink_for(fs: AbstractFileSystem, root: str, part: DumpPart) -> Sink:
    """Where a part's file goes in a folder, which is there, or at a URL."""
    if isinstance(fs, LocalFileSystem):
        return PartialFile(root, part)
    return RemoteFile(fs, f"{root}/{part.name}", part)


def fetch(part: DumpPart, sink: Sink, mirrors: Sequence[Mirror], connections: Connections, advance: Advance) -> Mirror:
    """A part's file from the first mirror that gives it as the listing says; returns which one that was.

    Raises:
        OSError: no mirror gave it, with what was wrong at each; or it could not be written.
    """
    faults = []
    with closing(sink):
        for mirror in mirrors:
            while True:
                is_whole_from_here = sink.at == 0
                try:
                    fill(sink, part, mirror, connections, advance)
                except (ConnectionError, FileNotFoundError, PermissionError) as error:
                    faults.append(str(error))
                    break
                if (found := sink.checksum()) == part.checksum:
                    sink.publish()
                    return mirror
                restart(sink, advance)
                if is_whole_from_here:
                    faults.append(f"{mirror.url} sent a file with {found}, where the listing says {part.checksum}")
                    break
                # Its beginning was of an earlier call or another mirror, which may be what is wrong: once more, all of it.
    raise OSError(f"{part.name} cannot be had: {'; '.join(faults)}")


def fill(sink: Sink, part: DumpPart, mirror: Mirror, connections: Connections, advance: Advance) -> None:
    """Write what is missing of a file, over as many connections as it takes.

    Raises:
        FileNotFoundError: the mirror has no such file.
        ConnectionError: it does not send it, or has another one under its name.
    """
    if part.size is not None and sink.at > part.size:
        restart(sink, advance)
    furthest, fruitless = sink.at, 0
    while part.size is None or sink.at < part.size:
        with closing(mirror.open(part.path, sink.at)) as stream:
            if part.size is not None and stream.total not in (None, part.size):
                sizes = f"a file of {stream.total:,} bytes, where the listing says {part.size:,}"
                raise ConnectionError(f"{mirror.url}/{part.path} is {sizes}")
            if stream.start != sink.at:  # it cannot begin in the middle
                restart(sink, advance)
            for chunk in stream.chunks():
                sink.write(chunk)
                advance(len(chunk))
            if not stream.is_broken:
                break
        fruitless = 0 if sink.at > furthest else fruitless + 1
        furthest = max(furthest, sink.at)
        if fruitless > source.RETRIES:
            raise ConnectionError(f"{mirror.url}/{part.path} broke off {fruitless} times before it came further")
        connections.wait(source.FIRST_WAIT * 2**fruitless)


def restart(sink: Sink, advance: Advance) -> None:
    advance(-sink.at)
    sink.restart()
