"""Text from a checkpoint."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    top_p: float | None = None, seed: int = 0, stop: int | None = None,
) -> Iterator[int]:  # fmt: skip
    """Ids that follow the prompt, one by one; the same for the same seed.

    Keys and values of what was read are kept, so an id costs one position. Of a prompt longer than the model's seq_len,
    its last seq_len ids are read; when the text has become longer than that, it goes on from its last half.

    Args:
        model: in evaluation mode, see `load_model`.
        prompt: ids to go on from, at least one (the end-of-text id stands before every document).
        max_tokens: ids to generate at most.
        temperature: divides the logits; 0 takes the likeliest id.
        top_k: choose among so many likeliest ids; all when None.
        top_p: choose among the fewest likeliest ids that have this probability together, of those that temperature and
            top_k leave ("nucleus", Holtzman et al. 2020, arXiv 1904.09751); all when None.
        seed: of this call's own random generator.
        stop: end before this id, usually end-of-text; never when None.

    Raises:
        ValueError: the prompt is empty or has ids outside the vocabulary, or a number makes no sense.
    """
    check_drawing(max_tokens, temperature, top_k, top_p, seed)
    vocab_size = model.config.vocab_size
    if not len(prompt):
        raise ValueError("the prompt has no token: give some text, or the end-of-text id for a new document")
    if not all(0 <= token < vocab_size for token in prompt):
        raise ValueError(f"the prompt has ids outside the vocabulary of {vocab_size}: encode it with the run's encoding")
    random = torch.Generator().manual_seed(seed)  # on the CPU, so that the device does not matter
    return _generate(model, list(prompt), max_tokens, lambda logits: _choose(logits, temperature, top_k, top_p, random), stop)


def check_drawing(max_tokens: int, temperature: float, top_k: int | None, top_p: float | None, seed: int) -> None:
    """Raise ValueError when one of the numbers of `generate` makes no sense."""
    check_seed(seed)
    if max_tokens < 0 or not 0 <= temperature < math.inf or (top_k is not None and top_k < 1):
        raise ValueError(
            f"max_tokens={max_tokens}, temperature={temperature}, top_k={top_k} make no sense: "
            "give max_tokens and temperature of at least 0, top_k of at least 1"
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} is no probability to reach: give a number above 0 and at most 1")


def whole_characters(ids: Iterable[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """The text of ids as they come, in pieces that cut no character in two; together they are `decode` of all ids.

    A character may be spread over ids. What ends in U+FFFD, as `decode` shows bytes that are no whole character yet, waits for
    the id that completes it. An id is decoded together with the piece before it, as some vocabularies write a word otherwise at
    the start of a text.

    >>> list(whole_characters([0xE2, 0x82, 0xAC, 0x21, 0xE2], lambda ids: bytes(ids).decode(errors="replace")))
    ['€', '!', '�']
    """
    before: list[int] = []
    waiting: list[int] = []
    for token in ids:
        waiting.append(token)
        shown, text = decode(before), decode(before + waiting)
        if len(text) > len(shown) and not text.endswith("\ufffd"):
            yield text[len(shown) :]
            before, waiting = waiting, []
    if waiting and (rest := decode(before + waiting)[len(decode(before)) :]):
        yield rest


def _generate(model: Any, text: list[int], max_tokens: int, choose: Callable[[Tensor], int], stop: int | None) -> Iterator[int]:
    device = next(model.parameters()).device
    seq_len, past, unread = model.config.seq_len, None, text[-model.config.seq_len :]
    for _ in range(max_tokens):
        with torch.inference_mode():
            logits, past = model.step(torch.tensor([unread], device=device), past)
        token = choose(logits[0].float().cpu())
        if token == stop:
            return
        yield token
        text.append(token)
        unread = [token]
        if past[0][0].size(2) >= seq_len:
            past, unread = None, text[-max(1, seq_len // 2) :]


def _choose(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None, random: torch.Generator) -> int:
    """One id, by logits of shape (vocab_size,)."""
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        least = torch.topk(logits, top_k).values[-1]
        logits = logits.masked_fill(logits < least, float("-inf"))
    probabilities = torch.softmax(logits / temperature, dim=0)
    if top_p is not None and top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    return int(torch.multinomial(probabilities, 1, generator=random))


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The fewest largest probabilities whose sum reaches `top_p`, at least one, and 0 for the others.

    >>> _nucleus(torch.tensor([0.1, 0.5, 0.3, 0.1]), 0.7)
    tensor([0.0000, 0.5000, 0.3000, 0.0000])
    """
    ordered, order = probabilities.sort(descending=True, stable=True)
    before = ordered.cumsum(dim=0) - ordered
    return torch.zeros_like(probabilities).scatter(0, order, ordered.masked_fill(before >= top_p, 0.0))
