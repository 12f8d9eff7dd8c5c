"""Files of every form, at every place: local, in memory, and behind a server that fails."""

from __future__ import annotations

import bz2
import gzip
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made_dumps import cut_at, dump_xml, one_stream, ranges_at, read_checked

from raywiki.dumps import DamagedDump, read_range, read_siteinfo, source, split_dump

TEXTS = [f"{i} ă " * (i % 7 * 300) for i in range(60)]
XML = dump_xml(TEXTS)


class Server(ThreadingHTTPServer):
    """Serves one file; `faults` says, request by request, what goes wrong: a status, "drop", "silence", or None."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.faults, self.with_ranges = data, list[object](), True
        self.requests: list[tuple[str, str | None, str | None]] = []
        self.is_over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/dump.xml.bz2"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        self.server.requests.append((self.command, self.headers.get("Range"), self.headers.get("User-Agent")))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if not self.path.startswith("/dump"):
            fault = 404
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "silence":
            self.server.is_over.wait(60)
            self.close_connection = True
            return
        data = self.server.data
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        self.send_response(206 if span and self.server.with_ranges else 200)
        if span and self.server.with_ranges:
            start, end = int(span[1]), int(span[2] or len(data) - 1)
            self.send_header("Content-Range", f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}")
            data = data[start : end + 1]
        if self.server.with_ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body and fault == "drop":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
        elif body:
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(source, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(source, "SILENCE", 0.2)
    server = Server(one_stream(cut_at(XML, range(0, len(XML), 3000))))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()


def test_http_reads_by_ranges_and_says_who_it_is(server) -> None:
    rows, _ = read_checked(split_dump(server.url, 4000))
    assert [row["text"] for row in rows] == TEXTS
    spans = [span for command, span, _ in server.requests if command == "GET"]
    assert all(spans)
    assert all(agent and agent.startswith("raywiki/") for _, _, agent in server.requests)


@pytest.mark.parametrize("fault", [503, 429, 500, "drop", "silence"])
def test_http_faults_that_pass(server, fault) -> None:
    ranges = split_dump(server.url, 4000)
    server.faults = [fault, None, fault, fault, fault, None, None, fault]
    rows, _ = read_checked(ranges)
    assert [row["text"] for row in rows] == TEXTS
    assert not server.faults


@pytest.mark.parametrize(("fault", "says"), [(503, "503"), ("drop", "attempts"), ("silence", "attempts")])
def test_http_faults_that_stay(server, fault, says) -> None:
    ranges = split_dump(server.url, 4000)
    server.faults = [fault] * 1000
    with pytest.raises(ConnectionError, match=says) as caught:
        read_checked(ranges)
    assert server.url in str(caught.value)
    assert len(server.faults) >= 1000 - source.RETRIES - 1
    server.faults = [fault] * 1000
    with pytest.raises(ConnectionError, match=re.escape(server.url)):
        read_siteinfo(server.url)


def test_http_errors_that_no_patience_helps(server) -> None:
    with pytest.raises(FileNotFoundError, match="no dump file"):
        read_siteinfo(server.url.replace("/dump", "/other"))
    server.faults = [403] * 10
    with pytest.raises(OSError, match="403"):
        read_siteinfo(server.url)
    assert len(server.faults) >= 8


def test_a_server_that_ignores_range_is_refused(server) -> None:
    server.with_ranges = False
    with pytest.raises(ValueError, match="download the file first"):
        read_checked(split_dump(server.url, 4000))


def test_any_fsspec_url() -> None:
    import fsspec

    with fsspec.open("memory://dumps/viwiki.xml.bz2", "wb") as file:
        file.write(bz2.compress(XML))
    rows, _ = read_checked(split_dump("memory://dumps/viwiki.xml.bz2", 2000))
    assert [row["text"] for row in rows] == TEXTS
    with pytest.raises(FileNotFoundError, match="no dump file memory://dumps/other"):
        split_dump("memory://dumps/other.bz2")


def test_file_urls_and_names_that_say_nothing(tmp_path) -> None:
    path = tmp_path / "a dump without a proper name"
    path.write_bytes(bz2.compress(XML))
    rows, _ = read_checked(split_dump(f"file://{path}"))
    assert len(rows) == len(TEXTS)


def test_gz_is_one_range(tmp_path) -> None:
    path = tmp_path / "dump.xml.gz"
    cut = len(XML) // 3
    path.write_bytes(gzip.compress(XML[:cut]) + gzip.compress(XML[cut:]))
    ranges = split_dump(str(path), 1024)
    assert len(ranges) == 1
    rows, report = read_checked(ranges)
    assert [row["text"] for row in rows] == TEXTS
    assert report.counts["xml_bytes"] == len(XML)


@pytest.mark.parametrize("kind", ["cut", "flip"])
def test_damaged_gz(tmp_path, kind) -> None:
    path = tmp_path / "dump.xml.gz"
    data = bytearray(gzip.compress(XML, 1))
    if kind == "cut":
        del data[-50:]
    else:
        data[len(data) // 2] ^= 8
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedDump, match="damaged at bytes"):
        read_checked(split_dump(str(path)))
    rows, report = read_checked(split_dump(str(path)), allow_damaged=True)
    assert len(rows) <= len(TEXTS)
    assert report.damage


def test_zst(tmp_path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="needs the zstd extra")
    path = tmp_path / "dump.xml.zst"
    cut = len(XML) // 3
    data = zstandard.compress(XML[:cut]) + zstandard.compress(XML[cut:])
    path.write_bytes(data)
    rows, report = read_checked(split_dump(str(path)))
    assert [row["text"] for row in rows] == TEXTS
    assert report.n_ranges == 1
    path.write_bytes(data[:-30])
    with pytest.raises(DamagedDump):
        read_checked(split_dump(str(path)))


def test_zst_without_its_library_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    path = tmp_path / "dump.xml.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd and more")
    with pytest.raises(ValueError, match=r"raywiki\[zstd\]"):
        split_dump(str(path))


def test_only_the_range_is_read(tmp_path, monkeypatch) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(XML)
    ranges = split_dump(str(path), 20_000)
    seen: list[tuple[int, int]] = []
    read = source.Source.read

    def watched(self: source.Source, start: int, length: int) -> bytes:
        data = read(self, start, length)
        seen.append((start, start + len(data)))
        return data

    monkeypatch.setattr(source.Source, "read", watched)
    monkeypatch.setattr("raywiki.dumps.decode.PIECE_BYTES_PAST_END", 4000)
    for _ in read_range(ranges[2]):
        pass
    assert min(start for start, _ in seen) == ranges[2].start
    assert max(end for _, end in seen) <= ranges[2].end + 12_000


def test_ranges_follow_from_the_size_alone(tmp_path) -> None:
    path = tmp_path / "dump.xml"
    for size, n_ranges in [(600_000, 3), (1_000_000, 4), (10_000_000, 16)]:
        path.write_bytes(XML + b" " * (size - len(XML)))
        ranges = split_dump(str(path))
        assert len(ranges) == n_ranges
        assert [r.start for r in ranges[1:]] == [r.end for r in ranges[:-1]]
        assert (ranges[0].start, ranges[-1].end) == (0, size)
    with open(path, "r+b") as file:
        file.truncate(3 << 30)  # sparse
    assert {r.end - r.start for r in split_dump(str(path))} == {64 << 20}
    with pytest.raises(ValueError, match="range_bytes is 5"):
        split_dump(str(path), 5)


def test_a_file_that_becomes_shorter_while_it_is_read(tmp_path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(XML)
    ranges = ranges_at(path, [len(XML) // 2])
    path.write_bytes(XML[: len(XML) // 3])
    with pytest.raises(DamagedDump, match="shorter"):
        read_checked(ranges)


def test_a_name_that_nobody_knows_is_asked_for_once():
    requests, asked = pytest.importorskip("requests"), []

    def ask(number: int) -> None:
        asked.append(number)
        try:
            raise socket.gaierror(number, "Name or service not known")
        except socket.gaierror as error:
            raise requests.ConnectionError("no connection") from error

    with pytest.raises(ConnectionError, match="cannot read http://nowhere/list after 1 attempt: "):
        source.retry(lambda: ask(socket.EAI_NONAME), "http://nowhere/list", lambda _: pytest.fail("waits"))
    with pytest.raises(ConnectionError, match="after 7 attempts"):
        source.retry(lambda: ask(socket.EAI_AGAIN), "http://nowhere/list", lambda _: None)
    assert asked == [socket.EAI_NONAME] + [socket.EAI_AGAIN] * 7


def test_a_server_that_is_not_there_is_told_in_few_words(monkeypatch):
    requests = pytest.importorskip("requests")
    monkeypatch.setattr(source, "RETRIES", 0)
    with pytest.raises(ConnectionError) as told:
        source.retry(lambda: requests.get("http://127.0.0.1:9/list"), "http://127.0.0.1:9/list")
    assert re.fullmatch(
        r"cannot read http://127\.0\.0\.1:9/list after 1 attempt: Failed to establish a new connection: .*refused",
        str(told.value),
    )
