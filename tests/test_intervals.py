"""Bootstrap intervals: they hold what they promise, find what is there, and say nothing where nothing can be said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raywiki import intervals
from raywiki.intervals import ENOUGH, LEVEL, mean_interval, paired_interval

FEWER = 1000  # draws, where an interval need not be exact


def losses(seed: int, n: int, targets: np.ndarray, mean: float = 4.0) -> np.ndarray:
    """Sums of losses of windows as text has them: skewed to the right, a fifth of the mean as their deviation."""
    return targets * mean * np.random.default_rng(seed).gamma(25, 1 / 25, size=n)


def share_that_hold(n: int, trials: int = 300) -> float:
    targets = np.full(n, 256)
    found = [mean_interval(losses(seed, n, targets), targets, resamples=FEWER) for seed in range(trials)]
    return float(np.mean([low <= 4.0 <= high for low, high in found]))


def test_it_holds_the_mean_as_often_as_it_says():
    """Within what 300 trials tell: a standard deviation of 1.3 %."""
    assert share_that_hold(100) == pytest.approx(LEVEL, abs=0.035)
    assert share_that_hold(ENOUGH) == pytest.approx(0.936, abs=0.035)
    assert share_that_hold(5) < 0.9, "the comment at ENOUGH says why it is there"


def test_it_is_the_interval_of_the_normal_distribution_for_many_windows():
    targets = np.full(2000, 64)
    values = losses(0, 2000, targets)
    low, high = mean_interval(values, targets)
    per_target = values / targets
    half = 1.96 * per_target.std() / math.sqrt(2000)
    assert (low, high) == pytest.approx((per_target.mean() - half, per_target.mean() + half), abs=half * 0.1)


def test_windows_count_by_their_targets():
    """A last window of few targets moves the mean little, whatever its loss."""
    targets = np.array([100] * 50 + [1])
    low, high = mean_interval(np.array([300.0] * 50 + [50.0]), targets)
    assert low == pytest.approx(3.0)
    assert 3.0 < high < 3.1


def test_a_shift_smaller_than_the_spread_is_found_in_pairs_alone():
    targets = np.full(80, 256)
    one = losses(1, 80, targets)
    other = one + targets * (0.05 + np.random.default_rng(2).normal(0, 0.02, 80))
    low, high = paired_interval(one, other, targets)
    assert 0.04 < low < 0.05 < high < 0.06
    assert paired_interval(other, one, targets) == pytest.approx((-high, -low), abs=1e-3)
    assert mean_interval(one, targets)[1] > mean_interval(other, targets)[0]


def test_equal_data_differ_by_nothing():
    values = losses(3, 40, np.full(40, 16))
    assert paired_interval(values, values, np.full(40, 16)) == (0.0, 0.0)


def test_no_difference_is_seldom_found():
    targets, found = np.full(60, 256), []
    for seed in range(300):
        one, other = losses(seed, 60, targets), losses(seed + 10_000, 60, targets)
        low, high = paired_interval(one, other, targets, resamples=FEWER)
        found.append(not low <= 0 <= high)
    assert 0.01 < np.mean(found) < 0.1


def test_one_window_has_no_interval():
    assert mean_interval([3.0], [1]) is None
    assert mean_interval([], []) is None
    assert paired_interval([3.0], [4.0], [1]) is None


def test_parts_are_no_sample():
    """Their distance is none of the noise: each is drawn from itself."""
    values = np.array([1.0, 1.1] * 50 + [9.0, 9.1] * 50)
    groups = np.repeat(["a", "b"], 100)
    low, high = mean_interval(values, np.ones(200), groups)
    assert high - low < 0.03
    low, high = mean_interval(values, np.ones(200))
    assert high - low > 0.5


def test_a_part_of_one_window_is_drawn_with_others():
    def strata(*sizes: int) -> list[int]:
        return sorted(map(len, intervals._strata(np.repeat(np.arange(len(sizes)), sizes))))

    assert strata(1, 5, 9) == [6, 9]
    assert strata(1, 1, 5, 9) == [2, 5, 9]
    assert strata(1, 1) == [2]
    assert strata(1) == [1]
    low, high = mean_interval([1.0, 5.0, 5.0, 5.0], [1, 1, 1, 1], ["alone", "b", "b", "b"])
    assert low < high


def test_the_same_numbers_give_the_same_interval_in_pieces_of_any_size(monkeypatch):
    values, targets = losses(4, 50, np.full(50, 16)), np.full(50, 16)
    assert mean_interval(values, targets) == mean_interval(values, targets)
    whole = mean_interval(values, targets, resamples=FEWER)
    monkeypatch.setattr(intervals, "_DRAWS_AT_ONCE", 1)
    assert mean_interval(values, targets, resamples=FEWER) == whole
