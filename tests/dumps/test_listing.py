"""Listings as servers have them: which files are parts of a dump, in which order, and what is said of odd ones."""

from __future__ import annotations

import json

import pytest
from dump_server import body, classic, content

from raywiki.dumps.listing import (
    Listing,
    newest_dates,
    part_numbers,
    read_dumpstatus,
    read_index,
    read_sums,
    require_date,
    require_wiki,
)

NAMES = [f"enwiki-20251101-pages-articles{pages}.bz2" for pages in ("10.xml-p5000p9999", "9.xml-p999p4999", "1.xml-p1p9")]


def dumpstatus(bodies: dict[str, bytes], **changes) -> Listing:
    text = classic("enwiki", "20251101", bodies, **changes)["enwiki/20251101/dumpstatus.json"]
    return read_dumpstatus(text, "http://x/dumpstatus.json", "enwiki", "20251101", "enwiki/20251101")


def test_parts_are_numbered_in_the_order_of_page_ids():
    """11 comes after 2, and several files of one number each have their own."""
    pages = [(1, 1, 9), (2, 10, 99), (11, 100, 5000), (11, 5001, 70000), (27, 70001, 100_000)]
    names = [f"enwiki-20251101-pages-articles{number}.xml-p{first}p{last}.bz2" for number, first, last in pages]
    listing = dumpstatus({name: body(1, 10) for name in reversed(names)})
    assert [(part.number, part.name) for part in listing.parts] == list(enumerate(names, start=1))
    assert [part.pages for part in listing.parts] == [(first, last) for _, first, last in pages]
    assert listing.parts[3].part == "enwiki-20251101-p5001p70000"
    assert listing.parts[3].path == f"enwiki/20251101/{names[3]}"
    assert {part.size for part in listing.parts} == {10}
    assert all(part.checksum.startswith("sha1:") and len(part.checksum) == 45 for part in listing.parts)


def test_a_small_wiki_has_one_part():
    listing = dumpstatus({"enwiki-20251101-pages-articles.xml.bz2": body(1, 10)})
    [part] = listing.parts
    assert (part.number, part.part, part.pages) == (1, "enwiki-20251101", None)
    with pytest.raises(ValueError, match="one part, number 1, and no part 2"):
        listing.chosen([2])


def test_only_the_articles_of_this_dump_are_parts():
    odd = [
        "enwiki-20251101-pages-articles-multistream1.xml-p1p9.bz2",
        "enwiki-20251001-pages-articles1.xml-p1p9.bz2",
        "dewiki-20251101-pages-articles1.xml-p1p9.bz2",
        "enwiki-20251101-pages-articles1.xml-p1p9.bz2.torrent",
        "enwiki-20251101-pages-meta-current1.xml-p1p9.bz2",
        "enwiki-20251101-p1p9.xml.bz2",
        "enwiki-20251101-p1p9.bz2",
        "enwiki-20251101.xml.bz2",
    ]
    listing = dumpstatus(dict.fromkeys([*odd, NAMES[2]], b"1"))
    assert [part.name for part in listing.parts] == [NAMES[2]]


def test_a_part_without_checksum_is_listed_and_not_chosen():
    files = {"files": {NAMES[2]: {"size": 5, "url": "/x"}, NAMES[1]: {"size": 5, "md5": "AB" * 16}}}
    listing = dumpstatus({}, status="in-progress", **files)
    assert listing.status == "in-progress"
    assert [part.checksum for part in listing.parts] == [None, "md5:" + "ab" * 16]
    assert listing.chosen([2]) == [listing.parts[1]]
    with pytest.raises(ValueError, match=r"p1p9\.bz2 has no checksum"):
        listing.chosen([1])


JOBS = ["{}", '{"articlesdump": {}}', '{"articlesdump": null}', '{"articlesdump": {"status": "done", "files": [3]}}']


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", *(f'{{"jobs": {jobs}}}' for jobs in JOBS)])
def test_what_is_no_listing_is_one_sentence(text):
    with pytest.raises(ValueError, match=r"http://x/dumpstatus\.json is no listing of a dump"):
        read_dumpstatus(text.encode(), "http://x/dumpstatus.json", "enwiki", "20251101", "f")


@pytest.mark.parametrize("files", [{"files": {}}, {"files": None}, {"files": {"odd.bz2": {}}}])
def test_a_job_that_is_done_without_files(files):
    with pytest.raises(ValueError, match="says that articlesdump is done, but names no files of it"):
        dumpstatus({}, **files)
    assert dumpstatus({}, status="waiting", **files).parts == ()


def test_a_job_without_the_word_files():
    text = json.dumps({"jobs": {"articlesdump": {"status": "waiting"}}}).encode()
    assert read_dumpstatus(text, "x", "enwiki", "20251101", "f").parts == ()


def test_content_exports_are_listed_by_their_checksums():
    names = ["enwiki-2025-11-01-p1000p5000.xml.bz2", "enwiki-2025-11-01-p1p999.xml.bz2"]
    sums = content("enwiki", "2025-11-01", {name: body(1, 10) for name in names}, "")["SHA256SUMS"].decode()
    sums += "0" * 64 + "  _SUCCESS\nnonsense\n" + "1" * 64 + " *./enwiki-2025-11-01-p5001p6000.xml.bz2\n"
    listing = read_sums(sums, "http://x/SHA256SUMS", "enwiki", None, "f", {names[0]: 10})
    assert [(part.pages, part.size) for part in listing.parts] == [((1, 999), None), ((1000, 5000), 10), ((5001, 6000), None)]
    assert (listing.layout, listing.date, listing.status) == ("content", "2025-11-01", "done")
    assert listing.parts[2].checksum == "sha256:" + "1" * 64
    assert listing.parts[0].part == "enwiki-20251101-p1p999"
    with pytest.raises(ValueError, match="names no part of a dump of dewiki"):
        read_sums(sums, "http://x/SHA256SUMS", "dewiki", None, "f", {})


def test_the_file_that_holds_all_parts_is_none_beside_them():
    """sha1sums.txt lists the files of all jobs."""
    sums = "".join(f"{'a' * 40}  {name}\n" for name in [*NAMES, "enwiki-20251101-pages-articles.xml.bz2"])
    listing = read_sums(sums, "http://x/enwiki-20251101-sha1sums.txt", "enwiki", "20251101", "f", {})
    assert [part.name for part in listing.parts] == NAMES[::-1]
    assert listing.layout == "classic"


def test_index_pages_of_two_servers():
    nginx = '<a href="../">../</a>\n<a href="a%2Bb.bz2">a+b..&gt;</a>   01-Nov-2025 10:00    1234567\n<a href="x/">x/</a>  -\n'
    apache = (
        '<tr><td><a href="SHA256SUMS">SHA256SUMS</a></td><td align="right">2025-11-01 10:00  </td><td align="right">1.2K</td>\n'
        '<tr><td><a href="2025-11-01/">2025-11-01/</a></td><td align="right">2025-11-01 10:00  </td><td>  - </td>\n'
        '<a href="?C=N;O=D">Name</a>\n'
    )
    assert read_index(nginx) == {"../": None, "a+b.bz2": 1234567, "x/": None}
    assert read_index(apache) == {"SHA256SUMS": None, "2025-11-01/": None}
    assert newest_dates(read_index(apache), dashed=True) == ["2025-11-01"]
    assert newest_dates(read_index(apache), dashed=False) == []


@pytest.mark.parametrize("text", ["", "0", "3-1", "1-", "a", "1..3", "-1", "1,,2", "1 2", "9999999"])
def test_numbers_that_are_none(text):
    with pytest.raises(ValueError, match="cannot be understood: give numbers that count from 1"):
        part_numbers(text)


def test_wikis_and_dates_that_are_none():
    for wiki in ("", "EnWiki", "../etc", "en.wiki", "1wiki"):
        with pytest.raises(ValueError, match="is no name of a wiki"):
            require_wiki(wiki)
    for date in ("", "2025", "20251301", "2025-11", "latest", "2025-1101"):
        with pytest.raises(ValueError, match="is no date of a dump"):
            require_date(date)
