"""What a new run begins with instead of fresh weights: a GPT-2 in a folder as transformers has it, or another run.

    --init-from FOLDER     config.json and model.safetensors (or pytorch_model.bin) of a GPT-2
    --init-from run:NAME   the newest checkpoint of a run of the same corpus; or its folder, or that of a checkpoint

Nothing is downloaded, and nothing is copied: the run's configuration keeps the place and the SHA-256 of the weights, and until
the first checkpoint is saved, they are read from there. No torch is loaded before tensors are read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raywiki.files import absolute, file_sha256
from raywiki.manifest import digest_of
from raywiki.training.checkpoint import ABOUT, CHECKPOINTS, Checkpoint, find_checkpoint, read_checkpoint
from raywiki.training.config import SIZES, GPTConfig, find_size, recipe_name

if TYPE_CHECKING:
    from torch import Tensor, nn

RUN = "run:"
CONFIG, INDEX = "config.json", "model.safetensors.index.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
OWN = {
    "seed",
    "dropout",
    "encoding",
    "init_from",
    "init_sha256",
    "seq_len",
}  # of a run's settings, those that it need not share
SHAPE, VOCABULARY = ("n_layer", "n_head", "n_embd"), ("vocabulary", "vocab_size")
# What GPT-2's configuration may say without being another model than "classic"; a name that is not there says the same.
GPT2: dict[str, tuple[Any, ...]] = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "tie_word_embeddings": (True,),
    "add_cross_attention": (False,),
}


@dataclass(frozen=True)
class Source:
    """Weights in files, none of them read. `settings` are those that a run which begins with them must have.

    `vocab_size` is the number of rows of the embedding, and `seq_len` that of the positions.
    """

    place: str
    files: tuple[Path, ...]
    settings: dict[str, Any]
    vocab_size: int
    seq_len: int
    checkpoint: Checkpoint | None = None  # None: a GPT-2

    def sha256(self) -> str:
        """SHA-256 (hex) of the file with the weights; of several, of the list of theirs."""
        if self.checkpoint is not None:
            return _weights_sha256(self.checkpoint)
        digests = [file_sha256(str(path)) for path in self.files]
        return digests[0] if len(digests) == 1 else digest_of(digests)

    def read(self, config: GPTConfig) -> dict[str, Tensor]:
        """The weights by the names of the recipe, for a model of this shape.

        Raises:
            ValueError: a file is damaged, holds anything but tensors (it is not run), or the weights of another model.
        """
        from raywiki.training.gpt2 import from_gpt2
        from raywiki.training.weights import read_tensors

        tensors = {name: tensor for path in self.files for name, tensor in read_tensors(path).items()}
        if self.checkpoint is not None:
            positions = tensors.get("positions.weight")
            return tensors if positions is None else {**tensors, "positions.weight": positions[: config.seq_len]}
        try:
            return from_gpt2(tensors, config, self.vocab_size)
        except ValueError as error:
            raise ValueError(f"{self.place} holds no GPT-2 that can be gone on from: {error}") from error


def init_place(place: str | os.PathLike[str], runs: Path) -> str:
    """A place as a run's configuration keeps it: `run:NAME`, or a path that means the same everywhere.

    >>> init_place("corpus/runs/r1/", Path("corpus/runs")), init_place("run:r1", Path("corpus/runs"))
    ('run:r1', 'run:r1')
    """
    place = os.fspath(place)
    if place.startswith(RUN):
        return place
    path = Path(absolute(place))
    return RUN + path.name if path.parent == Path(absolute(str(runs))) else str(path)


def find_source(place: str | os.PathLike[str], runs: Path, sha256: str | None = None) -> Source:
    """The weights at a place; with a digest, those of the run's checkpoint that have it.

    Args:
        place: see above.
        runs: folder of the corpus's runs.

    Raises:
        ValueError: there are no weights there, or none that a run can begin with; the sentence says why.
    """
    given, place = os.fspath(place), init_place(place, runs)
    folder = runs / place.removeprefix(RUN) if place.startswith(RUN) else Path(place)
    if (folder / CHECKPOINTS).is_dir() or (folder / ABOUT).is_file():
        return _of_run(place, folder, sha256)
    if place.startswith(RUN):
        raise ValueError(f"init_from={given}: there is no run {place.removeprefix(RUN)} with a checkpoint in {runs}")
    if (folder / CONFIG).is_file():
        return _of_gpt2(place, folder)
    if folder.is_dir():
        raise ValueError(f"init_from={given}: the folder has no {CONFIG} of a GPT-2 and no checkpoints of a run")
    if folder.exists():
        raise ValueError(f"init_from={given} is a file: give the folder that it lies in, with its {CONFIG}")
    raise ValueError(f"init_from={given} is no folder here, and nothing is downloaded: {_how_to_get(given)}")


def _how_to_get(name: str) -> str:
    """What to type for the weights that somebody may mean.

    >>> _how_to_get("gpt2-xl")
    'get it with `hf download openai-community/gpt2-xl config.json model.safetensors --local-dir gpt2-xl`, then give it'
    """
    hub = name if re.fullmatch(r"[\w-]+/[\w.-]+", name) else f"openai-community/{name if name.startswith('gpt2') else 'gpt2'}"
    folder = hub.partition("/")[2]
    return f"get it with `hf download {hub} {CONFIG} {WEIGHTS[0]} --local-dir {folder}`, then give it"


def begin_with(source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a new run that begins with these weights: what was given, and what they say.

    Raises:
        ValueError: something was given that the weights do not have; the sentence names both.
    """
    settings = {"seq_len": source.seq_len, **source.settings, **given}
    if _shape_of(settings["size"]) == _shape(source.settings):
        settings["size"] = source.settings["size"]
    for name, own in source.settings.items():
        if settings[name] != own and name not in VOCABULARY:
            raise ValueError(f"init_from={source.place} has {name}={own}, not {name}={settings[name]}: leave {name} out")
    if settings["seq_len"] > source.seq_len:
        raise ValueError(
            f"init_from={source.place} has {source.seq_len:,} positions, too few for seq_len={settings['seq_len']}: give a "
            "--seq-len of as many at most"
        )
    return settings


def require_source(place: str | os.PathLike[str], runs: Path, given: Mapping[str, Any]) -> None:
    """Raise all that is wrong with weights before it is known for which vocabulary: also that a file is none of weights."""
    source = find_source(place, runs)
    given = {name: value for name, value in given.items() if value is not None}
    settings = begin_with(source, given)
    source.read(GPTConfig(source.vocab_size, settings["seq_len"], **_shape(settings), recipe=settings["recipe"]))


def check_vocabulary(source: Source, config: GPTConfig, digest: str) -> None:
    """Raise ValueError unless the weights are for a vocabulary: of a run, by its digest; of a GPT-2, by its number of ids.

    A GPT-2's number may be rounded up to a multiple of 64, as nanoGPT does, or of 128.
    """
    own, size = source.settings.get("vocabulary", digest), config.vocab_size
    if own != digest or source.vocab_size not in (size, -(-size // 64) * 64, config.padded_vocab_size):
        differs = f" ({own[:12]}…, not {digest[:12]}…)" if own != digest else ""
        raise ValueError(
            f"init_from={source.place} has a vocabulary of {source.vocab_size:,} ids, and the tokens are of one of "
            f"{size:,}{differs}: tokenize the corpus with the encoding that these weights were trained with"
        )


def load_init(place: str, sha256: str, runs: Path, config: GPTConfig, model: nn.Module) -> None:
    """Put the weights that a run was planned to begin with into its model.

    Raises:
        ValueError: they are gone, or are not those any more.
    """
    from raywiki.training.weights import put_tensors

    source = find_source(place, runs, sha256)
    if source.sha256() != sha256:
        raise ValueError(
            f"the weights at {place} are not those that this run was planned to begin with (SHA-256 {sha256[:12]}…): restore "
            "them, or choose another name for a new run"
        )
    put_tensors(model, source.read(config), place)


def _of_run(place: str, folder: Path, sha256: str | None) -> Source:
    found = _checkpoint(folder, sha256)
    if found is None:
        raise ValueError(f"init_from={place} has no whole checkpoint{f' with the weights {sha256[:12]}…' if sha256 else ''}")
    config = found.about["config"]
    settings = {name: value for name, value in config.items() if name not in OWN} | {"recipe": recipe_name(config["recipe"])}
    files = tuple(found.folder / name for name in found.about["files"] if name.startswith("model."))
    return Source(place, files, settings, config["vocab_size"], config["seq_len"], found)


def _checkpoint(folder: Path, sha256: str | None) -> Checkpoint | None:
    """The checkpoint in a folder, or a run's newest one, or the one of its weights that have a digest."""
    if (folder / ABOUT).is_file():
        return read_checkpoint(folder)
    newest = find_checkpoint(folder / CHECKPOINTS)
    if newest is None or sha256 in (None, _weights_sha256(newest)):
        return newest
    kept = filter(None, map(read_checkpoint, sorted((folder / CHECKPOINTS).glob("step_*"))))
    return next((each for each in kept if _weights_sha256(each) == sha256), None)


def _weights_sha256(checkpoint: Checkpoint) -> str:
    return next(file["sha256"] for name, file in checkpoint.about["files"].items() if name.startswith("model."))


def _of_gpt2(place: str, folder: Path) -> Source:
    try:
        body = json.loads((folder / CONFIG).read_bytes())
        kind = body.get("model_type", "gpt2")
        shape = {name: int(body[name]) for name in SHAPE}
        vocab_size, seq_len = int(body["vocab_size"]), int(body["n_positions"])
        GPTConfig(vocab_size, seq_len, **shape, recipe="classic")
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"init_from={place}: {CONFIG} is damaged, or not of a GPT-2 ({error})") from error
    except KeyError as error:
        raise ValueError(f"init_from={place}: {CONFIG} has no {error.args[0]}, so it is not of a GPT-2") from error
    if kind != "gpt2":
        raise ValueError(f"init_from={place} holds a model of type {kind!r}: only GPT-2's (gpt2) can be gone on from")
    for name, allowed in {**GPT2, "n_inner": (None, 4 * shape["n_embd"])}.items():
        if body.get(name, allowed[0]) not in allowed:
            raise ValueError(
                f"init_from={place} has {name}={body[name]}, and classic has {name}={allowed[-1]}: it is another model"
            )
    settings = {"recipe": "classic", "size": _nearest_size(shape), **shape}
    return Source(place, _weights(place, folder), settings, vocab_size, seq_len)


def _weights(place: str, folder: Path) -> tuple[Path, ...]:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return (folder / name,)
    if not (folder / INDEX).is_file():
        raise ValueError(f"init_from={place} has a {CONFIG}, but neither {' nor '.join(WEIGHTS)}")
    try:
        names = sorted(set(json.loads((folder / INDEX).read_bytes())["weight_map"].values()))
        missing = [name for name in names if not (folder / os.path.basename(name)).is_file()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"init_from={place}: {INDEX} is damaged ({error!r})") from error
    if missing:
        raise ValueError(f"init_from={place}: {missing[0]}, which {INDEX} names, is not there")
    return tuple(folder / os.path.basename(name) for name in names)


def _nearest_size(shape: Mapping[str, int]) -> str:
    """The size of this shape, or the one with the most similar number of weights in its blocks, for its learning rate."""

    def difference(size: str) -> float:
        here, there = (each["n_layer"] * each["n_embd"] ** 2 for each in (shape, _shape_of(size)))
        return max(here, there) / min(here, there)

    same = [size for size in SIZES if _shape_of(size) == dict(shape)]
    return same[0] if same else min(SIZES, key=difference)


def _shape(settings: Mapping[str, Any]) -> dict[str, int]:
    return {name: settings[name] for name in SHAPE}


def _shape_of(size: str) -> dict[str, int]:
    return {name: getattr(find_size(size), name) for name in SHAPE}
