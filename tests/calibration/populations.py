"""Rows drawn from populations whose truth is known, for the tests of the calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from langchain_logprobs.calibration import Row

Chance = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def overconfident(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of being right is the square of the score."""
    return scores**2


def bad_at_the_top(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The surest tenth is worse than what comes behind it: a score that is not even in order."""
    return np.where(scores > 0.9, 0.8, np.where(scores > 0.5, 0.96, 0.5))


def just_too_bad(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """A little more than one tenth is wrong at whatever score: every threshold breaks the promise."""
    return np.full(len(scores), 0.895)


def saturated(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """For scores that are rounded to tenths, so that many are equal."""
    return np.where(scores >= 0.95, 0.97, np.where(scores > 0.7, 0.9, 0.4))


def drawn(count: int, chance: Chance, seed: int, digits: int | None = None) -> tuple[NDArray, NDArray]:
    """Scores, most of them high, and whether each is right."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(2.0, 0.8, count)
    if digits is not None:
        scores = np.round(scores, digits)
    return scores, rng.random(count) < chance(scores)


def rows(count: int, chance: Chance = overconfident, seed: int = 0, **key: str | None) -> list[Row]:
    """The same as rows of one field, each of an item of its own."""
    scores, right = drawn(count, chance, seed)
    named = {"model": "small", "prompt": None, "path": "/email", **key}
    pairs = enumerate(zip(scores, right, strict=True))
    return [Row(**named, item=str(n), score=float(score), right=bool(ok)) for n, (score, ok) in pairs]
