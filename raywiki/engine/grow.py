"""grow: the four verbs for what is new."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from raywiki.corpus import Corpus
from raywiki.engine.curate import curate, curate_settings
from raywiki.engine.extract import extract
from raywiki.engine.tokens import tokenize, tokens_settings
from raywiki.engine.train import TrainSummary, check_train, train
from raywiki.summary import Summary, as_html, plural
from raywiki.training import TrainOptions, open_run
from raywiki.training.options import RunOptions, pick, spelled_out
from raywiki.training.runs import read_run

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class GrowSummary:
    """The summaries of the four verbs, in their order."""

    extract: Summary
    curate: Summary
    tokenize: Summary
    train: TrainSummary
    seconds: float

    _repr_html_ = as_html

    @property
    def committed(self) -> tuple[str, ...]:
        """Ids of the parts of which anything was committed."""
        return tuple(dict.fromkeys(self.extract.committed + self.curate.committed + self.tokenize.committed))

    @property
    def exit_status(self) -> int:
        """That of `train`."""
        return self.train.exit_status

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


@spelled_out
def grow(
    corpus: str | os.PathLike[str] | Corpus, dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], run: str, *,
    language: str | None = None, allow_damaged: bool = False, min_chars: int | None = None, min_words: int | None = None,
    rules: Sequence[str | pl.Expr] | None = None, fraction: float | None = None, threshold: float | None = None,
    val_fraction: float | None = None, title: bool | None = None, overwrite: bool = False, **options: Unpack[TrainOptions],
) -> GrowSummary:  # fmt: skip
    """Add dump parts: extract, curate and tokenize what is new, and go on training the run from its last checkpoint.

    The first call starts the corpus and the run; later ones take every setting that is not given from what is committed.
    The same call again finds nothing to do. All that can be checked is checked before the first dump is read.

    Args:
        corpus: folder of the corpus; made when missing.
        dumps: dump parts, as `extract` takes them.
        run: name of the run to start or to go on with.
        language, allow_damaged: see `extract`.
        min_chars, min_words, rules, fraction, threshold: see `curate`.
        val_fraction, title: see `tokenize`.
        overwrite: redo parts that are committed with other settings, in all tables.
        options: those of `train`. `encoding` is what to tokenize with too: a name, or a file as `tokenize` takes it.

    Raises:
        FileNotFoundError, ValueError, OSError: as the four verbs do; what was committed before stays.
        TypeError: an option is unknown.
    """
    started = time.monotonic()
    if options.get("from_scratch") is not None:
        raise ValueError("grow goes on with a run, from_scratch starts a new one: use train for that")
    corpus = Corpus.open(corpus)
    for_curate: dict[str, Any] = dict(min_chars=min_chars, min_words=min_words, fraction=fraction, threshold=threshold)
    folder, tables = check_train(corpus, run, options), corpus.tables()
    existing = read_run(folder)
    curate_settings(tables, rules, overwrite, **for_curate)
    encoding = options.get("encoding") or (existing.config.encoding if existing else None)
    # Later than now it would be an hour later.
    name, _, settings = tokens_settings(tables, encoding, val_fraction, title, overwrite)
    identity = {each: settings[each] for each in ("encoding", "vocabulary", "vocab_size")}
    open_run(folder, **identity, **pick(options, RunOptions))
    extracted = extract(corpus, dumps, language=language, allow_damaged=allow_damaged, overwrite=overwrite)
    curated = curate(corpus, **for_curate, rules=rules, overwrite=overwrite)
    tokenized = tokenize(corpus, encoding, val_fraction=val_fraction, title=title, overwrite=overwrite)
    for_train: TrainOptions = {**options, "encoding": name}
    trained = train(corpus, run, **for_train)
    return GrowSummary(extracted, curated, tokenized, trained, time.monotonic() - started)
