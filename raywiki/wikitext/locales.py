"""Babel's locale of a wiki's language (Unicode CLDR), its plural rules, and what {{#language:}} shows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from raywiki.wikitext.magic import chain

if TYPE_CHECKING:
    from babel import Locale

# Codes of wikis that CLDR spells otherwise.
_CLDR = {
    "no": "nb", "simple": "en", "als": "gsw", "be-tarask": "be", "be-x-old": "be", "zh-yue": "yue", "zh-classical": "zh",
    "tl": "fil", "sh": "sr_Latn", "fiu-vro": "et", "roa-tara": "it",
}  # fmt: skip


@cache
def locale(language: str) -> Locale | None:
    """The locale of a language or, without one, of those that MediaWiki falls back on, English left aside."""
    from babel import Locale, UnknownLocaleError  # half of a second on a cold disk, and few pages ask

    for code in chain(language):
        if code == "en" and language.split("-")[0] not in ("en", "simple"):
            break
        for name in (_CLDR.get(code, code), code.split("-")[0]):
            try:
                return Locale.parse(name.replace("-", "_"))
            except (ValueError, UnknownLocaleError):
                continue
    return None


def plural_form(number: float, language: str, forms: int) -> int:
    """Which of `forms` forms MediaWiki shows with a number: CLDR's categories in their order, the last for all others.

    >>> [plural_form(n, "uk", 3) for n in (1, 3, 5, 21)], [plural_form(n, "pl", 3) for n in (1, 2, 12)]
    ([0, 1, 2, 0], [0, 1, 2])
    """
    found = locale(language)
    if found is None:
        return 0 if number == 1 or forms < 2 else forms - 1
    rule = found.plural_form
    order: list[str] = [tag for tag in ("zero", "one", "two", "few", "many", "other") if tag in rule.tags or tag == "other"]
    exact = abs(int(number)) if float(number).is_integer() else abs(number)
    return min(order.index(rule(exact)), forms - 1)


def language_name(code: str, language: str = "") -> str:
    """`{{#language:de}}` → Deutsch, `{{#language:de|fr}}` → allemand; the code itself where nobody knows the name."""
    named = locale(code)
    if named is None or (named.language == "en" and code.split("-")[0] not in ("en", "simple")):
        return code
    shown = named.get_display_name(language.replace("-", "_") if language else None) if language else named.display_name
    return str(shown or code)
