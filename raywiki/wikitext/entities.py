"""HTML entities, decoded once; and the many kinds of blanks."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from html.entities import html5

_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_BLANKS = (
    "\xa0",
    "\u2009",
    "\u202f",
    "\u2002",
    "\u2003",
    "\u200a",
    "\u2007",
    "\u2008",
    "\t",
)
_NOTHING = (
    "\xad",
    "\u200b",
    "\u200e",
    "\u200f",
    "\ufeff",
    "\u2060",
)  # soft hyphen, zero width, direction marks


def decode(text: str) -> str:
    """`text` with its entities decoded, once: `&amp;lt;` becomes `&lt;`. Unknown entities stay as they are.

    >>> decode("AT&amp;T &eacute;&#233;&#xe9; &amp;lt; &nothing;")
    'AT&T ééé &lt; &nothing;'
    """
    if "&" not in text:
        return text
    return _ENTITY.sub(_decode, text.replace("&nbsp;", " "))


def _decode(match: re.Match[str]) -> str:
    return _character(match[0])


@lru_cache(maxsize=4096)
def _character(entity: str) -> str:
    if entity[1] != "#" and entity[1:] not in html5:  # html.unescape would take `&not` of `&nothing;`
        return entity
    char = html.unescape(entity)
    return char if char >= " " else " "


def plain_blanks(text: str) -> str:
    """No-break, thin and other blanks become ordinary ones; soft hyphens and invisible marks go."""
    for char in _BLANKS:
        if char in text:
            text = text.replace(char, " ")
    for char in _NOTHING:
        if char in text:
            text = text.replace(char, "")
    return text
