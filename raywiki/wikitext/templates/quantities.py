"""Numbers, fractions, powers, money and formulas."""

from __future__ import annotations

import re
from math import ceil, floor

from raywiki.wikitext.numbers import (
    format_number,
    local_number,
    parse_number,
    plain_number,
    round_half_up,
    superscript,
)
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import english_template, template


def _number(t: Template, text: str) -> str:
    value = re.sub(r"(?<=\d)[,  ](?=\d{3})", "", text)
    return format_number(value, t.page.site.numbers) if re.fullmatch(r"[-+−]?\d*\.?\d+(?:\(\d+\))?", value) else text


def _minus(text: str) -> str:
    return "−" + text[1:] if text.startswith("-") else text


_AS_MEDIAWIKI = ("bn", "fa", "pt")  # where `{{formatnum:}}`, which these call, has other marks or digits than we


@template("formatnum template", "formatnum", "nts", "number table sorting", "nombre", "nb", "num", "number", "ntsq",
          "numsort", "decimals", "format number", "fnum", "fn", "fmtn",
          "formatnumber", "число", "number format", "форматне число", "comma", "commas", "format num", "fmn")  # fmt: skip
def number(t: Template) -> str | None:
    unit = f" {t[2]}" if t[2] and t.key in ("nombre", "nb", "fmtn") else ""
    if t.language in _AS_MEDIAWIKI and re.fullmatch(r"-?\d+(?:\.\d+)?", t[1]):
        return _minus(local_number(t[1], t.language)) + unit
    return _minus(_number(t, t[1])) + unit if t[1] else None


@template("val", "value", "measurement")
def val(t: Template) -> str | None:
    """`{{val|6.241|e=18|u=m}}` → 6.241×10¹⁸ m; `{{val|1.2|0.1}}` → 1.2±0.1."""
    main = t[1]
    if not main and not t["e"]:
        return None
    text = _minus(_number(t, main)) if main else ""
    if t[2] and t[3] and t[3][0] in "-−":
        text += f"+{t[2].lstrip('+')}−{t[3].lstrip('-−')}"
    elif t[2] in ("-", "–", "to", "and", "or", "x", "×", "by", "/") and t[3]:
        word = {"-": "–", "–": "–", "x": " × ", "×": " × ", "/": "/"}.get(t[2], f" {t[2]} ")
        text += word + _number(t, t[3])
    elif t[2] and not any(map(str.isdecimal, t[2])):
        text += ("" if t[2][0] in "%°′″" else " ") + t[2]  # no uncertainty: Russian {{число|5|км}}
    elif t[2]:
        text += f"±{_number(t, t[2].lstrip('±'))}"
    exponent = t["e"]
    if exponent:
        if t[2] and main:
            text = f"({text})"
        text += ("×" if main else "") + "10" + superscript(exponent)
    unit = t.first("u", "ul", "up", "upl")
    if unit:
        text += (
            ("" if unit[0] in "%°′″" else " ")
            + _unit(unit)
            + (f"/{_unit(t.first('up', 'upl'))}" if t.first("up", "upl") and t.first("u", "ul") else "")
        )
    return t["p"] + text + t["s"]


def _unit(unit: str) -> str:
    unit = unit.replace(".", "⋅") if re.fullmatch(r"[A-Za-zμ.\d/+-]+", unit) else unit
    return re.sub(r"(?<=[A-Za-zμ])([-−+]?\d+)", lambda match: superscript(match[1]), unit)


@template("e", "e2", "times ten", "sn")
def times_power(t: Template) -> str | None:
    power = t[1].replace("–", "-").replace("−", "-")
    if t.key == "sn" and t[2]:
        return f"{t[1]}×10<sup>{t[2]}</sup>"
    if re.search(r"[^\W\d_]{2}", power):
        return t[1]  # a word is no power: Catalan {{e|segle}}
    return f"×10{superscript(power)}" if re.fullmatch(r"[-+]?\d+", power) else f"×10<sup>{t[1]}</sup>" if t[1] else None


@template("10^", "10^n", "power of ten", "pow10")
def power_of_ten(t: Template) -> str | None:
    return f"10{superscript(t[1])}" if t[1] else None


@template("frac", "fraction", "frac2", "fract", "fracn")
def frac(t: Template) -> str | None:
    """`{{frac|2|1|3}}` → 2 1⁄3; one argument is the part below 1."""
    parts = [part for part in t.positional() if part][:3]
    if len(parts) == 3:
        return f"{parts[0]} {parts[1]}⁄{parts[2]}"
    if len(parts) == 2:
        return f"{parts[0]}⁄{parts[1]}"
    return f"1⁄{parts[0]}" if parts else None


@template("sfrac", "tfrac", "dfrac", "cfrac", "sfrac/ipa", "bruch", "stack fraction", "intfrac")
def sfrac(t: Template) -> str | None:
    parts = [part for part in t.positional() if part][:3]
    if not parts:
        return None
    whole, above, below = (["", "1", *parts] if len(parts) == 1 else ["", *parts] if len(parts) == 2 else parts)[-3:]
    return f"{whole} {_grouped(above)}/{_grouped(below)}".strip()


def _grouped(text: str) -> str:
    return f"({text})" if re.search(r"\s|[+−]", text.strip()) else text


@template("sqrt", "radic", "surd", "root")
def root(t: Template) -> str | None:
    index = {"3": "∛", "4": "∜"}.get(t[2], "√")
    return index + (t[1] if re.fullmatch(r"\w*", t[1]) else f"({t[1]})") if t[1] else None


@template("abs", "absolute value", "mabs")
def absolute(t: Template) -> str | None:
    return f"&#124;{t[1]}&#124;" if t[1] else None


@template("gaps", "digits", "num gaps", "числове групування")
def gaps(t: Template) -> str | None:
    joint = t.page.site.numbers.thousands if t.page.site.numbers.thousands.strip() else " "
    return (joint if joint == " " else " ").join(filter(None, t.positional())) + t["e"] or None


@template("rnd", "round", "rounddown", "roundup")
def rounded(t: Template) -> str | None:
    value, digits = parse_number(t[1]), t[2].replace("−", "-")
    if value is None:
        return t[1] or None
    places = int(digits) if re.fullmatch(r"-?\d{1,2}", digits) else 0
    if t.key in ("rounddown", "roundup") and abs(value) < 1e15:  # towards zero, and away from it
        step = 10.0**-places
        whole = floor(abs(value) / step + 1e-9) if t.key == "rounddown" else ceil(abs(value) / step - 1e-9)
        value = whole * step * (-1 if value < 0 else 1)
    return ("−" if value < 0 else "") + format_number(round_half_up(abs(value), places), t.page.site.numbers)


@english_template("max", "min", "maximum", "minimum")
def extreme(t: Template) -> str | None:
    values = [value for value in map(parse_number, t.positional()) if value is not None]
    return plain_number((max if t.key.startswith("max") else min)(values)) if values else None


@template("percentage", "pct", "percent", "percent-done", "відсоток")
def percentage(t: Template) -> str | None:
    part, whole = parse_number(t[1]), parse_number(t[2])
    if part is None or not whole:
        return f"{t[1]}%" if t[1] else None
    places = int(t[3]) if t[3].isdecimal() else 0
    return format_number(round_half_up(abs(100 * part / whole), min(places, 9)), t.page.site.numbers) + "%"


@template("sum", "add")
def total(t: Template) -> str | None:
    values = [parse_number(value) for value in t.positional()]
    return plain_number(sum(value for value in values if value is not None)) if values and None not in values else None


@template(
    "increase",
    "decrease",
    "steady",
    "gain",
    "loss",
    "profit",
    "increasenegative",
    "decreasepositive",
    "up",
    "down",
    "nochange",
    "зростання",
    "падіння",
)
def change(t: Template) -> str:
    sign = {
        "increase": "▲",
        "gain": "▲",
        "profit": "▲",
        "up": "▲",
        "increasenegative": "▲",
        "зростання": "▲",
        "steady": "",
        "nochange": "",
    }
    return sign.get(t.key, "▼") + t[1]


_MONEY = {
    "us$": "US$", "usd": "US$", "$": "$", "us dollar": "US$", "a$": "A$", "aud": "A$", "au$": "A$", "c$": "C$",
    "cad": "CA$", "ca$": "CA$", "nzd": "NZ$", "nz$": "NZ$",
    "hk$": "HK$", "hkd": "HK$", "s$": "S$", "sgd": "S$", "gbp": "£", "£": "£", "pound sterling": "£", "€": "€",
    "eur": "€", "¥": "¥", "jpy": "¥", "yen": "¥", "cny": "CN¥", "rmb": "CN¥",
    "inr": "₹", "rupee": "₹", "indian rupee": "₹", "inrconvert": "₹", "bdt": "৳", "pkr": "₨", "lkr": "Rs. ", "npr": "रु ",
    "kzt": "₸", "thb": "฿", "krw": "₩", "rub": "₽", "uah": "₴", "php": "₱",
    "vnd": "₫", "ngn": "₦", "chf": "CHF ", "sek": "SEK ", "nok": "NOK ", "dkk": "DKK ", "brl": "R$",
    "peso": "₱", "philippine peso": "₱", "ils": "₪", "turkish lira": "₺", "try": "₺", "pln": "PLN ", "mxn": "MX$",
    "zar": "R", "usdcny": "US$", "nt$": "NT$", "twd": "NT$", "₹": "₹", "₱": "₱", "₩": "₩", "₽": "₽",
}  # fmt: skip


_INDIAN = {
    "en": dict(k="thousand", l="lakh", c="crore", lc="lakh crore", m="million", b="billion", t="trillion"),
    "hi": dict(k="हज़ार", l="लाख", c="करोड़", lc="लाख करोड़"), "bn": dict(k="হাজার", l="লাখ", c="কোটি", lc="লাখ কোটি"),
}  # fmt: skip


@template(*_MONEY)
def money(t: Template) -> str:
    """`{{US$|5}}` → US$5, `{{INRConvert|50|c}}` → ₹50 crore; what a sum is in dollars changes with the day, and is left out."""
    sign = _MONEY.get(t.key, "")
    words = _INDIAN["en"] | _INDIAN.get(t.language, {})
    word = f" {words[t[2]]}" if t.key == "inrconvert" and t[2] in words else ""
    return sign + _number(t, t[1]) + word if t[1] else sign.strip()


@template("currency", "money", "fxconvert")
def currency(t: Template) -> str | None:
    return _MONEY.get(t[2].lower(), f"{t[2]} ") + _number(t, t[1]) if t[1] else None


@template("chem", "chem/atom", "chemf", "chem formula")
def chem(t: Template) -> str | None:
    """`{{chem|SO|4|2-}}` → SO4²⁻, `{{chem|3|He}}` → ³He."""
    pieces = [piece.replace("''", "") for piece in t.positional()]
    text = ""
    for i, piece in enumerate(pieces):
        charge = re.fullmatch(r"(\d*)([+\-−–])", piece)
        if charge and (i or charge[1]):
            text += superscript(charge[1] + charge[2].replace("–", "-"))
        elif piece.isdecimal() and not text and i + 1 < len(pieces):
            text += superscript(piece)
        else:
            text += piece
    return text or None


@template("chem2", "chem name")
def chem2(t: Template) -> str | None:
    text = re.sub(r"\((\d*[+\-−])\)", lambda match: superscript(match[1]), t[1])
    text = re.sub(r"(?<=[A-Za-z\d)\]])([+\-−])(?=$|\s)", lambda match: superscript(match[1]), text)
    return re.sub(r"\s*->\s*", " → ", text).replace("*", "·") or None


@template(
    "coord",
    "coor",
    "coordinates",
    "coord dms",
    "coor d",
    "coor dm",
    "coor dms",
    "coor title dms",
    "coor at dms",
)
def coord(t: Template) -> str:
    """Degrees as shown; those that stand beside the title show nothing in the text."""
    if ("inline" not in t["display"] and "title" in t["display"]) or t["display"] == "t" or "title" in t.key:
        return ""
    args = t.positional()
    for size in (4, 3, 2):
        south, east = args[:size], args[size : 2 * size]
        if len(east) == size and re.fullmatch(r"[NS]", south[-1]) and re.fullmatch(r"[EWO]", east[-1]):
            return f"{_angle(south)} {_angle(east)}"
    if len(args) >= 2 and all(re.fullmatch(r"[-−]?\d+(?:\.\d+)?", value) for value in args[:2]):
        north, east_ = (value.replace("−", "-") for value in args[:2])
        return f"{north.lstrip('-')}°{'S' if north[0] == '-' else 'N'} {east_.lstrip('-')}°{'W' if east_[0] == '-' else 'E'}"
    return ""


def _angle(parts: list[str]) -> str:
    return "".join(value + mark for value, mark in zip(parts[:-1], "°′″", strict=False)) + parts[-1]


@template("rating", "stars", "rating-5", "rating-10")
def rating(t: Template) -> str | None:
    return f"{t[1]}/{t[2] or '5'}" if t[1] else None


@template("ordinal", "ord", "nth")
def ordinal(t: Template) -> str | None:
    if t.language in ("en", "simple"):
        return english_ordinal(t[1])
    if t.language in ("es", "pt") and t[1].isdecimal():
        return f"{t[1]}.{'ª' if t[2].lower() in ('a', 'f', 'ª') else 'º'}"
    return f"{t[1]}." if t[1].isdecimal() else t[1] or None


def english_ordinal(number: str) -> str:
    """`3` → 3rd; what is no number stays."""
    if not number.isdecimal():
        return number
    last, is_teen = number[-1], number[-2:-1] == "1"
    return number + ("th" if is_teen else {"1": "st", "2": "nd", "3": "rd"}.get(last, "th"))


@template("tmath")
def tmath(t: Template) -> str | None:
    return t.page.keep(f"${t[1]}$") if t[1] else None
