"""grow: the four verbs for what is new."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raywiki.corpus import Corpus
from raywiki.engine.curate import curate
from raywiki.engine.extract import extract
from raywiki.engine.tokens import tokenize
from raywiki.engine.train import TrainSummary, train
from raywiki.summary import Summary, plural

CURATE = ("min_chars", "min_words", "rules", "fraction")


@dataclass(frozen=True)
class GrowSummary:
    """The summaries of the four verbs, in their order."""

    extract: Summary
    curate: Summary
    tokenize: Summary
    train: TrainSummary
    seconds: float

    @property
    def committed(self) -> tuple[str, ...]:
        """Ids of the parts of which anything was committed."""
        return tuple(dict.fromkeys(self.extract.committed + self.curate.committed + self.tokenize.committed))

    def to_dict(self) -> dict[str, Any]:
        verbs = {name: getattr(self, name).to_dict() for name in ("extract", "curate", "tokenize", "train")}
        return {**verbs, "committed": list(self.committed), "seconds": self.seconds}

    def __str__(self) -> str:
        nothing = not self.committed and self.train.state == "unchanged"
        lines = [str(self.extract), str(self.curate), str(self.tokenize), str(self.train)]
        if nothing:
            lines.append(f"grow {self.extract.corpus}: nothing to do, nothing committed ({self.seconds:.1f} s)")
        else:
            lines.append(
                f"grow {self.extract.corpus}: {plural(len(self.committed), 'part')} added or redone ({self.seconds:.1f} s)"
            )
        return "\n".join(lines)


def grow(
    corpus: str | os.PathLike[str] | Corpus, dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], run: str, *,
    language: str | None = None, allow_damaged: bool = False, encoding: str | None = None,
    val_fraction: float | None = None, **settings: Any,
) -> GrowSummary:  # fmt: skip
    """Add dump parts: extract, curate and tokenize what is new, and go on training the run from its last checkpoint.

    The first call starts the corpus and the run; later ones take every setting that is not given from what is committed.
    The same call again finds nothing to do.

    Args:
        corpus: folder of the corpus; made when missing.
        dumps: dump parts, as `extract` takes them.
        run: name of the run to start or to go on with.
        language, allow_damaged: see `extract`.
        encoding, val_fraction: see `tokenize`.
        settings: `min_chars`, `min_words`, `rules`, `fraction` of `curate`, and all keyword arguments of `train`.

    Raises:
        FileNotFoundError, ValueError: as the four verbs do; what was committed before stays.
        TypeError: `settings` has a name that neither `curate` nor `train` knows.
    """
    started = time.monotonic()
    for_curate = {name: settings.pop(name) for name in CURATE if name in settings}
    corpus = Corpus.open(corpus)
    extracted = extract(corpus, dumps, language=language, allow_damaged=allow_damaged)
    curated = curate(corpus, **for_curate)
    tokenized = tokenize(corpus, encoding, val_fraction=val_fraction)
    trained = train(corpus, run, encoding=encoding, **settings)
    return GrowSummary(extracted, curated, tokenized, trained, time.monotonic() - started)
