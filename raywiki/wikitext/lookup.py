"""Which renderer a template has on a wiki: its own name, a local alias, a family, or a country's code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache, lru_cache

from raywiki.wikitext import templates
from raywiki.wikitext.bundled import normalise, template_aliases, template_lists
from raywiki.wikitext.cldr import countries_by_name, country_codes
from raywiki.wikitext.registry import ANY_WIKI, Renderer, changes, is_builtin, of_family, registered
from raywiki.wikitext.templates.french import SHOWS_ITSELF
from raywiki.wikitext.variables import renderer as variable_renderer

for _module in sorted(module.name for module in pkgutil.iter_modules(templates.__path__)):
    importlib.import_module(f"{templates.__name__}.{_module}")  # each registers its renderers

_COUNTRY_CODE = re.compile(r"[A-Z]{3}(?:1[89]\d\d|20\d\d)?|UK|EU|USSR")
_SHORT_ALIAS = 4
_VARIABLES = {"!", "="}  # magic words by now, which a wiki may still define
_NAMED = ("fr", "ru")  # wikis in which {{France}} is a flag and a name; elsewhere it may be a box about the country


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
        self._preferred: dict[str, bool] = {}

    def __missing__(self, written: str) -> Renderer | None:
        if len(self) > 100_000:
            self.clear()
        found = self.find(normalise(written))
        if variable := variable_renderer(written, self.language):
            found = _unless_it_has_arguments(variable, found)
        code = written.strip()
        if _COUNTRY_CODE.fullmatch(code) and (
            found is None or (code.rstrip("0123456789") in country_codes() and is_builtin(found))
        ):
            found = self.find("country code")  # in capitals: {{AUT}} is Austria, {{aut|…}} an author's name
        self[written] = found
        return found

    def prefers(self, written: str) -> bool:
        """Whether the renderer of this name knows better than the wiki's own definition.

        It does when it is a user's, or made for this wiki's language, or stands for one of MediaWiki's variables, and on wikis
        whose own names are listed, where ours were looked at. Elsewhere `{{lang-en|…}}` would be introduced in words that are
        not that wiki's; and a short name means something else on each wiki.
        """
        found = self._preferred.get(written)
        if found is None:
            name, renderer = normalise(written), self[written]
            variable = name in _VARIABLES or (written.strip().isupper() and len(name) > _SHORT_ALIAS)
            alias = self.aliases[0].get(name, "")
            own = registered(name, self.language) or registered(alias, self.language) or registered(alias)
            listed = len(name) > _SHORT_ALIAS and self.language in _listed()
            found = renderer is not None and bool(variable or own or listed or not is_builtin(renderer))
            self._preferred[written] = found
            if len(self._preferred) > 100_000:
                self._preferred.clear()
        return found

    def find(self, name: str) -> Renderer | None:
        own, foreign = self.aliases
        return (
            registered(name, self.language)
            or registered(own.get(name, ""), self.language)
            or registered(own.get(name, ""))
            or registered(name)
            or registered(foreign.get(name, ""))
            or of_family(name, self.language)
            or registered(name, ANY_WIKI)
            or self._named(name)
        )

    def _named(self, name: str) -> Renderer | None:
        """Templates that show their own name: {{Allemagne}}, {{Louis XIV}}."""
        if self.language in _NAMED and name in countries_by_name(self.language):
            return registered("named country")
        return registered("named century") if self.language == "fr" and SHOWS_ITSELF.fullmatch(name) else None


def _unless_it_has_arguments(variable: Renderer, template: Renderer | None) -> Renderer:
    """`{{DAY}}` is a variable, `{{DAY|5}}` a template, as MediaWiki has it: local names of variables are everyday words."""
    return lambda t: variable(t) if not t.args else template(t) if template else None


@cache
def _listed() -> frozenset[str]:
    """Languages of the wikis with names of their own in `data/templates.toml`, and those that use the English ones."""
    return frozenset(template_lists()) | {"en", "simple"}


@cache
def aliases(language: str) -> tuple[dict[str, str], dict[str, str]]:
    """Local template names → the name they are registered under, from `data/templates.toml`: the wiki's own, and others'.

    Templates travel between wikis with translated articles, so those of other wikis count too; but not short names,
    which mean something else everywhere.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for section, names in template_aliases().items():
        for name, local in names.items():
            for alias in local:
                if section in (language, "all"):
                    own.setdefault(normalise(alias), normalise(name))
                elif len(alias) > _SHORT_ALIAS:
                    found.setdefault(normalise(alias), normalise(name))
    return own, found
