"""Text from a checkpoint."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from raywiki.training.config import find_recipe
from raywiki.training.options import check_seed
from raywiki.training.runs import RunConfig, chosen_checkpoint, require_run
from raywiki.training.state import load_state
from raywiki.training.workers import find_device


def load_model(
    folder: str | os.PathLike[str], device: str | None = None, checkpoint: str | int | None = None
) -> tuple[Any, RunConfig, int]:
    """The model of a checkpoint, ready to generate or to be evaluated; the run's configuration; the steps it was trained for.

    Args:
        folder: `runs/<run>` of a corpus.
        device: "cpu" or "cuda"; CUDA where there is a GPU, by default.
        checkpoint: its step, "latest" or "best"; the newest when None.

    Raises:
        ValueError: there is no such run, or it has no such checkpoint.
    """
    run, chosen = require_run(folder), find_device(device)
    found = chosen_checkpoint(run, checkpoint)
    model = importlib.import_module(find_recipe(run.config.recipe)).build_model(run.config.model)
    load_state(found, model, None, torch.device("cpu"))
    return model.to(chosen).eval(), run.config, found.step


def generate(
    model: Any, prompt: Sequence[int], *, max_tokens: int = 200, temperature: float = 0.8, top_k: int | None = 200,
    seed: int = 0, stop: int | None = None,
) -> Iterator[int]:  # fmt: skip
    """Ids that follow the prompt, one by one; the same for the same seed.

    Keys and values of what was read are kept, so an id costs one position. When the text is longer than the model's
    seq_len, it goes on from its last half.

    Args:
        model: in evaluation mode, see `load_model`.
        prompt: ids to go on from, at least one (the end-of-text id stands before every document).
        max_tokens: ids to generate at most.
        temperature: divides the logits; 0 takes the likeliest id.
        top_k: choose among so many likeliest ids; all when None.
        seed: of this call's own random generator.
        stop: end before this id, usually end-of-text; never when None.

    Raises:
        ValueError: the prompt is empty or has ids outside the vocabulary, or a number makes no sense.
    """
    check_seed(seed)
    vocab_size = model.config.vocab_size
    if not len(prompt):
        raise ValueError("the prompt has no token: give some text, or the end-of-text id for a new document")
    if not all(0 <= token < vocab_size for token in prompt):
        raise ValueError(f"the prompt has ids outside the vocabulary of {vocab_size}: encode it with the run's encoding")
    if max_tokens < 0 or not 0 <= temperature < math.inf or (top_k is not None and top_k < 1):
        raise ValueError(
            f"max_tokens={max_tokens}, temperature={temperature}, top_k={top_k} make no sense: "
            "give max_tokens and temperature of at least 0, top_k of at least 1"
        )
    return _generate(model, list(prompt), max_tokens, temperature, top_k, seed, stop)


def _generate(
    model: Any, text: list[int], max_tokens: int, temperature: float, top_k: int | None, seed: int, stop: int | None
) -> Iterator[int]:
    device = next(model.parameters()).device
    random = torch.Generator().manual_seed(seed)  # on the CPU, so that the device does not matter
    seq_len, past, unread = model.config.seq_len, None, text[-model.config.seq_len :]
    for _ in range(max_tokens):
        with torch.inference_mode():
            logits, past = model.step(torch.tensor([unread], device=device), past)
        token = _choose(logits[0].float().cpu(), temperature, top_k, random)
        if token == stop:
            return
        yield token
        text.append(token)
        unread = [token]
        if past[0][0].size(2) >= seq_len:
            past, unread = None, text[-max(1, seq_len // 2) :]


def _choose(logits: Tensor, temperature: float, top_k: int | None, random: torch.Generator) -> int:
    """One id, by logits of shape (vocab_size,)."""
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        least = torch.topk(logits, top_k).values[-1]
        logits = logits.masked_fill(logits < least, float("-inf"))
    return int(torch.multinomial(torch.softmax(logits / temperature, dim=0), 1, generator=random))
