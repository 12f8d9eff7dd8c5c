"""The forgetting matrix: every part, every segment, and what became worse since its best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from made_run import Stretch, change, windows_of, write

import raywiki as rw
from raywiki.training.evals import add_evals

CHANCE = np.random.default_rng(0)
A, B = CHANCE.gamma(25, 4 / 25, 60), CHANCE.gamma(25, 4 / 25, 40)


@pytest.fixture
def corpus(tmp_path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


def rows(corpus: Path, stretches: list[Stretch], **options) -> dict[tuple[str, int], dict]:
    write(corpus / "runs" / "r1", stretches, **options)
    frame = rw.forgetting(corpus, "r1")
    assert isinstance(frame, pl.DataFrame)
    return {(row["part"], row["segment"]): row for row in frame.to_dicts()}


def test_what_is_forgotten_and_what_is_learned(corpus):
    found = rows(
        corpus,
        [
            Stretch(10, {"a": A}),
            Stretch(10, {"a": A - 0.3, "b": B}, start=10, begin={"b": B + 1}),
            Stretch(10, {"a": A - 0.1, "b": B - 0.2, "c": A}, start=20, begin={"c": A + 1}),
        ],
    )
    assert len(found) == 9
    assert found["a", 0]["loss"] == pytest.approx(A.mean())
    assert found["a", 0]["low"] < found["a", 0]["loss"] < found["a", 0]["high"]
    assert (found["a", 0]["change"], found["a", 0]["note"]) == (None, "the first one")
    assert (found["a", 1]["lowest"], found["a", 1]["change"]) == (0, pytest.approx(-0.3))
    assert (found["a", 2]["lowest"], found["a", 2]["change"]) == (1, pytest.approx(0.2))
    assert found["a", 2]["change_low"] == pytest.approx(0.2)  # each window by as much: the spread of A is none of the change's
    assert found["a", 2]["note"] is None
    assert (found["b", 0]["loss"], found["b", 0]["note"]) == (None, "not learned from yet")
    assert found["b", 1]["loss"] == pytest.approx(B.mean()), "as the segment ended, not as it began"
    assert (found["b", 1]["step"], found["b", 1]["change"], found["b", 2]["change"]) == (20, None, pytest.approx(-0.2))


def test_a_segment_that_was_cut_short_is_what_the_next_one_began_with(corpus):
    """Its end was not evaluated; a part that is new to the next one belongs to no end."""
    stretches = [
        Stretch(10, None, parts=["a"], begin={"a": A + 2}),
        Stretch(10, {"a": A, "b": B}, start=10, begin={"a": A + 1, "b": B + 1}),
    ]
    found = rows(corpus, stretches)
    assert found["a", 0]["loss"] == pytest.approx(A.mean() + 1)
    assert (found["a", 1]["lowest"], found["a", 1]["change"]) == (0, pytest.approx(-1))
    assert (found["b", 0]["loss"], found["b", 0]["note"]) == (None, "not learned from yet")


def test_no_null_is_without_a_note(corpus):
    found = rows(
        corpus,
        [
            Stretch(10, {"a": A, "b": B[:1], "c": B[:5], "d": B[:0]}),
            Stretch(10, {"b": B[:1]}, start=10, parts=["a", "b", "c", "d"]),
        ],
    )
    assert {key: row["note"] for key, row in found.items()} == {
        ("a", 0): "the first one",
        ("a", 1): "not evaluated as the segment ended",
        ("b", 0): "the first one; one window has no interval",
        ("b", 1): "one window has no interval",
        ("c", 0): "the first one; few windows: the interval is too narrow",
        ("c", 1): "not evaluated as the segment ended",
        ("d", 0): "no validation text was evaluated",
        ("d", 1): "no validation text was evaluated",
    }
    assert all(row["note"] for row in found.values() if None in row.values() and row["note"] is not None)
    assert found["b", 1]["change"] == 0


def test_an_end_that_was_stored_before_its_segment_was_cut_short_is_none(corpus):
    """The process died between the evaluation and its checkpoint, and the next command cut the segment."""
    cut = [Stretch(10, {"a": A + 3}), Stretch(10, {"a": A}, start=10, begin={"a": A + 1})]
    run = write(corpus / "runs" / "r1", cut)
    change(run, 0, steps=8, planned_steps=10)
    assert rw.forgetting(corpus, "r1")["loss"].to_list()[0] is None, "what began at step 10 did not end at step 8"
    change(run, 0, steps=10, start_step=0)
    assert rw.forgetting(corpus, "r1")["loss"].to_list()[0] == pytest.approx(A.mean() + 3)
    add_evals(run.folder / "evals.parquet", 1, "begin", 8, windows_of({"a": A + 0.5}))
    change(run, 0, steps=8, planned_steps=10)
    assert rw.forgetting(corpus, "r1")["loss"].to_list()[0] == pytest.approx(A.mean() + 0.5)


def test_a_part_that_was_tokenized_anew_is_not_compared_with_what_it_was(corpus):
    run = write(corpus / "runs" / "r1", [Stretch(10, {"a": A}), Stretch(10, {"a": A - 1}, start=10)])
    change(run, 1, parts=(replace(run.segments[1].parts[0], digest="f" * 64),))
    _, second = rw.forgetting(corpus, "r1").to_dicts()
    assert (second["change"], second["note"]) == (None, "the first with these tokens")


def test_what_begins_with_new_tokens_is_no_end_of_the_old_ones(corpus):
    cut = [Stretch(10, None, begin={"a": A}), Stretch(10, {"a": A}, start=10, begin={"a": A + 1})]
    run = write(corpus / "runs" / "r1", cut)
    change(run, 1, parts=(replace(run.segments[1].parts[0], digest="f" * 64),))
    assert rw.forgetting(corpus, "r1")["loss"].to_list() == [None, pytest.approx(A.mean())]


def test_what_is_refused(corpus):
    with pytest.raises(ValueError, match=r"there is no run r9 in .*: train one first"):
        rw.forgetting(corpus, "r9")
    with pytest.raises(ValueError, match=r"run='\.\./r1' is no name of a run"):
        rw.forgetting(corpus, "../r1")
