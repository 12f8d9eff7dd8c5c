"""Exports of a run's weights: a folder that transformers opens, and a checkpoint that nanoGPT's sample.py reads.

Both know GPT-2, and so the recipe "classic" alone. The vocabulary's padding is left out: no text has such an id.

sample.py looks for the vocabulary in `data/<dataset>/meta.pkl`, where the checkpoint says which dataset. The one written here
says `../<name of the folder>`: the folder with `ckpt.pt` and `meta.pkl` goes beside sample.py, where nanoGPT's own results lie,
and is called as they are, `python sample.py --out_dir=NAME`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from raywiki.corpus import Tables
from raywiki.files import HashingFile
from raywiki.local.export_model_card import model_card
from raywiki.local.export_target import Advance, Counts, Export, PlannedFile
from raywiki.local.export_tokens import write_meta
from raywiki.manifest import Manifest, digest_of
from raywiki.tokens import Encoding, find_vocabulary, load_encoding, tokenizer_config, tokenizer_json
from raywiki.training.checkpoint import Checkpoint
from raywiki.training.config import recipe_name
from raywiki.training.runs import Run, check_run_name, chosen_checkpoint, read_run
from raywiki.training.stored import run_folder

MODEL_FORMATS = ("hf", "nanogpt")
FORMAT = 1  # of what is written: other bytes from the same weights need another number


@dataclass(frozen=True)
class Model:
    """A checkpoint of a run with its vocabulary, and the articles of the parts it learned from, as far as they are there."""

    run: Run
    checkpoint: Checkpoint
    vocabulary: bytes
    encoding: Encoding
    articles: Mapping[str, Manifest]

    @property
    def settings(self) -> dict[str, Any]:
        return {"run": self.run.name}

    @property
    def is_gpt2(self) -> bool:
        return json.loads(self.vocabulary).get("tiktoken") == "gpt2"

    def key(self, *more: Any) -> str:
        """Of a file with the weights: all that its bytes depend on."""
        return digest_of([FORMAT, self.checkpoint.about["files"], self.encoding.vocab_size, *more])


def plan_model(tables: Tables, run: str, checkpoint: str | int | None, format: str, to: str) -> Export:
    """What is to lie in the target `to`.

    Raises:
        ValueError: there is no such run or checkpoint, or its recipe or vocabulary is none that these tools know.
    """
    if format not in MODEL_FORMATS:
        raise ValueError(f"a run is exported as {' or '.join(MODEL_FORMATS)}, not as {format}: leave run out for the articles")
    model = _find_model(tables, run, checkpoint)
    return _plan_hf(model) if format == "hf" else _plan_nanogpt(model, to.rstrip("/").rpartition("/")[2])


def _find_model(tables: Tables, name: str, checkpoint: str | int | None) -> Model:
    corpus = tables.corpus
    check_run_name(name)
    run = read_run(run_folder(corpus, name))
    if run is None:
        raise ValueError(f"there is no run {name} in {corpus.url}: train one first")
    recipe = recipe_name(run.config.recipe)
    if recipe != "classic":
        raise ValueError(
            f"run {name} has recipe={recipe}, which neither transformers' GPT-2 nor nanoGPT's model.py can compute: only runs "
            "of the recipe classic are exported"
        )
    found = chosen_checkpoint(run, checkpoint)
    own, vocabulary = find_vocabulary(tables, run.config.encoding)
    encoding = load_encoding(own, vocabulary)
    if encoding.digest != run.config.vocabulary:
        raise ValueError(f"run {name} was trained with another vocabulary than {corpus.url} has as {own!r}: restore that one")
    learned = {part.name for segment in run.segments for part in segment.parts if part.quota}
    articles = {part: each for part, each in tables["articles"].items() if part in learned}
    return Model(run, found, vocabulary, encoding, articles)


def _plan_hf(model: Model) -> Export:
    """`model.safetensors`, and all that transformers wants beside it; the card is README.md."""
    from raywiki.training.gpt2 import transformers_config, write_transformers

    config, end_of_text = model.run.config.model, model.encoding.end_of_text
    ids = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end_of_text)
    files = [
        _weights_file(
            "model.safetensors", model.key("hf"), model, partial(write_transformers, model.checkpoint.folder, config)
        ),
        _file("config.json", _json(transformers_config(config, end_of_text))),
        _file("generation_config.json", _json(ids)),
        _file("README.md", model_card(model.run, model.checkpoint, model.articles).encode()),
    ]
    notes = [_what(model)]
    tokenizer = tokenizer_json(model.vocabulary)
    if tokenizer is None:
        notes.append(
            f"there is no tokenizer.json, as {model.encoding.name} splits text otherwise than GPT-2: encode with tiktoken"
        )
    else:
        files += [_file("tokenizer.json", tokenizer), _file("tokenizer_config.json", tokenizer_config(config.seq_len))]
    return Export("hf model", model.settings, files, {}, "MB", tuple(notes))


def _plan_nanogpt(model: Model, name: str) -> Export:
    """`ckpt.pt`, and `meta.pkl` unless the encoding is GPT-2's."""
    from raywiki.training.gpt2 import write_nanogpt

    about = {"iter_num": model.checkpoint.step, "config": {} if model.is_gpt2 else {"dataset": f"../{name}"}}
    write = partial(write_nanogpt, model.checkpoint.folder, model.run.config.model, about)
    files = [_weights_file("ckpt.pt", model.key("nanogpt", about), model, write)]
    if not model.is_gpt2:
        key = digest_of([FORMAT, "meta.pkl", model.encoding.digest])
        files.append(PlannedFile("meta.pkl", key, partial(write_meta, model.encoding)))
    notes = (
        _what(model),
        f"put the folder beside nanoGPT's sample.py, and call it with --out_dir={name}",
        "nanoGPT's model.py computes GELU exactly, and the weights were trained with its tanh form, as GPT-2's were: logits "
        "differ a little",
    )
    return Export("nanogpt model", model.settings, files, {}, "MB", notes)


def _what(model: Model) -> str:
    run = model.run
    return f"these are the weights of run {run.name} after {model.checkpoint.step:,} steps"


def _weights_file(name: str, key: str, model: Model, write: Any) -> PlannedFile:
    """A file that holds as many bytes, nearly, as the checkpoint's own weights."""
    size = next(file["bytes"] for each, file in model.checkpoint.about["files"].items() if each.startswith("model.")) / 1e6

    def content(sink: HashingFile, advance: Advance) -> Counts:
        write(sink)
        advance(size)
        return {}

    return PlannedFile(name, key, content, size)


def _file(name: str, data: bytes) -> PlannedFile:
    """A small file that is there already."""

    def content(sink: HashingFile, advance: Advance) -> Counts:
        sink.write(data)
        return {}

    return PlannedFile(name, digest_of([name, data.decode()]), content)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, indent=2).encode() + b"\n"
