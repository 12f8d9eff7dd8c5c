"""Ranges of any size over blocks of any size at any bit: together they are the file, and every page comes once."""

from __future__ import annotations

import bz2
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dumps import HEAD, TAIL, cut_at, dump_xml, many_streams, one_stream, page_xml, ranges_at, read_all, read_checked

from raywiki.dumps import check_ranges, iter_pages, read_range, split_dump
from raywiki.dumps.bits import find_markers
from raywiki.schema import PAGES

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LETTERS = "abc <>&\"'\n=[]{}|ăệЖ漢\U0001f600"


@st.composite
def dumps(draw):
    """(texts, XML, cuts of blocks, cuts of ranges)"""
    rng = random.Random(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.sampled_from([0, 1, 30, 300, 3000]), max_size=12))
    texts = ["".join(rng.choices(LETTERS, k=rng.randint(0, size))) for size in sizes]
    cuts = draw(st.lists(st.integers(0, 10**6), max_size=25))
    return texts, dump_xml(texts), cuts, draw(st.lists(st.integers(0, 10**6), max_size=12))


@MANY
@given(dump=dumps(), form=st.sampled_from(["one", "many", "xml"]))
def test_ranges_are_the_file(tmp_path, dump, form) -> None:
    texts, xml, block_cuts, range_cuts = dump
    pieces = cut_at(xml, block_cuts)
    path = tmp_path / "dump"
    path.write_bytes(xml if form == "xml" else one_stream(pieces) if form == "one" else many_streams(pieces))
    rows, report = read_checked(ranges_at(path, range_cuts))
    assert [row["text"] for row in rows] == texts
    assert [row["page_id"] for row in rows] == list(range(1, len(texts) + 1))
    assert all(row["sha1_ok"] and row["error"] is None for row in rows)
    assert report.counts["xml_bytes"] == len(xml)
    assert report.counts["n_pages"] == report.counts["n_articles"] == len(texts)
    assert report.ascending
    assert not report.damage
    if form != "xml":
        assert report.counts["n_blocks"] == len(pieces)
        assert report.counts["n_streams"] == (1 if form == "one" else len(pieces))


@MANY
@given(dump=dumps(), left_out=st.integers(0, 50), swap=st.booleans())
def test_a_range_that_is_missing_or_comes_twice_is_noticed(tmp_path, dump, left_out, swap) -> None:
    _, xml, block_cuts, range_cuts = dump
    path = tmp_path / "dump.bz2"
    path.write_bytes(one_stream(cut_at(xml, block_cuts)))
    _, reports = read_all(ranges_at(path, [*range_cuts, 100]))
    lost = left_out % len(reports)
    changed = [*reports, reports[lost]] if swap else [r for i, r in enumerate(reports) if i != lost]
    with pytest.raises(ValueError, match=r"missing|twice|no ranges"):
        check_ranges(changed)


@pytest.mark.parametrize("form", ["one", "xml"])
def test_pages_longer_than_ranges_and_ranges_without_pages(tmp_path, form) -> None:
    rng = random.Random(7)
    texts = ["".join(rng.choices(LETTERS, k=n)) for n in (10, 60_000, 0, 90_000, 5)]
    xml = dump_xml(texts)
    path = tmp_path / "dump"
    path.write_bytes(one_stream(cut_at(xml, range(0, len(xml), 5000))) if form == "one" else xml)
    ranges = split_dump(str(path), 1024)
    assert len(ranges) > 50
    rows, report = read_checked(ranges)
    assert [row["text"] for row in rows] == texts
    assert report.n_ranges == len(ranges)


def test_the_page_tag_itself_is_cut_at_every_byte(tmp_path) -> None:
    xml = dump_xml(["one", "two", "three"])
    second = xml.index(b"<title>Page 2") - len(b"<page>\n    ")
    path = tmp_path / "dump.bz2"
    for cut in range(second - 30, second + 12):
        path.write_bytes(one_stream([xml[:cut], xml[cut:]]))
        stream_cut = path.stat().st_size - 64
        for place in range(0, stream_cut, 97):
            rows, _ = read_checked(ranges_at(path, [place]))
            assert [row["text"] for row in rows] == ["one", "two", "three"]


def test_ownership_is_by_the_block_in_which_the_page_begins(tmp_path) -> None:
    xml = dump_xml(["one", "two"])
    begins = xml.index(b"<page>", xml.index(b"<page>") + 1)
    path = tmp_path / "dump.bz2"
    path.write_bytes(one_stream([xml[: begins + 1], xml[begins + 1 :]]))  # "<" in the first block, "page>" in the second
    first = one_stream([xml[: begins + 1]])
    rows, _ = read_all(ranges_at(path, [len(first) - 10 - 64])[:1])
    assert [row["page_id"] for row in rows] == [1, 2]


def test_rows_do_not_depend_on_ranges_or_streams(shared_data, tmp_path) -> None:
    path = next(shared_data.glob("enwiki*articles2*.bz2"))
    xml = bz2.decompress(path.read_bytes())
    ends = [match.end() for match in re.finditer(rb"</page>\n", xml)]
    multistream, plain = tmp_path / "multi.xml.bz2", tmp_path / "plain.xml"
    multistream.write_bytes(many_streams(cut_at(xml, [xml.index(b"  <page>"), *ends[9::10], ends[-1]])))
    plain.write_bytes(xml)
    expected, _ = read_checked(split_dump(str(path), 1 << 30))
    for file, size in [(path, 100_000), (multistream, 100_000), (multistream, 1 << 30), (plain, 300_000)]:
        rows, _ = read_checked(split_dump(str(file), size))
        assert rows == expected


@pytest.mark.parametrize("wiki", ["en*articles1", "en*articles2", "en*articles3", "vi", "uk", "el"])
def test_counts_of_real_parts(shared_data, wiki) -> None:
    path = next(shared_data.glob(f"{wiki}*.bz2"))
    xml = bz2.decompress(path.read_bytes())
    _, report = read_checked(split_dump(str(path)))
    redirects = len(re.findall(rb"<redirect title=", xml))
    in_article_space = xml.count(b"<ns>0</ns>") - len(re.findall(rb"<ns>0</ns>\s*<id>\d+</id>\s*<redirect", xml))
    assert report.counts["n_pages"] == xml.count(b"<page>") == xml.count(b"</page>")
    assert report.counts["n_redirects"] == redirects
    assert report.counts["n_articles"] == in_article_space
    assert report.counts["n_errors"] == 0
    assert report.counts["xml_bytes"] == len(xml)


def test_batches_are_bounded_and_keep_the_order(tmp_path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump_xml([f"{i} " * 500 for i in range(200)]))
    (r,) = split_dump(str(path), 1 << 30)
    tables = list(read_range(r, batch_bytes=20_000))
    assert len(tables) > 10
    assert all(table.nbytes < 30_000 and table.schema == PAGES for table in tables)
    assert [i for table in tables for i in table["page_id"].to_pylist()] == list(range(1, 201))


def test_a_page_of_50_mb(tmp_path) -> None:
    text = ("a" * 150 + "<&>\n") * 330_000
    path = tmp_path / "dump.bz2"
    path.write_bytes(bz2.compress((HEAD + page_xml(1, "a") + page_xml(2, text) + page_xml(3, "b") + TAIL).encode(), 1))
    rows, report = read_checked(split_dump(str(path), 1 << 20))
    assert [(row["page_id"], row["sha1_ok"]) for row in rows] == [(1, True), (2, True), (3, True)]
    assert rows[1]["text"] == text
    assert report.counts["text_bytes"] == len(text) + 2


@pytest.mark.parametrize("tail", [b"\0" * 700, b"not a stream", b"BZx" * 100])
def test_bytes_after_the_last_stream_are_ignored_and_counted(tmp_path, tail) -> None:
    path = tmp_path / "dump.bz2"
    path.write_bytes(one_stream([dump_xml(["a", "b"])]) + tail)
    rows, report = read_checked(ranges_at(path, [path.stat().st_size - 80, 30]))
    assert [row["text"] for row in rows] == ["a", "b"]
    assert report.counts["trailing_bytes"] == len(tail)


def test_empty_streams_between_others(tmp_path) -> None:
    xml, empty = dump_xml(["a", "b" * 500, "c"]), bz2.compress(b"")
    path = tmp_path / "dump.bz2"
    parts = [bz2.compress(piece) for piece in cut_at(xml, range(0, len(xml), 300))]
    path.write_bytes(empty.join(parts) + empty)
    for cut in range(0, path.stat().st_size - 64, 31):
        rows, report = read_checked(ranges_at(path, [cut, cut + 40]))
        assert len(rows) == 3
    assert report.counts["n_streams"] == 2 * len(parts)


def test_dumps_put_behind_each_other(tmp_path) -> None:
    path = tmp_path / "dump.bz2"
    path.write_bytes(bz2.compress(dump_xml(["a", "b"])) + bz2.compress(dump_xml(["c"], first_id=3)))
    rows, _ = read_checked(ranges_at(path, [300]))
    assert [row["text"] for row in rows] == ["a", "b", "c"]


def test_pages_out_of_order_are_reported_and_a_page_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes((HEAD + page_xml(5, "a") + page_xml(3, "b") + TAIL).encode())
    rows, report = read_checked(ranges_at(path, [1000]))
    assert [row["page_id"] for row in rows] == [5, 3]
    assert not report.ascending
    path.write_bytes((HEAD + page_xml(5, "a") + page_xml(3, "b") + page_xml(5, "c") + TAIL).encode())
    with pytest.raises(ValueError, match="page 5 comes 2 times"):
        read_checked(ranges_at(path, [1000]))


def test_a_marker_that_chance_put_into_a_block(tmp_path) -> None:
    """A block's table of used bytes is the magic itself where just these bytes of 0x80 to 0xAF occur (0x3141 5926 5359)."""
    used = bytes.fromhex("8283 8789 8f91 9394 979a 9d9e a1a3 a6a7 a9ab acaf")
    text = "".join(chr(0x80 | byte & 0x3F) for byte in used)  # two bytes each, the second one is the byte
    rng = random.Random(1)
    body = "".join("".join(rng.sample(text, len(text))) + rng.choice("abcdef") for _ in range(300))
    texts = [body, "short", body[::-1], "last"]
    head = HEAD.replace("Tập tin", "Tap tin")
    xml = (head + "".join(page_xml(i + 1, each) for i, each in enumerate(texts)) + TAIL).encode()
    pieces = cut_at(xml, [xml.index(b"short"), xml.index(b"last")])
    data = one_stream(pieces)
    assert sum(is_block for _, is_block in find_markers(data)) > len(pieces)
    path = tmp_path / "dump.bz2"
    path.write_bytes(data)
    for cut in range(0, len(data) - 64, 37):
        rows, report = read_checked(ranges_at(path, [cut, cut + 17]))
        assert [row["text"] for row in rows] == texts
        assert report.counts["n_blocks"] == len(pieces)


def test_iter_pages_takes_one_path_or_several(tmp_path) -> None:
    one, two = tmp_path / "1.xml", tmp_path / "2.xml.bz2"
    one.write_bytes(dump_xml(["a", "b"]))
    two.write_bytes(bz2.compress(dump_xml(["c"], first_id=9)))
    assert [page["text"] for page in iter_pages(one)] == ["a", "b"]
    assert [page["page_id"] for page in iter_pages([one, str(two)])] == [1, 2, 9]
