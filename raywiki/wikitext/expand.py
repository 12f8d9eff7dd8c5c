"""Templates, innermost first: a regular expression finds those that hold no other, until none is left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from raywiki.wikitext.functions import call
from raywiki.wikitext.registry import Template

if TYPE_CHECKING:
    from raywiki.wikitext.page import Page

# Single braces may stand inside; the possessive quantifiers keep a search that fails from trying again.
_INNERMOST = re.compile(r"\{\{([^{}]*+(?:(?:\{(?!\{)|\}(?!\}))[^{}]*+)*+)\}\}")
_PARAMETER = re.compile(r"\{\{\{([^{}]*+)\}\}\}")
_UNCLOSED_BLOCK = re.compile(r"^[ \t:*]*\{\{[^\n]*+(?:\n[ \t]*+(?:\||\}\})[^\n]*+)*+", re.MULTILINE)
_UNCLOSED = re.compile(r"\{\{+(?:[^{}|\n]{0,60}\|)?|\}\}+")

MAX_DEPTH = 40  # MediaWiki stops at 100; nobody nests so deep, and each level costs one scan
MAX_GROWTH = 5_000_000  # characters that templates may add to a page: no bomb of templates in templates


def expand(text: str, page: Page) -> str:
    """`text` with its templates rendered or, when nothing is known about them, counted in `page.dropped` and left out."""
    if "{{{" in text:
        text = _PARAMETER.sub(_default, text)
    renderers = page.site.renderers
    dropped = page.dropped

    def render(match: re.Match[str]) -> str:
        head, bar, rest = match[1].partition("|")
        if ":" in head:
            value = _function(head, rest, bar, page)
        else:
            renderer = renderers[head]
            value = renderer(Template(head.strip(), rest if bar else None, page)) if renderer else None
        if value is None:
            dropped[_dropped_name(head)] += 1
            return ""
        return value

    limit = len(text) + MAX_GROWTH
    for _ in range(MAX_DEPTH):
        text, found = _INNERMOST.subn(render, text)
        if not found or len(text) > limit:
            break
    if "{{" in text or "}}" in text:
        text = _UNCLOSED.sub("", _UNCLOSED_BLOCK.sub("", text))
    return text.replace("\x05", "=")


def _function(head: str, rest: str, bar: str, page: Page) -> str | None:
    """A magic word or parser function (`#if: …`), or a template whose name holds a colon."""
    name, _, argument = head.partition(":")
    name = name.strip().lower()
    if name in page.site.template_names or name in ("subst", "safesubst", "msg"):
        return _template(argument, rest, bar, page)
    known, value = call(name, argument, rest if bar else None, page)
    return value if known else _template(head, rest, bar, page)


def _template(head: str, rest: str, bar: str, page: Page) -> str | None:
    renderer = page.site.renderers[head]
    return renderer(Template(head.strip(), rest if bar else None, page)) if renderer else None


def _dropped_name(head: str) -> str:
    if ":" in head:
        head = head.partition(":")[0] + ":" if head.lstrip().startswith("#") else head
    return " ".join(head.replace("_", " ").split())[:100]


def _default(match: re.Match[str]) -> str:
    """`{{{1|default}}}`: outside a template a parameter has no value but its default."""
    return match[1].partition("|")[2]
