"""Checkpoints: folders that are whole or not there.

    checkpoints/step_00000500/model.safetensors optimizer.pt checkpoint.json
    checkpoints/step_00000640.segment_1/…                               of a later segment: a step's number may be given twice
    checkpoints/LATEST                                                  the name of the folder to go on from

A checkpoint is written under another name, closed by `checkpoint.json` (which holds the digest of every file), renamed, and
only then named in LATEST. Killed at any moment, LATEST names the old one or the new one. Ours and not Ray's, because a run
must go on months later with newer versions of everything.

Their order is that of (segment, step), both as in metrics.jsonl. When one is saved, older ones go, but for the newest few,
the best one of the segment, and those that the caller always keeps.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raywiki.files import put, sha256_of, sync_folder

CHECKPOINTS, ABOUT, LATEST = "checkpoints", "checkpoint.json", "LATEST"
FORMAT = 2  # 1 had the weights in model.pt
NAME = re.compile(r"step_(\d{8,})(?:\.segment_(\d+))?")


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint: its folder, the number of steps done, and the content of its `checkpoint.json`.

    `passed_over` are the names of newer ones that are damaged or incomplete.
    """

    folder: Path
    step: int
    about: dict[str, Any]
    passed_over: tuple[str, ...] = ()

    @property
    def at(self) -> tuple[int, int]:
        """Segment and step."""
        return self.about.get("segment", 0), self.step


def save_checkpoint(
    folder: Path, step: int, files: Mapping[str, Callable[[Path], None]], about: Mapping[str, Any], keep: int = 2,
    always: Container[tuple[int, int]] = (),
) -> Path:  # fmt: skip
    """Write a checkpoint, name it LATEST, and remove older ones.

    Args:
        folder: the run's `checkpoints` folder; made when missing.
        step: steps done.
        files: for each file name, a function that writes it to the path it is given.
        about: what `checkpoint.json` says beside step, format and files; JSON values. Among them `segment`, the index of the
            step's segment (0 where it is not given), and `val_loss`, if any, by which the best one is found.
        keep: newest checkpoints to keep, at least 1.
        always: (segment, step) of those that are kept beside them and the segment's best.

    Returns:
        The checkpoint's folder.
    """
    assert keep >= 1
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / folder_name(step, about.get("segment", 0))
    temporary = folder / f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"
    temporary.mkdir()
    try:
        written = {}
        for name, write in files.items():
            write(temporary / name)
            written[name] = _settle_file(temporary / name)
        body = {"format": FORMAT, "step": step, **about, "files": written}
        put(temporary / ABOUT, json.dumps(body, indent=1, ensure_ascii=False) + "\n")
        if target.exists():  # written before, but not gone on from: LATEST named an older one
            os.rename(target, folder / f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        os.rename(temporary, target)
        sync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    put(folder / LATEST, target.name + "\n")
    _prune(folder, target.name, keep, always)
    return target


def find_checkpoint(folder: Path, verify: bool = True) -> Checkpoint | None:
    """The checkpoint to go on from: the one LATEST names, or the newest whole one when that is damaged; None without any.

    Args:
        folder: the run's `checkpoints` folder.
        verify: compare the digest of every file; otherwise only its size.
    """
    latest, passed_over = _read_latest(folder), list[str]()
    names = checkpoint_names(folder)[::-1]
    for name in [latest, *(name for name in names if name != latest)] if latest else names:
        found = read_checkpoint(folder / name, verify)
        if found is not None:
            return replace(found, passed_over=tuple(passed_over))
        passed_over.append(name)
    return None


def find_step(folder: Path, segment: int, step: int, verify: bool = True) -> Checkpoint | None:
    """The whole checkpoint of a step of a segment, or None. See `find_checkpoint`."""
    for name in checkpoint_names(folder):
        if _order(name)[1] == step:
            found = read_checkpoint(folder / name, verify=False)
            if found is not None and found.at == (segment, step):
                return read_checkpoint(folder / name, verify)
    return None


def stands_at(folder: Path, verify: bool = False) -> tuple[int, int]:
    """Segment and step of the run's newest checkpoint; (0, 0) when there is none. See `find_checkpoint`."""
    found = find_checkpoint(folder, verify)
    return found.at if found else (0, 0)


def folder_name(step: int, segment: int = 0) -> str:
    """Name of a checkpoint's folder: of later segments with the segment, as they may start before the end of the one before.

    >>> folder_name(500), folder_name(640, segment=1)
    ('step_00000500', 'step_00000640.segment_1')
    """
    return f"step_{step:08d}" + (f".segment_{segment}" if segment else "")


def checkpoint_names(folder: Path) -> list[str]:
    """Names of all checkpoints, the oldest first, damaged ones too."""
    return sorted((path.name for path in folder.glob("step_*") if NAME.fullmatch(path.name)), key=_order)


def _order(name: str) -> tuple[int, int]:
    """Segment and step, by which names are in order. Those that raywiki gave before it named segments have none, and are older.

    Those ones were in order by their steps alone: no segment started before the end of another.
    """
    match = NAME.fullmatch(name)
    assert match, name
    return int(match[2] or 0), int(match[1])


def model_digest(state_dict: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the names, types, shapes and bytes of all tensors, in the order of their names."""
    import torch

    sha256 = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()


def _settle_file(path: Path) -> dict[str, Any]:
    """Make a file durable; its size and digest."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        digest = sha256_of(file)
    return {"bytes": path.stat().st_size, "sha256": digest}


def _read_latest(folder: Path) -> str | None:
    try:
        name = (folder / LATEST).read_text().strip()
    except OSError:
        return None
    return name if NAME.fullmatch(name) else None


def read_checkpoint(folder: Path, verify: bool = True) -> Checkpoint | None:
    """The checkpoint in a folder, or None unless it is whole. ValueError when a newer raywiki wrote it."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        if about["format"] > FORMAT:
            raise NewerFormat(f"{folder} has checkpoint format {about['format']}, this raywiki reads {FORMAT}: upgrade raywiki")
        for name, file in about["files"].items():
            if (folder / name).stat().st_size != file["bytes"]:
                return None
            if verify:
                with open(folder / name, "rb") as opened:
                    if sha256_of(opened) != file["sha256"]:
                        return None
        return Checkpoint(folder, int(about["step"]), about)
    except NewerFormat:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


class NewerFormat(ValueError):
    """A file of a later raywiki."""


def _prune(folder: Path, newest: str, keep: int, always: Container[tuple[int, int]]) -> None:
    """Remove older checkpoints, what a killed process left, and steps of a future that the run was set back from."""
    past = [name for name in checkpoint_names(folder) if _order(name) <= _order(newest)]
    whole = [found for name in past if (found := read_checkpoint(folder / name, verify=False)) is not None]
    compared = [each for each in whole if each.at[0] == whole[-1].at[0] and each.about.get("val_loss") is not None]
    best = sorted(compared, key=lambda each: each.about["val_loss"])[:1]  # other segments are over other parts
    kept = {*past[-keep:], *(each.folder.name for each in [*best, *(each for each in whole if each.at in always)])}
    for path in [*(folder / name for name in checkpoint_names(folder)), *folder.glob(".step_*")]:
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f".{LATEST}.*"):
        path.unlink(missing_ok=True)
