"""raywiki grows a language model on Wikipedia, one dump part at a time.

Dump parts go in; every step writes Parquet tables that anyone can open in Polars; a GPT that keeps learning as parts are
added comes out. `import raywiki` loads neither ray nor torch nor polars: each name below brings what it needs when it is
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Corpus": "raywiki.corpus",
    "CleanText": "raywiki.wikitext",
    "articles_to_signatures": "raywiki.curation",
    "articles_to_tokens": "raywiki.tokens",
    "clean_wikitext": "raywiki.wikitext",
    "curate": "raywiki.engine.curate",
    "extract": "raywiki.engine.extract",
    "gc": "raywiki.report.status",
    "grow": "raywiki.engine.grow",
    "inspect_rejects": "raywiki.report.inspect",
    "inspect_templates": "raywiki.report.inspect",
    "pages_to_articles": "raywiki.wikitext",
    "read_dump": "raywiki.engine.read",
    "sample": "raywiki.engine.sample",
    "scan_articles": "raywiki.scan",
    "scan_decisions": "raywiki.scan",
    "scan_documents": "raywiki.scan",
    "scan_signatures": "raywiki.scan",
    "scan_tokens": "raywiki.scan",
    "status": "raywiki.report.status",
    "template": "raywiki.wikitext",
    "tokenize": "raywiki.engine.tokens",
    "train": "raywiki.engine.train",
    "train_tokenizer": "raywiki.engine.tokens",
    "write_sample_wiki": "raywiki.dumps.sample",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'raywiki' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from raywiki.corpus import Corpus as Corpus
    from raywiki.curation import articles_to_signatures as articles_to_signatures
    from raywiki.dumps.sample import write_sample_wiki as write_sample_wiki
    from raywiki.engine.curate import curate as curate
    from raywiki.engine.extract import extract as extract
    from raywiki.engine.grow import grow as grow
    from raywiki.engine.read import read_dump as read_dump
    from raywiki.engine.sample import sample as sample
    from raywiki.engine.tokens import tokenize as tokenize
    from raywiki.engine.tokens import train_tokenizer as train_tokenizer
    from raywiki.engine.train import train as train
    from raywiki.report.inspect import inspect_rejects as inspect_rejects
    from raywiki.report.inspect import inspect_templates as inspect_templates
    from raywiki.report.status import gc as gc
    from raywiki.report.status import status as status
    from raywiki.scan import scan_articles as scan_articles
    from raywiki.scan import scan_decisions as scan_decisions
    from raywiki.scan import scan_documents as scan_documents
    from raywiki.scan import scan_signatures as scan_signatures
    from raywiki.scan import scan_tokens as scan_tokens
    from raywiki.tokens import articles_to_tokens as articles_to_tokens
    from raywiki.wikitext import CleanText as CleanText
    from raywiki.wikitext import clean_wikitext as clean_wikitext
    from raywiki.wikitext import pages_to_articles as pages_to_articles
    from raywiki.wikitext import template as template
