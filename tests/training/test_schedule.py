from __future__ import annotations

import pytest

from raywiki.training.schedule import SCHEDULES, learning_rate


def curve(schedule: str, steps: int = 100, warmup_steps: int = 10) -> list[float]:
    return [learning_rate(schedule, step, steps, 2.0, warmup_steps) for step in range(steps)]


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


def test_rewarm_begins_where_a_run_had_ended():
    rates = curve("rewarm")
    assert 0.2 < rates[0] < rates[1] < rates[9] == 2
    assert rates[10:] == curve("cosine")[10:]


def test_wsd_is_flat_until_the_last_fifth():
    rates = curve("wsd")
    assert set(rates[9:80]) == {2}
    assert rates[80:] == sorted(rates[80:], reverse=True)
    assert rates[80] < 2
    assert rates[-1] < 0.1


def test_constant():
    assert set(curve("constant")) == {2}


def test_unknown():
    with pytest.raises(ValueError, match="there is no schedule 'linear': choose one of cosine, wsd, rewarm, constant"):
        learning_rate("linear", 0, 10, 1.0, 1)
