"""Figures of how well a score tells right from wrong. Scores and rights are arrays of the same length."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaincinv, ndtri
from sklearn.metrics import roc_auc_score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 10
INTERVAL = 0.95
_NEAR = 1e-9


class Area(NamedTuple):
    """The area under the ROC curve (AUROC): the probability that a right value scores above a wrong one.

    Attributes:
        value: It; 0.5 where the score says nothing.
        low: The lower end of its 95 % interval.
        high: The upper end.
    """

    value: float
    low: float
    high: float


def area(scores: Floats, right: Bools) -> Area | None:
    """Return the AUROC with its interval; None without a right and a wrong value.

    The interval is Newcombe's (2006, method 5): the values of the area from which the one found is no further than
    what is usual at them. It has a width also where the score separates all, when a bootstrap's or DeLong's has none.
    """
    rights = int(right.sum())
    wrongs = len(right) - rights
    if not rights or not wrongs:
        return None
    found = float(roc_auc_score(right, scores))
    z = float(ndtri((1 + INTERVAL) / 2))

    def beyond(other: float, sign: float) -> float:
        between = (len(right) / 2 - 1) * ((1 - other) / (2 - other) + other / (1 + other))
        variance = other * (1 - other) * (1 + between) / (rights * wrongs)
        return sign * (other - found) - z * math.sqrt(variance)

    # At 0 and 1 themselves the variance is none, and the value found would be an end of its own interval.
    low = 0.0 if found == 0 else float(brentq(beyond, 0.0, min(found, 1 - _NEAR), args=(-1.0,)))
    high = 1.0 if found == 1 else float(brentq(beyond, max(found, _NEAR), 1.0, args=(1.0,)))
    return Area(found, low, high)


class Bin(NamedTuple):
    """Neighbouring values together.

    Attributes:
        mean: The mean of their probabilities.
        right: The share of them that is right.
        size: How many they are.
    """

    mean: float
    right: float
    size: int


def bins(probabilities: Floats, right: Bools) -> list[Bin]:
    """Return the tenths of the scale that hold any value."""
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return [
        Bin(float(probabilities[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for inside in (places == place for place in range(BINS))
        if inside.any()
    ]


def equal_bins(probabilities: Floats, right: Bools, least: int = 12) -> list[Bin]:
    """Return up to ten bins of equally many values, each of at least so many: what a picture of few values can show."""
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, max(1, min(BINS, len(order) // least)))
    return [Bin(float(probabilities[part].mean()), float(right[part].mean()), len(part)) for part in parts]


def calibration_error(probabilities: Floats, right: Bools) -> float:
    """Return the expected calibration error (ECE): how far off the probabilities are, on average over ten bins."""
    return sum(each.size * abs(each.mean - each.right) for each in bins(probabilities, right)) / len(right)


def brier(probabilities: Floats, right: Bools) -> float:
    """Return the Brier score: the mean square of what the probability is off; 0.25 for saying one half of all."""
    return float(np.mean((probabilities - right) ** 2))


def upper_bound(wrong: int, of: int, confidence: float) -> float:
    """Return the greatest share of wrong ones that is believable (Clopper and Pearson, one-sided).

    Example:
        >>> round(upper_bound(0, 22, 0.9), 3)
        0.099
    """
    return 1.0 if wrong >= of else float(betaincinv(wrong + 1, of - wrong, confidence))


def interval(right: int, of: int, confidence: float = 0.9) -> tuple[float, float]:
    """Return the two-sided interval of a share (Clopper and Pearson)."""
    tail = (1 - confidence) / 2
    return 1 - upper_bound(of - right, of, 1 - tail), upper_bound(right, of, 1 - tail)
