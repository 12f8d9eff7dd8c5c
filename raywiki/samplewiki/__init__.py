"""The built-in sample wiki: dump parts made on the spot from the documentation of the running Python.

write.py      the parts: `write_sample_wiki`
docs.py       the library's documentation, parsed and not imported
articles.py   one documented thing → one article;  markup.py: documentation → wikitext
extras.py     redirects, duplicates, disambiguations, pages of other namespaces
dump.py       pages → the XML of a dump
"""

from __future__ import annotations

from raywiki.samplewiki.write import write_sample_wiki

__all__ = ["write_sample_wiki"]
