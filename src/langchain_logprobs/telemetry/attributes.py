"""Findings to span attributes: small functions that yield (name, value) pairs. Knows no spans."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from langchain_logprobs.confidence.findings import Findings, RollUp
from langchain_logprobs.confidence.measures import Measures
from langchain_logprobs.confidence.structured import Structure, least_certain
from langchain_logprobs.formats.tokens import FlatAlternatives, Tokens
from langchain_logprobs.telemetry import names

Pair = tuple[str, Any]


def clean(text: str) -> str:
    """Return text that UTF-8 can carry: a lone surrogate (half an emoji) becomes U+FFFD; two halves are joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_all(texts: list[str]) -> list[str]:
    """Return the texts as they are if UTF-8 can carry them, which one look at all of them tells."""
    try:
        "\0".join(texts).encode()
    except UnicodeEncodeError:
        return [clean(text) for text in texts]
    return texts


def status(findings: Findings) -> Iterator[Pair]:
    """Yield whether there are logprobs, and where they were read."""
    yield names.STATUS, findings.status
    if findings.reason is not None:
        yield names.STATUS_REASON, clean(findings.reason)
    if findings.source is not None:
        yield names.SOURCE, findings.source


def summary(findings: Findings, *, capture_text: bool) -> Iterator[Pair]:
    """Yield the measures of all choices together."""
    total = findings.total
    if not findings.has_tokens:
        return
    yield from _measures(total)
    yield names.OUTSIDE_COUNT, findings.outside_count or None
    yield names.LEVEL, findings.level
    yield names.MIN_PROBABILITY, total.min_probability
    yield names.MIN_INDEX, total.min_index
    if capture_text and findings.weakest_token is not None:
        yield names.MIN_TOKEN, clean(findings.weakest_token)
    yield names.LOW_RATIO, total.low_ratio
    yield names.LOW_COUNT, total.low_count
    yield names.STRETCH_COUNT, findings.stretch_count
    yield names.DETECTED, total.low_count > 0
    yield names.ENTROPY_MEAN, total.entropy_mean
    yield names.ENTROPY_MAX, total.entropy_max
    yield names.ENTROPY_TOP_K, total.top_k
    yield names.COVERED_MASS, total.covered_mass_mean
    yield names.MARGIN_MEAN, total.margin_mean
    yield names.OFF_TOP1_RATIO, total.off_top1_ratio


def reasoning(measures: Measures | None) -> Iterator[Pair]:
    """Yield the measures of a reasoning text, which are never mixed into the answer's."""
    if measures is not None:
        yield names.REASONING_COUNT, measures.scored_count
        yield names.REASONING_MEAN, measures.mean_logprob


def fields(structure: Structure | None, most: int, *, capture_text: bool) -> Iterator[Pair]:
    """Yield the fields of a structured answer as parallel arrays.

    Paths are the keys of the user's own schema, so they stay without text; the allowed values do not.
    """
    if structure is None:
        return
    yield names.FIELD_STATUS, structure.status
    rows = least_certain(structure.rows, most)
    if not rows:
        return
    yield names.FIELD_COUNT, structure.value_count
    yield names.FIELD_PATHS, clean_all([row.path for row in rows])
    yield names.FIELD_CONFIDENCES, [row.confidence for row in rows]
    yield names.FIELD_MIN_PROBABILITIES, [row.min_probability for row in rows]
    yield names.FIELD_MIN_INDEXES, [row.min_index for row in rows]
    if capture_text and any(row.runner_up for row in rows):
        yield names.FIELD_RUNNERS_UP, clean_all([row.runner_up for row in rows])
        yield names.FIELD_RUNNER_UP_PROBABILITIES, [row.runner_up_probability for row in rows]


def choice(index: int, tokens: Tokens, measures: Measures, *, capture_text: bool) -> Iterator[Pair]:
    """Yield the measures of one of several choices."""
    yield names.CHOICE_INDEX, index
    yield from _measures(measures)
    yield names.MIN_PROBABILITY, measures.min_probability
    yield names.MIN_INDEX, measures.min_index
    if capture_text and measures.min_index is not None:
        yield names.MIN_TOKEN, clean(tokens.texts[measures.min_index])


def _measures(measures: Measures) -> Iterator[Pair]:
    yield names.TOKEN_COUNT, measures.scored_count
    yield names.CENSORED_COUNT, measures.censored_count
    yield names.MEAN, measures.mean_logprob
    yield names.SUM, measures.sum_logprob
    yield names.PERPLEXITY, measures.perplexity
    yield names.CONFIDENCE, measures.confidence


def values(logprobs: Sequence[float], floor: float) -> tuple[list[float], list[int]]:
    """Return logprobs as they are recorded, and the positions of the censored ones (NaN), where the floor stands."""
    recorded = [*logprobs]
    censored = [index for index, logprob in enumerate(logprobs) if logprob != logprob]
    for index in censored:
        recorded[index] = floor
    return recorded, censored


def weakest_first(tokens: Tokens, below: float, fields: Structure | None) -> list[int]:
    """Return the positions whose alternatives matter, the most important first.

    Args:
        tokens: The tokens.
        below: Those with a smaller probability, and the censored ones, come first, the weakest before all; then the
            weakest token of each field.
        fields: The fields of the answer.
    """
    threshold = math.log(below) if below > 0.0 else -math.inf
    low = [
        (logprob if logprob == logprob else -math.inf, index)
        for index, logprob in enumerate(tokens.logprobs)
        if not threshold <= logprob  # nor is NaN, a censored one
    ]
    rows = [] if fields is None else sorted(fields.rows, key=attrgetter("confidence"))
    of_fields = [row.min_index for row in rows if row.min_index < len(tokens)]
    return list(dict.fromkeys([index for _, index in sorted(low)] + of_fields))


def alternatives(flat: FlatAlternatives, floor: float, *, capture_text: bool) -> dict[str, Any]:
    """Return alternatives as three parallel arrays; nothing where there are none."""
    if not flat.positions:
        return {}
    recorded: dict[str, Any] = {
        names.ALTERNATIVE_POSITIONS: flat.positions,
        names.ALTERNATIVE_VALUES: values(flat.logprobs, floor)[0],
    }
    if capture_text:
        recorded[names.ALTERNATIVE_TOKENS] = clean_all(flat.tokens)
    return recorded


def roll_up(total: RollUp, *, capture_text: bool) -> Iterator[Pair]:
    """Yield what an ancestor says of the model calls below it."""
    if not total.calls:
        return
    yield names.CALL_COUNT, total.calls
    yield names.TOKEN_COUNT, total.scored_count
    yield names.MEAN, total.mean_logprob
    yield names.CONFIDENCE, total.confidence
    yield names.LEVEL, total.level
    yield names.DETECTED, total.detected
    if total.min_logprob is not None:
        yield names.MIN_PROBABILITY, total.min_probability
        yield names.MIN_SPAN_ID, total.min_span_id
        if capture_text and total.min_token is not None:
            yield names.MIN_TOKEN, clean(total.min_token)


def present(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return the pairs whose value could be computed."""
    return {name: value for name, value in pairs if value is not None}
