"""A run begins with the weights of a GPT-2 in a folder or of another run, remembers which, and says what does not fit."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_corner import Corner, exit_status, kill_self

from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.classic import build_model
from raywiki.training.config import GPTConfig
from raywiki.training.gpt2 import from_gpt2, to_gpt2, transformers_config, write_transformers
from raywiki.training.metrics import read_metrics
from raywiki.training.runs import read_run
from raywiki.training.weights import put_tensors

STEPS = {"steps": 6}


@pytest.fixture
def learned(corner, text) -> Corner:
    """A corner with a run r1 of six steps."""
    corner.add("a", text, val=text[:100])
    corner.train(plan=STEPS)
    return corner


@pytest.fixture
def gpt2(learned) -> Path:
    """r1 as a folder of transformers'."""
    folder = learned.folder / "hf"
    folder.mkdir()
    config = read_run(learned.run_folder()).config.model
    with open(folder / "model.safetensors", "wb") as file:
        write_transformers(newest(learned), config, file)
    (folder / "config.json").write_text(json.dumps(transformers_config(config, 256)))
    return folder


def newest(corner: Corner, run: str = "r1") -> Path:
    return find_checkpoint(corner.run_folder(run) / "checkpoints").folder


def losses(corner: Corner, run: str) -> dict[int, float]:
    lines = read_metrics(corner.run_folder(run) / "metrics.jsonl")
    return {line["step"]: line["val_loss"]["a"] for line in lines if "val_loss" in line}


def weights_of(corner: Corner, run: str) -> bytes:
    return (newest(corner, run) / "model.safetensors").read_bytes()


@pytest.mark.parametrize("form", ["run:r1", "run", "checkpoint"])
def test_a_run_begins_where_another_one_stands(learned, form):
    place = {"run": str(learned.run_folder()), "checkpoint": str(newest(learned))}.get(form, form)
    [result] = learned.train("r2", plan=STEPS, shape={"init_from": place, "seed": 3})
    assert result.val_before["a"] == losses(learned, "r1")[6]
    config = read_run(learned.run_folder("r2")).config
    assert config.init_from == (str(newest(learned)) if form == "checkpoint" else "run:r1")
    files = json.loads((newest(learned) / "checkpoint.json").read_text())["files"]
    assert config.init_sha256 == files["model.safetensors"]["sha256"]
    assert learned.train("r2", plan=STEPS, shape={"init_from": place}) == []  # the same command again
    assert learned.train("r2", plan=STEPS) == []
    with pytest.raises(ValueError, match=r"run r2 has init_from=.*, not init_from=run:r3: leave init_from as it is"):
        learned.train("r2", plan=STEPS, shape={"init_from": "run:r3"})


def _train_and_die(corner: Corner) -> None:
    torch.set_num_threads(1)
    dies = {"progress": lambda step, _: kill_self() if step == 3 else None}
    corner.train("r2", plan=STEPS, shape={"init_from": "run:r1"}, **dies)


def test_killed_before_its_first_checkpoint_it_begins_with_the_same_weights_again(learned):
    learned.train("whole", plan=STEPS, shape={"init_from": "run:r1"})
    learned.open("r2", init_from="run:r1")
    assert not learned.run_folder("r2").exists()  # planning writes nothing
    assert exit_status(_train_and_die, learned) == -9
    learned.train(plan={"until_step": 8})  # r1 goes on; what r2 began with is kept beside its newest
    learned.train("r2", plan=STEPS)
    assert weights_of(learned, "r2") == weights_of(learned, "whole")


def test_weights_that_are_gone_or_others_are_noticed(learned, gpt2):
    planned = learned.open("r2", init_from="run:r1")
    learned.train(plan={"until_step": 9}, checkpoint_every=1)
    shutil.rmtree(learned.run_folder() / "checkpoints/step_00000006")  # a segment's last stays for ever, but for this
    with pytest.raises(ValueError, match="init_from=run:r1 has no whole checkpoint with the weights"):
        load_again(planned)
    planned = learned.open("r3", init_from=str(gpt2))
    (gpt2 / "model.safetensors").write_bytes((gpt2 / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(ValueError, match="are not those that this run was planned to begin with"):
        load_again(planned)


def load_again(run) -> None:
    from raywiki.training.init_from import load_init

    config = run.config
    load_init(config.init_from, config.init_sha256, run.folder.parent, config.model, build_model(config.model))


def test_a_gpt2_of_transformers_gives_shape_and_weights(learned, gpt2):
    [result] = learned.train("r2", plan=STEPS, shape={"init_from": str(gpt2), "n_layer": None, "n_head": None, "n_embd": None})
    config = read_run(learned.run_folder("r2")).config
    assert (config.size, config.n_layer, config.n_head, config.n_embd, config.seq_len) == ("nano", 1, 2, 16, 16)
    assert config.init_from == str(gpt2)
    # The padding of 127 ids begins anew: see `from_gpt2`.
    assert abs(result.val_before["a"] - losses(learned, "r1")[6]) < math.log(384 / 257)
    shorter = learned.open("r3", init_from=str(gpt2), seq_len=9).config
    assert shorter.model.seq_len == 9
    load_again(learned.open("r3", init_from=str(gpt2), seq_len=9))


@pytest.mark.parametrize("vocab_size", [256, 250])
@pytest.mark.parametrize("form", ["transformers", "openai", "padded"])
def test_there_and_back_the_model_says_the_same(vocab_size, form):
    config = GPTConfig(vocab_size, 12, n_layer=2, n_head=2, n_embd=16)
    model, again = build_model(config, seed=1).eval(), build_model(config, seed=2).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)) * 0.3)
    tensors = to_gpt2(model.state_dict(), 256 if form == "padded" else vocab_size, conv1d=True)
    assert tensors["transformer.h.1.mlp.c_fc.weight"].shape == (16, 64)
    if form == "openai":  # as the file on the hub: no prefix, and the masks among the weights
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        tensors |= {"h.0.attn.bias": torch.ones(1, 1, 12, 12), "lm_head.weight": tensors["wte.weight"].clone()}
    put_tensors(again, from_gpt2(tensors, config, 256 if form == "padded" else vocab_size), form)
    ids = torch.randint(vocab_size, (2, 12), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(again(ids)[..., :vocab_size], model(ids)[..., :vocab_size], rtol=0, atol=0)
    if vocab_size == 256 or form == "padded":
        assert again(ids, ids.roll(-1, 1)).item() == model(ids, ids.roll(-1, 1)).item()
    else:
        bare = torch.nn.functional.cross_entropy(model(ids)[..., :vocab_size].flatten(0, 1), ids.roll(-1, 1).flatten())
        assert 0 <= again(ids, ids.roll(-1, 1)).item() / 24 - bare.item() <= math.log(256 / 250)


def test_a_bin_file_in_half_precision_is_read(learned, gpt2):
    tensors = {name: tensor.half() for name, tensor in load_file(gpt2 / "model.safetensors").items()}
    (gpt2 / "model.safetensors").unlink()
    torch.save(tensors, gpt2 / "pytorch_model.bin")
    [result] = learned.train("r2", plan=STEPS, shape={"init_from": str(gpt2)})
    assert abs(result.val_before["a"] - losses(learned, "r1")[6]) < math.log(384 / 257) + 0.01


def test_weights_in_several_files_are_read(learned, gpt2):
    tensors = sorted(load_file(gpt2 / "model.safetensors").items())
    (gpt2 / "model.safetensors").unlink()
    for number, piece in enumerate((tensors[:5], tensors[5:])):
        save_file(dict(piece), gpt2 / f"model-{number}.safetensors")
    index = {name: f"model-{int(place >= 5)}.safetensors" for place, (name, _) in enumerate(tensors)}
    (gpt2 / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    load_again(learned.open("r2", init_from=str(gpt2)))
    (gpt2 / "model-1.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model-1.safetensors, which model.safetensors.index.json names, is not there"):
        learned.open("r2", init_from=str(gpt2))


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_bin_file_that_would_run_code_is_refused_and_leaves_no_run(learned, gpt2):
    (gpt2 / "model.safetensors").unlink()
    (gpt2 / "pytorch_model.bin").write_bytes(pickle.dumps(Malicious(gpt2 / "ran")))
    with pytest.raises(
        ValueError, match=r"pytorch_model.bin holds more than tensors, and is not loaded: its code would be run"
    ):
        learned.train("r2", plan=STEPS, shape={"init_from": str(gpt2)})
    assert not (gpt2 / "ran").exists()
    assert read_run(learned.run_folder("r2")) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "llama"}, "holds a model of type 'llama'"),
        ({"activation_function": "relu"}, "has activation_function=relu, and classic has"),
        ({"layer_norm_epsilon": 1e-6}, "has layer_norm_epsilon=1e-06"),
        ({"n_inner": 40}, "has n_inner=40, and classic has n_inner=64"),
        ({"vocab_size": 300}, "has a vocabulary of 300 ids, and the tokens are of one of 257"),
        ({"vocab_size": 320}, "its embedding has 257 rows, not 320"),
        ({"vocab_size": 400}, "has a vocabulary of 400 ids, and the tokens are of one of 257: tokenize the corpus with"),
        ({"n_embd": 15}, "n_embd=15 does not divide"),
        ({"n_layer": "many"}, "config.json is damaged, or not of a GPT-2"),
        ({"n_positions": None}, "config.json is damaged, or not of a GPT-2"),
    ],
)
def test_another_model_is_refused_by_its_configuration(learned, gpt2, change, said):
    body = json.loads((gpt2 / "config.json").read_text())
    (gpt2 / "config.json").write_text(json.dumps({**body, **change}))
    with pytest.raises(ValueError, match=said):
        load_again(learned.open("r2", init_from=str(gpt2)))


def change_tensors(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda tensors: tensors.pop("transformer.ln_f.bias"),
            "hf holds no GPT-2 that can be gone on from: it has no ln_f.bias",
        ),
        (
            lambda tensors: tensors.update({"transformer.h.0.mlp.extra": torch.ones(1)}),
            "its h.0.mlp.extra is nothing that GPT-2",
        ),
        (lambda tensors: tensors.update({"lm_head.weight": torch.ones(257, 16)}), "its head is not its embedding"),
        (
            lambda tensors: tensors.update({"transformer.h.0.attn.c_attn.weight": torch.ones(48, 16)}),
            r"its h.0.attn.c_attn.weight has the shape \(48, 16\), not \(16, 48\)",
        ),
        (lambda tensors: tensors.update({"transformer.wpe.weight": torch.ones(3, 16)}), "it has 3 positions, fewer than 16"),
    ],
)
def test_another_model_is_refused_by_its_tensors(learned, gpt2, change, said):
    change_tensors(gpt2, change)
    with pytest.raises(ValueError, match=said):
        load_again(learned.open("r2", init_from=str(gpt2)))


@pytest.mark.parametrize(
    ("place", "shape", "said"),
    [
        (
            "gpt2",
            {},
            "init_from=gpt2 is no folder here, and nothing is downloaded: get it with `hf download openai-community/gpt2 ",
        ),
        ("someone/gpt2-viwiki", {}, "`hf download someone/gpt2-viwiki config.json model.safetensors --local-dir gpt2-viwiki`"),
        ("run:r9", {}, "there is no run r9 with a checkpoint in"),
        ("run:", {}, "there is no run  with a checkpoint in"),
        ("{corner}", {}, "the folder has no config.json of a GPT-2 and no checkpoints of a run"),
        ("{corner}/a.parquet", {}, "is a file: give the folder that it lies in"),
        ("run:r1", {"n_layer": 2}, "init_from=run:r1 has n_layer=1, not n_layer=2: leave n_layer out"),
        ("run:r1", {"size": "mini"}, "init_from=run:r1 has size=nano, not size=mini: leave size out"),
        ("run:r1", {"seq_len": 17}, "init_from=run:r1 has 16 positions, too few for seq_len=17"),
        ("{gpt2}", {"n_embd": 32}, "has n_embd=16, not n_embd=32: leave n_embd out"),
        ("{gpt2}", {"seq_len": 17}, "has 16 positions, too few for seq_len=17"),
    ],
)
def test_what_does_not_fit_is_one_sentence(learned, gpt2, place, shape, said):
    place = place.format(corner=learned.folder, gpt2=gpt2)
    with pytest.raises(ValueError, match=said):
        learned.open("r2", init_from=place, **shape)


def test_a_run_of_another_vocabulary_is_refused(learned):
    path = newest(learned) / "checkpoint.json"
    path.write_text(path.read_text().replace('"vocabulary": "ab', '"vocabulary": "cd'))
    with pytest.raises(ValueError, match=r"has a vocabulary of 257 ids, .* of one of 257 \(cdab.*, not abab.*\): tokenize"):
        learned.open("r2", init_from="run:r1")
