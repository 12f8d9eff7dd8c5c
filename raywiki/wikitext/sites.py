"""What is local about a wiki: names of namespaces, redirect words, image options, disambiguation, how numbers look.

The dump's own `siteinfo` gives the names of namespaces but not their aliases (Image, Bild, Файл…); those are bundled in
`data/wikis.txt`. Words of all wikis count everywhere: authors copy between wikis, and the words do not collide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from raywiki.wikitext.bundled import normalise, words_of
from raywiki.wikitext.numbers import NumberFormat, number_format

MEDIA, FILE, TEMPLATE, CATEGORY = -2, 6, 10, 14


@dataclass(frozen=True)
class Site:
    """One wiki; see `site`."""

    language: str
    media_names: frozenset[str]
    file_names: frozenset[str]
    category_names: frozenset[str]
    template_names: frozenset[str]

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
    own = tuple(sorted((number, (namespaces or {}).get(number) or "") for number in (MEDIA, FILE, TEMPLATE, CATEGORY)))
    return _site(language, own)


@lru_cache(maxsize=64)
def _site(language: str, own: tuple[tuple[int, str], ...]) -> Site:
    local = dict(own)

    def names(key: str, number: int) -> frozenset[str]:
        return frozenset(normalise(name) for name in (*words(key), local[number]) if name)

    return Site(
        language,
        frozenset(filter(None, ("media", normalise(local[MEDIA])))),
        names("file", FILE),
        names("category", CATEGORY),
        names("template", TEMPLATE),
    )


def wikis() -> dict[str, dict[str, list[str]]]:
    """Words by language and subject, from `data/wikis.txt`."""
    return words_of("wikis.txt")


@cache
def words(key: str) -> frozenset[str]:
    """The words of all wikis for one subject, in lower case."""
    return frozenset(normalise(word) for wiki in wikis().values() for word in wiki.get(key, ()))


@cache
def redirect() -> re.Pattern[str]:
    """The beginning of a redirect page."""
    names = "|".join(sorted(map(re.escape, words("redirect")), reverse=True))
    return re.compile(rf"\s*#\s*(?:{names})\b\s*:?\s*\[\[", re.IGNORECASE)
