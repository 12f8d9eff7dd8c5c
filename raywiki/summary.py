"""What a verb returns: a small record of what it did that prints as one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from raywiki.corpus import Corpus, Manifest


@dataclass(frozen=True)
class Summary:
    """What one call of a verb did.

    `parts` has one dict for each part that the call looked at: `part`, `state` ("committed" or "unchanged"), and its
    counts. `warnings` are sentences. `str(summary)` is a table of at most 100 columns.
    """

    verb: str
    corpus: str
    parts: tuple[dict[str, Any], ...]
    seconds: float
    warnings: tuple[str, ...] = field(default=())

    @property
    def committed(self) -> tuple[str, ...]:
        """Ids of the parts that this call committed."""
        return tuple(row["part"] for row in self.parts if row["state"] == "committed")

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "committed": list(self.committed)}

    def __str__(self) -> str:
        did = f"{plural(len(self.committed), 'part')} committed" if self.committed else "nothing to do, all is committed"
        lines = [f"{self.verb} {self.corpus}: {did} ({self.seconds:.1f} s)"]
        lines += ["  " + line for line in table(self.parts)]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def lost_parts(corpus: Corpus, manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """Parts whose files are gone or cut short, which their verb makes again; with a warning for each."""
    return {
        part: f"files of {manifest.folder} were gone or cut short: it was made again"
        for part, manifest in manifests.items()
        if not corpus.is_whole(manifest)
    }


def plural(count: int, noun: str) -> str:
    """A count and its noun.

    >>> plural(1, "part"), plural(1200, "part")
    ('1 part', '1,200 parts')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def table(rows: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> list[str]:
    """Rows as aligned lines under a header: numbers to the right with thousands separators, missing values as `–`.

    >>> print(*table([{"part": "p1", "rows": 1200}, {"part": "p2", "rows": None}]), sep="\\n")
    part   rows
    p1    1,200
    p2        –
    """
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    numeric = [not any(isinstance(row.get(name), str) for row in rows) for name in names]
    header = [name.replace("_", " ") for name in names]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(names))]
    return [
        "  ".join(
            cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [header, *cells]
    ]


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
