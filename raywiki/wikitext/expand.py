"""Templates, innermost first: a regular expression finds those that hold no other, until none is left."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from raywiki.wikitext.functions import call
from raywiki.wikitext.guess import guess
from raywiki.wikitext.lookup import renderers
from raywiki.wikitext.page import PIPE, Page, Template, holds
from raywiki.wikitext.tags import NOTHING
from raywiki.wikitext.tidy import GONE, fills_line, trace
from raywiki.wikitext.transclude import transclude

# Single braces may stand inside; the possessive quantifiers keep a search that fails from trying again.
_INNERMOST = re.compile(r"\{\{([^{}]*+(?:(?:\{(?!\{)|\}(?!\}))[^{}]*+)*+)\}\}")
_PARAMETER = re.compile(r"\{\{\{([^{}]*+)\}\}\}")
# A brace and `{{!}}`. What stands before is looked at last: a search for fixed characters is ten times as quick.
_TABLE_START = re.compile(r"\{\{\{!\}\}(?<!\{\{\{\{!\}\})(?!\})")
_TABLE_END = re.compile(r"\{\{!\}\}\}(?<!\{\{\{!\}\}\})(?!\}(?!\}))")
_BRACES = "\x0e\x0f"  # single ones, that close or open no template
_SET = re.compile(r"\}, |, \{")  # no page is called so: `{{}, {1}}` is a set of sets
_UNCLOSED_BLOCK = re.compile(r"^[ \t:*]*\{\{[^\n]*+(?:\n[ \t]*+(?:\||\}\})[^\n]*+)*+", re.MULTILINE)
_UNCLOSED = re.compile(r"\{\{+(?:[^{}|\n]{0,60}\|(?:[^{}|\n]{0,20}\|)*+)?|\}\}+")

_SENTENCE = re.compile(r"(?<=[.!?。]) +(?=[^\Wa-z])")
_MARKS = re.compile(r"\x02\d*\x03?|[\x00-\x1f]")

MAX_DEPTH = 40  # MediaWiki stops at 100; nobody nests so deep, and each level costs one scan
MAX_GROWTH = 5_000_000  # characters that templates may add to a page: no bomb of templates in templates


def expand(text: str, page: Page) -> str:
    """`text` with its templates rendered or, when nothing is known about them, counted in `page.dropped` and left out."""
    has_tables = False
    if "{{{" in text:
        has_tables = "{{{!}}" in text
        if has_tables:
            text = _TABLE_START.sub(_BRACES[0] + PIPE, text)
            text = _TABLE_END.sub(PIPE + _BRACES[1], text)
        text = _PARAMETER.sub(_default, text)
    known = renderers(page.site.language)
    dropped = page.dropped

    def render(match: re.Match[str]) -> str:
        head, bar, rest = match[1].partition("|")
        understood = False
        try:
            if ":" in head:
                value, understood = _function(head, rest, bar, page)
            elif page.templates is None:
                renderer = known[head]
                value = renderer(Template(head.strip(), rest if bar else None, page)) if renderer else None
            else:
                value, understood = _template(head, rest, bar, page)
        except Exception:  # whatever it is: one template must not cost a page
            _count(page.failed, head, match, page)
            value = None
        if value:
            return value
        text, (start, end) = match.string, match.span()
        alone = fills_line(text, start, end)
        if value is None:
            guessed = guess(rest, text, start, end) if bar and not understood and not alone else None
            if guessed is not None:
                _count(page.guessed, head, match, page)
                return guessed
            if not bar and _SET.search(head):
                return page.keep(match[0])
            _count(dropped, head, match, page)
        return "" if alone else trace(text, start, end)

    limit = len(text) + MAX_GROWTH
    for _ in range(MAX_DEPTH):
        text, found = _INNERMOST.subn(render, text)
        if not found or len(text) > limit or not holds(text, "{{"):
            break
    if holds(text, "{{") or holds(text, "}}"):
        text = _UNCLOSED_BLOCK.sub("", text)
        for _ in range(4):  # what goes may bring two single braces together
            text, found = _UNCLOSED.subn("", text)
            if not found:
                break
    if has_tables:
        text = text.replace(_BRACES[0], "{").replace(_BRACES[1], "}")
    return text.replace("\x05", "=")


def _count(counter: Counter[str], head: str, match: re.Match[str], page: Page) -> None:
    """Count a template of which not all is in the text, and note where it stood if it is the first of its name."""
    name = dropped_name(head)
    counter[name] += 1
    if page.examples is not None and name not in page.examples:
        page.examples[name] = {"article": page.title, "sentence": sentence_around(match)}


def _function(head: str, rest: str, bar: str, page: Page) -> tuple[str | None, bool]:
    """A magic word or parser function (`#if: …`), or a template whose name holds a colon."""
    name, _, argument = head.partition(":")
    name = name.strip().lower()
    if name in page.site.template_names or name in ("subst", "safesubst", "msg"):
        return _template(argument, rest, bar, page)
    known, value = call(name, argument, rest if bar else None, page)
    return (value, True) if known else _template(head, rest, bar, page)


def _template(head: str, rest: str, bar: str, page: Page) -> tuple[str | None, bool]:
    """What a template shows, and whether what it shows is known: its renderer's value, else its definition's on the wiki.

    A renderer for this wiki knows best. One for all wikis is asked when the wiki's own definition has no answer.
    """
    name, arguments = head.strip(), rest if bar else None
    known = renderers(page.site.language)
    renderer = known[head]
    if page.templates is None:
        return renderer(Template(name, arguments, page)) if renderer else None, False
    if renderer and known.prefers(head):
        value = renderer(Template(name, arguments, page))
        return (value, False) if value is not None else transclude(name, arguments, page)
    value, is_known = transclude(name, arguments, page)
    if renderer and value is None:
        shown = renderer(Template(name, arguments, page))
        value = shown if shown == "" or not is_known else None  # what shows nothing is not counted as a box
    return value, is_known


@lru_cache(maxsize=10_000)
def dropped_name(head: str) -> str:
    """The name under which a dropped template is counted, of what stands before its first bar."""
    if ":" in head:
        head = head.partition(":")[0] + ":" if head.lstrip().startswith("#") else head
    return " ".join(head.replace(NOTHING, "").replace(GONE, "").replace("_", " ").split())[:100]


def sentence_around(match: re.Match[str]) -> str:
    """A template call on one line, with what stands before and behind it in the same sentence: 160 characters at most.

    >>> text = "One. Ares was{{cn|date=May 2015}} in Greece. Two."
    >>> sentence_around(_INNERMOST.search(text))
    'Ares was{{cn|date=May 2015}} in Greece.'
    """
    text, start, end = match.string, match.start(), match.end()
    before = text[max(start - 80, 0) : start].rpartition("\n")[2]
    behind = text[end : end + 80].partition("\n")[0]
    before, behind = _SENTENCE.split(before)[-1], _SENTENCE.split(behind)[0]
    before = before if len(before) <= 50 else "…" + before[-49:]
    call = " ".join(text[start:end].split())
    call = call if len(call) <= 60 else call[:57] + "…}}"
    behind = behind if len(behind) <= 50 else behind[:49] + "…"
    return _MARKS.sub("", before.lstrip("|*:;# ") + call + behind).strip()


def _default(match: re.Match[str]) -> str:
    """`{{{1|default}}}`: outside a template a parameter has no value but its default."""
    return match[1].partition("|")[2]
