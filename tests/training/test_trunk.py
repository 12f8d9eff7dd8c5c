"""Segments that go on from before the decay of the one before: plans, the data's order, weights, and what a kill leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_corner import MADE_WITH, Corner, exit_status, kill_self

from raywiki.training import loop, state
from raywiki.training.checkpoint import checkpoint_names, find_checkpoint, model_digest, save_checkpoint
from raywiki.training.describe import plan_lines, plan_title
from raywiki.training.metrics import read_metrics
from raywiki.training.order import PartTokens, samples
from raywiki.training.plan import plan_segment, segment_rate
from raywiki.training.runs import Run, open_run, read_run, write_run
from raywiki.training.sampling import load_model
from raywiki.training.weights import read_tensors

WSD, CLOCK = {"steps": 10, "schedule": "wsd"}, ("seconds", "tok_per_sec")


@pytest.fixture
def two_parts(corner, text):
    corner.add("a", text, val=text[:100])
    corner.add("b", text[::-1], val=text[:50:-1])
    return corner


def saved(corner: Corner, run: str = "r1") -> tuple[str, str]:
    """Digests of the newest weights and of the optimiser's moments."""
    folder = find_checkpoint(corner.run_folder(run) / "checkpoints").folder
    moments = torch.load(folder / "optimizer.pt", weights_only=True)["state"]
    flat = {f"{key}.{name}": tensor for key, each in moments.items() for name, tensor in each.items()}
    return model_digest(read_tensors(folder / "model.safetensors")), model_digest(flat)


def lines(corner: Corner, run: str = "r1") -> list[dict]:
    return [
        {name: value for name, value in line.items() if name not in CLOCK}
        for line in read_metrics(corner.run_folder(run) / "metrics.jsonl")
    ]


def grow(corner: Corner, run: str = "r1", first: dict | None = None, **options) -> None:
    """Ten steps over the first part, ten more over both."""
    torch.set_num_threads(1)
    corner.train(run, parts=["a"], plan={**WSD, **(first or {})}, **options)
    corner.train(run, plan=WSD, **options)


def test_growing_equals_a_run_without_the_decay(two_parts):
    grow(two_parts)
    assert [(each.start_step, each.end_step) for each in read_run(two_parts.run_folder()).segments] == [(0, 10), (8, 18)]
    grow(two_parts, "flat", first={"steps": 8, "schedule": "constant", "warmup_steps": 1})
    assert [(each.start_step, each.end_step) for each in read_run(two_parts.run_folder("flat")).segments] == [(0, 8), (8, 18)]
    assert saved(two_parts) == saved(two_parts, "flat")
    ours, theirs = lines(two_parts), lines(two_parts, "flat")
    assert [line for line in ours if line["segment"]][1:] == [line for line in theirs if line["segment"]]
    assert [(line["segment"], line["step"]) for line in ours] == [(0, n) for n in range(11)] + [(1, n) for n in range(8, 19)]
    assert (ours[11]["tokens"], ours[11]["train_loss"], set(ours[11]["val_loss"])) == (8 * 64, None, {"a", "b"})
    assert set(ours[10]["val_loss"]) == {"a"}  # the branch keeps its curve
    assert ours[11]["val_loss"] == theirs[8]["val_loss"]  # on windows that never change


def test_what_is_kept_for_ever(two_parts):
    grow(two_parts, keep=1, checkpoint_every=3)
    corner_run = two_parts.run_folder()
    two_parts.train(plan={"more_steps": 4}, keep=1)  # 16 was the trunk
    kept = ["step_00000008", "step_00000010", "step_00000016.segment_1", "step_00000018.segment_1"]
    kept += ["step_00000021.segment_2", "step_00000022.segment_2"]
    assert checkpoint_names(corner_run / "checkpoints") == kept
    assert load_model(corner_run, "cpu")[2] == 22


def die(corner: Corner, moment: str) -> None:
    """Be killed on the way through a growth: when the trunk was saved but nothing removed, or before the branch begins."""
    real, count = state.save_checkpoint, 0

    def counted(folder, step, files, about, keep, always):
        nonlocal count
        count += step == 8
        if moment == "trunk" and count:
            from raywiki.training import checkpoint

            checkpoint._prune = lambda *_: kill_self()
        return real(folder, step, files, about, keep, always)

    def update(training, real=loop._update):
        if (training.plan.index, training.step) == {"decay": (0, 9), "first": (1, 8), "later": (1, 12)}.get(moment):
            kill_self()
        return real(training)

    state.save_checkpoint, loop._update = counted, update
    grow(corner, checkpoint_every=3)


@pytest.mark.parametrize("moment", ["trunk", "decay", "first", "later"])
def test_killed_on_the_way_and_run_again(two_parts, moment):
    assert exit_status(die, two_parts, moment) == -9
    if moment in ("trunk", "decay"):
        two_parts.train(parts=["a"], plan=WSD, checkpoint_every=3)
    two_parts.train(plan=WSD, checkpoint_every=3)
    grow(two_parts, "whole", checkpoint_every=3)
    assert saved(two_parts) == saved(two_parts, "whole")
    assert lines(two_parts) == lines(two_parts, "whole")
    names = [checkpoint_names(two_parts.run_folder(run) / "checkpoints") for run in ("r1", "whole")]
    assert names[0] == names[1]


def test_a_failed_growth_leaves_the_branch_as_it_was(two_parts, monkeypatch):
    two_parts.train(parts=["a"], plan=WSD)
    before = lines(two_parts)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_update", lambda *_: (torch.tensor(float("nan")), torch.tensor(float("nan"))))
        with pytest.raises(ValueError, match=r"loss of run r1 is nan at step 9 .*: go on from its checkpoint of step 8 with"):
            two_parts.train(plan=WSD)
    assert lines(two_parts) == before
    assert len(read_run(two_parts.run_folder()).segments) == 1
    assert find_checkpoint(two_parts.run_folder() / "checkpoints").at == (0, 10)


def test_a_run_whose_only_checkpoint_is_damaged_says_that_it_begins_again(two_parts):
    two_parts.train(plan={"steps": 2})
    weights = two_parts.run_folder() / "checkpoints" / "step_00000002" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    [again] = two_parts.train(plan={"steps": 2})
    assert again.notes == ("step_00000002 was damaged or incomplete: the steps after step 0 were done again",)


# --- plans

A, B, C = (PartTokens(f"p{n}", str(n) * 64, tokens, 100) for n, tokens in enumerate((8000, 24000, 16000)))


@pytest.fixture
def run(tmp_path):
    return open_run(tmp_path / "runs" / "r1", **MADE_WITH)


def step(run: Run, parts, at_trunk=True, **asked):
    """Plan a segment as a command does, and leave the checkpoints that its training would."""
    planned = plan_segment(read_run(run.folder) or run, parts, **{"total_batch_size": 160, "schedule": "wsd", **asked})
    if planned is not None:
        write_run(planned.run)
        places = [planned.segment.trunk_step] if at_trunk else []
        for place in (*places, planned.segment.end_step):
            save_checkpoint(run.folder / "checkpoints", place, {}, {"segment": planned.index}, keep=99)
    return planned


def test_a_run_with_wsd_grows_from_before_its_decay(run):
    first = step(run, [A], steps=50).segment
    assert (first.schedule, first.trunk_step, first.end_step) == ("wsd", 40, 50)
    planned = plan_segment(read_run(run.folder), [A, B], steps=30, schedule="wsd")
    grown = planned.segment
    assert (grown.schedule, grown.start_step, grown.end_step) == ("wsd", 40, 70)
    assert [part.base for part in grown.parts] == [400, 0]
    assert grown.lr_from == grown.lr == segment_rate(grown, 40)  # nothing is warmed up again
    assert "segment 2: steps 40 to 70;" in plan_title(planned)
    assert "goes on from step 40, the last one before the learning rate's decay (wsd): steps 40 to 50 of" in said(planned)


def plan_wsd(run: Run, parts, **asked):
    return plan_segment(read_run(run.folder), parts, schedule="wsd", **asked)


def said(planned) -> str:
    return "\n".join(plan_lines(planned, 1, "cpu", None))


@pytest.mark.parametrize("schedule", ["rewarm", "constant", "cosine"])
def test_other_schedules_go_on_from_the_last_weights(run, schedule):
    step(run, [A], steps=50)
    planned = plan_segment(read_run(run.folder), [A, B], steps=30, schedule=schedule)
    assert (planned.segment.start_step, planned.segment.parts[0].base) == (50, 500)
    assert planned.segment.lr_from < 1e-3
    assert "goes on from step 50, the run's last weights" in said(planned).splitlines()


def test_without_the_trunk_it_goes_on_from_the_last_weights_and_says_so(run):
    step(run, [A], steps=50, at_trunk=False)  # as raywiki did before
    planned = plan_segment(read_run(run.folder), [A, B], steps=30, schedule="wsd")
    assert planned.segment.start_step == 50
    assert "the run's last weights, as there is no whole checkpoint of step 40, the last one before the decay" in said(planned)


def test_a_growth_that_was_planned_and_lost_its_start_is_planned_again(run):
    step(run, [A], steps=50)
    write_run(plan_wsd(run, [A, B], steps=30).run)  # killed before its first checkpoint
    assert plan_wsd(run, [A, B], steps=30).segment.start_step == 40
    shutil.rmtree(run.folder / "checkpoints" / "step_00000040")
    again = plan_wsd(run, [A, B], steps=30)
    assert (again.index, again.segment.start_step, again.segment.steps) == (1, 50, 30)
    assert again.notes == ()


def test_lengths_count_to_where_the_run_will_stand(run):
    step(run, [A], steps=50)
    for done in ({"steps": 50}, {"steps": 45}, {"until_step": 45}, {}):
        assert plan_wsd(run, [A], **done) is None
    for more in ({"steps": 60}, {"until_step": 60}, {"more_steps": 10}):
        segment = plan_wsd(run, [A], **more).segment
        assert (segment.start_step, segment.end_step) == (40, 60)
    planned = step(run, [A], more_steps=10)
    write_run(planned.run)
    save_checkpoint(run.folder / "checkpoints", 55, {}, {"segment": 1}, keep=99)
    (run.folder / "checkpoints" / "LATEST").write_text("step_00000055.segment_1\n")
    assert plan_wsd(run, [A], more_steps=10).run == planned.run  # unfinished, it goes on
    assert plan_wsd(run, [A, B], steps=5, unfinished="cut").segment.start_step == 55


def test_a_short_new_part_may_end_before_the_decay_did(run):
    step(run, [A], steps=100)
    planned = step(run, [A, B], steps=5)
    assert (planned.segment.start_step, planned.segment.end_step) == (80, 85)
    assert read_run(run.folder).stands_at() == (1, 85)
    assert plan_wsd(run, [A, B], steps=5) is None
    assert step(run, [A, B, C], steps=5).segment.start_step == 84


def windows(segments, name: str) -> list[tuple[int, int]]:
    """Epoch and window of each sample of a part, on the way to the end of the last segment."""
    found = []
    for segment, after in zip(segments, (*segments[1:], None), strict=True):
        steps = (after.start_step if after else segment.end_step) - segment.start_step
        taken = samples(segment, np.arange(steps * segment.sequences_per_step))
        if name in segment.part_names:
            mine = taken.part == segment.part_names.index(name)
            found += zip(taken.epoch[mine].tolist(), taken.window[mine].tolist(), strict=True)
    return found


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(20, 400), min_size=3, max_size=3),
    asked=st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["wsd", "wsd", "rewarm", None])), min_size=3, max_size=3),
    sequences=st.integers(1, 9),
    seed=st.integers(0, 2**40),
    replay=st.sampled_from([0.0, 0.25, 0.6]),
)
def test_growing_1_then_2_then_3_reads_each_window_once_an_epoch(tmp_path_factory, sizes, asked, sequences, seed, replay):
    """Through trunks and without them: nothing seen is shuffled again, nothing is left out, and the tokens add up."""
    folder = tmp_path_factory.mktemp("grown") / "r1"
    run = open_run(folder, **{**MADE_WITH, "seq_len": 8}, seed=seed)
    parts = [PartTokens(f"p{n}", str(n) * 64, size) for n, size in enumerate(sizes)]
    for number, (steps, schedule) in enumerate(asked, start=1):
        batch = {"total_batch_size": 8 * sequences, "replay": replay}
        asked_of = {"steps": steps, "schedule": schedule, **batch}
        assert step(run, parts[:number], **asked_of).index == number - 1
    grown = read_run(folder)
    for before, after in pairwise(grown.segments):
        assert after.start_step == (before.trunk_step if after.schedule == "wsd" else before.end_step)
    for part in parts:
        seen, n = windows(grown.segments, part.name), -(-part.train_tokens // 8)
        assert len(seen) == len(set(seen))
        epochs = Counter(epoch for epoch, _ in seen)
        assert sorted(epochs) == list(range(len(epochs)))
        assert all(epochs[epoch] == n for epoch in range(len(epochs) - 1)), "an epoch began before another had ended"
        alone = replace(
            grown.segments[0], parts=(replace(part, quota=1),), total_batch_size=8, steps=max(1, len(seen)), start_step=0
        )
        assert sorted(seen) == sorted(windows([alone], part.name))[: len(seen)]  # in the order that the part alone has
    last = len(grown.segments) - 1
    tokens = sum(len(windows(grown.segments, part.name)) for part in parts) * 8
    assert grown.tokens_at(last, grown.segments[last].end_step) == tokens


def test_every_line_of_saving_killed_once(tmp_path):
    """A child for each line; see there what must hold."""
    script, memory = Path(__file__).with_name("killed_saves.py"), Path("/dev/shm")  # a disk would flush each rename
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        done = subprocess.run([sys.executable, str(script), folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 70
