"""Curation: which articles a corpus publishes. Quality rules as Polars expressions, duplicates by signatures. Pure functions.

signatures = articles_to_signatures(articles)             # what is kept of a text for ever
bands      = signatures_to_bands(signatures)              # a part's share of the index
candidates = candidate_pairs(all bands, arrival)          # a new part joined with all before it
pairs      = merge_pairs([verify_pairs(candidates, …)])   # its near-duplicates, whatever the filters
reasons    = evaluate_rules(articles, rules)              # why articles are rejected
decisions  = decide(articles, pairs, published, part)     # what is published
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Rule": "raywiki.curation.rules",
    "SIGNATURE_FORMAT": "raywiki.curation.signatures",
    "articles_to_signatures": "raywiki.curation.signatures",
    "candidate_pairs": "raywiki.curation.similarity",
    "count_decisions": "raywiki.curation.decisions",
    "decide": "raywiki.curation.decisions",
    "evaluate_rules": "raywiki.curation.rules",
    "key_ranges": "raywiki.curation.similarity",
    "merge_candidates": "raywiki.curation.similarity",
    "merge_pairs": "raywiki.curation.similarity",
    "published_texts": "raywiki.curation.decisions",
    "resolve_rules": "raywiki.curation.rules",
    "reuse_reasons": "raywiki.curation.rules",
    "signatures_to_bands": "raywiki.curation.signatures",
    "unchanged_rules": "raywiki.curation.rules",
    "verify_pairs": "raywiki.curation.similarity",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


if TYPE_CHECKING:
    from raywiki.curation.decisions import count_decisions as count_decisions
    from raywiki.curation.decisions import decide as decide
    from raywiki.curation.decisions import published_texts as published_texts
    from raywiki.curation.rules import Rule as Rule
    from raywiki.curation.rules import evaluate_rules as evaluate_rules
    from raywiki.curation.rules import resolve_rules as resolve_rules
    from raywiki.curation.rules import reuse_reasons as reuse_reasons
    from raywiki.curation.rules import unchanged_rules as unchanged_rules
    from raywiki.curation.signatures import SIGNATURE_FORMAT as SIGNATURE_FORMAT
    from raywiki.curation.signatures import articles_to_signatures as articles_to_signatures
    from raywiki.curation.signatures import signatures_to_bands as signatures_to_bands
    from raywiki.curation.similarity import candidate_pairs as candidate_pairs
    from raywiki.curation.similarity import key_ranges as key_ranges
    from raywiki.curation.similarity import merge_candidates as merge_candidates
    from raywiki.curation.similarity import merge_pairs as merge_pairs
    from raywiki.curation.similarity import verify_pairs as verify_pairs
