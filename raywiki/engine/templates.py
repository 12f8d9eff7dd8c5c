"""templates: the template pages of a wiki's dumps to one Parquet file, one Ray task for each byte range of a dump."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from raywiki.dumps import DumpRange, RangeReport, check_ranges, read_range, read_siteinfo, split_dump
from raywiki.engine.cluster import run
from raywiki.engine.extract_plan import check_language
from raywiki.files import absolute, file_to_write
from raywiki.local.templates import write_templates
from raywiki.progress import Progress
from raywiki.schema import TEMPLATES
from raywiki.summary import as_html, plural, sentences, size, table
from raywiki.wikitext.template_pages import is_template_page, merge_templates, pages_to_templates


@dataclass(frozen=True)
class TemplatesSummary:
    """What one call of `collect_templates` wrote to `to`: definitions and redirects, and how many template pages are neither.

    `dumps` has one dict for each dump, with the counts of its pages. `repeated` pages came twice, or had the name of another.
    """

    to: str
    wiki: str
    dumps: tuple[dict[str, Any], ...]
    definitions: int
    redirects: int
    left_out: int
    repeated: int
    bytes: int
    sha256: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        what = f"{plural(self.definitions, 'definition')} and {plural(self.redirects, 'redirect')} of {self.wiki}"
        lines = [f"templates {self.to}: {what}, {size(self.bytes)} ({self.seconds:.1f} s)"]
        lines += ["  " + line for line in table(self.dumps)]
        notes = []
        if self.left_out:
            pages = plural(self.left_out, "page of the namespace defines", "pages of the namespace define")
            notes.append(f"{pages} nothing: deleted, no wikitext, unreadable, or a redirect to another namespace")
        if self.repeated:
            notes.append(
                f"{plural(self.repeated, 'page')} came twice, or had a name that differs from another's in its case alone: of "
                "one page the newest revision counts, of two pages a definition before a redirect"
            )
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", notes)])


def collect_templates(
    dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, to: str | os.PathLike[str],
    language: str | None = None, allow_damaged: bool = False,
) -> TemplatesSummary:  # fmt: skip
    """Collect the templates of a wiki from its dumps into one file, for `extract(…, templates=to)`.

    A wiki in parts has its templates in all of them. The same dumps give the same bytes, in whatever order they are named and
    on however many machines. The file is written in one step, last.

    Args:
        dumps: dump parts of one wiki, paths or URLs.
        to: file or URL to write; one that is there is replaced.
        language: code of the wiki's, for dumps without `<siteinfo>` whose name does not tell their wiki.
        allow_damaged: take what a damaged dump still holds.

    Raises:
        FileNotFoundError: a dump is not there.
        OSError: `to` cannot be written.
        ValueError: a file is no dump, is damaged, or is of another wiki than the first; none holds a template.
    """
    started, to = time.monotonic(), os.fspath(to)
    check_language(language)
    fs, path = file_to_write(to, "file of templates", "templates.parquet")
    paths = [absolute(os.fspath(each)) for each in ([dumps] if isinstance(dumps, str | os.PathLike) else dumps)]
    if not paths:
        raise ValueError("no dump is named whose templates could be collected: give all parts of a wiki's dump")
    wiki = _wiki_of(paths, language)
    items = [_Item(dump_range, allow_damaged) for each in dict.fromkeys(paths) for dump_range in split_dump(each)]
    read = _read(items)
    rows, warnings = [], []
    for each, found in read.items():
        dump = check_ranges([one.report for one in found], allow_damaged=allow_damaged)
        warnings += [str(damage) for damage in dump.damage]
        counts = {"pages": dump.counts["n_pages"], "template_pages": sum(one.pages for one in found)}
        rows.append({"dump": each.rpartition("/")[2], **counts, "templates": sum(one.templates.num_rows for one in found)})
    merged = merge_templates(one.templates for found in read.values() for one in found)
    written = write_templates(fs, path, merged, wiki)
    if written is None:
        named = paths[0] if len(paths) == 1 else f"none of the {len(paths)} dumps from {paths[0]} on"
        raise ValueError(f"{named} holds {'no' if len(paths) == 1 else 'a'} template: give dumps that have the namespace 10")
    redirects = merged.num_rows - merged["redirect"].null_count
    taken = sum(row["templates"] for row in rows)
    return TemplatesSummary(
        to, wiki, tuple(rows), merged.num_rows - redirects, redirects, sum(row["template_pages"] for row in rows) - taken,
        taken - merged.num_rows, written.bytes, written.sha256, time.monotonic() - started, tuple(warnings),
    )  # fmt: skip


def _wiki_of(paths: Sequence[str], language: str | None) -> str:
    """The one wiki that these dumps are of."""
    wikis = {path: read_siteinfo(path, language).wiki for path in paths}
    wiki = wikis[paths[0]]
    for path, other in wikis.items():
        if other != wiki:
            raise ValueError(f"{path} is a dump of {other}, not of {wiki} as {paths[0]}: collect the templates of one wiki")
    return wiki


@dataclass(frozen=True)
class _Item:
    """What a Ray task needs to read the templates of one byte range."""

    dump_range: DumpRange
    allow_damaged: bool


@dataclass(frozen=True)
class _Found:
    """What such a task found: `pages` of the template namespace, and the templates among them."""

    report: RangeReport
    pages: int
    templates: pa.Table


def _read(items: Sequence[_Item]) -> dict[str, list[_Found]]:
    """What is found in each dump, in the order of its ranges."""
    results: dict[int, _Found] = {}
    total = sum(item.dump_range.end - item.dump_range.start for item in items)
    with Progress("templates", total / 1e6, "MB of dump") as progress:
        for i, found in run(_read_range, items, name="templates", places=[item.dump_range.path for item in items]):
            results[i] = found
            dump_range = items[i].dump_range
            progress.advance((dump_range.end - dump_range.start) / 1e6, {"templates": found.templates.num_rows})
    by_dump: dict[str, list[_Found]] = defaultdict(list)
    for i, item in enumerate(items):
        by_dump[item.dump_range.path].append(results[i])
    return by_dump


def _read_range(item: _Item) -> _Found:
    """Ray task: the templates of one range."""
    reader = read_range(item.dump_range, allow_damaged=item.allow_damaged)
    pages, templates = 0, [TEMPLATES.empty_table()]
    for batch in reader:
        pages += pc.sum(is_template_page(batch)).as_py() or 0
        templates.append(pages_to_templates(batch))
    return _Found(reader.report, pages, pa.concat_tables(templates))
