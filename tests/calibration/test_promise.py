"""The walk that finds a threshold: its tests are settled beforehand, and it keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from langchain_logprobs.calibration.figures import upper_bound
from langchain_logprobs.calibration.promise import least_labels, sequence, walk
from tests.calibration import populations

ERROR, CONFIDENCE = 0.1, 0.9


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    for wrong, of in ((0, 22), (1, 38), (7, 90), (30, 31)):
        bound = upper_bound(wrong, of, CONFIDENCE)
        assert binom.cdf(wrong, of, bound) == pytest.approx(1 - CONFIDENCE)
    assert upper_bound(0, 22, 0.9) == pytest.approx(1 - 0.1 ** (1 / 22))
    assert upper_bound(3, 3, 0.9) == 1.0


@pytest.mark.parametrize(("error", "confidence"), [(0.1, 0.9), (0.01, 0.99), (0.5, 0.5), (0.2, 0.8), (0.999, 0.9)])
def test_the_fewest_labels_are_the_fewest(error: float, confidence: float) -> None:
    for wrong in (0, 1, 2):
        count = least_labels(error, confidence, wrong)
        assert upper_bound(wrong, count, confidence) <= error
        assert upper_bound(wrong, count - 1, confidence) > error


@pytest.mark.parametrize("labels", [0, 1, 21, 22, 23, 50, 114, 157, 1000])
def test_the_sequence_ascends_and_ends_with_all(labels: int) -> None:
    sizes = sequence(labels, ERROR, CONFIDENCE)
    assert sizes == sorted(set(sizes))
    assert (sizes == []) == (labels < 22)
    if sizes:
        assert sizes[0] in (22, 38, 52)
        assert sizes[-1] == labels


def test_which_sets_are_tested_does_not_depend_on_the_labels() -> None:
    scores, right = populations.drawn(300, populations.overconfident, 1)
    tested = [walk(scores, labels, error=0.3, confidence=0.9) for labels in (right, ~right, right[::-1].copy())]
    sizes = [[step.accepted for step in steps] for steps in tested]
    longest = max(sizes, key=len)
    assert all(each == longest[: len(each)] for each in sizes)
    assert len({len(each) for each in sizes}) > 1  # they end where the labels say


def test_nothing_behind_a_failed_test_is_looked_at() -> None:
    scores = np.linspace(1, 0, 600)
    right = np.ones(600, dtype=bool)
    right[:12] = False  # 12 of the first 52 are wrong; of all 600 it is 2 %, which would pass
    steps = walk(scores, right, error=ERROR, confidence=CONFIDENCE)
    assert [(step.accepted, step.wrong, step.passed) for step in steps] == [(52, 12, False)]
    assert upper_bound(12, 600, CONFIDENCE) < ERROR


def test_the_threshold_accepts_the_set_that_was_tested_and_no_more() -> None:
    scores, right = populations.drawn(400, populations.overconfident, 2)
    steps = walk(scores, right, error=0.25, confidence=0.9)
    assert len(steps) > 3
    for step in steps:
        accepted = scores >= step.threshold
        assert (int(accepted.sum()), int((~right[accepted]).sum())) == (step.accepted, step.wrong)
        assert len(repr(step.threshold)) <= 8  # a number that people can type


def test_equal_scores_are_accepted_together_or_not_at_all() -> None:
    scores = np.array([1.0] * 40 + [0.9] * 40 + [0.2] * 40)
    right = np.array([True] * 80 + [False] * 40)
    steps = walk(scores, right, error=ERROR, confidence=CONFIDENCE)
    assert [(step.accepted, step.passed) for step in steps] == [(40, True), (80, True), (120, False)]
    assert steps[1].threshold == 0.9


def test_where_all_are_accepted_the_threshold_is_zero() -> None:
    scores, right = np.linspace(0.4, 0.9, 100), np.ones(100, dtype=bool)
    assert walk(scores, right, error=ERROR, confidence=CONFIDENCE)[-1] == (
        0.0,
        100,
        0,
        pytest.approx(0.0228, abs=1e-3),
        True,
    )


def truth(chance: populations.Chance, digits: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the population in ascending order, and the share of wrong ones from each of them on."""
    rng = np.random.default_rng(99)
    scores = np.sort(rng.beta(2.0, 0.8, 400_000))
    scores = np.sort(np.round(scores, digits)) if digits is not None else scores
    wrong = np.cumsum((1 - chance(scores))[::-1])[::-1]
    return scores, wrong / np.arange(len(scores), 0, -1)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [60, 200, 600])
@pytest.mark.parametrize(
    ("chance", "digits"),
    [
        (populations.overconfident, None),
        (populations.bad_at_the_top, None),
        (populations.just_too_bad, None),
        (populations.saturated, 1),
    ],
)
def test_the_promise_is_kept_in_populations_whose_truth_is_known(
    chance: populations.Chance, digits: int | None, labels: int
) -> None:
    scores, risk = truth(chance, digits)
    broken = found = 0
    for seed in range(500):
        steps = walk(*populations.drawn(labels, chance, seed, digits), error=ERROR, confidence=CONFIDENCE)
        kept = [step for step in steps if step.passed]
        if kept:
            found += 1
            broken += risk[np.searchsorted(scores, kept[-1].threshold)] > ERROR
    # Of 500 draws at most 10 % may be over the promise, and what chance adds to that in one of a thousand runs.
    assert broken <= binom.ppf(0.999, 500, 1 - CONFIDENCE)
    if chance is not populations.just_too_bad and labels == 600:
        assert found > 50 or chance is populations.bad_at_the_top
