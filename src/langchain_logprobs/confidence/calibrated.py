"""Calibrated probabilities and thresholds in a program: reads what `langchain-logprobs calibrate` wrote.

Nothing here needs the extra `[calibrate]`: a map is a list of points with straight lines between them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from langchain_logprobs.confidence.report import ConfidenceReport

FORMAT = "langchain-logprobs calibration"
VERSION = 1

_INDEX = re.compile(r"/\d+(?=/|$)")
_MOST_WARNINGS = 10


class CalibrationWarning(UserWarning):
    """A calibration is asked for a model or a prompt that it was not made for; given once for each of them."""


class CalibrationFileError(ValueError):
    """A file holds no calibration; the message names the file, what is wrong and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What was learned of one field of one model's answers to one prompt.

    Attributes:
        model: The model.
        prompt: What the prompt is called; None where the labels do not say.
        path: JSON Pointer of the field; `*` stands for any index of an array; "" for the answer as a whole.
        labels: How many labelled values it was learned from.
        wrong: How many of them are wrong.
        points: The map: scores, ascending, each with the probability of being right; empty where none is given.
        method: `isotonic` or `platt`; None where no map is given.
        threshold: The score from which a value may be accepted; None where no threshold keeps the promise.
        accepted: The share of the labelled values at or above it; None without a threshold.
        reasons: Why there is no map, or no threshold; empty where there are both.
    """

    model: str
    prompt: str | None
    path: str
    labels: int
    wrong: int
    points: tuple[tuple[float, float], ...] = ()
    method: str | None = None
    threshold: float | None = None
    accepted: float | None = None
    reasons: tuple[str, ...] = ()

    def probability(self, score: float) -> float | None:
        """Return the probability that a value with this score is right; None where no map is given."""
        if not self.points or not math.isfinite(score):
            return None
        place = bisect_right(self.points, score, key=lambda point: point[0])
        if place == 0:
            return self.points[0][1]
        if place == len(self.points):
            return self.points[-1][1]
        (low, from_), (high, to) = self.points[place - 1], self.points[place]
        return from_ + (to - from_) * (score - low) / (high - low)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Calibration:
    """Calibrated maps and thresholds for each model, prompt and field that was labelled.

    Nothing is carried over: of another model, another prompt or another field nothing is known, and the answer is None.

    Attributes:
        groups: What was learned of each field.
        error: The promise: at most this share of what is accepted is wrong ...
        confidence: ... with this confidence, if new answers are like the labelled ones.

    Example:
        >>> email = Calibrated(
        ...     model="small", prompt=None, path="/email", labels=120, wrong=40,
        ...     points=((0.2, 0.1), (1.0, 0.9)), method="isotonic", threshold=0.93, accepted=0.4)
        >>> calibration = Calibration((email,), error=0.1, confidence=0.9)
        >>> round(calibration.probability(0.6, model="small", path="/email"), 3)
        0.5
        >>> calibration.threshold(model="small", path="/email")
        0.93
        >>> calibration.fits(model="small", path="/phone")
        False
    """

    groups: tuple[Calibrated, ...]
    error: float
    confidence: float
    _by_key: dict[tuple[str, str | None, str], Calibrated] = field(init=False)
    _warned: set[tuple[str, str | None]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Index the groups."""
        object.__setattr__(self, "_by_key", {(each.model, each.prompt, each.path): each for each in self.groups})

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a calibration that `langchain-logprobs calibrate` or `save` wrote.

        Raises:
            OSError: The file cannot be read.
            CalibrationFileError: It holds no calibration that this version can read.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise CalibrationFileError(
                f"{path} holds no calibration: {error}. Make one with `langchain-logprobs calibrate`"
            ) from error

    def save(self, path: str | Path) -> None:
        """Write it as JSON, one group a line; the same calibration always gives the same bytes."""
        head = json.dumps({**self.to_dict(), "groups": None}, ensure_ascii=False).removesuffix("null}")
        groups = ",\n".join(json.dumps(_plain(each), ensure_ascii=False) for each in self.groups)
        Path(path).write_text(f"{head}[\n{groups}\n]}}\n", encoding="utf-8")

    @classmethod
    def from_dict(cls, data: Any) -> Calibration:
        """Return the calibration in what `json.loads` gave.

        Raises:
            ValueError: It is none; the message says why.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise ValueError(f'"format" is not {FORMAT!r}')
        if data.get("version") != VERSION:
            raise ValueError(f"its version is {data.get('version')!r} and this package reads version {VERSION}")
        try:
            groups = tuple(_group(each) for each in data["groups"])
            error, confidence = (_share(data["promise"][name]) for name in ("error", "confidence"))
        except (KeyError, TypeError, AttributeError) as fault:
            raise ValueError(f"a part is missing or of the wrong kind ({type(fault).__name__}: {fault})") from fault
        return cls(groups, error, confidence)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "promise": {"error": self.error, "confidence": self.confidence},
            "groups": [_plain(each) for each in self.groups],
        }

    @property
    def name(self) -> str:
        """A name made of its contents, so that a trace says which calibration its numbers come from."""
        contents = [self.error, self.confidence, [_plain(each) for each in self.groups]]
        return "calibration-" + hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:8]

    def fits(self, *, model: str, path: str = "", prompt: str | None = None) -> bool:
        """Tell whether there is a map or a threshold for this field of this model's answers to this prompt."""
        found = self.group(model=model, path=path, prompt=prompt)
        return found is not None and (bool(found.points) or found.threshold is not None)

    def probability(self, score: float, *, model: str, path: str = "", prompt: str | None = None) -> float | None:
        """Return the probability that a value is right.

        Args:
            score: Its confidence as the report or the span has it (`Field.confidence`, or the report's `score`).
            model: The model that answered, as in the labels.
            path: JSON Pointer of the field; "" for the answer as a whole.
            prompt: What the prompt is called in the labels; None where they do not say.

        Returns:
            It, from 0 to 1; None where no map is given. Then nothing is known: take it for unsure.
        """
        found = self.group(model=model, path=path, prompt=prompt)
        return None if found is None else found.probability(score)

    def threshold(self, *, model: str, path: str = "", prompt: str | None = None) -> float | None:
        """Return the score from which a value may be accepted so that the promise is kept; arguments as `probability`.

        Returns:
            It. None where no threshold keeps the promise, or nothing is known: accept nothing then.
        """
        found = self.group(model=model, path=path, prompt=prompt)
        return None if found is None else found.threshold

    def group(self, *, model: str, path: str = "", prompt: str | None = None) -> Calibrated | None:
        """Return what was learned of a field, also where it is that nothing can be promised; None where not labelled.

        A model or prompt that was not labelled at all gives a `CalibrationWarning`, once.
        """
        found = self._by_key.get((model, prompt, path))
        if found is None:
            found = self._by_key.get((model, prompt, _INDEX.sub("/*", path)))
        if found is None and not any((each.model, each.prompt) == (model, prompt) for each in self.groups):
            self._warn(model, prompt)
        return found

    def _warn(self, model: str, prompt: str | None) -> None:
        if (model, prompt) in self._warned or len(self._warned) >= _MOST_WARNINGS:
            return
        self._warned.add((model, prompt))
        known = sorted({_named(each.model, each.prompt) for each in self.groups})
        warnings.warn(
            f"{self.name} was made for {', '.join(known) or 'nothing'}, not for {_named(model, prompt)}: it gives no "
            "probability and no threshold for it. Label answers of it and calibrate again",
            CalibrationWarning,
            stacklevel=4,
        )

    def __repr__(self) -> str:
        """Show its name and what it is of."""
        return f"<Calibration {self.name}: {len(self.groups)} groups, error {self.error}, confidence {self.confidence}>"


def calibrated(
    report: ConfidenceReport, calibration: Calibration, *, model: str, prompt: str | None = None
) -> float | None:
    """Return the calibrated probability that an answer is right.

    Args:
        report: The report on the answer.
        calibration: The maps.
        model: The model that answered, as in the labels.
        prompt: What the prompt is called in the labels; None where they do not say.

    Returns:
        Where answers were labelled as a whole, by the map for these. Else the least probability of its values: at most
        so probable is it that all are right. None where a value has no map or no confidence.
    """
    score = score_at(report, "")
    whole = None if score is None else calibration.probability(score, model=model, prompt=prompt)
    if whole is not None:
        return whole
    values = [leaf for leaf in report.leaves() if leaf.field.token_count]
    found = calibrated_fields(report, calibration, model=model, prompt=prompt)
    return min(found.values()) if values and all(leaf.path in found for leaf in values) else None


def calibrated_fields(
    report: ConfidenceReport, calibration: Calibration, *, model: str, prompt: str | None = None
) -> dict[str, float]:
    """Return the calibrated probability of each value of an answer that has a map, by its path."""
    found = {}
    for leaf in report.leaves():
        score = leaf.field.confidence
        if score is None:
            continue
        probability = calibration.probability(score, model=model, path=leaf.path, prompt=prompt)
        if probability is not None:
            found[leaf.path] = probability
    return found


def score_at(report: ConfidenceReport, path: str) -> float | None:
    """Return the number that is calibrated for a path: the confidence of the value there.

    For "", the answer as a whole, its score; of an answer that is one word of a closed list that word's confidence.

    Returns:
        It; None where there is no such value, or a token without an honest logprob is among its tokens.
    """
    for leaf in report.leaves():
        if leaf.path == path:
            return leaf.field.confidence
    return None if path or report.measures.censored_count else report.score


def _group(data: Mapping[str, Any]) -> Calibrated:
    points = tuple((_share(score), _share(probability)) for score, probability in data["points"])
    if any(high <= low or to < from_ for (low, from_), (high, to) in pairwise(points)):
        raise ValueError(f"the map of {data['path']!r} does not ascend")
    prompt, threshold, accepted = data["prompt"], data["threshold"], data["accepted"]
    return Calibrated(
        model=_text(data["model"]),
        prompt=None if prompt is None else _text(prompt),
        path=_text(data["path"]),
        labels=int(data["labels"]),
        wrong=int(data["wrong"]),
        points=points,
        method=data["method"],
        threshold=None if threshold is None else _share(threshold),
        accepted=None if accepted is None else _share(accepted),
        reasons=tuple(_texts(data["reasons"])),
    )


def _plain(group: Calibrated) -> dict[str, Any]:
    return {name: getattr(group, name) for name in Calibrated.__slots__}


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is no number from 0 to 1")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _texts(values: Iterable[Any]) -> list[str]:
    return [_text(value) for value in values]


def _named(model: str, prompt: str | None) -> str:
    return f"model {model!r}" + ("" if prompt is None else f" with prompt {prompt!r}")
