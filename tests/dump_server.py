"""A dump server on loopback: both layouts, and what goes wrong at one, request by request; it counts what it gives."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CONTENT = "other/mediawiki_content_current"
PIECE = 16_384  # bytes that are sent at once


def body(seed: int, size: int = 300_000) -> bytes:
    """Bytes that stand for a file, the same for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def classic(wiki: str, date: str, bodies: Mapping[str, bytes], status: str = "done", **changes: Any) -> dict[str, bytes]:
    """A dump in the classic layout, by path; `changes` of its job, such as `files={}`."""
    described = {
        name: {"size": len(data), "url": f"/{wiki}/{date}/{name}", "md5": hashlib.md5(data).hexdigest(),
               "sha1": hashlib.sha1(data).hexdigest()}
        for name, data in bodies.items()
    }  # fmt: skip
    job = {"status": status, "updated": f"{date} 10:00:00", "files": described, **changes}
    jobs = {"articlesdump": job, "articlesmultistreamdump": {"status": "done", "files": {"other.bz2": {"size": 1}}}}
    content = {f"{wiki}/{date}/{name}": data for name, data in bodies.items()}
    return {**content, f"{wiki}/{date}/dumpstatus.json": json.dumps({"version": "0.8", "jobs": jobs}).encode()}


def content(wiki: str, date: str, files: Mapping[str, bytes], folder: str | None = None) -> dict[str, bytes]:
    """A content export by path, below its usual folder or another one."""
    folder = f"{CONTENT}/{wiki}/{date}/xml/bzip2/" if folder is None else folder
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    return {**{f"{folder}{name}": data for name, data in files.items()}, f"{folder}SHA256SUMS": sums.encode()}


def write_copy(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder, as one who copied the place has it."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


class DumpServer(ThreadingHTTPServer):
    """Serves `files` by path, and index pages of their folders.

    `faults[path]` says request by request what goes wrong with a GET: a status, (status, headers), "drop" half-way to the end,
    "stall" there until `is_over`, bytes to send instead, or None. `meet` lets so many requests for files wait for each other.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults = dict(files), dict[str, list[Any]]()
        self.with_ranges = self.with_sizes = True
        self.asked: list[tuple[str, str | None, str]] = []  # path, Range, User-Agent
        self.sent: dict[str, int] = {}  # bytes of files, by path
        self.open, self.most_open, self.lock = 0, 0, threading.Lock()
        self.is_over, self.meet = threading.Event(), threading.Barrier(1)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def ranges(self, path: str) -> list[str | None]:
        """The Range of each request for a file."""
        return [asked for each, asked, _ in self.asked if each == path]


class Handler(BaseHTTPRequestHandler):
    server: DumpServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.open += 1
            self.server.most_open = max(self.server.most_open, self.server.open)

    def finish(self) -> None:
        with self.server.lock:
            self.server.open -= 1
        super().finish()

    def do_HEAD(self) -> None:
        if not self.server.with_sizes:
            self._head(405, {"Content-Length": "0"})
            return
        self._head(200, {"Content-Length": str(len(self.server.files[self.path.lstrip("/")]))})

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.server.asked.append((path, self.headers.get("Range"), self.headers["User-Agent"]))
        fault = self.server.faults[path].pop(0) if self.server.faults.get(path) else None
        data = fault if isinstance(fault, bytes) else self.server.files.get(path, self._index(path))
        if isinstance(fault, int | tuple) or data is None:
            status, headers = fault if isinstance(fault, tuple) else (fault or 404, {})
            self._head(status, {"Content-Length": "0", **headers})
            return
        if path.endswith(".bz2"):
            self.server.meet.wait(20)
        self._send(path, data, fault)

    def _send(self, path: str, data: bytes, fault: Any) -> None:
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "") if self.server.with_ranges else None
        start = int(span[1]) if span else 0
        if span and start >= len(data):
            self._head(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(data)}"})
            return
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if span else {}
        self._head(206 if span else 200, {"Content-Length": str(len(data) - start), **headers})
        end = (start + len(data)) // 2 if fault in ("drop", "stall") else len(data)
        for at in range(start, end, PIECE):
            with self.server.lock:  # before it is sent: who has it may look at once
                self.server.sent[path] = self.server.sent.get(path, 0) + min(at + PIECE, end) - at
            self.wfile.write(data[at : min(at + PIECE, end)])
        if fault == "stall":
            self.wfile.flush()
            self.server.is_over.wait(60)
        self.close_connection = self.close_connection or fault in ("drop", "stall")

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _index(self, path: str) -> bytes | None:
        """As nginx writes it."""
        if not path.endswith("/"):
            return None
        sizes: dict[str, str] = {}
        for name, data in self.server.files.items():
            if name.startswith(path):
                first, slash, _ = name[len(path) :].partition("/")
                sizes[first + slash] = str(len(data)) if not slash and self.server.with_sizes else "-"
        lines = [f'<a href="{name}">{name}</a>   01-Nov-2025 10:00   {size}\n' for name, size in sizes.items()]
        return "".join(['<html><pre><a href="../">../</a>\n', *lines]).encode() if lines else None

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[DumpServer]:
    server = DumpServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()
