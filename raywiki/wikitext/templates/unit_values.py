"""Values of `{{convert}}`: numbers, fractions, powers of ten, and the words between two of a range."""

from __future__ import annotations

import re
from typing import NamedTuple

from raywiki.wikitext.numbers import NumberFormat, format_number, parse_number, superscript

MINUS = "−"
RANGES = {  # word between two values → (as shown, shown between values with symbols, hyphens with adj=on)
    "to": (" to ", " to ", True), "and": (" and ", " and ", True), "or": (" or ", " or ", True), "-": ("–", "–", False),
    "–": ("–", "–", False), "—": ("–", "–", False), "to(-)": (" to ", "–", False), "and(-)": (" and ", "–", False),
    "by": (" by ", " by ", False), "x": (" by ", " × ", False), "×": (" by ", " × ", False), "xx": (" × ", " × ",
    False),
    "by(x)": (" by ", " × ", False), "*": ("×", "×", False), "+/-": (" ± ", " ± ", False), "±": (" ± ", " ± ", False),
    "+": (" + ", " + ", False), ",": (", ", ", ", False), "/": (" / ", " / ", False), "to about": (" to about ",
    " to about ", False),
    ", and": (", and ", ", and ", False), ", or": (", or ", ", or ", False), "до": (" до ", "–", False),
    "đến": (" đến ", " đến ", False),
    "bis": (" bis ", " bis ", False), "à": (" à ", " à ", False), "έως": (" έως ", " έως ", False),
}  # fmt: skip
REPEAT_UNIT = {"x", "×", "by(x)"}
_RANGE_IN_VALUE = re.compile(r"(-?[\d.,]+)\s*(–|-|xx|x|×|\*| to | and | by )\s*(-?[\d.,]+)")
_FRACTION = re.compile(r"([-−+]?)(?:(\d+)\s*[-+ ]\s*)?(\d+)\s*(?://?|⁄)\s*(\d+)")


class Value(NamedTuple):
    number: float
    digits: str  # as written, without sign and marks: its precision counts
    shown: str
    denominator: int = 0


def parse_values(args: list[str], style: NumberFormat) -> tuple[list[Value], list[str], int]:
    """Leading values with the words between them, and how many arguments they take."""
    if not args:
        return [], [], 0
    match = _RANGE_IN_VALUE.fullmatch(args[0])
    if match and not _FRACTION.fullmatch(args[0]):
        args = [match[1], match[2].strip(), match[3], *args[1:]]
    taken = -2 if match and not _FRACTION.fullmatch(args[0]) else 0
    value = parse_value(args[0], style)
    if value is None:
        return [], [], 0
    values, ranges, position = [value], [], 1
    while position + 1 < len(args) and args[position] in RANGES:
        more = parse_value(args[position + 1], style)
        if more is None:
            break
        ranges.append(args[position])
        values.append(more)
        position += 2
    return values, ranges, position + taken


def parse_value(text: str, style: NumberFormat) -> Value | None:
    text = text.strip().replace("&minus;", "-").replace("&nbsp;", " ")
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        sign, whole, top, bottom = (
            fraction[1],
            int(fraction[2] or 0),
            int(fraction[3]),
            int(fraction[4]),
        )
        if not bottom:
            return None
        number = (whole + top / bottom) * (-1 if sign in ("-", "−") else 1)
        shown = (MINUS if number < 0 else "") + (f"{whole} " if whole else "") + f"{top}⁄{bottom}"
        return Value(number, "", shown, bottom)
    local = text.replace(".", "").replace(",", ".") if style.decimal == "," and "," in text else text.replace(",", "")
    number_ = parse_number(local.replace(" ", ""))
    if number_ is None or abs(number_) > 1e30:
        return None
    digits = local.replace(" ", "").lstrip("+-−")
    return Value(number_, digits, _show_number(digits, number_ < 0, style))


def _show_number(digits: str, negative: bool, style: NumberFormat) -> str:
    mantissa, e, exponent = digits.lower().partition("e")
    shown = format_number(mantissa or "0", style)
    if e:
        shown += "×10" + superscript(str(int(exponent)))
    return (MINUS if negative else "") + shown
