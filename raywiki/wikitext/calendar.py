"""Dates as a wiki writes them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from raywiki.wikitext.bundled import words_of
from raywiki.wikitext.locales import locale
from raywiki.wikitext.magic import chain
from raywiki.wikitext.numbers import integer, local_digits

# Babel has most of them too, but `month_number` knows all of these languages at once and must not load twenty locales.
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
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "fa": "ژانویهٔ فوریهٔ مارس آوریل مهٔ ژوئن ژوئیهٔ اوت سپتامبر اکتبر نوامبر دسامبر",
    "he": "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    "hi": "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितम्बर अक्टूबर नवम्बर दिसम्बर",
    "bn": "জানুয়ারি ফেব্রুয়ারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর",
}  # fmt: skip
# A month that stands alone, where that is another form.
_MONTHS_ALONE = {
    "uk": "січень лютий березень квітень травень червень липень серпень вересень жовтень листопад грудень",
    "ru": "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "el": "Ιανουάριος Φεβρουάριος Μάρτιος Απρίλιος Μάιος Ιούνιος Ιούλιος Αύγουστος Σεπτέμβριος Οκτώβριος Νοέμβριος Δεκέμβριος",
    "pl": "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
    "fa": "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر",
    "cs": "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
    "fi": "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu joulukuu",
}  # fmt: skip
_DAY_MONTH_YEAR = {  # day, month's name, year
    "de": "{d}. {m} {y}", "da": "{d}. {m} {y}", "no": "{d}. {m} {y}", "cs": "{d}. {m} {y}", "fi": "{d}. {m} {y}",
    "es": "{d} de {m} de {y}", "pt": "{d} de {m} de {y}", "ca": "{d} {m} de {y}",
    "he": "{d} ב{m} {y}",
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
    "cs": "{d}. {m}",
    "da": "{d}. {m}",
    "no": "{d}. {m}",
    "fi": "{d}. {m}",
    "he": "{d} ב{m}",
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
    return names.split() if names else names_of("months" if alone else "genitive", language)


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
    >>> format_date("1990", "1", "7", "he"), format_date("1990", "1", "7", "bn"), format_date("1990", "1", "", "cs")
    ('7 בינואר 1990', '৭ জানুয়ারি ১৯৯০', 'leden 1990')
    """
    number = month_number(month) if month else None
    year = year.strip()
    if number is None:
        return " ".join(piece for piece in (day.strip(), month.strip(), year) if piece)
    names = months(language)
    values = {
        "y": year,
        "n": number,
        "m": names[number - 1],
        "d": day.strip().lstrip("0"),
    }
    if not values["d"]:
        values["m"] = months(language, alone=True)[number - 1]
        shown = _MONTH_YEAR.get(language, "{m} {y}").format(**values).strip()
    elif not year:
        shown = ("{m} {d}" if month_first else _DAY_MONTH.get(language, "{d} {m}")).format(**values)
    elif month_first and language == "en":
        shown = "{m} {d}, {y}".format(**values)
    else:
        shown = _DAY_MONTH_YEAR.get(language, "{d} {m} {y}").format(**values)
    return local_digits(shown, language)


_CLOCK = re.compile(r"(?:^|[T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?([ap]m)?", re.IGNORECASE)
_ZONE = re.compile(r"(?:\b|(?<=\d))(?:(UTC|GMT|Z)|([A-Z][A-Za-z]+/[A-Z][A-Za-z_/-]+))\b|(?<=:\d\d) ?([+-])(\d\d):?(\d\d)$")
_SHIFT = re.compile(
    r"([+-]) ?(\d{1,4}) ?(sec|second|min|minute|hour|day|week|month|year)s?\b|\b(next|last) (day|week|month|year)\b"
)
_WORDS = {"now": 0, "today": 0, "midnight": 0, "noon": 0, "tomorrow": 1, "yesterday": -1}


def parse_date(text: str, now: datetime | None = None) -> datetime | None:
    """A date as MediaWiki (PHP's `strtotime`) reads the usual ones, in UTC: 2004-05-09, 20040509…, 9 May 2004, May 2004.

    A time of day, a zone (UTC, +02:00, Europe/Paris) and shifts (+3 days, next month) may follow; `now` is what
    "now", "yesterday" and missing years mean. None: it is no such date.

    >>> str(parse_date("9 May 2004 14:05 +02:00")), str(parse_date("31 January 2001 +1 month"))
    ('2004-05-09 12:05:00+00:00', '2001-03-03 00:00:00+00:00')
    """
    now = now or datetime.now(UTC)
    text = " ".join(text.split())
    if match := re.fullmatch(r"@(-?\d{1,11})", text):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(match[1]))
    if match := re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", text):
        return _moment(*map(int, match.groups()))
    zone = _ZONE.search(text)
    text = text.replace(zone[0], "") if zone else text
    shifts = _SHIFT.findall(text)
    text = _SHIFT.sub("", text)
    clock = _CLOCK.search(text)
    day = (text[: clock.start()] + " " + text[clock.end() :] if clock else text).strip(" ,")
    day = re.sub(r"^[A-Za-z]{3,9}day,? (?=\d|[A-Z])", "", day) if "day" in day else day
    found = _day(day, now, bool(clock or shifts))
    if found is None:
        return None
    if clock:
        hour = int(clock[1]) % 12 + 12 * (clock[4].lower() == "pm") if clock[4] else int(clock[1])
        if hour > 24 or int(clock[2]) > 59:
            return None
        found = found.replace(hour=0, minute=0, second=0) + timedelta(
            hours=hour, minutes=int(clock[2]), seconds=int(clock[3] or 0)
        )
    try:
        for sign, number, unit, which, other in shifts:
            found = _shifted(found, (-1 if sign == "-" or which == "last" else 1) * int(number or 1), unit or other)
        return _to_utc(found, zone) if zone else found
    except (OverflowError, ValueError):
        return None


def _day(text: str, now: datetime, has_more: bool) -> datetime | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text.lower() in _WORDS:
        hours = 12 if text.lower() == "noon" else 0
        return now if text.lower() == "now" else midnight + timedelta(days=_WORDS[text.lower()], hours=hours)
    if not text:
        return midnight if has_more else None
    if match := re.match(r"(\d{4})-?(\d{2})-?(\d{2})", text):
        return _moment(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?|(\d{4})/(\d{1,2})/(\d{1,2})", text):
        year, month, day = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
        return _moment(
            int(year), int(month or (now.month if len(text) == 4 else 1)), int(day or (now.day if len(text) == 4 else 1))
        )
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
        return _moment(int(match[3]), int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th|\.)? ?(?:de )?([^\W\d]+)\.?(?: de)?,?(?: (\d{3,4}))?", text):
        day, name, year = match[1], match[2], match[3]
    elif match := re.fullmatch(r"([^\W\d]+)\.? (\d{1,2})(?:st|nd|rd|th)?,?(?: (\d{3,4}))?", text):
        day, name, year = match[2], match[1], match[3]
    elif match := re.fullmatch(r"([^\W\d]+)\.?,?(?: (\d{4}))?", text):
        day, name, year = "1", match[1], match[2]
        if not year and not month_number(name):
            return None
    else:
        return None
    number = month_number(name)
    return _moment(int(year or now.year), number, int(day)) if number else None


def _shifted(moment: datetime, number: int, unit: str) -> datetime:
    if unit in ("month", "year"):
        months = moment.month - 1 + number * (12 if unit == "year" else 1)
        first = moment.replace(year=moment.year + months // 12, month=months % 12 + 1, day=1)
        return first + timedelta(days=moment.day - 1)  # 31 January + 1 month is 3 March, as in PHP
    unit = {"sec": "second", "min": "minute"}.get(unit, unit)
    return moment + timedelta(**{f"{unit}s": number})


def _to_utc(moment: datetime, zone: re.Match[str]) -> datetime | None:
    if zone[2]:
        from zoneinfo import ZoneInfo

        try:
            return moment.replace(tzinfo=ZoneInfo(zone[2])).astimezone(UTC)
        except (KeyError, OSError):  # there is no such zone, or this machine has no table of them
            return None
    if zone[3]:
        offset = timedelta(hours=int(zone[4]), minutes=int(zone[5]))
        return moment + (offset if zone[3] == "-" else -offset)
    return moment


def _moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


_KINDS = {"months": ("months", "stand-alone", "wide"), "genitive": ("months", "format", "wide"),
          "short": ("months", "format", "abbreviated"), "days": ("days", "stand-alone", "wide"),
          "short days": ("days", "format", "abbreviated")}  # fmt: skip


@cache
def names_of(kind: str, language: str) -> list[str]:
    """Names of the twelve months or, from Monday on, the seven days, as MediaWiki has them: Babel's, with its exceptions.

    `kind`: months (alone), genitive (behind a day), short, days, short days.

    >>> names_of("months", "vi")[10], names_of("genitive", "cs")[0], names_of("days", "de")[5], names_of("short", "ltg")[0]
    ('tháng 11', 'ledna', 'Samstag', 'jaun.')
    """
    for code in chain(language):
        if own := words_of("calendar.txt").get(code, {}).get(kind):
            return own
        found = locale(code) if code != "en" or language.split("-")[0] in ("en", "simple") else None
        if found is not None:
            what, context, width = _KINDS[kind]
            table = getattr(found, what)[context][width]
            return [table[i] for i in (range(1, 13) if what == "months" else range(7))]
    return names_of(kind, "en")


_FORMATS = re.compile(r'"([^"]*+)"|\\(.?)|xk|xo|xn|xN|xr|xh|xg|xx|xt|x[ijm][A-Za-z]|[A-Za-z]|\d+', re.DOTALL)
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"),
    (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
_ERAS = ((2019, 5, "令和"), (1989, 1, "平成"), (1926, 12, "昭和"), (1912, 8, "大正"), (1868, 1, "明治"))


def format_time(layout: str, moment: datetime, language: str) -> str:
    """`{{#time: j F Y}}`: the letters of MediaWiki's (PHP's) date formats; what is quoted or escaped stays.

    Source: MediaWiki, `Language::sprintfDate`. Iranian, Hebrew and Islamic calendars (xi…, xj…, xm…) are left out.

    >>> from datetime import datetime
    >>> moment = datetime(2024, 3, 8, 9, 7)
    >>> format_time('l, j F Y, G:i "o’clock"', moment, "en"), format_time("D, j xg Y", moment, "ru")
    ('Friday, 8 March 2024, 9:07 o’clock', 'пт, 8 марта 2024')
    >>> format_time("xrY xky", moment, "en"), format_time("Y xnY", moment, "bn")
    ('MMXXIV 67', '২০২৪ 2024')
    """
    shown: list[str] = []
    raw_next = raw = roman = False
    shift = 0
    for match in re.finditer(_FORMATS.pattern + r"|.", layout, re.DOTALL):
        code = match[0]
        if code in ("xn", "xr", "xh", "xk", "xo", "xt", "xN"):
            raw_next, roman = raw_next or code == "xn", roman or code == "xr"
            raw = raw ^ (code == "xN")
            shift = {"xk": 543, "xo": -1911}.get(code, shift)
            if code == "xt":
                shift = -next((year for year, month, _ in _ERAS if (moment.year, moment.month) >= (year, month)), 1) + 1
            continue
        if match[1] is not None or match[2] is not None or code == '"':
            shown.append(match[1] if match[1] is not None else match[2] or "" if match[2] is not None else code)
            continue
        if code == "xx":
            shown.append("x")
            continue
        value = _value(code, moment, language, shift) if code[0].isalpha() else None
        if value is None:
            shown.append("" if code[0] == "x" and len(code) == 2 else code)
        elif not value.isdecimal():
            shown.append(value)
        elif roman and 0 < int(value) < 4000:
            shown.append(_roman(int(value)))
        else:
            shown.append(value if raw or raw_next or code in "cUr" else local_digits(value, language))
        raw_next = roman = False
        shift = 0
    return "".join(shown)


def _roman(number: int) -> str:
    shown = ""
    for value, digits in _ROMAN:
        shown += digits * (number // value)
        number %= value
    return shown


def _value(code: str, moment: datetime, language: str, shift: int) -> str | None:
    """What one letter stands for; None: it is no code."""
    if code in _NAMED:
        kind, of_day = _NAMED[code]
        return names_of(kind, language)[moment.weekday() if of_day else moment.month - 1]
    write = _NUMBERS.get(code)
    if write is not None:
        return write(moment)
    if code in ("Y", "y", "o"):
        year = (moment.isocalendar().year if code == "o" else moment.year) + shift
        return f"{year % 100:02}" if code == "y" else str(year)
    return None


_NAMED = {
    "F": ("months", False),
    "M": ("short", False),
    "xg": ("genitive", False),
    "l": ("days", True),
    "D": ("short days", True),
}
_ENGLISH_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()  # noqa: SIM905
_ENGLISH_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_NUMBERS: dict[str, Callable[[datetime], str]] = {
    "n": lambda t: str(t.month), "m": lambda t: f"{t.month:02}", "j": lambda t: str(t.day), "d": lambda t: f"{t.day:02}",
    "N": lambda t: str(t.isoweekday()), "w": lambda t: str(t.isoweekday() % 7), "z": lambda t: str(t.timetuple().tm_yday - 1),
    "W": lambda t: f"{t.isocalendar().week:02}", "t": lambda t: str(calendar.monthrange(t.year, t.month)[1]),
    "L": lambda t: str(int(calendar.isleap(t.year))), "a": lambda t: "am" if t.hour < 12 else "pm",
    "A": lambda t: "AM" if t.hour < 12 else "PM", "g": lambda t: str((t.hour - 1) % 12 + 1),
    "h": lambda t: f"{(t.hour - 1) % 12 + 1:02}", "G": lambda t: str(t.hour), "H": lambda t: f"{t.hour:02}",
    "i": lambda t: f"{t.minute:02}", "s": lambda t: f"{t.second:02}", "u": lambda t: f"{t.microsecond:06}",
    "U": lambda t: str(int(t.timestamp())), "e": lambda t: "UTC", "T": lambda t: "UTC", "I": lambda t: "0",
    "O": lambda t: "+0000", "P": lambda t: "+00:00", "Z": lambda t: "0",
    "c": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    "r": lambda t: f"{_ENGLISH_DAYS[t.weekday()]}, {t.day:02} {_ENGLISH_MONTHS[t.month - 1]} {t.year} {t:%H:%M:%S} +0000",
}  # fmt: skip
