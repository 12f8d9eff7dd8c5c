"""Numbers as a wiki writes and reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import floor, log10

from raywiki.wikitext.bundled import DATA
from raywiki.wikitext.magic import chain


@dataclass(frozen=True)
class NumberFormat:
    """Marks between thousands and before decimals, and the fewest digits that are grouped."""

    thousands: str = ","
    decimal: str = "."
    min_digits: int = 4


ENGLISH = NumberFormat()
MAX_GROUPED = 1000  # digits; Python itself reads no number with more than 4,300
# Wikis whose units and numbers are not as `formatnum` writes them: theirs group four digits, or keep Western marks.
_GROUPS_FOUR = {"ru", "uk"}
_WESTERN_MARKS = {"ar"}
_WESTERN_DIGITS = {"hi", "bh", "ar"}  # wikis that have switched their own off ($wgTranslateNumerals)
_NUMBER = re.compile(r"([-+−]?)(\d*)(\.\d*)?(?:[eE]([-+−]?\d{1,3}))?")
_INTEGER = re.compile(r"-?\d{1,9}")
_IN_TEXT = re.compile(r"\d+(?:\.\d+)?")
SUPERSCRIPTS = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")


def number_format(language: str) -> NumberFormat:
    """How numbers look in a language's templates: as MediaWiki's `formatnum` writes them, but for the digits.

    >>> number_format("it"), number_format("de").thousands, number_format("no").decimal
    (NumberFormat(thousands=' ', decimal=',', min_digits=4), '.', ',')
    """
    base = language.split("-")[0]
    if base in _WESTERN_MARKS:
        return ENGLISH
    thousands, decimal, _, _, least = _marks(language)
    return NumberFormat(thousands, decimal, 4 if base in _GROUPS_FOUR else 3 + least)


def parse_number(text: str, style: NumberFormat = ENGLISH) -> float | None:
    """The number that `text` is, with or without marks between thousands; None: it is none.

    >>> parse_number("1,234.5"), parse_number("−3e2"), parse_number("some")
    (1234.5, -300.0, None)
    """
    text = text.strip().replace("&nbsp;", "").replace("\xa0", "")
    if style.decimal == ",":
        text = text.replace(".", "").replace(" ", "").replace(",", ".")
    match = _NUMBER.fullmatch(text.replace(",", ""))
    if not match or not (match[2] or (match[3] and len(match[3]) > 1)):
        return None
    return float(text.replace(",", "").replace("−", "-"))


def integer(text: str) -> int | None:
    """The whole number that `text` is, of nine digits at most; None: it is none.

    >>> integer("-12"), integer("²"), integer("--5"), integer("9" * 5000)
    (-12, None, None, None)
    """
    return int(text) if _INTEGER.fullmatch(text) else None


def plain_number(value: float) -> str:
    """Without needless zeros: `2`, `0.25`."""
    return f"{value:.12g}" if abs(value) < 1e15 else f"{value:.6g}"


def format_number(number: str, style: NumberFormat = ENGLISH) -> str:
    """Digits of `number` (English: `1234.5`) with the marks of a wiki's language; other characters stay.

    >>> format_number("-1234567.891"), format_number("1234567.8", NumberFormat(".", ",")), format_number("c. 5000")
    ('-1,234,567.891', '1.234.567,8', 'c. 5,000')
    """
    return _IN_TEXT.sub(lambda match: _format(match[0], style), number)


def _format(digits: str, style: NumberFormat) -> str:
    whole, _, decimals = digits.partition(".")
    if style.min_digits <= len(whole) <= MAX_GROUPED and (len(whole) == 1 or whole[0] != "0"):
        whole = f"{int(whole):,}".replace(",", style.thousands)
    return whole + (style.decimal + decimals if decimals else "")


@cache
def _marks(language: str) -> tuple[str, str, str, str, int]:
    """Marks between thousands and before decimals, digits, pattern and least digits of grouping, as MediaWiki has them."""
    rows = [line.split("\t") for line in (DATA / "numbers.tsv").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    known = {code: fields for code, *fields in rows[1:]}
    values = [next((known[code][i] for code in chain(language) if known.get(code, [""] * 5)[i]), "") for i in range(5)]
    thousands, decimal, digits, pattern, least = values
    return thousands.replace("_", " ") or ",", decimal or ".", digits, pattern or "#,##0.###", int(least or 1)


def local_digits(text: str, language: str) -> str:
    """`text` with the digits of a language: `{{#time:Y}}` in Bengali is ২০২৪."""
    digits = _marks(language)[2]
    return text.translate(str.maketrans("0123456789", digits)) if digits and language not in _WESTERN_DIGITS else text


def local_number(text: str, language: str) -> str:
    """`{{formatnum:}}`: digits, marks and grouping as MediaWiki writes them in a language; other characters stay.

    >>> [local_number("-1234567.8", code) for code in ("en", "hi", "de", "fa")]
    ['-1,234,567.8', '-12,34,567.8', '-1.234.567,8', '-۱٬۲۳۴٬۵۶۷٫۸']
    >>> local_number("1234", "es"), local_number("12345", "es")
    ('1234', '12 345')
    """
    thousands, decimal, _, pattern, least = _marks(language)
    second = 2 if ",##,##0" in pattern else 3

    def shown(match: re.Match[str]) -> str:
        whole, _, decimals = match[0].partition(".")
        if 3 + least <= len(whole) <= MAX_GROUPED:
            pieces, rest = [whole[-3:]], whole[:-3]
            while rest:
                pieces.append(rest[-second:])
                rest = rest[:-second]
            whole = thousands.join(reversed(pieces))
        return whole + (decimal + decimals if decimals else "")

    return local_digits(_IN_TEXT.sub(shown, text), language)


def superscript(text: str) -> str:
    """`text` in raised characters where they are digits and signs.

    >>> superscript("-12")
    '⁻¹²'
    """
    return text.translate(SUPERSCRIPTS)


def round_half_up(value: float, precision: int) -> str:
    """`value` (not negative) rounded to `precision` decimals, or to tens, hundreds, … when it is negative."""
    if precision >= 0:
        return f"{value + (2e-14 if precision <= 8 else 0):.{min(precision, 20)}f}"
    shift = 10.0**-precision
    shown = f"{value / shift:.0f}"
    return shown + "0" * -precision if shown != "0" else "0"


def significant(value: float, digits: int) -> str:
    """`value` (not negative) with so many significant digits."""
    if value == 0:
        return "0"
    return round_half_up(value, digits - 1 - floor(log10(value)))
