"""The units of `data/units.txt`, and what they are called in other languages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from raywiki.wikitext.bundled import DATA, words_of
from raywiki.wikitext.cldr import cldr_unit, unit_pattern
from raywiki.wikitext.numbers import superscript


@dataclass(frozen=True)
class Unit:
    """A unit: `scale` times its value is the value in the base unit of its kind; temperatures have an offset too."""

    codes: tuple[str, ...]
    kind: str
    scale: float
    offset: float
    inverse: bool
    symbol: str
    name: str
    plural: str
    default: str

    @property
    def us_symbol(self) -> str:
        return self.symbol.replace("US ", "U.S. ")

    def converts_with(self, other: Unit) -> bool:
        return self.kind == other.kind or {self.kind, other.kind} == {
            "energy",
            "torque",
        }


@cache
def units() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    kind = ""
    for line in (DATA / "units.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[] ")
        elif "|" in line and not line.startswith("#"):
            codes, factor, symbol, name, plural, default = (cell.strip() for cell in line.split("|"))
            scale, _, offset = factor.removeprefix("inverse ").partition(" ")
            spellings = tuple(code.strip() for code in codes.split(","))
            one = Unit(spellings, kind, float(scale), float(offset or 0), factor.startswith("inverse"), symbol, name,
                       plural or name + "s", default)  # fmt: skip
            for code in spellings:
                found.setdefault(code, one)
    return found


def unit(code: str) -> Unit | None:
    """The unit that a code, symbol or name stands for."""
    code = code.strip()
    return units().get(code) or _by_name().get(code.lower()) or _of_many(code)


_MANY = {"e3": "thousand", "e6": "million", "e9": "billion", "e12": "trillion", "e15": "quadrillion"}


@lru_cache(maxsize=1000)
def _of_many(code: str) -> Unit | None:
    """`e6acre` is a million acres."""
    match = re.fullmatch(r"(e\d{1,2})(\D.*)", code)
    one = units().get(match[2]) if match else None
    if match is None or match[1] not in _MANY or one is None or one.offset or one.inverse:
        return None
    power, word = superscript(match[1][1:]), _MANY[match[1]]
    symbol = one.plural if one.symbol == one.name else one.symbol
    return replace(one, codes=(code,), scale=one.scale * float(f"1{match[1]}"), symbol=f"×10{power} {symbol}",
                   name=f"{word} {one.name}", plural=f"{word} {one.plural}", default=_default_of_many(one))  # fmt: skip


def _default_of_many(one: Unit) -> str:
    return one.default if " " not in one.default else one.default.split()[0]


@cache
def _by_name() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for one in units().values():
        for name in (
            one.name,
            one.plural,
            one.name.replace("metre", "meter"),
            one.plural.replace("metre", "meter"),
        ):
            found.setdefault(name.lower(), one)
    return found


_SUBUNITS = {("ft", "in"), ("yd", "ft"), ("mi", "yd"), ("mi", "ft"), ("mi", "chain"), ("st", "lb"), ("lb", "oz"),
    ("m", "cm"),
             ("mi", "furlong"), ("yd", "in"), ("LT", "long cwt"), ("long cwt", "lb"), ("chain", "yd")}  # fmt: skip


def multiple(large: Unit, small: Unit | None) -> bool:
    """Whether `small` may follow `large` in one value, as inches follow feet."""
    return small is not None and (large.codes[0], small.codes[0]) in _SUBUNITS


_OF_OTHER_SCRIPTS = frozenset(
    ("zh", "ko", "ar", "fa", "he", "hi", "bn", "ru", "th", "ka", "hy", "ta", "te", "mr", "ur", "be", "bg")
)


_WITHOUT_LATIN = frozenset(("ar", "fa", "hi", "bn"))  # where no Latin abbreviation of a unit that has a name is written


def local_name(one: Unit, language: str, is_one: bool = False) -> str:
    """What another language calls the unit: as `data/unit_names.txt` has it, else as CLDR has, else its symbol."""
    own = _local_names(language)
    if own:
        return own.get(one.codes[0], one.symbol)
    return _cldr(one, "long", language, is_one) or one.symbol


def local_symbol(one: Unit, language: str, is_one: bool = False) -> str:
    """The unit's symbol, in languages of other scripts as they abbreviate it."""
    if language not in _OF_OTHER_SCRIPTS:
        return one.symbol
    short = _cldr(one, "short", language, is_one)
    if language in _WITHOUT_LATIN and short.isascii() and short.isalpha():
        return _cldr(one, "long", language, is_one) or short  # 10 কিলোগ্রাম (22 পাউন্ড)
    return short or one.symbol


def _cldr(one: Unit, length: str, language: str, is_one: bool) -> str:
    code = next((known for code in one.codes if (known := cldr_unit(code))), "")
    return unit_pattern(code, length, is_one, language).replace("{0}", "").strip() if code else ""


@cache
def _local_names(language: str) -> dict[str, str]:
    return {code: names[0] for code, names in words_of("unit_names.txt").get(language, {}).items() if names}
