"""`calibrate`: labelled rows to maps and thresholds, each only where the labels carry it. Needs the extra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from langchain_logprobs.calibration.figures import Area, Bools, Floats, area, brier, calibration_error
from langchain_logprobs.calibration.promise import Step, walk
from langchain_logprobs.calibration.rows import Row, check
from langchain_logprobs.confidence.calibrated import Calibrated, Calibration

LEAST_LABELS = 50
LEAST_OF_A_KIND = 10
FEW_LABELS = 200
FOLDS = 5
PARTITIONS = 5

_NEAREST = 1e-6
_KNOTS = 65


class Quality(NamedTuple):
    """How good the probabilities are, on rows that they were not learned from.

    Attributes:
        calibration_error: The expected calibration error over ten bins (ECE).
        brier: The Brier score.
    """

    calibration_error: float
    brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """What was found of one group: a field of one model's answers to one prompt.

    Attributes:
        result: What goes into the calibration.
        scores: The score of each labelled value.
        right: Whether it is right.
        held_out: The probability of each by a map that was learned without it, for each partition of the rows into
            such as are learned from and such as are held out; empty where no map was tried.
        area: The AUROC and its interval; None where all are right or all wrong.
        before: The quality of the scores themselves.
        after: That of `held_out`, the mean over the partitions; None where no map was tried.
        steps: The thresholds that were tested, in their order; empty where none was.
    """

    result: Calibrated
    scores: Floats
    right: Bools
    held_out: tuple[Floats, ...]
    area: Area | None
    before: Quality
    after: Quality | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What `calibrate` found: the calibration, and the figures it stands on.

    Attributes:
        calibration: What a program loads.
        groups: The figures of each of its groups, in the same order.
    """

    calibration: Calibration
    groups: tuple[GroupReport, ...]


class _Map(Protocol):
    def __call__(self, scores: Floats, /) -> Floats: ...


def calibrate(
    rows: Sequence[Row],
    *,
    error: float = 0.1,
    confidence: float = 0.9,
    least_labels: int = LEAST_LABELS,
    least_of_a_kind: int = LEAST_OF_A_KIND,
) -> CalibrationReport:
    """Learn maps and thresholds from labelled rows, for each model, prompt and field by itself.

    Args:
        rows: The labelled rows.
        error: The promise: at most this share of the accepted values is wrong, over 0 and under 1 ...
        confidence: ... with this confidence, over 0 and under 1, if new values are like the labelled ones.
        least_labels: A group with fewer labels is refused.
        least_of_a_kind: A group with fewer wrong ones, or fewer right ones, is refused.

    Returns:
        The calibration, and a report. A group of which nothing can be promised is in it, and says why.

    Raises:
        RowsError: A row is wrong, or comes twice, or nothing is wrong with any of the values.
        ValueError: `error` or `confidence` is out of its range.

    Example:
        >>> rows = [Row("small", None, "/email", str(n), n / 200, n % 200 > 90 + n % 7) for n in range(200)]
        >>> found = calibrate(rows, error=0.2)
        >>> found.calibration.fits(model="small", path="/email")
        True
    """
    for name, value in (("error", error), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name}={value!r} is not over 0 and under 1")
    check(rows)
    by_key: dict[tuple[str, str | None, str], list[Row]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    ordered = sorted(by_key.values(), key=lambda group: (group[0].model, group[0].prompt or "", group[0].path))
    with threadpool_limits(1):  # fits of some hundred rows: more threads only wait for each other, ten times as long
        reports = tuple(
            _group_report(group, error, confidence, _too_few(group, least_labels, least_of_a_kind)) for group in ordered
        )
    return CalibrationReport(Calibration(tuple(each.result for each in reports), error, confidence), reports)


def _group_report(rows: Sequence[Row], error: float, confidence: float, too_few: str | None) -> GroupReport:
    scores = np.array([row.score for row in rows], dtype=float)
    right = np.array([row.right for row in rows], dtype=bool)
    found, before = area(scores, right), _quality(scores, right)
    reasons: list[str] = [too_few] if too_few else []
    if found is not None and not reasons and found.low <= 0.5:
        reasons.append(
            f"The score does not tell right from wrong here: AUROC {found.value:.2f}, "
            f"and {found.low:.2f} to {found.high:.2f} is believable."
        )
    model, prompt, path = rows[0].key
    result: dict[str, Any] = {"model": model, "prompt": prompt, "path": path}
    result |= {"labels": len(rows), "wrong": int((~right).sum())}
    held_out: tuple[Floats, ...] = ()
    after, steps = None, list[Step]()
    if not reasons:
        held_out = tuple(cross_fitted(scores, right, seed) for seed in range(PARTITIONS))
        tries = [_quality(each, right) for each in held_out]
        after = Quality(*(float(value) for value in np.mean(tries, axis=0)))
        if all(new < old for each in tries for new, old in zip(each, before, strict=True)):
            method, learned = _learned(scores, right)
            result |= {"method": method, "points": _points(learned, method, scores)}
        else:
            reasons.append(_no_gain(before, tries))
        steps = walk(scores, right, error=error, confidence=confidence)
        kept = [step for step in steps if step.passed]
        if kept:
            result |= {"threshold": kept[-1].threshold, "accepted": kept[-1].accepted / len(rows)}
        else:
            reasons.append(_no_threshold(steps, error, confidence))
    return GroupReport(
        result=Calibrated(**result, reasons=tuple(reasons)),
        scores=scores,
        right=right,
        held_out=held_out,
        area=found,
        before=before,
        after=after,
        steps=tuple(steps),
    )


def _too_few(rows: Sequence[Row], least_labels: int, least_of_a_kind: int) -> str | None:
    if len(rows) < least_labels:
        return f"Too few labels: {len(rows)}, and at least {least_labels} are needed."
    for word, count in (("wrong", sum(not row.right for row in rows)), ("right", sum(row.right for row in rows))):
        if count < least_of_a_kind:
            return (
                f"Too few to learn from: {count} of {len(rows)} {'is' if count == 1 else 'are'} {word}, and at least "
                f"{least_of_a_kind} are needed."
            )
    return None


def _no_gain(before: Quality, tries: Sequence[Quality]) -> str:
    helped = sum(all(new < old for new, old in zip(each, before, strict=True)) for each in tries)
    return (
        "No map: on rows that it was not learned from it comes nearer to the truth than the score itself in "
        f"{helped or 'none'} of {len(tries)} partitions of the rows, by the calibration error and the Brier score."
    )


def _no_threshold(steps: Sequence[Step], error: float, confidence: float) -> str:
    promise = f"at most {percent(error)} of the accepted wrong, with {percent(confidence)} confidence"
    if not steps:
        return f"No threshold: there are too few labels to show {promise}, even if none were wrong."
    first = steps[0]
    return (
        f"No threshold keeps the promise ({promise}): of the {first.accepted} with the highest scores {first.wrong} "
        f"{'is' if first.wrong == 1 else 'are'} wrong, so that up to {percent(first.bound)} could be."
    )


def percent(share: float) -> str:
    """Return a share as people read it: 10 %, 2.5 %, never 0 % or 100 % for what is only near."""
    number = round(100 * share, 1 if share < 0.1 or share > 0.95 else 0)
    if number in (0, 100) and share not in (0, 1):
        return "under 0.1 %" if number == 0 else "over 99.9 %"
    return f"{number:g} %"


def _quality(probabilities: Floats, right: Bools) -> Quality:
    return Quality(calibration_error(probabilities, right), brier(probabilities, right))


def cross_fitted(scores: Floats, right: Bools, seed: int) -> Floats:
    """Give each value the probability of a map that was learned from the other four fifths of them.

    Args:
        scores: The scores.
        right: Whether each value is right; at least two of each kind.
        seed: Which partition of the values it is.

    Returns:
        The probabilities, by the method that the whole would be learned with.
    """
    folds = min(FOLDS, int(right.sum()), int((~right).sum()))
    held_out = np.empty(len(scores))
    for learn, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(scores, right):
        held_out[test] = _learned(scores[learn], right[learn], of=len(scores))[1](scores[test])
    return held_out


def _learned(scores: Floats, right: Bools, of: int | None = None) -> tuple[str, _Map]:
    """Learn a map: isotonic where there are labels enough for a free form, else Platt's curve of two parameters.

    Neither says 0 or 1: of so few labels nothing is that certain.
    """
    least = 1 / (len(scores) + 2)
    if (len(scores) if of is None else of) >= FEW_LABELS:
        steps = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(scores, right)
        return "isotonic", lambda new: np.asarray(steps.predict(new), dtype=float)
    curve = LogisticRegression(solver="newton-cholesky").fit(_logit(scores)[:, None], right)
    if curve.coef_[0, 0] <= 0:  # the higher, the less right: no use as a map
        share = float(right.mean())
        return "platt", lambda new: np.full(len(new), share)
    return "platt", lambda new: np.clip(curve.predict_proba(_logit(new)[:, None])[:, 1], least, 1 - least)


def _logit(scores: Floats) -> Floats:
    near = np.clip(scores, _NEAREST, 1 - _NEAREST)
    return np.asarray(np.log(near) - np.log1p(-near), dtype=float)


def _points(learned: _Map, method: str, scores: Floats) -> tuple[tuple[float, float], ...]:
    """Return points of the map with straight lines between them: all corners, or enough of a curve."""
    if method == "isotonic":
        at = np.unique(scores)
    else:
        knots = np.linspace(_logit(np.zeros(1))[0], _logit(np.ones(1))[0], _KNOTS)
        at = np.unique(np.concatenate([1 / (1 + np.exp(-knots)), np.linspace(0, 1, _KNOTS)]))
    values = np.round(learned(at), 6)
    flat = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    kept = np.concatenate([[True], ~flat, [True]]) if len(at) > 2 else np.ones(len(at), dtype=bool)
    return tuple((float(score), float(value)) for score, value in zip(at[kept], values[kept], strict=True))
