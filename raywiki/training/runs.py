"""A run on disk: what it is made with for ever, and its segments. Pure bookkeeping, no torch.

`runs/<run>/segments.json` holds both; which steps are done is what the newest checkpoint says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Unpack

from raywiki.files import put
from raywiki.training.checkpoint import CHECKPOINTS, Checkpoint, find_checkpoint, latest_step, read_checkpoint
from raywiki.training.config import GPTConfig, find_size, recipe_name
from raywiki.training.init_from import begin_with, check_vocabulary, find_source, init_place
from raywiki.training.metrics import read_metrics
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
        return latest_step(self.folder / CHECKPOINTS)

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
    """A run's checkpoint: "latest" (or None), "best" (the lowest mean validation loss of those that are kept), or by its step.

    Raises:
        ValueError: there is none such; the sentence names those that there are.
    """
    folder, wanted = run.folder / CHECKPOINTS, str(which if which is not None else "latest")
    if (newest := find_checkpoint(folder)) is None:
        raise ValueError(f"run {run.name} has no whole checkpoint yet: train it first")
    if wanted == "latest":
        return newest
    kept = {found.step: found for path in sorted(folder.glob("step_*")) if (found := read_checkpoint(path)) is not None}
    if wanted == "best":
        losses = {step: loss for step in kept if (loss := _mean_val_loss(run, step)) is not None}
        if not losses:
            raise ValueError(f"no checkpoint of run {run.name} was evaluated, so none is the best: take latest or a step")
        return kept[min(losses, key=losses.__getitem__)]
    if not wanted.isdecimal() or int(wanted) not in kept:
        steps = ", ".join(f"{step}" for step in kept)
        raise ValueError(f"run {run.name} has no checkpoint {wanted!r}: take latest, best, or one of the steps {steps}")
    return kept[int(wanted)]


def _mean_val_loss(run: Run, step: int) -> float | None:
    """Mean over the parts of the validation loss that was written down for a step."""
    line = next((line for line in read_metrics(run.folder / METRICS) if line["step"] == step), {})
    losses = [loss for loss in line.get("val_loss", {}).values() if loss is not None]
    return sum(losses) / len(losses) if losses else None


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
