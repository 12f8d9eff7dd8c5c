"""Pages → MediaWiki's export XML, schema 0.11, as Wikimedia writes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

NAMESPACES = {
    -2: "Media",
    -1: "Special",
    0: "",
    1: "Talk",
    2: "User",
    3: "User talk",
    4: "Project",
    5: "Project talk",
    6: "File",
    7: "File talk",
    8: "MediaWiki",
    9: "MediaWiki talk",
    10: "Template",
    11: "Template talk",
    12: "Help",
    13: "Help talk",
    14: "Category",
    15: "Category talk",
    828: "Module",
    829: "Module talk",
}
FORMATS = {"wikitext": "text/x-wiki", "Scribunto": "text/plain", "sanitized-css": "text/css"}
# Characters that XML 1.0 has not: most control characters, half surrogates.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Page:
    """One `<page>` with its last revision."""

    title: str
    text: str | None  # None: the text was deleted
    namespace: int = 0
    redirect: str | None = None
    model: str = "wikitext"
    page_id: int = 0
    revision_id: int = 0
    parent_id: int | None = None
    timestamp: str = "2026-01-01T00:00:00Z"
    contributor: tuple[str, int | None] = ("Pydoc", 1)  # a name with its id, or an IP address with None
    comment: str = ""
    minor: bool = False


def sha1_base36(data: bytes) -> str:
    """SHA-1 as MediaWiki writes it: in base 36, filled with zeros to 31 digits.

    >>> sha1_base36(b"")
    'phoiac9h4m842xq45sp7s6u21eteeq1'
    """
    number = int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest(), "big")
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits.zfill(31)


def clean_text(text: str) -> str:
    """`text` as MediaWiki stores it: no characters that XML lacks, no space at the end."""
    return NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "")).rstrip()


def quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def text_elements(text: str | None, model: str) -> str:
    """The elements from `<model>` to `<sha1>`."""
    head = f"      <model>{model}</model>\n      <format>{FORMATS[model]}</format>\n"
    if text is None:
        return head + '      <text bytes="0" deleted="deleted" />\n      <sha1 />\n'
    data = clean_text(text).encode()
    sha1 = sha1_base36(data)
    attributes = f'bytes="{len(data)}" sha1="{sha1}" xml:space="preserve"'
    body = f"<text {attributes}>{quoted(data.decode())}</text>" if data else f"<text {attributes} />"
    return f"{head}      {body}\n      <sha1>{sha1}</sha1>\n"


def page_xml(page: Page) -> str:
    """A `<page>` element, indented as in a dump.

    >>> "<ns>0</ns>" in page_xml(Page("Lock", "'''Lock''' is a class.", page_id=12))
    True
    """
    name, number = page.contributor
    contributor = f"<ip>{name}</ip>" if number is None else f"<username>{quoted(name)}</username>\n        <id>{number}</id>"
    lines = [
        "  <page>",
        f"    <title>{quoted(page.title)}</title>",
        f"    <ns>{page.namespace}</ns>",
        f"    <id>{page.page_id}</id>",
        *([f'    <redirect title="{quoted(page.redirect)}" />'] if page.redirect else []),
        "    <revision>",
        f"      <id>{page.revision_id}</id>",
        *([f"      <parentid>{page.parent_id}</parentid>"] if page.parent_id else []),
        f"      <timestamp>{page.timestamp}</timestamp>",
        f"      <contributor>\n        {contributor}\n      </contributor>",
        *(["      <minor />"] if page.minor else []),
        *([f"      <comment>{quoted(page.comment)}</comment>"] if page.comment else []),
        f"      <origin>{page.revision_id}</origin>",
    ]
    return "\n".join(lines) + "\n" + text_elements(page.text, page.model) + "    </revision>\n  </page>\n"


def header_xml(site_name: str, db_name: str, base: str) -> str:
    """The start of a dump: `<mediawiki>` and the whole `<siteinfo>`."""
    schema = "http://www.mediawiki.org/xml/export-0.11/"
    lines = [
        f'<mediawiki xmlns="{schema}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema} http://www.mediawiki.org/xml/export-0.11.xsd" version="0.11" xml:lang="en">',
        "  <siteinfo>",
        f"    <sitename>{site_name}</sitename>",
        f"    <dbname>{db_name}</dbname>",
        f"    <base>{base}</base>",
        "    <generator>MediaWiki 1.45.0</generator>",
        "    <case>case-sensitive</case>",
        "    <namespaces>",
    ]
    for key, name in NAMESPACES.items():
        start = f'      <namespace key="{key}" case="case-sensitive"'
        lines.append(f"{start}>{name}</namespace>" if name else f"{start} />")
    return "\n".join([*lines, "    </namespaces>", "  </siteinfo>", ""])


def dump_xml(pages: Iterable[Page], site_name: str, db_name: str, base: str) -> str:
    """A whole dump part."""
    return header_xml(site_name, db_name, base) + "".join(map(page_xml, pages)) + "</mediawiki>\n"
