"""What is left to do in a corpus: the parts that each verb would work on, if it ran now."""

from __future__ import annotations

from collections.abc import Iterable

from raywiki.corpus import Tables
from raywiki.manifest import TABLES, tokens_table


def to_do(tables: Tables, encodings: Iterable[str]) -> dict[str, list[str]]:
    """Ids of the parts that verbs would work on, by what they make: "articles", "decisions", the tokens of each encoding.

    A part is worked on where it is not committed, is stale, or has files that are gone or cut short. Articles that were never
    extracted are not known of here.
    """

    def lacks(table: str, part: str) -> bool:
        manifest = tables[table].get(part)
        return manifest is None or tables.is_stale(manifest) or not tables.is_whole(manifest)

    extracted = tables["articles"]
    left = {"articles": [part for part in extracted if not tables.is_whole(extracted[part])]}
    left["decisions"] = [part for part in extracted if any(lacks(table, part) for table in TABLES[1:])]
    for table in map(tokens_table, encodings):
        left[table] = [part for part in extracted if lacks(table, part)]
    return left
