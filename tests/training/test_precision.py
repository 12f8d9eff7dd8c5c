"""fp32, bf16, fp16. The GPU's answers are made up; fp16 with its scaler runs on a CPU, too."""

from __future__ import annotations

import math

import pytest
import torch

from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.metrics import read_metrics
from raywiki.training.precision import autocast, choose_precision, loss_scaler
from raywiki.training.weights import read_tensors

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def one_part(corner, text):
    corner.add("a", text, val=text[:100])
    return corner


def losses(corner, run: str = "r1") -> list[float]:
    return [line["train_loss"] for line in read_metrics(corner.run_folder(run) / "metrics.jsonl")][1:]


def test_a_gpu_that_only_emulates_bf16_takes_fp16(monkeypatch):
    for native, chosen in [(True, "bf16"), (False, "fp16")]:
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=native: including_emulation or has)
        assert choose_precision(CUDA) == choose_precision(CUDA, "auto") == chosen
        assert choose_precision(CUDA, "fp32") == "fp32"
    assert choose_precision(CPU) == "fp32"


def test_products_are_in_the_chosen_type():
    for name, dtype in {None: torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}.items():
        with autocast(CPU, name):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_nearly_the_same(one_part, precision):
    one_part.train("exact", plan={"steps": 6})
    [result] = one_part.train(plan={"steps": 6}, precision=precision)
    assert result.precision == {"bf16": "bfloat16", "fp16": "float16"}[precision]
    pairs = list(zip(losses(one_part), losses(one_part, "exact"), strict=True))
    assert all(0 < abs(ours / exact - 1) < 0.01 for ours, exact in pairs[1:])
    state = read_tensors(find_checkpoint(one_part.run_folder() / "checkpoints").folder / "model.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


def test_fp16_goes_on_bit_for_bit_with_the_scale_it_had(one_part):
    one_part.train("whole", plan={"steps": 6}, precision="fp16", checkpoint_every=3)
    [half] = one_part.train(plan={"steps": 6}, precision="fp16", should_stop=lambda: True)
    assert half.step == 1
    saved = find_checkpoint(one_part.run_folder() / "checkpoints").about["scaler"]
    assert saved["_growth_tracker"] == 1
    assert loss_scaler(CPU, "fp16", {**saved, "scale": 8.0}).get_scale() == 8.0
    one_part.train(plan={"steps": 6}, precision="fp16")
    assert losses(one_part) == losses(one_part, "whole")


@pytest.mark.parametrize("recipe", ["classic", "modern"])
def test_bf16_goes_on_bit_for_bit(one_part, recipe):
    for run, stops in {"whole": False, "r1": True}.items():
        options = {"shape": {"recipe": recipe}, "plan": {"steps": 6}, "precision": "bf16"}
        one_part.train(run, **options, should_stop=lambda stops=stops: stops)
        one_part.train(run, **options)
    assert losses(one_part) == losses(one_part, "whole")
    weights, whole = (find_checkpoint(one_part.run_folder(run) / "checkpoints").folder for run in ("r1", "whole"))
    assert (weights / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_gradient_that_overflows_is_made_again_and_no_step_is_left_out(one_part, monkeypatch):
    """float16 ends at 65,504: so large a scale overflows, and is halved until it does not."""
    one_part.train("exact", plan={"steps": 3})
    monkeypatch.setattr(
        "raywiki.training.state.loss_scaler", lambda *_: torch.amp.GradScaler("cpu", init_scale=2.0**40, enabled=True)
    )
    one_part.train(plan={"steps": 3}, precision="fp16")
    assert 1 < find_checkpoint(one_part.run_folder() / "checkpoints").about["scaler"]["scale"] < 2.0**30
    for ours, exact in zip(losses(one_part), losses(one_part, "exact"), strict=True):
        assert ours == pytest.approx(exact, rel=0.01)


def test_another_precision_than_before_is_told(one_part):
    one_part.train(plan={"steps": 2}, precision="bf16")
    [result] = one_part.train(plan={"steps": 4})
    assert result.notes == ("the steps before step 2 were computed in bf16, these in fp32",)
    assert all(map(math.isfinite, losses(one_part)))


def test_an_unknown_precision_leaves_no_run(one_part):
    with pytest.raises(ValueError, match="there is no precision 'fp8': choose one of auto, fp32, bf16, fp16"):
        one_part.train(plan={"steps": 2}, precision="fp8")
    assert not (one_part.run_folder() / "segments.json").exists()
