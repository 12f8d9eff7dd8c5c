"""extract: dump parts and other text to the articles table, one Ray task and one shard for each byte range of a file.

Of a file that brings its own templates each range is read by a task before: an article may use a template of any range.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from fsspec.core import url_to_fs

from raywiki.corpus import Corpus, Tables
from raywiki.dumps import DumpRange
from raywiki.dumps.texts import check_format
from raywiki.engine.cluster import run
from raywiki.engine.extract_dumps import (
    Ahead,
    DumpResult,
    commit_dump,
    extract_dump_range,
    kept_url,
    read_dump_range_ahead,
    write_own_templates,
)
from raywiki.engine.extract_plan import (
    DumpPart,
    Given,
    PlannedPart,
    check_language,
    check_source,
    check_templates,
    plan_parts,
    templates_notes,
)
from raywiki.engine.extract_texts import TextResult, commit_text, extract_text_range
from raywiki.engine.pages import Account
from raywiki.manifest import Manifest, part_order
from raywiki.progress import Progress
from raywiki.summary import Summary, articles_notes, articles_warnings, for_parts, lost_parts
from raywiki.wikitext.table import check_cleaner

Result = TypeVar("Result")


def extract(
    corpus: str | os.PathLike[str] | Corpus, dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *,
    language: str | None = None, cleaner: str | None = None, templates: str | os.PathLike[str] | None = None,
    format: str | None = None, source: str | None = None, allow_damaged: bool = False, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Turn dump parts, or other text, into the articles table; parts that are committed are left alone.

    A part is known by its content, so a renamed or moved file is still the part that it was.

    Args:
        corpus: folder or URL of the corpus; made when missing.
        dumps: dump parts (`.xml`, `.xml.bz2`, `.xml.gz`, `.xml.zst`), or files of other text, paths or URLs.
        language: language code for templates and names; when None the dump's own, for other text that of the corpus, else en.
        cleaner: "raywiki", or "mwparserfromhell" for the text of the Hugging Face hub's data set, to compare with; when None
            what the corpus is cleaned with, else raywiki. Like `templates` it is for the dumps among these files.
        templates: the wiki's templates, for what the cleaner does not know by itself: a file of `collect_templates`, of which
            the corpus keeps a copy; "own" for those in the dump itself; or "none". When None what the part, or the corpus's
            other parts of the wiki, were cleaned with; else "own" for a dump that holds a whole wiki by its name, and "none"
            for a part of one, whose templates are in other parts too.
        format: of all these files, one of `raywiki.dumps.texts.FORMATS`: "dump", "c4", "jsonl", "parquet", "text" (a file, or
            each file of a folder, is a document) or "blocks" (blank lines part documents); when None what each looks like.
        source: a word for what the text is from, by which `train(mix=…)` shares out a mixture; "wiki" for dumps and the name
            of the format for other text when None.
        allow_damaged: commit what a damaged file still holds, with the gaps in the manifest.
        overwrite: redo parts that are committed from another file or with other settings.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: a dump, or the file of templates, is not there.
        OSError: the corpus cannot be written to.
        ValueError: there is no such cleaner or format; the templates are no such file, another wiki's, or no file is a dump; a
            file is no dump and no other text, is damaged, or holds no page; its part is committed from another file, with
            another language, source or templates, or by another cleaner; page ids are in the corpus already. Parts that are
            fine are committed before it is raised.
    """
    started = time.monotonic()
    check_language(language)
    if cleaner is not None:
        check_cleaner(cleaner)
    check_format(format)
    check_source(source)
    file = check_templates(templates)
    corpus = Corpus.open(corpus).writable()
    paths = [dumps] if isinstance(dumps, str | os.PathLike) else list(dumps)
    tables = corpus.tables()
    lost = lost_parts(tables, "articles")
    word = file.sha256 if file else None if templates is None else str(templates)
    settings = {"language": language, "cleaner": cleaner, "templates": word, "format": format, "source": source}
    given = Given(settings, file, allow_damaged, overwrite)
    parts = plan_parts(corpus, tables["articles"], lost, [os.fspath(path) for path in paths], given)
    todo = [part for part in parts.values() if part.committed is None]
    manifests: list[Manifest] = []
    failures: list[Exception] = []
    for outcome in _extract_parts(tables, todo):
        if isinstance(outcome, Exception):
            failures.append(outcome)
        else:
            manifests.append(outcome)
    if failures:
        raise failures[0]
    rows = [_row(part.committed, "unchanged") for part in parts.values() if part.committed is not None]
    rows += [_row(manifest, "committed") for manifest in manifests]
    rows.sort(key=lambda row: part_order(row["part"]))
    warnings = [lost[part] for part in parts if part in lost]
    warnings += [warning for manifest in manifests for warning in articles_warnings(manifest)]
    notes = articles_notes(manifests, tables["articles"].values()) if manifests else []
    notes += templates_notes(parts.values())
    return Summary("extract", corpus.url, tuple(rows), time.monotonic() - started, tuple(warnings), tuple(notes))


@dataclass(frozen=True)
class _Range:
    """What a Ray task needs to extract one byte range; `ahead` is what one before it has read of it."""

    part: PlannedPart
    dump_range: DumpRange
    ahead: Account | None = None

    @property
    def megabytes(self) -> float:
        return (self.dump_range.end - self.dump_range.start) / 1e6


def _extract_parts(tables: Tables, parts: Sequence[PlannedPart]) -> Iterator[Manifest | Exception]:
    """Run the ranges of all parts through Ray; commit each part when its last range is there."""
    whole = [part for part in parts if isinstance(part, DumpPart) and part.has_own_templates]
    try:
        ready, failed = _read_ahead(tables.corpus, whole)
        yield from failed.values()
        left = [part for part in parts if part.part not in failed]
        yield from _clean_parts(
            tables, [ready.get((part.part, each.index), _Range(part, each)) for part in left for each in part.ranges]
        )
    finally:
        for part in whole:
            for each in part.ranges:
                _remove(kept_url(part, each))


def _read_ahead(corpus: Corpus, parts: Sequence[DumpPart]) -> tuple[dict[tuple[str, int], _Range], dict[str, Exception]]:
    """Read the ranges of parts that have their own templates, and write those, a part when its last range is read.

    Returns:
        The items with what is known now, by part and range; and for each part that cannot be read, why.
    """
    items = [_Range(part, each) for part in parts for each in part.ranges]
    waiting = Counter(item.part.part for item in items)
    found: dict[str, dict[int, Ahead | Exception]] = {part.part: {} for part in parts}
    ready: dict[tuple[str, int], _Range] = {}
    failed: dict[str, Exception] = {}
    title = for_parts("read templates of", waiting)
    with Progress("read templates", sum(item.megabytes for item in items), "MB of dump") as progress:
        for i, result in run(_read_range_ahead, items, name=title, places=_places(items)):
            item, name = items[i], items[i].part.part
            found[name][item.dump_range.index] = result
            waiting[name] -= 1
            progress.advance(item.megabytes)
            if not waiting[name]:
                try:
                    done = _in_order(found.pop(name))
                except (ValueError, OSError) as error:
                    failed[name] = error
                    continue
                part = write_own_templates(corpus, cast(DumpPart, item.part), done)
                for dump_range, each in zip(part.ranges, done, strict=True):
                    ready[name, dump_range.index] = _Range(part, dump_range, each.account)
    return ready, failed


def _clean_parts(tables: Tables, items: Sequence[_Range]) -> Iterator[Manifest | Exception]:
    """Clean ranges, and commit each part when its last range is there."""
    waiting = Counter(item.part.part for item in items)
    results: dict[str, dict[int, DumpResult | TextResult | Exception]] = {name: {} for name in waiting}
    title = for_parts("extract", waiting)
    unit = "MB of dump" if any(isinstance(item.part, DumpPart) for item in items) else "MB of text"
    with Progress(title, sum(item.megabytes for item in items), unit) as progress:
        for i, result in run(_extract_range, items, name=title, places=_places(items)):
            item, name = items[i], items[i].part.part
            results[name][item.dump_range.index] = result
            waiting[name] -= 1
            progress.advance(item.megabytes, {} if isinstance(result, Exception) else result.figures)
            if not waiting[name]:
                try:
                    yield _commit(tables, item.part, _in_order(results.pop(name)))
                except (ValueError, OSError) as error:
                    yield error


def _places(items: Sequence[_Range]) -> list[str]:
    """What the tasks of these ranges read and write."""
    return list(dict.fromkeys(place for item in items for place in (item.part.corpus, item.dump_range.path)))


def _read_range_ahead(item: _Range) -> Ahead | Exception:
    """Ray task: templates and articles of one range, the articles into a file. See `_extract_range`."""
    try:
        return read_dump_range_ahead(cast(DumpPart, item.part), item.dump_range)
    except (ValueError, OSError) as error:
        return error


def _extract_range(item: _Range) -> DumpResult | TextResult | Exception:
    """Ray task: one range to one shard. A user's problem is a value, so that other parts go on."""
    part = item.part
    try:
        if not isinstance(part, DumpPart):
            return extract_text_range(part, item.dump_range)
        result = extract_dump_range(part, item.dump_range, item.ahead)
        if item.ahead is not None:
            _remove(kept_url(part, item.dump_range))  # the disk is free again when the last range is cleaned
        return result
    except (ValueError, OSError) as error:
        return error


def _commit(tables: Tables, part: PlannedPart, done: Sequence[DumpResult | TextResult]) -> Manifest:
    if isinstance(part, DumpPart):
        return commit_dump(tables, part, cast(Sequence[DumpResult], done))
    return commit_text(tables, part, cast(Sequence[TextResult], done))


def _in_order(results: Mapping[int, Result | Exception]) -> list[Result]:
    """What came of the ranges of a part, in their order. Raises what the first one returned that failed."""
    done = []
    for _, result in sorted(results.items()):
        if isinstance(result, Exception):
            raise result
        done.append(result)
    return done


def _remove(url: str) -> None:
    fs, path = url_to_fs(url)
    if fs.exists(path):
        fs.rm_file(path)


def _row(manifest: Manifest, state: str) -> dict[str, Any]:
    names = ("pages", "articles", "redirects", "other_namespaces", "errors")
    return {"part": manifest.part, "state": state, **{name: manifest.counts[name] for name in names}}
