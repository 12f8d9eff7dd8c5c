"""Wikitext → text: what a page says, without its markup, and an account of what was left out. Pure functions, no cluster.

clean.py       one page: `clean_wikitext`, and the order of the passes
table.py       a table of pages: `pages_to_articles`
protect.py     comments, references, <nowiki>, <math>, code
expand.py      templates, innermost first; functions.py: {{#if:}} and its kin
templates/     the renderers, by subject; registry.py: `@template` registers one, lookup.py finds it
page.py        what the passes share of a page, and what a renderer sees of a template
links.py  tables.py  tags.py  entities.py  layout.py  tidy.py     the other passes
mwparser.py    mwparserfromhell: a second opinion where the passes fail, and the Hugging Face data set's text
sites.py       what is local about a wiki; numbers.py, calendar.py: how it writes numbers and dates
data/          names, aliases and units as readable text; bundled.py reads them
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "CleanText": "raywiki.wikitext.page",
    "clean_wikitext": "raywiki.wikitext.clean",
    "pages_to_articles": "raywiki.wikitext.table",
    "template": "raywiki.wikitext.registry",
}

__all__ = ["CleanText", "clean_wikitext", "pages_to_articles", "template"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'raywiki.wikitext' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


if TYPE_CHECKING:
    from raywiki.wikitext.clean import clean_wikitext as clean_wikitext
    from raywiki.wikitext.page import CleanText as CleanText
    from raywiki.wikitext.registry import template as template
    from raywiki.wikitext.table import pages_to_articles as pages_to_articles
