"""The one place where numbers become words: `level`, what it is based on, and which of several calls is the worst.

The thresholds are settings. Their defaults, and what they find on labelled answers, are in docs/confidence.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from langchain_logprobs.formats.tokens import Alternatives, Tokens

Level = Literal["high", "medium", "low"]
Basis = Literal["answer", "fields"]

_WORST_FIRST: tuple[Level, ...] = ("low", "medium", "high")


class Verdict(NamedTuple):
    """What the numbers of one call come to.

    Attributes:
        level: `high`, `medium` or `low`; None where there is no number.
        basis: What the level was taken from: `answer`, the mean over its tokens, or `fields`, the least certain value
            of a structured answer or of a tool call's arguments. None where there is no level.
        score: The number that the level was taken from, from 0 to 1; None where the worst that is known of it is a
            token without an honest logprob.
    """

    level: Level | None
    basis: Basis | None
    score: float | None


NO_VERDICT = Verdict(None, None, None)


def verdict_on(
    confidence: float | None,
    fields: Sequence[float | None],
    *,
    censored: bool,
    high: float,
    medium: float,
) -> Verdict:
    """Return the verdict on an answer.

    The braces and keys of a structured answer are nearly certain and drown an uncertain value in the mean over the
    tokens, so its level comes from its least certain value. A censored token is one that was too unlikely for the
    provider to say how unlikely: it caps the level at `low`.

    Args:
        confidence: exp(mean logprob) of the answer and its tool calls; None where no token has a logprob.
        fields: The confidence of each of its values; None for one with a censored token. Empty for prose.
        censored: Whether any token of the answer is censored.
        high: From this on the level is `high`.
        medium: From this on it is `medium`, below it `low`.

    Example:
        >>> verdict_on(0.97, [0.99, 0.31], censored=False, high=0.8, medium=0.5)
        Verdict(level='low', basis='fields', score=0.31)
    """
    if fields:
        known = [field for field in fields if field is not None]
        score = min(known) if len(known) == len(fields) else None
        level: Level | None = "low" if score is None else level_of(score, high=high, medium=medium)
        return Verdict("low" if censored else level, "fields", score)
    if confidence is None:
        return Verdict("low", "answer", None) if censored else NO_VERDICT
    return Verdict("low" if censored else level_of(confidence, high=high, medium=medium), "answer", confidence)


def level_of(score: float, *, high: float, medium: float) -> Level:
    """Return the level of a score."""
    return "high" if score >= high else "medium" if score >= medium else "low"


def worst(levels: Iterable[Level | None]) -> Level | None:
    """Return the lowest of some levels; None counts as no level at all."""
    known = {level for level in levels if level is not None}
    return next((level for level in _WORST_FIRST if level in known), None)


def is_worse(verdict: Verdict, other: Verdict) -> bool:
    """Tell whether one call is more to blame than another: by its level, then by the number behind it."""
    return _rank(verdict) < _rank(other)


def _rank(verdict: Verdict) -> tuple[int, float]:
    place = len(_WORST_FIRST) if verdict.level is None else _WORST_FIRST.index(verdict.level)
    return place, -1.0 if verdict.score is None else verdict.score


class Weakest(NamedTuple):
    """The weakest token of an answer.

    Attributes:
        token: Its text.
        choice: The index of its choice.
        position: Its position among the tokens of that choice.
        probability: Its probability. Of a censored token the most that it can have been: no more than the least
            probable alternative, and no more than all alternatives leave; None where there are none to tell.
        censored: Whether it has no honest logprob.
    """

    token: str
    choice: int
    position: int
    probability: float | None
    censored: bool


def weakest_of(choices: Sequence[tuple[Tokens, Sequence[int], int | None]]) -> Weakest | None:
    """Return the weakest token of several choices: the censored one with the lowest bound, else the least probable.

    Args:
        choices: Of each choice its tokens, the positions that count, the position of the least probable scored token
            among them (None where none is scored).
    """
    found: list[Weakest] = []
    for number, (tokens, counted, min_index) in enumerate(choices):
        among = set(counted) if tokens.censored else ()
        bounds = [(index, censored_bound(tokens.alternatives_at(index))) for index in tokens.censored if index in among]
        if bounds:
            index, bound = min(bounds, key=lambda each: (each[1] is None, each[1] or 0.0))
            found.append(Weakest(tokens.texts[index], number, index, bound, True))
        elif min_index is not None:
            probability = math.exp(tokens.logprobs[min_index])
            found.append(Weakest(tokens.texts[min_index], number, min_index, probability, False))
    return min(found, key=_weakness) if found else None


def is_weaker(weakest: Weakest, other: Weakest) -> bool:
    """Tell whether one token is weaker than another: a censored one is weaker than any other."""
    return _weakness(weakest) < _weakness(other)


def _weakness(weakest: Weakest) -> tuple[bool, float]:
    return not weakest.censored, math.inf if weakest.probability is None else weakest.probability


def censored_bound(alternatives: Alternatives) -> float | None:
    """Return the most that the probability of a censored token can be; None where nothing bounds it.

    A provider returns the most probable alternatives of a position. A token that is not among them is no more
    probable than the least of them, and no more than what they leave of 1.
    """
    probabilities = [math.exp(logprob) for logprob in alternatives.logprobs if logprob == logprob]
    if not probabilities:
        return None
    return min(min(probabilities), max(0.0, 1.0 - math.fsum(probabilities)))
