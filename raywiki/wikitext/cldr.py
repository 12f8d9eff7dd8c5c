"""Names of languages, countries and units in every language: Unicode CLDR, through Babel, and our exceptions.

Babel is imported with the first name that is asked for, and reads a language's data once (some 30 ms).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from raywiki.wikitext.bundled import DATA
from raywiki.wikitext.locales import locale

if TYPE_CHECKING:
    from babel import Locale

_REMARK = re.compile(r" ?[(（][^()（）]*[)）]$")  # "Myanmar (Burma)"
_VARIANTS = {"zh": "zh-hant"}  # names on the Chinese wiki are in traditional characters here
_CAPITALISED = {"vi", "el"}  # CLDR begins their names with a capital, texts do not
_ENGLISH = ("en", "simple")


@cache
def _exceptions() -> dict[str, dict[str, Any]]:
    """`data/names.toml`."""
    return tomllib.loads((DATA / "names.toml").read_text(encoding="utf-8"))


@cache
def language_codes() -> frozenset[str]:
    """Codes of the languages that have a Wikipedia or are often quoted."""
    return frozenset(_exceptions()["languages"]["codes"].split())


@cache
def country_codes() -> dict[str, str]:
    """Codes of countries (ISO 3166 alpha-2 and alpha-3, IOC, of past states) → the code that has the names."""
    codes = _exceptions()["countries"]["codes"]
    return {code: main for main, others in codes.items() for code in (main, *others.split())}


def _locale(language: str) -> Locale | None:
    return locale(_VARIANTS.get(language, language))


@cache
def language_name(code: str, language: str) -> str:
    """What speakers of `language` call the language `code` inside a sentence; "" where that is not known.

    >>> language_name("fr", "tr"), language_name("fr", "zh"), language_name("la", "de"), language_name("fr", "vi")
    ('Fransızca', '法語', 'lateinisch', 'tiếng Pháp')
    """
    own = _exceptions()["languages"].get(language, {})
    for known in (code, code.split("-")[0]):
        if known in own:
            return str(own[known])
        found = _locale(language)
        name = found.languages.get(known.replace("-", "_")) if found else None
        if name:
            name = _REMARK.sub("", name.partition(";")[0])
            return (
                name[:1].lower() + name[1:] if language in _CAPITALISED or (language == "de" and name.endswith("sch")) else name
            )
    return ""


@cache
def country_name(value: str, language: str) -> str:
    """What speakers of `language` call a country of this code; what is no code is a name already.

    >>> country_name("FRA", "zh"), country_name("TUR", "en"), country_name("Atlantis", "en")
    ('法國', 'Turkey', 'Atlantis')
    """
    code = country_codes().get(value.strip())
    return value if code is None else _country(code, language) or _country(code, "en") or value


def _country(code: str, language: str) -> str:
    own = _exceptions()["countries"].get(language, {}).get(code)
    if own:
        return str(own)
    found = _locale(language)
    name = (found.territories.get(code) if found else None) or ""
    if language in _ENGLISH:
        name = name.replace(" & ", " and ").replace("St. ", "Saint ")
    return _REMARK.sub("", name)


@cache
def countries_by_name(language: str) -> dict[str, str]:
    """Names of countries in a language, in lower case → the name."""
    names = (_country(code, language) for code in country_codes().values())
    return {name.lower(): name for name in names if name}


def cldr_unit(code: str) -> str:
    """What CLDR calls the unit of this code of `data/units.txt`, as `length-mile`; "" for a unit that it does not have."""
    return str(_exceptions()["units"].get(code, ""))


@cache
def unit_pattern(unit: str, length: str, is_one: bool, language: str) -> str:
    """How a value and a unit stand together, as `{0} km`; "" where CLDR does not say. `length` is long or short.

    >>> unit_pattern("length-kilometer", "long", False, "ko"), unit_pattern("duration-year", "long", True, "cs")
    ('{0}킬로미터', '{0} rok')
    """
    from babel.units import UnknownUnitError, format_unit

    found = _locale(language)
    if found is None:
        return ""
    value = 1 if is_one else 100 if language == "ar" else 7  # of many plurals the one that most numbers have
    try:
        shown = format_unit(value, unit, "long" if length == "long" else "short", locale=found)
    except UnknownUnitError:
        return ""
    return shown.replace(str(value), "{0}") if str(value) in shown else ""
