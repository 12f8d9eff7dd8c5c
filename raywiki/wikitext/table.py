"""A table of pages → a table of articles: the kernel of `extract`, for any Arrow batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa

from raywiki.schema import ARTICLES
from raywiki.wikitext.clean import clean_wikitext

_UNQUOTED = ";@$!*(),/~:"  # what MediaWiki's wfUrlencode leaves readable in a path

_Row = dict[str, Any]


def pages_to_articles(
    pages: pa.Table,
    *,
    language: str = "en",
    namespaces: Mapping[int, str] | None = None,
    base_url: str = "https://en.wikipedia.org/wiki/Main_Page",
    **options: Any,
) -> pa.Table:
    """Articles of a table of pages: one row for each page of the main namespace that is no redirect and holds wikitext.

    Other pages are left out; the order stays. A page that cannot be cleaned becomes a row with `error` and its text
    stripped of markup in the plainest way, so no page is lost.

    Args:
        pages: table with the columns of `raywiki.schema.PAGES`.
        language: language code of the wiki, for templates, names and number formats.
        namespaces: namespace names by id, as in the dump's `siteinfo`.
        base_url: address of the wiki's main page, as in the dump's `siteinfo`; article addresses are made from it.
        options: more keyword arguments of `clean_wikitext`.

    Returns:
        A table with the schema `raywiki.schema.ARTICLES`.

    >>> import pyarrow as pa
    >>> from raywiki.schema import PAGES
    >>> pages = pa.Table.from_pylist([{"page_id": 1, "namespace": 0, "title": "Ox", "text": "An ox."}], schema=PAGES)
    >>> pages_to_articles(pages, language="en", base_url="https://en.wikipedia.org/wiki/Main_Page")["url"].to_pylist()
    ['https://en.wikipedia.org/wiki/Ox']
    """
    wanted = pages.select(["namespace", "redirect", "model", "text"]).to_pydict()
    keep = [
        i
        for i, (namespace, redirect, model, text) in enumerate(zip(*wanted.values(), strict=True))
        if namespace == 0 and redirect is None and model in (None, "wikitext") and text is not None
    ]
    address = _article_address(base_url)
    rows = [
        _article(
            page,
            language=language,
            namespaces=namespaces,
            address=address,
            options=options,
        )
        for page in pages.take(pa.array(keep, pa.int64())).to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=ARTICLES)


def _article(
    page: _Row,
    *,
    language: str,
    namespaces: Mapping[int, str] | None,
    address: str,
    options: dict[str, Any],
) -> _Row:
    clean = clean_wikitext(
        page["text"],
        language=language,
        namespaces=namespaces,
        title=page["title"],
        timestamp=page["timestamp"],
        **options,
    )
    errors = [error for error in (page["error"], clean.error) if error]
    return {
        "page_id": page["page_id"],
        "revision_id": page["revision_id"],
        "timestamp": page["timestamp"],
        "title": page["title"],
        "url": address + quote(page["title"].replace(" ", "_"), safe=_UNQUOTED),
        "text": clean.text,
        "n_chars": len(clean.text),
        "categories": clean.categories,
        "is_disambiguation": clean.is_disambiguation,
        "dropped_templates": [{"name": name, "count": count} for name, count in clean.dropped_templates.items()],
        "sha1_ok": page["sha1_ok"],
        "error": "; ".join(errors) or None,
    }


def _article_address(base_url: str) -> str:
    """Where the wiki's articles lie: `https://en.wikipedia.org/wiki/`."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/wiki/"
