"""One page: wikitext → text, in a dozen passes over the whole page, each linear in its length.

The order is MediaWiki's own: elements whose content is no wikitext, templates, tables, links, tags, lines. Passes are
regular expressions with possessive quantifiers, so that no input makes one try again what it has tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from raywiki.wikitext.definitions import Definitions
from raywiki.wikitext.entities import decode, plain_blanks
from raywiki.wikitext.expand import expand
from raywiki.wikitext.layout import layout, mark_text
from raywiki.wikitext.links import links, plain_links
from raywiki.wikitext.mwparser import second_opinion
from raywiki.wikitext.page import CONTROL, PIPE, CleanText, Page, cleaned
from raywiki.wikitext.protect import protect
from raywiki.wikitext.sites import redirect, site
from raywiki.wikitext.tables import drop_tables, markdown_tables
from raywiki.wikitext.tags import BREAK, NOTHING, conversion, drop_nothing, magic_words, quotes, tags
from raywiki.wikitext.tidy import GONE, tidy

_MARKS = "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f"
_TOKEN = re.compile(r"\x02(\d+)\x03")


def clean_wikitext(
    wikitext: str,
    *,
    language: str = "en",
    namespaces: Mapping[int, str] | None = None,
    title: str = "",
    timestamp: datetime | None = None,
    tables: Literal["markdown"] | None = None,
    captions: bool = False,
    templates: Definitions | None = None,
    examples: dict[str, dict[str, str]] | None = None,
) -> CleanText:
    """The text of a page as a reader sees it, values of inline templates included.

    Takes time and memory linear in the length of any input. It never raises for what a page holds: see
    `CleanText.error`.

    Args:
        wikitext: a page's source.
        language: language code of the wiki: chooses template aliases, names and number formats.
        namespaces: namespace names by id, as in the dump's `siteinfo`; names of the large wikis are known anyway.
        title: the page's title, for `{{PAGENAME}}`.
        timestamp: when the page was last edited: the date that `{{CURRENTYEAR}}` means.
        tables: "markdown" keeps tables; None leaves them out.
        captions: keep captions of images, as paragraphs.
        templates: what the wiki says its templates mean; None: only those that raywiki knows by name have a text.
        examples: a dict to fill, by name, with the `article` and the `sentence` in which a template was dropped, guessed or
            failed that it does not hold yet. Pass the same one for many pages.

    Raises:
        ValueError: `tables` is neither None nor "markdown".

    >>> clean_wikitext("At {{convert|1300|mi|km}}, [[Alabama]] has '''long''' waterways.{{citation needed}}").text
    'At 1,300 miles (2,100 km), Alabama has long waterways.'
    """
    if tables not in (None, "markdown"):
        raise ValueError(f"tables={tables!r}: give 'markdown' to keep tables, or None to leave them out")
    page = Page(site(language, namespaces), title, timestamp, tables, captions, templates=templates, examples=examples)
    try:
        text = _clean(wikitext, page)
    except Exception as error:  # whatever it is: one page must not stop a dump
        return second_opinion(wikitext, page.site, error)
    return cleaned(text, wikitext, page)


def _clean(text: str, page: Page) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for mark in _MARKS:
        if mark in text:
            text = CONTROL.sub("", text)
    if "#" in text[:100] and redirect().match(text):
        links(text, page)
        return ""
    if "<" in text:
        text = protect(text, page)
    if page.tables is None:
        text = drop_tables(text)
    text = plain_links(mark_text(text))
    if "{{" in text:
        text = expand(text, page)
        may_have_tables = PIPE in text or page.templates is not None
        text = text.replace(PIPE, "|")
        if may_have_tables and page.tables is None:
            text = drop_tables(text)
    text = conversion(text, page.site.language)
    text = tags(quotes(links(text, page)))
    text = plain_blanks(decode(drop_nothing(magic_words(text))))
    text = tidy(text, page.site.language)
    if page.tables == "markdown":
        text = markdown_tables(text, page)
    text = layout(text)
    return _restore(text, page.kept) if page.kept else text


def _restore(text: str, kept: list[str]) -> str:
    """Put what was kept back; what was kept may hold tokens of things kept earlier."""
    for _ in range(10):
        text, found = _TOKEN.subn(lambda match: kept[int(match[1])], text)
        if not found:
            break
    return (
        text.replace(BREAK, " ").replace(NOTHING, "").replace(GONE, "")
    )  # those of what was kept before the passes that take them out
