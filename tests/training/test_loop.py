from __future__ import annotations

import json
import math
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from training_corner import Corner, exit_status, kill_self, start_process

from raywiki import files
from raywiki.training import checkpoint as checkpoint_module
from raywiki.training import loop, weights
from raywiki.training.cache import open_cache
from raywiki.training.checkpoint import find_checkpoint, model_digest
from raywiki.training.config import RECIPES
from raywiki.training.fitting import micro_batch
from raywiki.training.metrics import read_metrics
from raywiki.training.plan import plan_segment
from raywiki.training.runs import read_run
from raywiki.training.sampling import load_model
from raywiki.training.schedule import SCHEDULES
from raywiki.training.weights import read_tensors

VOLATILE = ("seconds", "tok_per_sec")
ROUNDING = {"classic": 2e-5, "modern": 2e-3}  # Muon makes a matrix orthogonal in bfloat16, which sees other roundings


def state(corner: Corner, run: str = "r1") -> tuple[str, str, list[dict]]:
    """All that two runs must have in common: weights, the optimiser's state, and metrics but for the clock's."""
    folder = find_checkpoint(corner.run_folder(run) / "checkpoints").folder
    model = read_tensors(folder / "model.safetensors")
    optimizer = torch.load(folder / "optimizer.pt", weights_only=True)
    states = [each["state"] for each in optimizer.get("together", [optimizer])]
    flat = {
        f"{number}.{key}.{name}": tensor
        for number, state in enumerate(states) for key, each in state.items() for name, tensor in each.items()
    }  # fmt: skip
    assert flat, "nothing to compare"
    lines = read_metrics(corner.run_folder(run) / "metrics.jsonl")
    return model_digest(model), model_digest(flat), [{k: v for k, v in line.items() if k not in VOLATILE} for line in lines]


@pytest.fixture
def two_parts(corner, text):
    corner.add("a", text, val=text[:100])
    corner.add("b", text[::-1], val=text[:50:-1])
    return corner


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_learns_a_short_text_by_heart(corner, recipe):
    sentence = b"the quick brown fox jumps over the lazy dog. "
    corner.add("a", sentence * 8, val=sentence * 2)
    shape = {"recipe": recipe, "n_layer": 2, "n_embd": 32, "seq_len": 32, "n_head": 2}
    [result] = corner.train(plan={"steps": 120, "total_batch_size": 256, "lr": 1e-2}, shape=shape, eval_every=40)
    assert (result.status, result.step) == ("finished", 120)
    assert result.train_loss < 0.2
    assert result.val_loss["a"] < 0.5
    first = read_metrics(corner.run_folder() / "metrics.jsonl")[0]
    assert first["val_loss"]["a"] == pytest.approx(math.log(384), abs=0.3)


def test_each_step_has_one_line(two_parts):
    two_parts.train(parts=["a"], plan={"steps": 7})
    two_parts.train(plan={"steps": 6})
    lines = read_metrics(two_parts.run_folder() / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(14))
    assert [line["segment"] for line in lines] == [0] * 8 + [1] * 6
    assert [line["tokens"] for line in lines] == [64 * step for step in range(14)]
    evaluated = {line["step"]: set(line["val_loss"]) for line in lines if "val_loss" in line}
    assert evaluated == {0: {"a"}, 5: {"a"}, 7: {"a", "b"}, 12: {"a", "b"}, 13: {"a", "b"}}
    assert lines[0]["train_loss"] is None
    assert {"train_loss", "lr", "grad_norm", "tok_per_sec", "mfu", "seconds"} <= set(lines[7])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("recipe", "dropout"), [("classic", 0.0), ("classic", 0.3), ("modern", 0.0), ("modern", 0.3)])
def test_stopped_and_gone_on_equals_undisturbed(two_parts, recipe, dropout, schedule):
    shape, plan = {"recipe": recipe, "dropout": dropout}, {"steps": 12, "schedule": schedule}
    two_parts.train("whole", plan=plan, shape=shape)
    first = two_parts.train(plan=plan, shape=shape, progress=stop_after(two_parts, 7))
    assert [(result.status, result.step) for result in first] == [("stopped", 8)]  # it is seen after the next step
    assert not (two_parts.run_folder() / "STOP").exists()
    assert find_checkpoint(two_parts.run_folder() / "checkpoints").step == 8
    second = two_parts.train(plan=plan, shape=shape)
    assert [(result.status, result.step) for result in second] == [("finished", 12)]
    assert state(two_parts) == state(two_parts, "whole")
    assert two_parts.train(plan=plan, shape=shape) == []


def stop_after(corner: Corner, step: int):
    def progress(now: int, _: dict) -> None:
        if now == step:
            (corner.run_folder() / "STOP").touch()

    return progress


@pytest.mark.parametrize(("recipe", "order"), [*((recipe, "mixed") for recipe in RECIPES), ("classic", "sequential")])
def test_growing_over_a_stop_equals_growing_undisturbed(two_parts, recipe, order):
    shape, more = {"recipe": recipe}, {"steps": 6, "order": order}
    two_parts.train("whole", parts=["a"], plan=more, shape=shape)
    two_parts.train("whole", plan=more, shape=shape)
    two_parts.train(parts=["a"], plan=more, shape=shape)
    two_parts.train(plan=more, shape=shape, progress=stop_after(two_parts, 8))
    two_parts.train(plan=more, shape=shape)
    assert state(two_parts) == state(two_parts, "whole")
    [first, last] = read_run(two_parts.run_folder()).segments
    assert (first.order, last.order) == (order, order)


def test_how_often_one_looks_changes_nothing(two_parts):
    for run, options in {"x": {"eval_every": 1, "checkpoint_every": 1}, "y": {"eval_every": 12, "checkpoint_every": 5}}.items():
        two_parts.train(run, plan={"steps": 12}, **options)
    assert state(two_parts, "x")[:2] == state(two_parts, "y")[:2]


def test_micro_batches_change_only_rounding(two_parts):
    losses = []
    for batch_size in (1, 2, 4):
        two_parts.train(f"b{batch_size}", plan={"steps": 5}, batch_size=batch_size)
        losses.append(
            [line["train_loss"] for line in read_metrics(two_parts.run_folder(f"b{batch_size}") / "metrics.jsonl")][1:]
        )
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=2e-5)


def _train(corner: Corner, **options) -> None:
    torch.set_num_threads(1)
    corner.train(**options)


def _train_and_die(corner: Corner, moment: str, recipe: str) -> None:
    count = {"train": 8, "weights": 2, "json": 1, "LATEST": 3}[moment]

    def dying(function, when=lambda *_: True):
        def call(*arguments, **options):
            nonlocal count
            if when(*arguments):
                count -= 1
                if count == 0:
                    if moment == "weights":
                        Path(arguments[1]).write_bytes(b"half of it")
                    kill_self()
            return function(*arguments, **options)

        return call

    if moment == "train":
        loop._update = dying(loop._update)
    if moment == "weights":
        weights.safetensors.save_model = dying(weights.safetensors.save_model)
    if moment == "json":
        checkpoint_module.json.dumps = dying(json.dumps, lambda body, *_: isinstance(body, dict) and body.get("step") == 8)
    if moment == "LATEST":
        files.os.replace = dying(os.replace, lambda _, target: Path(target).name == "LATEST")
    _train(corner, plan={"steps": 12}, shape={"recipe": recipe}, checkpoint_every=4)


@pytest.mark.parametrize(
    ("moment", "recipe"),
    [("train", "classic"), ("weights", "classic"), ("json", "classic"), ("LATEST", "classic"), ("train", "modern")],
)
def test_killed_and_run_again_equals_undisturbed(two_parts, moment, recipe):
    assert exit_status(_train_and_die, two_parts, moment, recipe) == -9
    found = find_checkpoint(two_parts.run_folder() / "checkpoints")
    assert found.step == (8 if moment == "LATEST" else 4)
    asked = {"plan": {"steps": 12}, "shape": {"recipe": recipe}, "checkpoint_every": 4}
    two_parts.train(**asked)
    two_parts.train("whole", **asked)
    assert state(two_parts) == state(two_parts, "whole")
    assert not [path for path in (two_parts.run_folder() / "checkpoints").iterdir() if path.name.startswith(".")]


def test_killed_before_the_first_checkpoint(two_parts):
    assert exit_status(_train_and_die_early, two_parts) == -9
    assert find_checkpoint(two_parts.run_folder() / "checkpoints") is None
    two_parts.train(plan={"steps": 6})
    two_parts.train("whole", plan={"steps": 6})
    assert state(two_parts) == state(two_parts, "whole")


def _train_and_die_early(corner: Corner) -> None:
    _train(corner, plan={"steps": 6}, progress=lambda step, _: kill_self() if step == 3 else None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends(two_parts, number):
    process = start_process(_train_slowly, two_parts)
    metrics = two_parts.run_folder() / "metrics.jsonl"
    while len(read_metrics(metrics)) < 3:
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join(20)
    assert process.exitcode == 0
    assert 2 <= find_checkpoint(two_parts.run_folder() / "checkpoints").step == read_metrics(metrics)[-1]["step"] < 500


def _train_slowly(corner: Corner) -> None:
    _train(corner, plan={"steps": 500}, checkpoint_every=500, progress=lambda *_: time.sleep(0.05))


def test_reports_and_progress(two_parts):
    reported, seen = [], []
    [result] = two_parts.train(
        plan={"steps": 7}, checkpoint_every=3, progress=lambda step, _: seen.append(step),
        report=lambda step, metrics, folder: reported.append((step, metrics["step"], folder.name)),
    )  # fmt: skip
    assert seen == list(range(1, 8))
    assert reported == [(step, step, f"step_{step:08d}") for step in (3, 6, 7)]
    assert result.checkpoint.name == "step_00000007"
    stopped = two_parts.train(plan={"steps": 9}, should_stop=lambda: True)
    assert [(each.status, each.step) for each in stopped] == [("stopped", 8)]


def test_a_finished_segment_is_not_trained_again(two_parts):
    two_parts.train(plan={"steps": 3})
    run = read_run(two_parts.run_folder())
    caches = {name: open_cache(two_parts.folder / "cache", name, shards) for name, (_, shards) in two_parts.parts.items()}
    before = state(two_parts)
    result = loop.train_segment(loop.Plan(run, 0), caches, device="cpu")
    assert (result.status, result.step, set(result.val_loss)) == ("finished", 3, {"a", "b"})
    assert state(two_parts) == before


def test_a_part_without_validation_text_has_no_loss(corner, text):
    corner.add("a", text)
    corner.add("b", text[::-1], val=b"short")
    corner.train(plan={"steps": 2})
    last = read_metrics(corner.run_folder() / "metrics.jsonl")[-1]
    assert last["val_loss"]["a"] is None
    assert 3 < last["val_loss"]["b"] < 7


def test_validation_is_the_mean_over_all_its_tokens(two_parts):
    [result] = two_parts.train(plan={"steps": 4})
    model, config, step = load_model(two_parts.run_folder(), "cpu")
    assert step == 4
    val = open_cache(two_parts.folder / "cache", "a", two_parts.parts["a"][1]).val.astype(np.int64)
    losses = []
    for start in range(0, len(val) - 1, config.seq_len):
        piece = torch.from_numpy(val[start : start + config.seq_len + 1])
        logits = model(piece[None, :-1]).detach()[0]
        losses += torch.nn.functional.cross_entropy(logits, piece[1:], reduction="none").tolist()
    assert len(losses) == len(val) - 1
    assert result.val_loss["a"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_one_process_at_a_time(two_parts):
    two_parts.train(plan={"steps": 2})

    def train_too(*_: object) -> None:
        with pytest.raises(ValueError, match=r"run r1 is being trained by another process: wait for it, or stop it"):
            two_parts.train(plan={"steps": 4})

    two_parts.train(plan={"steps": 4}, progress=train_too)
    assert find_checkpoint(two_parts.run_folder() / "checkpoints").step == 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 0}, "batch_size=0 makes no sense"),
        ({"eval_every": 0}, "eval_every=0 makes no sense"),
        ({"checkpoint_every": 0}, "checkpoint_every=0 makes no sense"),
        ({"keep": 0}, "keep=0 makes no sense"),
        ({"device": "abacus"}, "there is no device 'abacus'"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_leave_no_run(two_parts, options, sentence):
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        two_parts.train(**{"plan": {"steps": 2}, **options})
    assert not (two_parts.run_folder() / "segments.json").exists()


def diverge(monkeypatch) -> None:
    monkeypatch.setattr(loop, "_update", lambda training: (torch.tensor(math.nan), torch.tensor(math.nan)))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_failed_segment_leaves_the_run_as_it_was(two_parts, monkeypatch):
    with monkeypatch.context() as patch:
        diverge(patch)
        with pytest.raises(ValueError, match=r"loss of run r1 is nan at step 1 .* on the way to 0.5\): nothing was saved yet"):
            two_parts.train(parts=["a"], plan={"steps": 9, "lr": 0.5})
    assert contents(two_parts.run_folder()) == {}
    two_parts.train(parts=["a"], plan={"steps": 4})
    before = contents(two_parts.run_folder())
    with monkeypatch.context() as patch:
        diverge(patch)
        with pytest.raises(ValueError, match=r"loss of run r1 is nan at step 5 .*: go on from its checkpoint of step 4"):
            two_parts.train(plan={"steps": 4, "lr": 0.5})
    after = contents(two_parts.run_folder())
    assert {name for name in after if after[name] != before.get(name)} <= {"metrics.jsonl"}  # the new part was evaluated
    two_parts.train(plan={"steps": 3})
    assert read_run(two_parts.run_folder()).segments[-1].lr == 5e-3


def test_what_a_killed_process_left_half_written_goes(two_parts):
    two_parts.train(plan={"steps": 2})
    left = two_parts.run_folder() / ".metrics.jsonl.0a1b2c3d.tmp"
    left.write_text("half a li")
    two_parts.train(plan={"steps": 3})
    assert not left.exists()


def test_a_plan_that_was_overtaken_is_refused(two_parts):
    overtaken = plan_segment(two_parts.open(), [part for part, _ in two_parts.parts.values()], steps=3, total_batch_size=64)
    two_parts.train(plan={"steps": 2})
    caches = {name: open_cache(two_parts.folder / "cache", name, shards) for name, (_, shards) in two_parts.parts.items()}
    before = contents(two_parts.run_folder())
    with pytest.raises(ValueError, match="run r1 was changed by another command while this one began"):
        loop.train_segment(overtaken, caches, device="cpu")
    assert contents(two_parts.run_folder()) == before


def test_a_stop_of_an_earlier_call_is_not_obeyed(two_parts):
    two_parts.run_folder().mkdir(parents=True)
    (two_parts.run_folder() / "STOP").touch()
    [result] = two_parts.train(plan={"steps": 6})
    assert (result.status, result.step) == ("finished", 6)
    (two_parts.run_folder() / "STOP").touch()
    [result] = two_parts.train(plan={"steps": 9}, since=0.0)  # younger than the call
    assert (result.status, result.step) == ("stopped", 7)


def test_steps_need_not_divide(two_parts):
    results = [two_parts.train(f"b{batch_size}", plan={"steps": 3}, batch_size=batch_size)[0] for batch_size in (3, 4)]
    assert results[0].train_loss == pytest.approx(results[1].train_loss, rel=1e-5)
    with pytest.raises(ValueError, match="5 workers cannot share the 4 sequences of a step"):
        micro_batch(4, 16, 5, None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_here(two_parts):
    with pytest.raises(ValueError, match="device cuda was asked for, but torch sees no GPU here"):
        two_parts.train(plan={"steps": 2}, device="cuda")


def test_shards_that_are_not_what_was_planned(two_parts):
    planned = plan_segment(two_parts.open(), [part for part, _ in two_parts.parts.values()], total_batch_size=64)
    caches = {name: open_cache(two_parts.folder / "cache", name, shards) for name, (_, shards) in two_parts.parts.items()}
    short = loop.TokenCache(caches["a"].train[:-1], caches["a"].val, 256)
    with pytest.raises(ValueError, match=r"part a has \d+ training tokens in its shards, its manifest says \d+"):
        loop.train_segment(planned, {**caches, "a": short}, device="cpu")
    strange = loop.TokenCache(caches["a"].train, caches["a"].val, 257)
    with pytest.raises(ValueError, match="part a holds token id 257, the vocabulary has only 257 ids"):
        loop.train_segment(planned, {**caches, "a": strange}, device="cpu")


def test_a_changed_plan_or_checkpoint_is_noticed(two_parts):
    two_parts.train(plan={"steps": 4})
    folder = two_parts.run_folder()
    good = (folder / "segments.json").read_text()
    (folder / "segments.json").write_text(good.replace('"quota": 1', '"quota": 2', 1))
    with pytest.raises(ValueError, match=r"the data order of run r1 up to step 4 is not what .*step_00000004 recorded"):
        two_parts.train(plan={"steps": 6})
    (folder / "segments.json").write_text(good.replace('"n_layer": 1', '"n_layer": 2'))
    with pytest.raises(ValueError, match="step_00000004 belongs to another run than"):
        two_parts.train(plan={"steps": 6}, shape={"n_layer": 2})


def test_a_damaged_checkpoint_is_made_again_and_the_result_says_so(two_parts):
    two_parts.train(plan={"steps": 6}, checkpoint_every=3)
    latest = two_parts.run_folder() / "checkpoints" / "step_00000006" / "model.safetensors"
    latest.write_bytes(latest.read_bytes()[:-1] + b"?")  # of the right size
    [redone] = two_parts.train(plan={"steps": 6})
    assert redone.notes == ("step_00000006 was damaged or incomplete: the steps after step 3 were done again",)
    [more] = two_parts.train(plan={"steps": 8})
    assert (redone.step, more.step, more.notes) == (6, 8, ())
    two_parts.train("whole", plan={"steps": 6})
    two_parts.train("whole", plan={"steps": 8})
    assert state(two_parts)[:2] == state(two_parts, "whole")[:2]


def _join(corner: Corner, rank: int, options: dict) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{corner.folder}/{options['run']}-group", rank=rank, world_size=2)
    corner.train(**options)
    dist.destroy_process_group()


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_workers_learn_what_one_learns(two_parts, recipe):
    asked = {"plan": {"steps": 6}, "shape": {"recipe": recipe}, "checkpoint_every": 3}
    two_parts.train("one", **asked)
    processes = [start_process(_join, two_parts, rank, {"run": "two", **asked}) for rank in range(2)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    one, two = (state(two_parts, run)[2] for run in ("one", "two"))
    assert [line["step"] for line in two] == [line["step"] for line in one]
    tolerance = ROUNDING[recipe]
    for name in ("train_loss", "grad_norm"):
        np.testing.assert_allclose([line[name] for line in two[1:]], [line[name] for line in one[1:]], rtol=tolerance)
    assert two[-1]["val_loss"]["a"] == pytest.approx(one[-1]["val_loss"]["a"], rel=tolerance)
    orders = [find_checkpoint(two_parts.run_folder(run) / "checkpoints").about["order"] for run in ("one", "two")]
    assert orders[0] == orders[1]


def test_what_fails_on_the_first_worker_fails_on_all(two_parts):
    options = {"run": "r1", "plan": {"steps": 4}}
    two_parts.train(**options)
    path = two_parts.run_folder() / "segments.json"
    path.write_text(path.read_text().replace('"quota": 1', '"quota": 2', 1))
    options = {"run": "r1", "plan": {"steps": 6}}
    processes = [start_process(_join, two_parts, rank, options) for rank in range(2)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [1, 1]
