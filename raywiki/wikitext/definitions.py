"""What a wiki says its templates mean: names → definitions, from its pages in the Template namespace."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict

import pyarrow as pa
import pyarrow.compute as pc

from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.program import Program, parse_definition

MAX_REDIRECTS = 5  # MediaWiki follows one; a chain that bots have not mended yet is short
MAX_CACHED = 16_000_000  # characters of definitions that are kept parsed: about 200 MB, a few thousand templates


class Definitions:
    """The templates of one wiki. Looking one up costs a binary search in Arrow's memory; parsed ones are kept for a while.

    The English Wikipedia's 600,000 names and 0.5 GB of text stay one Arrow table, which a cluster's workers share.

    >>> table = pa.table({"name": ["a", "b"], "text": ["x{{{1}}}", None], "redirect": [None, "A"]})
    >>> definitions = Definitions.from_table(table)
    >>> definitions.text("B"), definitions.text("c"), len(definitions)
    ('x{{{1}}}', None, 2)
    """

    def __init__(self, names: pa.Array, texts: pa.ChunkedArray, redirects: pa.ChunkedArray) -> None:
        self._names, self._texts, self._redirects = names, texts, redirects
        self._parsed: OrderedDict[str, Program | ValueError | None] = OrderedDict()
        self._size = 0  # characters of the definitions in `_parsed`

    @classmethod
    def from_table(cls, table: pa.Table) -> Definitions:
        """Definitions of a table with the columns `name` (as `normalise` gives it), `text` and `redirect`.

        A row is a definition (`text`) or points to another name (`redirect`), with or without its namespace.

        Raises:
            ValueError: a column is missing, or names are not sorted, or one stands twice.
        """
        missing = ", ".join(sorted({"name", "text", "redirect"} - set(table.column_names)))
        if missing:
            raise ValueError(f"a table of templates needs the columns name, text and redirect: {missing} missing")
        names = pa.concat_arrays([pa.array([], pa.string()), *table["name"].cast(pa.string()).chunks])
        if len(names) > 1 and not pc.all(pc.less(names[:-1], names[1:])).as_py():
            raise ValueError("a table of templates needs its names in order, each once")
        return cls(names, table["text"], table["redirect"])

    def to_table(self) -> pa.Table:
        """The table that these definitions were made from."""
        return pa.table({"name": self._names, "text": self._texts, "redirect": self._redirects})

    def __reduce__(self) -> tuple[object, ...]:
        return Definitions.from_table, (self.to_table(),)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return self._row(normalise(name)) is not None

    def target(self, name: str) -> str | None:
        """The normalised name of the definition that `name` means, redirects followed; None: there is none."""
        name = normalise(name)
        for _ in range(MAX_REDIRECTS + 1):
            row = self._row(name)
            if row is None:
                return None
            redirect = self._redirects[row].as_py()
            if redirect is None:
                return name
            name = normalise(redirect)
            if self._row(name) is None:
                name = normalise(name.partition(":")[2])
        return None

    def text(self, name: str) -> str | None:
        """The source of a template's page, redirects followed; None: the wiki does not define it."""
        target = self.target(name)
        row = None if target is None else self._row(target)
        return None if row is None else self._texts[row].as_py()

    def program(self, name: str) -> Program | None:
        """The template's definition, ready to run; None: the wiki does not define it.

        Raises:
            ValueError: it is too long, or nested too deep.
        """
        if name in self._parsed:
            self._parsed.move_to_end(name)
        else:
            self._parsed[name] = program = self._parse(name)
            self._size += _weight(program)
            while self._size > MAX_CACHED and len(self._parsed) > 1:
                self._size -= _weight(self._parsed.popitem(last=False)[1])
        program = self._parsed[name]
        if isinstance(program, ValueError):
            raise program.with_traceback(None)
        return program

    def _parse(self, name: str) -> Program | ValueError | None:
        """What `program` gives or raises: what is refused once is not read again."""
        text = self.text(name)
        try:
            return None if text is None else parse_definition(text, self.target(name) or name)
        except ValueError as error:
            return error

    def _row(self, name: str) -> int | None:
        row = bisect_left(self._names, name, key=pa.StringScalar.as_py)
        return row if row < len(self._names) and self._names[row].as_py() == name else None


def _weight(program: Program | ValueError | None) -> int:
    return 100 + (program.n_chars if isinstance(program, Program) else 0)
