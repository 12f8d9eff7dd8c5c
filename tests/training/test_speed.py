"""What makes steps quick, and must not change them: reading ahead and late, fewer sequences at once, compiling; and MFU."""

from __future__ import annotations

import math
import shutil
import threading

import numpy as np
import pytest
import torch

from raywiki.progress import heard_by
from raywiki.training import flops, loop, readback, state
from raywiki.training.ahead import read_ahead
from raywiki.training.checkpoint import find_checkpoint, model_digest
from raywiki.training.classic import GPT
from raywiki.training.metrics import read_metrics
from raywiki.training.order import step_samples
from raywiki.training.runs import read_run
from raywiki.training.weights import read_tensors

CPU = torch.device("cpu")


@pytest.fixture
def one_part(corner, text):
    corner.add("a", text, val=text[:100])
    return corner


def lines(corner, run: str = "r1") -> list[dict]:
    return read_metrics(corner.run_folder(run) / "metrics.jsonl")


def digest(corner, run: str = "r1") -> str:
    folder = find_checkpoint(corner.run_folder(run) / "checkpoints").folder
    return model_digest(read_tensors(folder / "model.safetensors"))


def test_one_item_is_made_ahead_and_no_more():
    made = []

    def make():
        for number in range(5):
            made.append(number)
            yield number

    items = read_ahead(make(), CPU)
    assert next(items) == 0
    assert next(items) == 1
    items.close()  # waits for what is being made
    assert made == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_an_error_comes_where_its_item_would():
    def make():
        yield 0
        raise OSError("the disk is gone")

    items = read_ahead(make(), CPU)
    assert next(items) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_no_thread_outlives_a_segment(one_part):
    one_part.train(plan={"steps": 3}, should_stop=lambda: True)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_what_is_read_late_is_the_same(one_part, monkeypatch):
    """As on a GPU: several steps are read together, but before each checkpoint and evaluation."""
    one_part.train("each", plan={"steps": 11}, checkpoint_every=4)
    monkeypatch.setitem(readback.MOST_STEPS, "cpu", 3)
    read = []
    usual = readback.Readback.read
    monkeypatch.setattr(readback.Readback, "read", lambda self: read.append(len(self.waiting)) or usual(self))
    one_part.train("late", plan={"steps": 11}, checkpoint_every=4)
    assert read == [1, 3, 1, 3, 2, 1]  # steps 1 | 2-4 checkpoint | 5 evaluation | 6-8 checkpoint | 9-10 evaluation | 11 end
    assert digest(one_part, "late") == digest(one_part, "each")
    clock = ("seconds", "tok_per_sec")
    late, each = (
        [{k: v for k, v in line.items() if k not in clock} for line in lines(one_part, run)] for run in ("late", "each")
    )
    assert late == each


def test_a_loss_that_is_no_number_is_noticed_before_the_next_checkpoint(one_part, monkeypatch):
    monkeypatch.setitem(readback.MOST_STEPS, "cpu", 32)
    usual = loop._update

    def update(training):
        share, norm = usual(training)
        return (share * math.nan if training.step == 5 else share), norm

    monkeypatch.setattr(loop, "_update", update)
    with pytest.raises(ValueError, match=r"loss of run r1 is nan at step 6 .*: go on from its checkpoint of step 4"):
        one_part.train(plan={"steps": 12}, checkpoint_every=4, eval_every=12)
    assert lines(one_part)[-1]["step"] <= 5
    assert find_checkpoint(one_part.run_folder() / "checkpoints").step == 4


@pytest.fixture
def holds(monkeypatch):
    """Give this process the memory for so many sequences at once, from a step of the run on."""
    limit, usual = {"sequences": 10**6}, GPT.forward
    seen = []

    def forward(self, ids, targets=None):
        if self.training:
            seen.append(len(ids))
            if len(ids) > limit["sequences"]:
                raise torch.OutOfMemoryError("made up")
        return usual(self, ids, targets)

    monkeypatch.setattr(GPT, "forward", forward)
    return limit, seen


def test_memory_that_runs_out_halves_the_micro_batch_and_loses_nothing(one_part, holds):
    limit, seen = holds
    one_part.train("small", plan={"steps": 6}, batch_size=1)
    seen.clear()

    def shrink(step, _):
        limit["sequences"] = 1 if step >= 3 else 10**6

    [result] = one_part.train(plan={"steps": 6}, progress=shrink)
    assert seen == [4, 4, 4, 4, 2, *[1] * 12]
    assert result.notes == (
        "memory ran out at step 3 with 4 sequences at once: it was done again, and went on, with 2",
        "memory ran out at step 3 with 2 sequences at once: it was done again, and went on, with 1",
    )
    ours, small = ([line["train_loss"] for line in lines(one_part, run)][1:] for run in ("r1", "small"))
    np.testing.assert_allclose(ours, small, rtol=2e-5)


def test_the_largest_micro_batch_is_found_by_trying_and_remembered(one_part, holds, monkeypatch):
    limit, seen = holds
    monkeypatch.setattr(state, "is_tried_out", lambda device: True)
    one_part.train("small", plan={"steps": 4}, batch_size=1)
    limit["sequences"] = 2
    seen.clear()
    one_part.train(plan={"steps": 4}, should_stop=lambda: True)
    assert seen == [4, 2, 2, *[2, 2]]  # tried, and tried again with the gradients there; then a step
    seen.clear()
    one_part.train(plan={"steps": 4})
    assert seen == [2, 2] * 3
    np.testing.assert_allclose(
        [line["train_loss"] for line in lines(one_part)][1:],
        [line["train_loss"] for line in lines(one_part, "small")][1:],
        rtol=2e-5,
    )
    [result] = one_part.train("asked", plan={"steps": 1}, batch_size=4)
    assert result.notes == ("batch_size=4 is more than the memory holds: 2 sequences were taken at once",)


def test_one_sequence_that_is_too_much_is_one_sentence_and_leaves_no_run(one_part, holds, monkeypatch):
    holds[0]["sequences"] = 0
    monkeypatch.setattr(state, "is_tried_out", lambda device: True)
    with pytest.raises(ValueError, match="the device has not enough memory for one sequence of this model"):
        one_part.train(plan={"steps": 2})
    assert not (one_part.run_folder() / "segments.json").exists()


@pytest.mark.parametrize("recipe", ["classic", "modern"])
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_learns_the_same_goes_on_bit_for_bit_and_compiling_is_no_measure_of_speed(one_part, monkeypatch, recipe):
    monkeypatch.setattr(state, "why_not_compiled", lambda device: None)  # it works: this compiles
    said, same = [], {"plan": {"steps": 4}, "shape": {"recipe": recipe}}
    one_part.train("eager", **same)
    with heard_by(said.append):
        one_part.train("whole", **same, compile=True)
    assert "compiling" in said
    compiled, eager = ([line["train_loss"] for line in lines(one_part, run)][1:] for run in ("whole", "eager"))
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)
    assert [line["tok_per_sec"] is None for line in lines(one_part, "whole")[1:]] == [True, False, False, False]
    one_part.train(**same, compile=True, should_stop=lambda: True)
    one_part.train(**same, compile=True)
    assert [line["train_loss"] for line in lines(one_part)][1:] == compiled
    assert digest(one_part) == digest(one_part, "whole")


def test_where_compiling_does_not_work(one_part, monkeypatch):
    monkeypatch.setattr(state, "why_not_compiled", lambda device: "no compiler")
    with pytest.raises(ValueError, match=r"torch.compile does not work here \(no compiler\): install what it names, or leave"):
        one_part.train(plan={"steps": 1}, compile=True)
    assert not (one_part.run_folder() / "segments.json").exists()


def test_mfu_is_a_share_of_what_was_measured_where_it_is_worth_measuring(one_part, monkeypatch):
    [tiny] = one_part.train("tiny", plan={"steps": 2})
    assert (tiny.mfu, lines(one_part, "tiny")[-1]["mfu"]) == (None, None)
    monkeypatch.setitem(flops.WORTH_IT, "cpu", 0)
    monkeypatch.setattr(loop, "matmul_peak", lambda device, precision: 5e9)
    [result] = one_part.train(plan={"steps": 3})
    line, model = lines(one_part)[-1], GPT(read_run(one_part.run_folder()).config.model)
    assert line["mfu"] == pytest.approx(model.flops_per_token() * line["tok_per_sec"] / 5e9, rel=1e-3)
    assert result.mfu_of_a100 == pytest.approx(result.mfu * 5e9 / 312e12, rel=1e-2)


def test_the_peak_is_that_of_matrix_products(monkeypatch):
    """Twice the work in the same time is twice the peak: the clock is made up, the products are real."""
    monkeypatch.setitem(flops.SIDES, "cpu", (8, 16))
    ticks = iter(range(1000))
    monkeypatch.setattr(flops.time, "perf_counter", lambda: float(next(ticks)))
    flops.matmul_peak.cache_clear()
    assert flops.matmul_peak(CPU, "fp32", seconds=0.0) == 2 * 16**3
    assert flops.matmul_peak(CPU, "fp32", seconds=0.0) == 2 * 16**3  # not measured again
    flops.matmul_peak.cache_clear()


def test_batches_come_in_the_segments_order_from_any_step(one_part):
    one_part.train(plan={"steps": 6})
    segment = read_run(one_part.run_folder()).segments[0]
    tokens = [np.arange(segment.parts[0].train_tokens)]
    batches = state.Batches(segment, tokens, loop.join("cpu"), 3)
    for step in (0, 1, 4, 2, 2):
        read = torch.cat([ids[:, 0] for ids, *_ in batches.of(step)])
        assert read.tolist() == step_samples(segment, step).start.tolist()
    batches.close()


def test_what_is_expected_of_a_device_is_a_share_of_its_matrix_products(monkeypatch):
    monkeypatch.setattr(flops, "matmul_peak", lambda device, precision: 1e11)
    rate = flops.expected_rate("cpu")
    assert rate == flops.Rate("cpu", "fp32", 1e11, flops.SHARES["cpu"])
    assert rate.tok_per_sec(1e9) == pytest.approx(100 * rate.share)
    with pytest.raises(ValueError, match="no device 'meta' to plan for"):
        flops.expected_rate("meta")
