"""What is local about a wiki: names of namespaces, redirect words, image options, disambiguation, how numbers look.

The dump's own `siteinfo` gives the names of namespaces but not their aliases (Image, Bild, Файл…); those are bundled in
`data/wikis.txt`. Words of all wikis count everywhere: authors copy between wikis, and the words do not collide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from raywiki.wikitext.registry import Renderers, normalise

DATA = Path(__file__).parent / "data"
FILE, TEMPLATE, CATEGORY = 6, 10, 14


@dataclass(frozen=True)
class NumberFormat:
    """Marks between thousands and before decimals, and the fewest digits that are grouped."""

    thousands: str = ","
    decimal: str = "."
    min_digits: int = 4


_COMMA_DECIMAL = (
    "ast az be bg ca cs da de el es et eu fi fr fy gl hr hu hy id is it ka kk ky lt lv mk nb nds nl nn no oc pl pt ro ru"
)
_COMMA_DECIMAL += " sk sl sq sr sv tr uk uz vi"
_SPACE_THOUSANDS = set("be bg cs et fi fr hu hy kk ky lt lv nb nn no oc pl ru sk sq sv uk uz ka".split())  # noqa: SIM905
_FOUR_DIGITS_TOGETHER = {"es", "pt", "pl", "bg", "hu", "it", "lv"}  # CLDR: minimumGroupingDigits = 2 ("1000", but "10.000")


def number_format(language: str) -> NumberFormat:
    """How numbers look in a language. Source: Unicode CLDR (marks, minimumGroupingDigits)."""
    base = language.split("-")[0]
    if base not in _COMMA_DECIMAL.split():
        return NumberFormat()
    thousands = " " if base in _SPACE_THOUSANDS else "."
    return NumberFormat(thousands, ",", 5 if base in _FOUR_DIGITS_TOGETHER else 4)


@dataclass(frozen=True)
class Site:
    """One wiki; see `site`."""

    language: str
    file_names: frozenset[str]
    category_names: frozenset[str]
    template_names: frozenset[str]

    @cached_property
    def renderers(self) -> Renderers:
        return Renderers(self.language)

    @cached_property
    def numbers(self) -> NumberFormat:
        return number_format(self.language)

    @cached_property
    def unclosed_file(self) -> re.Pattern[str]:
        """A file or category link that nobody closed, to the end of its line."""
        names = "|".join(sorted(map(re.escape, self.file_names | self.category_names), reverse=True))
        return re.compile(rf"\[\[\s*(?:{names})\s*:[^\n]*", re.IGNORECASE)


def site(language: str = "en", namespaces: Mapping[int, str] | None = None) -> Site:
    """The wiki of this language, with the namespace names of its dump."""
    own = tuple(sorted((number, (namespaces or {}).get(number) or "") for number in (FILE, TEMPLATE, CATEGORY)))
    return _site(language, own)


@lru_cache(maxsize=64)
def _site(language: str, own: tuple[tuple[int, str], ...]) -> Site:
    local = dict(own)

    def names(key: str, number: int) -> frozenset[str]:
        return frozenset(normalise(name) for name in (*words(key), local[number]) if name)

    return Site(
        language,
        names("file", FILE),
        names("category", CATEGORY),
        names("template", TEMPLATE),
    )


def wikis() -> dict[str, dict[str, list[str]]]:
    """Words by language and subject, from `data/wikis.txt`."""
    return words_of("wikis.txt")


@cache
def words_of(name: str) -> dict[str, dict[str, list[str]]]:
    """A bundled text file of sections `[language]` with lines `key: value, value`."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[] "), {})
        elif ":" in line and not line.startswith("#"):
            key, _, values = line.partition(":")
            section[key.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return found


@cache
def words(key: str) -> frozenset[str]:
    """The words of all wikis for one subject, in lower case."""
    return frozenset(normalise(word) for wiki in wikis().values() for word in wiki.get(key, ()))


@cache
def redirect() -> re.Pattern[str]:
    """The beginning of a redirect page."""
    names = "|".join(sorted(map(re.escape, words("redirect")), reverse=True))
    return re.compile(rf"\s*#\s*(?:{names})\b\s*:?\s*\[\[", re.IGNORECASE)


@cache
def table(name: str) -> dict[str, dict[str, str]]:
    """A bundled table (`countries`, `languages`): code → language → name."""
    lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    header, found = rows[0][1:], {}
    for codes, *names in rows[1:]:
        by_language = {language: name for language, name in zip(header, names, strict=False) if name}
        found.update(dict.fromkeys(codes.split(","), by_language))
    return found
