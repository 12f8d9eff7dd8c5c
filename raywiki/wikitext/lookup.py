"""Which renderer a template has on a wiki: its own name, a local alias, a family, or a country's code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache, lru_cache

from raywiki.wikitext import templates
from raywiki.wikitext.bundled import normalise, table, words_of
from raywiki.wikitext.registry import Renderer, changes, is_builtin, of_family, registered
from raywiki.wikitext.variables import renderer as variable_renderer

for _module in sorted(module.name for module in pkgutil.iter_modules(templates.__path__)):
    importlib.import_module(f"{templates.__name__}.{_module}")  # each registers its renderers

_COUNTRY_CODE = re.compile(r"[A-Z]{3}|UK|EU|USSR")
_SHORT_ALIAS = 4


def renderers(language: str) -> Renderers:
    """The renderers of this language's wiki, with all that is registered by now."""
    return _renderers(language, changes())


@lru_cache(maxsize=64)
def _renderers(language: str, changes: int) -> Renderers:
    return Renderers(language)


class Renderers(dict[str, "Renderer | None"]):
    """Renderers of one wiki by a template's name as written: what was found once is found by one look into a dict."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.aliases = aliases(language)

    def __missing__(self, written: str) -> Renderer | None:
        if len(self) > 100_000:
            self.clear()
        found = variable_renderer(written, self.language) or self.find(normalise(written))
        code = written.strip()
        if _COUNTRY_CODE.fullmatch(code) and (found is None or (code in table("countries") and is_builtin(found))):
            found = self.find("country code")  # in capitals: {{AUT}} is Austria, {{aut|…}} an author's name
        self[written] = found
        return found

    def find(self, name: str) -> Renderer | None:
        own, foreign = self.aliases
        return (
            registered(name, self.language)
            or registered(own.get(name, ""))
            or registered(name)
            or registered(foreign.get(name, ""))
            or of_family(name, self.language)
        )


@cache
def aliases(language: str) -> tuple[dict[str, str], dict[str, str]]:
    """Local template names → the name they are registered under, from `data/aliases.txt`: the wiki's own, and others'.

    Templates travel between wikis with translated articles, so those of other wikis count too; but not short names,
    which mean something else everywhere.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for section, names in words_of("aliases.txt").items():
        for name, local in names.items():
            for alias in local:
                if section == language:
                    own.setdefault(normalise(alias), normalise(name))
                elif len(alias) > _SHORT_ALIAS:
                    found.setdefault(normalise(alias), normalise(name))
    return own, found
