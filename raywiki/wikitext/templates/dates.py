"""Dates, ages and spans of time."""

from __future__ import annotations

import calendar
import re
from datetime import datetime

from raywiki.wikitext.calendar import format_date, month_number, parse_date
from raywiki.wikitext.numbers import integer
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_YES = ("y", "yes", "1", "true")


def _month_first(t: Template) -> bool:
    """American order: what `{{birth date}}` shows unless `df=y` is given."""
    return t["df"].lower() not in _YES


def _date(t: Template, parts: list[str]) -> str | None:
    year, month, day = ([part.strip() for part in parts] + ["", "", ""])[:3]
    if not year:
        return None
    if not re.fullmatch(r"-?\d{1,4}", year):
        return year if not month else None
    return format_date(year, month, day, t.language, month_first=_month_first(t))


def _years(start: list[str], end: datetime | None) -> int | None:
    year = integer(start[0]) if start else None
    if end is None or year is None:
        return None
    month = month_number(start[1]) or 1 if len(start) > 1 else 1
    day = integer(start[2]) or 1 if len(start) > 2 else 1
    return end.year - year - ((end.month, end.day) < (month, day))


_AGED = {
    "en": "aged {}",
    "vi": "{} tuổi",
    "uk": "{} р.",
    "el": "{} ετών",
    "fr": "{} ans",
    "de": "{} Jahre",
    "es": "{} años",
    "ru": "{} лет",
}
_AGE = {**_AGED, "en": "age {}"}


def _aged(t: Template, years: int | None, words: dict[str, str]) -> str:
    return "" if years is None else f" ({words.get(t.language, words['en']).format(years)})"


@template("birth date", "dob", "start date", "end date", "death date", "film date", "bda2", "birthdate", "dts",
          "date table sorting", "birth date2", "start-date", "end-date",
          "release date", "launch date", "dtsx", "fecha de inicio", "fecha", "birth year", "birth-date", "death-date",
          "death year", "дата початку", "дата створення")  # fmt: skip
def date(t: Template) -> str | None:
    args = t.positional()
    if not args:
        return None
    if not args[0].isdecimal():  # {{birth-date|7 January 1990}}, or words
        return args[0] or None
    return _date(t, args) or args[0]


@template("date", "datum", "date-", "dat", "d-date")
def free_date(t: Template) -> str | None:
    """`{{date|7|janvier|1990}}`, `{{Дата|2000|7|25}}`, `{{date|2000-07-25}}`."""
    args = [value for value in t.positional() if value]
    if len(args) >= 3 and re.fullmatch(r"\d{3,4}", args[0]):
        return _date(t, args)
    if len(args) >= 3 and re.fullmatch(r"\d{1,2}(?:er)?", args[0]):
        return format_date(args[2], args[1], args[0].removesuffix("er"), t.language)
    if len(args) == 1 or (len(args) > 1 and not args[1].isdecimal()):
        moment = parse_date(args[0])
        return format_date(str(moment.year), str(moment.month), str(moment.day), t.language) if moment else " ".join(args[:3])
    return " ".join(args) or None


@template("birth date and age", "bda", "birth date and age2", "birth-date and age", "start date and age",
          "end date and age", "birth year and age", "dob and age",
          "release date and age", "birth based on age as of date")  # fmt: skip
def date_and_age(t: Template) -> str | None:
    args = [value for value in t.positional() if value]
    if not args:
        return None
    if not args[0].isdecimal():
        moment = parse_date(args[0])
        return args[0] + (
            _aged(
                t,
                _years([str(moment.year), str(moment.month), str(moment.day)], t.page.now),
                _AGE,
            )
            if moment
            else ""
        )
    shown = _date(t, args)
    if shown is None or "start" in t.key or "end" in t.key:
        return shown
    return shown + _aged(t, _years(args, t.page.now), _AGE)


@template(
    "death date and age",
    "dda",
    "death-date and age",
    "death date and age2",
    "death year and age",
    "date de décès",
)
def death_date_and_age(t: Template) -> str | None:
    args = [value for value in t.positional() if value]
    if not args:
        return None
    if not args[0].isdecimal():
        return args[0]
    if "year" in t.key:
        died, born = integer(args[0]), integer(args[1]) if len(args) > 1 else None
        return args[0] + _aged(t, None if died is None or born is None else died - born, _AGED)
    day = parse_date("{:0>4}-{:0>2}-{:0>2}".format(*(args[:3] if len(args) > 2 else ["1", "1", "1"])))
    return (_date(t, args[:3]) or "") + _aged(t, _years(args[3:6], day), _AGED)


@template(
    "age",
    "age in years",
    "вік",
    "alter",
    "âge",
    "edad",
    "tuổi",
    "ηλικία",
    "years ago",
    "ya",
)
def age(t: Template) -> str | None:
    args = [value for value in t.positional() if value]
    if "ago" in t.key or t.key == "ya":
        years = integer(args[0]) if args else None
        return None if years is None else str(t.page.now.year - years)
    end = parse_date("{:0>4}-{:0>2}-{:0>2}".format(*args[3:6])) if len(args) > 5 else t.page.now
    years = _years(args[:3], end)
    return None if years is None else str(years)


@template("age in years and days", "ayd", "age in years, months and days", "age in years and months", "aymd")
def exact_age(t: Template) -> str | None:
    """`{{ayd|1990|1|1|2000|1|3}}` → 10 years, 2 days; a second date that is missing is the day of the last edit."""
    args = [value for value in t.positional() if value]
    start, end = _moment(args[:3]), _moment(args[3:6]) if len(args) > 5 else t.page.now
    if start is None or end is None:
        return None
    start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    if end < start:
        return None
    months = 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
    name, words = t.key, {"vi": ("{} năm", "{} tháng", "{} ngày")}.get(t.language)
    has_months = "month" in name or name == "aymd"
    since = _plus_months(start, months if has_months else months // 12 * 12)
    shown: list[str] = []
    values = (months // 12, months % 12 if has_months else None, None if name.endswith("and months") else (end - since).days)
    for i, value in enumerate(values):
        if value is not None and (value or (i == 2 and not shown)):
            word = words[i] if words else "{} " + ("year", "month", "day")[i] + "s" * (value != 1)
            shown.append(word.format(value))
    return ", ".join(shown) if "," not in name or len(shown) < 2 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _moment(parts: list[str]) -> datetime | None:
    return parse_date("{:0>4}-{:0>2}-{:0>2}".format(*parts)) if len(parts) == 3 else None


def _plus_months(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    last_day = calendar.monthrange(moment.year + years, month + 1)[1]
    return moment.replace(year=moment.year + years, month=month + 1, day=min(moment.day, last_day))


_AS_OF = {
    "en": ("As of {}", "As of {}", "As of {}"), "vi": ("Tính đến năm {}", "Tính đến {}", "Tính đến {}"),
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
    words = _AS_OF.get(t.language, _AS_OF["en"])[min(len(args), 3) - 1]
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
    "pl": "ok. {}",
    "pt": "c. {}",
}


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


@template(
    "oldstyledate",
    "oldstyle date",
    "old style date",
    "дати за старим стилем",
    "oldstyledatedy",
    "oldstyledatenodate",
)
def old_style(t: Template) -> str | None:
    """`{{OldStyleDate|February 2|1905|January 20}}` → February 2 [O.S. January 20] 1905."""
    args = t.positional()
    if len(args) >= 3 and t.language in ("uk", "ru") and re.fullmatch(r"\d{1,2}", args[0]):
        old = f"{args[3]} {args[1]}" if len(args) > 3 and args[3].isdecimal() else args[3] if len(args) > 3 else ""
        mark = {"uk": "за ст. ст.", "ru": "по ст. ст."}[t.language]
        return " ".join(
            filter(
                None,
                (args[0], args[1], f"&#91;{old} {mark}&#93;" if old else "", args[2]),
            )
        )
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


_EPOCH = {
    "av jc": "av. J.-C.",
    "ap jc": "apr. J.-C.",
    "bce": "BCE",
    "до н. е.": "до н. е.",
    "до н.е.": "до н. е.",
    "bc": "BC",
    "ad era": "AD",
}


@template(*_EPOCH)
def epoch(t: Template) -> str:
    return f"{t[1]} {_EPOCH.get(t.key, 'av. J.-C.')}".strip()


@template("start and end dates", "daterange", "date range")
def date_range(t: Template) -> str | None:
    args = t.positional()
    start, end = _date(t, args[:3]), _date(t, args[3:6]) if len(args) > 3 else None
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


@template("currentyear", "currentmonth", "currentmonthname", "currentday", "currentday2", "currentisoyear",
          "currentmonth1", "currentmonthnamegen", "localyear", "localmonth", "localday",
          "localmonthname", "revisionyear", "revisionmonth", "currentdayname", "currenttime", "currenttimestamp",
          "revisionday")  # fmt: skip
def current(t: Template) -> str | None:
    """`{{CURRENTYEAR}}` and its kin: at the time when the page was last edited."""
    now, name = t.page.now, t.key
    if name.endswith("year"):
        return str(now.year)
    if "monthname" in name:
        return format_date("", str(now.month), "", t.language) or None
    if name.endswith(("month", "month1")):
        return str(now.month) if name.endswith("1") else f"{now.month:02}"
    if name.endswith(("day", "day2")):
        return f"{now.day:02}" if name.endswith("2") else str(now.day)
    return None
