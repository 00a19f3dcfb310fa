"""The figures, against slow and plain ways to find them."""

from __future__ import annotations

import numpy as np
import pytest

from langchain_logprobs.calibration.figures import area, brier, calibration_error, equal_bins, interval
from tests.calibration import populations


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    scores, right = populations.drawn(60, populations.overconfident, 3, digits=1)
    pairs = [(good > bad) + (good == bad) / 2 for good in scores[right] for bad in scores[~right]]
    found = area(scores, right)
    assert found is not None
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.low < found.value < found.high


def test_there_is_no_area_without_both_kinds() -> None:
    assert area(np.array([0.2, 0.3]), np.array([True, True])) is None


def test_a_perfect_separation_has_an_interval_too() -> None:
    found = area(np.arange(24) / 24, np.arange(24) >= 12)
    assert found is not None
    assert found.value == found.high == 1.0
    assert 0.75 < found.low < 0.95
    upside_down = area(np.arange(24) / 24, np.arange(24) < 12)
    assert upside_down is not None
    assert upside_down.low == 0.0
    assert upside_down.high == pytest.approx(1 - found.low)


@pytest.mark.slow
def test_the_interval_of_the_area_holds_the_truth() -> None:
    whole = area(*populations.drawn(200_000, populations.overconfident, 5))
    assert whole is not None
    held = 0
    for seed in range(400):
        found = area(*populations.drawn(80, populations.overconfident, seed + 10))
        held += found is not None and found.low <= whole.value <= found.high
    assert 0.92 <= held / 400 <= 0.99


def test_the_calibration_error_is_a_mean_over_tenths() -> None:
    probabilities = np.array([0.05, 0.05, 0.95, 0.91, 1.0])
    right = np.array([False, True, True, True, False])
    # The first two: said .05, found .5. The last three: said .9533, found .6667.
    assert calibration_error(probabilities, right) == pytest.approx((2 * 0.45 + 3 * (2.86 / 3 - 2 / 3)) / 5)
    assert brier(probabilities, right) == pytest.approx(np.mean([0.05**2, 0.95**2, 0.05**2, 0.09**2, 1.0]))


def test_the_bins_of_the_picture_hold_equally_many() -> None:
    scores, right = populations.drawn(125, populations.overconfident, 4)
    found = equal_bins(scores, right)
    assert [each.size for each in found] == [13] * 5 + [12] * 5
    assert sum(each.right * each.size for each in found) == pytest.approx(right.sum())
    assert len(equal_bins(scores[:5], right[:5])) == 1


def test_the_interval_of_a_share() -> None:
    low, high = interval(0, 12)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.05 ** (1 / 12))
    assert interval(12, 12) == (pytest.approx(1 - high), 1.0)
