"""A run on disk: what it is made with for ever, and its segments. Pure bookkeeping, no torch.

`runs/<run>/segments.json` holds both; which steps are done is what the newest checkpoint says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack

from raywiki.files import put
from raywiki.training.checkpoint import CHECKPOINTS, Checkpoint, checkpoint_names, find_checkpoint, read_checkpoint, stands_at
from raywiki.training.config import GPTConfig, find_size, recipe_name
from raywiki.training.init_from import begin_with, check_vocabulary, find_source, init_place
from raywiki.training.options import RunOptions
from raywiki.training.order import PartTokens, Segment

SEGMENTS, METRICS, EVALS, STOP, LOCK = "segments.json", "metrics.jsonl", "evals.parquet", "STOP", ".lock"
BOARD = "tensorboard"
FORMAT = 1


@dataclass(frozen=True)
class RunConfig:
    """What a run is made with and keeps for ever. `vocabulary` is a digest of the encoding's vocabulary.

    `init_from` is the place of the weights that it begins with, and `init_sha256` their digest; see `init_from.Source`.
    """

    size: str
    recipe: str
    encoding: str
    vocabulary: str
    vocab_size: int
    seq_len: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    seed: int
    init_from: str | None = None
    init_sha256: str | None = None

    @property
    def model(self) -> GPTConfig:
        return GPTConfig(self.vocab_size, self.seq_len, self.n_layer, self.n_head, self.n_embd, self.dropout, self.recipe)


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it. Without segments it may not be on disk yet."""

    folder: Path
    config: RunConfig
    segments: tuple[Segment, ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def steps_done(self) -> int:
        return self.stands_at()[1]

    def stands_at(self, verify: bool = False) -> tuple[int, int]:
        """Segment and step of the newest checkpoint, (0, 0) without one. See `find_checkpoint`."""
        return stands_at(self.folder / CHECKPOINTS, verify)

    def step_in(self, index: int) -> int:
        """The step that a segment's training goes on from: its newest checkpoint's, or the segment's start."""
        at, step = self.stands_at()
        return step if at == index else self.segments[index].start_step

    def tokens_at(self, index: int, step: int) -> int:
        """Tokens of all batches on the way to a step of a segment; those of a decay that was left aside are not on it."""
        way = self.segments[: index + 1]
        before = sum((after.start_step - each.start_step) * each.total_batch_size for each, after in pairwise(way))
        return before + (step - way[-1].start_step) * way[-1].total_batch_size

    @property
    def known(self) -> dict[str, PartTokens]:
        """The parts that the run has learned from, by name, with the tokens that it saw last."""
        return self.segments[-1].known if self.segments else {}


def open_run(
    folder: str | os.PathLike[str], *, encoding: str, vocabulary: str, vocab_size: int, n_layer: int | None = None,
    n_head: int | None = None, n_embd: int | None = None, dropout: float | None = None, **options: Unpack[RunOptions],
) -> Run:  # fmt: skip
    """The run in a folder, or a new one; nothing is written before its first segment is trained.

    None means the run's own value or, for a new run, the default: size "nano", recipe "classic", seed 0, no dropout, and
    the size's own shape; or with `init_from`, those of the weights there.

    Raises:
        ValueError: the run exists with another value (the sentence names both), or a name or number makes no sense; there are
            no weights at `init_from`, or they do not fit.
    """
    folder = Path(folder)
    given: dict[str, Any] = dict(
        encoding=encoding, vocabulary=vocabulary, vocab_size=vocab_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd,
        dropout=dropout, **options,
    )  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if "recipe" in given:
        given["recipe"] = recipe_name(given["recipe"])  # an unknown name is a better message than one that differs
    if "size" in given:
        find_size(given["size"])
    run = read_run(folder)
    if run is None:
        return Run(folder, _new_config(given) if "init_from" not in given else _init_config(folder.parent, given))
    check_same(run, given)
    return run


def check_same(run: Run, given: Mapping[str, Any]) -> None:
    """Raise ValueError when the run was made with another value than one of the given ones; None was not given."""
    for name, value in given.items():
        own = getattr(run.config, name)
        if name == "init_from" and value is not None:
            value = init_place(value, run.folder.parent)
        is_same = value == own or (name == "recipe" and value is not None and recipe_name(value) == recipe_name(own))
        if value is not None and not is_same:
            raise ValueError(
                f"run {run.name} has {name}={_short(own)}, not {name}={_short(value)}: "
                f"leave {name} as it is, or choose another name for a new run"
            )


def check_run_name(run: str) -> None:
    """Raise ValueError when this cannot be the name of a run's folder."""
    if not run or "/" in run or run.startswith("."):
        raise ValueError(f"run={run!r} is no name of a run: choose a plain name such as r1")


def read_run(folder: str | os.PathLike[str]) -> Run | None:
    """The run in a folder, or None when there is none. Raises ValueError when its segments.json is damaged."""
    path = Path(folder) / SEGMENTS
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        body = json.loads(data)
        written = body["format"]
        if written == FORMAT:
            segments = tuple(_segment_from_json(each) for each in body["segments"])
            return Run(Path(folder), RunConfig(**body["config"]), segments)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}): restore it from a copy, or remove the run's folder") from error
    raise ValueError(f"{path} has format {written}, this raywiki reads {FORMAT}: upgrade raywiki")


def require_run(folder: str | os.PathLike[str]) -> Run:
    """The run in a folder; ValueError when there is none. See `read_run`."""
    run = read_run(folder)
    if run is None:
        raise ValueError(f"there is no run {Path(folder).name} in {Path(folder).parent}: train one first")
    return run


def chosen_checkpoint(run: Run, which: str | int | None = None) -> Checkpoint:
    """A run's checkpoint, of those that are kept.

    Args:
        run: see `read_run`.
        which: "latest" (or None); "best", the lowest mean validation loss of the newest segment, as other segments were
            evaluated over other parts; a step, of the newest segment that has it; or the name of a checkpoint's folder.

    Raises:
        ValueError: there is none such; the sentence names those that there are.
    """
    folder, wanted = run.folder / CHECKPOINTS, str(which if which is not None else "latest")
    if (newest := find_checkpoint(folder)) is None:
        raise ValueError(f"run {run.name} has no whole checkpoint yet: train it first")
    if wanted == "latest":
        return newest
    kept = [found for name in checkpoint_names(folder) if (found := read_checkpoint(folder / name)) is not None]
    if wanted == "best":
        losses = [(each.about["val_loss"], each) for each in kept if each.about.get("val_loss") is not None]
        losses = [(loss, each) for loss, each in losses if each.at[0] == newest.at[0]]
        if not losses:
            raise ValueError(f"no checkpoint of run {run.name} was evaluated, so none is the best: take latest or a step")
        return min(losses, key=lambda pair: pair[0])[1]
    named = [each for each in kept if wanted == each.folder.name or (wanted.isdecimal() and int(wanted) == each.step)]
    if not named:
        there = sorted({each.step for each in kept})
        steps = ", ".join(f"{step}" for step in there)
        raise ValueError(f"run {run.name} has no checkpoint {wanted!r}: take latest, best, or one of the steps {steps}")
    return named[-1]


def write_run(run: Run) -> None:
    """Write segments.json, in one step."""
    run.folder.mkdir(parents=True, exist_ok=True)
    body = {
        "format": FORMAT,
        "run": run.name,
        "config": config_json(run.config),
        "segments": [asdict(segment) for segment in run.segments],
    }
    put(run.folder / SEGMENTS, json.dumps(body, indent=1, ensure_ascii=False) + "\n")


def config_json(config: RunConfig) -> dict[str, Any]:
    """A configuration as JSON has it: what is None is left out, so that it reads as before there was such a setting."""
    return {name: value for name, value in asdict(config).items() if value is not None}


def _new_config(given: dict[str, Any]) -> RunConfig:
    defaults = {"size": "nano", "recipe": "classic", "seed": 0, "dropout": 0.0}
    chosen: dict[str, Any] = defaults | given
    shape = asdict(find_size(chosen["size"]))
    names = {field.name for field in fields(RunConfig)}
    config = RunConfig(**({name: value for name, value in shape.items() if name in names} | chosen))
    _ = config.model  # its own checks
    return config


def _init_config(runs: Path, given: dict[str, Any]) -> RunConfig:
    """The configuration of a new run that begins with other weights."""
    source = find_source(given["init_from"], runs)
    config = _new_config(begin_with(source, given) | {"init_from": source.place, "init_sha256": source.sha256()})
    check_vocabulary(source, config.model, config.vocabulary)
    return config


def _segment_from_json(body: dict[str, Any]) -> Segment:
    parts = {name: tuple(PartTokens(**part) for part in body.get(name, ())) for name in ("parts", "resting")}
    return Segment(**{**body, **parts})


def _short(value: Any) -> str:
    """A digest as its first twelve digits, anything else as it is."""
    return value[:12] + "…" if isinstance(value, str) and len(value) == 64 else str(value)


def busy_sentence(folder: Path) -> str:
    """What to say when another process holds a run's lock."""
    return f"run {folder.name} is being trained by another process: wait for it, or stop it by making the file {folder / STOP}"
