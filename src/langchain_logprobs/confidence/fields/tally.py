"""The numbers of the tokens that spell a value, and of the tokens of all values in a container."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """The numbers of a range of tokens, or of the union of several ranges. Logprobs are in nats.

    Attributes:
        first: Index of the first token.
        stop: Index behind the last one.
        count: How many tokens there are.
        censored: How many of them have no usable logprob.
        joint: Sum of the usable logprobs.
        weakest: The smallest usable logprob; None where there is none.
        weakest_index: The index of its token.
        first_censored: The index of the first token without a usable logprob; None where all have one.
        straddles: Whether one of the tokens also spells something around the value, other than white space.
        shared: Whether one of them also spells a part of another value.
        empty_core: Whether they are the tokens of a value's quotes or brackets, as it has nothing in it.
    """

    first: int
    stop: int
    count: int
    censored: int
    joint: float
    weakest: float | None
    weakest_index: int | None
    first_censored: int | None = None
    straddles: bool = False
    shared: bool = False
    empty_core: bool = False


def tally(logprobs: Sequence[float | None], indices: range) -> Tally:
    """Add up a range of tokens.

    Args:
        logprobs: The usable logprobs of all tokens; None for censored ones.
        indices: The range; not empty.
    """
    first, stop = indices.start, indices.stop
    if stop - first == 1:
        logprob = logprobs[first]
        if logprob is None:
            return Tally(first, stop, 1, 1, 0.0, None, None, first)
        return Tally(first, stop, 1, 0, logprob, logprob, first)
    every = logprobs[first:stop]
    scored = [logprob for logprob in every if logprob is not None]
    weakest = min(scored, default=None)
    return Tally(
        first=first,
        stop=stop,
        count=stop - first,
        censored=len(every) - len(scored),
        joint=math.fsum(scored),
        weakest=weakest,
        weakest_index=None if weakest is None else first + every.index(weakest),
        first_censored=first + every.index(None) if len(scored) < len(every) else None,
    )


def union(logprobs: Sequence[float | None], members: Sequence[Tally]) -> Tally:
    """Add up the tokens of several ranges in the order of the text; a token in two of them counts once."""
    # Ranges ascend with the text, so that a token counted twice lies in two neighbouring ones.
    twice: list[float | None] = []
    stop = 0
    for member in members:
        if member.first < stop:
            twice += logprobs[member.first : min(stop, member.stop)]
        stop = max(stop, member.stop)
    scored_twice = [logprob for logprob in twice if logprob is not None]
    scored = [member for member in members if member.weakest is not None]
    weakest = min(scored, key=lambda member: member.weakest or 0.0) if scored else None
    return Tally(
        first=members[0].first,
        stop=stop,
        count=sum(member.count for member in members) - len(twice),
        censored=sum(member.censored for member in members) - (len(twice) - len(scored_twice)),
        joint=math.fsum([*(member.joint for member in members), *(-logprob for logprob in scored_twice)]),
        weakest=weakest.weakest if weakest else None,
        weakest_index=weakest.weakest_index if weakest else None,
        first_censored=next((one.first_censored for one in members if one.first_censored is not None), None),
    )
