"""Text to token ids: encodings, vocabulary training, and the tokens table. Pure functions; no Ray, no torch."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
