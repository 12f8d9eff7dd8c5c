"""sample: text from a trained run. In this process; it needs no cluster."""

from __future__ import annotations

import os
from pathlib import Path

from raywiki.corpus import Corpus
from raywiki.tokens import find_vocabulary, load_encoding
from raywiki.training import generate, load_model
from raywiki.training.runs import check_run_name


def sample(
    corpus: str | os.PathLike[str] | Corpus, run: str, prompt: str = "", *, max_tokens: int = 200, temperature: float = 0.8,
    top_k: int | None = 200, seed: int = 0, device: str | None = None,
) -> str:  # fmt: skip
    """Text that the newest checkpoint of a run writes after `prompt`, the prompt included.

    Args:
        corpus: folder of the corpus.
        run: name of the run.
        prompt: text to go on from; a new document when empty.
        max_tokens: tokens to write at most; fewer when the model ends the document.
        temperature: divides the logits; 0 takes the likeliest token each time.
        top_k: draw among so many likeliest tokens; among all when None.
        seed: of the draw; the same seed gives the same text.
        device: "cpu" or "cuda"; CUDA where there is a GPU.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such run, it has no checkpoint, or a number makes no sense.
    """
    corpus = Corpus.open(corpus).require()
    if not corpus.is_local:
        raise ValueError(f"sample needs a corpus in a folder, not {corpus.url}: copy its runs/{run} and tokens/ there")
    check_run_name(run)
    model, config, _ = load_model(Path(corpus.path("runs", run)), device)
    encoding = load_encoding(*find_vocabulary(corpus.tables(), config.encoding))
    if encoding.digest != config.vocabulary:
        raise ValueError(
            f"run {run} was trained with another vocabulary than the one {corpus.url} has as {config.encoding!r}: restore it"
        )
    [encoded] = encoding.encode([prompt])
    ids = encoded.tolist() or [encoding.end_of_text]
    written = generate(
        model, ids, max_tokens=max_tokens, temperature=temperature, top_k=top_k, seed=seed, stop=encoding.end_of_text
    )
    return prompt + encoding.decode(list(written))
