"""raywiki grows a language model on Wikipedia, one dump part at a time.

Dump parts go in; every step writes Parquet tables that anyone can open in Polars; a GPT that keeps learning as parts are
added comes out. `import raywiki` loads neither ray nor torch nor polars: each name below brings what it needs when it is
first used.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
__all__ += ["__version__"]
