"""Parts of a wiki's dump that a corpus shall have: which of them it lacks, and which of their files are still to be fetched."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Tables
from raywiki.dumps.fetch import missing_parts, partial_bytes
from raywiki.dumps.listing import DumpPart, part_numbers, require_wiki
from raywiki.local.download import Mirrors, as_committed, find, sized, target
from raywiki.manifest import Manifest, settle

FOLDER = "dumps"  # where files go when no place is given


@dataclass(frozen=True)
class Wanted:
    """What a corpus lacks of the parts that were asked for.

    `lacking` are the parts that must be extracted, in the order of their numbers, `missing` those of them whose files are not
    at `to` yet, and `there` the ids of the parts that the corpus has.
    """

    wiki: str
    date: str
    to: str
    lacking: tuple[DumpPart, ...]
    missing: tuple[DumpPart, ...]
    there: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """Paths or URLs of the files of the parts that the corpus lacks."""
        return [f"{self.to.rstrip('/')}/{part.name}" for part in self.lacking]

    @property
    def bytes_to_fetch(self) -> int:
        """What is still to come, as far as sizes are known; of a file that an earlier call began only the rest."""
        fs, root = url_to_fs(self.to)
        had = partial_bytes if isinstance(fs, LocalFileSystem) else lambda *_: 0
        return sum(max(0, (part.size or 0) - had(part, root)) for part in self.missing)


def wanted_parts(
    asked: str, tables: Tables, *, to: str | os.PathLike[str] | None = None, date: str | None = None, mirrors: Mirrors = None,
    language: str | None = None, overwrite: bool = False,
) -> Wanted:  # fmt: skip
    """Look up parts of a wiki's dump, and what a corpus and a folder have of them. Fetches listings alone.

    Args:
        asked: name of the wiki and numbers of parts, such as "enwiki:2-3".
        tables: of the corpus.
        to: folder or URL of the files; `dumps` when None.
        date: of the dump; when None that of the wiki's parts in the corpus, else the newest complete dump.
        mirrors: see `download.parts`.
        language, overwrite: see `engine.extract`: a part that is committed with another language is to be redone.

    Raises:
        FileNotFoundError: there is no such dump.
        ValueError: an argument cannot be understood; there is no such part; it, or pages of it, are committed from another
            file.
        OSError: no mirror can be read; nothing can be written to the folder.
    """
    wiki, numbers = wiki_and_numbers(asked)
    committed = tables["articles"]
    _, _, place = target(FOLDER if to is None else to)
    found, _ = find(wiki, date or _committed_date(wiki, committed), mirrors)
    chosen = found.listing.chosen(numbers)
    there = [part.part for part in chosen if _is_done(part, tables, language, overwrite)]
    lacking = sized([part for part in chosen if part.part not in there], found.mirror)
    for part in lacking:
        _refuse_repeated(part, found.listing.date, wiki, committed)
    return Wanted(wiki, found.listing.date, place, tuple(lacking), tuple(missing_parts(lacking, place)), tuple(there))


def wiki_and_numbers(asked: str) -> tuple[str, list[int]]:
    """The name of a wiki and the numbers of parts.

    Raises:
        ValueError: it is none, or the numbers cannot be understood or are left out.

    >>> wiki_and_numbers("enwiki:2-3,7")
    ('enwiki', [2, 3, 7])
    """
    wiki, _, numbers = asked.partition(":")
    require_wiki(wiki)
    if not numbers.strip():
        raise ValueError(
            f"wiki={asked} says of no part to add it: give numbers, such as {wiki}:1-2 (see `raywiki parts {wiki}`)"
        )
    return wiki, part_numbers(numbers)


def committed_dates(wiki: str, committed: Mapping[str, Manifest]) -> list[str]:
    """The dates of the dumps that a corpus's parts of a wiki are of, as the names of their files have them; oldest first."""
    pattern = re.compile(rf"{wiki}-(\d{{8}}|\d{{4}}-\d\d-\d\d)(?!\d)")
    names = ((each.source.get("name", ""), each.part) for each in committed.values())
    found = {match[1] for file, part in names if (match := pattern.match(file) or pattern.match(part))}
    return sorted(found, key=lambda date: date.replace("-", ""))


def _committed_date(wiki: str, committed: Mapping[str, Manifest]) -> str | None:
    """The date of those parts; None without any. Raises ValueError when there are several: a number alone names no part."""
    found = committed_dates(wiki, committed)
    if len(found) > 1:
        raise ValueError(f"this corpus has parts of {wiki} of {' and '.join(found)}: say by date of which dump to add some")
    return found[0] if found else None


def _is_done(part: DumpPart, tables: Tables, language: str | None, overwrite: bool) -> bool:
    """Whether the corpus has a part, so that its file is not needed."""
    committed = tables["articles"]
    manifest = as_committed(part, committed)
    if manifest is None:
        other = committed.get(part.part)
        if other is not None and not overwrite:
            raise ValueError(
                f"part {part.part} is committed from another file than {part.name} of this dump "
                f"({other.source['bytes']:,} bytes instead of {part.size or 0:,}): use another corpus, or replace the part "
                "with --overwrite"
            )
        return False
    own: dict[str, Any] = {"language": manifest.settings.get("language")}
    settings = settle(f"articles of part {manifest.part}", [own], {"language": language}, own, overwrite)
    return settings == own and tables.is_whole(manifest) and not (overwrite and manifest.notes.get("gaps"))


def _refuse_repeated(part: DumpPart, date: str, wiki: str, committed: Mapping[str, Manifest]) -> None:
    """A corpus holds each page once: say so before hours of work, as `extract` does after them, where page ids tell it."""
    if part.pages is None:
        return
    first, last = part.pages
    for other, manifest in committed.items():
        notes = manifest.notes
        is_other_dump = notes.get("wiki") == wiki and other != part.part and notes.get("first_page_id") is not None
        if is_other_dump and notes["first_page_id"] <= last and notes["last_page_id"] >= first:
            raise ValueError(
                f"part {part.number} of {wiki} of {date} has pages {first} to {last}, of which part {other}, which the corpus "
                f"has, holds some: add parts of one dump (--date), or make a new corpus for another dump of the same wiki"
            )
