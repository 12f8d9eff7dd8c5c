"""Out of memory on one of several workers: the segment is taken up again with half the micro-batch. No Ray is started."""

from __future__ import annotations

import json

import pytest
import torch

from raywiki.engine import fit
from raywiki.files import put


class Plan:
    class run:
        name = "r1"


def out_of_memory(batch_size: int | None) -> torch.OutOfMemoryError:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
    if batch_size is not None:
        error.batch_size = batch_size
    return error


def test_all_workers_take_half_as_much_and_the_result_says_so(tmp_path, monkeypatch, capsys):
    sizes = []

    def run_once(work, placement):
        sizes.append(work.pace["batch_size"])
        if sizes[-1] > 3:
            put(f"{work.folder}/error-1.json", json.dumps(fit._error_record(1, out_of_memory(sizes[-1]))))
            put(f"{work.folder}/error-0.json", json.dumps(fit._error_record(0, RuntimeError("connection closed by peer"))))
            return RuntimeError("failed"), False
        return None, False

    monkeypatch.setattr(fit, "_fit", run_once)
    monkeypatch.setattr(fit, "_read_result", lambda folder: "result")
    monkeypatch.setattr(Plan.run, "folder", tmp_path, raising=False)
    work = fit.Work(Plan, "corpus", {}, {"batch_size": 12}, folder=str(tmp_path))
    fitted = fit._fit_until_it_passes(work, fit.Placement(2, "cuda", 1))
    assert sizes == [12, 6, 3]
    assert fitted.result == "result"
    assert [text.partition(" (")[0] for text in fitted.told] == ["OutOfMemory: the GPU has not enough memory"] * 2
    assert "went on from the last checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("batch_size", [None, 1])
def test_where_nothing_smaller_is_left_it_is_the_users_sentence(batch_size):
    record = fit._error_record(0, out_of_memory(batch_size))
    error, passes = fit.what_failed([record], RuntimeError("failed"), workers=2)
    assert isinstance(error, ValueError)
    assert str(error).endswith("take a smaller --batch-size")
    assert not passes
