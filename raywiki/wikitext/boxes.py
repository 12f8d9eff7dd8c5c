"""What an expanded template is: something that stands in a sentence, or a box beside the text, which is left out."""

from __future__ import annotations

import re
from functools import lru_cache

from raywiki.wikitext.page import PIPE
from raywiki.wikitext.sites import Site

BOX = "<table></table>"  # what stands for a box that nobody needs to build

# Classes of the boxes, notes and marks of Wikipedia's style sheets (MediaWiki:Common.css; English names nearly everywhere).
_CLASSES = (
    "navbox|infobox|vcard|sidebar|[acdfiost]mbox|mbox|messagebox|hatnote|dablink|rellink|noprint|metadata|sistersitebox|toccolours|"
    "thumb|portal|boilerplate|notice|notification|stub|reflist|Inline-Template|successionbox|wikitable|userbox|geobox|taxobox|references-small|refbegin|toc\\b"
)
_BOX_START = re.compile(
    rf"\s*+(?:(?:\{{[|{PIPE}]|[|{PIPE}]-|<table\b)"
    rf"|(?::+\s*+)?<(?:div|span|sup|small|p|aside|ul|dl|center|ol)\b(?:[^<>]*?\bclass\s*=\s*[\"']?[^\"'<>]*?\b(?:{_CLASSES})"
    rf"|[^<>]*?(?:float:\s*(?:right|left)|position:\s*absolute)|[^<>]*?\balign\s*=\s*[\"']?(?:right|left)))",
    re.IGNORECASE,
)
_HATNOTE = re.compile(r"\s*+(?::+\s*+(?:<[^<>]*+>)*+|<div\b[^<>]*+>\s*+)''(?!')[^\n]*+\s*+")
_NAMESPACE = re.compile(r"\[\[[^\[\]|:]*+:")
_TAG = re.compile(r"<[^<>]*+>")


def starts_a_box(text: str) -> bool:
    """Whether these first characters are those of a table, or of an element that is a box or note by its class or place.

    >>> starts_a_box('<div class="navbox">'), starts_a_box("{| class=wikitable"), starts_a_box('<span class="nowrap">')
    (True, True, False)
    """
    return _BOX_START.match(text) is not None


def without_boxes(text: str, site: Site) -> str | None:
    """An expansion without categories, or None where no sentence can hold it: a box, a hatnote, pictures alone, nothing."""
    has_links = "[[" in text and _NAMESPACE.search(text) is not None
    if has_links:
        text = _categories(site).sub("", text)
    if starts_a_box(text) or _HATNOTE.fullmatch(text):
        return None
    shown = _files(site).sub("", text) if has_links else text
    if "<" in shown and "<br" not in shown.lower():
        shown = _TAG.sub("", shown)
    return text if shown.strip() or "\xa0" in shown else None


@lru_cache(maxsize=64)
def _categories(site: Site) -> re.Pattern[str]:
    return re.compile(rf"\[\[\s*(?:{_names(site.category_names)})\s*:[^\[\]\n]*+\]\]\n?", re.IGNORECASE)


@lru_cache(maxsize=64)
def _files(site: Site) -> re.Pattern[str]:
    return re.compile(rf"\[\[\s*(?:{_names(site.file_names)})\s*:[^\[\]]*+(?:\[\[[^\[\]]*+\]\][^\[\]]*+)*+\]\]", re.IGNORECASE)


def _names(names: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, names), reverse=True)).replace(r"\ ", "[ _]")
