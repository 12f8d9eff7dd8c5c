"""Dates, ages and spans of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from raywiki.wikitext.calendar import format_date, month_number, parse_date
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_YES = ("y", "yes", "1", "true")
# Where a date's year stands is seen from its digits; only of years below 100 it is not, and then the wiki's own order counts.
_DAY_FIRST = frozenset(("fr", "es", "pt", "it", "ru", "be", "pl", "ca"))
_YEAR = re.compile(r"-?\d{1,4}")
_TIME = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d")
_SUFFIX = re.compile(r"(?<=\d)(?:er|º|ª|\.)$|[年月日년월일]$")


@dataclass(frozen=True)
class Day:
    """A day of a template's arguments."""

    year: int
    month: int
    day: int

    def moment(self) -> datetime | None:
        """None: no such day in the calendar, or a year before Christ."""
        try:
            return datetime(self.year, self.month, self.day, tzinfo=UTC)
        except ValueError:
            return None


def read_day(args: list[str], language: str) -> Day | None:
    """The day that three arguments mean, in the order in which they fit: `1960|5|3`, `3|5|1960`, `3|mai|1960`, `May|3|1960`.

    None where they do not fit, as nobody may rearrange what he does not understand.
    """
    if len(args) < 3:
        return None
    a, b, c = (_SUFFIX.sub("", value.strip()) for value in args[:3])
    orders = [(a, b, c), (c, b, a), (c, a, b)]  # (year, month, day) if the arguments are year first, day first, month first
    if len(a.lstrip("-")) < 3 and (language in _DAY_FIRST or len(c) > 2 or not b.isdecimal()):
        orders = [*orders[1:], orders[0]]
    for i, (year, month, day) in enumerate(orders):
        american = orders[i] == (c, a, b) and orders[i] != (c, b, a)
        if american and month.isdecimal():
            continue  # 5|13|1960 may mean anything
        number = month_number(month)
        if _YEAR.fullmatch(year) and number and day.isdecimal() and len(day) < 3 and 1 <= int(day) <= 31:
            return Day(int(year), number, int(day))
    return None


def shown_day(day: Day, language: str, *, month_first: bool = False) -> str:
    """`format_date` of a day; French has 1er."""
    shown = format_date(str(day.year), str(day.month), str(day.day), language, month_first=month_first)
    return f"1er {shown[2:]}" if language == "fr" and day.day == 1 and shown.startswith("1 ") else shown


def _month_first(t: Template) -> bool:
    """American order: what `{{birth date}}` shows unless `df=y` is given."""
    return t["df"].lower() not in _YES


def shown_date(t: Template, args: list[str]) -> str | None:
    """Year, year and month, or a day; what does not fit stays as it was written, in its order; None: nothing is there."""
    filled = [value for value in args[:3] if value]
    if not filled:
        return None
    if day := read_day(args, t.language):
        return shown_day(day, t.language, month_first=_month_first(t))
    year, month = (*filled, "")[:2]
    if len(filled) == 2 and re.fullmatch(r"-?\d{1,4}", year) and month_number(month):
        if len(year) < 3 and not month.isdecimal():  # {{date|7|janvier}}
            return format_date("", month, year, t.language)
        if len(year) > 2 or t.language not in _DAY_FIRST:
            return format_date(year, month, "", t.language)
    return " ".join(filled)


@template("birth date", "dob", "start date", "end date", "death date", "film date", "bda2", "birthdate", "dts",
          "date table sorting", "birth date2", "start-date", "end-date", "date", "datum", "date-", "dat", "d-date",
          "release date", "launch date", "dtsx", "fecha de inicio", "fecha", "birth year", "birth-date", "death-date",
          "death year", "дата початку", "дата створення")  # fmt: skip
def date(t: Template) -> str | None:
    """`{{birth date|1990|1|7}}`, `{{date|7|janvier|1990}}`, `{{date|2000-07-25}}`, `{{birth-date|7 January 1990}}`."""
    args = t.positional()
    if not any(args):
        return None
    day = read_day(args, t.language)
    if day is None and not re.fullmatch(r"-?\d*", args[0]) and not month_number(args[0]):
        moment = parse_date(args[0]) if _ISO.match(args[0]) else None  # else words: {{birth-date|7 January 1990}}
        return shown_day(Day(moment.year, moment.month, moment.day), t.language) if moment else _in_order(args)
    shown = shown_date(t, args)
    hour, minute = ([*args[3:5], "", ""])[:2]
    is_time = _TIME.fullmatch(f"{hour}:{minute}")
    if day and shown and is_time and t.key in ("start date", "end date"):
        second = f":{args[5]:0>2}" if len(args) > 5 and args[5].isdecimal() else ""
        zone = " (UTC)" if len(args) > 6 and args[6] == "Z" else ""
        return f"{hour:0>2}:{minute:0>2}{second}, {shown}{zone}"
    return shown


def _in_order(args: list[str]) -> str:
    """The words of a date: the first argument where it has all of them, else those that stand beside it."""
    return args[0] if " " in args[0] else " ".join(filter(None, args[:3]))


_AS_OF = {
    "en": ("As of {}", "As of {}", "As of {}"), "simple": ("As of {}", "As of {}", "As of {}"), "vi": ("Tính đến năm {}",
    "Tính đến {}", "Tính đến {}"),
    "uk": ("Станом на {} рік", "Станом на {}", "Станом на {}"),
    "el": ("Από το {}", "Από τον {}", "Από τις {}"), "es": ("A {}", "A {}", "A {}"), "de": ("Stand {}", "Stand {}",
    "Stand {}"), "fr": ("En {}", "En {}", "Au {}"),
}  # fmt: skip


@template("as of", "asof", "as-of", "current as of", "станом на")
def as_of(t: Template) -> str | None:
    """`{{as of|2014|7}}` → As of July 2014; `lc=y` begins small, `since=y` says Since, `alt=` is what is shown instead."""
    if t["alt"] or t["pre"]:
        return f"{t['pre']} {t['alt']}".strip()
    args = [value for value in t.positional() if value]
    if not args:
        return None
    shown = _date_of(t, args)
    words = _AS_OF.get(t.language, ("{}",) * 3)[min(len(args), 3) - 1]
    if t["since"].lower() in _YES and t.language == "en":
        words = "Since {}"
    text = words.format(shown)
    return text[:1].lower() + text[1:] if t["lc"].lower() in _YES else text


def _date_of(t: Template, args: list[str]) -> str:
    year, month, day = ([*args[:3], "", ""])[:3]
    if not year.isdecimal():
        return " ".join(args)
    us = t["df"].lower() in ("us", "mdy", "mdy-all")
    return format_date(year, month, day, t.language, month_first=us)


_CIRCA = {
    "en": "c. {}",
    "vi": "k. {}",
    "uk": "бл. {}",
    "ru": "ок. {}",
    "de": "ca. {}",
    "fr": "vers {}",
    "es": "c. {}",
    "it": "c. {}",
    "el": "περ. {}",
    "pl": "ok. {}", "pt": "c. {}", "nl": "ca. {}", "sv": "ca {}", "cs": "asi {}", "tr": "y. {}", "ja": "{}頃", "zh": "約{}",
    "ko": "{}경",
    "ar": "نحو {}", "fa": "حدود {}", "he": "בסביבות {}", "hi": "लगभग {}", "bn": "আনু. {}",
}  # fmt: skip


@template("circa", "c.", "ca.", "ca", "circa2", "approx", "близько", "бл")
def circa(t: Template) -> str:
    words = _CIRCA.get(t.language, "c. {}")
    if not t[1]:
        return words.format("").strip()
    second = f" – {words.format(t[2])}" if t[2] else ""
    return words.format(t[1]) + second


def _span(t: Template, word: str) -> str | None:
    start, end = t[1], t[2]
    if not start:
        return word.strip()
    return f"{word} {start}–{end}" if end else f"{word} {start}"


@template("floruit", "fl.", "fl", "flourished")
def floruit(t: Template) -> str | None:
    return _span(t, "fl.")


@template("reign", "r.", "reigned", "ruled")
def reign(t: Template) -> str | None:
    return _span(t, "r.")


@template("born", "b.", "born in")
def born(t: Template) -> str | None:
    return _span(t, "b.")


@template("died", "d.", "died in")
def died(t: Template) -> str | None:
    return _span(t, "d.")


@template("married", "marriage", "m.")
def marriage(t: Template) -> str | None:
    end = t.first(3, "end")
    years = f"{t[2]}–{end}" if t[2] and end else t[2]
    return f"{t[1]} (m. {years})" if t[1] and years else t[1] or None


_OLD_STYLE = {"uk": "за ст. ст.", "ru": "по ст. ст."}


@template(
    "oldstyledate",
    "oldstyle date",
    "old style date",
    "дати за старим стилем",
    "oldstyledatedy",
    "oldstyledatenodate",
)
def old_style(t: Template) -> str | None:
    """`{{OldStyleDate|February 2|1905|January 20}}` → February 2 [O.S. January 20] 1905; Ukrainian
    `{{OldStyleDate|7|11|1917|25|10}}` → 7 листопада [25 жовтня за ст. ст.] 1917."""
    args = t.positional()
    if len(args) >= 3 and t.language in _OLD_STYLE and re.fullmatch(r"\d{1,2}", args[0]):
        day, month, year, old_day, old_month = [*args, "", ""][:5]
        old = format_date("", old_month or month, old_day, t.language) if old_day.isdecimal() else old_day
        new = format_date("", month, day, t.language)
        return " ".join(filter(None, (new, f"&#91;{old} {_OLD_STYLE[t.language]}&#93;" if old else "", year)))
    if len(args) < 2:
        return args[0] if args else None
    old = f" &#91;O.S. {args[2]}&#93;" if len(args) > 2 and args[2] else ""
    return f"{args[0]}{old} {args[1]}"


@template("дн", "дс", "дн2", "дс2", "дата народження дс", "дні")
def old_new_date(t: Template) -> str | None:
    """Ukrainian `{{ДН|14|3|1854|2}}` → 2 (14) березня 1854: day, month, year, day (and month) of the old style."""
    day, month, year, old_day, old_month = (t.positional() + [""] * 5)[:5]
    if not month_number(month):
        return " ".join(filter(None, (day, month, year))) or None
    new = format_date("", month, day, t.language)
    if not old_day.isdecimal():
        return f"{new} {year}".strip()
    if old_month and month_number(old_month):
        return f"{format_date('', old_month, old_day, t.language)} ({new}) {year}".strip()
    return f"{old_day} ({day}) {new.partition(' ')[2]} {year}".strip()


@template("start and end dates", "daterange", "date range")
def date_range(t: Template) -> str | None:
    args = t.positional()
    start, end = shown_date(t, args[:3]), shown_date(t, args[3:6]) if len(args) > 3 else None
    return f"{start} – {end}" if start and end else start


@template("duration", "hms duration", "тривалість")
def duration(t: Template) -> str | None:
    hours = t.first("h", "1") if not t["m"] or t["h"] else ""
    minutes, seconds = t.first("m", "2"), t.first("s", "3")
    return ":".join(piece.zfill(2) if i else piece for i, piece in enumerate(p for p in (hours, minutes, seconds) if p)) or None


@template("monthname", "month name", "monthabbrev")
def month_name(t: Template) -> str | None:
    number = month_number(t[1])
    shown = format_date("", str(number), "", t.language) if number else None
    return shown[:3] if shown and "abbrev" in t.key else shown
