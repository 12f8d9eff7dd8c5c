"""mwparserfromhell at work: a second opinion on pages that the cleaner fails on, and the text of the Hugging Face data set.

It builds a tree of a page, and reads on to the page's end from each mark that nobody closes: there are pages that cost it
minutes. Which those are, a page's marks tell, so they are not given to it. The estimate is a function of the text alone and
not of a clock: a page has the same text on every machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import mwparserfromhell
from mwparserfromhell.nodes import Text
from mwparserfromhell.wikicode import Wikicode

from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.expand import dropped_name
from raywiki.wikitext.links import add_category, interlanguage
from raywiki.wikitext.page import CONTROL, CleanText, Page, cleaned
from raywiki.wikitext.sites import Site, site
from raywiki.wikitext.tags import magic_words
from raywiki.wikitext.tidy import GONE, tidy

MAX_SECONDS = 5.0  # a page of a corpus that is cleaned by mwparserfromhell; 300,000 marks, up to 500 MB
MAX_SECONDS_OF_SECOND_OPINION = 1.0
# What mwparserfromhell 0.7.2 takes on one core of 2026, and most of its kinds of marks take less: see benchmarks/clean.md.
_SECONDS_A_MARK = 17e-6
_SECONDS_A_CHARACTER_READ_AGAIN = 0.13e-6

_MARK = re.compile(
    r"(?P<open>\{\{|\[\[|^[ \t:]*+\{\||<!--|\[(?=[a-z]{2,9}:|//))|(?P<close>\}\}|\]\]|^[ \t]*+\|\}|-->|\])"
    r"|<(?:/(?P<end>[a-z]+)|(?P<tag>[a-z]+))[^<>{}\[\]]*+>?|'(?=')|[*#:;=]|\||&|//",
    re.IGNORECASE | re.MULTILINE,
)
_OPENED_BY = {"}}": "{{", "]]": "[[", "|}": "{|", "-->": "<!--", "]": "["}
_VOID = {"br", "hr", "wbr", "img", "meta", "link", "li", "dt", "dd", "th", "td", "tr"}
_MAGIC_WORD = re.compile(r"__[A-Z]*+__")
_MARKUP = re.compile(
    r"\{\{+|\}\}+|\[\[+(?:[^\[\]|\n]*+\|)?|\]\]+|<[^<>\n]*+>|'{2,}|^[|!{][^\n]*",
    re.MULTILINE,
)


def clean_with_mwparserfromhell(
    wikitext: str,
    *,
    language: str = "en",
    namespaces: Mapping[int, str] | None = None,
    title: str = "",
    timestamp: datetime | None = None,
) -> CleanText:
    """The text that the Hugging Face hub's data set `wikipedia` has of a page, to compare with.

    Its rules are those of the data set's script (huggingface/datasets, datasets/wikipedia/wikipedia.py, which NVIDIA NeMo
    Curator runs too): section by section, links to files and media go, links to categories show the category's name,
    references and HTML tables go, what mwparserfromhell's `strip_code` leaves is shown without magic words, and sections
    are joined by a blank line. Names of namespaces are not the script's but those of `raywiki.wikitext.sites`. The columns
    beside the text are raywiki's: `dropped_templates` counts them all, as the script keeps none.

    Takes the arguments of `clean_wikitext` that matter, and never raises for what a page holds: a page that would take
    mwparserfromhell longer than `MAX_SECONDS` is stripped of its marks and has an `error`.

    >>> clean_with_mwparserfromhell("At {{convert|1300|mi|km}}, '''[[Alabama]]''' has… [[Category:States|A]]").text
    'At , Alabama has… A'
    """
    page = Page(site(language, namespaces), title, timestamp)
    try:
        code = _parse(wikitext, MAX_SECONDS)
        _account(code, page)
        return cleaned(_hub_text(code, page.site), wikitext, page)
    except Exception as error:  # RecursionError and ParserError are known of it
        return CleanText(plain_strip(wikitext), error=describe(error))


def second_opinion(wikitext: str, where: Site, error: Exception) -> CleanText:
    """What mwparserfromhell makes of a page on which the cleaner failed with `error`; its templates are all left out."""
    page = Page(where)
    try:
        code = _parse(CONTROL.sub("", wikitext), MAX_SECONDS_OF_SECOND_OPINION)
        _account(code, page)
        _leave_out(code, lambda node: _is_hidden(node, where))
        text = tidy(magic_words(_without_markup(code.strip_code())), where.language)
        text = "\n".join(map(str.strip, text.split("\n"))).strip()
    except Exception:  # of the two errors the first says what to mend
        page, text = Page(where), plain_strip(wikitext)
    return cleaned(text, wikitext, page, describe(error))


def plain_strip(wikitext: str) -> str:
    """`wikitext` without the marks of its markup: what is left when nothing better is possible."""
    return _without_markup(CONTROL.sub("", wikitext))


def _without_markup(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", _MARKUP.sub("", text)).strip()


def describe(error: Exception) -> str:
    """An exception as the column `error` has it."""
    return f"{type(error).__name__}: {error}"[:500]


def expected_seconds(wikitext: str) -> float:
    """What mwparserfromhell will take for a page: so much a mark, and for each mark that is never closed the page again.

    >>> expected_seconds("{{a|[[b]]}} " * 1000) < 0.2 < 1 < expected_seconds("{{a|[[b]] " * 1000)
    True
    """
    opened: list[str] = []
    n_open: Counter[str] = Counter()
    marks = unclosed = 0
    for match in _MARK.finditer(wikitext):
        marks += 1
        opening, closes = _opening_and_closed(match)
        if opening:
            opened.append(opening)
            n_open[opening] += 1
        elif closes and n_open[closes]:
            while (last := opened.pop()) != closes:  # what stands open inside what is closed stays so
                n_open[last] -= 1
                unclosed += 1
            n_open[closes] -= 1
    unclosed += len(opened)
    return marks * _SECONDS_A_MARK + unclosed * len(wikitext) * _SECONDS_A_CHARACTER_READ_AGAIN


def _opening_and_closed(match: re.Match[str]) -> tuple[str, str]:
    """What this mark opens, or the opening that it closes; "" for neither."""
    kind = match.lastgroup
    if kind == "open":
        return match[0].lstrip(" \t:"), ""
    if kind == "close":
        return "", _OPENED_BY[match[0].lstrip()]
    name = (match["tag"] or match["end"] or "").lower()
    if not name or name in _VOID or match[0].endswith("/>"):
        return "", ""
    return (f"<{name}", "") if kind == "tag" else ("", f"<{name}")


def _parse(wikitext: str, max_seconds: float) -> Wikicode:
    seconds = expected_seconds(wikitext)
    if seconds > max_seconds:
        raise ValueError(f"too nested or too long for mwparserfromhell ({seconds:.0f} s expected)")
    return mwparserfromhell.parse(wikitext)


def _account(code: Wikicode, page: Page) -> None:
    """Categories and templates of a page, as the cleaner would have noted them."""
    for link in code.ifilter_wikilinks():
        prefix, colon, name = str(link.title).partition(":")
        if colon and normalise(prefix) in page.site.category_names:
            add_category(name, page)
    page.dropped.update(dropped_name(str(template.name)) for template in code.ifilter_templates())


def _hub_text(code: Wikicode, where: Site) -> str:
    """The rules of the data set's script, in its order: it goes on over lists from which it takes."""
    media, category = _beginning(where.file_names | where.media_names), _beginning(where.category_names)
    sections = []
    for section in code.get_sections(flat=True, include_lead=True, include_headings=True):
        for link in section.ifilter_wikilinks():
            if media.match(str(link.title)):
                _remove(section, link)
            elif category.match(str(link.title)):
                link.text = category.sub("", link.__strip__() or "", count=1)
        for tag in section.ifilter_tags(matches=lambda tag: str(tag.tag) in ("ref", "table")):
            _remove(section, tag)
        sections.append(_MAGIC_WORD.sub("", section.strip_code().strip()))
    return "\n\n".join(sections)


@lru_cache(maxsize=256)
def _beginning(names: frozenset[str]) -> re.Pattern[str]:
    """A title in one of these namespaces, up to its colon."""
    alternatives = "|".join(sorted(map(re.escape, names), reverse=True)).replace(r"\ ", "[ _]")
    return re.compile(f"(?:{alternatives}):", re.IGNORECASE)


def _remove(section: Wikicode, node: Any) -> None:
    with suppress(ValueError):  # it stood in one that is gone already
        section.remove(node)


def _leave_out(code: Wikicode, is_hidden: Callable[[Any], bool]) -> None:
    """Take out nodes at any depth, in one walk; `Wikicode.remove` would search the page for each."""
    code.nodes = [Text(GONE) if is_hidden(node) else node for node in code.nodes]
    for node in code.nodes:
        for child in node.__children__():
            _leave_out(child, is_hidden)


def _is_hidden(node: Any, where: Site) -> bool:
    """Links that a reader does not see where they stand, references, tables, templates and comments."""
    if isinstance(node, mwparserfromhell.nodes.Wikilink):
        prefix, colon, _ = str(node.title).partition(":")
        name = normalise(prefix)
        return bool(colon) and (name in where.file_names or name in where.category_names or name in interlanguage())
    if isinstance(node, mwparserfromhell.nodes.Tag):
        return str(node.tag).strip().lower() in ("ref", "table", "references", "gallery", "timeline")
    return isinstance(node, mwparserfromhell.nodes.Template | mwparserfromhell.nodes.Comment)
