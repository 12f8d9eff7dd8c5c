"""Renderers of templates by name, and what a renderer sees of a template.

A template of a page is no text: what `{{convert|1300|mi|km}}` says stands in a module of the wiki, which a dump part
does
not hold. So the templates that stand inside sentences are rendered by name, each by a small function.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raywiki.wikitext.page import Page

Renderer = Callable[["Template"], "str | None"]

_RENDERERS: dict[tuple[str, str], Renderer] = {}  # (language or "", name) → renderer
_FAMILIES: dict[tuple[str, str], Renderer] = {}  # the same for names given with a `*` at the end
_changes = 0  # grows with every registration, so that what was looked up before is looked up again

PIPE = "\x04"  # a `|` that separates no arguments: one inside `[[…]]`, or `{{!}}`
_SHORT_NAME = 4
_COUNTRY_CODE = re.compile(r"[A-Z]{3}|UK|EU|USSR")
_LINK = re.compile(r"\[\[[^\[\]]*+\]\]|-\{[^{}]*+\}-")


class Template:
    """One use of a template: `{{name|first|second|key=value}}`, its arguments expanded already.

    Attributes:
        name: as written, without white space around it.
        page: the page it stands on.
    """

    __slots__ = ("_args", "_raw", "name", "page")

    def __init__(self, name: str, raw: str | None, page: Page) -> None:
        self.name = name
        self.page = page
        self._raw = raw
        self._args: dict[str, str] | None = None

    @property
    def args(self) -> dict[str, str]:
        """Arguments by name; the unnamed are "1", "2", … White space around them is removed."""
        if self._args is None:
            self._args = {} if self._raw is None else parse_arguments(self._raw)
        return self._args

    @property
    def language(self) -> str:
        """Language code of the wiki."""
        return self.page.site.language

    def __getitem__(self, key: int | str) -> str:
        """The argument of this name or position; "" when it is missing or empty."""
        return self.args.get(str(key), "")

    def first(self, *keys: int | str) -> str:
        """The first of these arguments that is not empty, or ""."""
        for key in keys:
            value = self.args.get(str(key))
            if value:
                return value
        return ""

    def positional(self) -> list[str]:
        """Unnamed (or numbered) arguments from 1 up to the first that is missing."""
        values: list[str] = []
        while (value := self.args.get(str(len(values) + 1))) is not None:
            values.append(value)
        return values


def parse_arguments(raw: str) -> dict[str, str]:
    if "[[" in raw or "-{" in raw:
        raw = _LINK.sub(lambda match: match[0].replace("|", PIPE), raw)
    args: dict[str, str] = {}
    position = 0
    for piece in raw.split("|"):
        key, equals, value = piece.partition("=")
        if equals:
            args[key.strip()] = value.strip()
        else:
            position += 1
            args[str(position)] = piece.strip()
    return args


def template(*names: str, language: str | None = None) -> Callable[[Renderer], Renderer]:
    """Register a function that renders the templates of these names, in all wikis or in those of one language.

    The function gets a `Template` and returns wikitext (the page's clean-up goes on with it), "" when the template
    shows nothing, or None when it has no value to show: then it is counted among the dropped. Case and underscores of
    a name do not matter; a name that ends in `*` stands for all names that begin so. What is registered last wins.
    A cluster's workers need the registration too: put it in a module that they import.

    Raises:
        ValueError: no name is given.

    >>> from raywiki.wikitext import clean_wikitext
    >>> @template("chess move")
    ... def chess_move(t):
    ...     return f"{t[1]}–{t[2]}"
    >>> clean_wikitext("White played {{chess move|e2|e4}}.").text
    'White played e2–e4.'
    """
    if not names:
        raise ValueError("template() needs at least one template name, as in @template('convert', 'cvt')")

    def register(render: Renderer) -> Renderer:
        global _changes
        for name in names:
            is_family = name.endswith("*") and len(name) > 1
            table = _FAMILIES if is_family else _RENDERERS
            key = language or "", normalise(name[:-1] if is_family else name)
            known = table.get(key, render)
            assert known is render or not (_is_builtin(known) and _is_builtin(render)), f"{name} is rendered twice"
            table[key] = render
        _changes += 1
        return render

    return register


def english_template(*names: str) -> Callable[[Renderer], Renderer]:
    """`template` for names of the English Wikipedia: long ones count in all wikis, short ones where they mean the same.

    `{{by}}` is a year in English and a country or a language elsewhere; Vietnamese took over the English templates.
    """

    def register(render: Renderer) -> Renderer:
        for name in names:
            for language in (None,) if len(name) > _SHORT_NAME else ("en", "simple", "vi"):
                template(name, language=language)(render)
        return render

    return register


def normalise(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


class Renderers(dict[str, "Renderer | None"]):
    """Renderers of one wiki by a template's name as written: what was found once is found by one look into a dict."""

    def __init__(self, language: str) -> None:
        _load_builtin()
        self.language = language
        self.changes = _changes
        self.aliases = aliases(language)

    def __missing__(self, written: str) -> Renderer | None:
        if len(self) > 100_000 or self.changes != _changes:
            self.clear()
            self.changes = _changes
        name = normalise(written)
        found = self.find(name)
        code = written.strip()
        if _COUNTRY_CODE.fullmatch(code) and (found is None or (_is_country(code) and _is_builtin(found))):
            found = self.find("country code")  # in capitals: {{AUT}} is Austria, {{aut|…}} an author's name
        self[written] = found
        return found

    def is_current(self) -> bool:
        return self.changes == _changes

    def find(self, name: str) -> Renderer | None:
        own, foreign = self.aliases
        found = (
            _RENDERERS.get((self.language, name))
            or _RENDERERS.get(("", own.get(name, "")))
            or _RENDERERS.get(("", name))
            or _RENDERERS.get(("", foreign.get(name, "")))
        )
        if found is not None:
            return found
        for (language, prefix), render in _FAMILIES.items():
            if name.startswith(prefix) and language in ("", self.language):
                return render
        return None


def _is_country(code: str) -> bool:
    from raywiki.wikitext.sites import table

    return code in table("countries")


def _is_builtin(render: Renderer) -> bool:
    return render.__module__.startswith("raywiki.wikitext.templates.")


@cache
def aliases(language: str) -> tuple[dict[str, str], dict[str, str]]:
    """Local template names → the name they are registered under, from `data/aliases.txt`: the wiki's own, and others'.

    Templates travel between wikis with translated articles, so those of other wikis count too; but not short names,
    which mean something else everywhere.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    section = ""
    for line in (Path(__file__).parent / "data" / "aliases.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif ":" in line and not line.startswith("#"):
            name, _, local = line.partition(":")
            for alias in local.split(","):
                if section == language:
                    own.setdefault(normalise(alias), normalise(name))
                elif len(alias.strip()) > _SHORT_NAME:
                    found.setdefault(normalise(alias), normalise(name))
    return own, found


@cache
def _load_builtin() -> None:
    from raywiki.wikitext import templates

    before = (dict(_RENDERERS), dict(_FAMILIES))
    for module in sorted(module.name for module in pkgutil.iter_modules(templates.__path__)):
        importlib.import_module(f"{templates.__name__}.{module}")
    _RENDERERS.update(before[0])  # a user's own renderers win, although they came first
    _FAMILIES.update(before[1])
