"""TensorBoard's files: the points of metrics.jsonl, none missing and none twice, whatever happened on the way."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from training_corner import Corner, exit_status, kill_self

from raywiki.training import loop
from raywiki.training.board import board, points, wants_board
from raywiki.training.metrics import read_metrics


@pytest.fixture
def one_part(corner, text) -> Corner:
    pytest.importorskip("tensorboard")
    corner.add("a", text, val=text[:100])
    return corner


def train(corner: Corner, steps: int, die_at: int = 0, wanted: bool = True) -> None:
    """As a worker does; killed in that step, if one is given."""

    def progress(step: int, _: object) -> None:
        if step == die_at:
            kill_self()

    with board(corner.run_folder(), wanted, progress) as on_step:
        corner.train(plan={"steps": steps}, checkpoint_every=4, progress=on_step)


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run: the points of each name, in the order of the files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]}


def written(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The same by metrics.jsonl."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in read_metrics(folder / "metrics.jsonl"):
        for name, value in points(line).items():
            found.setdefault(name, []).append((line["step"], pytest.approx(value, rel=1e-6)))
    return found


def test_points_are_those_of_metrics(one_part):
    train(one_part, 7)
    found = shown(one_part.run_folder())
    assert found == written(one_part.run_folder())
    assert {"train/loss", "train/lr", "train/grad_norm", "train/tok_per_sec", "val_loss/a"} == set(found)
    assert [step for step, _ in found["val_loss/a"]] == [0, 5, 7]


def test_a_crash_and_a_new_part_make_no_point_twice(one_part, text):
    assert exit_status(train, one_part, 12, 10) == -9
    train(one_part, 12)
    one_part.add("b", text[::-1], val=text[:50:-1])
    train(one_part, 6)
    found = shown(one_part.run_folder())
    assert found == written(one_part.run_folder())
    assert [step for step, _ in found["train/loss"]] == list(range(1, 19))
    assert found["val_loss/b"][0][0] == 12
    assert len(list((one_part.run_folder() / "tensorboard").iterdir())) == 3


def test_the_first_file_begins_with_all_that_was_before(one_part):
    train(one_part, 5, wanted=False)
    assert not (one_part.run_folder() / "tensorboard").exists()
    train(one_part, 8)
    assert shown(one_part.run_folder()) == written(one_part.run_folder())


def test_what_fails_before_a_checkpoint_leaves_no_file(one_part, monkeypatch):
    def fail_at_step_2(*_: object) -> None:
        raise ValueError("the second step fails")

    update, steps = loop._update, []

    def failing(training):
        steps.append(training.step)
        return fail_at_step_2() if training.step in (1, 6) else update(training)

    monkeypatch.setattr(loop, "_update", failing)
    with pytest.raises(ValueError, match="the second step fails"):
        train(one_part, 5)
    assert not (one_part.run_folder() / "tensorboard").exists()
    steps.clear()
    monkeypatch.setattr(loop, "_update", update)
    train(one_part, 5)
    before = list((one_part.run_folder() / "tensorboard").iterdir())
    monkeypatch.setattr(loop, "_update", failing)
    with pytest.raises(ValueError, match="the second step fails"):
        train(one_part, 9)
    assert list((one_part.run_folder() / "tensorboard").iterdir()) == before


def test_asked_for_once_it_goes_on_and_a_missing_package_is_told(tmp_path, monkeypatch):
    assert wants_board(tmp_path, None) is False
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert wants_board(tmp_path, None) is wants_board(tmp_path, False) is False
    with pytest.raises(ValueError, match=r"^--tensorboard was asked for, but .* pip install raywiki\[tensorboard\]"):
        wants_board(tmp_path, True)
    (tmp_path / "tensorboard").mkdir()
    with pytest.raises(ValueError, match=r"tensorboard is there, so .* or train with --no-tensorboard"):
        wants_board(tmp_path, None)
    monkeypatch.undo()
    if importlib.util.find_spec("tensorboard"):
        assert wants_board(tmp_path, None) is True
