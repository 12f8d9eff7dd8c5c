"""Registration of renderers: which function says what a template of this name shows.

A template of a page is no text: what `{{convert|1300|mi|km}}` says stands in a module of the wiki, which a dump part does
not hold. So the templates that stand inside sentences are rendered by name, each by a small function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.page import Template

Renderer = Callable[[Template], "str | None"]

_RENDERERS: dict[tuple[str, str], Renderer] = {}  # (language or "", name) → renderer
_FAMILIES: dict[tuple[str, str], Renderer] = {}  # the same for names given with a `*` at the end or the beginning, `*` kept
_changes = 0  # grows with every registration, so that what was looked up before is looked up again

_SHORT_NAME = 4
ANY_WIKI = "*"  # where a wiki's own names stand for the others: templates travel with articles that are translated


def template(*names: str, language: str | None = None) -> Callable[[Renderer], Renderer]:
    """Register a function that renders the templates of these names, in all wikis or in those of one language.

    The function gets a `Template` and returns wikitext (the page's clean-up goes on with it), "" when the template
    shows nothing, or None when it has no value to show: then it is counted among the dropped. Case and underscores of
    a name do not matter; a name that ends in `*` stands for all names that begin so, one that begins with `*` for all that
    end so. What is registered last wins.
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
            is_family = len(name) > 1 and (name[0] == "*") != (name[-1] == "*")
            key = language or "", _family(name) if is_family else normalise(name)
            _set(_FAMILIES if is_family else _RENDERERS, key, render)
        _changes += 1
        return render

    return register


def _family(name: str) -> str:
    """A family's name as names are compared; a blank at its open end counts.

    >>> _family("IPA-*"), _family("* icon"), _family("Calcio *")
    ('ipa-*', '* icon', 'calcio *')
    """
    return name.replace("_", " ").lower()


def _set(table: dict[tuple[str, str], Renderer], key: tuple[str, str], render: Renderer) -> None:
    """Put `render` into a table; a user's own renderer stays, although the built-in one may be loaded after it."""
    known = table.get(key, render)
    if known is not render and is_builtin(render):
        assert not is_builtin(known), f"{key} is rendered twice"
        return
    table[key] = render


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


def travelling_template(names: Iterable[str], render: Renderer) -> None:
    """Let other wikis know these names of one wiki too, unless they have them; not short ones, which differ everywhere."""
    for name in names:
        if len(name) > _SHORT_NAME and "*" not in name:
            _RENDERERS.setdefault((ANY_WIKI, name), render)


def changes() -> int:
    """A number that grows with every registration."""
    return _changes


def registered(name: str, language: str = "") -> Renderer | None:
    """The renderer of exactly this name, as `normalise` gives it, in one language or, with "", in all; see `ANY_WIKI`."""
    return _RENDERERS.get((language, name))


def of_family(name: str, language: str) -> Renderer | None:
    """The renderer of the family that this name belongs to: of several the one with the longest common part."""
    best, found = 0, None
    for (where, family), render in _FAMILIES.items():
        common = family.strip("*")
        belongs = name.startswith(common) if family[-1] == "*" else name.endswith(common)
        if belongs and where in ("", language) and len(common) > best:
            best, found = len(common), render
    return found


def is_builtin(render: Renderer) -> bool:
    return render.__module__.startswith("raywiki.wikitext.templates.")
