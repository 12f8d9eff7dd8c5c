"""A table of pages → a table of articles: the kernel of `extract`, for any Arrow batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from raywiki.schema import ARTICLES
from raywiki.wikitext.clean import clean_wikitext
from raywiki.wikitext.definitions import Definitions
from raywiki.wikitext.mwparser import clean_with_mwparserfromhell
from raywiki.wikitext.page import CleanText

CLEANERS: dict[str, Callable[..., CleanText]] = {"raywiki": clean_wikitext, "mwparserfromhell": clean_with_mwparserfromhell}
_UNQUOTED = ";@$!*(),/~:"  # what MediaWiki's wfUrlencode leaves readable in a path


def pages_to_articles(
    pages: pa.Table,
    *,
    language: str = "en",
    namespaces: Mapping[int, str] | None = None,
    base_url: str = "https://en.wikipedia.org/wiki/Main_Page",
    cleaner: str = "raywiki",
    templates: Definitions | None = None,
    failed: Counter[str] | None = None,
    guessed: Counter[str] | None = None,
    **options: Any,
) -> pa.Table:
    """Articles of a table of pages: one row for each page of the main namespace that is no redirect and holds wikitext.

    Other pages are left out; the order stays. A page that cannot be cleaned becomes a row with `error` and the text
    that mwparserfromhell makes of it, so no page is lost.

    Args:
        pages: table with the columns of `raywiki.schema.PAGES`.
        language: language code of the wiki, for templates, names and number formats.
        namespaces: namespace names by id, as in the dump's `siteinfo`.
        base_url: address of the wiki's main page, as in the dump's `siteinfo`; article addresses are made from it.
        cleaner: "raywiki", or "mwparserfromhell" for the text of the Hugging Face hub's data set, to compare with.
        templates: the wiki's own templates; None: none are known. mwparserfromhell knows none.
        failed, guessed: counters to add the `failed_templates` and `guessed_templates` of all pages to (`CleanText`).
        options: more keyword arguments of `clean_wikitext`; mwparserfromhell has none.

    Returns:
        A table with the schema `raywiki.schema.ARTICLES`.

    Raises:
        ValueError: there is no such cleaner, or it is mwparserfromhell and has no such option.

    >>> import pyarrow as pa
    >>> from raywiki.schema import PAGES
    >>> pages = pa.Table.from_pylist([{"page_id": 1, "namespace": 0, "title": "Ox", "text": "An ox."}], schema=PAGES)
    >>> pages_to_articles(pages, language="en", base_url="https://en.wikipedia.org/wiki/Main_Page")["url"].to_pylist()
    ['https://en.wikipedia.org/wiki/Ox']
    """
    check_cleaner(cleaner)
    if templates is not None:
        options["templates"] = templates
    if cleaner != "raywiki" and options:
        raise ValueError(f"the cleaner {cleaner!r} has no option {', '.join(options)}: leave it out")
    pages = pages.filter(_is_article(pages))
    address = _article_address(base_url)
    names = ("page_id", "revision_id", "timestamp", "title", "sha1_ok")
    columns: dict[str, list[Any]] = {name: pages[name].to_pylist() for name in names}
    texts, errors = pages["text"].to_pylist(), pages["error"].to_pylist()
    clean = [
        CLEANERS[cleaner](text, language=language, namespaces=namespaces, title=title, timestamp=timestamp, **options)
        for text, title, timestamp in zip(texts, columns["title"], columns["timestamp"], strict=True)
    ]
    columns["url"] = [address + quote(title.replace(" ", "_"), safe=_UNQUOTED) for title in columns["title"]]
    columns["text"] = [each.text for each in clean]
    columns["n_chars"] = [len(each.text) for each in clean]
    columns["categories"] = [each.categories for each in clean]
    columns["is_disambiguation"] = [each.is_disambiguation for each in clean]
    columns["dropped_templates"] = [
        [{"name": name, "count": count} for name, count in each.dropped_templates.items()] for each in clean
    ]
    for each in clean:
        (Counter() if failed is None else failed).update(each.failed_templates)
        (Counter() if guessed is None else guessed).update(each.guessed_templates)
    columns["error"] = ["; ".join(filter(None, (error, each.error))) or None for error, each in zip(errors, clean, strict=True)]
    return pa.Table.from_pydict(columns, schema=ARTICLES)


def check_cleaner(name: str) -> None:
    """Raises a ValueError that lists the cleaners when there is none of this name."""
    if name not in CLEANERS:
        raise ValueError(f"unknown cleaner {name!r}: it is {' or '.join(CLEANERS)}")


def holds_wikitext(pages: pa.Table) -> pa.ChunkedArray:
    """True for each page whose content model is wikitext, or that is of before there were others."""
    return pc.or_kleene(pc.is_null(pages["model"]), pc.equal(pages["model"], "wikitext"))


def _is_article(pages: pa.Table) -> pa.ChunkedArray:
    """True for each page of the main namespace that is no redirect and holds wikitext."""
    article = pc.and_(pc.equal(pages["namespace"], 0), pc.is_null(pages["redirect"]))
    return pc.and_(pc.and_(article, holds_wikitext(pages)), pc.is_valid(pages["text"]))


def _article_address(base_url: str) -> str:
    """Where the wiki's articles lie: `https://en.wikipedia.org/wiki/`."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/wiki/"
