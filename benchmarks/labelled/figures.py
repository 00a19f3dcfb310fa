"""How well does a number tell right from wrong: AUROC, calibration error and exact intervals, in plain Python."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Scored = tuple[float, bool]
"""A number and whether the value that it belongs to was right."""

Interval = tuple[float, float]

Row = TypeVar("Row")

CONFIDENCE = 0.95
DRAWS = 400
BINS = 10


def auroc(scored: Sequence[Scored]) -> float | None:
    """The probability that a right value has the higher number than a wrong one; ties count half.

    Returns:
        0.5 where the number says nothing, 1 where it separates them. None without a right and a wrong one.

    Example:
        >>> auroc([(0.9, True), (0.8, True), (0.8, False), (0.1, False)])
        0.875
    """
    right = sorted(number for number, is_right in scored if is_right)
    wrong = [number for number, is_right in scored if not is_right]
    if not right or not wrong:
        return None
    won = 0.0
    for number in wrong:
        above = len(right) - bisect.bisect_right(right, number)
        won += above + (len(right) - above - bisect.bisect_left(right, number)) / 2
    return won / (len(right) * len(wrong))


def bootstrap(rows: Sequence[Row], figure: Callable[[Sequence[Row]], float | None]) -> Interval | None:
    """The middle 95 % of a figure over samples of rows drawn with replacement; the same for the same data.

    None where the figure exists for less than half of them.
    """
    rng = random.Random(len(rows))
    drawn = (figure(rng.choices(rows, k=len(rows))) for _ in range(DRAWS))
    found = sorted(value for value in drawn if value is not None)
    if len(found) < DRAWS / 2:
        return None
    cut = (1 - CONFIDENCE) / 2
    return found[math.floor(cut * len(found))], found[math.ceil((1 - cut) * len(found)) - 1]


def calibration_error(scored: Sequence[Scored]) -> float | None:
    """The expected calibration error: how far off the number is as the share of right ones, over ten bins of 0.1.

    None without a value.
    """
    if not scored:
        return None
    bins: list[list[Scored]] = [[] for _ in range(BINS)]
    for number, is_right in scored:
        bins[min(BINS - 1, int(number * BINS))].append((number, is_right))
    off = (abs(math.fsum(number for number, _ in each) - sum(is_right for _, is_right in each)) for each in bins)
    return math.fsum(off) / len(scored)


def exact_interval(count: int, total: int) -> Interval | None:
    """The 95 % interval of Clopper and Pearson for a share; None of nothing.

    Example:
        >>> [round(end, 3) for end in exact_interval(9, 10)]
        [0.555, 0.997]
    """
    if not total:
        return None
    tail = (1 - CONFIDENCE) / 2

    def at_least(share: float) -> float:
        return math.fsum(_binomial(n, total, share) for n in range(count, total + 1))

    def at_most(share: float) -> float:
        return math.fsum(_binomial(n, total, share) for n in range(count + 1))

    low = 0.0 if count == 0 else _solve(lambda share: at_least(share) < tail)
    high = 1.0 if count == total else _solve(lambda share: at_most(share) >= tail)
    return low, high


def _binomial(count: int, total: int, share: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))


def _solve(below: Callable[[float], bool]) -> float:
    """Find where, between 0 and 1, the condition stops being true."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low
