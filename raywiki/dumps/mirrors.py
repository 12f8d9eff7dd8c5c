"""Places that dumps are had from: the main site, a mirror of it, a folder that is a copy of one; read politely.

Of a web server, one request at a time and thread, each on a connection of its own that is closed after it, so that as many are
open as there are threads; the callers start CONNECTIONS at most. The server learns who asks, and a Retry-After is honoured.
requests does it, which tiktoken and Ray bring along; aiohttp is an extra.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from raywiki.dumps import source
from raywiki.dumps.listing import read_index
from raywiki.dumps.source import USER_AGENT, retry

MAIN_SITE = "https://dumps.wikimedia.org"
CONNECTIONS = 3  # what Wikimedia allows to one address (https://dumps.wikimedia.org)
CHUNK_BYTES = 1 << 16  # so small that even on a slow line each takes a moment


class Interrupted(BaseException):
    """Raised in the threads of a call that ends early: no fault, so nothing tries again."""


class Connections:
    """What the threads of one call share: whether it ends early, the streams that are open, and who hears of long waits."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._is_over, self._streams, self._say = threading.Event(), set[Any](), say

    def interrupt(self) -> None:
        """Let every thread that waits, reads or reads next raise `Interrupted`, or end soon."""
        self._is_over.set()
        for stream in list(self._streams):
            with suppress(Exception):  # it may just have ended by itself
                stream.wake()

    def check(self) -> None:
        if self._is_over.is_set():
            raise Interrupted()

    def wait(self, seconds: float) -> None:
        if self._say is not None and seconds >= 1:
            self._say(f"waiting {seconds:,.0f} s before a server is asked again")
        if self._is_over.wait(seconds):
            raise Interrupted()

    def add(self, stream: Any) -> None:
        self._streams.add(stream)
        self.check()

    def discard(self, stream: Any) -> None:
        self._streams.discard(stream)


class Stream(Protocol):
    """A file that is being read: from byte `start` on, of `total` bytes in all, None where nobody tells."""

    start: int
    total: int | None
    is_broken: bool  # whether it ended before its end

    def chunks(self) -> Iterator[bytes]:
        """What comes, until the end or until the connection breaks."""

    def close(self) -> None: ...


class Mirror(Protocol):
    """A place with the layout of the main site. Paths lead from its root.

    Each method raises FileNotFoundError where there is nothing, and another OSError where the place cannot be read.
    """

    url: str

    def read(self, path: str) -> bytes:
        """The content of a small file."""

    def names(self, path: str) -> dict[str, int | None]:
        """What lies in a folder (folders may end with `/`), with sizes in bytes where they are told."""

    def size(self, path: str) -> int | None:
        """The bytes of a file, None where they are not told."""

    def open(self, path: str, start: int) -> Stream:
        """A file from byte `start` on, or from 0 where the place cannot do that. Its first chunk has come."""


def mirror_at(place: str, connections: Connections) -> Mirror:
    """The mirror at an address, or in a folder at any path or URL of fsspec's.

    Raises:
        ValueError: the address is none.
        FileNotFoundError: there is no such folder.
    """
    if not place:  # as an unset variable of a shell gives it: it would be the working folder
        raise ValueError(f"a mirror has no address: give one such as {MAIN_SITE}, or a folder")
    if place.startswith(("http://", "https://")):
        return Website(place, connections)
    return Folder(place, connections)


class Website:
    """A mirror behind HTTP."""

    def __init__(self, url: str, connections: Connections) -> None:
        self.url, self._connections = url.rstrip("/"), connections
        if not self.url.partition("://")[2].strip("/"):
            raise ValueError(f"{url} is no address of a mirror: give one such as {MAIN_SITE}")

    def read(self, path: str) -> bytes:
        return self._patiently(lambda: self._ask("GET", path).content, path)

    def names(self, path: str) -> dict[str, int | None]:
        return read_index(self.read(f"{path.rstrip('/')}/").decode("utf-8", "replace"))

    def size(self, path: str) -> int | None:
        return self._patiently(lambda: _number(self._ask("HEAD", path).headers.get("Content-Length")), path)

    def open(self, path: str, start: int) -> Stream:
        return self._patiently(lambda: self._open(path, start), path)

    def _open(self, path: str, start: int) -> Stream:
        try:
            response = self._ask("GET", path, {"Range": f"bytes={start}-"} if start else {}, stream=True)
        except Exception as error:
            # 416: there is nothing behind `start`, so what is there is not the beginning of this file.
            if start and getattr(getattr(error, "response", None), "status_code", None) == 416:
                return self._open(path, 0)
            raise
        return Download(response, self._connections)

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, stream: bool = False) -> Any:
        import requests

        self._connections.check()
        # Uncompressed on the way: a .bz2 file as it lies there, whatever the server calls its encoding.
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
        patience = (source.SILENCE, source.SILENCE)  # to connect, and between two bytes
        response = requests.request(method, self._url(path), headers=sent, stream=stream, timeout=patience)
        try:
            response.raise_for_status()
        except BaseException:
            response.close()
            raise
        return response

    def _url(self, path: str) -> str:
        return f"{self.url}/{path}"

    def _patiently(self, call: Callable[[], Any], path: str) -> Any:
        return retry(call, self._url(path), self._connections.wait)


class Download:
    """What a web server sends of a file."""

    def __init__(self, response: Any, connections: Connections) -> None:
        self.response, self.connections, self.is_broken = response, connections, False
        self.start, self.total = _span(response.status_code, response.headers)
        try:
            connections.add(self)
            self._first = self._next()
        except BaseException:
            self.close()
            raise

    def chunks(self) -> Iterator[bytes]:
        piece = self._first
        while piece:
            yield piece
            try:
                piece = self._next()
            except Exception:
                self.connections.check()
                self.is_broken = True
                return

    def _next(self) -> bytes:
        return self.response.raw.read(CHUNK_BYTES, decode_content=False)

    def wake(self) -> None:
        """Let a thread that waits for bytes go on, with an error."""
        self.response.raw.shutdown()

    def close(self) -> None:
        self.connections.discard(self)
        self.response.close()


def _span(status: int, headers: Any) -> tuple[int, int | None]:
    """The first byte of an answer, and how many the whole file has: Content-Range is "bytes 100-199/200"."""
    if status != 206:
        return 0, _number(headers.get("Content-Length"))
    span, _, total = headers.get("Content-Range", "").removeprefix("bytes").strip().partition("/")
    if (start := _number(span.partition("-")[0])) is None:
        raise ConnectionError("a part of the file came, and nothing said which part")
    return start, _number(total)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None


class Folder:
    """A mirror that lies in a folder, at a path or any URL of fsspec's."""

    def __init__(self, url: str, connections: Connections) -> None:
        from fsspec.core import url_to_fs

        try:
            self.fs, root = url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ValueError(f"no mirror can be at {url} ({error}): give an address such as {MAIN_SITE}, or a folder") from None
        self.url, self._root, self._connections = url, root.rstrip("/"), connections
        if not self.fs.isdir(root):
            raise FileNotFoundError(
                f"there is no folder {url}: give the address of a mirror, or a folder that is a copy of one"
            )

    def read(self, path: str) -> bytes:
        return bytes(self.fs.cat_file(self._path(path)))

    def names(self, path: str) -> dict[str, int | None]:
        found = self.fs.ls(self._path(path), detail=True)
        return {each["name"].rstrip("/").rpartition("/")[2]: each.get("size") for each in found}

    def size(self, path: str) -> int | None:
        return self.fs.info(self._path(path))["size"]

    def open(self, path: str, start: int) -> Stream:
        return Copy(self.fs.open(self._path(path), "rb"), f"{self.url}/{path}", start, self.size(path), self._connections)

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")


class Copy:
    """What is read of a file in a folder."""

    def __init__(self, file: Any, url: str, start: int, total: int | None, connections: Connections) -> None:
        self.file, self.url, self.start, self.total, self.connections = file, url, start, total, connections
        self.is_broken = False
        file.seek(start)

    def chunks(self) -> Iterator[bytes]:
        while piece := self._next():
            self.connections.check()
            yield piece

    def _next(self) -> bytes:
        try:
            return self.file.read(1 << 20)
        except OSError as error:
            raise ConnectionError(f"cannot read {self.url}: {error}") from error

    def close(self) -> None:
        self.file.close()
