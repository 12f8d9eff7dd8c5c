"""Weights as files: safetensors, which can hold nothing but tensors, and torch's own files, of which only tensors are read."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

MODEL, OLD_MODEL = "model.safetensors", "model.pt"  # of a checkpoint; the old one is of checkpoint format 1
METADATA = {"format": "pt"}  # what transformers wants to read before it opens a safetensors file


def bare(model: nn.Module) -> nn.Module:
    """The model itself, out of what torch.compile and DistributedDataParallel put around it, so that no name has a prefix."""
    while True:
        if isinstance(model, nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the weights as safetensors, under their bare names. Of tied ones, one is written.

    What is in the CPU's memory is written from where it lies, without a copy.
    """
    safetensors.save_model(bare(model), os.fspath(path), metadata=dict(METADATA))


def write_safetensors(tensors: Mapping[str, Tensor], sink: Any) -> None:
    """Write tensors to an open file as safetensors does, by way of a temporary one: as bytes they would be in memory twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL
        safetensors.save_file(dict(tensors), path, metadata=dict(METADATA))
        with open(path, "rb") as file:
            shutil.copyfileobj(file, sink, 1 << 23)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Put the weights of a checkpoint's folder, of whichever format, into a model on any device.

    Raises:
        ValueError: the file holds anything but tensors (it is not run), or others than the model's.
    """
    path = weights_file(folder)
    put_tensors(model, read_tensors(path), path)


def put_tensors(model: nn.Module, tensors: Mapping[str, Tensor], source: str | os.PathLike[str]) -> None:
    """Copy tensors into the weights of these bare names; tied ones may be there once.

    Raises:
        ValueError: names or shapes are not those of the model; the sentence names the source.
    """
    own = bare(model).state_dict(keep_vars=True)
    ties: dict[int, list[str]] = {}
    for name, value in own.items():
        ties.setdefault(id(value), []).append(name)
    missing = [names[0] for names in ties.values() if not tensors.keys() & set(names)]
    odd = [name for name, each in tensors.items() if name not in own or own[name].shape != each.shape]
    if missing or odd:
        what = f"has no {missing[0]}" if missing else f"has {odd[0]} of shape {tuple(tensors[odd[0]].shape)}"
        raise ValueError(f"{os.fspath(source)} {what}, so it does not hold the weights of this model")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def weights_file(folder: Path) -> Path:
    """The file with the weights in a checkpoint's folder."""
    return folder / (MODEL if (folder / MODEL).exists() else OLD_MODEL)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names, in the CPU's memory. Those of safetensors are mapped, and read when they are used.

    Raises:
        ValueError: the file is damaged, or holds anything but tensors. It is not run.
    """
    if path.suffix == ".safetensors":
        try:
            return safetensors.load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged, or no safetensors file ({error}): restore it from a copy") from error
    tensors = read_torch(path)
    if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
        raise ValueError(f"{path} holds more than tensors by their names: it is no file of weights")
    return tensors


def read_torch(path: Path, device: torch.device | str = "cpu") -> Any:
    """What a file of `torch.save` holds: tensors and plain values.

    Raises:
        ValueError: it holds anything else, which is not run; or it is damaged.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than tensors, and is not loaded: its code would be run") from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged, or no file of torch's: restore it from a copy") from error
