"""eval: validation losses of a checkpoint. In this process; it needs no cluster."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from raywiki.corpus import Corpus, Manifest, tokens_table
from raywiki.progress import Progress
from raywiki.summary import as_html, not_evaluated, sentences, some_parts, table
from raywiki.tokens import corpus_byte_lengths
from raywiki.training import Run, cache_folder, chosen_parts, load_model, open_cache
from raywiki.training.cache import check_caches
from raywiki.training.evals import bits_per_byte, mean_loss
from raywiki.training.evaluate import evaluate as evaluate_windows
from raywiki.training.fitting import TOKENS_AT_ONCE
from raywiki.training.options import at_least_1
from raywiki.training.order import n_windows
from raywiki.training.parts import part_tokens, shard_files
from raywiki.training.runs import check_run_name, require_run
from raywiki.training.stored import run_folder
from raywiki.training.workers import join


@dataclass(frozen=True)
class EvalSummary:
    """Validation losses of a run at a step.

    `parts` has a dict for each part: `windows` that were evaluated `of` all that it has, their `tokens` and `bytes` of text,
    the `loss` in nats a token, its `perplexity`, and `bits_per_byte`; None for what a part without validation text cannot
    have, or where bytes are not known. `total` has the same over all parts together.
    """

    corpus: str
    run: str
    step: int
    parts: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    seconds: float
    notes: tuple[str, ...] = ()

    _repr_html_ = as_html

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        rows = [*self.parts, self.total] if len(self.parts) > 1 else self.parts
        lines = [f"eval {self.corpus} run {self.run}: after step {self.step:,} ({self.seconds:.1f} s)"]
        return "\n".join([*lines, *("  " + line for line in table(rows)), *sentences("note", self.notes)])


def evaluate(
    corpus: str | os.PathLike[str] | Corpus, run: str, *, parts: Sequence[str] | None = None, checkpoint: int | str = "latest",
    device: str | None = None, batch_size: int | None = None, max_val_windows: int = 256,
) -> EvalSummary:  # fmt: skip
    """Loss, perplexity and bits per byte of a checkpoint on the validation text of each part. Nothing is written.

    The windows are those that training evaluates, so the losses are those of its metrics at that step. The loss counts the ends
    of documents, as training does, and so do bits per byte, whose bytes are those of the text alone.

    Args:
        corpus: folder of the corpus.
        run: name of the run.
        parts: evaluate on these parts, which the run need not know; on all of the corpus when None.
        checkpoint: its step, "latest" or "best".
        device: "cpu" or "cuda"; CUDA where there is a GPU.
        batch_size: windows at once, at most; what fits 8,192 tokens by default.
        max_val_windows: windows of a part, spread evenly over its validation text.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such run, checkpoint or part; a part has other tokens than those that the run learned from, or
            is gone; a number makes no sense.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    check_run_name(run)
    limit = at_least_1("max_val_windows", max_val_windows)
    found = require_run(run_folder(corpus, run))
    seq_len, vocab_size = found.config.seq_len, found.config.vocab_size
    at_once = max(1, TOKENS_AT_ONCE // seq_len) if batch_size is None else at_least_1("batch_size", batch_size)
    chosen = _chosen(corpus, found, parts)
    lengths, why = corpus_byte_lengths(corpus, found.config.encoding, found.config.vocabulary)
    of = {name: n_windows(max(0, manifest.counts["val_tokens"] - 1), seq_len) for name, manifest in chosen.items()}
    with Progress(f"eval {run}", sum(min(limit, count) for count in of.values()), "windows") as progress:
        model, _, step = load_model(found.folder, device, checkpoint)
        progress.say("reading tokens")
        caches = {
            name: open_cache(cache_folder(), name, shard_files(corpus, each), open_file=corpus.fs.open)
            for name, each in chosen.items()
        }
        check_caches(caches, {name: each.counts["train_tokens"] for name, each in chosen.items()}, vocab_size)
        windows = evaluate_windows(
            model, {name: cache.val for name, cache in caches.items()}, seq_len, join(device), batch_size=at_once, limit=limit,
            byte_lengths=lengths, progress=progress.advance,
        )  # fmt: skip
    rows = tuple(_row(name, windows.filter(pc.equal(windows["part"], name)), count) for name, count in of.items())
    total = _row("all parts", windows, sum(of.values()))
    return EvalSummary(corpus.url, run, step, rows, total, time.monotonic() - started, tuple(_notes(found, rows, why)))


def _chosen(corpus: Corpus, run: Run, names: Sequence[str] | None) -> dict[str, Manifest]:
    """The tokens of the parts to evaluate on: made with the run's vocabulary, and none other than those it learned from."""
    tables = corpus.tables()
    there = tables[tokens_table(tables.require_encoding(run.config.encoding))]
    parts = chosen_parts(run, [part_tokens(manifest) for manifest in there.values()], names)
    for part in parts:
        learned = run.known.get(part.name, part)
        if there[part.name].settings["vocabulary"] != run.config.vocabulary:
            raise ValueError(f"part {part.name} was tokenized with another vocabulary than run {run.name} was trained with")
        if part.digest != learned.digest:
            raise ValueError(
                f"part {part.name} has other tokens (digest {part.digest[:12]}) than those run {run.name} learned from "
                f"({learned.digest[:12]}): restore the old ones, or evaluate on other parts (--parts …)"
            )
    return {part.name: there[part.name] for part in parts}


def _row(name: str, windows: pa.Table, of: int) -> dict[str, Any]:
    loss = mean_loss(windows)
    return {
        "part": name,
        "windows": windows.num_rows,
        "of": of,
        "tokens": pc.sum(windows["n_targets"]).as_py() or 0,
        "bytes": pc.sum(windows["n_bytes"]).as_py(),
        "loss": loss,
        "perplexity": None if loss is None else math.exp(loss) if loss < 700 else math.inf,
        "bits_per_byte": bits_per_byte(windows),
    }


def _notes(run: Run, rows: Sequence[dict[str, Any]], why: str) -> Iterator[str]:
    bare = [row["part"] for row in rows if not row["windows"]]
    new = [row["part"] for row in rows if row["part"] not in run.known]
    if bare:
        yield not_evaluated(bare)
    if new:
        yield f"run {run.name} has not learned from {some_parts(new)}"
    if why:
        yield why
