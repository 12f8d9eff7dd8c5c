"""extract: dump parts to the articles table, one Ray task and one shard for each byte range of a dump."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

import raywiki
from raywiki.corpus import Corpus, Tables
from raywiki.dumps import DumpRange, DumpReport, RangeReport, SiteInfo, check_ranges, read_range, read_siteinfo, split_dump
from raywiki.dumps.checksums import dump_digests, listed_digest
from raywiki.dumps.texts import DUMP, TextReport, check_format, split_text, text_digest
from raywiki.engine.cluster import run
from raywiki.engine.extract_texts import check_source, extract_text_range, find_formats, text_manifest, text_settings
from raywiki.files import absolute
from raywiki.manifest import SUMS, WIKI, Manifest, Shard, is_dump, part_folder, part_id, part_order, settle, shard_key
from raywiki.progress import Progress
from raywiki.scan import scan_manifests
from raywiki.schema import ARTICLES
from raywiki.summary import Summary, articles_notes, articles_warnings, lost_parts
from raywiki.wikitext import pages_to_articles
from raywiki.wikitext.table import check_cleaner, holds_wikitext

MAX_EXAMPLES = 500  # dropped templates that have an example in the notes: those dropped most often
MAX_PAGE_ERRORS = 100  # described in the notes; all are counted
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
    language: str | None = None, cleaner: str | None = None, format: str | None = None, source: str | None = None,
    allow_damaged: bool = False, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Turn dump parts, or other text, into the articles table; parts that are committed are left alone.

    A part is known by its content, so a renamed or moved file is still the part that it was.

    Args:
        corpus: folder or URL of the corpus; made when missing.
        dumps: dump parts (`.xml`, `.xml.bz2`, `.xml.gz`, `.xml.zst`), or files of other text, paths or URLs.
        language: language code for templates and names; when None the dump's own, for other text that of the corpus, else en.
        cleaner: "raywiki", or "mwparserfromhell" for the text of the Hugging Face hub's data set, to compare with; when None
            what the corpus is cleaned with, else raywiki.
        format: of all these files, one of `raywiki.dumps.texts.FORMATS`: "dump", "c4", "jsonl", "parquet", "text" (a file, or
            each file of a folder, is a document) or "blocks" (blank lines part documents); when None what each looks like.
        source: a word for what the text is from, by which `train(mix=…)` shares out a mixture; "wiki" for dumps and the name
            of the format for other text when None.
        allow_damaged: commit what a damaged dump still holds, with the gaps in the manifest.
        overwrite: redo parts that are committed from another file or with other settings.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: a dump is not there.
        OSError: the corpus cannot be written to.
        ValueError: there is no such cleaner or format; a file is no dump and no other text, is damaged, or holds no page;
            its part is committed from another file, with another language or by another cleaner; page ids are in the corpus
            already. Parts that are fine are committed before it is raised.
    """
    started = time.monotonic()
    check_language(language)
    if cleaner is not None:
        check_cleaner(cleaner)
    check_format(format)
    check_source(source)
    corpus = Corpus.open(corpus).writable()
    paths = [dumps] if isinstance(dumps, str | os.PathLike) else list(dumps)
    tables = corpus.tables()
    lost = lost_parts(tables, "articles")
    given = {"language": language, "cleaner": cleaner, "format": format, "source": source}
    parts = _plan(corpus, tables["articles"], lost, [os.fspath(path) for path in paths], given, allow_damaged, overwrite)
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


@dataclass(frozen=True)
class _DumpPart:
    """One dump part of this call; `committed` is its manifest when there is nothing to do."""

    part: str
    path: str
    ranges: tuple[DumpRange, ...]
    source: dict[str, Any]
    site: SiteInfo | None  # None: text that is no dump
    settings: dict[str, Any]
    allow_damaged: bool
    corpus: str
    committed: Manifest | None

    @property
    def key(self) -> str:
        return shard_key(self.source["sha256"], self.settings, self.allow_damaged, raywiki.__version__)


def _plan(
    corpus: Corpus, committed: Mapping[str, Manifest], lost: Mapping[str, str], paths: list[str],
    given: Mapping[str, str | None], allow_damaged: bool, overwrite: bool,
) -> dict[str, _DumpPart]:  # fmt: skip
    """What each dump is, and whether it is committed; all of a user's mistakes that show before the work are found here."""
    by_content = {manifest.source["sha256"]: part for part, manifest in committed.items()}
    planned: dict[str, _DumpPart] = {}
    formats = find_formats([absolute(path) for path in paths], given["format"])
    sites = {  # all heads before the first file is read whole
        path: read_siteinfo(path, given["language"]) if form == DUMP else None for path, form in formats.items()
    }
    for path, site in sites.items():
        name = path.rstrip("/").rpartition("/")[2]
        ranges = tuple(split_dump(path) if site else split_text(path, formats[path]))
        sha256 = text_digest(path) if ranges[0].form == "folder" else _checked_digest(path, allow_damaged)
        source = {"name": name, "bytes": ranges[-1].size, "sha256": sha256}
        part = by_content.get(sha256) or part_id(name, sha256)
        if part in planned and planned[part].source["sha256"] != source["sha256"]:
            raise ValueError(f"{planned[part].path} and {path} are two files of the same part {part}: give one of them")
        old = committed.get(part)
        if old is not None and old.source["sha256"] != source["sha256"] and not overwrite:
            raise ValueError(
                f"part {part} is committed from another file than {path} ({old.source['bytes']:,} bytes, sha256 "
                f"{old.source['sha256'][:12]}…): use another corpus, or replace the part with --overwrite"
            )
        if site is not None:
            settings = _settle(part, committed, given, site, overwrite)
        else:
            settings = text_settings(part, committed, given, formats[path], overwrite)
            ranges = tuple(split_text(path, settings["format"]))
        same = old is not None and old.source["sha256"] == source["sha256"] and old.settings == settings
        if part in lost or (same and old is not None and old.notes.get("gaps") and overwrite):
            same = False
        planned[part] = _DumpPart(
            part, path, ranges, source, site, settings, allow_damaged, corpus.url_of(), old if same else None
        )
    return planned


def _settle(
    part: str, committed: Mapping[str, Manifest], given: Mapping[str, str | None], site: SiteInfo, overwrite: bool
) -> dict[str, Any]:
    """Language and cleaner of a part, and its source where that has a name. A new part is cleaned as the others of its corpus.

    raywiki's own cleaner is not written down: manifests of before there was another compare equal.
    """
    old = committed.get(part)
    if old is not None and not is_dump(old) and not overwrite:
        raise ValueError(f"part {part} is committed with format={old.settings['format']!r}, not 'dump': leave format as it is")
    dumps = [each for each in ([old] if old else committed.values()) if is_dump(each)]
    languages = [old.settings] if old else []
    cleaners = [{"cleaner": "raywiki", **each.settings} for each in dumps]
    sources = [{"source": WIKI, **old.settings}] if old else []
    settings = settle(f"articles of part {part}", languages, given, {"language": site.language}, overwrite)
    what = f"articles of part {part}" if old else "articles of this corpus"
    cleaner = settle(what, cleaners, given, {"cleaner": "raywiki"}, overwrite)
    source = settle(f"articles of part {part}", sources, given, {"source": WIKI}, overwrite)
    own = {"cleaner": "raywiki", "source": WIKI}
    return settings | {name: value for name, value in (cleaner | source).items() if value != own[name]}


def _checked_digest(path: str, allow_damaged: bool) -> str:
    """SHA-256 of a dump, after a comparison with the checksum list that lies beside it, if one does."""
    listed = listed_digest(path)
    digests = dump_digests(path, ("sha256", listed[0]) if listed else ("sha256",))
    if listed and digests[listed[0]] != listed[1] and not allow_damaged:
        raise ValueError(f"{path} does not match its {listed[0]} in {listed[2]}: download it again, or pass --allow-damaged")
    return digests["sha256"]


@dataclass(frozen=True)
class _Range:
    """What a Ray task needs to extract one byte range."""

    part: _DumpPart
    dump_range: DumpRange


@dataclass(frozen=True)
class _Result:
    """What a Ray task returns: the shard it wrote, and what is needed to prove that nothing is lost."""

    shard: Shard | None
    report: RangeReport | TextReport
    counts: Counter[str]
    dropped_templates: Counter[str]
    examples: dict[str, dict[str, str]]
    page_errors: list[dict[str, Any]]
    seconds: float


def _extract_parts(tables: Tables, parts: list[_DumpPart]) -> Iterator[Manifest | Exception]:
    """Run the ranges of all parts through Ray; commit each part when its last range is there."""
    items = [_Range(part, dump_range) for part in parts for dump_range in part.ranges]
    waiting = Counter(item.part.part for item in items)
    results: dict[str, dict[int, _Result | Exception]] = {part.part: {} for part in parts}
    title = parts[0].part if len(parts) == 1 else f"{len(parts)} parts"
    with Progress(f"extract {title}", sum(part.source["bytes"] for part in parts) / 1e6, "MB of dump") as progress:
        for i, result in run(_extract_range, items):
            item = items[i]
            results[item.part.part][item.dump_range.index] = result
            waiting[item.part.part] -= 1
            read = result if isinstance(result, _Result) else None
            figures = {"MB of XML": round(read.report.xml_bytes / 1e6), "articles": read.counts["articles"]} if read else {}
            progress.advance((item.dump_range.end - item.dump_range.start) / 1e6, figures)
            if not waiting[item.part.part]:
                try:
                    yield _commit(tables, item.part, results.pop(item.part.part))
                except (ValueError, OSError) as error:
                    yield error


def _extract_range(item: _Range) -> _Result | Exception:
    """Ray task: pages of one range to one shard. A user's problem is a value, so that other parts go on."""
    try:
        return extract_range(item)
    except (ValueError, OSError) as error:
        return error


def extract_range(item: _Range) -> _Result:
    """Read, clean and write one range, a batch of pages at a time."""
    started, part = time.monotonic(), item.part
    if part.site is None:
        where = Corpus(part.corpus), part_folder("articles", part.part), part.key
        shard, report = extract_text_range(*where, item.dump_range, part.settings["format"], part.allow_damaged)
        counts = Counter(articles=report.pages - report.errors)
        return _Result(shard, report, counts, Counter(), {}, [], time.monotonic() - started)
    site, reader = part.site, read_range(item.dump_range, allow_damaged=part.allow_damaged)
    counts = Counter[str]()
    dropped: Counter[str] = Counter()
    examples: dict[str, dict[str, str]] = {}
    page_errors: list[dict[str, Any]] = []
    options = {name: value for name, value in part.settings.items() if name != "source"}
    options |= {} if "cleaner" in options else {"examples": examples}

    def tables() -> Iterator[pa.Table]:
        for pages in reader:
            kinds = page_kinds(pages)
            counts.update(kinds.to_pylist())
            wrong = pages.filter(pc.equal(kinds, "errors")).select(["page_id", "title", "error"])
            page_errors.extend(wrong.slice(0, MAX_PAGE_ERRORS - len(page_errors)).to_pylist())
            articles = pages_to_articles(
                pages.filter(pc.equal(kinds, "articles")),
                namespaces=site.namespaces,
                base_url=site.base,
                **options,
            )
            dropped.update(_dropped(articles))
            counts["cleaning_errors"] += articles.num_rows - articles["error"].null_count
            counts["characters"] += pc.sum(articles["n_chars"]).as_py() or 0
            yield articles

    corpus = Corpus(part.corpus)
    name = f"{item.dump_range.index:05d}-{part.key}.parquet"
    shard = corpus.write_shard(part_folder("articles", part.part), name, tables(), ARTICLES, **PARQUET_OPTIONS)
    seconds = time.monotonic() - started
    return _Result(shard, reader.report, counts, dropped, _most_dropped(examples, dropped), page_errors, seconds)


def _most_dropped(examples: dict[str, dict[str, str]], dropped: Counter[str]) -> dict[str, dict[str, str]]:
    """The examples of the templates that were dropped most often."""
    return {name: examples[name] for name, _ in dropped.most_common(MAX_EXAMPLES) if name in examples}


def page_kinds(pages: pa.Table) -> pa.Array:
    """What each page is: one of the counts that must add up to all pages (`raywiki.manifest.SUMS`)."""
    kinds = pc.case_when(
        pc.make_struct(
            pc.is_valid(pages["error"]),
            pc.is_valid(pages["redirect"]),
            pc.not_equal(pages["namespace"], 0),
            pc.invert(holds_wikitext(pages)),
            pc.is_null(pages["text"]),
        ),
        *(pa.scalar(kind) for kind in ("errors", "redirects", "other_namespaces", "other_models", "deleted", "articles")),
    )
    return kinds.combine_chunks() if isinstance(kinds, pa.ChunkedArray) else kinds


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
    seconds = sum(result.seconds for result in done)
    if part.site is None:
        shards, reports = [result.shard for result in done], [cast(TextReport, result.report) for result in done]
        made, broken = text_manifest(tables.corpus, part.part, part.settings, part.source, shards, reports, seconds)
        return tables.commit(made, {"page_errors": broken, "dropped_templates": {}, "template_examples": {}})
    dump = check_ranges([cast(RangeReport, result.report) for result in done], allow_damaged=part.allow_damaged)
    counted: Counter[str] = sum((result.counts for result in done), Counter())
    counts = {name: counted[name] for name in KINDS}
    if not dump.counts["n_pages"]:
        raise ValueError(f"{part.path} holds no page: it is the dump of an empty wiki, or was cut right after its head")
    named = {"of": part.settings["source"]} if "source" in part.settings else {}
    manifest = Manifest.made(
        "articles", part.part, part.settings, [result.shard for result in done],
        {"pages": dump.counts["n_pages"], **counts, "characters": counted["characters"]},
        seconds=seconds, source=part.source | named, notes=_notes(part, part.site, dump, counted),
    )  # fmt: skip
    _refuse_repeated_pages(tables, part, manifest)
    return tables.commit(manifest, _details(done))


def _details(done: list[_Result]) -> dict[str, Any]:
    """What only `inspect` and people ask for: what was dropped, with examples, and the first pages that could not be read."""
    dropped: Counter[str] = sum((result.dropped_templates for result in done), Counter())
    examples = {name: example for result in reversed(done) for name, example in result.examples.items()}  # the first wins
    page_errors = [error for result in done for error in result.page_errors]
    return {
        "page_errors": page_errors[:MAX_PAGE_ERRORS],
        "dropped_templates": dict(dropped.most_common()),
        "template_examples": _most_dropped(examples, dropped),
    }


def _notes(part: _DumpPart, site: SiteInfo, dump: DumpReport, counted: Counter[str]) -> dict[str, Any]:
    """What is worth knowing of a part beside its counts."""
    warnings = [f"part {part.part}: {damage}" for damage in dump.damage]
    if site.is_guessed:
        warnings.append(
            f"part {part.part}: its dump has no <siteinfo>; it was read as one of {site.wiki} in the language "
            f"{part.settings['language']}, without the wiki's own names of namespaces"
        )
    if counted["errors"]:
        warnings.append(f"part {part.part}: {counted['errors']} pages could not be read (page_errors in the notes)")
    if counted["cleaning_errors"]:
        warnings.append(f"part {part.part}: {counted['cleaning_errors']} articles could not be cleaned (column error)")
    if not dump.ascending:
        warnings.append(f"part {part.part}: page ids are not in ascending order")
    return {
        "wiki": site.wiki,
        "first_page_id": dump.first_page_id,
        "last_page_id": dump.last_page_id,
        "xml_bytes": dump.counts["xml_bytes"],
        "sha1_mismatches": dump.counts["n_sha1_mismatches"],
        "cleaning_errors": counted["cleaning_errors"],
        "gaps": [asdict(damage) for damage in dump.damage],
        "warnings": warnings,
    }


def _refuse_repeated_pages(tables: Tables, part: _DumpPart, new: Manifest) -> None:
    """A page of a wiki is in a corpus once: a part of a newer dump that repeats some is an error."""
    corpus, first, last = tables.corpus, new.notes["first_page_id"], new.notes["last_page_id"]
    wiki = new.notes["wiki"]
    if first is None or last is None:
        return
    for other, manifest in tables.refresh("articles").items():  # another process may have committed one meanwhile
        notes = manifest.notes
        if other == part.part or notes.get("wiki") != wiki or notes["first_page_id"] is None:
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
