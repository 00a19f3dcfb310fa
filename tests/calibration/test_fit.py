"""What is learned, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from langchain_logprobs.calibration import Row, calibrate
from langchain_logprobs.calibration.figures import brier, calibration_error
from tests.calibration import populations


@pytest.mark.parametrize(("count", "method"), [(150, "platt"), (500, "isotonic")])
def test_a_map_says_the_truth_of_values_it_was_not_learned_from(count: int, method: str) -> None:
    (group,) = calibrate(populations.rows(count, seed=7), error=0.2).groups
    assert group.result.method == method
    scores, right = populations.drawn(20_000, populations.overconfident, 1234)
    said = np.array([group.result.probability(score) for score in scores])
    assert calibration_error(said, right) < calibration_error(scores, right) / 2
    assert brier(said, right) < brier(scores, right)
    assert np.abs(said - populations.overconfident(scores)).mean() < 0.07


def test_the_saved_points_are_the_map_that_scikit_learn_fitted() -> None:
    rows = populations.rows(500, seed=8)
    (group,) = calibrate(rows).groups
    fitted = IsotonicRegression(y_min=1 / 502, y_max=501 / 502, out_of_bounds="clip").fit(group.scores, group.right)
    at = np.concatenate([np.linspace(0, 1, 997), group.scores])
    assert [group.result.probability(score) for score in at] == pytest.approx(fitted.predict(at), abs=1e-5)
    assert len(group.result.points) < 80


def test_the_points_of_a_curve_are_near_it() -> None:
    (group,) = calibrate(populations.rows(150, seed=7)).groups
    points = np.array(group.result.points)
    # A logistic curve of the logit: in that scale it is a straight line, which two of its points give.
    inner = points[(points[:, 1] > 0.05) & (points[:, 1] < 0.95)]
    x, y = (np.log(column / (1 - column)) for column in inner.T)
    slope, offset = np.polyfit(x, y, 1)
    scores = np.linspace(inner[0, 0], inner[-1, 0], 501)
    exact = 1 / (1 + np.exp(-(offset + slope * np.log(scores / (1 - scores)))))
    said = np.array([group.result.probability(score) for score in scores])
    assert np.abs(said - exact).max() < 0.005
    assert (np.diff(said) >= 0).all()


def test_no_map_says_that_something_is_certain() -> None:
    rows = [Row("m", None, "/x", str(n), n / 400, n >= 200) for n in range(400)]
    (group,) = calibrate(rows).groups
    assert group.result.points
    said = [probability for _, probability in group.result.points]
    assert 0 < min(said) < 0.01
    assert 0.99 < max(said) < 1


def test_nothing_is_pooled() -> None:
    """Four fields that hold together what none holds by itself."""
    rows = [
        row._replace(model=model, prompt=prompt, path=path)
        for seed, (model, prompt, path) in enumerate(
            [("a", None, "/x"), ("a", "v2", "/x"), ("a", None, "/y"), ("b", None, "/x")]
        )
        for row in populations.rows(49, seed=seed)
    ]
    groups = calibrate(rows).groups
    assert len(groups) == 4
    assert all(group.result.reasons[0].startswith("Too few labels: 49, and at least 50") for group in groups)
    assert not any(group.result.points or group.result.threshold for group in groups)


def test_a_group_learns_nothing_from_its_neighbours() -> None:
    rows = populations.rows(300, seed=3)
    alone = calibrate(rows).calibration.groups[0]
    beside = calibrate([*populations.rows(300, seed=4, model="other"), *rows]).calibration
    assert beside.group(model="small", path="/email") == alone


def test_the_order_of_the_rows_changes_no_threshold() -> None:
    rows = populations.rows(300, seed=3)
    found = [calibrate(each, error=0.2).groups[0].result for each in (rows, rows[::-1])]
    assert found[0].threshold == found[1].threshold is not None
    assert found[0].points == found[1].points


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (populations.rows(49), "Too few labels: 49, and at least 50 are needed."),
        (
            [row._replace(right=n > 8) for n, row in enumerate(populations.rows(200))],
            "Too few to learn from: 9 of 200 are wrong, and at least 10 are needed.",
        ),
        (
            [row._replace(right=n < 1) for n, row in enumerate(populations.rows(200))],
            "Too few to learn from: 1 of 200 is right, and at least 10 are needed.",
        ),
        (
            [row._replace(right=n % 3 > 0) for n, row in enumerate(populations.rows(200))],
            "The score does not tell right from wrong here: AUROC",
        ),
        (
            [row._replace(score=1 - row.score) for row in populations.rows(200)],
            "The score does not tell right from wrong here: AUROC",
        ),
        ([row._replace(score=0.7) for row in populations.rows(200)], "AUROC 0.50"),
    ],
)
def test_what_the_labels_do_not_carry_is_refused_in_a_sentence(rows: list[Row], told: str) -> None:
    (group,) = calibrate(rows, error=0.5).groups
    assert len(group.result.reasons) == 1
    assert told in group.result.reasons[0]
    assert (group.result.points, group.result.threshold, group.result.accepted) == ((), None, None)
    assert group.steps == ()


def test_a_promise_that_cannot_be_kept_is_refused() -> None:
    (group,) = calibrate(populations.rows(300, seed=3), error=0.01).groups
    assert group.result.threshold is None
    assert "No threshold" in group.result.reasons[-1]
    assert "at most 1 % of the accepted wrong, with 90 % confidence" in group.result.reasons[-1]


def test_a_map_is_refused_where_the_score_is_true_already() -> None:
    rows = populations.rows(300, chance=lambda scores: scores, seed=3)
    (group,) = calibrate(rows, error=0.2).groups
    assert group.result.points == ()
    assert group.result.threshold is not None
    assert group.result.reasons[0].startswith("No map: ")
    assert "partitions" in group.result.reasons[0]


def test_labels_by_chance_get_nothing_however_well_they_fit() -> None:
    """By chance the AUROC's interval is over one half in 2.5 of 100 draws; a map must help in all partitions too."""
    given = 0
    for seed in range(40):
        rows = populations.rows(200, chance=lambda scores: np.full(len(scores), 0.7), seed=seed)
        given += calibrate(rows).calibration.fits(model="small", path="/email")
    assert given <= 3


@pytest.mark.parametrize("wrong", [{"error": 0.0}, {"error": 1.0}, {"confidence": 90}, {"confidence": float("nan")}])
def test_a_promise_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.* over 0 and under 1"):
        calibrate(populations.rows(60), **wrong)
