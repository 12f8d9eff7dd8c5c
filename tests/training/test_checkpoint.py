from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from training_corner import exit_status, kill_self

from raywiki.training import checkpoint as checkpoint_module
from raywiki.training.checkpoint import find_checkpoint, save_checkpoint, stands_at


def save(folder: Path, step: int, keep: int = 2, content: str = "") -> Path:
    files = {name: (lambda path, name=name: path.write_text(f"{name} {step} {content}")) for name in ("model", "optimizer")}
    return save_checkpoint(folder, step, files, {"segment": 0}, keep)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_saved_and_found(tmp_path):
    assert find_checkpoint(tmp_path / "checkpoints") is None
    assert stands_at(tmp_path / "checkpoints") == (0, 0)
    folder = save(tmp_path / "checkpoints", 500)
    assert folder == tmp_path / "checkpoints" / "step_00000500"
    found = find_checkpoint(tmp_path / "checkpoints")
    assert (found.folder, found.step, found.about["segment"]) == (folder, 500, 0)
    assert (tmp_path / "checkpoints" / "LATEST").read_text() == "step_00000500\n"
    assert names(folder) == ["checkpoint.json", "model", "optimizer"]


def test_the_newest_are_kept(tmp_path):
    for step in (1, 2, 3, 4):
        save(tmp_path, step)
    assert names(tmp_path) == ["LATEST", "step_00000003", "step_00000004"]
    save(tmp_path, 5, keep=1)
    assert names(tmp_path) == ["LATEST", "step_00000005"]


def test_the_same_step_again_and_a_step_back(tmp_path):
    save(tmp_path, 3)
    save(tmp_path, 4)
    (tmp_path / "LATEST").write_text("step_00000003\n")  # set back by hand
    save(tmp_path, 3, content="new")
    assert find_checkpoint(tmp_path).step == 3
    assert (tmp_path / "step_00000003" / "model").read_text() == "model 3 new"
    assert names(tmp_path) == ["LATEST", "step_00000003"]  # step 4 belonged to a future that is given up


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "no json", "torn json"])
def test_a_damaged_one_is_passed_over(tmp_path, damage):
    save(tmp_path, 3)
    folder = save(tmp_path, 4)
    file = folder / ("checkpoint.json" if "json" in damage else "model")
    data = file.read_bytes()
    if damage in ("remove", "no json"):
        file.unlink()
    else:
        file.write_bytes(data[:-5] if damage in ("cut", "torn json") else b"X" + data[1:])
    found = find_checkpoint(tmp_path)
    assert (found.step, found.passed_over) == (3, ("step_00000004",))
    assert stands_at(tmp_path, verify=True) == (0, 3)


def test_a_newer_format_is_no_damage(tmp_path):
    file = save(tmp_path, 3) / "checkpoint.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 9}))
    with pytest.raises(ValueError, match=r"step_00000003 has checkpoint format 9, this raywiki reads 2: upgrade raywiki"):
        find_checkpoint(tmp_path)


def _save_and_die(folder: Path, moment: str) -> None:
    def dying_after(function, count):
        def call(*arguments, **options):
            nonlocal count
            if count == 0:
                kill_self()
            count -= 1
            return function(*arguments, **options)

        return call

    def half_a_file(path: Path) -> None:
        path.write_text("half")
        kill_self()

    if moment == "file":
        save_checkpoint(folder, 2, {"model": half_a_file}, {})
    module = checkpoint_module
    if moment == "json":
        module.json.dumps = kill_self_with_arguments
    if moment == "rename":
        module.os.rename = dying_after(os.rename, 0)
    if moment == "LATEST":
        module.os.replace = dying_after(os.replace, 1)  # the first one is of checkpoint.json
    if moment == "prune":
        module.shutil.rmtree = dying_after(module.shutil.rmtree, 1)  # the first one is of the temporary folder
    save(folder, 3)


def kill_self_with_arguments(*_: object, **__: object) -> None:
    kill_self()


@pytest.mark.parametrize(("moment", "found"), [("file", 2), ("json", 2), ("rename", 2), ("LATEST", 2), ("prune", 3)])
def test_killed_while_saving(tmp_path, moment, found):
    save(tmp_path, 1)
    save(tmp_path, 2)
    assert exit_status(_save_and_die, tmp_path, moment) == -9
    assert find_checkpoint(tmp_path).step == found
    save(tmp_path, 4)
    assert find_checkpoint(tmp_path).step == 4
    assert [name for name in names(tmp_path) if name.startswith(".")] == []
    assert len(names(tmp_path)) == 3
