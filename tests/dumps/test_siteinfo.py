"""What a dump says about its wiki, and files that are no dump."""

from __future__ import annotations

import bz2
import gzip

import pytest
from made_dumps import HEAD, TAIL, dump_xml, one_stream, page_xml, ranges_at, read_checked

from raywiki.dumps import DamagedDump, SiteInfo, read_siteinfo, split_dump


def write(folder, data: bytes, name: str = "dump.xml") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def test_a_made_dump(tmp_path) -> None:
    site = read_siteinfo(write(tmp_path, dump_xml(["a"])))
    assert site == SiteInfo(
        wiki="viwiki",
        sitename="Wikipedia",
        base="https://vi.wikipedia.org/wiki/Trang_Ch%C3%ADnh",
        language="vi",
        generator="MediaWiki 1.41.0",
        case="first-letter",
        version="0.10",
        namespaces={0: "", 6: "Tập tin"},
    )


@pytest.mark.parametrize(
    ("glob", "wiki", "language", "category"),
    [
        ("enwiki*articles1*", "enwiki", "en", "Category"),
        ("viwiki*", "viwiki", "vi", "Thể loại"),
        ("ukwiki*", "ukwiki", "uk", "Категорія"),
        ("elwiki*", "elwiki", "el", "Κατηγορία"),
    ],
)
def test_real_parts(shared_data, glob, wiki, language, category) -> None:
    site = read_siteinfo(str(next(shared_data.glob(glob))))
    assert (site.wiki, site.language, site.namespaces[14], site.version) == (wiki, language, category, "0.10")
    assert site.namespaces[0] == ""


def test_addresses_are_quoted_as_mediawiki_does(tmp_path) -> None:
    site = read_siteinfo(write(tmp_path, dump_xml([])))
    assert site.url("Trang Chính") == "https://vi.wikipedia.org/wiki/Trang_Ch%C3%ADnh"
    assert site.url("AC/DC: Who? (a~b) 100%, C++ & @*!;$'") == (
        "https://vi.wikipedia.org/wiki/AC/DC:_Who%3F_(a~b)_100%25,_C%2B%2B_%26_@*!;$%27"
    )


@pytest.mark.parametrize(
    ("dbname", "base", "language"),
    [
        ("be_x_oldwiki", "https://be-tarask.wikipedia.org/wiki/A", "be-x-old"),
        ("simplewiki", "https://simple.wikipedia.org/wiki/A", "en"),
        ("dewiktionary", "https://de.wiktionary.org/wiki/A", "de"),
        ("mydb", "https://fr.example.org/wiki/A", "fr"),
        ("mydb", "http://localhost/A", "en"),
    ],
)
def test_the_language_where_the_dump_does_not_say_it(tmp_path, dbname, base, language) -> None:
    head = HEAD.replace(' xml:lang="vi"', "").replace("viwiki", dbname)
    head = head.replace("https://vi.wikipedia.org/wiki/Trang_Ch%C3%ADnh", base)
    site = read_siteinfo(write(tmp_path, (head + TAIL).encode()))
    assert (site.language, site.wiki) == (language, dbname)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xml", b"", "is empty"),
        ("a.xml", b"<!DOCTYPE html><html>Not found</html>", "is no MediaWiki dump"),
        ("a.txt", b"wikipedia " * 100, "is no MediaWiki dump"),
        ("a.xml.bz2", bz2.compress(b"wikipedia " * 100), "is no MediaWiki dump"),
        ("a.xml.7z", b"7z\xbc\xaf\x27\x1c....", "download the .bz2"),
        ("enwiki-latest-page.sql.gz", gzip.compress(b"-- MySQL dump", mtime=0), "database table in SQL"),
        ("enwiki-multistream-index.txt.bz2", bz2.compress(b"1:2:A"), "index of a multistream dump"),
        ("a.xml", b"<mediawiki><siteinfo><page></page></mediawiki>", "no whole <siteinfo>"),
        ("a.xml", b"<mediawiki><siteinfo><x></siteinfo></mediawiki>", "not well-formed"),
    ],
)
def test_files_that_are_no_dump(tmp_path, name, data, says) -> None:
    path = write(tmp_path, data, name)
    for read in (read_siteinfo, split_dump):
        with pytest.raises(ValueError, match=says) as caught:
            read(path)
        assert path in str(caught.value)


@pytest.mark.parametrize(
    ("name", "language", "wiki", "known"),
    [
        ("cut.xml", "vi", "viwiki", "vi"),
        ("viwiki-20230501-cut.xml", None, "viwiki", "vi"),
        ("enwikinews-latest.xml", None, "enwikinews", "en"),
        ("zh_min_nanwikisource.xml", None, "zh_min_nanwikisource", "zh-min-nan"),
        ("simplewiki-p1p2.xml", None, "simplewiki", "en"),
        ("dewikivoyage-20230501-pages-articles.xml", "nds", "dewikivoyage", "nds"),
    ],
)
@pytest.mark.parametrize("root", ["<mediawiki>\n", '<?xml version="1.0"?>\n<mediawiki version="0.3">\n'])
def test_a_dump_without_siteinfo(tmp_path, name, language, wiki, known, root) -> None:
    path = write(tmp_path, (root + page_xml(1, "An ox.") + TAIL).encode(), name)
    site = read_siteinfo(path, language)
    assert (site.wiki, site.language, site.is_guessed, site.namespaces) == (wiki, known, True, {})
    project = wiki.replace("_", "-")[len("zh-min-nan" if "nan" in wiki else wiki.partition("wiki")[0]) :]
    assert site.url("A b").startswith("https://")
    assert site.url("A b").endswith(f".{'wikipedia' if project == 'wiki' else project}.org/wiki/A_b")
    rows, _ = read_checked(split_dump(path))
    assert [row["text"] for row in rows] == ["An ox."]


def test_a_dump_without_siteinfo_of_no_known_language(tmp_path) -> None:
    path = write(tmp_path, ("<mediawiki>" + page_xml(1, "An ox.") + TAIL).encode(), "cut.xml")
    with pytest.raises(ValueError, match=r"cut.xml has no <siteinfo>, and its name does not begin .*--language en"):
        read_siteinfo(path)
    said = write(tmp_path, ('<mediawiki xml:lang="vi">' + page_xml(1, "An ox.") + TAIL).encode(), "said.xml")
    assert (read_siteinfo(said).language, read_siteinfo(said).wiki) == ("vi", "viwiki")
    pages_alone = write(tmp_path, page_xml(1, "An ox.").encode(), "viwiki-pages.xml")
    assert read_siteinfo(pages_alone).is_guessed


def test_missing_files_and_folders(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no dump file"):
        read_siteinfo(str(tmp_path / "none.bz2"))
    with pytest.raises(ValueError, match="is a folder"):
        split_dump(str(tmp_path))


def test_only_the_head_must_be_whole(tmp_path) -> None:
    xml = dump_xml(["a", "b"])
    first = xml.index(b"  <page>")
    data = one_stream([xml[:first] + b" " * 20_000, xml[first:]])
    for damaged in (data[:-200], data[:-200] + b"garbage" * 10):
        assert read_siteinfo(write(tmp_path, damaged, "d.bz2")).wiki == "viwiki"
    with pytest.raises(DamagedDump, match="damaged at bytes 4 to 40"):
        read_siteinfo(write(tmp_path, data[:40], "d.bz2"))


def test_a_namespace_prefix_on_every_element(tmp_path) -> None:
    import re

    xml = HEAD + page_xml(1, "a &lt; b") + page_xml(2, "c", redirect="D") + TAIL
    xml = re.sub(r"<(/?)(?=[a-z])", r"<\1mw:", xml).replace("xmlns=", "xmlns:mw=")
    path = tmp_path / "d.xml"
    path.write_text(xml)
    assert read_siteinfo(str(path)).namespaces[6] == "Tập tin"
    rows, _ = read_checked(ranges_at(path, [700, 900]))
    assert [(row["text"], row["redirect"]) for row in rows] == [("a &lt; b", None), ("c", "D")]
