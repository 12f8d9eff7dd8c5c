"""Templates that need no Python: `data/templates.toml` says by kind what they show.

A section is a wiki, `[all]` those that count in every wiki. Kinds that are lists of names:

    first     the first argument
    last      the last of the unnamed arguments: a language, colour or font stands before it
    joined    the unnamed arguments in their order, with blanks between
    passage   text that somebody doubts: the first argument, but not a date or a remark about the doubt
    nothing   an anchor, a picture, a note, a reference

`shows` is a table, name → pattern. `{1}` is an argument, `{1|text}` the first of several that is not empty, `{1=x}` an
argument or else x, `{1^}` an argument in capitals, `{*}` the unnamed ones with blanks between, `{@}` the template's name as
written. What stands in `[…]` shows only when the arguments in it do; a template without an argument that stands outside has
no value and is counted as dropped. `alias` is a table too: the name of a renderer → what this wiki calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from raywiki.wikitext.bundled import TemplateList, normalise, template_lists
from raywiki.wikitext.calendar import month_number
from raywiki.wikitext.cldr import language_codes
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import Renderer, english_template, template, travelling_template

_FIELD = re.compile(r"\{([^{}=^]+)(\^?)(?:=([^{}]*))?\}")
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_WORD = re.compile(r"[^\W\d_]+")
_OF_DATES = {"年", "月", "日", "년", "월", "일", "de", "of", "г", "року"}
_TEXT = (1, "text", "texte", "texto", "testo", "Text", "tekst", "текст", "content", "متن", "نص")


_OF_LANGUAGE = frozenset(
    ("lang", "lang2", "langi", "langue", "dil", "taal", "språk", "idioma", "língua", "язык", "język", "jazyk", "שפה", "언어")
)


def first(t: Template) -> str | None:
    return t.first(1, "text", "content", 2) or (None if t.args else "")


def last(t: Template) -> str | None:
    """The text behind a language, colour or script; it is the last of the unnamed arguments that holds something."""
    if t["text"] or t["content"]:
        return t.first("text", "content")
    filled = [value for value in t.positional()[:4] if value]
    if len(filled) == 1 and t.key in _OF_LANGUAGE and filled[0] in language_codes():
        return ""  # {{lang|fr}}: a mark behind a link, or a call that somebody left half-written
    return filled[-1] if filled else None


def joined(t: Template) -> str | None:
    return " ".join(filter(None, t.positional())) or None


def passage(t: Template) -> str:
    """`{{fakt|wielkim miastem|data=2010-05}}` → wielkim miastem; `{{fakt|maj 2010}}` shows only a mark."""
    text = t.first(*_TEXT)
    if re.fullmatch(r"\d{8,14}", text):  # {{Fakt/dne|20100501120000|text}}: the moment of the doubt, then the passage
        text = t[2]
    is_date = re.search(r"\d", text) and all(word in _OF_DATES or month_number(word) for word in _WORD.findall(text))
    return "" if is_date else text


def nothing(t: Template) -> str:
    return ""


def shows(pattern: str) -> Renderer:
    """The renderer of a pattern.

    >>> from raywiki.wikitext.page import Page
    >>> from raywiki.wikitext.sites import site
    >>> def shown(pattern, arguments):
    ...     return shows(pattern)(Template("x", arguments, Page(site("en"))))
    >>> shown("§ {1}[ {2}]", "5|"), shown("§ {1}[ {2}]", "5|BGB"), shown("§ {1}[ {2}]", ""), shown("{1^}", "xx")
    ('§ 5', '§ 5 BGB', None, 'XX')
    """
    if not _FIELD.search(pattern):
        return lambda t: pattern
    pieces = _GROUP.split(pattern)  # outside, inside, outside, …

    def render(t: Template) -> str | None:
        shown = ""
        for i, piece in enumerate(pieces):
            filled = _fill(piece, t)
            if filled is None and i % 2 == 0:
                return None
            shown += filled or ""
        return shown

    return render


def _fill(piece: str, t: Template) -> str | None:
    """A piece with its arguments; None: one of them is missing."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        keys, capitals, default = match.groups()
        if keys == "*":
            text = joined(t) or ""
        else:
            text = t.name.strip() if keys == "@" else t.first(*keys.split("|"))
        text = text or default or ""
        missing = missing or (not text and default is None)
        return text.upper() if capitals else text

    filled = _FIELD.sub(value, piece)
    return None if missing else filled


_KINDS: dict[str, Callable[[Template], str | None]] = {
    "first": first, "last": last, "joined": joined, "passage": passage, "nothing": nothing,
}  # fmt: skip


def register(lists: dict[str, TemplateList]) -> None:
    """Register what the lists say, once all of them are checked.

    Raises:
        ValueError: a name stands twice in one section, is not written as names are compared, or its kind is unknown.
    """
    for wiki, section in lists.items():
        _check(wiki, section)
    for wiki, section in lists.items():
        put = english_template if wiki == "english" else partial(template, language=None if wiki == "all" else wiki)
        for kind, names in section.items():
            renderers = {name: shows(pattern) for name, pattern in names.items()} if kind == "shows" else {}
            if kind in _KINDS:
                renderers = dict.fromkeys(names, _KINDS[kind])
            for name, render in renderers.items():
                put(name)(render)
                if wiki not in ("all", "english") and kind != "nothing":
                    travelling_template([name], render)


def _check(wiki: str, section: TemplateList) -> None:
    seen: dict[str, str] = {}
    for kind, names in section.items():
        if kind not in (*_KINDS, "shows", "alias"):
            raise ValueError(f"templates.toml, [{wiki}]: {kind!r} is no kind; there are {', '.join(_KINDS)}, shows and alias")
        for name in [alias for local in names.values() for alias in local] if kind == "alias" else names:
            if name != normalise(name):
                raise ValueError(f"templates.toml, [{wiki}] {kind}: write {name!r} as {normalise(name)!r}")
            if name in seen:
                raise ValueError(f"templates.toml, [{wiki}]: {name!r} stands in {seen[name]} and in {kind}; keep one")
            seen[name] = kind


register(template_lists())
