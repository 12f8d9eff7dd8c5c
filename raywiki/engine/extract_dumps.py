"""extract, of dumps: what it writes for each range, what it reads ahead of a whole wiki, and how a part is committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fsspec.core import url_to_fs

from raywiki.corpus import Corpus, Tables
from raywiki.dumps import DumpRange, DumpReport, check_ranges
from raywiki.engine.extract_plan import DumpPart
from raywiki.engine.pages import MAX_PAGE_ERRORS, Account, RangePages, articles_of, keep_pages, kept_pages
from raywiki.local.templates import load_definitions, write_templates
from raywiki.manifest import SUMS, Manifest, Shard
from raywiki.scan import scan_manifests
from raywiki.schema import ARTICLES
from raywiki.summary import plural
from raywiki.wikitext import pages_to_articles
from raywiki.wikitext.template_pages import merge_templates, pages_to_templates

MAX_EXAMPLES = 500  # dropped templates that have an example in the notes: those dropped most often
TEMPLATE_COUNTS = ("dropped", "failed", "guessed")
KINDS = SUMS["articles"][1]
PARQUET_OPTIONS = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": ["categories.list.element", "dropped_templates.list.element.name"],
    "write_statistics": ["page_id", "revision_id", "n_chars"],
}


@dataclass(frozen=True)
class Ahead:
    """What was read of a range before it is cleaned; its articles' pages are in the file of `kept_url`."""

    account: Account
    templates: list[pa.Table]
    seconds: float


@dataclass(frozen=True)
class DumpResult:
    """What came of a range: its shard, and what is needed to prove that nothing is lost.

    `templates` counts them by name: those `dropped`, `failed` and `guessed`.
    """

    shard: Shard | None
    account: Account
    counts: Counter[str]
    templates: dict[str, Counter[str]]
    examples: dict[str, dict[str, str]]
    seconds: float

    @property
    def figures(self) -> dict[str, int]:
        """For the progress bar."""
        return {"MB of XML": round(self.account.report.xml_bytes / 1e6), "articles": self.counts["articles"]}


def kept_url(part: DumpPart, dump_range: DumpRange) -> str:
    """Where the pages of a range are kept from its reading to its cleaning; no manifest names the file."""
    return Corpus(part.corpus).url_of(part.folder, f"pages-{dump_range.index:05d}-{part.key}.arrow")


def read_dump_range_ahead(part: DumpPart, dump_range: DumpRange) -> Ahead:
    """Read one range: its templates, and its articles' pages into a file."""
    started = time.monotonic()
    pages = RangePages(dump_range, part.allow_damaged)
    templates: list[pa.Table] = []

    def articles() -> Iterator[pa.Table]:
        for batch, kinds in pages:
            templates.append(pages_to_templates(batch))
            yield articles_of(batch, kinds)

    fs, path = url_to_fs(kept_url(part, dump_range))
    keep_pages(fs, path, articles())
    return Ahead(pages.account, templates, time.monotonic() - started)


def write_own_templates(corpus: Corpus, part: DumpPart, ahead: Sequence[Ahead]) -> DumpPart:
    """The part with the file of the templates that its ranges hold; without one when they hold none."""
    templates = merge_templates(table for each in ahead for table in each.templates)
    path = corpus.path(part.folder, f"_templates-{part.key}.parquet")
    written = write_templates(corpus.fs, path, templates, part.site.wiki)
    return replace(part, templates=written, seconds=sum(each.seconds for each in ahead))


def extract_dump_range(part: DumpPart, dump_range: DumpRange, ahead: Account | None = None) -> DumpResult:
    """Read, clean and write one range, a batch of pages at a time; `ahead` is what is known of one that was read ahead."""
    started = time.monotonic()
    account, batches = _articles(part, dump_range, ahead)
    counts: Counter[str] = Counter()
    templates: dict[str, Counter[str]] = {name: Counter() for name in TEMPLATE_COUNTS}
    examples: dict[str, dict[str, str]] = {}
    options: dict[str, Any] = {name: part.settings[name] for name in ("language", "cleaner") if name in part.settings}
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

    name = f"{dump_range.index:05d}-{part.key}.parquet"
    shard = Corpus(part.corpus).write_shard(part.folder, name, tables(), ARTICLES, **PARQUET_OPTIONS)
    seconds = time.monotonic() - started
    return DumpResult(shard, account, counts + account.counts, templates, _most_frequent(examples, templates), seconds)


def _articles(part: DumpPart, dump_range: DumpRange, ahead: Account | None) -> tuple[Account, Iterator[pa.Table]]:
    """The articles' pages of a range, as they were kept where they were read ahead, else from the dump.

    Kept pages are gone when the machine fell silent after this task had ended; then it is done again.
    """
    url = kept_url(part, dump_range)
    fs, path = url_to_fs(url)
    if ahead is not None and fs.exists(path):
        return ahead, kept_pages(url)
    pages = RangePages(dump_range, part.allow_damaged)
    return pages.account, pages.articles()


def _most_frequent(examples: dict[str, dict[str, str]], templates: Mapping[str, Counter[str]]) -> dict[str, dict[str, str]]:
    """The examples of the templates that were dropped, failed or guessed most often, of each so many."""
    names = dict.fromkeys(name for counter in templates.values() for name, _ in counter.most_common(MAX_EXAMPLES))
    return {name: examples[name] for name in names if name in examples}


def _dropped(articles: pa.Table) -> dict[str, int]:
    flat = pc.list_flatten(articles["dropped_templates"].combine_chunks())
    pairs = pa.table({"name": pc.struct_field(flat, "name"), "count": pc.struct_field(flat, "count")})
    summed = pairs.group_by("name").aggregate([("count", "sum")])
    return dict(zip(summed["name"].to_pylist(), summed["count_sum"].to_pylist(), strict=True))


def commit_dump(tables: Tables, part: DumpPart, done: Sequence[DumpResult]) -> Manifest:
    """Prove that the ranges add up to the dump, then publish the part."""
    dump = check_ranges([result.account.report for result in done], allow_damaged=part.allow_damaged)
    counted: Counter[str] = sum((result.counts for result in done), Counter())
    counts = {name: counted[name] for name in KINDS}
    if not dump.counts["n_pages"]:
        raise ValueError(f"{part.path} holds no page: it is the dump of an empty wiki, or was cut right after its head")
    named = {"of": part.settings["source"]} if "source" in part.settings else {}
    manifest = Manifest.made(
        "articles", part.part, part.settings, [result.shard for result in done],
        {"pages": dump.counts["n_pages"], **counts, "characters": counted["characters"]},
        seconds=part.seconds + sum(result.seconds for result in done), source=part.source | named,
        notes=_notes(part, dump, counted, _sum_templates(done)),
    )  # fmt: skip
    _refuse_repeated_pages(tables, part, manifest)
    return tables.commit(manifest, _details(done))


def _sum_templates(done: Sequence[DumpResult]) -> dict[str, Counter[str]]:
    return {name: sum((result.templates[name] for result in done), Counter()) for name in TEMPLATE_COUNTS}


def _details(done: Sequence[DumpResult]) -> dict[str, Any]:
    """What only `inspect` and people ask for: what was dropped, with examples, and the first pages that could not be read."""
    templates = _sum_templates(done)
    examples = {name: example for result in reversed(done) for name, example in result.examples.items()}  # the first wins
    page_errors = [error for result in done for error in result.account.page_errors]
    return {
        "page_errors": page_errors[:MAX_PAGE_ERRORS],
        **{f"{name}_templates": dict(counter.most_common()) for name, counter in templates.items()},
        "template_examples": _most_frequent(examples, templates),
    }


def _notes(part: DumpPart, dump: DumpReport, counted: Counter[str], templates: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """What is worth knowing of a part beside its counts."""
    return {
        "wiki": part.site.wiki,
        "first_page_id": dump.first_page_id,
        "last_page_id": dump.last_page_id,
        "xml_bytes": dump.counts["xml_bytes"],
        "sha1_mismatches": dump.counts["n_sha1_mismatches"],
        "cleaning_errors": counted["cleaning_errors"],
        "gaps": [asdict(damage) for damage in dump.damage],
        "warnings": [f"part {part.part}: {warning}" for warning in _warnings(part, dump, counted, templates["failed"])],
        **_own_templates(part),
    }


def _warnings(part: DumpPart, dump: DumpReport, counted: Counter[str], failed: Counter[str]) -> list[str]:
    warnings = [str(damage) for damage in dump.damage]
    if part.site.is_guessed:
        warnings.append(
            f"its dump has no <siteinfo>; it was read as one of {part.site.wiki} in the language {part.settings['language']}, "
            "without the wiki's own names of namespaces"
        )
    if counted["errors"]:
        warnings.append(f"{counted['errors']} pages could not be read (page_errors in the notes)")
    if counted["cleaning_errors"]:
        warnings.append(f"{counted['cleaning_errors']} articles could not be cleaned (column error)")
    if failed:
        most = ", ".join(f"{name} ×{count}" for name, count in failed.most_common(5)) + (" …" if len(failed) > 5 else "")
        warnings.append(f"{plural(failed.total(), 'template')} failed and left nothing: {most}")
    if not dump.ascending:
        warnings.append("page ids are not in ascending order")
    return warnings


def _own_templates(part: DumpPart) -> dict[str, Any]:
    """The file of templates beside the shards, for a part that has one."""
    own = part.templates
    if own is None or not part.has_own_templates:
        return {}
    name = own.url.rpartition("/")[2]
    return {"templates": {"name": name, "rows": own.rows, "bytes": own.bytes, "sha256": own.sha256}}


def _refuse_repeated_pages(tables: Tables, part: DumpPart, new: Manifest) -> None:
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
