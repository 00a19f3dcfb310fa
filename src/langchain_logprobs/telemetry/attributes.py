"""A report to span attributes: small functions that yield (name, value) pairs. Knows no spans."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langchain_logprobs.confidence.measures import Measures
from langchain_logprobs.confidence.report import ChoiceReport, ConfidenceReport, Leaf, certainty
from langchain_logprobs.formats.tokens import FlatAlternatives, Tokens
from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.roll_up import RollUp

Pair = tuple[str, Any]

MAX_STRING = 500
"""Code points of a single string (a token, a path, a stretch): a model can write a word of a megabyte."""


def status(report: ConfidenceReport) -> Iterator[Pair]:
    """Yield whether there are logprobs, and where they were read."""
    yield names.STATUS, report.status
    yield names.STATUS_REASON, report.reason
    yield names.SOURCE, report.source
    yield names.CACHED, report.cached or None


def summary(report: ConfidenceReport) -> Iterator[Pair]:
    """Yield the measures of all choices together."""
    if not report.has_tokens:
        return
    total = report.measures
    parts = report.choices[0].parts
    yield names.ALIGNMENT, str(report.alignment)
    yield from _measures(total)
    yield names.OUTSIDE_COUNT, report.outside_count or None
    yield names.OUTSIDE_RANGES, ranges(parts.outside)
    yield names.TOOL_CALL_RANGES, ranges(parts.tool_call)
    yield names.LEVEL, report.level
    yield names.BASIS, report.basis
    if report.weakest is not None:
        yield from _weakest(report)
    yield names.LOW_RATIO, total.low_ratio
    yield names.LOW_COUNT, total.low_count
    yield names.STRETCH_COUNT, report.stretch_count
    yield names.DETECTED, report.detected
    yield names.ENTROPY_MEAN, total.entropy_mean
    yield names.ENTROPY_MAX, total.entropy_max
    yield names.ENTROPY_TOP_K, total.top_k
    yield names.COVERED_MASS, total.covered_mass_mean
    yield names.MARGIN_MEAN, total.margin_mean
    yield names.OFF_TOP1_RATIO, total.off_top1_ratio


def _weakest(report: ConfidenceReport) -> Iterator[Pair]:
    weakest = report.weakest
    assert weakest is not None
    yield names.MIN_PROBABILITY, weakest.probability
    yield names.MIN_CENSORED, weakest.censored or None
    yield names.MIN_INDEX, weakest.position if weakest.choice == 0 else None
    yield names.MIN_TOKEN, weakest.token[:MAX_STRING]


def reasoning(report: ConfidenceReport) -> Iterator[Pair]:
    """Yield the measures of a reasoning text, which are never mixed into the answer's."""
    if report.reasoning is not None:
        yield names.REASONING_COUNT, report.reasoning.scored_count
        yield names.REASONING_MEAN, report.reasoning.mean_logprob
        yield names.REASONING_CONFIDENCE, report.reasoning.confidence
        yield names.REASONING_RANGES, ranges(report.choices[0].parts.reasoning)


def fields(report: ConfidenceReport, limit: int) -> Iterator[Pair]:
    """Yield the values of a structured answer as parallel arrays: the least certain ones where there are too many."""
    yield names.FIELD_STATUS, field_status(report)
    leaves = list(report.leaves())
    kept = least_certain([leaf for leaf in leaves if leaf.field.token_count], limit)
    if not kept:
        return
    censored = [index for index, leaf in enumerate(kept) if leaf.field.confidence is None]
    confidences = [confidence_or_bound(leaf) for leaf in kept]
    least = min(range(len(kept)), key=lambda index: certainty(kept[index]))
    paths = [leaf.path[:MAX_STRING] for leaf in kept]
    yield names.FIELD_COUNT, len(leaves)
    yield names.FIELD_PATHS, paths
    yield names.FIELD_CONFIDENCES, confidences
    yield names.FIELD_CENSORED, censored or None
    yield names.FIELD_MIN_CONFIDENCE, confidences[least]
    yield names.FIELD_MIN_PATH, paths[least]
    yield names.FIELD_MIN_PROBABILITIES, [_or(leaf.field.min_probability, confidence_or_bound(leaf)) for leaf in kept]
    yield names.FIELD_MIN_INDEXES, [_or(leaf.field.min_index, leaf.field.token_start or 0) for leaf in kept]
    others = [leaf.field.runner_up for leaf in kept]
    if any(others):
        texts = ["" if each is None else json.dumps(each.value, ensure_ascii=False)[:MAX_STRING] for each in others]
        yield names.FIELD_RUNNERS_UP, texts
        yield names.FIELD_RUNNER_UP_PROBABILITIES, [0.0 if each is None else each.probability for each in others]


def field_status(report: ConfidenceReport) -> str | None:
    """Return what became of the search for fields; None where the answer is not structured."""
    if report.tool_calls:
        found = (str(call.fields.status) for call in report.tool_calls)
        return next((each for each in found if each != "ok"), "ok")
    return None if report.fields is None else str(report.fields.status)


def least_certain(leaves: Sequence[Leaf], count: int) -> list[Leaf]:
    """Keep the values with the lowest confidence, in the order of the document."""
    if len(leaves) <= count:
        return list(leaves)
    kept = sorted(range(len(leaves)), key=lambda index: certainty(leaves[index]))[:count]
    return [leaves[index] for index in sorted(kept)]


def confidence_or_bound(leaf: Leaf) -> float:
    """Return a value's confidence; of one with a censored token the most that it can be."""
    bound: float = _or(leaf.field.confidence, _or(leaf.field.confidence_bound, 1.0))
    return bound


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value


def choice(index: int, choice: ChoiceReport) -> Iterator[Pair]:
    """Yield the measures of one of several choices."""
    measures = choice.measures
    yield names.CHOICE_INDEX, index
    yield from _measures(measures)
    yield names.MIN_PROBABILITY, measures.min_probability
    yield names.MIN_INDEX, measures.min_index
    if measures.min_index is not None:
        yield names.MIN_TOKEN, choice.tokens[measures.min_index].token[:MAX_STRING]


def _measures(measures: Measures) -> Iterator[Pair]:
    yield names.TOKEN_COUNT, measures.scored_count
    yield names.CENSORED_COUNT, measures.censored_count
    yield names.MEAN, measures.mean_logprob
    yield names.SUM, measures.sum_logprob
    yield names.PERPLEXITY, measures.perplexity
    yield names.CONFIDENCE, measures.confidence


def ranges(positions: Sequence[int]) -> list[int] | None:
    """Return ascending positions as ranges: first, behind the last, first, ...; None where there are none."""
    found: list[int] = []
    for position in positions:
        if found and found[-1] == position:
            found[-1] = position + 1
        else:
            found += (position, position + 1)
    return found or None


def values(logprobs: Sequence[float], floor: float) -> list[float]:
    """Return logprobs as they are recorded: where there is no honest one (NaN), the floor."""
    return [logprob if logprob == logprob else floor for logprob in logprobs]


def contested_first(report: ConfidenceReport, below: float) -> Iterator[int]:
    """Yield the positions whose alternatives matter, the most important first, each once.

    First the tokens that something else was more probable than or came closest to, and the censored ones before all;
    then the weakest token of each field; then the rest, the least probable first. Above one half a token is the closer
    to another one the less probable it is, at the most.

    Args:
        report: The report.
        below: Tokens with a smaller probability matter.
    """
    tokens = report.tokens
    half = math.log(min(below, 0.5))
    logprobs = tokens.logprobs
    weak = _margins(tokens, weak_tokens(tokens, half))
    leaves = sorted(report.leaves(), key=certainty)
    first = [index for _, index in sorted(weak)]
    first += [leaf.field.min_index for leaf in leaves if leaf.field.min_index is not None]
    yield from dict.fromkeys(first)
    threshold = math.inf if below == math.inf else math.log(below)
    known = set(first)
    rest = [(each, index) for index, each in enumerate(logprobs) if half <= each < threshold]
    yield from (index for _, index in sorted(rest) if index not in known)


def weak_tokens(tokens: Tokens, bound: float) -> Iterator[int]:
    """Yield the positions of the tokens with a logprob under a bound (nats), and of the censored ones."""
    return (index for index, logprob in enumerate(tokens.logprobs) if not logprob >= bound)  # as NaN is not


def _margins(tokens: Tokens, positions: Iterable[int]) -> list[tuple[float, int]]:
    """Return how much more probable each token was than the best other one, negative where it was not the best."""
    others, stops, exp = tokens.alternatives.logprobs, tokens.stops, math.exp
    margins = []
    for position in positions:
        logprob = tokens.logprobs[position]
        if logprob != logprob:
            margins.append((-math.inf, position))
            continue
        ranked = others[stops[position - 1] if position else 0 : stops[position]]
        if tokens.alternatives.censored:
            ranked = [other for other in ranked if other == other]
        ranked.sort(reverse=True)
        if ranked and ranked[0] == logprob:  # the token itself
            del ranked[0]
        margins.append((exp(logprob) - (exp(ranked[0]) if ranked else 0.0), position))
    return margins


def alternatives(flat: FlatAlternatives, floor: float) -> dict[str, Any]:
    """Return alternatives as three parallel arrays; nothing where there are none."""
    if not flat.positions:
        return {}
    return {
        names.ALTERNATIVE_POSITIONS: flat.positions,
        names.ALTERNATIVE_VALUES: values(flat.logprobs, floor),
        names.ALTERNATIVE_TOKENS: flat.tokens,
    }


def roll_up(total: RollUp) -> Iterator[Pair]:
    """Yield what an ancestor says of the model calls below it."""
    yield names.DISCARDED_COUNT, total.discarded or None
    if not total.calls:
        return
    yield names.CALL_COUNT, total.calls
    yield names.TOKEN_COUNT, total.token_count
    yield names.MEAN, total.mean_logprob
    yield names.CONFIDENCE, total.confidence
    yield names.LEVEL, total.verdict.level
    yield names.BASIS, total.verdict.basis
    yield names.DETECTED, total.detected
    yield names.WORST_SPAN_ID, total.worst_span_id
    yield names.WORST_CONFIDENCE, total.verdict.score
    if total.weakest is not None:
        yield names.MIN_PROBABILITY, total.weakest.probability
        yield names.MIN_CENSORED, total.weakest.censored or None
        yield names.MIN_SPAN_ID, total.weakest_span_id
        yield names.MIN_TOKEN, total.weakest.token[:MAX_STRING]
    if total.least is not None:
        yield names.FIELD_MIN_CONFIDENCE, confidence_or_bound(total.least)
        yield names.FIELD_MIN_PATH, total.least.path[:MAX_STRING]


def present(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return the pairs whose value could be computed."""
    return {name: value for name, value in pairs if value is not None}
