"""parts and download, against a server on loopback that misbehaves, from both layouts, into folders and a store."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import fsspec
import pytest
from dump_server import DumpServer, body, classic, content, serving, write_copy
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

import raywiki as rw
from raywiki.cli import main
from raywiki.dumps import fetch, mirrors, source
from raywiki.dumps.fetch import missing_parts
from raywiki.dumps.find import find_dump
from raywiki.dumps.mirrors import Connections, mirror_at
from raywiki.local import download as download_module
from raywiki.manifest import SUMS, Manifest, part_id

DATE = "20251101"
NAMES = [f"testwiki-{DATE}-pages-articles{n}.xml-p{n}00p{n}99.bz2" for n in range(1, 7)]
BODIES = {name: body(i) for i, name in enumerate(NAMES)}
FILES = classic("testwiki", DATE, BODIES)
PATHS = [f"testwiki/{DATE}/{name}" for name in NAMES]
SIZE = len(BODIES[NAMES[0]])


@pytest.fixture(autouse=True)
def no_patience(monkeypatch) -> None:
    monkeypatch.setattr(source, "FIRST_WAIT", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[DumpServer]:
    with serving(FILES) as server:
        yield server


@pytest.fixture
def second() -> Iterator[DumpServer]:
    with serving(FILES) as server:
        yield server


def fetched(folder: Path) -> dict[str, bytes]:
    """What a user sees in the folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def leave_partial(folder: Path, data: bytes, name: str = NAMES[0]) -> Path:
    """What a killed download leaves."""
    folder.mkdir()
    (folder / f"{name}.partial").write_bytes(data)
    return folder / f"{name}.partial"


# --- parts


def test_parts_of_the_newest_dump(server, capsys):
    found = rw.parts("testwiki", mirrors=server.url)
    assert (found.date, found.layout, found.status, found.notes) == (DATE, "classic", "done", ())
    assert [row["number"] for row in found.parts] == [1, 2, 3, 4, 5, 6]
    assert {row["bytes"] for row in found.parts} == {SIZE}
    assert max(map(len, str(found).splitlines())) <= 100
    with pytest.raises(SystemExit) as left:
        main(["parts", "testwiki", "--mirror", server.url, "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert left.value.code == 0
    assert printed["parts"][1]["file"] == NAMES[1]
    assert printed["parts"][1]["checksum"] == json.loads(json.dumps(found.to_dict()))["parts"][1]["checksum"]


def test_who_asks_is_told_with_a_page_that_the_project_names(server):
    rw.parts("testwiki", mirrors=server.url)
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for _, _, agent in server.asked:
        assert agent.startswith(f"raywiki/{rw.__version__} (https://")
        assert f'"{agent.partition("(")[2].partition(";")[0]}"' in pyproject


def test_a_dump_that_is_still_made_is_passed_over_unless_its_date_is_given(server):
    made = {NAMES[0].replace(DATE, "20251120"): body(1)}
    server.files |= classic("testwiki", "20251120", made, "in-progress")
    found = rw.parts("testwiki", mirrors=server.url)
    assert found.date == DATE
    assert found.notes == (f"the dump of 20251120 is not complete (articlesdump is in-progress): the newest that is complete "
                           f"is of {DATE}",)  # fmt: skip
    found = rw.parts("testwiki", date="20251120", mirrors=server.url)
    assert (found.date, found.status, len(found.parts)) == ("20251120", "in-progress", 1)
    assert "is not complete (it is in-progress)" in found.notes[0]


def test_a_dump_without_files_is_a_sentence(server):
    server.files |= classic("testwiki", "20251120", {}, "waiting")
    with pytest.raises(ValueError, match=r"names no files yet \(articlesdump is waiting\)"):
        rw.parts("testwiki", date="20251120", mirrors=server.url)
    server.files |= classic("testwiki", "20251120", {}, "done")
    with pytest.raises(ValueError, match=r"20251120/dumpstatus\.json says that articlesdump is done, but names no files"):
        rw.parts("testwiki", mirrors=server.url)


def test_what_is_not_there_is_a_sentence(server):
    with pytest.raises(FileNotFoundError, match=r"no dump of testwiki of 20240101 at .*: the newest are of 20251101"):
        rw.parts("testwiki", date="20240101", mirrors=server.url)
    with pytest.raises(FileNotFoundError, match=r"no dump of nowiki at .*: check the name"):
        rw.parts("nowiki", mirrors=server.url)
    server.files = classic("testwiki", "20251120", {}, "waiting")
    with pytest.raises(FileNotFoundError, match=r"no complete dump of testwiki .*articlesdump is waiting"):
        rw.parts("testwiki", mirrors=server.url)


def test_content_exports(server):
    """Where there is no classic dump, where classic ones have stopped, and by date; sizes are those of the index page."""
    export = {f"testwiki-{day}-p{n}00p{n}99.xml.bz2": body(n, n * 1000) for day in ("2025-12-01",) for n in (2, 1)}
    server.files |= content("testwiki", "2025-12-01", export)
    assert rw.parts("testwiki", mirrors=server.url).layout == "classic"
    for date in ("2025-12-01", "20251201"):
        found = rw.parts("testwiki", date=date, mirrors=server.url)
        assert (found.layout, found.date) == ("content", "2025-12-01")
    assert [(row["first_page"], row["bytes"]) for row in found.parts] == [(100, 1000), (200, 2000)]
    later = {"testwiki-2026-02-01-p1p9.xml.bz2": body(9, 5000)}
    server.files |= content("testwiki", "2026-02-01", later)
    assert rw.parts("testwiki", mirrors=server.url).date == "2026-02-01"
    server.files[next(path for path in server.files if "2026-02-01" in path and path.endswith("SHA256SUMS"))] = b""
    found = rw.parts("testwiki", mirrors=server.url)
    assert found.date == "2025-12-01"
    assert "the content export of 2026-02-01 is not complete" in found.notes[0]


def test_a_mirror_without_dumpstatus_is_read_by_its_checksums(server):
    del server.files[f"testwiki/{DATE}/dumpstatus.json"]
    sums = "".join(f"{each.checksum.partition(':')[2]}  {each.name}\n" for each in listed(FILES, Path("/nowhere")))
    server.files[f"testwiki/{DATE}/testwiki-{DATE}-sha1sums.txt"] = sums.encode()
    found = rw.parts("testwiki", mirrors=server.url)
    assert [(row["file"], row["bytes"]) for row in found.parts] == [(name, SIZE) for name in NAMES]


def listed(files: dict[str, bytes], folder: Path):
    """The parts that a mirror with these files lists."""
    memory = fsspec.filesystem("memory")
    for path, data in files.items():
        memory.pipe(f"/listed/{path}", data)
    return find_dump("testwiki", None, [mirror_at("memory://listed", Connections())]).listing.parts


def test_parts_that_a_corpus_has(tmp_path):
    """By id and size from a classic listing, by content from a content export."""
    corpus = rw.Corpus(tmp_path / "corpus")
    counts = dict.fromkeys(("pages", *SUMS["articles"][1]), 0)
    for name, size in [(NAMES[0], SIZE), (NAMES[1], SIZE - 1)]:
        source = {"name": name, "bytes": size, "sha256": hashlib.sha256(BODIES[name]).hexdigest()}
        corpus.commit(Manifest.made("articles", part_id(name, ""), {}, [], counts, seconds=0, source=source))
    export = {f"testwiki-2025-12-01-p{n}p{n}.xml.bz2": BODIES[name] for n, name in enumerate(NAMES[:3], start=1)}
    copy = write_copy(tmp_path / "copy", FILES | content("testwiki", "2025-12-01", export))
    found = rw.parts("testwiki", mirrors=copy, corpus=corpus)
    assert [row["in_corpus"] for row in found.parts] == [True, *[False] * 5]
    assert "in corpus" in str(found)
    found = rw.parts("testwiki", date="2025-12-01", mirrors=copy, corpus=corpus)
    assert [row["in_corpus"] for row in found.parts] == [True, True, False]


# --- download


def test_files_are_fetched_over_three_connections_and_never_again(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    server.meet = threading.Barrier(3)  # no request is answered before three are there
    done = rw.download("testwiki", "1-6", to="new/dumps", mirrors=server.url)
    assert fetched(tmp_path / "new" / "dumps") == BODIES
    assert server.most_open == 3
    assert re.fullmatch(r"download testwiki: 1\.8 of 1\.8 MB, [\d.,]+ MB/s\n", capsys.readouterr().err)
    assert [row["file"] for row in done.files] == NAMES
    assert {(row["state"], row["bytes"], row["from"]) for row in done.files} == {("fetched", SIZE, server.url)}
    assert [Path(path).read_bytes() for path in done.paths] == list(BODIES.values())
    assert max(map(len, str(done).splitlines())) <= 100
    sent = dict(server.sent)
    again = rw.download("testwiki", [2, 1], to="new/dumps", mirrors=server.url)
    assert {path: server.sent[path] for path in PATHS} == {path: sent[path] for path in PATHS} == dict.fromkeys(PATHS, SIZE)
    assert [row["state"] for row in again.files] == ["there", "there"]
    assert "nothing to do, all is there" in str(again)


def test_content_exports_are_fetched(server, tmp_path):
    export = {f"testwiki-2025-12-01-p{n}00p{n}99.xml.bz2": body(n, n * 1000) for n in (1, 2)}
    server.files = content("testwiki", "2025-12-01", export)
    rw.download("testwiki", "1,2", to=tmp_path, mirrors=server.url)
    assert fetched(tmp_path) == export


@pytest.mark.parametrize("faults", [[None], ["drop"], [503, "drop"]])
def test_files_whose_size_nobody_tells(server, tmp_path, faults):
    name = "testwiki-2025-12-01-p1p9.xml.bz2"
    server.files = content("testwiki", "2025-12-01", {name: body(1)})
    server.with_sizes = False
    server.faults[next(path for path in server.files if path.endswith(name))] = faults
    found = rw.parts("testwiki", mirrors=server.url)
    assert found.parts[0]["bytes"] is None
    assert "MB" not in str(found)
    for state in ("fetched", "there"):
        done = rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
        assert [(row["state"], row["bytes"]) for row in done.files] == [(state, SIZE)]


def test_a_verified_file_is_not_even_read_again_and_a_changed_one_is_fetched(server, tmp_path, monkeypatch):
    place = dict(to=tmp_path, mirrors=server.url)
    rw.download("testwiki", 1, **place)
    read = []
    monkeypatch.setattr(fetch, "_checksum_of", lambda file, part: read.append(part.name) or "sha1:")
    rw.download("testwiki", 1, **place)
    assert read == []
    monkeypatch.undo()
    (tmp_path / NAMES[0]).write_bytes(body(99))  # as long, another time
    assert [part.name for part in missing_parts(listed(FILES, tmp_path)[:2], tmp_path)] == NAMES[:2]
    done = rw.download("testwiki", 1, **place)
    assert fetched(tmp_path) == {NAMES[0]: BODIES[NAMES[0]]}
    assert done.warnings == (f"{NAMES[0]} was there, but not as the dump's listing says: it was fetched again",)


def test_a_file_that_another_tool_fetched_is_checked_once(server, tmp_path):
    (tmp_path / NAMES[0]).write_bytes(BODIES[NAMES[0]])
    assert rw.download("testwiki", 1, to=tmp_path, mirrors=server.url).files[0]["state"] == "there"
    assert PATHS[0] not in server.sent
    assert (tmp_path / f".{NAMES[0]}.verified").exists()


@pytest.mark.parametrize("faults", [["drop"], ["drop", "drop", "drop"], [503, 503], [500, "drop", 503], [(429, {})]])
def test_faults_that_pass(server, tmp_path, faults):
    server.faults[PATHS[0]] = [*faults]
    rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert fetched(tmp_path) == {NAMES[0]: BODIES[NAMES[0]]}
    assert server.faults[PATHS[0]] == []
    assert server.sent[PATHS[0]] <= SIZE + faults.count("drop") * (1 << 16)  # what came is not sent again


def test_a_server_that_falls_silent(server, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "SILENCE", 0.1)
    server.faults[PATHS[0]] = ["stall"]
    rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert fetched(tmp_path) == {NAMES[0]: BODIES[NAMES[0]]}
    assert len(server.ranges(PATHS[0])) == 2


def test_what_is_waited_for_is_said(server, capsys, monkeypatch):
    class Hurried(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return self.is_set()

    monkeypatch.setattr(mirrors, "threading", SimpleNamespace(Event=Hurried))
    server.faults["testwiki/"] = [(503, {"Retry-After": "90"})]
    rw.parts("testwiki", mirrors=server.url)
    assert capsys.readouterr().err == "look for testwiki: waiting 90 s before a server is asked again\n"


def test_faults_in_a_listing_pass(server):
    server.faults = {"testwiki/": [503], f"testwiki/{DATE}/dumpstatus.json": [503, 503, (429, {"Retry-After": "0"})]}
    assert rw.parts("testwiki", mirrors=server.url).date == DATE


def test_a_server_that_says_when_to_come_back_is_obeyed(server, second, tmp_path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(Connections, "wait", lambda self, seconds: waits.append(seconds))
    server.faults[PATHS[0]] = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "nonsense"})]
    rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert waits[0] == 7
    assert waits[1] < 1
    server.faults[PATHS[1]] = [(429, {"Retry-After": "7200"})] * 2
    with pytest.raises(OSError, match="HTTP status 429, and the server asks to come back in 7,200 seconds"):
        rw.download("testwiki", 2, to=tmp_path, mirrors=server.url)
    assert rw.download("testwiki", 2, to=tmp_path, mirrors=[server.url, second.url]).files[0]["from"] == second.url
    assert max(waits) == 7


def test_faults_that_stay_are_a_sentence_and_the_other_files_are_fetched(server, tmp_path):
    server.faults[PATHS[1]] = [503] * 100
    with pytest.raises(OSError, match=f"{NAMES[1]} cannot be had: cannot read .* after 7 attempts: HTTP status 503"):
        rw.download("testwiki", "1-3", to=tmp_path, mirrors=server.url)
    assert len(server.ranges(PATHS[1])) == source.RETRIES + 1
    assert fetched(tmp_path) == {name: BODIES[name] for name in (NAMES[0], NAMES[2])}


def test_a_server_without_ranges_is_read_from_the_start(server, tmp_path):
    leave_partial(tmp_path / "dumps", BODIES[NAMES[0]][:100_000])
    server.with_ranges = False
    server.faults[PATHS[0]] = [None, "drop"]
    done = rw.download("testwiki", 1, to=tmp_path / "dumps", mirrors=server.url)
    assert fetched(tmp_path / "dumps") == {NAMES[0]: BODIES[NAMES[0]]}
    assert done.files[0]["state"] == "went on"


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, tmp_path):
    server.with_ranges = False
    server.faults[PATHS[0]] = ["drop"] * 100
    with pytest.raises(OSError, match="broke off 7 times before it came further"):
        rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert list(fetched(tmp_path)) == [f"{NAMES[0]}.partial"]


def test_a_wrong_checksum_is_the_next_mirrors_turn(server, second, tmp_path):
    server.files[PATHS[0]] = body(77)
    done = rw.download("testwiki", 1, to=tmp_path, mirrors=[server.url, second.url])
    assert fetched(tmp_path) == {NAMES[0]: BODIES[NAMES[0]]}
    assert done.files[0]["from"] == second.url
    assert second.ranges(PATHS[0]) == [None]


def test_a_checksum_that_is_wrong_everywhere_leaves_nothing(server, second, tmp_path):
    server.files[PATHS[0]] = second.files[PATHS[0]] = body(77)
    with pytest.raises(
        OSError, match=r"cannot be had: http.* sent a file with sha1:\w{40}, where the listing says sha1:"
    ) as said:
        rw.download("testwiki", 1, to=tmp_path, mirrors=[server.url, second.url])
    assert second.url in str(said.value)
    assert fetched(tmp_path) == {}


def test_a_file_of_another_size_is_not_begun(server, second, tmp_path):
    server.files[PATHS[0]] = body(77, 1000)
    assert rw.download("testwiki", 1, to=tmp_path, mirrors=[server.url, second.url]).files[0]["from"] == second.url
    server.files[PATHS[1]] = body(77, 1000)
    with pytest.raises(OSError, match="a file of 1,000 bytes, where the listing says 300,000"):
        rw.download("testwiki", 2, to=tmp_path, mirrors=server.url)


def test_a_mirror_that_lacks_the_file(server, second, tmp_path):
    del server.files[PATHS[0]]
    done = rw.download("testwiki", "1-2", to=tmp_path, mirrors=[server.url, second.url])
    assert [row["from"] for row in done.files] == [second.url, server.url]
    with pytest.raises(OSError, match=r"there is no dump file .*: check the address"):
        rw.download("testwiki", "1-2", to=tmp_path / "other", mirrors=server.url)


def test_a_mirror_that_lacks_the_wiki_or_does_not_answer(second, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "RETRIES", 1)
    with serving({"readme": b"nothing"}) as empty:
        dead = "http://127.0.0.1:9"
        assert rw.parts("testwiki", mirrors=[empty.url, dead, second.url]).mirror == second.url
        with pytest.raises(OSError, match=r"no dump of testwiki at .*; cannot read http://127.0.0.1:9/testwiki/ after 2 att"):
            rw.parts("testwiki", mirrors=[empty.url, dead])


@pytest.mark.parametrize("size", [100_000, SIZE, SIZE + 1000])
def test_a_wrong_partial_is_not_the_mirrors_fault(server, tmp_path, size):
    """Nor is it asked for the rest of a file that is already too long."""
    leave_partial(tmp_path / "dumps", body(88, size))
    rw.download("testwiki", 1, to=tmp_path / "dumps", mirrors=server.url)
    assert fetched(tmp_path / "dumps") == {NAMES[0]: BODIES[NAMES[0]]}
    assert server.ranges(PATHS[0]) == (["bytes=100000-", None] if size < SIZE else [None])


def test_a_whole_partial_is_only_checked(server, tmp_path):
    """Killed before it had its name."""
    leave_partial(tmp_path / "dumps", BODIES[NAMES[0]])
    rw.download("testwiki", 1, to=tmp_path / "dumps", mirrors=server.url)
    assert fetched(tmp_path / "dumps") == {NAMES[0]: BODIES[NAMES[0]]}
    assert PATHS[0] not in server.sent


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_killed_in_the_middle_it_goes_on(server, tmp_path, number, status):
    """While the server is silent, which no signal waits for."""
    server.faults[PATHS[0]] = ["stall"]
    words = ["download", "testwiki", "--parts", "1", "--to", str(tmp_path / "dumps"), "--mirror", server.url]
    verb = subprocess.Popen([sys.executable, "-m", "raywiki.cli", *words], stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "dumps" / f"{NAMES[0]}.partial"
    wait_until(lambda: server.sent.get(PATHS[0], 0) >= SIZE // 2 and partial.exists() and partial.stat().st_size >= 1 << 16)
    verb.send_signal(number)
    _, errors = verb.communicate(timeout=25)  # less than `source.SILENCE`
    assert verb.returncode == status, errors
    had = partial.stat().st_size
    assert 0 < had <= SIZE // 2
    assert list(fetched(tmp_path / "dumps")) == [partial.name]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 0
    assert fetched(tmp_path / "dumps") == {NAMES[0]: BODIES[NAMES[0]]}
    assert server.ranges(PATHS[0]) == [None, f"bytes={had}-"]


def wait_until(is_so, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def test_two_downloads_into_one_folder(server, tmp_path):
    server.faults[PATHS[0]] = ["stall"]
    first = threading.Thread(target=lambda: rw.download("testwiki", 1, to=tmp_path, mirrors=server.url), daemon=True)
    first.start()
    wait_until(lambda: server.sent.get(PATHS[0], 0) > 0)
    with pytest.raises(ValueError, match=r"another download writes to .*: wait for its end"):
        rw.download("testwiki", 2, to=tmp_path, mirrors=server.url)
    server.is_over.set()
    first.join(20)
    assert fetched(tmp_path) == {NAMES[0]: BODIES[NAMES[0]]}


# --- full disks


def test_what_does_not_fit_is_not_begun(server, tmp_path, monkeypatch):
    usage = os.statvfs(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 2 * SIZE + 1000, "total": usage.f_blocks}))
    with pytest.raises(OSError, match=r"has 0\.6 MB free, and 0\.9 MB are still to come: make room"):
        rw.download("testwiki", "1-3", to=tmp_path / "new", mirrors=server.url)
    assert list(tmp_path.iterdir()) == []
    rw.download("testwiki", "1-2", to=tmp_path / "new", mirrors=server.url)


def test_space_is_looked_at_on_the_way(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SPACE_EVERY", 100_000)
    asked = []

    def fills_up(folder: str, wanted: int) -> None:
        asked.append(wanted)
        if wanted < 200_000:
            raise OSError("full")

    monkeypatch.setattr(fetch, "require_space", fills_up)
    with pytest.raises(OSError, match="full"):
        rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert len(asked) == 1
    assert (tmp_path / f"{NAMES[0]}.partial").stat().st_size == SIZE - asked[0]


def test_a_file_that_may_not_grow_keeps_what_came(server, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match=r"partial cannot grow \(.*\): make room and run the same again"):
            rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / f"{NAMES[0]}.partial").read_bytes() == BODIES[NAMES[0]][:100_000]
    rw.download("testwiki", 1, to=tmp_path, mirrors=server.url)
    assert server.ranges(PATHS[0])[1] == "bytes=100000-"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system with room for less than a file."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills(server, small_disk, monkeypatch):
    with pytest.raises(OSError, match=f"{small_disk} has 0.2 MB free"):
        rw.download("testwiki", 1, to=small_disk, mirrors=server.url)
    assert list(small_disk.iterdir()) == []
    for module in (fetch, download_module):  # as if others had written meanwhile
        monkeypatch.setattr(module, "require_space", lambda *_: None)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        rw.download("testwiki", 1, to=small_disk, mirrors=server.url)
    had = (small_disk / f"{NAMES[0]}.partial").stat().st_size
    assert had > 100_000
    subprocess.run(["mount", "-o", "remount,size=2m", small_disk], check=True)
    rw.download("testwiki", 1, to=small_disk, mirrors=server.url)
    assert fetched(small_disk) == {NAMES[0]: BODIES[NAMES[0]]}
    assert server.ranges(PATHS[0])[1] == f"bytes={had}-"


# --- other places


def test_from_folders_like_a_mirror(tmp_path):
    """The whole layout, or one dump's files beside what lists them."""
    copy = write_copy(tmp_path / "copy", FILES)
    rw.download("testwiki", 2, to=tmp_path / "one", mirrors=copy)
    rw.download("testwiki", 2, to=tmp_path / "two", mirrors=str(copy / "testwiki" / DATE))
    export = {"testwiki-2025-12-01-p1p9.xml.bz2": body(5)}
    flat = write_copy(tmp_path / "flat", content("testwiki", "2025-12-01", export, ""))
    rw.download("testwiki", 1, to=tmp_path / "three", mirrors=f"file://{flat}")
    assert fetched(tmp_path / "one") == fetched(tmp_path / "two") == {NAMES[1]: BODIES[NAMES[1]]}
    assert fetched(tmp_path / "three") == export
    with pytest.raises(FileNotFoundError, match="no dump of testwiki of 20251101"):
        rw.parts("testwiki", date=DATE, mirrors=str(flat))


def test_to_a_store(server):
    """Where a broken connection is gone on with; the same again fetches nothing."""
    memory = fsspec.filesystem("memory")
    server.faults[PATHS[0]] = ["drop", 503]
    place = dict(to="memory://store/dumps", mirrors=server.url)
    assert rw.download("testwiki", "1-2", **place).paths[1] == f"memory://store/dumps/{NAMES[1]}"
    assert [memory.cat_file(f"/store/dumps/{name}") for name in NAMES[:2]] == [BODIES[name] for name in NAMES[:2]]
    sent = dict(server.sent)
    rw.download("testwiki", "1-2", **place)
    assert {path: server.sent[path] for path in PATHS[:2]} == {path: sent[path] for path in PATHS[:2]}


def test_to_a_store_nothing_wrong_has_a_files_name(server, second):
    memory = fsspec.filesystem("memory")
    server.files[PATHS[2]] = body(77)
    with pytest.raises(OSError, match="sent a file with sha1:"):
        rw.download("testwiki", 3, to="memory://wrong/dumps", mirrors=server.url)
    assert memory.find("/wrong/dumps") == []
    rw.download("testwiki", 3, to="memory://wrong/dumps", mirrors=[server.url, second.url])
    assert memory.cat_file(f"/wrong/dumps/{NAMES[2]}") == BODIES[NAMES[2]]


class Uploads(MemoryFileSystem):
    """A store as S3 is one: a file is there when it is committed, and a discarded one leaves what was there."""

    protocol = "s3"
    store: ClassVar[dict[str, MemoryFile]] = {}
    cachable = False

    def _open(self, path: str, mode: str = "rb", autocommit: bool = True, **options: Any) -> MemoryFile:
        if mode == "wb" and not autocommit:
            return MemoryFile(self, path)
        return super()._open(path, mode, **options)


def test_a_store_is_told_to_forget_what_is_wrong(server, tmp_path):
    part, fs, connections = listed(FILES, tmp_path)[0], Uploads(), Connections()
    path, mirror, seen = f"/bucket/{NAMES[0]}", mirror_at(server.url, connections), set[bytes]()
    fs.pipe(path, b"what was there")

    def fetch_it() -> None:
        sink = fetch.sink_for(fs, "/bucket", part)
        fetch.fetch(part, sink, [mirror], connections, lambda n_bytes: seen.add(fs.cat_file(path)))

    server.faults[PATHS[0]] = [body(77), "drop"]
    with pytest.raises(OSError, match="sent a file with sha1:"):
        fetch_it()
    assert fs.cat_file(path) == b"what was there"
    fetch_it()
    assert fs.cat_file(path) == BODIES[NAMES[0]]
    assert seen == {b"what was there"}


def test_to_a_place_that_shows_files_while_they_grow(server, tmp_path):
    """As sftp and hdfs do: written beside its name."""
    from fsspec.implementations.dirfs import DirFileSystem

    part = listed(FILES, tmp_path)[0]
    fs, connections = DirFileSystem(str(tmp_path), fsspec.filesystem("file")), Connections()
    server.faults[PATHS[0]] = [body(77), None]
    seen = []
    mirror = mirror_at(server.url, connections)
    watch = lambda n_bytes: seen.append((tmp_path / "d" / NAMES[0]).exists())  # noqa: E731
    fetch.fetch(part, fetch.sink_for(fs, "d", part), [mirror, mirror], connections, watch)
    assert not any(seen)
    assert fetched(tmp_path / "d") == {NAMES[0]: BODIES[NAMES[0]]}


def test_what_is_missing(tmp_path):
    parts = listed(FILES, tmp_path)[:3]
    assert missing_parts(parts, tmp_path / "nowhere") == list(parts)
    (tmp_path / NAMES[0]).write_bytes(BODIES[NAMES[0]])
    (tmp_path / NAMES[1]).write_bytes(BODIES[NAMES[1]][:-1])
    assert missing_parts(parts, tmp_path) == [parts[1], parts[2]]
    assert missing_parts([replace(parts[0], size=None)], tmp_path) == []
