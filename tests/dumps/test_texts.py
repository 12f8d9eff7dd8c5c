"""Text that is no dump: which format a file has, what its rows are, and that any cut of it gives the same rows."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raywiki.dumps import DumpRange
from raywiki.dumps.texts import (
    check_text,
    describe_errors,
    find_format,
    lines,
    read_text,
    require_text,
    split_text,
    text_digest,
    text_id,
    unique_ids,
)
from raywiki.schema import ARTICLES


def write(folder: Path, name: str, data: bytes | str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def rows_of(ranges, text_format, **options):
    """The rows of all ranges, and their reports, which were proved to add up."""
    rows, reports = [], []
    for r in ranges:
        reader = read_text(r, text_format, **options)
        for table in reader:
            assert table.schema == ARTICLES
            rows += table.to_pylist()
        reports.append(reader.report)
    ordered = check_text(reports)
    assert sum(report.pages - report.errors for report in ordered) == len(rows)
    return rows, ordered


def read(path, text_format, **options):
    return rows_of(split_text(path, text_format), text_format, **options)


def cut(path, *places) -> list[DumpRange]:
    """The file's ranges, cut at these bytes of it."""
    size = Path(path).stat().st_size
    return [
        DumpRange(path, i, a, b, size, "xml")
        for i, (a, b) in enumerate(pairwise([0, *sorted({p for p in places if 0 < p < size}), size]))
    ]


def json_lines(*rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


C4_ROW = {"text": "An ox.", "url": "http://a.org", "timestamp": "2019-04-25T12:57:54Z"}


@pytest.mark.parametrize(
    ("name", "data", "text_format"),
    [
        ("c4-train.00000-of-01024.json.gz", gzip.compress(json_lines(C4_ROW), mtime=0), "c4"),
        ("c4.jsonl", json_lines({**C4_ROW, "id": 3}), "c4"),
        ("a.jsonl", json_lines({"text": "An ox."}), "jsonl"),
        ("a.ndjson.bz2", bz2.compress(json_lines({"text": "An ox."})), "jsonl"),
        ("a.json", b"no json", "jsonl"),
        ("noname", b'\n {"text": "An ox."}\n', "jsonl"),
        ("noname2", b"PAR1....", "parquet"),
        ("a.parquet", b"PAR1....", "parquet"),
        ("book.txt", b"An ox.", "text"),
        ("book.txt.gz", gzip.compress(b"An ox.", mtime=0), "text"),
        ("folder/a.txt", b"An ox.", "text"),
        ("viwiki-p1p2.xml", b'{"text": 1}', "dump"),
        ("noname3", b"<mediawiki>", "dump"),
        ("noname4", b"whatever", "dump"),
    ],
)
def test_the_format_is_found(tmp_path, name, data, text_format) -> None:
    path = write(tmp_path, name, data)
    assert find_format(path if text_format != "text" or "/" not in name else str(Path(path).parent)) == text_format


def test_json_lines_give_their_columns(tmp_path) -> None:
    row = {**C4_ROW, "title": "Ox", "other": [1]}
    path = write(tmp_path, "a.jsonl", b"\xef\xbb\xbf" + json_lines(row, {"text": "Ein Öchslein.", "url": 7, "timestamp": "?"}))
    rows, _ = read(path, "jsonl")
    assert [(r["text"], r["url"], r["title"], str(r["timestamp"])) for r in rows] == [
        ("An ox.", "http://a.org", "Ox", "2019-04-25 12:57:54+00:00"),
        ("Ein Öchslein.", "", "", "None"),
    ]
    assert [(r["page_id"], r["n_chars"], r["is_disambiguation"]) for r in rows] == [
        (text_id("An ox."), 6, False),
        (text_id("Ein Öchslein."), 13, False),
    ]


BROKEN = {
    b"\xff\xfe": "it is not UTF-8",
    b'{"text": "An \xff ox."}': "it is not UTF-8",
    b'{"text": "An ox."': "it is no JSON",
    b"[" * 100_000: "it is no JSON",
    b'{"text": ' + b"9" * 5000 + b"}": "it is no JSON",
    b'["An ox."]': "it is no JSON object but a list",
    b'{"text": null}': "its text is a NoneType",
    b'{"content": "An ox."}': "it has no text, but content",
    b'{"text": "\\ud800"}': "half of a surrogate pair",
}


@pytest.mark.parametrize("line", BROKEN, ids=BROKEN.values())
def test_a_broken_line_is_counted_and_named(tmp_path, line) -> None:
    good = json_lines({"text": "An ox."})
    path = write(tmp_path, "a.jsonl", good + b"\n" + line + b"\n" + good)
    for cuts in ([], [len(good) + 1], [3, len(good) + 3]):
        rows, reports = rows_of(cut(path, *cuts), "jsonl")
        assert [row["text"] for row in rows] == ["An ox."] * 2
        (said,) = describe_errors(reports)
        assert said.startswith("line 3: ")
        assert BROKEN[line] in said
        assert sum(report.errors for report in reports) == 1


def test_a_line_that_is_too_long_is_passed_over(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lines.iter_lines, "__defaults__", (0, 1000))
    long = json_lines({"text": "x" * 2_000_000})
    path = write(tmp_path, "a.jsonl", json_lines({"text": "a"}) + long + json_lines({"text": "b"}))
    for cuts in ([], [50, 1_000_000]):
        rows, reports = rows_of(cut(path, *cuts), "jsonl")
        assert [row["text"] for row in rows] == ["a", "b"]
        assert describe_errors(reports) == ["line 2: it has 2 MB, more than the 64 MiB of a document"]


def test_a_file_without_a_readable_document_is_refused(tmp_path) -> None:
    path = write(tmp_path, "a.jsonl", json_lines({"content": "An ox."}) * 3)
    with pytest.raises(ValueError, match=r"a.jsonl, line 1: it has no text, but content; its text must be called text"):
        require_text(path, "jsonl")
    with pytest.raises(ValueError, match=r"no document that can be read; line 1: it has no text, but content"):
        read(path, "jsonl")
    with pytest.raises(ValueError, match="holds no document: give"):
        read(write(tmp_path, "b.jsonl", b"\n\n"), "jsonl")
    with pytest.raises(ValueError, match="is empty"):
        read(write(tmp_path, "c.jsonl", b""), "jsonl")


def test_a_truncated_file_is_refused_or_read_as_far_as_it_goes(tmp_path) -> None:
    chance = random.Random(1)
    rows = [{"text": f"{number} {chance.random()}"} for number in range(5000)]
    path = write(tmp_path, "a.json.gz", gzip.compress(json_lines(*rows), mtime=0)[:-2000])
    with pytest.raises(ValueError, match=r"a\.json\.gz is damaged after 4,\d+ lines .*--allow-damaged"):
        read(path, "jsonl")
    found, (report,) = read(path, "jsonl", allow_damaged=True)
    assert [row["text"] for row in found] == [row["text"] for row in rows[: len(found)]]
    assert 4000 < len(found) < 5000
    assert "is damaged after" in report.gap


@pytest.mark.parametrize("text_format", ["jsonl", "blocks"])
def test_any_cut_gives_the_same_rows(tmp_path, text_format) -> None:
    """Lines and blocks of many lengths, with ends as Unix and Windows have them, some alike, and no end of line at the end."""
    chance = random.Random(5)
    pieces = []
    for number in range(60):
        text = "ö" * chance.choice([0, 1, 3, 10, 40])
        if text_format == "jsonl":
            pieces.append(json.dumps({"text": text}) + chance.choice(["\n", "\r\n", "\n\n"]))
        else:
            block = "\n".join([f"line {number % 7}", text, "end"][: chance.choice([1, 3])])
            pieces.append(block + chance.choice(["\n\n", "\r\n\r\n", "\n\n\n", "\n \t\n"]))
    data = "".join(["\n", *pieces]).rstrip("\n").encode()
    path = write(tmp_path, "a", data)
    whole, (report,) = rows_of(cut(path), text_format)
    assert len(whole) > 50
    assert report.errors == 0
    assert report.last == len(data)
    for _ in range(60):
        rows, reports = rows_of(cut(path, *(chance.randrange(len(data)) for _ in range(chance.choice([1, 2, 9])))), text_format)
        assert rows == whole
        assert sum(each.lines for each in reports) == report.lines


def test_blocks_are_parted_by_blank_lines(tmp_path) -> None:
    path = write(tmp_path, "a.txt", "\n\nOne ox.\nTwo oxen.\n \t \nThree.\r\n\r\n\r\n  Four.\n")
    assert [row["text"] for row in read(path, "blocks")[0]] == ["One ox.\nTwo oxen.", "Three.", "  Four."]
    packed = write(tmp_path, "a.txt.gz", gzip.compress(Path(path).read_bytes(), mtime=0))
    assert [row["text"] for row in read(packed, "blocks")[0]] == ["One ox.\nTwo oxen.", "Three.", "  Four."]
    bad = write(tmp_path, "b.txt", b"One.\n\nTwo.\nT\xffo.\n\nThree.\n")
    rows, reports = read(bad, "blocks")
    assert [row["text"] for row in rows] == ["One.", "Three."]
    assert describe_errors(reports) == ["line 4: it is not UTF-8 (invalid start byte)"]


def test_a_file_or_each_file_of_a_folder_is_a_document(tmp_path, monkeypatch) -> None:
    path = write(tmp_path, "My book.txt", "\ufeffOne.\r\n\r\nTwo.\n")
    assert [(row["title"], row["text"]) for row in read(path, "text")[0]] == [("My book", "One.\n\nTwo.")]
    for name, text in {"b.txt": "Bee.", "a/c.txt": "Sea.", "a/d.md": "no", "e.txt": b"\xff"}.items():
        write(tmp_path, f"books/{name}", text)
    folder = str(tmp_path / "books")
    rows, reports = rows_of(split_text(folder, "text", range_bytes=3), "text")
    assert [(row["title"], row["text"]) for row in rows] == [("a/c", "Sea."), ("b", "Bee.")]
    assert describe_errors(reports) == ["e.txt, line 1: it is not UTF-8 (invalid start byte)"]
    before = text_digest(folder)
    Path(folder, "b.txt").rename(Path(folder, "f.txt"))
    assert text_digest(folder) != before
    monkeypatch.setattr("raywiki.dumps.texts.read.MAX_DOCUMENT_BYTES", 5)
    with pytest.raises(ValueError, match="pass --format blocks"):
        read(path, "text")
    with pytest.raises(ValueError, match="holds no document that can be read; line 1: it is not UTF-8"):
        read(write(tmp_path, "bad.txt", b"\xff"), "text")


def parquet(folder, name="a.parquet", row_group_size=10, **columns) -> str:
    pq.write_table(pa.table(columns), folder / name, row_group_size=row_group_size)
    return str(folder / name)


def test_parquet_is_read_by_row_groups(tmp_path) -> None:
    texts = [f"Text {number}." for number in range(95)]
    times = pa.array([1556197074123] * 95, pa.timestamp("ms"))
    path = parquet(tmp_path, id=["1"] * 95, url=["u"] * 95, title=["t"] * 95, text=texts, timestamp=times)
    size = Path(path).stat().st_size
    for cuts in ([], [100], [size // 3, size // 2, size - 20]):
        rows, reports = rows_of(cut(path, *cuts), "parquet")
        assert [row["text"] for row in rows] == texts
        assert reports[-1].last == 95
    assert (rows[0]["url"], rows[0]["title"], str(rows[0]["timestamp"])) == ("u", "t", "2019-04-25 12:57:54+00:00")
    one = parquet(tmp_path, "b.parquet", text=pa.array(["a", None, "c"], pa.large_string()))
    rows, reports = read(one, "parquet")
    assert [row["text"] for row in rows] == ["a", "c"]
    assert describe_errors(reports) == ["row 2: it has no text (null)"]


def test_parquet_that_cannot_be_read(tmp_path) -> None:
    for columns, says in (
        ({"content": ["a"], "id": [1]}, "has no column text, its columns are content, id"),
        ({"text": [1]}, "is of type int64, not string"),
    ):
        with pytest.raises(ValueError, match=says):
            require_text(parquet(tmp_path, **columns), "parquet")
    path = parquet(tmp_path, text=["An ox."] * 100)
    data = bytearray(Path(path).read_bytes())
    with pytest.raises(ValueError, match="is no whole Parquet file"):
        require_text(write(tmp_path, "cut.parquet", bytes(data[:-30])), "parquet")
    data[8:60] = b"\x99" * 52
    with pytest.raises(ValueError, match=r"row group 0 of .*bad.parquet cannot be read"):
        read(write(tmp_path, "bad.parquet", bytes(data)), "parquet")
    wrong = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")])
    rows, reports = read(parquet(tmp_path, text=wrong), "parquet")
    assert [row["text"] for row in rows] == ["a"]
    assert "it is not UTF-8" in describe_errors(reports)[0]


def test_ids_follow_from_the_text_and_differ_within_a_part() -> None:
    ids = np.array([text_id(text) for text in ("a", "b", "a", "c", "a", "b")])
    unique = unique_ids(ids)
    assert len(set(unique.tolist())) == 6
    assert (unique >= 0).all()
    assert unique[[0, 1, 3]].tolist() == ids[[0, 1, 3]].tolist()
    # The second "a" is the same whatever stands between.
    assert unique_ids(ids[[0, 2, 4]]).tolist() == unique[[0, 2, 4]].tolist()
    assert unique_ids(np.empty(0, np.int64)).tolist() == []
    many = np.random.default_rng(1).integers(0, 1000, 20_000)
    assert len(set(unique_ids(many).tolist())) == 20_000


def test_ranges_that_do_not_fit_together_are_refused(tmp_path) -> None:
    path = write(tmp_path, "a.jsonl", json_lines({"text": "a"}, {"text": "b"}, {"text": "c"}))
    reports = []
    for r in cut(path, 14, 28):
        reader = read_text(r, "jsonl")
        assert list(reader)
        reports.append(reader.report)
    with pytest.raises(ValueError, match="do not fit together"):
        check_text([reports[0], reports[2]])
