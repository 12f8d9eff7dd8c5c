"""One `<page>` of the XML → one row of `PAGES`.

Nearly every page of a dump has the same plain shape and is read by two regular expressions at ten times an XML parser's speed.
Whatever has another shape (several revisions, slots, unknown elements, a namespace prefix, other entities than XML's
five) goes through mwxml's parser. Both give the same row.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree.ElementTree import ParseError


class Page(NamedTuple):
    """A row of `PAGES`; text is UTF-8 bytes, as Arrow stores it."""

    page_id: int  # -1: not known
    namespace: int
    title: str
    redirect: str | None
    revision_id: int | None
    timestamp: datetime | None
    model: str | None
    text: bytes | None
    sha1_ok: bool | None
    error: str | None


# Elements in the order of MediaWiki's export schemas 0.10 and 0.11; `[^<]` everywhere, so a match never spans two elements.
_PLAIN_HEAD = re.compile(
    rb"""<page>\s*
    <title>([^<]+)</title>\s*
    <ns>(-?\d{1,9})</ns>\s*
    <id>(\d{1,18})</id>\s*
    (?:<redirect\ title="([^"<]*)"\ ?/>\s*)?
    (?:<restrictions>[^<]*</restrictions>\s*)?
    <revision>\s*
    <id>(\d{1,18})</id>\s*
    (?:<parentid>\d+</parentid>\s*)?
    <timestamp>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)</timestamp>\s*
    <contributor(?:>\s*(?:<username>[^<]*</username>\s*<id>\d+</id>|<ip>[^<]*</ip>)\s*</contributor>
        |\ deleted="deleted"\ ?/>)\s*
    (?:<minor\ ?/>\s*)?
    (?:<comment(?:>[^<]*</comment>|\ deleted="deleted"\ ?/>)\s*)?
    (?:<origin>\d+</origin>\s*)?
    <model>([^<]+)</model>\s*
    <format>[^<]*</format>\s*
    <text((?:\ [a-z:0-9]+="[^"<>&]*")*)\ ?(/?)>""",
    re.VERBOSE,
)
_PLAIN_TAIL = re.compile(rb"(?:</text>)?\s*(?:<sha1>([0-9a-z]*)</sha1>|<sha1 ?/>)?\s*</revision>\s*</page>")
_ATTRIBUTE = re.compile(rb'([a-z:0-9]+)="([^"]*)"')
_PLAIN_ATTRIBUTES = {b"bytes", b"sha1", b"xml:space", b"id", b"origin"}
NOT_WELL_FORMED = "the page is not well-formed XML"
_NO_TEXT = "the dump holds no text for this page: is it a stub dump?"


def parse_page(xml: bytes) -> Page:
    """Read the bytes of one page, from `<page>` to `</page>`. A page that cannot be read gives a row with `error`."""
    return _parse_plain(xml) or _parse_any(xml)


def _parse_plain(xml: bytes) -> Page | None:
    """The row of a page of the plain shape; None where the page has another."""
    head = _PLAIN_HEAD.match(xml)
    if head is None or b"\r" in xml:
        return None
    title, namespace, page_id, redirect, revision_id, timestamp, model, attributes, closed = head.groups()
    start = head.end()
    end = start if closed else xml.find(b"<", start)
    tail = _PLAIN_TAIL.fullmatch(xml, end)
    if tail is None or bool(closed) == xml.startswith(b"</text>", end):
        return None
    named = dict(_ATTRIBUTE.findall(attributes))
    text = _unescape(xml[start:end])
    if text is None or not named.keys() <= _PLAIN_ATTRIBUTES or (not text and named.get(b"bytes", b"0") != b"0"):
        return None
    sha1 = named.get(b"sha1") or tail[1]
    try:
        return Page(
            int(page_id),
            int(namespace),
            _to_str(title),
            None if redirect is None else _to_str(redirect),
            int(revision_id),
            datetime.fromisoformat(timestamp.decode()),
            model.decode(),
            text,
            check_sha1(text, sha1) if sha1 else None,
            None,
        )
    except ValueError:
        return None


MANY_BYTES = 4 << 20  # a text of this size may have millions of entities, too many for a list of them
_OTHER_ENTITY = re.compile(rb"&(?!lt;|gt;|amp;|quot;|apos;)")
_ENTITY = re.compile(rb"&(lt|gt|quot|amp|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")


class _Entities(dict[bytes, bytes]):
    """XML's named entities; a numeric one is worked out when it first comes."""

    def __missing__(self, name: bytes) -> bytes:
        code = int(name[2:], 16) if name.startswith(b"#x") else int(name[1:])
        if not (code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF):
            raise ValueError(f"&{name.decode()}; is no character of XML")
        self[name] = chr(code).encode()
        return self[name]


_ENTITIES = _Entities({b"lt": b"<", b"gt": b">", b"quot": b'"', b"amp": b"&", b"apos": b"'"})


def _unescape(raw: bytes) -> bytes | None:
    """Decode the entities that XML has, once: `&amp;lt;` is `&lt;`. None where there is another one.

    >>> _unescape(b"a &lt; b &amp;lt; &#233;").decode()
    'a < b &lt; é'
    """
    n_entities = raw.count(b"&")
    if not n_entities:
        return raw
    if len(raw) > MANY_BYTES:
        return None if _OTHER_ENTITY.search(raw) else _replace_named(raw)
    parts = _ENTITY.split(raw)  # text, name, text, name, …, text; twice as fast as one replace for each entity
    names = parts[1::2]
    if len(names) != n_entities:
        return None
    try:
        parts[1::2] = [_ENTITIES[name] for name in names]
    except ValueError:
        return None
    return b"".join(parts)


def _replace_named(raw: bytes) -> bytes:
    """What _unescape does, in little memory."""
    raw = raw.replace(b"&lt;", b"<").replace(b"&gt;", b">").replace(b"&quot;", b'"').replace(b"&apos;", b"'")
    return raw.replace(b"&amp;", b"&")


def _to_str(raw: bytes) -> str:
    text = _unescape(raw)
    if text is None:
        raise ValueError("an entity that XML does not have")
    return text.decode()


def check_sha1(text: bytes, sha1: bytes | str) -> bool:
    """Whether a revision's checksum, SHA-1 in base 36 (31 digits, zero-padded), is that of its text in UTF-8.

    >>> check_sha1(b"", "phoiac9h4m842xq45sp7s6u21eteeq1")
    True
    """
    try:
        return int(sha1, 36) == int.from_bytes(hashlib.sha1(text, usedforsecurity=False).digest(), "big")
    except ValueError:
        return False


def _parse_any(xml: bytes) -> Page:
    """The row of a page of any shape, through mwxml's parser."""
    from mwxml.element_iterator import ElementIterator
    from mwxml.errors import MalformedXML

    values = _Values()
    try:
        root = ElementIterator.from_file(io.BytesIO(_declare_prefixes(xml)))
        for page in root:
            if page.tag == "page":
                _read_page(page, values)
        return values.to_page()
    except (ParseError, MalformedXML) as error:
        return broken_page(xml, f"{NOT_WELL_FORMED}: {error}")
    except ValueError as error:
        return broken_page(xml, str(error))


class _Values:
    """What has been read of a page; of its revisions, the last one's."""

    def __init__(self) -> None:
        self.page: dict[str, str] = {}
        self.redirect: str | None = None
        self.revision: dict[str, str] = {}
        self.slots: list[dict[str, str]] = []
        self.text: str | None = None
        self.text_attributes: dict[str, str] = {}

    def to_page(self) -> Page:
        page, revision = self.page, self.revision
        if "id" not in page or "title" not in page:
            raise ValueError("the page has no <id> or no <title>")
        text = None if "deleted" in self.text_attributes or self.text is None else self.text.encode()
        stub = text == b"" and self.text_attributes.get("bytes", "0") != "0"
        # With several slots the revision's checksum is over all of them; the main text's own is an attribute of <text>.
        sha1 = self.text_attributes.get("sha1") or (revision.get("sha1") if not self.slots else None)
        error = _NO_TEXT if stub else None if revision else "the page has no <revision>"
        return Page(
            int(page["id"]),
            int(page.get("ns", 0)),
            page["title"],
            self.redirect,
            int(revision["id"]) if "id" in revision else None,
            _to_timestamp(revision.get("timestamp")),
            revision.get("model"),
            None if stub else text,
            check_sha1(text, sha1) if sha1 and text is not None and not stub else None,
            error,
        )


def _read_page(page: Iterator, values: _Values) -> None:
    for element in page:
        tag = element.tag
        if tag in ("title", "ns", "id"):
            values.page[tag] = element.text or ""
        elif tag == "redirect":
            values.redirect = element.attr("title", "")
        elif tag == "revision":
            _read_revision(element, values)


def _read_revision(revision: Iterator, values: _Values) -> None:
    values.revision, values.slots, values.text, values.text_attributes = {}, [], None, {}
    for element in revision:
        tag = element.tag
        if tag == "text":
            values.text = element.text or ""
            values.text_attributes = dict(element.element.attrib)
        elif tag == "content":
            values.slots.append({part.tag: part.text or "" for part in element})
        elif tag in ("id", "timestamp", "model", "sha1"):
            values.revision[tag] = element.text or ""


def _to_timestamp(text: str | None) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(text.strip())
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_TAG = re.compile(rb"<[^<>]*>")
_PREFIX = re.compile(rb"(?:^</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_]")


def _declare_prefixes(xml: bytes) -> bytes:
    """The page inside a root that declares the namespace prefixes it uses; what they stand for does not matter."""
    prefixes = {p for tag in _TAG.findall(xml) for p in _PREFIX.findall(tag)} - {b"xml", b"xmlns"}
    declared = b"".join(b' xmlns:%b="prefix:%b"' % (p, p) for p in sorted(prefixes))
    return b"<mediawiki%b>%b</mediawiki>" % (declared, xml)


_LOOSE = {
    name: re.compile(rb"<(?:[\w.-]+:)?" + name + rb">\s*([^<]*?)\s*</") for name in (b"title", b"ns", b"id", b"timestamp")
}


def broken_page(xml: bytes, error: str) -> Page:
    """A row for a page that cannot be read whole: what its beginning still tells, and why."""
    head, _, rest = xml.partition(b"revision>")
    found = {name: pattern.search(head) for name, pattern in _LOOSE.items()}
    revision = _LOOSE[b"id"].search(rest)
    title, namespace, page_id = found[b"title"], found[b"ns"], found[b"id"]
    return Page(
        _to_int(page_id and page_id[1], -1),
        _to_int(namespace and namespace[1], 0),
        (_unescape(title[1]) or title[1]).decode("utf-8", "replace") if title else "",
        None,
        _to_int(revision[1], None) if revision else None,
        None,
        None,
        None,
        None,
        error,
    )


def _to_int(digits: bytes | None, default):
    return int(digits) if digits is not None and re.fullmatch(rb"-?\d{1,18}", digits) else default
