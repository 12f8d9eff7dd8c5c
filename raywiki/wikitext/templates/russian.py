"""Templates of the Russian Wikipedia: days of the old style, Chinese and Japanese words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from raywiki.wikitext.calendar import format_date, months
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_DAY_AND_MONTH = re.compile(r"\d{1,2} [^\W\d_]+")
_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{1,4})")


@template("сс", "сс2", "сс3", "юлгригдата", language="ru")
def old_style(t: Template) -> str | None:
    """`{{СС3|25.10.1917}}` → 25 октября (7 ноября) 1917: a day of the Julian calendar, in brackets that of the Gregorian."""
    match = _DAY.fullmatch(t[1]) or _DAY.fullmatch(".".join(t.positional()[:3]))
    if not match:
        return " ".join(filter(None, t.positional())) or None
    day, month, year = map(int, match.groups())
    new = gregorian(year, month, day)
    if new is None:
        return t[1]
    names = months("ru")
    if new.year != year:
        old_shown, new_shown = (
            format_date(str(y), str(m), str(d), "ru") for y, m, d in ((year, month, day), (new.year, new.month, new.day))
        )
        return f"{old_shown} ({new_shown})"
    if new.month != month:
        return f"{day} {names[month - 1]} ({new.day} {names[new.month - 1]}) {year}"
    return f"{day} ({new.day}) {names[month - 1]} {year}"


def gregorian(year: int, month: int, day: int) -> datetime | None:
    """The Gregorian day of a Julian one, whose calendar has a leap day each fourth year; None: there is no such day.

    >>> gregorian(1917, 10, 25).date().isoformat(), gregorian(1900, 2, 29).date().isoformat()
    ('1917-11-07', '1900-03-13')
    """
    if not (
        1 <= month <= 12
        and 1 <= day <= (29 if month == 2 and year % 4 == 0 else 28 if month == 2 else 30 + (month + month // 8) % 2)
    ):
        return None
    elapsed = year - (month <= 2)  # the leap day that the Gregorian calendar left out comes at the end of February
    late = elapsed // 100 - elapsed // 400 - 2
    try:
        return datetime(year, month, 1) + timedelta(days=day - 1 + late)
    except (ValueError, OverflowError):
        return None


@template("oldstyledate", "старый стиль", language="ru")
def new_and_old(t: Template) -> str | None:
    """`{{OldStyleDate|13|января|1880|1}}` → 1 [13] января 1880,
    `{{OldStyleDate|7|11|1917|25|10}}` and `{{OldStyleDate|7 ноября|1917|25 октября}}` → 25 октября [7 ноября] 1917."""
    day, month, year, old_day, old_month = (t.positional() + [""] * 5)[:5]
    if _DAY_AND_MONTH.fullmatch(day) and month.isdecimal() and _DAY_AND_MONTH.fullmatch(year):
        return f"{year} &#91;{day}&#93; {month}"
    if not day.isdecimal() or not old_day:
        return " ".join(filter(None, (day, month, year))) or None
    old_day, _, in_day = old_day.partition(" ")  # "25 октября" in one argument
    old_month = _month(old_month or in_day)
    if not old_month:
        return f"{old_day} &#91;{day}&#93; {_month(month)} {year}".strip()
    return f"{old_day} {old_month} &#91;{day} {_month(month)}&#93; {year}".strip()


def _month(text: str) -> str:
    return months("ru")[int(text) - 1] if text.isdecimal() and 1 <= int(text) <= 12 else text


@template("китайский", "кит", language="ru")
def chinese(t: Template) -> str | None:
    """`{{китайский|蘇州|苏州|Sūzhōu|Сучжоу}}` → кит. трад. 蘇州, упр. 苏州, пиньинь Sūzhōu, палл. Сучжоу."""
    traditional, simplified, pinyin, palladius = (t.positional() + [""] * 4)[:4]
    words = (
        f"кит. трад. {traditional}, упр. {simplified}" if traditional and simplified else f"кит. {traditional or simplified}"
    )
    if not traditional and not simplified:
        return None
    return ", ".join(filter(None, (words, pinyin and f"пиньинь {pinyin}", palladius and f"палл. {palladius}")))


@template("нихонго", "nihongo", "японский", language="ru")
def japanese(t: Template) -> str | None:
    """`{{нихонго|Токио|東京|То:кё:}}` → Токио (яп. 東京 То:кё:)."""
    inside = " ".join(filter(None, (t[2], t[3])))
    more = "".join(f", {value}" for value in (t[4],) if value)
    return f"{t[1]} (яп. {inside}{more})".strip() if inside else t[1] or None
