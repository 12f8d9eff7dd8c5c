"""What a corpus holds and what it cost, as rows of numbers: each part's funnel, its bytes and seconds, reasons, settings.

All of it is in the manifests; no shard is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from raywiki.corpus import Manifest, Tables, tokens_table
from raywiki.manifest import WIKI, part_order, source_of, stored_bytes

Rows = list[dict[str, Any]]

# The stages on the way of a part, each with its tables; tokens, of which there may be several, come on top.
STAGES = {"articles": ("articles",), "dedup_index": ("signatures", "bands", "pairs"), "decisions": ("decisions",)}


def part_ids(tables: Tables) -> list[str]:
    """All parts of which anything is committed, in order."""
    return sorted({part for name in tables.names() for part in tables[name]}, key=part_order)


def part_sources(tables: Tables) -> dict[str, str]:
    """The source of each part; of none while all are from dumps, as then it tells nothing."""
    found = {part: source_of(manifest) for part, manifest in tables["articles"].items()}
    return found if set(found.values()) - {WIKI} else {}


def funnel(tables: Tables) -> Rows:
    """Of each part: pages of the dump, articles, what curation kept, and tokens of each encoding; None for what is not there.

    `other_pages` are those that are neither article nor redirect: other namespaces, other models, deleted, errors. Rows have
    the `source` of their part where `part_sources` tells it.
    """
    rows, sources = [], part_sources(tables)
    for part in part_ids(tables):
        articles, decisions = (_counts(tables, name, part) for name in ("articles", "decisions"))
        others = [articles.get(name, 0) for name in ("other_namespaces", "other_models", "deleted", "errors")]
        row: dict[str, Any] = {"part": part, **({"source": sources.get(part)} if sources else {})}
        row |= {name: articles.get(name) for name in ("pages", "redirects")}
        row |= {"other_pages": sum(others) if articles else None, "articles": articles.get("articles")}
        row |= {name: decisions.get(name) for name in ("filtered", "duplicates", "kept")}
        for encoding in tables.encodings():
            tokens = _counts(tables, tokens_table(encoding), part)
            row |= {f"{encoding}_tokens": tokens.get("tokens"), f"{encoding}_val_tokens": tokens.get("val_tokens")}
        rows.append(row)
    return rows


def part_bytes(tables: Tables) -> Rows:
    """Of each part: bytes of its `dump` (outside the corpus), and on disk of each stage and in `total`."""
    rows = _by_stage(tables, lambda manifest: stored_bytes([manifest]))
    articles = tables["articles"]
    dumps = {part: articles[part].source.get("bytes") if part in articles else None for part in part_ids(tables)}
    return [{"part": row["part"], "dump": dumps[row["part"]], **row} for row in rows]


def part_seconds(tables: Tables) -> Rows:
    """Of each part: seconds of work of each stage and in `total`, those of its tasks added up."""
    return _by_stage(tables, lambda manifest: manifest.seconds)


def total_row(rows: Rows, name: str = "all parts") -> dict[str, Any]:
    """The sums of all columns of numbers; None where no row has one, and "" for their source.

    >>> total_row([{"part": "p1", "pages": 3, "kept": None}, {"part": "p2", "pages": 4, "kept": None}])
    {'part': 'all parts', 'pages': 7, 'kept': None}
    """
    words = {"part": name, "source": ""}
    keys = rows[0] if rows else {"part"}
    values = {key: [row[key] for row in rows if row[key] is not None] for key in keys if key not in words}
    sums = {key: sum(found) if found else None for key, found in values.items()}
    return {key: words[key] if key in words else sums[key] for key in keys}


def reject_reasons(manifests: Iterable[Manifest]) -> Rows:
    """How many articles were rejected for which reason (the first that each failed), the most frequent first.

    What decisions of a raywiki that noted no reasons rejected has the reason "not noted".
    """
    counts, parts = Counter[str](), Counter[str]()
    for manifest in manifests:
        reasons = dict(manifest.notes.get("reasons", {}))
        rest = manifest.counts["filtered"] + manifest.counts["duplicates"] - sum(reasons.values())
        reasons |= {"not noted": rest} if rest else {}
        counts.update(reasons)
        parts.update(reasons.keys())
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"reason": reason, "articles": n, "share": n / total, "parts": parts[reason]} for reason, n in ordered]


def settings(tables: Tables) -> Rows:
    """Each setting of each table, with all values that its parts were made with and how many parts those are."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for name in tables.names():
        for manifest in tables[name].values():
            for setting, value in manifest.settings.items():
                found.setdefault((name, setting), Counter())[word(value)] += 1
    return [
        {"table": table, "setting": setting, "value": value, "parts": count}
        for (table, setting), values in found.items()
        for value, count in values.items()
    ]


def made_by(tables: Tables) -> list[str]:
    """The versions of raywiki that made the parts."""
    return sorted({manifest.raywiki for name in tables.names() for manifest in tables[name].values() if manifest.raywiki})


def _by_stage(tables: Tables, measure: Callable[[Manifest], float]) -> Rows:
    stages = {**STAGES, "tokens": tuple(tokens_table(encoding) for encoding in tables.encodings())}
    rows = []
    for part in part_ids(tables):
        row: dict[str, Any] = {"part": part}
        for stage, names in stages.items():
            values = [measure(tables[name][part]) for name in names if part in tables[name]]
            row[stage] = sum(values) if values else None
        rows.append({**row, "total": sum(value for name, value in row.items() if name != "part" and value is not None)})
    return rows


def _counts(tables: Tables, name: str, part: str) -> dict[str, int]:
    return tables[name][part].counts if part in tables[name] else {}


def word(value: Any) -> str:
    """A value of a setting as text: a digest as its first twelve digits.

    >>> word("ab" * 32), word([]), word(["stub", "c4"]), word(0.05)
    ('abababababab…', 'none', 'stub, c4', '0.05')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(word, value)) or "none"
    text = str(value)
    return f"{text[:12]}…" if isinstance(value, str) and len(text) == 64 else text
