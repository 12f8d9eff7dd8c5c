"""gc: remove what crashes left behind."""

from __future__ import annotations

import os

from raywiki.corpus import Corpus, orphans


def gc(corpus: str | os.PathLike[str] | Corpus, *, min_age: float = 3600.0, dry_run: bool = False) -> list[str]:
    """Remove files that no manifest names, left by crashes; return their paths.

    Args:
        corpus: folder or URL.
        min_age: seconds that a file must have been left alone; younger ones may belong to a verb that is running.
        dry_run: list, remove nothing.
    """
    corpus = Corpus.open(corpus).require()
    paths = sorted(orphans(corpus, min_age))
    if not dry_run:
        for path in paths:
            corpus.fs.rm_file(path)
    return paths
