"""What the passes over one page share, what they give, and what a renderer sees of a template."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.sites import Site, words
from raywiki.wikitext.tidy import GONE, mend

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # what the passes use as marks; XML 1.0 allows none of them
PIPE = "\x04"  # a `|` that separates no arguments: one inside `[[…]]`, or `{{!}}`
_LINK = re.compile(r"\[\[[^\[\]]*+\]\]|-\{[^{}]*+\}-")


def holds(text: str, mark: str) -> bool:
    """`mark in text`, where its first character is rare: one character is found ten times as fast as two."""
    return mark[0] in text and mark in text


@dataclass
class Page:
    """The state of one page while it is cleaned."""

    site: Site
    title: str = ""
    timestamp: datetime | None = None
    tables: str | None = None
    captions: bool = False
    categories: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)
    templates: Any = None  # `Definitions`, which are made of what stands here, or None
    disambiguates: bool = False  # as a template's definition says
    steps: int = 0  # that definitions have run
    grown: int = 0  # characters that they have made
    depth: int = 0  # levels of nodes in nodes that they are in
    examples: dict[str, dict[str, str]] | None = None  # where each dropped template stood first, over many pages
    kept: list[str] = field(default_factory=list)  # texts that no later pass may touch

    def keep(self, text: str) -> str:
        """A token that stands for `text` until all passes are done."""
        self.kept.append(text)
        return f"\x02{len(self.kept) - 1}\x03"

    @property
    def now(self) -> datetime:
        """The time that `{{CURRENTYEAR}}` and the like mean: when the page was last edited, else today."""
        return self.timestamp or datetime.now(UTC)


@dataclass(frozen=True)
class CleanText:
    """What a page says, and what was left out of it.

    Attributes:
        text: paragraphs, headings and lists, with one blank line between them.
        categories: names of the page's categories, without the namespace, in order.
        dropped_templates: templates that left nothing in the text, by name, with how often; most often first.
        failed_templates: those whose renderer, definition or parser function raised an error, by name, with how often.
        guessed_templates: those about which nothing is known, whose one argument reads like prose and is in the text.
        is_disambiguation: the page only tells which pages a name may mean.
        error: why the page could not be cleaned; `text` is then what mwparserfromhell makes of it or, where even that is
            not possible, the source without the marks of its markup. None: all well.
    """

    text: str
    categories: list[str] = field(default_factory=list)
    dropped_templates: dict[str, int] = field(default_factory=dict)
    is_disambiguation: bool = False
    error: str | None = None
    failed_templates: dict[str, int] = field(default_factory=dict)
    guessed_templates: dict[str, int] = field(default_factory=dict)


def cleaned(text: str, wikitext: str, page: Page, error: str | None = None) -> CleanText:
    """The text with what was found on the page."""
    dropped, failed, guessed = (dict(counts.most_common()) for counts in (page.dropped, page.failed, page.guessed))
    is_disambiguation = page.disambiguates or any(map(_marks_disambiguation, dropped)) or "__DISAMBIG__" in wikitext
    return CleanText(text, page.categories, dropped, is_disambiguation, error, failed, guessed)


@lru_cache(maxsize=10_000)
def _marks_disambiguation(template: str) -> bool:
    return normalise(template) in words("disambiguation")


class Template:
    """One use of a template: `{{name|first|second|key=value}}`, its arguments expanded already.

    Attributes:
        name: as written, without white space around it.
        page: the page it stands on.
    """

    __slots__ = ("_args", "_raw", "name", "page")

    def __init__(self, name: str, raw: str | None, page: Page, args: dict[str, str] | None = None) -> None:
        self.name = name
        self.page = page
        self._raw = raw
        self._args = args

    @property
    def key(self) -> str:
        """The name as names are compared: in lower case, without underscores."""
        return normalise(self.name)

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
        args = self.args
        for key in keys:
            value = args.get(str(key))
            if value:
                return value
        return ""

    def positional(self) -> list[str]:
        """Unnamed (or numbered) arguments from 1 up to the first that is missing."""
        values: list[str] = []
        args = self.args
        while (value := args.get(str(len(values) + 1))) is not None:
            values.append(value)
        return values


def parse_arguments(raw: str, *, strip: bool = True) -> dict[str, str]:
    """Arguments by name, the unnamed by position; a bar inside a link separates none.

    `strip`: remove white space around unnamed arguments too, which MediaWiki keeps.

    >>> parse_arguments("a| b = c |[[d|e]]")["b"]
    'c'
    """
    if GONE in raw:
        raw = mend(raw)
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
            args[str(position)] = piece.strip() if strip else piece
    return args
