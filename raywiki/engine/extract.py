"""extract: dump parts to the articles table, one Ray task and one shard for each byte range of a dump.

Of a file that brings its own templates each range is read by a task before: an article may use a template of any range.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fsspec.core import url_to_fs

import raywiki
from raywiki.corpus import Corpus, Tables
from raywiki.dumps import DumpRange, DumpReport, SiteInfo, check_ranges, read_siteinfo, split_dump
from raywiki.dumps.checksums import dump_digests, listed_digest
from raywiki.engine.cluster import run
from raywiki.engine.pages import MAX_PAGE_ERRORS, Account, RangePages, articles_of, keep_pages, kept_pages
from raywiki.files import absolute
from raywiki.local.templates import TemplatesFile, keep_copy, kept_copy, load_definitions, open_templates, write_templates
from raywiki.manifest import SUMS, Manifest, Shard, is_whole_wiki, part_folder, part_id, part_order, settle, shard_key, wiki_of
from raywiki.progress import Progress
from raywiki.scan import scan_manifests
from raywiki.schema import ARTICLES
from raywiki.summary import Summary, articles_notes, articles_warnings, for_parts, lost_parts, plural
from raywiki.wikitext import pages_to_articles
from raywiki.wikitext.table import check_cleaner
from raywiki.wikitext.template_pages import merge_templates, pages_to_templates

MAX_EXAMPLES = 500  # dropped templates that have an example in the notes: those dropped most often
TEMPLATE_COUNTS = ("dropped", "failed", "guessed")
NONE, OWN = "none", "own"  # words for templates; anything else is a file
LANGUAGE = r"[a-z]{2,}(-[a-z0-9]+)*"  # as wikis spell them: en, simple, zh-min-nan, be-x-old
KINDS = SUMS["articles"][1]
PARQUET_OPTIONS = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": ["categories.list.element", "dropped_templates.list.element.name"],
    "write_statistics": ["page_id", "revision_id", "n_chars"],
}


def extract(
    corpus: str | os.PathLike[str] | Corpus, dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *,
    language: str | None = None, cleaner: str | None = None, templates: str | os.PathLike[str] | None = None,
    allow_damaged: bool = False, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Turn dump parts into the articles table; parts that are committed are left alone.

    A part is known by its content, so a renamed or moved file is still the part that it was.

    Args:
        corpus: folder or URL of the corpus; made when missing.
        dumps: dump parts (`.xml`, `.xml.bz2`, `.xml.gz`, `.xml.zst`), paths or URLs.
        language: language code for templates and names; the dump's own when None.
        cleaner: "raywiki", or "mwparserfromhell" for the text of the Hugging Face hub's data set, to compare with; when None
            what the corpus is cleaned with, else raywiki.
        templates: the wiki's templates, for what the cleaner does not know by itself: a file of `collect_templates`, of which
            the corpus keeps a copy; "own" for those in the dump itself; or "none". When None what the part, or the corpus's
            other parts of the wiki, were cleaned with; else "own" for a dump that holds a whole wiki by its name, and "none"
            for a part of one, whose templates are in other parts too.
        allow_damaged: commit what a damaged dump still holds, with the gaps in the manifest.
        overwrite: redo parts that are committed from another file or with other settings.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: a dump, or the file of templates, is not there.
        OSError: the corpus cannot be written to.
        ValueError: there is no such cleaner; the templates are no such file, or another wiki's; a file is no dump, is damaged,
            or holds no page; its part is committed from another file, with another language or templates, or by another
            cleaner; page ids are in the corpus already. Parts that are fine are committed before it is raised.
    """
    started = time.monotonic()
    check_language(language)
    if cleaner is not None:
        check_cleaner(cleaner)
    given_file = check_templates(templates)
    corpus = Corpus.open(corpus).writable()
    paths = [dumps] if isinstance(dumps, str | os.PathLike) else list(dumps)
    tables = corpus.tables()
    lost = lost_parts(tables, "articles")
    word = given_file.sha256 if given_file else None if templates is None else str(templates)
    given = _Given({"language": language, "cleaner": cleaner, "templates": word}, given_file, allow_damaged, overwrite)
    parts = _plan(corpus, tables["articles"], lost, [os.fspath(path) for path in paths], given)
    parts = {name: _with_templates(corpus, part, given_file) for name, part in parts.items()}
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
    return Summary("extract", corpus.url, tuple(rows), time.monotonic() - started, tuple(warnings), tuple(notes))


def check_language(language: str | None) -> None:
    """Raise ValueError when this cannot be the code of a language."""
    if language is not None and not re.fullmatch(LANGUAGE, language):
        raise ValueError(f"language={language!r} is no language code: give one such as en or zh-min-nan")


def check_templates(templates: str | os.PathLike[str] | None) -> TemplatesFile | None:
    """The file of templates that a user names, None for a word or nothing. Raises as `open_templates` does."""
    return None if templates is None or os.fspath(templates) in (NONE, OWN) else open_templates(os.fspath(templates))


@dataclass(frozen=True)
class _Given:
    """What the caller gave: settings by name, None where not; and the file behind the templates' digest."""

    settings: Mapping[str, str | None]
    templates: TemplatesFile | None
    allow_damaged: bool
    overwrite: bool


@dataclass(frozen=True)
class _DumpPart:
    """One dump part of this call; `committed` is its manifest when there is nothing to do.

    `templates` is the file that the tasks take templates from; of a part with its own it is written when all ranges are read.
    """

    part: str
    path: str
    ranges: tuple[DumpRange, ...]
    source: dict[str, Any]
    site: SiteInfo
    settings: dict[str, Any]
    allow_damaged: bool
    corpus: str
    committed: Manifest | None
    templates: TemplatesFile | None = None
    seconds: float = 0.0  # of reading it ahead

    @property
    def folder(self) -> str:
        return part_folder("articles", self.part)

    @property
    def has_own_templates(self) -> bool:
        return self.settings.get("templates") == OWN

    @property
    def key(self) -> str:
        return shard_key(self.source["sha256"], self.settings, self.allow_damaged, raywiki.__version__)


def _plan(
    corpus: Corpus, committed: Mapping[str, Manifest], lost: Mapping[str, str], paths: list[str], given: _Given
) -> dict[str, _DumpPart]:
    """What each dump is, and whether it is committed; all of a user's mistakes that show before the work are found here."""
    by_content = {manifest.source["sha256"]: part for part, manifest in committed.items()}
    planned: dict[str, _DumpPart] = {}
    sites = {path: read_siteinfo(path) for path in map(absolute, paths)}  # all heads before the first file is read whole
    for path, site in sites.items():
        name = path.rstrip("/").rpartition("/")[2]
        _refuse_other_wiki(given.templates, site, path)
        sha256 = _checked_digest(path, given.allow_damaged)
        ranges = tuple(split_dump(path))
        source = {"name": name, "bytes": ranges[-1].size, "sha256": sha256}
        part = by_content.get(sha256) or part_id(name, sha256)
        if part in planned and planned[part].source["sha256"] != source["sha256"]:
            raise ValueError(f"{planned[part].path} and {path} are two files of the same part {part}: give one of them")
        old = committed.get(part)
        if old is not None and old.source["sha256"] != source["sha256"] and not given.overwrite:
            raise ValueError(
                f"part {part} is committed from another file than {path} ({old.source['bytes']:,} bytes, sha256 "
                f"{old.source['sha256'][:12]}…): use another corpus, or replace the part with --overwrite"
            )
        settings = _settle(part, name, committed, given, site)
        same = old is not None and old.source["sha256"] == source["sha256"] and old.settings == settings
        if part in lost or (same and old is not None and old.notes.get("gaps") and given.overwrite):
            same = False
        planned[part] = _DumpPart(
            part, path, ranges, source, site, settings, given.allow_damaged, corpus.url_of(), old if same else None
        )
    return planned


def _settle(part: str, name: str, committed: Mapping[str, Manifest], given: _Given, site: SiteInfo) -> dict[str, Any]:
    """Language, cleaner and templates of a part. A new part is cleaned as the others of its corpus are.

    raywiki's own cleaner and no templates are not written down: manifests of before there were others compare equal.
    """
    old, overwrite = committed.get(part), given.overwrite
    what = f"articles of part {part}"
    languages = [old.settings] if old else []
    settings = settle(what, languages, given.settings, {"language": site.language}, overwrite)
    of_corpus = what if old else "articles of this corpus"
    cleaners = [{"cleaner": "raywiki", **each.settings} for each in ([old] if old else committed.values())]
    settings |= settle(of_corpus, cleaners, given.settings, {"cleaner": "raywiki"}, overwrite)
    settings |= _settle_templates(of_corpus, name, old, committed, given, site, settings["cleaner"])
    unwritten = {"cleaner": "raywiki", "templates": NONE}
    return {key: value for key, value in settings.items() if value != unwritten.get(key)}


def _settle_templates(
    what: str, name: str, old: Manifest | None, committed: Mapping[str, Manifest], given: _Given, site: SiteInfo, cleaner: str
) -> dict[str, Any]:
    """Templates of a part: its own where its file is a whole wiki, else those of the wiki's other parts."""
    if cleaner != "raywiki":
        if given.settings["templates"] not in (None, NONE):
            raise ValueError(f"the cleaner {cleaner!r} knows no templates: leave --templates out")
        return {"templates": NONE}
    whole = is_whole_wiki(name)
    others = [each for each in committed.values() if wiki_of(each) == site.wiki and each.settings.get("templates") != OWN]
    known = [{"templates": NONE, **each.settings} for each in ([old] if old else [] if whole else others)]
    return settle(what, known, given.settings, {"templates": OWN if whole else NONE}, given.overwrite)


def _refuse_other_wiki(templates: TemplatesFile | None, site: SiteInfo, path: str) -> None:
    """The same name means something else in another wiki. A file that does not say its wiki is taken at the user's word."""
    if templates is not None and templates.wiki not in ("", site.wiki):
        raise ValueError(
            f"{templates.url} holds the templates of {templates.wiki}, but {path} is a dump of {site.wiki}: collect that "
            "wiki's with `raywiki templates`"
        )


def _with_templates(corpus: Corpus, part: _DumpPart, given: TemplatesFile | None) -> _DumpPart:
    """The part with the corpus's copy of the file of templates that its settings name."""
    digest = part.settings.get("templates", NONE)
    if digest in (NONE, OWN):
        return part
    if given is not None and given.sha256 == digest:
        return replace(part, templates=keep_copy(corpus, given))
    return part if part.committed else replace(part, templates=kept_copy(corpus, digest))


def _checked_digest(path: str, allow_damaged: bool) -> str:
    """SHA-256 of a dump, after a comparison with the checksum list that lies beside it, if one does."""
    listed = listed_digest(path)
    digests = dump_digests(path, ("sha256", listed[0]) if listed else ("sha256",))
    if listed and digests[listed[0]] != listed[1] and not allow_damaged:
        raise ValueError(f"{path} does not match its {listed[0]} in {listed[2]}: download it again, or pass --allow-damaged")
    return digests["sha256"]


@dataclass(frozen=True)
class _Range:
    """What a Ray task needs to extract one byte range; `ahead` is what one before it has read of it."""

    part: _DumpPart
    dump_range: DumpRange
    ahead: Account | None = None

    @property
    def kept(self) -> str:
        """Where a task keeps the pages that the next one cleans; no manifest names it."""
        corpus = Corpus(self.part.corpus)
        return corpus.url_of(self.part.folder, f"pages-{self.dump_range.index:05d}-{self.part.key}.arrow")


@dataclass(frozen=True)
class _Ahead:
    """What a Ray task returns that reads a range ahead."""

    account: Account
    templates: list[pa.Table]
    seconds: float


@dataclass(frozen=True)
class _Result:
    """What a Ray task returns: the shard it wrote, and what is needed to prove that nothing is lost.

    `templates` counts them by name: those `dropped`, `failed` and `guessed`.
    """

    shard: Shard | None
    account: Account
    counts: Counter[str]
    templates: dict[str, Counter[str]]
    examples: dict[str, dict[str, str]]
    seconds: float


def _extract_parts(tables: Tables, parts: list[_DumpPart]) -> Iterator[Manifest | Exception]:
    """Run the ranges of all parts through Ray; commit each part when its last range is there."""
    items = [_Range(part, dump_range) for part in parts for dump_range in part.ranges]
    to_read = [item for item in items if item.part.has_own_templates]
    try:
        ready, failed = _read_ahead(tables.corpus, to_read)
        yield from failed.values()
        items = [ready.get((item.part.part, item.dump_range.index), item) for item in items if item.part.part not in failed]
        yield from _clean_parts(tables, items)
    finally:
        for item in to_read:
            _remove(item.kept)


def _read_ahead(corpus: Corpus, items: Sequence[_Range]) -> tuple[dict[tuple[str, int], _Range], dict[str, Exception]]:
    """Read the ranges of parts that have their own templates, and write those, a part when its last range is read.

    Returns:
        The items with what is known now, by part and range; and for each part that cannot be read, why.
    """
    waiting = Counter(item.part.part for item in items)
    found: dict[str, dict[int, _Ahead | Exception]] = {item.part.part: {} for item in items}
    ready: dict[tuple[str, int], _Range] = {}
    failed: dict[str, Exception] = {}
    total = sum(item.dump_range.end - item.dump_range.start for item in items) / 1e6
    title = for_parts("read templates of", (item.part.part for item in items))
    with Progress("read templates", total, "MB of dump") as progress:
        for i, result in run(_read_range_ahead, items, name=title, places=_places(items)):
            item, name = items[i], items[i].part.part
            found[name][item.dump_range.index] = result
            waiting[name] -= 1
            progress.advance((item.dump_range.end - item.dump_range.start) / 1e6)
            if not waiting[name]:
                results = [each for _, each in sorted(found.pop(name).items())]
                wrong = next((each for each in results if isinstance(each, Exception)), None)
                if wrong is not None:
                    failed[name] = wrong
                    continue
                done = [each for each in results if isinstance(each, _Ahead)]
                part = _write_own_templates(corpus, item.part, done)
                for dump_range, each in zip(part.ranges, done, strict=True):
                    ready[name, dump_range.index] = _Range(part, dump_range, each.account)
    return ready, failed


def _write_own_templates(corpus: Corpus, part: _DumpPart, done: Sequence[_Ahead]) -> _DumpPart:
    """The part with the file of the templates that its ranges hold; without one when they hold none."""
    templates = merge_templates(table for each in done for table in each.templates)
    path = corpus.path(part.folder, f"_templates-{part.key}.parquet")
    written = write_templates(corpus.fs, path, templates, part.site.wiki)
    return replace(part, templates=written, seconds=sum(each.seconds for each in done))


def _read_range_ahead(item: _Range) -> _Ahead | Exception:
    """Ray task: templates and articles of one range, the articles into a file. See `_extract_range`."""
    started, part = time.monotonic(), item.part
    pages = RangePages(item.dump_range, part.allow_damaged)
    templates: list[pa.Table] = []

    def articles() -> Iterator[pa.Table]:
        for batch, kinds in pages:
            templates.append(pages_to_templates(batch))
            yield articles_of(batch, kinds)

    fs, path = url_to_fs(item.kept)
    try:
        keep_pages(fs, path, articles())
    except (ValueError, OSError) as error:
        return error
    return _Ahead(pages.account, templates, time.monotonic() - started)


def _clean_parts(tables: Tables, items: Sequence[_Range]) -> Iterator[Manifest | Exception]:
    """Clean ranges, and commit each part when its last range is there."""
    parts = {item.part.part: item.part for item in items}
    waiting = Counter(item.part.part for item in items)
    results: dict[str, dict[int, _Result | Exception]] = {name: {} for name in parts}
    title = for_parts("extract", parts)
    with Progress(title, sum(part.source["bytes"] for part in parts.values()) / 1e6, "MB of dump") as progress:
        for i, result in run(_extract_range, items, name=title, places=_places(items)):
            item = items[i]
            results[item.part.part][item.dump_range.index] = result
            waiting[item.part.part] -= 1
            read = result if isinstance(result, _Result) else None
            figures = (
                {"MB of XML": round(read.account.report.xml_bytes / 1e6), "articles": read.counts["articles"]} if read else {}
            )
            progress.advance((item.dump_range.end - item.dump_range.start) / 1e6, figures)
            if not waiting[item.part.part]:
                try:
                    yield _commit(tables, item.part, results.pop(item.part.part))
                except (ValueError, OSError) as error:
                    yield error


def _places(items: Sequence[_Range]) -> list[str]:
    """What the tasks of these ranges read and write."""
    return list(dict.fromkeys(place for item in items for place in (item.part.corpus, item.dump_range.path)))


def _extract_range(item: _Range) -> _Result | Exception:
    """Ray task: pages of one range to one shard. A user's problem is a value, so that other parts go on."""
    try:
        return extract_range(item)
    except (ValueError, OSError) as error:
        return error


def extract_range(item: _Range) -> _Result:
    """Read, clean and write one range, a batch of pages at a time."""
    started, part = time.monotonic(), item.part
    account, batches = _articles(item)
    counts: Counter[str] = Counter()
    templates: dict[str, Counter[str]] = {name: Counter() for name in TEMPLATE_COUNTS}
    examples: dict[str, dict[str, str]] = {}
    options: dict[str, Any] = {name: value for name, value in part.settings.items() if name != "templates"}
    if "cleaner" not in options:  # the other cleaner knows neither
        definitions = load_definitions(part.templates) if part.templates else None
        options |= {"examples": examples, "templates": definitions}
        options |= {name: templates[name] for name in ("failed", "guessed")}

    def tables() -> Iterator[pa.Table]:
        for pages in batches:
            articles = pages_to_articles(pages, namespaces=part.site.namespaces, base_url=part.site.base, **options)
            templates["dropped"].update(_dropped(articles))
            counts["cleaning_errors"] += articles.num_rows - articles["error"].null_count
            counts["characters"] += pc.sum(articles["n_chars"]).as_py() or 0
            yield articles

    corpus = Corpus(part.corpus)
    name = f"{item.dump_range.index:05d}-{part.key}.parquet"
    shard = corpus.write_shard(part.folder, name, tables(), ARTICLES, **PARQUET_OPTIONS)
    seconds = time.monotonic() - started
    _remove(item.kept)  # the disk is free again when the last range is cleaned
    return _Result(shard, account, counts + account.counts, templates, _most_frequent(examples, templates), seconds)


def _articles(item: _Range) -> tuple[Account, Iterator[pa.Table]]:
    """The articles' pages of a range, as they were kept where they were read ahead, else from the dump.

    Kept pages are gone when the machine fell silent after this task had ended; then it is done again.
    """
    fs, path = url_to_fs(item.kept)
    if item.ahead is not None and fs.exists(path):
        return item.ahead, kept_pages(item.kept)
    pages = RangePages(item.dump_range, item.part.allow_damaged)
    return pages.account, pages.articles()


def _remove(url: str) -> None:
    fs, path = url_to_fs(url)
    if fs.exists(path):
        fs.rm_file(path)


def _most_frequent(examples: dict[str, dict[str, str]], templates: Mapping[str, Counter[str]]) -> dict[str, dict[str, str]]:
    """The examples of the templates that were dropped, failed or guessed most often, of each so many."""
    names = dict.fromkeys(name for counter in templates.values() for name, _ in counter.most_common(MAX_EXAMPLES))
    return {name: examples[name] for name in names if name in examples}


def _dropped(articles: pa.Table) -> dict[str, int]:
    flat = pc.list_flatten(articles["dropped_templates"].combine_chunks())
    pairs = pa.table({"name": pc.struct_field(flat, "name"), "count": pc.struct_field(flat, "count")})
    summed = pairs.group_by("name").aggregate([("count", "sum")])
    return dict(zip(summed["name"].to_pylist(), summed["count_sum"].to_pylist(), strict=True))


def _commit(tables: Tables, part: _DumpPart, results: dict[int, _Result | Exception]) -> Manifest:
    """Prove that the ranges add up to the dump, then publish the part."""
    done = []
    for _, result in sorted(results.items()):
        if isinstance(result, Exception):
            raise result
        done.append(result)
    dump = check_ranges([result.account.report for result in done], allow_damaged=part.allow_damaged)
    counted: Counter[str] = sum((result.counts for result in done), Counter())
    counts = {name: counted[name] for name in KINDS}
    if not dump.counts["n_pages"]:
        raise ValueError(f"{part.path} holds no page: it is the dump of an empty wiki, or was cut right after its head")
    manifest = Manifest.made(
        "articles", part.part, part.settings, [result.shard for result in done],
        {"pages": dump.counts["n_pages"], **counts, "characters": counted["characters"]},
        seconds=part.seconds + sum(result.seconds for result in done), source=part.source,
        notes=_notes(part, dump, counted, _sum_templates(done)),
    )  # fmt: skip
    _refuse_repeated_pages(tables, part, manifest)
    return tables.commit(manifest, _details(done))


def _sum_templates(done: Sequence[_Result]) -> dict[str, Counter[str]]:
    return {name: sum((result.templates[name] for result in done), Counter()) for name in TEMPLATE_COUNTS}


def _details(done: list[_Result]) -> dict[str, Any]:
    """What only `inspect` and people ask for: what was dropped, with examples, and the first pages that could not be read."""
    templates = _sum_templates(done)
    examples = {name: example for result in reversed(done) for name, example in result.examples.items()}  # the first wins
    page_errors = [error for result in done for error in result.account.page_errors]
    return {
        "page_errors": page_errors[:MAX_PAGE_ERRORS],
        **{f"{name}_templates": dict(counter.most_common()) for name, counter in templates.items()},
        "template_examples": _most_frequent(examples, templates),
    }


def _notes(part: _DumpPart, dump: DumpReport, counted: Counter[str], templates: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """What is worth knowing of a part beside its counts."""
    warnings = [f"part {part.part}: {damage}" for damage in dump.damage]
    if counted["errors"]:
        warnings.append(f"part {part.part}: {counted['errors']} pages could not be read (page_errors in the notes)")
    if counted["cleaning_errors"]:
        warnings.append(f"part {part.part}: {counted['cleaning_errors']} articles could not be cleaned (column error)")
    if failed := templates["failed"]:
        most = ", ".join(f"{name} ×{count}" for name, count in failed.most_common(5)) + (" …" if len(failed) > 5 else "")
        warnings.append(f"part {part.part}: {plural(failed.total(), 'template')} failed and left nothing: {most}")
    if not dump.ascending:
        warnings.append(f"part {part.part}: page ids are not in ascending order")
    return {
        "wiki": part.site.wiki,
        "first_page_id": dump.first_page_id,
        "last_page_id": dump.last_page_id,
        "xml_bytes": dump.counts["xml_bytes"],
        "sha1_mismatches": dump.counts["n_sha1_mismatches"],
        "cleaning_errors": counted["cleaning_errors"],
        "gaps": [asdict(damage) for damage in dump.damage],
        "warnings": warnings,
        **_own_templates(part),
    }


def _own_templates(part: _DumpPart) -> dict[str, Any]:
    """The file of templates beside the shards, for a part that has one."""
    own = part.templates
    if own is None or not part.has_own_templates:
        return {}
    name = own.url.rpartition("/")[2]
    return {"templates": {"name": name, "rows": own.rows, "bytes": own.bytes, "sha256": own.sha256}}


def _refuse_repeated_pages(tables: Tables, part: _DumpPart, new: Manifest) -> None:
    """A page of a wiki is in a corpus once: a part of a newer dump that repeats some is an error."""
    corpus, first, last = tables.corpus, new.notes["first_page_id"], new.notes["last_page_id"]
    if first is None or last is None:
        return
    for other, manifest in tables.refresh("articles").items():  # another process may have committed one meanwhile
        notes = manifest.notes
        if other == part.part or notes.get("wiki") != part.site.wiki or notes["first_page_id"] is None:
            continue
        if notes["last_page_id"] < first or notes["first_page_id"] > last:
            continue
        there = set(scan_manifests(corpus, [manifest], ARTICLES).select("page_id").collect()["page_id"])
        for shard in new.shards:
            for table in corpus.iter_shard(new, shard, ["page_id"], batch_size=1 << 16):
                repeated = there.intersection(table["page_id"].to_pylist())
                if repeated:
                    raise ValueError(
                        f"{part.path} repeats pages that part {other} has (page id {min(repeated)}): a corpus holds each page "
                        "once; make a new corpus for another dump of the same wiki"
                    )


def _row(manifest: Manifest, state: str) -> dict[str, Any]:
    names = ("pages", "articles", "redirects", "other_namespaces", "errors")
    return {"part": manifest.part, "state": state, **{name: manifest.counts[name] for name in names}}
