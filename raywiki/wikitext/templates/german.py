"""Templates of the German Wikipedia: languages, paragraphs of laws, quotations, days of two calendars."""

from __future__ import annotations

from datetime import datetime, timedelta

from raywiki.wikitext.calendar import format_date
from raywiki.wikitext.cldr import language_codes, language_name
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template
from raywiki.wikitext.templates.names import ship
from raywiki.wikitext.templates.russian import gregorian


@template(*(f"{code}S" for code in sorted(language_codes()) if len(code) < 4 and code not in ("a", "is", "as")), language="de")
def language(t: Template) -> str:
    """`{{frS|Paris}}` → französisch Paris; without a word the language alone, and a transliteration behind the word."""
    if t.name.strip() == "SMS":
        return ship(t) or ""  # {{SMS|Emden}}; {{smS|…}} is a word of Samoan
    name = language_name(t.key.removesuffix("s"), "de")
    shown = " ".join(filter(None, (name, t[1], t[2] or t["d"], t["p"])))
    return f"{shown}, DMG {t['DMG']}" if t["DMG"] else shown


@template("isS", "isländisch", language="de")
def icelandic(t: Template) -> str:
    return f"isländisch {t[1]}".strip()


@template("§", "§§", "art.", "artikel", language="de")
def paragraph(t: Template) -> str | None:
    """`{{§|242|bgb|juris}}` → § 242: the law and where it can be read make the link, unless `text` shows something else."""
    if t["text"]:
        return t["text"]
    sign = "Art." if t.key.startswith("art") else t.name.strip()
    return f"{sign} {t[1]}" if t[1] else None


@template("zh", "zh-cn", "zh-tw", language="de")
def chinese(t: Template) -> str | None:
    """`{{zh|c=北京|p=Běijīng}}` → chinesisch 北京, Pinyin Běijīng."""
    words = (
        ("c", "chinesisch "),
        ("v", "chinesisch "),
        ("t", "chinesisch "),
        ("p", "Pinyin "),
        ("w", "W.-G. "),
        ("j", "Jyutping "),
    )
    shown = [word + t[key] for key, word in words if t[key]]
    return ", ".join(shown) or (f"chinesisch {t[1]}" if t[1] else None)


@template("julgregdatum", language="de")
def two_calendars(t: Template) -> str | None:
    """`{{JULGREGDATUM|7|11|1917}}` → 25. Oktoberjul. / 7. November 1917greg.; a Gregorian day is given.

    The marks are raised ones in the page.
    """
    day, month, year = (value if value.isdecimal() else "" for value in (t[1], t[2], t[3]))
    if not (day and month and year):
        return " ".join(filter(None, t.positional()[:3])) or None
    old = julian(int(year), int(month), int(day))
    if old is None:
        return format_date(year, month, day, "de")
    old_year = "" if old.year == int(year) else str(old.year)
    shown = format_date(old_year, str(old.month), str(old.day), "de")
    return f"{shown}<sup>jul.</sup> / {format_date(year, month, day, 'de')}<sup>greg.</sup>"


def julian(year: int, month: int, day: int) -> datetime | None:
    """The Julian day of a Gregorian one; None where there is none, or where datetime has no name for it (29 February 1700).

    >>> julian(1917, 11, 7).date().isoformat(), julian(1700, 3, 11)
    ('1917-10-25', None)
    """
    try:
        new = datetime(year, month, day)
    except ValueError:
        return None
    for late in range(-2, 30):
        old = new - timedelta(days=late)
        if gregorian(old.year, old.month, old.day) == new:
            return old
    return None


_QUOTES = {"de": "„{}“", "en": "“{}”", "fr": "« {} »", "es": "«{}»", "it": "«{}»", "ru": "«{}»", "pl": "„{}”", "nl": "“{}”"}


@template('"', '"-*', language="de")
def inline_quotation(t: Template) -> str | None:
    """`{{"|Wort|Autor=Wer}}` → „Wort“ – Wer; `lang=en` has the quotation marks of that language, `{{"-en|…}}` too."""
    text = t.first("1", "Text", "text")
    language = t.first("lang", "Sprache") or t.key.partition("-")[2] or "de"
    author = t.first("2", "Autor", "autor", "author")
    shown = _QUOTES.get(language, "„{}“").format(text)
    return (f"{shown} – {author}" if author else shown) if text else None


@template("bibel", "bibel2", "b", language="de")
def verses(t: Template) -> str | None:
    """`{{Bibel|Mt|5|3}}` → Mt 5,3 EU, `{{Bibel|Mt|5|3-4|LUT}}` → Mt 5,3-4 LUT."""
    place = ",".join(filter(None, (t[2], t[3])))
    return " ".join(filter(None, (t[1], place, place and (t[4] or "EU")))) or None
