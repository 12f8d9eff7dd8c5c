"""Curation: which articles a corpus publishes. Quality rules as Polars expressions, duplicates by signatures. Pure functions.

signatures = articles_to_signatures(articles)             # what is kept of a text for ever
bands      = signatures_to_bands(signatures)              # a part's share of the index
candidates = candidate_pairs(all bands, arrival)          # a new part joined with all before it
pairs      = merge_pairs([verify_pairs(candidates, …)])   # its near-duplicates, whatever the filters
reasons    = evaluate_rules(articles, rules)              # why articles are rejected
decisions  = decide(articles, pairs, published, part)     # what is published
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
