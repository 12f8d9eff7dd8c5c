"""The units of `data/units.txt`, and what they are called in other languages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from raywiki.wikitext.bundled import DATA, words_of


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
    return units().get(code) or _by_name().get(code.lower())


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


def local_name(one: Unit, language: str) -> str:
    """What another language calls the unit, where `data/unit_names.txt` knows it; else its symbol."""
    return _local_names(language).get(one.codes[0], one.symbol)


@cache
def _local_names(language: str) -> dict[str, str]:
    return {code: names[0] for code, names in words_of("unit_names.txt").get(language, {}).items() if names}
