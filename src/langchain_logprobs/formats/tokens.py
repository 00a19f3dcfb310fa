"""The one shape that every provider's logprobs are read into.

These are named tuples, not dataclasses, and the alternatives are made only when they are looked at: an answer of 2,000
tokens has 10,000 of them, read while the user's chain waits, and a tuple costs a third of a frozen dataclass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat
from operator import sub
from typing import Any, NamedTuple, overload

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


class Columns(NamedTuple):
    """The alternatives of a whole answer, one position after the other.

    Attributes:
        tokens: Their texts.
        logprobs: Their logprobs (nats), all of them floats and none NaN.
        raw: What the provider sent of each, for its bytes.
    """

    tokens: list[str]
    logprobs: list[float]
    raw: list[Mapping[str, Any]]


class Alternatives(Sequence[Alternative]):
    """The alternatives of one position: an immutable sequence that makes its items when they are asked for.

    There are five to twenty times as many of them as tokens, and most are only ever measured, which takes nothing but
    their logprobs; so all of an answer's are kept as columns. It equals any sequence of the same items.

    Attributes:
        columns: The alternatives of the whole answer.
        start: Where this position's begin in them.
        stop: Where they end.
    """

    __slots__ = ("columns", "start", "stop")

    def __init__(self, columns: Columns, start: int, stop: int) -> None:
        """Stand for the items of the columns from `start` to before `stop`."""
        self.columns = columns
        self.start = start
        self.stop = stop

    @property
    def tokens(self) -> list[str]:
        """Their texts."""
        return self.columns[0][self.start : self.stop]

    @property
    def logprobs(self) -> list[float]:
        """Their logprobs (nats)."""
        return self.columns[1][self.start : self.stop]

    @overload
    def __getitem__(self, index: int) -> Alternative: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Alternative, ...]: ...

    def __getitem__(self, index: int | slice) -> Alternative | tuple[Alternative, ...]:
        """Return the alternative at an index, or a tuple of those of a slice."""
        return tuple(self)[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return self.stop - self.start

    def __iter__(self) -> Iterator[Alternative]:
        """Yield them in the provider's order."""
        raw = self.columns.raw[self.start : self.stop]
        return map(Alternative, self.tokens, self.logprobs, map(_bytes_of, raw))

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is a sequence of the same items."""
        return isinstance(other, (tuple, Alternatives)) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return the hash of the tuple that it equals."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """Look like that tuple."""
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as that tuple."""
        return tuple, (list(self),)


def _bytes_of(raw: Mapping[str, Any]) -> bytes | None:
    try:
        value = raw["bytes"]
        return bytes(value) if type(value) in (list, bytes) else None
    except (LookupError, TypeError, ValueError):
        return None


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
    alternatives: Sequence[Alternative] = ()


class Tokens(Sequence[TokenLogprob]):
    """The tokens of a plain answer: an immutable sequence that makes its items when they are asked for.

    An answer is mostly measured and copied into arrays, which takes its columns alone. It equals any sequence of the
    same items.

    Attributes:
        tokens: Their texts.
        logprobs: Their logprobs (nats), all of them floats and none NaN.
        alternatives: The alternatives of all of them.
        stops: Where the alternatives of each end in these; they begin where those of the one before it end. A range
            where all tokens have equally many.
    """

    __slots__ = ("_raw", "alternatives", "logprobs", "stops", "tokens")

    def __init__(
        self,
        tokens: list[str],
        logprobs: list[float],
        raw: Sequence[Mapping[str, Any]],
        alternatives: Columns,
        stops: Sequence[int],
    ) -> None:
        """Take the columns; `raw` is what the provider sent of each token, for its bytes."""
        self.tokens = tokens
        self.logprobs = logprobs
        self._raw = raw
        self.alternatives = alternatives
        self.stops = stops

    @overload
    def __getitem__(self, index: int) -> TokenLogprob: ...

    @overload
    def __getitem__(self, index: slice) -> list[TokenLogprob]: ...

    def __getitem__(self, index: int | slice) -> TokenLogprob | list[TokenLogprob]:
        """Return the token at an index, or a list of those of a slice."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        alternatives = self.alternatives_at(index if index >= 0 else index + len(self))
        return TokenLogprob(self.tokens[index], self.logprobs[index], _bytes_of(self._raw[index]), alternatives)

    def alternatives_at(self, index: int) -> Sequence[Alternative]:
        """Return the alternatives of the token at an index (not a negative one), without making the token."""
        start = self.stops[index - 1] if index else 0
        stop = self.stops[index]
        return Alternatives(self.alternatives, start, stop) if start < stop else ()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is a sequence of the same items."""
        return isinstance(other, (list, Tokens)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as the list that it equals

    def __repr__(self) -> str:
        """Look like that list."""
        return repr(list(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as that list."""
        return list, (list(self),)


def texts_of(items: Sequence[Alternative] | Sequence[TokenLogprob]) -> list[str]:
    """Return the texts of tokens or alternatives, the quick way where there is one."""
    return items.tokens if isinstance(items, (Alternatives, Tokens)) else [item[0] for item in items]


def logprobs_of(items: Sequence[Alternative] | Sequence[TokenLogprob]) -> Sequence[float | None]:
    """Return the logprobs of tokens or alternatives (nats), the quick way where there is one."""
    return items.logprobs if isinstance(items, (Alternatives, Tokens)) else [item[1] for item in items]


def alternatives_of(tokens: Sequence[TokenLogprob], index: int) -> Sequence[Alternative]:
    """Return the alternatives of the token at an index, the quick way where there is one."""
    return tokens.alternatives_at(index) if isinstance(tokens, Tokens) else tokens[index].alternatives


class FlatAlternatives(NamedTuple):
    """Alternatives of several positions in three parallel lists.

    Attributes:
        positions: The index of the token in whose place each could have stood, in order.
        tokens: Their texts.
        logprobs: Their logprobs (nats), raw; None where the provider sent none.
    """

    positions: list[int]
    tokens: list[str]
    logprobs: Sequence[float | None]


def flatten_alternatives(tokens: Sequence[TokenLogprob], positions: Sequence[int]) -> FlatAlternatives:
    """Return the alternatives of some positions, given once each and in order; the quick way where it is all."""
    if isinstance(tokens, Tokens) and len(positions) == len(tokens):
        counts = map(sub, tokens.stops, [0, *tokens.stops])
        flat = [*chain.from_iterable(map(repeat, positions, counts))]
        return FlatAlternatives(flat, tokens.alternatives.tokens, tokens.alternatives.logprobs)
    each = [(position, alternatives_of(tokens, position)) for position in positions]
    return FlatAlternatives(
        [position for position, others in each for _ in range(len(others))],
        [text for _, others in each for text in texts_of(others)],
        [logprob for _, others in each for logprob in logprobs_of(others)],
    )


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
