from __future__ import annotations

from itertools import pairwise

import pytest

from raywiki.training.schedule import SCHEDULES, learning_rate


def curve(schedule: str, steps: int = 100, warmup_steps: int = 10, lr_from: float | None = 0.0) -> list[float]:
    return [learning_rate(schedule, step, steps, 2.0, warmup_steps, lr_from) for step in range(steps)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("steps", "warmup_steps"), [(1, 0), (1, 1), (1, 5), (2, 1), (7, 7), (100, 0), (100, 10)])
def test_within_bounds_at_any_length(schedule, steps, warmup_steps):
    rates = curve(schedule, steps, warmup_steps)
    assert len(rates) == steps
    assert all(0 < rate <= 2 for rate in rates)


def test_cosine_warms_up_and_ends_at_a_tenth():
    rates = curve("cosine")
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == 2
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[54] == pytest.approx(1.1)  # halfway
    assert rates[-1] == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("lr_from", [0.01, 0.2, 2.0, 5.0])
def test_a_later_segment_begins_where_the_run_had_ended(schedule, lr_from):
    rates = curve(schedule, lr_from=lr_from)
    assert rates[9] == pytest.approx(2)
    assert all(abs(a - b) == pytest.approx(abs(2 - lr_from) / 10) for a, b in pairwise([lr_from, *rates[:10]]))
    assert rates[10:] == curve(schedule)[10:]


def test_segments_of_before_that_rate_was_recorded_keep_their_curves():
    assert curve("rewarm", lr_from=None)[:10] == pytest.approx([2 * (0.1 + 0.09 * step) for step in range(1, 11)])
    assert curve("cosine", lr_from=None) == curve("cosine")
    assert set(curve("constant", lr_from=None)) == {2}


def test_wsd_is_flat_until_the_last_fifth():
    rates = curve("wsd")
    assert set(rates[9:80]) == {2}
    assert rates[80:] == sorted(rates[80:], reverse=True)
    assert rates[80] < 2
    assert rates[-1] < 0.1


def test_constant_warms_up_and_stays():
    rates = curve("constant")
    assert rates[0] == pytest.approx(0.2)
    assert set(rates[9:]) == {2}


def test_unknown():
    with pytest.raises(ValueError, match="there is no schedule 'linear': choose one of cosine, wsd, rewarm, constant"):
        learning_rate("linear", 0, 10, 1.0, 1)
