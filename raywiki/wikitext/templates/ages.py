"""Ages: of persons on the day they are born or die, and between two days."""

from __future__ import annotations

import calendar
from datetime import datetime

from raywiki.wikitext.calendar import parse_date
from raywiki.wikitext.cldr import unit_pattern
from raywiki.wikitext.numbers import integer, local_digits
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template
from raywiki.wikitext.templates.dates import Day, read_day, shown_date

_AGED = {  # of a dead person
    "en": " (aged {})", "simple": " (aged {})", "vi": " ({} tuổi)", "el": " ({} ετών)", "fr": " (à {} ans)",
    "de": " ({} Jahre)", "es": " ({} años)", "it": " ({} anni)", "pt": " ({} anos)", "nl": " ({} jaar)", "sv": " ({} år)",
    "cs": " (ve věku {} let)", "tr": " ({} yaşında)", "ja": "（{}歳没）", "zh": "（{}歲）", "ko": "({}세)", "ar": " ({} سنة)",
    "fa": " ({} سال)", "he": " (בגיל {})", "hi": " (उम्र {})", "bn": " (বয়স {})", "ca": " ({} anys)",
}  # fmt: skip
_AGE = _AGED | {"en": " (age {})", "simple": " (age {})", "fr": " ({} ans)", "ja": "（{}歳）", "he": " (בן {})",
    "cs": " ({} let)", "ar": " (العمر {} سنة)",
}  # fmt: skip
_YEARS = {  # one year, two to four, more: Slavic plurals
    "ru": (" ({} год)", " ({} года)", " ({} лет)"), "uk": (" ({} рік)", " ({} роки)", " ({} років)"),
    "pl": (" ({} rok)", " ({} lata)", " ({} lat)"),
}  # fmt: skip


def _aged(years: int | None, language: str, words: dict[str, str]) -> str:
    """The age in brackets; nothing where it is not known, or where nobody says how this wiki writes it."""
    if years is None or years < 0:
        return ""
    if language in _YEARS:
        one, few, many = _YEARS[language]
        is_few = years % 10 in (2, 3, 4) and years % 100 not in (12, 13, 14)
        is_one = years % 10 == 1 and years % 100 != 11 and (language != "pl" or years == 1)
        return (one if is_one else few if is_few else many).format(years)
    return local_digits(words.get(language, " ({})").format(years), language)


def _years(start: Day | None, end: Day | None) -> int | None:
    if start is None or end is None:
        return None
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def _day_of(moment: datetime | None) -> Day | None:
    return Day(moment.year, moment.month, moment.day) if moment else None


def _filled(t: Template) -> list[str]:
    return [value for value in t.positional() if value]


@template("birth date and age", "bda", "birth date and age2", "birth-date and age", "birth year and age", "dob and age",
          "release date and age", "birth based on age as of date")  # fmt: skip
def date_and_age(t: Template) -> str | None:
    """`{{birth date and age|1990|1|7}}` → January 7, 1990 (age 36), on the day when the page was last edited."""
    args = _filled(t)
    if not args:
        return None
    now = _day_of(t.page.now)
    if len(args) == 1 and not args[0].isdecimal():
        return args[0] + _aged(_years(_day_of(parse_date(args[0])), now), t.language, _AGE)
    shown = shown_date(t, args)
    if shown is None or _is_without_age(t, args):
        return shown
    if len(args) < 3 and args[0].isdecimal() and len(args[0]) > 2:  # the year alone tells the age but for one
        return shown + _aged(
            _years(Day(int(args[0][:4]), (integer(args[1]) if len(args) > 1 else 1) or 1, 1), now), t.language, _AGE
        )
    return shown + _aged(_years(read_day(args, t.language), now), t.language, _AGE)


@template("start date and age", "end date and age")
def date_and_time_since(t: Template) -> str | None:
    """`{{start date and age|1990|1|7}}`: the date; how long ago that was changes, and is no age of a person."""
    args = _filled(t)
    if len(args) == 1 and not args[0].isdecimal():
        return args[0]
    return shown_date(t, args)


def _is_without_age(t: Template, args: list[str]) -> bool:
    """Portuguese `{{dni|3|5|1960|si}}`: sem idade."""
    return t.language == "pt" and args[-1].lower() in ("si", "sem idade", "não", "n")


@template("death date and age", "dda", "death-date and age", "death date and age2", "death year and age")
def death_date_and_age(t: Template) -> str | None:
    """`{{death date and age|2000|6|5|1960|5|3}}` → June 5, 2000 (aged 40); of two days the later one is that of the death."""
    args = _filled(t)
    if not args:
        return None
    if "year" in t.key:
        died, born = integer(args[0]), integer(args[1]) if len(args) > 1 else None
        return args[0] + _aged(None if died is None or born is None else died - born, t.language, _AGED)
    first, second = read_day(args[:3], t.language), read_day(args[3:6], t.language)
    if first is None or second is None:
        return args[0] if len(args) < 3 and not args[0].isdecimal() else shown_date(t, args[:3])
    died_first = (first.year, first.month, first.day) >= (second.year, second.month, second.day)
    shown = shown_date(t, args[:3] if died_first else args[3:6]) or ""
    return shown + _aged(_years(*((second, first) if died_first else (first, second))), t.language, _AGED)


@template("age", "age in years", "вік", "alter", "âge", "edad", "tuổi", "ηλικία", "years ago", "ya")
def age(t: Template) -> str | None:
    """Full years between two days, or up to the last edit; None where the arguments are no days."""
    args = _filled(t)
    if "ago" in t.key or t.key == "ya":
        past = integer(args[0]) if args else None
        return None if past is None else str(t.page.now.year - past)
    start, end = read_day(args[:3], t.language), read_day(args[3:6], t.language) if len(args) > 5 else _day_of(t.page.now)
    if start is None and args and len(args) < 3 and len(args[0]) > 2 and args[0].isdecimal():
        start = Day(int(args[0][:4]), (integer(args[1]) if len(args) > 1 else 1) or 1, 1)
    years = _years(start, end)
    return None if years is None or years < 0 else local_digits(str(years), t.language)


@template("没年齢", "享年", language="ja")
def age_at_death(t: Template) -> str | None:
    """`{{没年齢|1960|5|3|2000|6|5}}` → （40歳没）."""
    args = _filled(t)
    years = _years(read_day(args[:3], "ja"), read_day(args[3:6], "ja"))
    return None if years is None or years < 0 else f"（{years}歳没）"


@template("age in years and days", "ayd", "age in years, months and days", "age in years and months", "aymd")
def exact_age(t: Template) -> str | None:
    """`{{ayd|1990|1|1|2000|1|3}}` → 10 years, 2 days; a second date that is missing is the day of the last edit."""
    args = [value for value in t.positional() if value]
    first, second = read_day(args[:3], t.language), read_day(args[3:6], t.language)
    start = first.moment() if first else None
    end = t.page.now if len(args) < 6 else second.moment() if second else None
    if start is None or end is None:
        return None
    start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    if end < start:
        return None
    months = 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
    name = t.key
    has_months = "month" in name or name == "aymd"
    since = _plus_months(start, months if has_months else months // 12 * 12)
    shown: list[str] = []
    values = (months // 12, months % 12 if has_months else None, None if name.endswith("and months") else (end - since).days)
    for i, value in enumerate(values):
        if value is not None and (value or (i == 2 and not shown)):
            word = unit_pattern(f"duration-{('year', 'month', 'day')[i]}", "long", value == 1, t.language)
            shown.append(word.format(value) if word else str(value))
    if t.language not in ("en", "simple", "vi", "uk", "el"):
        return " ".join(shown)
    if t.language in ("uk", "el"):
        return ", ".join(shown)
    return ", ".join(shown) if "," not in name or len(shown) < 2 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _plus_months(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    last_day = calendar.monthrange(moment.year + years, month + 1)[1]
    return moment.replace(year=moment.year + years, month=month + 1, day=min(moment.day, last_day))
