"""Dates as a wiki writes them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime
from functools import cache

from raywiki.wikitext.numbers import integer

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "uk": "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "el": "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου Δεκεμβρίου",
    "cs": "ledna února března dubna května června července srpna září října listopadu prosince",
    "ca": "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
    "tr": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "no": "januar februar mars april mai juni juli august september oktober november desember",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "fi": "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",  # noqa: E501
}  # fmt: skip
# A month that stands alone, where that is another form.
_MONTHS_ALONE = {
    "uk": "січень лютий березень квітень травень червень липень серпень вересень жовтень листопад грудень",
    "ru": "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "el": "Ιανουάριος Φεβρουάριος Μάρτιος Απρίλιος Μάιος Ιούνιος Ιούλιος Αύγουστος Σεπτέμβριος Οκτώβριος Νοέμβριος Δεκέμβριος",
    "pl": "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
}  # fmt: skip
_DAY_MONTH_YEAR = {  # day, month's name, year
    "de": "{d}. {m} {y}", "da": "{d}. {m} {y}", "no": "{d}. {m} {y}", "cs": "{d}. {m} {y}", "fi": "{d}. {m} {y}",
    "es": "{d} de {m} de {y}", "pt": "{d} de {m} de {y}", "ca": "{d} {m} de {y}",
    "vi": "{d} tháng {n}, {y}", "zh": "{y}年{n}月{d}日", "ja": "{y}年{n}月{d}日", "ko": "{y}년 {n}월 {d}일",
}  # fmt: skip
_MONTH_YEAR = {
    "es": "{m} de {y}",
    "pt": "{m} de {y}",
    "vi": "tháng {n} năm {y}",
    "zh": "{y}年{n}月",
    "ja": "{y}年{n}月",
    "ko": "{y}년 {n}월",
}
_DAY_MONTH = {
    "de": "{d}. {m}",
    "es": "{d} de {m}",
    "pt": "{d} de {m}",
    "vi": "{d} tháng {n}",
    "zh": "{n}月{d}日",
    "ja": "{n}月{d}日",
    "ko": "{n}월 {d}일",
}


def months(language: str, *, alone: bool = False) -> list[str]:
    """Names of the twelve months, in the form that follows a day or, `alone`, in that which stands by itself."""
    names = (_MONTHS_ALONE.get(language) if alone else None) or _MONTHS.get(language)
    return names.split() if names else []


@cache
def _month_numbers() -> dict[str, int]:
    found: dict[str, int] = {}
    for names in [*_MONTHS.values(), *_MONTHS_ALONE.values()]:
        for number, name in enumerate(names.split(), 1):
            found.setdefault(name.lower(), number)
            found.setdefault(name.lower()[:3], number)
    return found


def month_number(text: str) -> int | None:
    """1 to 12 for a number or a month's name in a large language; else None."""
    text = text.strip().lower().rstrip(".")
    number = integer(text)
    if number is not None:
        return number if 1 <= number <= 12 else None
    return _month_numbers().get(text)


def format_date(year: str, month: str, day: str, language: str, *, month_first: bool = False) -> str:
    """A date with what is known of it: year, month and year, or all three.

    >>> format_date("1990", "1", "7", "en"), format_date("1990", "1", "7", "en", month_first=True)
    ('7 January 1990', 'January 7, 1990')
    >>> format_date("1990", "1", "", "vi"), format_date("1990", "1", "7", "de")
    ('tháng 1 năm 1990', '7. Januar 1990')
    """
    number = month_number(month) if month else None
    year = year.strip()
    if number is None:
        return " ".join(piece for piece in (day.strip(), month.strip(), year) if piece)
    names = months(language) or months("en")
    values = {
        "y": year,
        "n": number,
        "m": names[number - 1],
        "d": day.strip().lstrip("0"),
    }
    if not values["d"]:
        values["m"] = (months(language, alone=True) or months("en"))[number - 1]
        return _MONTH_YEAR.get(language, "{m} {y}").format(**values).strip()
    if not year:
        return ("{m} {d}" if month_first else _DAY_MONTH.get(language, "{d} {m}")).format(**values)
    if month_first and language == "en":
        return "{m} {d}, {y}".format(**values)
    return _DAY_MONTH_YEAR.get(language, "{d} {m} {y}").format(**values)


def parse_date(text: str) -> datetime | None:
    """A date written as 2004-05-09, 20040509…, 9 May 2004 or May 9, 2004."""
    text = text.strip()
    match = re.match(r"(\d{4})-?(\d{2})-?(\d{2})", text)
    if match:
        return _moment(int(match[1]), int(match[2]), int(match[3]))
    match = re.fullmatch(r"(\d{1,2})\.? (?:de )?(\w+)(?: de)?,? (\d{3,4})", text) or re.fullmatch(
        r"(\w+) (\d{1,2}),? (\d{3,4})", text
    )
    if match:
        day, month = (match[1], match[2]) if match[1].isdecimal() else (match[2], match[1])
        number = month_number(month)
        return _moment(int(match[3]), number, int(day)) if number else None
    return None


def _moment(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


_FORMATS = re.compile(r'"([^"]*+)"|\\(.?)|xg|[A-Za-z]', re.DOTALL)
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905


def format_time(layout: str, moment: datetime, language: str) -> str:
    """`{{#time: j F Y}}`: the letters of MediaWiki's (PHP's) date formats; what is quoted or escaped stays.

    Names of days are known in English only; elsewhere they are left out.

    >>> from datetime import datetime
    >>> format_time('l, j F Y, G:i "o’clock"', datetime(2024, 3, 8, 9, 7), "en")
    'Friday, 8 March 2024, 9:07 o’clock'
    """
    names, alone = months(language) or months("en"), months(language, alone=True) or months("en")
    first = datetime(moment.year, 1, 1, tzinfo=moment.tzinfo)
    is_leap = moment.year % 4 == 0 and (moment.year % 100 != 0 or moment.year % 400 == 0)
    weekday = _WEEKDAYS[moment.weekday()] if language in ("en", "simple") else ""
    values = {
        "Y": str(moment.year), "y": f"{moment.year % 100:02}", "n": str(moment.month), "m": f"{moment.month:02}",
        "F": alone[moment.month - 1], "M": alone[moment.month - 1][:3], "xg": names[moment.month - 1],
        "j": str(moment.day), "d": f"{moment.day:02}", "l": weekday, "D": weekday[:3], "N": str(moment.isoweekday()),
        "w": str(moment.isoweekday() % 7), "z": str((moment.replace(hour=0, minute=0) - first).days), "L": str(int(is_leap)),
        "t": str(calendar.monthrange(moment.year, moment.month)[1]), "H": f"{moment.hour:02}", "G": str(moment.hour),
        "h": f"{(moment.hour - 1) % 12 + 1:02}", "g": str((moment.hour - 1) % 12 + 1), "i": f"{moment.minute:02}",
        "s": f"{moment.second:02}", "a": "am" if moment.hour < 12 else "pm", "A": "AM" if moment.hour < 12 else "PM",
        "W": f"{moment.isocalendar().week:02}", "U": str(int(moment.timestamp())),
    }  # fmt: skip
    return _FORMATS.sub(
        lambda match: match[1] or match[2] or values.get(match[0], "" if match[0][:1] in '"\\' else match[0]), layout
    )
