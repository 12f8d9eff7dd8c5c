"""What a verb returns: a small record of what it did that prints as one table."""

from __future__ import annotations

import html
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raywiki.corpus import Manifest, Tables
from raywiki.manifest import is_dump, wiki_of

WIDTH = 100  # columns of everything that is printed


@dataclass(frozen=True)
class Summary:
    """What one call of a verb did.

    `parts` has one dict for each part that the call looked at: `part`, `state` ("committed" or "unchanged"), and its
    counts. `warnings` are sentences about what is wrong or was repaired, `notes` about what is good to know.
    `str(summary)` is a table of at most 100 columns.
    """

    verb: str
    corpus: str
    parts: tuple[dict[str, Any], ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def committed(self) -> tuple[str, ...]:
        """Ids of the parts that this call committed."""
        return tuple(row["part"] for row in self.parts if row["state"] == "committed")

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "committed": list(self.committed)}

    def _repr_html_(self) -> str:
        return as_html(self)

    def __str__(self) -> str:
        did = f"{plural(len(self.committed), 'part')} committed" if self.committed else "nothing to do, all is committed"
        lines = [f"{self.verb} {self.corpus}: {did} ({self.seconds:.1f} s)"]
        lines += ["  " + line for line in table(self.parts)]
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", self.notes)])


def lost_parts(tables: Tables, table: str) -> dict[str, str]:
    """Parts whose files are gone or cut short, which their verb makes again; with a warning for each."""
    return {
        part: f"files of {manifest.folder} were gone or cut short: it was made again"
        for part, manifest in tables[table].items()
        if not tables.is_whole(manifest)
    }


def articles_warnings(manifest: Manifest) -> list[str]:
    """What went wrong when a dump part was extracted: damage, pages that could not be read …"""
    return [text for text in manifest.notes.get("warnings", []) if "does not match its SHA-1" not in text]  # once said there


def articles_notes(manifests: Collection[Manifest], every: Iterable[Manifest]) -> list[str]:
    """What is good to know of extracted dump parts, and of the corpus of which they and `every` other one are."""
    mismatches = {each.part: each.notes.get("sha1_mismatches", 0) for each in manifests}
    parts = [part for part, count in mismatches.items() if count]
    notes = _wikis(every)
    if parts:
        notes.append(
            f"the text of {plural(sum(mismatches.values()), 'page')} of {some_parts(parts)} differs from the SHA-1 that the "
            "dump gives for it, as is known of old dumps whose text was re-encoded after the SHA-1 was taken; it is kept "
            '(column sha1_ok). To leave it out: rw.scan_articles(…).filter(pl.col("sha1_ok"))'
        )
    return notes


def _wikis(articles: Iterable[Manifest]) -> list[str]:
    """That a corpus holds several wikis, if it does: one model learns from all of them, and one curation compares them."""
    counts = Counter(wiki_of(each) for each in articles if is_dump(each))
    if len(counts) < 2:
        return []
    listed = ", ".join(f"{wiki} ({plural(count, 'part')})" for wiki, count in sorted(counts.items()))
    return [f"this corpus holds parts of {len(counts)} wikis: {listed}; for a model of one of them make a corpus of its own"]


def sentences(kind: str, given: Iterable[str]) -> list[str]:
    """Sentences as lines below a table, each with its kind before it; what it quotes is never broken in two.

    >>> sentences("note", ["part p1 has no validation page"])
    ['  note: part p1 has no validation page']
    """
    layout: dict[str, Any] = dict(width=WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [line for text in given for line in textwrap.wrap(f"  {kind}: {text}", **layout)]


def some_parts(parts: Sequence[str], shown: int = 3) -> str:
    """The first few of these parts, and how many more there are.

    >>> some_parts(["p1"]), some_parts(["p1", "p2", "p3", "p4"], shown=2)
    ('part p1', 'parts p1, p2 and 2 more')
    """
    listed = ", ".join(parts[:shown]) + (f" and {len(parts) - shown} more" if len(parts) > shown else "")
    return f"part{'s' * (len(parts) > 1)} {listed}"


def for_parts(verb: str, parts: Iterable[str]) -> str:
    """What a verb does for which parts, as progress and Ray's dashboard name it; a part may be named several times.

    >>> for_parts("extract", ["p1", "p1"]), for_parts("extract", ["p1", "p2"])
    ('extract p1', 'extract 2 parts')
    """
    names = set(parts)
    return f"{verb} {next(iter(names)) if len(names) == 1 else plural(len(names), 'part')}"


def not_evaluated(parts: Sequence[str]) -> str:
    """What a dash in the place of a part's validation loss means.

    >>> not_evaluated(["p1"])
    'part p1 cannot be evaluated without a validation page: see tokenize --val-fraction'
    """
    return f"{some_parts(parts)} cannot be evaluated without a validation page: see tokenize --val-fraction"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A count and its noun.

    >>> plural(1, "part"), plural(1200, "part"), plural(4, "pass", "passes")
    ('1 part', '1,200 parts', '4 passes')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def size(n_bytes: float) -> str:
    """Bytes as a person says them.

    >>> size(0), size(574_975), size(291e6), size(2.91e9), size(24e9)
    ('0', '0.57 MB', '291 MB', '2.9 GB', '24 GB')
    """
    return "0" if not n_bytes else f"{_digits(n_bytes / 1e9)} GB" if n_bytes >= 1e9 else f"{_digits(n_bytes / 1e6)} MB"


def count(number: float) -> str:
    """A large count as a person says it.

    >>> count(33), count(27_000), count(111e6), count(4.61e9)
    ('33', '27 k', '111 M', '4.6 bn')
    """
    for unit, name in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{_digits(number / unit)} {name}"
    return f"{number:.0f}"


def table(rows: Sequence[dict[str, Any]], width: int = WIDTH - 4) -> list[str]:
    """Rows as aligned lines under a header: numbers to the right with thousands separators, missing values as `–`.

    What would be wider than `width` columns loses the middle of its longest words, but no number and no first cell does.

    >>> print(*table([{"part": "p1", "rows": 1200}, {"part": "p2", "rows": None}]), sep="\\n")
    part   rows
    p1    1,200
    p2        –
    >>> print(*table([{"part": "p1", "state": "stale: decisions, gpt2"}], width=16), sep="\\n")
    part  state
    p1    stale…gpt2
    """
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[name.replace("_", " ") for name in names], *([_cell(row.get(name)) for name in names] for row in rows)]
    numeric = [not any(isinstance(row.get(name), str) for row in rows) for name in names]
    widths = _widths(cells, numeric, width)
    return ["  ".join(map(_fit, line, widths, numeric)).rstrip() for line in cells]


def _digits(number: float) -> str:
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def _widths(cells: list[list[str]], numeric: list[bool], width: int) -> list[int]:
    """Width of each column: that of its longest cell, or less where all would not fit."""
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    least = [max(map(len, column[1:])) if right else 8 for column, right in zip(columns, numeric, strict=True)]
    least[0] = widths[0]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        over = [w if w > at_least else 0 for w, at_least in zip(widths, least, strict=True)]
        if not any(over):
            break
        widths[over.index(max(over))] -= 1
    return widths


def _fit(cell: str, width: int, right: bool) -> str:
    if len(cell) > width:
        cell = cell[: width // 2] + "…" + cell[len(cell) - (width - width // 2 - 1) :]
    return cell.rjust(width) if right else cell.ljust(width)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return str(value)


def as_html(summary: object) -> str:
    """What a notebook cell shows of a summary: the same table as `print`. A class takes it as its `_repr_html_`.

    >>> as_html("a < b")
    '<pre style="line-height: 1.3">a &lt; b</pre>'
    """
    return f'<pre style="line-height: 1.3">{html.escape(str(summary), quote=False)}</pre>'
