"""A template's page → a program: literal text, parameters and calls, as MediaWiki's preprocessor reads them.

Its grammar (`Preprocessor_Hash`): of a run of braces three close a parameter and two a template; a bar separates arguments
only directly inside braces, not inside `[[…]]`; what is never closed is text. One walk with a stack, linear in the length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Union

from raywiki.wikitext.boxes import starts_a_box
from raywiki.wikitext.page import PIPE, Page
from raywiki.wikitext.protect import protect
from raywiki.wikitext.sites import site

MAX_LENGTH = 2_097_152  # bytes of a page in MediaWiki ($wgMaxArticleSize); here characters
MAX_NESTING = 100  # MediaWiki's $wgMaxPPExpandDepth

_TOKEN = re.compile(r"\{\{+|\}\}+|\[\[|\]\]|\||=|\x02\d+\x03")
_ONLY = re.compile(r"<onlyinclude\s*>", re.IGNORECASE)
_ONLY_END = re.compile(r"</onlyinclude\s*>", re.IGNORECASE)
_NOINCLUDE = re.compile(
    r"<noinclude(?:\s[^<>]*)?/>|<noinclude(?:\s[^<>]*)?>(?:.*?</noinclude\s*>|.*)", re.IGNORECASE | re.DOTALL
)
_INCLUSION_TAG = re.compile(r"</?(?:includeonly|onlyinclude|noinclude)(?:\s[^<>]*)?>", re.IGNORECASE)
# By the extension Disambiguator's word, the English message box for it, or the id that Wikipedia's styles know it by.
_DISAMBIGUATES = re.compile(r"__DISAMBIG__|\{\{\s*dmbox\b|\bid\s*=\s*[\"']?disambig", re.IGNORECASE)

Node = Union[str, "Param", "Call", "Kept"]
Nodes = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """`{{{name|default}}}`; a default of None: there is none."""

    name: Nodes
    default: Nodes | None


@dataclass(frozen=True, slots=True)
class Arg:
    """`|name=value`, or `|value` with a name of None; `whole` is what stands between the bars."""

    name: Nodes | None
    value: Nodes
    whole: Nodes


@dataclass(slots=True)
class Call:
    """`{{title|args}}`: a template, a parser function or a variable, which only running it tells."""

    title: Nodes
    args: tuple[Arg, ...]
    cases: dict[str | float | None, int] | None = None  # of a `#switch` whose cases are all literal: which argument answers


@dataclass(frozen=True, slots=True)
class Kept:
    """What no pass may touch: the content of `<nowiki>`, `<math>` …"""

    text: str


@dataclass(frozen=True)
class Program:
    """A definition, ready to run.

    Attributes:
        name: of the template, redirects followed.
        n_chars: length of its source.
        is_box: its first characters say so already.
        disambiguates: it marks a page that only tells what a name may mean.
    """

    name: str
    nodes: Nodes
    n_chars: int
    disambiguates: bool = False
    is_box: bool = False


def parse_definition(source: str, name: str = "") -> Program:
    """The program of a template's page.

    Raises:
        ValueError: the page is longer than MediaWiki allows, or nested deeper.

    >>> parse_definition("<includeonly>a{{{1|b}}}</includeonly><noinclude>{{doc}}</noinclude>").nodes
    ('a', Param(name=('1',), default=('b',)))
    """
    if len(source) > MAX_LENGTH:
        raise ValueError(f"a template of {len(source):,} characters is longer than MediaWiki allows")
    page = Page(site())
    text = protect(transcluded(source), page)
    nodes = _parse(text, page.kept)
    is_box = bool(nodes) and isinstance(nodes[0], str) and starts_a_box(nodes[0])
    return Program(name, nodes, len(source), _DISAMBIGUATES.search(text) is not None, is_box)


def transcluded(source: str) -> str:
    """What of a template's page other pages see: without `<noinclude>`, or only what is in `<onlyinclude>`.

    >>> transcluded("a<noinclude>b</noinclude><includeonly>c</includeonly>"), transcluded("a<onlyinclude>b</onlyinclude>")
    ('ac', 'b')
    """
    if "<" not in source:
        return source
    pieces = [_ONLY_END.split(piece, maxsplit=1) for piece in _ONLY.split(source)[1:]]
    if any(len(piece) > 1 for piece in pieces):
        source = "".join(piece[0] for piece in pieces if len(piece) > 1)
    return _INCLUSION_TAG.sub("", _NOINCLUDE.sub("", source))


@dataclass(slots=True)
class _Open:
    """Braces or brackets that wait for their closing; `parts` are what stands between bars, `equals` where each has its `=`."""

    mark: str
    count: int
    parts: list[list[Node]] = field(default_factory=lambda: [[]])
    equals: list[int | None] = field(default_factory=lambda: [None])

    def add(self, node: Node) -> None:
        self.parts[-1].append(node)


def _parse(text: str, kept: list[str]) -> Nodes:
    """Nodes of a text; `kept` are what its tokens stand for."""
    stack = [_Open("", 0)]
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() > position:
            stack[-1].add(text[position : match.start()])
        position = match.end()
        token, top = match[0], stack[-1]
        if token[0] == "{":
            _open("{", len(token), stack)
        elif token == "[[":
            _open("[", 2, stack)
        elif token[0] == "}":
            _close_braces(len(token), stack)
        elif token == "]]" and top.mark == "[":
            stack.pop()
            _append(stack[-1], ["[[", *top.parts[0], "]]"])
        elif token == "|" and top.mark == "{":
            top.parts.append([])
            top.equals.append(None)
        elif token == "=" and top.mark == "{" and len(top.parts) > 1 and top.equals[-1] is None:
            top.equals[-1] = len(top.parts[-1])
            top.add("=")
        elif token[0] == "\x02":
            top.add(Kept(kept[int(token[1:-1])]))
        else:
            top.add(PIPE if token == "|" else token)
    stack[-1].add(text[position:])
    while len(stack) > 1:
        _append(stack[-2], _as_text(stack.pop()))
    return _joined(stack[0].parts[0])


def _open(mark: str, count: int, stack: list[_Open]) -> None:
    stack.append(_Open(mark, count))
    if len(stack) > MAX_NESTING or sum(opened.count for opened in stack) > 2 * MAX_NESTING:
        raise ValueError(f"a template is nested deeper than {MAX_NESTING} levels")


def _close_braces(count: int, stack: list[_Open]) -> None:
    """`count` closing braces: parameters and templates of the braces that stand open, the rest is text."""
    while count >= 2 and stack[-1].mark == "{":
        opened = stack.pop()
        matching = min(opened.count, count, 3)
        node = _param(opened) if matching == 3 else _call(opened)
        count -= matching
        left = opened.count - matching
        if left >= 2:
            stack.append(_Open("{", left))
        elif left:
            stack[-1].add("{")
        stack[-1].add(node)
    if count:
        stack[-1].add("}" * count)


def _append(opened: _Open, nodes: list[Node]) -> None:
    opened.parts[-1] += nodes


def _as_text(opened: _Open) -> list[Node]:
    nodes: list[Node] = [opened.mark * opened.count]
    for i, part in enumerate(opened.parts):
        nodes += [PIPE, *part] if i else part
    return nodes


def _param(opened: _Open) -> Param:
    name, *default = opened.parts
    return Param(_stripped(_joined(name)), _joined(default[0]) if default else None)


def _call(opened: _Open) -> Call:
    args = tuple(_arg(part, equals) for part, equals in zip(opened.parts[1:], opened.equals[1:], strict=True))
    return Call(_stripped(_joined(opened.parts[0])), args)


def _arg(part: list[Node], equals: int | None) -> Arg:
    if equals is None:
        value = _joined(part)
        return Arg(None, value, value)
    return Arg(_stripped(_joined(part[:equals])), _stripped(_joined(part[equals + 1 :])), _joined(part))


def _joined(nodes: list[Node]) -> Nodes:
    """Literal texts that stand side by side as one, none of them empty."""
    joined: list[Node] = []
    texts: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            texts.append(node)
            continue
        if text := "".join(texts):
            joined.append(text)
        texts.clear()
        joined.append(node)
    if text := "".join(texts):
        joined.append(text)
    return tuple(joined)


def _stripped(nodes: Nodes) -> Nodes:
    """Without white space at the ends, where that is literal."""
    if nodes and isinstance(nodes[0], str):
        nodes = (nodes[0].lstrip(), *nodes[1:])
    if nodes and isinstance(nodes[-1], str):
        nodes = (*nodes[:-1], nodes[-1].rstrip())
    return tuple(node for node in nodes if node != "")
