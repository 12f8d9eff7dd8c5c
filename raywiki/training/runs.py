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
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.config import GPTConfig, find_recipe, find_size, recipe_name
from raywiki.training.options import RunOptions
from raywiki.training.order import PartTokens, Segment

SEGMENTS, CHECKPOINTS, METRICS, STOP, LOCK = "segments.json", "checkpoints", "metrics.jsonl", "STOP", ".lock"
FORMAT = 1


@dataclass(frozen=True)
class RunConfig:
    """What a run is made with and keeps for ever. `vocabulary` is a digest of the encoding's vocabulary."""

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

    @property
    def model(self) -> GPTConfig:
        return GPTConfig(self.vocab_size, self.seq_len, self.n_layer, self.n_head, self.n_embd, self.dropout)


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
        found = find_checkpoint(self.folder / CHECKPOINTS, verify)
        return found.at if found else (0, 0)

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
    the size's own shape.

    Raises:
        ValueError: the run exists with another value (the sentence names both), or a name or number makes no sense.
    """
    folder = Path(folder)
    given: dict[str, Any] = dict(
        encoding=encoding, vocabulary=vocabulary, vocab_size=vocab_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd,
        dropout=dropout, **options,
    )  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if "recipe" in given:
        find_recipe(given["recipe"])  # an unknown name is a better message than one that differs
        given["recipe"] = recipe_name(given["recipe"])
    if "size" in given:
        find_size(given["size"])
    run = read_run(folder)
    if run is None:
        return Run(folder, _new_config(given))
    check_same(run, given)
    return run


def check_same(run: Run, given: Mapping[str, Any]) -> None:
    """Raise ValueError when the run was made with another value than one of the given ones; None was not given."""
    for name, value in given.items():
        own = getattr(run.config, name)
        if value not in (None, recipe_name(own) if name == "recipe" else own):
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


def write_run(run: Run) -> None:
    """Write segments.json, in one step."""
    run.folder.mkdir(parents=True, exist_ok=True)
    body = {
        "format": FORMAT,
        "run": run.name,
        "config": asdict(run.config),
        "segments": [asdict(segment) for segment in run.segments],
    }
    put(run.folder / SEGMENTS, json.dumps(body, indent=1, ensure_ascii=False) + "\n")


def _new_config(given: dict[str, Any]) -> RunConfig:
    defaults = {"size": "nano", "recipe": "classic", "seed": 0, "dropout": 0.0}
    chosen: dict[str, Any] = defaults | given
    shape = asdict(find_size(chosen["size"]))
    names = {field.name for field in fields(RunConfig)}
    config = RunConfig(**({name: value for name, value in shape.items() if name in names} | chosen))
    _ = config.model  # its own checks
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
