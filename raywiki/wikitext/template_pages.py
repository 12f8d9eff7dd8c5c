"""Pages of the template namespace → the table of a wiki's templates: name → definition, or the name redirected to."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from raywiki.schema import TEMPLATES
from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.table import holds_wikitext

NAMESPACE = 10  # https://www.mediawiki.org/wiki/Manual:Namespace#Built-in_namespaces


def is_template_page(pages: pa.Table) -> pa.ChunkedArray:
    """True for each page of the template namespace, of whatever kind."""
    return pc.equal(pages["namespace"], NAMESPACE)


def pages_to_templates(pages: pa.Table) -> pa.Table:
    """The templates among pages, in the order of the pages: those with wikitext, and redirects to another template.

    What is left out defines nothing: a page that was deleted or could not be read, one of another content model (style
    sheets), a redirect out of the namespace.

    Args:
        pages: table with the columns of `raywiki.schema.PAGES`.

    Returns:
        A table with the schema `raywiki.schema.TEMPLATES`. Names are as `normalise` compares them, so two pages may have one.

    >>> import pyarrow as pa
    >>> from raywiki.schema import PAGES
    >>> pages = [{"page_id": 1, "namespace": 10, "title": "Vorlage:Nur_ein", "text": "{{{1}}}"},
    ...          {"page_id": 2, "namespace": 10, "title": "Vorlage:Eins", "redirect": "Vorlage:Nur ein"}]
    >>> pages_to_templates(pa.Table.from_pylist(pages, schema=PAGES)).select(["name", "text", "redirect"]).to_pylist()
    [{'name': 'nur ein', 'text': '{{{1}}}', 'redirect': None}, {'name': 'eins', 'text': None, 'redirect': 'nur ein'}]
    """
    chosen = pc.and_(is_template_page(pages), pc.and_(pc.is_null(pages["error"]), holds_wikitext(pages)))
    columns = ["page_id", "revision_id", "title", "redirect", "text"]
    rows = []
    for page in pages.filter(chosen).select(columns).to_pylist():
        prefix, _, title = page["title"].partition(":")  # the namespace as this wiki writes it
        target = None
        if page["redirect"] is not None:
            target_prefix, colon, target = page["redirect"].partition(":")
            if not colon or normalise(target_prefix) != normalise(prefix):
                continue
        elif page["text"] is None:
            continue
        name, to = normalise(title), None if target is None else normalise(target.partition("#")[0])
        text = page["text"] if target is None else None
        rows.append({"name": name, "text": text, "redirect": to, **{key: page[key] for key in ("page_id", "revision_id")}})
    return pa.Table.from_pylist(rows, schema=TEMPLATES)


def merge_templates(tables: Iterable[pa.Table]) -> pa.Table:
    """One table of several, whatever their order: sorted by name, each name once.

    Of a page that comes twice, as in two dumps, the newest revision counts. Of two pages whose names differ in their case
    alone, a definition goes before a redirect, then the page with the lower id.
    """
    whole = pa.concat_tables([TEMPLATES.empty_table(), *tables])
    ids, names = whole["page_id"].to_pylist(), whole["name"].to_pylist()
    revisions, defined = whole["revision_id"].to_pylist(), pc.is_null(whole["redirect"]).to_pylist()
    newest: dict[int, int] = {}
    for row, page in enumerate(ids):
        if page not in newest or (revisions[row] or 0) > (revisions[newest[page]] or 0):
            newest[page] = row
    chosen: dict[str, int] = {}
    for row in sorted(newest.values(), key=lambda row: (not defined[row], ids[row])):
        chosen.setdefault(names[row], row)
    order = [chosen[name] for name in sorted(chosen)]  # by code points, which is the order of UTF-8 bytes
    return whole.take(pa.array(order, pa.int64()))
