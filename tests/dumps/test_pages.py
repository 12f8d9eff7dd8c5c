"""One page's XML → its row; the fast way and mwxml agree."""

from __future__ import annotations

import bz2
import hashlib
import io
import re
from datetime import UTC, datetime

import mwxml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dumps import HEAD, TAIL, base36, page_xml

from raywiki.dumps.pages import Page, _parse_any, _parse_plain, _unescape, check_sha1, parse_page


def plain(content: str = "x", /, **changes: str) -> bytes:
    xml = page_xml(5, content, title="Á & B", redirect=None).strip()
    for old, new in changes.items():
        assert getattr(MARKS, old) in xml
        xml = xml.replace(getattr(MARKS, old), new)
    return xml.encode()


class MARKS:
    model = "<model>wikitext</model>"
    contributor = "<contributor>\n        <username>Someone</username>\n        <id>3</id>\n      </contributor>"
    sha1 = f"<sha1>{base36('x')}</sha1>"
    text = '<text bytes="1" xml:space="preserve">x</text>'
    page = "<page>"
    revision = "<revision>"
    time = "<timestamp>2023-05-01T12:34:56Z</timestamp>"
    title = "<title>Á &amp; B</title>"


def both(xml: bytes) -> Page:
    """The page by the fast way and by the parser, which must agree."""
    fast, slow = _parse_plain(xml), _parse_any(xml)
    assert fast is not None
    assert fast == slow
    return fast


def slow_only(xml: bytes) -> Page:
    assert _parse_plain(xml) is None
    return parse_page(xml)


def test_a_plain_page() -> None:
    page = both(plain("Văn bản <ref>&amp;</ref> \U0001f600"))
    time = datetime(2023, 5, 1, 12, 34, 56, tzinfo=UTC)
    text = "Văn bản <ref>&amp;</ref> \U0001f600".encode()
    assert page == Page(5, 0, "Á & B", None, 35, time, "wikitext", text, True, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"contributor": "<contributor>\n<ip>127.0.0.1</ip></contributor><minor/>"},
        {"contributor": '<contributor deleted="deleted" />\n<minor />'},
        {"contributor": "<contributor><ip>::1</ip></contributor><comment>&lt;b&gt; [[x]]</comment>"},
        {"contributor": '<contributor><ip>::1</ip></contributor><comment deleted="deleted" />'},
        {"model": "<origin>35</origin><model>wikitext</model>"},
        {"sha1": "<sha1 />"},
        {"sha1": ""},
        {"revision": "<restrictions>edit=sysop:move=sysop</restrictions>\n<revision>"},
        {"title": "<title>Nhà: Thơ &quot;A&quot;</title>"},
    ],
)
def test_plain_shapes(changes) -> None:
    page = both(plain(**changes))
    assert (page.text, page.error) == (b"x", None)
    assert page.sha1_ok is (None if "sha1" in changes else True)


def test_redirects_and_namespaces() -> None:
    page = both(
        page_xml(9, '#ĐỔI [[A "B" & C]]', redirect='A "B" & C', namespace=-1, title="Tập tin:A: B.jpg").strip().encode()
    )
    assert (page.redirect, page.namespace, page.title) == ('A "B" & C', -1, "Tập tin:A: B.jpg")


def test_empty_text_deleted_text_and_no_text() -> None:
    sha1 = base36("")
    empty = both(plain(text='<text bytes="0" xml:space="preserve" />', sha1=f"<sha1>{sha1}</sha1>"))
    assert (empty.text, empty.sha1_ok) == (b"", True)
    empty = both(plain(text='<text bytes="0" xml:space="preserve"></text>', sha1=f"<sha1>{sha1}</sha1>"))
    assert (empty.text, empty.sha1_ok) == (b"", True)
    deleted = slow_only(plain(text='<text bytes="17" deleted="deleted" />'))
    assert (deleted.text, deleted.sha1_ok, deleted.error) == (None, None, None)
    stub = slow_only(plain(text='<text bytes="17" id="44" />'))
    assert stub.text is None
    assert stub.error is not None
    assert "stub" in stub.error


def test_schema_011_takes_the_checksum_of_the_text_itself() -> None:
    own = f'<text bytes="1" sha1="{base36("x")}" xml:space="preserve">x</text>'
    page = both(plain(text=own, sha1=f"<sha1>{base36('all slots')}</sha1>"))
    assert page.sha1_ok is True
    slot = "<content><role>mediainfo</role><origin>1</origin><model>json</model><format>f</format><text>{}</text></content>"
    page = slow_only(plain(text=own + slot, sha1=f"<sha1>{base36('all slots')}</sha1>"))
    assert (page.text, page.model, page.sha1_ok) == (b"x", "wikitext", True)
    page = slow_only(plain(text=MARKS.text + slot, sha1=f"<sha1>{base36('all slots')}</sha1>"))
    assert page.sha1_ok is None  # the only checksum is over all slots


def test_the_last_of_several_revisions() -> None:
    xml = plain(text=MARKS.text.replace(">x<", ">&lt;old&gt;<"))
    start, end = xml.index(b"<revision>"), xml.index(b"</page>")
    second = plain()[start:].replace(b"<id>35</id>", b"<id>99</id>").replace(b"2023", b"2024")
    page = slow_only(xml[:end] + second)
    assert (page.revision_id, page.text, page.sha1_ok) == (99, b"x", True)
    assert page.timestamp == datetime(2024, 5, 1, 12, 34, 56, tzinfo=UTC)


def test_unknown_elements_and_prefixes_are_ignored() -> None:
    page = slow_only(plain(revision='<new a="1"><id>4</id></new><revision>', model=MARKS.model + "<odd><text>no</text></odd>"))
    assert (page.page_id, page.text, page.sha1_ok, page.error) == (5, b"x", True, None)
    prefixed = re.sub(rb"<(/?)(?=[a-z])", rb"<\1mw:", plain())
    assert slow_only(prefixed) == both(plain())


def test_other_models_keep_their_text() -> None:
    assert both(plain(model="<model>Scribunto</model>")).model == "Scribunto"


def test_a_wrong_checksum_is_told() -> None:
    assert both(plain(sha1=f"<sha1>{base36('y')}</sha1>")).sha1_ok is False
    assert both(plain(sha1="<sha1>zz</sha1>")).sha1_ok is False


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": "<text>x & y</text>"}, "not well-formed"),
        ({"text": "<text>&nbsp;</text>"}, "not well-formed"),
        ({"text": "<text>&#0;</text>"}, "not well-formed"),
        ({"text": "<text>x"}, "not well-formed"),
        ({"time": "<timestamp>yesterday</timestamp>"}, "yesterday"),
        ({"time": "<timestamp>2023-13-01T12:34:56Z</timestamp>"}, "month"),
        ({"title": ""}, "title"),
    ],
)
def test_a_page_that_cannot_be_read_is_a_row_with_an_error(changes, says) -> None:
    page = slow_only(plain(**changes))
    assert page.page_id == 5
    assert page.text is None
    assert says in str(page.error)


def test_pages_without_an_id_or_a_revision() -> None:
    assert parse_page(b"<page>garbage</page>")[:3] == (-1, 0, "")
    no_revision = parse_page(b"<page><title>A</title><ns>0</ns><id>3</id></page>")
    assert (no_revision.page_id, no_revision.error) == (3, "the page has no <revision>")


def test_line_ends_are_those_of_xml() -> None:
    assert slow_only(plain(text="<text>a\r\nb</text>", sha1="")).text == b"a\nb"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60), st.integers(0, 3))
def test_entities_are_decoded_once(text, mode) -> None:
    quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if mode == 1:
        quoted = "".join(f"&#{ord(c)};" for c in text)
    if mode == 2:
        quoted = "".join(f"&#x{ord(c):X};" if i % 2 else c for i, c in enumerate(text.replace("&", "+").replace("<", "-")))
        text = text.replace("&", "+").replace("<", "-")
    xml = plain(text=f"<text>{quoted}</text>", sha1="")
    slow = _parse_any(xml)
    if slow.error is None:
        assert both(xml).text == slow.text == text.encode()
    else:
        assert any(ord(c) & 0xFFFF >= 0xFFFE for c in text)  # no characters of XML


def test_entities_of_a_very_large_text(monkeypatch) -> None:
    import raywiki.dumps.pages as pages

    raw = b"&lt;&amp;lt;&quot;&apos;&gt; x" * 50
    expected = _unescape(raw)
    monkeypatch.setattr(pages, "MANY_BYTES", 100)
    assert _unescape(raw) == expected
    assert _unescape(raw + b"&#233;") is None


@given(st.binary(max_size=50))
def test_check_sha1_is_base_36(text) -> None:
    number, digits = int.from_bytes(hashlib.sha1(text).digest(), "big"), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    assert check_sha1(text, digits.zfill(31))
    assert not check_sha1(text + b"!", digits)
    assert not check_sha1(text, "no number!")


@pytest.mark.parametrize("wiki", ["enwiki*articles1", "enwiki*articles2", "enwiki*articles3", "viwiki", "ukwiki", "elwiki"])
def test_every_page_of_a_real_part_reads_the_same_with_mwxml(shared_data, wiki) -> None:
    xml = bz2.decompress(next(shared_data.glob(f"{wiki}*.bz2")).read_bytes())
    ours = [both(page) for page in re.findall(rb"<page>.*?</page>", xml, re.DOTALL)]
    assert len(ours) == xml.count(b"<page>") > 40
    for page, (their_page, revision) in zip(ours, with_revisions(xml), strict=True):
        assert (page.page_id, page.namespace, page.title, page.redirect) == (
            their_page.id,
            their_page.namespace,
            their_page.title,
            their_page.redirect,
        )
        assert (page.revision_id, page.model) == (revision.id, revision.model)
        assert page.timestamp is not None
        assert page.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ") == revision.timestamp.long_format()
        assert page.text == (revision.text or "").encode()
        assert page.sha1_ok is (base36(revision.text or "") == revision.sha1)


def with_revisions(xml: bytes):
    for page in mwxml.Dump.from_file(io.BytesIO(xml)):
        for revision in page:
            last = revision
        yield page, last


def test_the_made_dump_is_one_for_mwxml_too() -> None:
    xml = (HEAD + page_xml(1, "a & <b>") + page_xml(2, "", redirect="Á") + TAIL).encode()
    assert [(page.id, revision.text) for page, revision in with_revisions(xml)] == [(1, "a & <b>"), (2, None)]
