"""sample: text from a trained run. In this process; it needs no cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raywiki.corpus import Corpus
from raywiki.tokens import Encoding, find_vocabulary, load_encoding
from raywiki.training import generate, load_model
from raywiki.training.options import at_least_1
from raywiki.training.runs import check_run_name
from raywiki.training.sampling import check_drawing, whole_characters
from raywiki.training.stored import run_folder


@dataclass
class Sample:
    """One text that a run writes after a prompt; it is written while one iterates over it, in pieces of whole characters.

    `str(sample)` is the prompt and all of the text. `number` counts the samples of a prompt from 0; the sample alone is had
    by its `seed`. `step` is that of the checkpoint. `note` says when the model saw only the end of the prompt, else "".
    """

    prompt: str
    number: int
    seed: int
    step: int
    note: str = ""
    _unwritten: Iterator[str] = field(default=iter(()), repr=False)
    _written: list[str] = field(default_factory=list, repr=False)

    def __iter__(self) -> Iterator[str]:
        yield from self._written
        for piece in self._unwritten:
            self._written.append(piece)
            yield piece

    def __str__(self) -> str:
        return self.prompt + "".join(self)

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("prompt", "number", "seed", "step", "note")}
        return {**plain, "text": "".join(self)}


def sample(
    corpus: str | os.PathLike[str] | Corpus, run: str, prompt: str = "", *, max_tokens: int = 200, temperature: float = 0.8,
    top_k: int | None = 200, top_p: float | None = None, seed: int = 0, device: str | None = None,
) -> str:  # fmt: skip
    """Text that the newest checkpoint of a run writes after `prompt`, the prompt included.

    Args:
        corpus: folder of the corpus.
        run: name of the run.
        prompt: text to go on from; a new document when empty. The model sees at most its last seq_len tokens.
        max_tokens: tokens to write at most; fewer when the model ends the document.
        temperature: divides the logits; 0 takes the likeliest token each time.
        top_k: draw among so many likeliest tokens; among all when None.
        top_p: draw among the fewest likeliest tokens that have this probability together; among all when None.
        seed: of the draw; the same seed gives the same text.
        device: "cpu" or "cuda"; CUDA where there is a GPU.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: there is no such run, it has no checkpoint, or a number makes no sense.
    """
    [only] = samples(
        corpus,
        run,
        [prompt],
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        device=device,
    )
    return str(only)


def samples(
    corpus: str | os.PathLike[str] | Corpus, run: str, prompts: Sequence[str] = ("",), *, num_samples: int = 1,
    max_tokens: int = 200, temperature: float = 0.8, top_k: int | None = 200, top_p: float | None = None, seed: int = 0,
    device: str | None = None, checkpoint: str | int | None = None,
) -> Iterator[Sample]:  # fmt: skip
    """Several texts: `num_samples` after each prompt, one after the other; each is written when one iterates over it.

    The samples of a prompt have the seeds `seed`, `seed + 1` …: each is the same whatever is written before it.

    Args:
        corpus, run: as `sample` takes them, and so are the numbers and the device.
        prompts: texts to go on from.
        num_samples: texts after each prompt.
        checkpoint: of the run: its step, "latest", "best", or the name of its folder; the newest when None.

    Raises:
        FileNotFoundError, ValueError: as `sample` does, before the first text is written.
    """
    check_drawing(max_tokens, temperature, top_k, top_p, seed)
    check_drawing(max_tokens, temperature, top_k, top_p, seed + at_least_1("num_samples", num_samples) - 1)
    if isinstance(prompts, str):
        raise TypeError("prompts is one text: give a list of texts, or call sample")
    corpus = Corpus.open(corpus).require()
    check_run_name(run)
    model, config, step = load_model(run_folder(corpus, run), device, checkpoint)
    encoding = encoding_of(corpus, run, config)
    options: dict[str, Any] = dict(max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p)

    def write(prompt: str, number: int) -> Sample:
        ids = encoding.encode([prompt])[0].tolist() or [encoding.end_of_text]
        written = generate(model, ids, seed=seed + number, stop=encoding.end_of_text, **options)
        note = (
            "" if len(ids) <= config.seq_len else f"the model sees the last {config.seq_len} of the prompt's {len(ids)} tokens"
        )
        return Sample(prompt, number, seed + number, step, note, whole_characters(written, encoding.decode))

    return (write(prompt, number) for prompt in prompts for number in range(num_samples))


@dataclass(frozen=True)
class Written:
    """Samples as the command prints them: all at once as JSON, or each piece as soon as it is written."""

    samples: Iterator[Sample]
    count: int

    def to_dict(self) -> dict[str, Any]:
        return {"samples": [sample.to_dict() for sample in self.samples]}

    def print(self) -> None:
        for index, sample in enumerate(self.samples, 1):
            if self.count > 1:
                print(f"--- {index} of {self.count}, seed {sample.seed}", flush=True)
            if sample.note:
                print(f"note: {sample.note}", file=sys.stderr, flush=True)
            print(sample.prompt, end="", flush=True)
            for piece in sample:
                print(piece, end="", flush=True)
            print(flush=True)


def read_prompts(paths: Sequence[str]) -> list[str]:
    """One prompt from each file, all that it holds but for one newline at its end; "-" is standard input.

    Raises:
        ValueError: there is no such file, or it is no UTF-8 text.
    """
    prompts = []
    for path in paths:
        try:
            data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
            prompts.append(data.decode().removesuffix("\n"))
        except OSError as error:
            raise ValueError(f"the prompt file {path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"the prompt file {path} is no UTF-8 text ({error.reason} at byte {error.start})") from error
    return prompts


def encoding_of(corpus: Corpus, run: str, config: Any) -> Encoding:
    """The encoding that a run was trained with; ValueError when the corpus has another vocabulary under its name."""
    encoding = load_encoding(*find_vocabulary(corpus.tables(), config.encoding))
    if encoding.digest != config.vocabulary:
        raise ValueError(
            f"run {run} was trained with another vocabulary than the one {corpus.url} has as {config.encoding!r}: restore it"
        )
    return encoding
