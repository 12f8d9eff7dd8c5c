"""What `train` prints: no dash without a word below the table that says why."""

from __future__ import annotations

from typing import Any

import pytest

from raywiki.engine.train import TrainSummary, _dashes

SEGMENT: dict[str, Any] = dict(
    parts=["a", "b"], first_step=0, last_step=9, planned_step=9, train_loss=4.0, device="cpu", precision="fp32", mfu=None,
    before={"a": 5.0, "b": 6.0}, after={"a": 4.0, "b": 4.5}, bpb_before={"a": 2.0, "b": 2.1}, bpb_after={"a": 1.9, "b": 1.8},
)  # fmt: skip
BARE = "part b cannot be evaluated without a validation page: see tokenize --val-fraction"
LATE = "not all losses of part b are known as the segment began, so that the change is not either"


@pytest.mark.parametrize(
    ("changed", "notes"),
    [
        ({}, []),
        ({"before": {"a": 5.0}}, [LATE]),
        ({"before": {"a": 5.0, "b": None}, "bpb_before": {"a": 2.0, "b": None}}, [LATE]),
        ({"bpb_before": {"a": 2.0}}, [LATE]),
        ({"bpb_before": {}, "bpb_after": {}}, []),
        ({"before": {"a": 5.0}, "after": {"a": 4.0, "b": None}, "bpb_after": {"a": 1.9, "b": None}}, [BARE]),
    ],
)
def test_no_dash_is_without_its_note(changed, notes):
    segment = {**SEGMENT, **changed}
    assert _dashes(segment["after"], [segment]) == notes
    printed = str(TrainSummary("corpus", "r1", "trained", 9, (segment,), segment["after"], 1.0, notes=tuple(notes)))
    assert ("–" in printed) == bool(notes)
    assert all(note.split(":")[0] in " ".join(printed.split()) for note in notes)


def test_of_several_segments_each_part_is_named_once():
    late = {**SEGMENT, "before": {"a": 5.0}}
    assert _dashes(late["after"], [late, late]) == [LATE]
