"""Wikitext → text: what a page says, without its markup, and an account of what was left out. Pure functions, no cluster.

clean.py       one page: `clean_wikitext`, and the order of the passes
table.py       a table of pages: `pages_to_articles`
template_pages.py  pages of the template namespace → a wiki's own templates; definitions.py: finding one by name
protect.py     comments, references, <nowiki>, <math>, code
expand.py      templates, innermost first; functions.py: {{#if:}} and its kin
templates/     the renderers, by subject; registry.py: `@template` registers one, lookup.py finds it
page.py        what the passes share of a page, and what a renderer sees of a template
links.py  tables.py  tags.py  entities.py  layout.py  tidy.py     the other passes
mwparser.py    mwparserfromhell: a second opinion where the passes fail, and the Hugging Face data set's text
magic.py       names of magic words in all languages; variables.py: {{PAGENAME}} …; locales.py: Babel, loaded when asked for
sites.py       what is local about a wiki; numbers.py, calendar.py: how it writes numbers and dates
data/          names, aliases and units as readable text; bundled.py reads them
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
