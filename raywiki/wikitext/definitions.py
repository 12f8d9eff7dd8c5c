"""A wiki's own templates: name → definition."""

from __future__ import annotations

from bisect import bisect_left

import pyarrow as pa

MAX_REDIRECTS = 5


class Definitions:
    """The definitions of a wiki's templates by name, in the memory of an Arrow table that is sorted by name."""

    def __init__(self, names: pa.Array, texts: pa.Array, redirects: pa.Array) -> None:
        self._names, self._texts, self._redirects = names, texts, redirects

    @classmethod
    def from_table(cls, table: pa.Table) -> Definitions:
        """From the columns `name`, `text` and `redirect` of `raywiki.schema.TEMPLATES`; each name once, in their order."""
        columns = (table[name] for name in ("name", "text", "redirect"))
        return cls(*(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in columns))

    def __len__(self) -> int:
        return len(self._names)

    def get(self, name: str) -> str | None:
        """The wikitext that defines a template, redirects followed; None where there is none, or only redirects."""
        for _ in range(MAX_REDIRECTS):
            at = bisect_left(range(len(self._names)), name, key=lambda row: self._names[row].as_py())
            if at == len(self._names) or self._names[at].as_py() != name:
                return None
            if self._texts[at].is_valid:
                return self._texts[at].as_py()
            name = self._redirects[at].as_py()
        return None
