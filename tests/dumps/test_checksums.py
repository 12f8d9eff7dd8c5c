"""A dump's own checksums, and the list of them that lies beside it, in a folder or behind a server that fails."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raywiki.dumps import source
from raywiki.dumps.checksums import dump_digests, listed_digest

NAME = "xxwiki-20260101-pages-articles1.xml-p1p9.bz2"
SHA1, SHA256 = hashlib.sha1(b"content").hexdigest(), hashlib.sha256(b"content").hexdigest()


def test_the_list_beside_a_dump_is_found(tmp_path):
    dump = tmp_path / NAME
    dump.write_bytes(b"content")
    assert listed_digest(str(dump)) is None
    sums = tmp_path / "xxwiki-20260101-sha1sums.txt"
    sums.write_text(f"{'0' * 40}  other.bz2\n{SHA1}  {dump.name}\n")
    assert listed_digest(str(dump)) == ("sha1", SHA1, str(sums))
    (tmp_path / "SHA256SUMS").write_text(f"{SHA256} *{dump.name}\n")
    assert listed_digest(str(dump)) == ("sha256", SHA256, str(tmp_path / "SHA256SUMS"))


def test_digests_are_of_the_whole_file(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(b"content")
    assert dump_digests(str(tmp_path / NAME)) == {"sha256": SHA256}
    monkeypatch.setattr("raywiki.dumps.checksums._PIECE_BYTES", 3)
    assert dump_digests(f"file://{tmp_path / NAME}", ("sha256", "sha1")) == {"sha256": SHA256, "sha1": SHA1}
    with pytest.raises(FileNotFoundError, match="no dump file"):
        dump_digests(str(tmp_path / "other.bz2"))


class Handler(SimpleHTTPRequestHandler):
    """A folder with an index page, as Wikimedia's server shows it; refuses clients without a name, as that one does."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        faults, agent = self.server.faults, self.headers.get("User-Agent", "")
        fault = faults.pop(0) if faults else None
        if fault is None and agent.startswith("raywiki/"):
            return super().send_head()
        if fault == "drop":
            self.close_connection = True
        else:
            self.send_error(403 if fault is None else fault)
        return None

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(source, "FIRST_WAIT", 0.001)
    (tmp_path / NAME).write_bytes(b"content")
    (tmp_path / "xxwiki-20260101-sha1sums.txt").write_text(f"{SHA1}  {NAME}\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    server.faults = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url_of(server: ThreadingHTTPServer, name: str = NAME) -> str:
    return f"http://127.0.0.1:{server.server_port}/{name}"


@pytest.mark.parametrize("fault", [None, 503, 429, "drop"])
def test_over_http_faults_are_waited_out(server, fault):
    server.faults = [fault, None, fault, fault, None, fault]
    assert listed_digest(url_of(server)) == ("sha1", SHA1, url_of(server, "xxwiki-20260101-sha1sums.txt"))
    server.faults = [fault, None, fault, fault, None, fault]
    assert dump_digests(url_of(server)) == {"sha256": SHA256}


@pytest.mark.parametrize("fault", [503, "drop"])
def test_over_http_faults_that_stay(server, fault):
    server.faults = [fault] * 1000
    with pytest.raises(ConnectionError, match=r"cannot read .* after 7 attempts"):
        dump_digests(url_of(server))


def test_a_folder_that_the_server_does_not_list_has_no_list(server, tmp_path: Path):
    server.faults = [403]
    assert listed_digest(url_of(server)) is None
    (tmp_path / "index.html").write_text("<html>no links here</html>")
    assert listed_digest(url_of(server)) is None


def test_a_list_that_cannot_be_read_is_not_passed_over(server):
    server.faults = [None, *[503] * 1000]
    with pytest.raises(ConnectionError, match="sha1sums"):
        listed_digest(url_of(server))
