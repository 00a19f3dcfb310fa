"""The one shape that every provider's logprobs are read into.

Both classes are named tuples, not dataclasses: an answer of 2,000 tokens with five alternatives each is 12,000 of
these objects, built while the user's chain waits, and a tuple costs a third of a frozen dataclass to build.
"""

from __future__ import annotations

import math
from typing import NamedTuple

SENTINEL_LOGPROB = -9998.0
"""At or below this a logprob is a placeholder: OpenAI and vLLM send -9999.0 for "too unlikely to say"."""

ROUNDING_LOGPROB = 1e-4
"""A positive logprob up to this is rounding noise around 0; above it, it is not a logprob at all."""

LOW_PROBABILITY = 0.2
"""Below this a token is low: the threshold of LangChain's own FLARE chain. Calibrated for no model."""


class Alternative(NamedTuple):
    """A token that the model could have said at one position, as the provider returned it.

    Attributes:
        token: The token's text as the provider spelled it.
        logprob: Natural logarithm of its probability (nats), raw: it may be a sentinel such as -9999.0. None where
            the provider sent none.
        bytes: Its UTF-8 bytes; None where the provider sent none.
    """

    token: str
    logprob: float | None
    bytes: bytes | None = None


class TokenLogprob(NamedTuple):
    """One token of an answer with its logprob, as the provider returned it.

    Attributes:
        token: The token's text as the provider spelled it. Joining the tokens does not always give the answer's text:
            a character can be split over several tokens.
        logprob: Natural logarithm of its probability (nats), raw: it may be a sentinel such as -9999.0. None where
            the provider sent none (or NaN, which says no more).
        bytes: Its UTF-8 bytes, which can be part of a character; None where the provider sent none.
        alternatives: What else the model could have said here, the sampled token often among them, in the provider's
            order; empty where none were asked for.
    """

    token: str
    logprob: float | None
    bytes: bytes | None = None
    alternatives: tuple[Alternative, ...] = ()


def usable_logprob(logprob: float | None) -> float | None:
    """Return the logprob if it is an honest number, else None (the token is *censored*).

    Args:
        logprob: A raw logprob in nats, or None.

    Returns:
        The logprob, at most 0.0; rounding noise above zero is taken as 0.0. None for None, NaN, an infinity, a
        sentinel (at or below -9998) and for a value too far above zero to be a logprob.
    """
    if logprob is None or not SENTINEL_LOGPROB < logprob <= ROUNDING_LOGPROB:  # NaN fails the comparison too
        return None
    return logprob if logprob < 0.0 else 0.0


def probability(logprob: float) -> float:
    """Return exp(logprob) for a usable logprob in nats; 0.0 where that underflows."""
    return math.exp(logprob)
