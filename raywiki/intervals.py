"""How far a mean loss over validation windows may be from that of all such text: bootstrap intervals. numpy alone.

The windows are drawn again with replacement, as many as there are, thousands of times, and the middle 95 % of the means that
come out are the interval (the percentile bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Two models on the same windows are compared by the differences, window by window (Koehn, Statistical Significance Tests for
Machine Translation Evaluation, EMNLP 2004): what makes a window hard is hard for both, and drops out.

That is the noise of the validation text. Another seed gives other weights and another loss, and no interval of one run knows
how far off that would be. Windows of one long article resemble each other, so that of a part with few articles they tell less
than their number says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
RESAMPLES = 10_000
# Of n values of a normal distribution the interval holds the mean with the probability P(|t| < 1.96·√(1 - 1/n)), t of Student's
# distribution with n - 1 degrees of freedom, as resampling knows neither the factor n / (n - 1) nor Student's tails (it is too
# narrow: Hesterberg, What Teachers Should Know about the Bootstrap, arXiv 1411.5279): 60 % for 2, 90 % for 10, 93.6 % for 30.
ENOUGH = 30
_SEED = 0x9E3779B9
_DRAWS_AT_ONCE = 1 << 16  # half a MB of row numbers: what fits a core's cache is several times as fast as more

Interval = tuple[float, float]


def mean_interval(
    losses: ArrayLike, targets: ArrayLike, groups: ArrayLike | None = None, resamples: int = RESAMPLES
) -> Interval | None:
    """Lower and upper end of the 95 % interval of a mean loss; None for fewer than two windows, which tell nothing of spread.

    The same numbers give the same interval. From fewer than `ENOUGH` windows it is too narrow.

    Args:
        losses: of each window, the sum over its targets; shape (n,).
        targets: how many those are, above 0: the mean is Σ losses / Σ targets; shape (n,).
        groups: the part of each window, of any type that can be sorted; shape (n,). Each part keeps its number of windows in
            each draw, as the parts themselves are no sample of anything. Parts of a single window are drawn together, or with
            the smallest other one (collapsed strata: Cochran, Sampling Techniques, 1977, section 5A.12), which errs on the
            wide side.
        resamples: how many draws.

    >>> mean_interval([6.0, 9.0], [3, 3]), mean_interval([6.0], [3])
    ((2.0, 3.0), None)
    """
    values = np.stack([np.asarray(losses, np.float64), np.asarray(targets, np.float64)], axis=1)
    if len(values) < 2:
        return None
    random, sums = np.random.default_rng(_SEED), np.zeros((resamples, 2))
    for rows in _strata(np.zeros(len(values)) if groups is None else np.asarray(groups)):
        sums += _sums(values[rows], resamples, random)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def paired_interval(
    losses: ArrayLike, others: ArrayLike, targets: ArrayLike, groups: ArrayLike | None = None, resamples: int = RESAMPLES
) -> Interval | None:
    """The interval of the difference of two mean losses, `others` - `losses`, on the same windows. See `mean_interval`.

    >>> paired_interval([6.0, 90.0], [6.75, 90.75], [3, 3])
    (0.25, 0.25)
    """
    return mean_interval(np.subtract(others, losses), targets, groups, resamples)


def _strata(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of each group; those of one row are one stratum together, a single one of them with the smallest other group."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    is_joined = sizes == 1
    if is_joined.sum() == 1 and len(sizes) > 1:
        is_joined[np.argsort(sizes, kind="stable")[1]] = True
    stratum = np.where(is_joined[group], -1, group)
    return [np.flatnonzero(stratum == number) for number in np.unique(stratum)]


def _sums(values: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Sums of n rows drawn from these n with replacement, so many times: (n, k) → (resamples, k)."""
    n, at_once = len(values), max(1, _DRAWS_AT_ONCE // len(values))
    columns = [np.ascontiguousarray(column) for column in values.T]
    sums = np.empty((resamples, len(columns)))
    for first in range(0, resamples, at_once):
        drawn = random.integers(n, size=(min(at_once, resamples - first), n))
        for number, column in enumerate(columns):
            sums[first : first + at_once, number] = column[drawn].sum(axis=1)
    return sums
