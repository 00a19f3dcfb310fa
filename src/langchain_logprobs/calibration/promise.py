"""The threshold that keeps a promise: "at most so many of what is accepted are wrong, with this confidence".

Learn then test, in a fixed sequence (Angelopoulos and others, 2021): which sets of values are tested, and in which
order, is settled by the number of labels and the promise alone, before any label is seen: first the surest few, then
5 % of the labels more at each step. Each set is tested with the exact bound of Clopper and Pearson at the whole
confidence, and the first that fails ends the walk, whatever comes behind it. The last set that passed gives the
threshold. So no correction for the number of tests is due, and nothing is chosen by looking at who is wrong.

The scores alone, not the labels, say which score the surest 40 begin at. Of continuous scores the values above the
41st are a fair sample of all that would be accepted there, so that each test is exact, and so is the walk where the
share of wrong ones among the accepted rises once over the promised one as the threshold falls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from langchain_logprobs.calibration.figures import Bools, Floats, upper_bound

STEPS = 20
_MOST_WRONG_AT_FIRST = 2


class Step(NamedTuple):
    """One test of the walk.

    Attributes:
        threshold: The score from which values are accepted in it.
        accepted: How many of the labelled values are.
        wrong: How many of these are wrong.
        bound: The greatest share of wrong ones among all such values that is believable at the wished confidence.
        passed: Whether that is no more than promised.
    """

    threshold: float
    accepted: int
    wrong: int
    bound: float
    passed: bool


def least_labels(error: float, confidence: float, wrong: int = 0) -> int:
    """Return how many accepted values it takes to keep the promise when so many of them are wrong.

    Example:
        >>> [least_labels(0.1, 0.9, wrong) for wrong in (0, 1, 2)]
        [22, 38, 52]
    """
    low, high = wrong, wrong + 1
    while upper_bound(wrong, high, confidence) > error:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(wrong, middle, confidence) <= error else (middle, high)
    return high


def sequence(labels: int, error: float, confidence: float) -> list[int]:
    """Return the sizes of the sets to test, in their order: of this many labels and this promise always the same.

    The first set is so large that it may hold two wrong values, one or none, as long as it is no more than a third of
    the labels: a set that a single bad luck can fail is a bad first one, and a large one hides a good few.
    """
    firsts = [least_labels(error, confidence, wrong) for wrong in range(_MOST_WRONG_AT_FIRST, -1, -1)]
    first = next((size for size in firsts if size <= labels / 3), firsts[-1])
    sizes = range(first, labels, max(1, labels // STEPS))
    return [*sizes, labels] if first <= labels else []


def walk(scores: Floats, right: Bools, *, error: float, confidence: float) -> list[Step]:
    """Test thresholds from the highest down until one fails.

    Args:
        scores: The score of each labelled value.
        right: Whether it is right.
        error: The share of wrong ones among the accepted that is promised, over 0 and under 1.
        confidence: With which confidence, over 0 and under 1.

    Returns:
        The tests that were made, the failed one among them. Empty where there are too few labels for any.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, wrong = scores[order], np.cumsum(~right[order])
    steps: list[Step] = []
    for size in sequence(len(scores), error, confidence):
        # Equal scores cannot be told apart by a threshold: all of them or none.
        accepted = int(np.searchsorted(-ranked, -ranked[size - 1], side="right"))
        if steps and steps[-1].accepted == accepted:
            continue
        below = ranked[accepted] if accepted < len(ranked) else None
        threshold = 0.0 if below is None else _between(float(below), float(ranked[accepted - 1]))
        failed = int(wrong[accepted - 1])
        bound = upper_bound(failed, accepted, confidence)
        steps.append(Step(threshold, accepted, failed, bound, bound <= error))
        if not steps[-1].passed:
            break
    return steps


def _between(below: float, least: float) -> float:
    """Return the roundest number over one score and at most the other, which people will read and type."""
    for digits in range(2, 17):
        rounded = round(least, digits)
        for number in (rounded, round(rounded - 10.0**-digits, digits)):
            if below < number <= least:
                return number
    return least
