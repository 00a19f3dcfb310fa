"""Means and the intervals around them, and how far two crowds are apart. The statistics are scipy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

FEWEST = 8
"""Under so many pairs, or calls of a side, there is no interval: it would say more than they know."""

_RESAMPLED_UP_TO = 2_000
"""From here on a mean of numbers between 0 and 1 is normal, and resampling costs the square of their number."""

_RESAMPLES = 4_999
_NUMBERS_AT_ONCE = 4_000_000
_SEED = 20_261_125


def mean_of(numbers: Sequence[float]) -> float | None:
    """Return the mean; None of nothing."""
    return math.fsum(numbers) / len(numbers) if numbers else None


def of_each(confidence: float, rows: int) -> float:
    """Return the confidence of each interval with which all of them hold at once (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / rows


def interval_of(samples: Sequence[Sequence[float]], confidence: float) -> tuple[float | None, float | None]:
    """Return the interval of the mean of one sample, or of the mean of the second one less that of the first."""
    if min(len(sample) for sample in samples) < FEWEST:
        return None, None
    if all(min(sample) == max(sample) for sample in samples):  # nothing varies, and there is nothing to resample
        only = samples[-1][0] - (samples[0][0] if len(samples) > 1 else 0.0)
        return only, only
    stats, size = scipy_stats(), max(len(sample) for sample in samples)
    if size > _RESAMPLED_UP_TO:
        if len(samples) == 1:
            found = stats.ttest_1samp(samples[0], 0.0).confidence_interval(confidence)
        else:
            found = stats.ttest_ind(samples[1], samples[0], equal_var=False).confidence_interval(confidence)
        return float(found.low), float(found.high)
    import numpy

    def statistic(first: Any, second: Any = None, axis: int = -1) -> Any:
        mean = numpy.mean(first, axis=axis)
        return mean if second is None else numpy.mean(second, axis=axis) - mean

    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=_RESAMPLES,
        batch=max(1, _NUMBERS_AT_ONCE // size),
        confidence_level=confidence,
        method="BCa",
        rng=numpy.random.default_rng(_SEED),
    ).confidence_interval
    ends = float(found.low), float(found.high)
    return ends if all(map(math.isfinite, ends)) else (None, None)


def scipy_stats() -> Any:
    """Return `scipy.stats`.

    Raises:
        ImportError: It is not installed.
    """
    try:
        from scipy import stats
    except ModuleNotFoundError as error:
        raise ImportError('compare needs scipy.  pip install "langchain-logprobs[compare]"') from error
    return stats
