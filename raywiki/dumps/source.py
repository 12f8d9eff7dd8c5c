"""Bytes of a file at any place: a local path or any fsspec URL, read by ranges, retried where a network is between."""

from __future__ import annotations

import io
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import raywiki

RETRIES = 6  # with the waits below about half a minute in all
FIRST_WAIT = 0.5  # seconds; doubles each time
LONGEST_WAIT = 600.0  # seconds that a server may ask to be left alone (Retry-After), before it counts as failed
SILENCE = 30.0  # seconds without a byte after which a server counts as failed
# Wikimedia answers 403 to clients that do not say who they are (https://meta.wikimedia.org/wiki/User-Agent_policy).
USER_AGENT = f"raywiki/{raywiki.__version__} (https://pypi.org/project/raywiki; dump reader)"

PARTIAL = ".partial"  # ends the name of a file whose download is not finished

T = TypeVar("T")


def is_url(path: str) -> bool:
    return "://" in path and not path.startswith("file://")


class Source:
    """One file, opened when it is first read; `read(start, length)` gives exactly the bytes that the file has there."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: Any = None
        self._fs: Any = None
        self._key = path.removeprefix("file://")
        self.furthest = 0  # how far a SourceFile has read

    def __enter__(self) -> Source:
        if self.path.endswith(PARTIAL):  # a pattern such as dumps/* names it too
            raise ValueError(f"{self.path} is not whole: run its `raywiki download` again, which goes on from there")
        if is_url(self.path):
            self._fs, self._key = filesystem(self.path)
        else:
            try:
                self._file = open(self._key, "rb")
            except FileNotFoundError:
                raise FileNotFoundError(f"there is no dump file {self.path}: check the path") from None
            except IsADirectoryError:
                raise ValueError(f"{self.path} is a folder: name a dump file in it") from None
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def size(self) -> int:
        if self._file is not None:
            return Path(self._key).stat().st_size
        size = retry(lambda: self._fs.info(self._key)["size"], self.path)
        if size is None:
            raise ValueError(f"the server does not say how large {self.path} is: download the file first")
        return int(size)

    def read(self, start: int, length: int) -> bytes:
        """The bytes [start, start + length), fewer only where the file ends."""
        if self._file is not None:
            self._file.seek(start)
            return self._file.read(length)
        return retry(lambda: self._fetch(start, length), self.path)

    def _fetch(self, start: int, length: int) -> bytes:
        data = self._fs.cat_file(self._key, start=start, end=start + length)
        if len(data) > length:
            raise ValueError(f"the server of {self.path} cannot send a part of a file (no Range): download the file first")
        if len(data) < length:
            raise OSError(f"{len(data)} bytes came where {length} were asked for")
        return data


def retry(call: Callable[[], T], path: str, wait: Callable[[float], None] = time.sleep) -> T:
    """Call; after a network's fault wait and call again, a bounded number of times.

    A server that says when to come back (Retry-After) is left alone for that long, if it is not longer than LONGEST_WAIT.

    Args:
        call: what may fail.
        path: what it reads, for errors.
        wait: waits so many seconds; what it raises ends the retries.

    Raises:
        FileNotFoundError: the server says that there is no such file.
        PermissionError: it does not give the file to us.
        ConnectionError: it did not answer well after several attempts.
    """
    for attempt in range(RETRIES + 1):
        try:
            return call()
        except ValueError:
            raise
        except Exception as error:
            fault = _true_fault(error)
            if isinstance(fault, FileNotFoundError):
                raise FileNotFoundError(f"there is no dump file {path}: check the address") from None
            if isinstance(fault, PermissionError):
                raise PermissionError(f"no permission to read {path}: {fault}") from error
            seconds = _asked_wait(fault)
            if attempt == RETRIES or not _is_passing(fault) or seconds > LONGEST_WAIT:
                asks = f", and the server asks to come back in {seconds:,.0f} seconds" if seconds > LONGEST_WAIT else ""
                what = f"cannot read {path} after {attempt + 1} attempt{'s' * (attempt > 0)}: {_describe(fault)}{asks}"
                raise ConnectionError(what) from error
        wait(max(seconds, FIRST_WAIT * 2**attempt * random.uniform(0.75, 1.25)))
    raise AssertionError("unreachable")


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a path or URL, and the file's name in it."""
    import fsspec

    options: dict[str, Any] = {}
    try:
        if url.startswith("http"):
            import aiohttp

            timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE)
            options = {"client_kwargs": {"headers": {"User-Agent": USER_AGENT}, "timeout": timeout}}
        return fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise ValueError(f"cannot read {url}: {error}") from None


def _true_fault(error: BaseException) -> BaseException:
    """fsspec turns whatever a server answers to a first request into FileNotFoundError; only 404 and 410 are that."""
    if _status(error) in (404, 410):
        return FileNotFoundError()
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        return _true_fault(error.__cause__)
    return error


def _is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed in a moment: a network fault, or a server that says 408, 429 or 5xx."""
    status = _status(error)
    if status is not None and status >= 400:
        return status in (408, 429) or status >= 500
    if _is_unknown_name(error):
        return False
    network = ("aiohttp", "botocore", "asyncio", "requests", "urllib3")
    return isinstance(error, OSError | TimeoutError | EOFError) or type(error).__module__.split(".")[0] in network


def _is_unknown_name(error: BaseException) -> bool:
    """Whether the server's name is said to exist nowhere: it is mistyped, or there is no network at all."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, socket.gaierror):
            return inner.errno == socket.EAI_NONAME  # not EAI_AGAIN: whom to ask did not answer
        inner = getattr(inner, "os_error", None) or _reason(inner) or inner.__cause__ or inner.__context__
    return False


def _status(error: BaseException) -> int | None:
    """The HTTP status in an error of aiohttp's or requests'."""
    status = getattr(error, "status", getattr(getattr(error, "response", None), "status_code", None))
    return status if isinstance(status, int) else None


def _asked_wait(error: BaseException) -> float:
    """The seconds that a server's Retry-After asks for, as a number or a date; 0 where it does not, or not in a known form."""
    headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
    if not (asked := headers.get("Retry-After")):
        return 0.0
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        return float(Retry().parse_retry_after(asked))
    except InvalidHeader:
        return 0.0


def _describe(error: BaseException) -> str:
    """A status, or what failed in a few words: an error of requests' repeats the whole address and wraps the reason twice."""
    status = _status(error)
    if status is not None:
        return f"HTTP status {status}"
    reason = _reason(error)
    return f"{type(error).__name__} {error}".strip() if reason is None else str(reason).partition(": ")[2] or str(reason)


def _reason(error: BaseException) -> BaseException | None:
    """The error of urllib3's that one of requests' wraps, after all retries; None in others."""
    return getattr(error.args[0] if error.args else None, "reason", None)


class SourceFile(io.RawIOBase):
    """The source from its first byte on as a file that can only be read forward, as decompressors want it."""

    def __init__(self, source: Source, piece_bytes: int = 1 << 20) -> None:
        self._source, self._piece_bytes = source, piece_bytes
        self._size, self._at, self._piece = source.size(), 0, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._piece:
            self._piece = self._source.read(self._at, min(self._piece_bytes, self._size - self._at))
            self._at += len(self._piece)
            self._source.furthest = self._at
        data, self._piece = self._piece[: len(buffer)], self._piece[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
