"""Text to token ids: encodings, vocabulary training, and the tokens table. Pure functions; no Ray, no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Encoding": "raywiki.tokens.encodings",
    "articles_to_tokens": "raywiki.tokens.table",
    "load_encoding": "raywiki.tokens.encodings",
    "read_vocabulary": "raywiki.tokens.encodings",
    "splits": "raywiki.tokens.table",
    "train_bpe": "raywiki.tokens.vocabulary",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


if TYPE_CHECKING:
    from raywiki.tokens.encodings import Encoding as Encoding
    from raywiki.tokens.encodings import load_encoding as load_encoding
    from raywiki.tokens.encodings import read_vocabulary as read_vocabulary
    from raywiki.tokens.table import articles_to_tokens as articles_to_tokens
    from raywiki.tokens.table import splits as splits
    from raywiki.tokens.vocabulary import train_bpe as train_bpe
