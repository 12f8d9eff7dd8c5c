"""Templates of the Hebrew Wikipedia: where a verse or a page of the Talmud stands."""

from __future__ import annotations

import re

from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_NUMERAL = re.compile(r"[א-ת]{1,4}")
_PLACES = {  # before the book, and before each number
    'תנ"ך': ("ספר ", "פרק", "פסוק"),
    "בבלי": ("תלמוד בבלי, מסכת ", "דף", "עמוד"),
    "משנה": ("משנה, מסכת ", "פרק", "משנה"),
}


def numeral(text: str) -> str:
    """A number in letters as it is written: one letter with a stroke behind it, of several the last with two before it.

    >>> numeral("א"), numeral("יב"), numeral("12")
    ("א'", 'י"ב', '12')
    """
    if not _NUMERAL.fullmatch(text):
        return text
    return f"{text}'" if len(text) == 1 else f'{text[:-1]}"{text[-1]}'


@template(*_PLACES, language="he")
def verse(t: Template) -> str | None:
    """`{{תנ"ך|בראשית|א|ב}}` → ספר בראשית, פרק א', פסוק ב'."""
    if not t[1]:
        return None
    book, large, small = _PLACES[t.key]
    pieces = [f"{book}{t[1]}", *(f"{word} {numeral(value)}" for word, value in ((large, t[2]), (small, t[3])) if value)]
    return ", ".join(pieces)
