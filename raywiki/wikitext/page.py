"""What the passes over one page share: where it stands, what was asked for, and what has been found so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from raywiki.wikitext.sites import Site


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
