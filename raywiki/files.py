"""Files on any file system of fsspec: written in one step, kept through a power cut, hashed on the way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

# Protocols of stores where one request makes a whole object.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "ocilake", "oci", "tos", "obs", "hf"}
LISTS_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}  # those of them that remember listings, unless told otherwise
_ADVICE = "see that the store can be reached, then run the same again"


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a path or URL and its path there; of a store, one that asks anew each time what is there.

    Others list a folder once and believe it from then on, though another process has written since.
    """
    cached = {"use_listings_cache": False} if url.partition("://")[0] in LISTS_ONCE else {}
    return url_to_fs(url, **cached)


def absolute(path: str) -> str:
    """A path or URL that means the same in every working folder.

    >>> absolute("s3://bucket/part.bz2"), absolute("part.bz2").startswith("/")
    ('s3://bucket/part.bz2', True)
    """
    return LocalFileSystem._strip_protocol(path) if "://" not in path or path.startswith("file://") else path


def local_folder(place: str | os.PathLike[str], whose: str) -> str:
    """The path of a folder that can only be on this machine, its own or as `file://…` has it.

    A URL would pass for a path and make a folder named `s3:`.

    Args:
        place: path or URL.
        whose: what lies in the folder, for the sentence.

    Raises:
        ValueError: it is a URL of another place.

    >>> local_folder("file:///tmp/demo", "the demo")
    '/tmp/demo'
    """
    path = os.fspath(place)
    if path.startswith(("file://", "local://")):
        return str(LocalFileSystem._strip_protocol(path))
    if "://" in path:
        raise ValueError(f"{path} is no folder of this machine, and {whose} must lie in one: give its path")
    return path


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
    with writing(fs, path) as file:
        file.write(data)


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
    filled = (table for table in tables if table.num_rows)
    first, rows = next(filled, None), 0
    if first is None:
        return None
    with writing(fs, path) as file:
        sink = HashingFile(file)
        with pq.ParquetWriter(sink, schema, **options) as writer:
            for table in chain([first], filled):
                writer.write_table(table, row_group_size=table.num_rows)
                rows += table.num_rows
    return rows, sink.size, sink.sha256.hexdigest()


@contextmanager
def writing(fs: AbstractFileSystem, path: str) -> Iterator[Any]:
    """A binary file that takes the place of `path` when the block ends well. When not, nothing is seen of it.

    Raises:
        OSError: as `replacing` does.
    """
    with replacing(fs, path) as temporary:
        file = fs.open(temporary, "wb")
        try:
            yield file
            sync(file)
        except BaseException:
            _abandon(file, fs)
            raise
        file.close()


def _abandon(file: Any, fs: AbstractFileSystem) -> None:
    """Give up an open file: to close it would publish, under its own name, what a store has of it so far."""
    if not publishes_at_close(fs):
        file.close()
        return
    with suppress(Exception):  # parts that cannot be taken back now are seen by nobody, and the store's rules remove them
        file.discard()
    file.closed = True


def create(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    """Write a small file where there is none; whether this call did. Of several at once, one does.

    A store does it by a conditional put (`If-None-Match: *` of S3), a file system by opening it exclusively. `data` is to be
    of this call alone: by it a request is known that came through though its answer was lost.
    """
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    try:
        fs.pipe_file(path, data, mode="create")
        return True
    except Exception:
        fs.invalidate_cache(path.rpartition("/")[0])
        try:
            return bool(fs.cat_file(path) == data)
        except FileNotFoundError:
            if not isinstance(fs, LocalFileSystem) and not fs.exists(path.partition("/")[0]):
                raise  # there is no such bucket
        return False  # it was there, and is gone


def store_error(error: BaseException, url: str = "") -> OSError | None:
    """The error of a store's library as an OSError of one sentence; None for any other error.

    What the libraries raise of their own (botocore, aiohttp …) is no OSError, and says little.
    """
    kind, package = type(error).__name__, type(error).__module__.partition(".")[0]
    where, said = url or "the store", " ".join(str(error).split())
    if "Credentials" in kind or kind == "TokenRetrievalError":
        ask = "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return PermissionError(f"{where}: there are no credentials ({said.lower()}): {ask}")
    if package in ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure") or kind == "FSTimeoutError":
        return ConnectionError(f"{where} does not answer ({said[:300] or kind}): {_ADVICE}")
    if not (isinstance(error, OSError) and "botocore" in type(error.__cause__).__module__):
        return None
    if isinstance(error, PermissionError):
        return PermissionError(f"{where} refuses these credentials ({said}): check the key, the secret, and what they may do")
    if isinstance(error, FileNotFoundError):
        if "bucket" not in said:
            return None
        said = said[:1].lower() + said[1:].rstrip(".")
        return FileNotFoundError(f"{where}: {said}: make the bucket first, or correct its name")
    said = " ".join(str(error.strerror or error).split()).rstrip(".")
    return OSError(f"{where} could not do it ({said}): see that it runs and has room, then run the same again")


@contextmanager
def asking(url: str) -> Iterator[None]:
    """What a store answers inside comes as an OSError of one sentence, see `store_error`."""
    try:
        yield
    except Exception as error:
        if (plain := store_error(error, url)) is None:
            raise
        raise plain from error


def modified(info: Mapping[str, Any]) -> float:
    """When a file was written, by what a listing says of it, in seconds; 0 where that does not tell."""
    when = info.get("mtime") or info.get("LastModified") or info.get("last_modified") or info.get("created") or 0
    return when.timestamp() if hasattr(when, "timestamp") else float(when)


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
