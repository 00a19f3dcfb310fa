"""Two sources of traces side by side: models, prompts or days. The statistics are scipy's."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_logprobs.tables.comparison import Comparison, Difference
from langchain_logprobs.tables.intervals import interval_of, mean_of, of_each, scipy_stats
from langchain_logprobs.tables.make import spans_in
from langchain_logprobs.tables.pairing import Keyed, pair
from langchain_logprobs.tables.rows import Called, calls_in, rows_of
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import number
from langchain_logprobs.view.model import SpanData

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_INDEX = re.compile(r"/\d+(?=/|$)")
_MOST_PATHS = 200


@dataclass(slots=True)
class _Side:
    """What a side says at one path for one input.

    Attributes:
        numbers: The confidences.
        unknown: Values without one.
        values: The values, as kind and text.
    """

    numbers: list[float] = field(default_factory=list)
    unknown: int = 0
    values: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        return math.fsum(self.numbers) / len(self.numbers) if self.numbers else None


def compare(
    a: str | Path | Iterable[SpanData | ReadableSpan],
    b: str | Path | Iterable[SpanData | ReadableSpan],
    *,
    by: str | None = None,
    pairs: bool = True,
    confidence: float = 0.95,
    labels: tuple[str, str] | None = None,
) -> Comparison:
    """Compare the confidences of two sources of traces: the score of the answers, and each of their values.

    Where the same inputs were asked on both sides, each input's difference counts, which finds far smaller changes;
    several calls for one input are averaged first. Where nothing pairs, the two are compared as crowds: that tells a
    drift, and not whether the model or the inputs changed. The intervals of the means are resampled (BCa), and so wide
    that all of them together hold with `confidence`. What has no confidence is counted and is in no mean.

    Args:
        a: As `table` takes a source.
        b: The other.
        by: The span attribute that tells an input, such as a document's number; of the call or of a span above it.
            None: the request's messages, the user's last one or the conversation, whichever pairs most.
        pairs: False to compare them as crowds even where inputs pair.
        confidence: Over 0 and under 1.
        labels: What the two are called; by default the files' names, else `A` and `B`.

    Returns:
        The comparison.

    Raises:
        ValueError: `confidence` is no such number; no call of a side has logprobs; `by` pairs nothing.
        ImportError: scipy is not installed; the extra `[compare]` brings it.
        SourceError: A source cannot be read; the message says why, and what to do instead.
        OSError: A file cannot be read.

    Example:
        >>> from langchain_logprobs.view.model import SpanData
        >>> def call(number: int, score: float) -> SpanData:
        ...     attributes = {"logprobs.status": "recorded", "logprobs.confidence.score": score, "document": number}
        ...     return SpanData("ab" * 16, f"{number:016x}", None, "chat m", 1, 2, attributes)
        >>> scores = [0.5, 0.6, 0.7, 0.8, 0.9, 0.55, 0.65, 0.75]
        >>> before = [call(number, score) for number, score in enumerate(scores)]
        >>> after = [call(number, score + 0.05) for number, score in enumerate(scores)]
        >>> [score] = compare(before, after, by="document").differences
        >>> score.count_a, round(score.difference, 3), score.changed
        (8, 0.05, True)
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence={confidence!r} is not over 0 and under 1 (0.95 for 95 in a hundred)")
    name_a, name_b = labels or (_label(a, "A"), _label(b, "B"))
    calls_a, calls_b = _calls(a, name_a), _calls(b, name_b)
    return _compare((name_a, calls_a), (name_b, calls_b), by, pairs, confidence)


def _compare(
    a: tuple[str, list[Called]], b: tuple[str, list[Called]], by: str | None, pairs: bool, confidence: float
) -> Comparison:
    (name_a, calls_a), (name_b, calls_b) = a, b
    pairing = pair(calls_a, calls_b, by) if pairs else None
    if pairs and by is not None and pairing is None:
        raise ValueError(f"no value of {by} is on both sides: neither of the calls nor of the spans above them")
    keys = [] if pairing is None else pairing.keys
    if pairing is None:
        differences = _crowds(calls_a, calls_b, confidence)
    else:
        differences = _paired(pairing.a, pairing.b, keys, confidence)
    return Comparison(
        a=name_a,
        b=name_b,
        paired_by=None if pairing is None else pairing.by,
        pairs=len(keys),
        only_a=0 if pairing is None else len(pairing.a) - len(keys),
        only_b=0 if pairing is None else len(pairing.b) - len(keys),
        calls_a=len(calls_a),
        calls_b=len(calls_b),
        levels_a=_levels(calls_a),
        levels_b=_levels(calls_b),
        confidence=confidence,
        differences=tuple(differences),
    )


def _label(source: Any, otherwise: str) -> str:
    return Path(source).name if isinstance(source, str | Path) else otherwise


def _calls(source: str | Path | Iterable[SpanData | ReadableSpan], name: str) -> list[Called]:
    calls = list(calls_in(spans_in(source)))
    if not any(called.node.confidence is not None for called in calls):
        raise ValueError(f"{name}: none of its {len(calls):,} model calls has logprobs, so nothing can be compared")
    return calls


def _levels(calls: Sequence[Called]) -> dict[str, int]:
    return dict(Counter(called.node.level or "unknown" for called in calls))


def _sides(calls: Iterable[Called]) -> dict[str, _Side]:
    """Return what some calls say, by path; "" is the score of the answers as a whole."""
    found: dict[str, _Side] = defaultdict(_Side)
    for called in calls:
        score = number(called.attributes, names.CONFIDENCE)
        whole = found[""]
        if score is None or number(called.attributes, names.CENSORED_COUNT):
            whole.unknown += 1
        else:
            whole.numbers.append(score)
        for row in rows_of(called, "fields"):
            side = found[_INDEX.sub("/*", row["path"]) or "/"]
            side.values.append((row["kind"], row["value"]))
            if row["confidence"] is None:
                side.unknown += 1
            else:
                side.numbers.append(row["confidence"])
    return found


def _paired(a: Keyed, b: Keyed, keys: Sequence[str], confidence: float) -> list[Difference]:
    sides = [(_sides(a[key]), _sides(b[key])) for key in keys]
    paths = _paths(each for both in sides for each in both)
    none = _Side()
    differences = []
    for path in paths:
        both = [(one.get(path, none), other.get(path, none)) for one, other in sides]
        known = [
            (mean_a, mean_b)
            for one, other in both
            if (mean_a := one.mean) is not None and (mean_b := other.mean) is not None
        ]
        changes = [round(mean_b - mean_a, 12) for mean_a, mean_b in known]  # .1 + .2 is no change of .3
        low, high = interval_of([changes], of_each(confidence, len(paths)))
        single = [(one.values[0], other.values[0]) for one, other in both if len(one.values) == len(other.values) == 1]
        recorded = [each for each in single if None not in (each[0][0], each[1][0])]
        differences.append(
            Difference(
                path=path,
                count_a=len(known),
                count_b=len(known),
                unknown_a=sum(one.unknown for one, _ in both),
                unknown_b=sum(other.unknown for _, other in both),
                mean_a=mean_of([mean_a for mean_a, _ in known]),
                mean_b=mean_of([mean_b for _, mean_b in known]),
                difference=mean_of(changes),
                low=low,
                high=high,
                same=mean_of([float(one == other) for one, other in recorded]),
            )
        )
    return differences


def _crowds(calls_a: Sequence[Called], calls_b: Sequence[Called], confidence: float) -> list[Difference]:
    stats = scipy_stats()
    sides = _sides(calls_a), _sides(calls_b)
    paths, none = _paths(sides), _Side()
    differences = []
    for path in paths:
        one, other = (side.get(path, none) for side in sides)
        both = one.mean is not None and other.mean is not None
        low, high = interval_of([one.numbers, other.numbers], of_each(confidence, len(paths)))
        distance = None if low is None else stats.ks_2samp(one.numbers, other.numbers)
        differences.append(
            Difference(
                path=path,
                count_a=len(one.numbers),
                count_b=len(other.numbers),
                unknown_a=one.unknown,
                unknown_b=other.unknown,
                mean_a=one.mean,
                mean_b=other.mean,
                difference=other.mean - one.mean if both else None,  # type: ignore[operator]
                low=low,
                high=high,
                distance=None if distance is None else float(distance.statistic),
                p_value=None if distance is None else float(distance.pvalue),
            )
        )
    tested = [place for place, each in enumerate(differences) if each.p_value is not None]
    if tested:
        corrected = stats.false_discovery_control([differences[place].p_value for place in tested])
        for place, value in zip(tested, corrected, strict=True):
            differences[place] = replace(differences[place], p_value=float(value))
    return differences


def _paths(sides: Iterable[dict[str, _Side]]) -> list[str]:
    """Return the paths of all sides, in the order in which they come, as far as a table can have them."""
    return list(dict.fromkeys(path for side in sides for path in side))[:_MOST_PATHS]
