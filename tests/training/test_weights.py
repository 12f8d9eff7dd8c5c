"""Weights in files: what is saved under which names, what is read, and what is never run."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import nn

from raywiki.training.checkpoint import find_checkpoint, model_digest
from raywiki.training.sampling import load_model
from raywiki.training.weights import bare, load_weights, put_tensors, read_tensors, save_weights


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def to_format_1(checkpoints: Path) -> None:
    """Give checkpoints the form that raywiki wrote before there were safetensors."""
    import hashlib
    import json

    for folder in checkpoints.glob("step_*"):
        torch.save(read_tensors(folder / "model.safetensors"), folder / "model.pt")
        (folder / "model.safetensors").unlink()
        about = json.loads((folder / "checkpoint.json").read_text())
        del about["files"]["model.safetensors"]
        data = (folder / "model.pt").read_bytes()
        about["files"]["model.pt"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / "checkpoint.json").write_text(json.dumps({**about, "format": 1}))


def test_a_run_of_checkpoint_format_1_goes_on_bit_for_bit(corner, text):
    corner.add("a", text, val=text[:100])
    corner.train("whole", plan={"steps": 8}, checkpoint_every=4)
    corner.train(plan={"until_step": 4}, checkpoint_every=4)
    shutil.rmtree(corner.run_folder() / "checkpoints")
    corner.train(plan={"steps": 8, "schedule": "cosine"}, checkpoint_every=4, should_stop=lambda: True)
    checkpoints = corner.run_folder() / "checkpoints"
    to_format_1(checkpoints)
    assert load_model(corner.run_folder(), "cpu")[2] == 1
    [result] = corner.train(plan={"steps": 8}, checkpoint_every=4)
    assert result.step == 8
    last, whole = (find_checkpoint(corner.run_folder(run) / "checkpoints").folder for run in ("r1", "whole"))
    assert (last / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not (last / "model.pt").exists()


def test_only_bare_names_are_saved(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(torch.compile(model))
        assert bare(wrapped) is model
        save_weights(wrapped, tmp_path / "model.safetensors")
        del wrapped
    finally:
        dist.destroy_process_group()
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == model.state_dict().keys()
    assert model_digest(saved) == model_digest(model.state_dict())
    other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    load_weights(torch.compile(other), tmp_path)
    assert model_digest(other.state_dict()) == model_digest(saved)


def test_tied_weights_are_saved_once_and_loaded_into_both(tmp_path):
    model, other = Tied(), Tied()
    save_weights(model, tmp_path / "model.safetensors")
    assert len(load_file(tmp_path / "model.safetensors")) == 1
    load_weights(other, tmp_path)
    assert torch.equal(other.head.weight, model.embedding.weight)
    assert other.head.weight is other.embedding.weight


def test_weights_of_another_model_are_refused():
    model = nn.Linear(2, 3)
    before = model_digest(model.state_dict())
    for tensors, said in (
        ({"weight": torch.ones(3, 2)}, "x has no bias"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(3)}, r"x has weight of shape \(2, 3\)"),
        ({"weight": torch.ones(3, 2), "bias": torch.ones(3), "more": torch.ones(1)}, r"x has more of shape \(1,\)"),
    ):
        with pytest.raises(ValueError, match=said):
            put_tensors(model, tensors, "x")
    assert model_digest(model.state_dict()) == before


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_no_file_of_weights_can_run_code(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    with pytest.raises(ValueError, match=rf"{name} (holds more than tensors, and is not loaded|is damaged, or no safetensors)"):
        load_weights(nn.Linear(1, 1), tmp_path)
    torch.save({"weight": Malicious(tmp_path / "ran")}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="holds more than tensors, and is not loaded: its code would be run"):
        read_tensors(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_damaged_files_are_one_sentence(tmp_path):
    torch.save({"weight": torch.ones(200)}, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:-300])
    save_weights(nn.Linear(4, 4), tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:-9])
    torch.save([1, 2], tmp_path / "list.pt")
    for name, said in (("cut.pt", "is damaged"), ("cut.safetensors", "is damaged"), ("list.pt", "holds more than tensors by")):
        with pytest.raises(ValueError, match=f"{name} {said}"):
            read_tensors(tmp_path / name)
