"""Codes that a template spells out: stock symbols, roads, stations, seasons, characters, goals."""

from __future__ import annotations

import re
import unicodedata

from raywiki.wikitext.cldr import country_name
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import english_template, template


# What stands before the symbol: the English Wikipedia's "Ticker symbol templates".
@english_template("jct", "road", "roadlink")
def junction(t: Template) -> str | None:
    """Roads by kind and number, and what they lead to: `{{jct|state=CA|I|5|city1=Redding}}` → I-5 – Redding."""
    args = t.positional()
    roads = [f"{kind}{'-' if kind in ('I', 'A', 'M') else ' '}{number}".strip(" -") for kind, number in _pairs(args) if kind]
    cities = [t[key] for key in ("city1", "city2", "city3", "location1", "location2") if t[key]]
    return " – ".join(filter(None, (" / ".join(roads), ", ".join(cities)))) or None


def _pairs(args: list[str]) -> list[tuple[str, str]]:
    return list(zip(args[::2], [*args[1::2], ""], strict=False))


@english_template("rws", "stn", "stnlnk", "stnlink", "rail station", "metrosta", "lul stations", "ltostn", "mrt station")
def station_name(t: Template) -> str | None:
    return t.first(3, 1) if t.key in ("stn", "stnlnk", "stnlink") else t[1] or None


@english_template("station", "sta")
def station(t: Template) -> str | None:
    """`{{station|Ebisu}}` → Ebisu Station."""
    return f"{t[1]} Station" if t[1] and t.language in ("en", "simple", "vi") else t[1] or None


@english_template("baseball year", "by", "mlby", "mlb year", "nfly", "nfl year", "nbay", "nba year", "nhly", "nhl year",
          "cfb year", "cfl year", "wsy", "nlcsy", "alcsy", "afl year", "film year", "fy", "avyear", "ushr", "scy", "scbb year",
          "american football year", "mls year", "cricket year", "vfl year")  # fmt: skip
def season(t: Template) -> str | None:
    """The year as it stands; of sports that play over New Year both: `{{nbay|2006}}` → 2006–07."""
    if t.key in ("nbay", "nba year", "nhly", "nhl year") and re.fullmatch(r"\d{4}", t[1]) and t[2] != "start":
        following = int(t[1]) + 1
        return str(following) if t[2] == "end" else f"{t[1]}–{following % 100:02}"
    return t[1] or None


@english_template("fbu", "fbwu", "national under team", "nftu", "cru", "ruu", "bku", "vbu")
def youth_team(t: Template) -> str | None:
    """`{{fbu|21|GER}}` → Germany U21."""
    return f"{country_name(t[2], t.language)} U{t[1]}" if t[2] else None


@english_template("goal", "goals")
def goal(t: Template) -> str | None:
    """Minutes of a player's goals, each followed by a note: `{{goal|12||34|pen.}}` → 12', 34' (pen.)."""
    shown = [f"{minute}'" + (f" ({note})" if note else "") for minute, note in _pairs(t.positional()) if minute]
    return ", ".join(shown) or None


@english_template("unichar")
def unicode_character(t: Template) -> str | None:
    """`{{unichar|0041}}` → U+0041 A LATIN CAPITAL LETTER A."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,6}", t[1]) or int(t[1], 16) > 0x10FFFF:
        return None
    char = chr(int(t[1], 16))
    printable = char if char.isprintable() and not char.isspace() else ""
    name = t[2] or unicodedata.name(char, "")
    return " ".join(filter(None, (f"U+{t[1].upper():0>4}", printable and t.page.keep(printable), name.upper())))


@english_template("patent", "us patent application", "european patent")
def patent(t: Template) -> str | None:
    country, number = (t[1], t[2]) if t.key == "patent" else ("US", t[1])
    return f"{country} patent {number}" if number else None


@english_template("£sd", "lsd")
def old_money(t: Template) -> str | None:
    """Pounds, shillings and pence: `{{£sd|l=1|s=2|d=6}}` → £1 2s 6d."""
    pounds, shillings, pence = t.first("l", 1), t.first("s", 2), t.first("d", 3)
    parts = (f"£{pounds}" if pounds else "", f"{shillings}s" if shillings else "", f"{pence}d" if pence else "")
    return " ".join(filter(None, parts)) or None


@english_template("roman", "to roman", "римські цифри", "roman numeral")
def roman(t: Template) -> str | None:
    """`{{Roman|12}}` → XII; what is no number of 1 to 3999 is shown in its second argument, or not at all."""
    if not t[1].isdecimal() or not 0 < int(t[1][:5]) < 4000:
        return t[2] or None
    number, shown = int(t[1]), ""
    for value, digits in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        shown += digits * (number // value)
        number %= value
    return shown


_ONES = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905


@english_template("spellnum", "numtext", "number to word", "num to words", "spell out", "spellnum per mos")
def spelled_number(t: Template) -> str | None:
    """`{{spellnum|21}}` → twenty-one; from a thousand on as digits."""
    if t.language not in ("en", "simple") or not t[1].isdecimal() or len(t[1]) > 3:
        return t[1] or None
    hundreds, rest = divmod(int(t[1]), 100)
    words = _ONES[rest] if rest < 20 else _TENS[rest // 10] + (f"-{_ONES[rest % 10]}" if rest % 10 else "")
    if not hundreds:
        return words
    return f"{_ONES[hundreds]} hundred" + (f" and {words}" if rest else "")


@template("yes", "no", "n/a", "na", "won", "nom", "nominated", "pending", "partial", "dunno",
          "tba", "tbd", "unofficial", "rh", "maybe", "dropped", "included", language="en")  # fmt: skip
def table_cell(t: Template) -> str:
    """Cells with a colour of their own, in tables that are kept: `{{yes}}` → Yes, `{{won|Best film}}` → Best film."""
    words = {"nom": "Nominated", "n/a": "N/A", "na": "N/A", "dunno": "?", "tba": "TBA", "tbd": "TBD"}
    return t.first(1, "text") or words.get(t.key, t.name.strip().capitalize())
