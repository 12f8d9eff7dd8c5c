"""`{{convert}}` and its kin: a value, its unit, and the same in other units.

Rounding follows Module:Convert of the English Wikipedia (its functions default_precision and record_default_precision):
an output shows as many digits as the input's precision carries, at least two significant ones, and all values of a
range are rounded alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor, log10

from raywiki.wikitext.numbers import (
    NumberFormat,
    format_number,
    integer,
    local_digits,
    parse_number,
    round_half_up,
    significant,
    superscript,
)
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template
from raywiki.wikitext.templates.unit_table import Unit, local_name, local_symbol, multiple, unit
from raywiki.wikitext.templates.unit_values import MINUS, RANGES, REPEAT_UNIT, Value, parse_value, parse_values

_FUDGE = 1e-14  # as in Module:Convert: against logarithms that fall just short of an integer
_JOINS = {
    "or": (" or ", ""), "sqbr": (" [", "]"), "comma": (", ", ""), "semicolon": ("; ", ""), "br": (" ", ""),
}  # fmt: skip
_WITHOUT_BLANKS = ("zh", "ja")  # 10公里（6.2英里）
_OWN_DIGITS = ("bn", "fa")  # wikis whose Module:Convert writes all numbers in the wiki's digits
_PRECISION, _SHORT_PRECISION = re.compile(r"[-−]?\d+"), re.compile(r"-?\d{1,2}")
_ONLY_OUTPUT = {"output only", "out", "output number only", "number", "unit2", "only"}


@dataclass
class _Conversion:
    values: list[Value]
    ranges: list[str]
    units: list[Unit]  # two or more: feet and inches
    outputs: list[str]
    precision: int | None
    options: dict[str, str]
    style: NumberFormat
    language: str

    def on(self, option: str, *values: str) -> bool:
        return self.options.get(option) in values


@template("convert", "cvt", "convinfobox", "convert/spell", "cv", "convert/sandbox")
def convert(t: Template) -> str | None:
    shown = _convert(t)
    return shown and local_digits(shown, t.language) if t.language in _OWN_DIGITS else shown


def _convert(t: Template) -> str | None:
    spec = _parse(t)
    if spec is None:
        return t[1] and f"{t[1]} {t[2]}".strip() if parse_number(t[1]) is not None else None
    inside = _input(spec)
    if spec.on("disp", "unit", "input only", "in"):
        return inside
    outside = _outputs(spec)
    if not outside:
        return inside
    if spec.options.get("disp") in _ONLY_OUTPUT:
        return "; ".join(outside)
    brackets = ("（", "）") if spec.language in _WITHOUT_BLANKS else (" (", ")")
    joint, end = _JOINS.get(spec.options.get("disp", ""), brackets)
    if spec.on("order", "flip") or spec.on("disp", "flip"):
        return outside[0] + joint + "; ".join([*outside[1:], inside]) + end
    return inside + joint + "; ".join(outside) + end


def _parse(t: Template) -> _Conversion | None:
    style = t.page.site.numbers
    args = t.positional()
    values, ranges, position = parse_values(args, style)
    if not values:
        return None
    first = unit(args[position]) if position < len(args) else None
    if first is None:
        return None
    position += 1
    units = [first]
    while position + 1 < len(args) and multiple(units[-1], sub := unit(args[position + 1])):
        more = parse_value(args[position], style)
        if more is None or sub is None:
            break
        values.append(more)
        units.append(sub)
        position += 2
    rest = [*args[position : position + 2], "", ""]
    output, precision = rest[0], rest[1]
    if _PRECISION.fullmatch(output):
        output, precision = "", output
    options = {key: value for key, value in t.args.items() if not key.isdecimal()}
    if t.key in ("cvt", "cv"):
        options.setdefault("abbr", "on")
    outputs = _output_codes(output, units, values)
    digits = precision.replace("−", "-")
    shown = int(digits) if _SHORT_PRECISION.fullmatch(digits) else None
    return _Conversion(values, ranges, units, outputs, shown, options, style, t.language)


def _output_codes(output: str, units: list[Unit], values: list[Value]) -> list[str]:
    if not output:
        first = values[0].number
        if len(units) > 1:
            return {
                "ft": ["m"],
                "st": ["kg", "lb"],
                "lb": ["kg"],
                "mi": ["km"],
                "yd": ["m"],
            }.get(units[0].codes[0], [])
        output = "ftin" if units[0].codes[0] == "m" and 0 < first < 3 else units[0].default
    return [output] if unit(output) or (" " not in output and "+" not in output) else re.split(r"[ +]+", output)


def _names(spec: _Conversion, side: str) -> bool:
    """Whether units on this side, "in" or "out", are spelled out."""
    abbr = spec.options.get("abbr") or ("off" if spec.on("disp", "or") else "out")
    flipped = spec.on("order", "flip") or spec.on("disp", "flip")
    if flipped and abbr in ("in", "out"):
        abbr = "in" if abbr == "out" else "out"
    return (
        abbr not in ("on", "mos", "unit", side) if abbr in ("on", "in", "out", "off", "mos", "unit", "none") else side == "in"
    )


def _label(one: Unit, spec: _Conversion, names: bool, singular: bool) -> str:
    if spec.on("abbr", "values"):
        return ""
    names = names or _has_no_symbol(one, spec)
    if not names or (one.kind == "temperature" and not spec.options.get("abbr")):
        return one.us_symbol if spec.on("sp", "us") else local_symbol(one, spec.language, singular)
    if spec.language not in ("en", "simple"):
        return local_name(one, spec.language, singular)
    name = one.name if singular else one.plural
    return _american(name) if spec.on("sp", "us") else name


def _has_no_symbol(one: Unit, spec: _Conversion) -> bool:
    """Acres, furlongs and short tons are written out even where symbols are asked for (`usename` in Module:Convert/data)."""
    return spec.language in ("en", "simple") and one.symbol == one.name and one.kind != "temperature"


def _american(name: str) -> str:
    name = (
        re.sub(r"metre\b", "meter", re.sub(r"litre\b", "liter", name)).replace("metres", "meters").replace("litres", "liters")
    )
    return name.replace("deca", "deka").replace("US gallon", "U.S. gallon").replace("US fluid", "U.S. fluid")


def _join(values: list[str], spec: _Conversion, label: str, names: bool, hyphen: bool) -> str:
    """Values of a range with one unit behind them, or behind each where they multiply."""
    space = "-" if hyphen else ""
    if not hyphen and label:
        glued = label.startswith(("/", "×")) or (spec.language in _WITHOUT_BLANKS and not label[0].isascii())
        space = "" if glued else " "
    text = values[0]
    repeat = spec.ranges and spec.ranges[0] in REPEAT_UNIT and not names
    for word, value in zip(spec.ranges, values[1:], strict=False):
        with_names, with_symbols, hyphens = RANGES[word]
        between = with_names if names else with_symbols
        if hyphens and spec.on("adj", "on") and (hyphen or spec.on("abbr", "on")):
            between = between.replace(" ", "-")
        if repeat:
            text += space + label
        text += between + value
    return text + space + (label.replace(" ", "-") if hyphen else label)


def _input(spec: _Conversion) -> str:
    names = _names(spec, "in")
    adjective = spec.on("adj", "on", "mid") and (names or _has_no_symbol(spec.units[-1], spec))
    if len(spec.units) > 1:
        pieces = [
            value.shown
            + ("-" if adjective else " ")
            + _label(one, spec, names, adjective or value.number == 1).replace(" ", "-" if adjective else " ")
            for value, one in zip(spec.values, spec.units, strict=False)
        ]
        return ("-" if adjective else " ").join(pieces)
    last = spec.values[-1]
    singular = adjective or spec.on("adj", "1") or abs(last.number) == 1 or (last.denominator > 0 and abs(last.number) < 1)
    label = _label(spec.units[0], spec, names, singular)
    hyphen = adjective and spec.units[0].kind != "temperature" and spec.language in ("en", "simple")
    return _join([value.shown for value in spec.values], spec, label, names, hyphen)


def _outputs(spec: _Conversion) -> list[str]:
    shown = []
    for code in spec.outputs:
        if code in ("ftin", "ft in", "stlb", "lboz", "miyd", "mift", "ydft"):
            shown.append(_multiple_output(spec, code))
            continue
        out = unit(code)
        if out is None or not out.converts_with(spec.units[0]):
            continue
        shown.append(_single_output(spec, out))
    return shown


def _single_output(spec: _Conversion, out: Unit) -> str:
    names = _names(spec, "out")
    numbers = [_converted(spec, value, out) for value in _inputs(spec)]
    if out.offset and spec.ranges in (
        ["+/-"],
        ["±"],
    ):  # 20 ± 5 °C: the second value is a difference
        numbers[1] = spec.values[1].number * spec.units[0].scale / out.scale
    precision = spec.precision
    if precision is None and not _significant_digits(spec) and not _step(spec):
        precision = max(
            _default_precision(spec, value, number, out) for value, number in zip(_inputs(spec), numbers, strict=True)
        )
    shown = [_round(spec, number, precision) for number in numbers]
    if spec.on("disp", "number", "output number only"):
        return shown[-1]
    adjective = spec.on("adj", "on", "mid") and (names or _has_no_symbol(out, spec))
    singular = bool(adjective) or shown[-1].lstrip(MINUS).rstrip("0").rstrip(".,") == "1"
    label = _label(out, spec, names, singular)
    return _join(shown, spec, label, names, bool(adjective) and spec.language in ("en", "simple"))


def _inputs(spec: _Conversion) -> list[Value]:
    """The values to convert; feet and inches together are one value, in inches."""
    if len(spec.units) == 1:
        return spec.values
    total = sum(value.number * one.scale for value, one in zip(spec.values, spec.units, strict=False))
    last = spec.values[-1]
    return [Value(total / spec.units[-1].scale, last.digits, last.shown, last.denominator)]


def _converted(spec: _Conversion, value: Value, out: Unit) -> float:
    source = spec.units[-1]
    if source.kind == "temperature":
        return (value.number - source.offset) * source.scale / out.scale + out.offset
    if source.inverse != out.inverse:
        return 1 / (value.number * source.scale * out.scale) if value.number else 0.0
    return value.number * source.scale / out.scale


def _default_precision(spec: _Conversion, value: Value, number: float, out: Unit) -> int:
    """Decimals shown when none are asked for; Module:Convert's default_precision."""
    source, composite = spec.units[-1], len(spec.units) > 1
    if value.denominator:
        precision: float = max(log10(value.denominator), 1)
    else:
        mantissa, _, exponent = value.digits.lower().partition("e")
        whole, dot, decimals = mantissa.partition(".")
        precision = len(decimals) if dot else 0 if composite else -(len(whole) - len(whole.rstrip("0")))
        precision -= int(exponent or 0)
    if source.kind == "temperature":
        kelvin = abs((value.number - source.offset) * source.scale)
        least = 2 if kelvin < 1e-8 else 2 - floor(log10(kelvin) + _FUDGE)
        return max(floor(precision), least)
    number = abs(number)
    if not value.number or not number:
        return 0
    if out.codes[0] in ("ft", "lb") and value.number == int(value.number):
        adjust = -log10(source.scale)
    elif composite and source.codes[0] == "in":
        adjust = log10(out.scale) + 2
    else:
        adjust = log10(abs(value.number / number))
    return max(floor(precision + adjust + log10(2)), 1 - floor(log10(number) + _FUDGE))


def _significant_digits(spec: _Conversion) -> int:
    """`sigfig=3`; 0 where it is not given, or asks for none."""
    return min(integer(spec.options.get("sigfig", "")) or 0, 12) if spec.options.get("sigfig", "").isdecimal() else 0


def _step(spec: _Conversion) -> int:
    """`round=5` rounds to fives, 0 where it is not given."""
    return integer(spec.options.get("round", "")) or 0 if spec.options.get("round", "").isdecimal() else 0


def _round(spec: _Conversion, number: float, precision: int | None) -> str:
    size = abs(number)
    if precision is not None:
        digits = round_half_up(size, precision)
    elif _significant_digits(spec):
        digits = significant(size, _significant_digits(spec))
    else:
        step = _step(spec) or 1
        digits = f"{floor(size / step + 0.5) * step:.0f}"
    negative = number < 0 and digits.strip("0.") != ""
    if "e" in spec.values[0].digits.lower() and size >= 1000:
        power = floor(log10(size))
        kept = max((precision or 0) + power, 0)
        return (
            (MINUS if negative else "")
            + format_number(f"{size / 10**power:.{kept}f}", spec.style)
            + f"×10{superscript(str(power))}"
        )
    return _scientific(digits, negative, precision, spec.style)


def _scientific(digits: str, negative: bool, precision: int | None, style: NumberFormat) -> str:
    """Numbers of more than ten digits that were rounded to a power of ten, and very small ones, are powers of ten."""
    sign = MINUS if negative else ""
    if precision is not None and precision < 0 and len(digits) > 10:
        mantissa = digits[: len(digits) + precision]
        power = len(digits) - 1
    elif digits.startswith("0.0000"):
        kept = digits[2:].lstrip("0")
        mantissa, power = kept, -(len(digits) - 2 - len(kept) + 1)
    else:
        return sign + format_number(digits, style)
    head = mantissa[0] + (style.decimal + mantissa[1:] if len(mantissa) > 1 else "")
    return f"{sign}{head}×10{superscript(str(power))}"


_SMALLER = {"ftin": ("ft", "in", 12), "ft in": ("ft", "in", 12), "stlb": ("st", "lb", 14), "lboz": ("lb", "oz", 16),
            "miyd": ("mi", "yd", 1760), "mift": ("mi", "ft", 5280), "ydft": ("yd", "ft", 3)}  # fmt: skip


def _multiple_output(spec: _Conversion, code: str) -> str:
    """Feet and inches, stone and pounds."""
    large, small, per = _SMALLER[code]
    names = _names(spec, "out")
    big, little = unit(large), unit(small)
    assert big is not None
    assert little is not None
    shown = []
    for value in _inputs(spec):
        number = _converted(spec, value, little)
        precision = spec.precision if spec.precision is not None else _default_precision(spec, value, number, little)
        decimals = max(precision, 0)
        total = float(round_half_up(abs(number), decimals))
        whole, rest = divmod(total, per)
        pieces = []
        adjective = spec.on("adj", "on") and names
        gap = "-" if adjective else " "
        if whole:
            pieces.append(
                format_number(f"{whole:.0f}", spec.style) + gap + _label(big, spec, names, bool(adjective) or whole == 1)
            )
        pieces.append(
            format_number(f"{rest:.{decimals}f}" if rest else "0", spec.style)
            + gap
            + _label(little, spec, names, bool(adjective) or rest == 1)
        )
        shown.append((MINUS if number < 0 else "") + gap.join(pieces))
    text = shown[0]
    for word, value_shown in zip(spec.ranges, shown[1:], strict=False):
        between = RANGES[word][1]
        text += (f" {between.strip()} ") + value_shown
    return text
