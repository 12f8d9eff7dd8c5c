"""Files on any file system of fsspec: written in one step, kept through a power cut, hashed on the way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

# Protocols of stores where one request makes a whole object.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "ocilake", "oci", "tos", "obs", "hf", "memory"}


def absolute(path: str) -> str:
    """A path or URL that means the same in every working folder.

    >>> absolute("s3://bucket/part.bz2"), absolute("part.bz2").startswith("/")
    ('s3://bucket/part.bz2', True)
    """
    return LocalFileSystem._strip_protocol(path) if "://" not in path or path.startswith("file://") else path


def file_sha256(path: str) -> str:
    """SHA-256 (hex) of a file at a path or URL."""
    fs, inner = url_to_fs(path)
    with fs.open(inner, "rb", **({} if isinstance(fs, LocalFileSystem) else {"block_size": 8 << 20})) as file:
        return sha256_of(file)


def sha256_of(file: Any) -> str:
    """SHA-256 (hex) of what is left to read of an open binary file."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def put(path: str | os.PathLike[str], data: str | bytes, fs: AbstractFileSystem | None = None) -> None:
    """Write a small file in one step: afterwards the path holds the old or the new content, never a mixture.

    Args:
        path: as `fs` wants it.
        data: text is written as UTF-8.
        fs: the local file system when None.
    """
    path, data = os.fspath(path), data.encode() if isinstance(data, str) else data
    fs = fs or LocalFileSystem()
    if publishes_at_close(fs):
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, data)
        return
    with replacing(fs, path) as temporary, fs.open(temporary, "wb") as file:
        file.write(data)
        sync(file)


@contextmanager
def replacing(fs: AbstractFileSystem, path: str) -> Iterator[str]:
    """A temporary path that takes the place of `path` when the block ends well, and is removed when not.

    Raises:
        OSError: the disk is full; the sentence says what to do.
    """
    folder, _, name = path.rpartition("/")
    temporary = path if publishes_at_close(fs) else f"{folder}/.{name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        fs.makedirs(folder, exist_ok=True)
        yield temporary
        if temporary != path and fs.exists(temporary):
            move(fs, temporary, path)
    except BaseException as error:
        if temporary != path and fs.exists(temporary):
            fs.rm_file(temporary)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = f"{error.strerror}: make room and run the same again, what is committed stays"
            raise OSError(error.errno, what, path) from error
        raise


def write_parquet(
    fs: AbstractFileSystem, path: str, tables: Iterable[Any], schema: Any, **options: Any
) -> tuple[int, int, str] | None:
    """Write Arrow tables as the row groups of one Parquet file, in one step; None, and no file, when they hold no row.

    Args:
        tables: consumed one by one; each becomes one row group, so that the bytes depend on how the rows are cut alone.
        options: of `pyarrow.parquet.ParquetWriter`.

    Returns:
        Rows, bytes and SHA-256 (hex) of the file.
    """
    import pyarrow.parquet as pq

    options = {"compression": "zstd", "write_page_checksum": True, **options}
    rows = 0
    with replacing(fs, path) as temporary:
        with fs.open(temporary, "wb") as file:
            sink = HashingFile(file)
            with pq.ParquetWriter(sink, schema, **options) as writer:
                for table in tables:
                    if table.num_rows:
                        writer.write_table(table, row_group_size=table.num_rows)
                        rows += table.num_rows
            sync(file)
        if not rows:
            fs.rm_file(temporary)
            return None
    return rows, sink.size, sink.sha256.hexdigest()


def require_writable(folder: str) -> None:
    """Raise OSError when no file could be written in a folder of this machine, which is made when it is missing."""
    there = nearest_folder(folder)
    if not os.path.isdir(there):
        raise NotADirectoryError(f"nothing can be written to {folder}, as {there} is a file: choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"the folder {there} cannot be written to: choose another place, or change its permissions")


def file_to_write(to: str, what: str, example: str) -> tuple[AbstractFileSystem, str]:
    """The file system and path of a file that a verb shall write at a path or URL: what it asks before it works.

    Args:
        to: path or URL of the file.
        what: it is, in a word.
        example: of a name for it.

    Raises:
        ValueError: `to` is empty.
        OSError: `to` is a folder, or nothing can be written there. Of a remote place only the write itself can tell.
    """
    if not to:
        raise ValueError(f"the {what} has no name: give a file, such as --to {example}")
    fs, path = url_to_fs(to)
    if fs.protocol == ("http", "https"):
        raise PermissionError(f"nothing can be written to {to}: give a file, or a store such as s3://bucket/{example}")
    if isinstance(fs, LocalFileSystem):
        if os.path.isdir(path):
            raise IsADirectoryError(f"{to} is a folder: give the name of a file, such as {to.rstrip('/')}/{example}")
        require_writable(os.path.dirname(path))
    return fs, path


def nearest_folder(folder: str) -> str:
    """The folder itself, or the nearest place above it that is there."""
    there = os.path.abspath(folder)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    return there


def publishes_at_close(fs: AbstractFileSystem) -> bool:
    """Whether a file is seen only when it is whole: in an object store a temporary name would only mean a copy.

    Everything else (sftp, smb, ftp, hdfs …) shows a file while it grows, so it is written beside and renamed.
    """
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    return not protocols.isdisjoint(OBJECT_STORES)


def sync(file: Any) -> None:
    """Wait until what was written would survive a power cut."""
    file.flush()
    try:
        descriptor = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return  # a remote file has no descriptor: its store answers for durability
    os.fsync(descriptor)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder would survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HashingFile:
    """A writable file for ParquetWriter that hashes what passes: the shard's digest costs no second read."""

    def __init__(self, file: Any) -> None:
        self.file, self.sha256, self.size, self.closed = file, hashlib.sha256(), 0, False

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        written = len(memoryview(data).cast("B"))
        self.size += written
        self.file.write(data)
        return written

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.closed = True  # the file itself belongs to whoever opened it


def move(fs: AbstractFileSystem, temporary: str, path: str) -> None:
    """Give a file another name, in place of what has that name, on any file system."""
    if isinstance(fs, LocalFileSystem):
        os.replace(temporary, path)
        sync_folder(os.path.dirname(path))
        return
    try:
        fs.mv(temporary, path)
        if not fs.exists(temporary):
            return
    except Exception:  # smb raises an OSError when the name is taken, ftp an error of its own, webhdfs none at all
        if not (fs.exists(temporary) and fs.exists(path)):
            raise
    fs.rm_file(path)  # for a moment there is neither: a part without its manifest, which the next run makes again
    fs.mv(temporary, path)
