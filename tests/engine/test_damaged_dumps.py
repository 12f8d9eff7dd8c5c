"""Dumps that are cut, have a flipped bit or come from a server that fails, through the verb: the same table or an error."""

from __future__ import annotations

import random
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "dumps"))
from made_dumps import HEAD, TAIL, cut_at, one_stream, page_xml

import raywiki as rw
from raywiki.corpus import SUMS, Corpus, Manifest
from raywiki.dumps import DamagedDump, source, split_dump
from raywiki.engine import cluster, extract_plan
from raywiki.engine import extract as extract_module

N_PAGES, N_RANGES, BLOCK_BYTES = 60, 3, 4000
NAME = "viwiki-20260101-pages-articles1.xml-p1p60.bz2"
WORDS = ["one", "two", "[[three|3]]", "'''four'''", "{{five|6=7}}", "Việt", "<b>Нам</b>", "&amp;", "\n\n", "==", "漢字", "==\n"]


def dump(wiki: str = "viwiki") -> bytes:
    """A dump of about 100 small bzip2 blocks in one stream; pages end anywhere in a block and some take several."""
    rng, pages = random.Random(1), ""
    for i in range(1, N_PAGES + 1):
        text = " ".join(rng.choices(WORDS, k=rng.choice([5, 60, 600, 2500])))
        pages += page_xml(i, text, namespace=6 if i % 11 == 0 else 0, redirect="Page 1" if i % 7 == 0 else None)
    xml = (HEAD.replace("viwiki<", f"{wiki}<") + pages + TAIL).encode()
    return one_stream(cut_at(xml, range(2000, len(xml), BLOCK_BYTES)))


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch) -> None:
    """The driver makes the ranges and sends them to the workers, so this reaches those too."""
    monkeypatch.setattr(extract_plan, "split_dump", in_ranges)


def in_ranges(path: str) -> list[Any]:
    size = split_dump(path)[-1].size
    return split_dump(path, max(1024, -(-size // N_RANGES)))


@pytest.fixture(scope="module")
def whole(ray_session, tmp_path_factory) -> tuple[bytes, Manifest, list[dict[str, Any]]]:
    """The dump's bytes, and the manifest and the rows that they give when nothing happens to them."""
    data, folder = dump(), tmp_path_factory.mktemp("whole")
    (folder / NAME).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract_plan, "split_dump", in_ranges)
        rw.extract(folder / "corpus", folder / NAME)
    [manifest] = Corpus(folder / "corpus").manifests("articles").values()
    assert len(manifest.shards) == N_RANGES
    assert manifest.counts["pages"] == N_PAGES
    return data, manifest, rows_of(folder / "corpus")


def rows_of(corpus: Path, part: str | None = None) -> list[dict[str, Any]]:
    frame = rw.scan_articles(corpus, part and [part]).collect()
    return frame.drop("part").rows(named=True)


def content(manifest: Manifest) -> list[Any]:
    """What must not change with a dump's bytes as long as its pages are the same."""
    return [manifest.counts, [(shard.rows, shard.bytes, shard.sha256) for shard in manifest.shards]]


def cut(data: bytes, rng: random.Random, start: int = 0) -> tuple[bytes, int]:
    at = rng.randrange(start, len(data))
    return data[:at], at


def flip(data: bytes, rng: random.Random, start: int = 0) -> tuple[bytes, int]:
    at = rng.randrange(start, len(data))
    return flip_bit(data, at, rng.randrange(8)), at


def flip_bit(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def try_damaged(data: bytes, at: int, whole: tuple, folder: Path) -> ValueError | None:
    """Extract a damaged dump: the undisturbed table, or the error that is documented and nothing committed."""
    folder.mkdir()
    (folder / NAME).write_bytes(data)
    refused = None
    try:
        rw.extract(folder / "corpus", folder / NAME)
    except ValueError as error:
        refused = error
    manifests = list(Corpus(folder / "corpus").manifests("articles").values())
    if refused is None:
        assert [content(manifest) for manifest in manifests] == [content(whole[1])]
        assert rows_of(folder / "corpus") == whole[2]
        return None
    assert manifests == []
    assert str(folder / NAME) in str(refused)
    if isinstance(refused, DamagedDump):
        assert re.search(
            r"at bytes [\d,]+ to [\d,]+: .*(page \d+|no page) comes before, (page \d+|no page) after", str(refused)
        )
        assert any(place.start <= at <= place.end for place in refused.damage), (at, refused.damage)
    else:
        assert at < 4, refused  # "BZh" tells that it is bzip2
    return refused


@pytest.mark.parametrize("damage", [cut, flip])
def test_twenty_random_places(damage, whole, tmp_path):
    rng = random.Random(f"{damage.__name__} 1")
    outcomes = [try_damaged(*damage(whole[0], rng), whole, tmp_path / str(i)) for i in range(20)]
    assert sum(isinstance(outcome, DamagedDump) for outcome in outcomes) >= 18


def test_a_bit_that_holds_no_data_changes_nothing(whole, tmp_path):
    """The level in a stream's header says only how large its blocks may be."""
    assert whole[0].startswith(b"BZh9")
    assert try_damaged(flip_bit(whole[0], 3, 0), 3, whole, tmp_path / "level") is None


def test_no_dump_without_its_first_bytes(whole, tmp_path):
    for i, data in enumerate([b"", flip_bit(whole[0], 0, 0)]):
        assert re.search("is empty|is no MediaWiki dump", str(try_damaged(data, 0, whole, tmp_path / str(i))))


def test_the_rest_is_committed_when_that_is_asked_for(whole, tmp_path):
    rng, at, paths = random.Random(3), dict[str, int](), []
    for i, damage in enumerate([cut, flip] * 3):
        wiki = f"x{'abcdef'[i]}wiki"
        data, at[wiki] = damage(dump(wiki), rng, start=3000)  # behind the head
        paths.append(tmp_path / NAME.replace("viwiki", wiki))
        paths[-1].write_bytes(data)
    summary = rw.extract(tmp_path / "corpus", paths, allow_damaged=True)
    manifests = Corpus(tmp_path / "corpus").manifests("articles")
    assert len(summary.committed) == len(manifests) == 6
    right = {row["page_id"]: row for row in whole[2]}
    for part, manifest in manifests.items():
        rows, gaps = rows_of(tmp_path / "corpus", part), manifest.notes["gaps"]
        assert any(gap["start"] <= at[manifest.notes["wiki"]] <= gap["end"] for gap in gaps)
        assert any(part in warning and "damaged at bytes" in warning for warning in summary.warnings)
        assert [row for row in rows if row != right[row["page_id"]]] == []
        between = [(gap["page_before"] or 0, gap["page_after"] or N_PAGES + 1) for gap in gaps]
        for lost in right.keys() - {row["page_id"] for row in rows}:
            assert any(before <= lost <= after for before, after in between), (lost, between)
        total, terms = SUMS["articles"]
        assert manifest.counts[total] == sum(manifest.counts[term] for term in terms)
        assert manifest.counts["articles"] == manifest.rows == len(rows) > 0
        assert manifest.counts["pages"] < N_PAGES or manifest.counts["errors"]


def test_a_damaged_part_does_not_hold_up_the_others(whole, tmp_path):
    (tmp_path / NAME).write_bytes(whole[0])
    damaged = tmp_path / NAME.replace("viwiki", "xawiki")
    damaged.write_bytes(cut(dump("xawiki"), random.Random(4), start=3000)[0])
    with pytest.raises(DamagedDump, match=damaged.name):
        rw.extract(tmp_path / "corpus", [damaged, tmp_path / NAME])
    [manifest] = Corpus(tmp_path / "corpus").manifests("articles").values()
    assert manifest.digest == whole[1].digest


class Server(ThreadingHTTPServer):
    """Serves one file by ranges; `fault(request, count)` says what goes wrong when a request comes for the count-th time."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.seen, self.faults = data, Counter[str](), Counter[object]()
        self.fault: Callable[[str, int], object] = lambda request, count: None
        self.url = f"http://127.0.0.1:{self.server_port}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        data, span = self.server.data, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        request = f"{self.command} {self.path} {span and span[0]}"
        fault = self.server.fault(request, self.server.seen[request])
        self.server.seen[request] += 1
        self.server.faults[fault] += 1
        status = fault if isinstance(fault, int) else 404 if not self.path.endswith(NAME) else 206 if span else 200
        body = b"" if status >= 400 else data[int(span[1]) : int(span[2]) + 1] if span else data
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {span[1]}-{int(span[1]) + len(body) - 1}/{len(data)}")
        self.end_headers()
        if fault == "drop":
            self.close_connection = True
            body = body[: len(body) // 2]
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(whole, monkeypatch) -> Iterator[Server]:
    """The dump behind HTTP, and retries that wait milliseconds, here and in the workers."""
    monkeypatch.setattr(source, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(extract_module, "run", run_without_waiting)
    server = Server(whole[0])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def run_without_waiting(function: Callable[[Any], Any], items: Sequence[Any], **told: Any) -> Iterator[tuple[int, Any]]:
    def without_waiting(item: Any) -> Any:  # travels to the worker by value, as it is not a module's own
        from raywiki.dumps import source

        wait, source.FIRST_WAIT = source.FIRST_WAIT, 0.001
        try:
            return function(item)
        finally:
            source.FIRST_WAIT = wait

    return cluster.run(without_waiting, items, **told)


def test_a_server_that_drops_connections_and_answers_503(server, whole, tmp_path):
    def fault(request: str, count: int) -> object:
        """Half of all requests fail, one in four twice in a row: far less often than is tried again."""
        rng = random.Random(f"{request} {count}")
        return rng.choice([503, "drop"]) if count < 2 and rng.random() < 0.5 else None

    server.fault = fault
    rw.extract(tmp_path / "corpus", server.url)
    [manifest] = Corpus(tmp_path / "corpus").manifests("articles").values()
    assert manifest.digest == whole[1].digest
    assert rows_of(tmp_path / "corpus") == whole[2]
    assert server.faults[503] >= 3
    assert server.faults["drop"] >= 3


@pytest.mark.parametrize("stays", [503, "drop"])
def test_a_server_that_stops_answering(server, stays, whole, tmp_path, monkeypatch):
    """From the first request on; or once the driver has read what it needs and the workers begin."""
    corpus = tmp_path / "corpus"
    server.fault = lambda request, count: stays
    with pytest.raises(ConnectionError, match=re.escape(server.url)):
        rw.extract(corpus, server.url)

    def run(function: Callable[[Any], Any], items: Sequence[Any], **told: Any) -> Iterator[tuple[int, Any]]:
        server.fault = lambda request, count: stays
        return run_without_waiting(function, items, **told)

    server.fault = lambda request, count: None
    monkeypatch.setattr(extract_module, "run", run)
    with pytest.raises(ConnectionError, match=f"{re.escape(server.url)} after 7 attempts"):
        rw.extract(corpus, server.url)
    assert Corpus(corpus).manifests("articles") == {}
    server.fault = lambda request, count: None
    monkeypatch.setattr(extract_module, "run", run_without_waiting)
    rw.extract(corpus, server.url)
    assert [manifest.digest for manifest in Corpus(corpus).manifests("articles").values()] == [whole[1].digest]
