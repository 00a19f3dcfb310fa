"""The one form that every provider's logprobs are read into: columns, and the tokens that a user sees of them.

An answer of 2,000 tokens with their top 5 has 12,000 texts and logprobs, read and measured while the user's chain
waits. So they are kept as plain lists side by side, and a `TokenLogprob` or an `Alternative` is made only when it is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, ClassVar, Final, NamedTuple, TypeVar, overload

from langchain_logprobs.formats.columns import Columns
from langchain_logprobs.formats.columns import usable_logprob as usable_logprob

LOW_PROBABILITY: Final = 0.2
"""Below this a token is low: the threshold of LangChain's own FLARE chain. Calibrated for no model."""

_T = TypeVar("_T")


class Alternative(NamedTuple):
    """A token that the model could have said at one position, as the provider returned it.

    Attributes:
        token: The token's text as the provider spelled it.
        logprob: Natural logarithm of its probability (nats), raw: it may be a sentinel such as -9999.0. None where
            the provider sent none.
        bytes: Its UTF-8 bytes; None where the provider sent none.

    Example:
        >>> from langchain_logprobs import Alternative
        >>> Alternative(" 1936", -0.97).token
        ' 1936'
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

    Example:
        >>> from langchain_logprobs import Alternative, TokenLogprob
        >>> token = TokenLogprob(" 1935", -0.89, alternatives=[Alternative(" 1936", -0.97)])
        >>> token.logprob, token.alternatives[0].token
        (-0.89, ' 1936')
    """

    token: str
    logprob: float | None
    bytes: bytes | None = None
    alternatives: Sequence[Alternative] = ()


class Alternatives(Sequence[Alternative]):
    """The alternatives of one position: a sequence that makes its items when they are asked for.

    There are five to twenty times as many of them as tokens, and most are only ever measured, which takes nothing but
    their logprobs. It equals any sequence of the same items.

    Attributes:
        columns: The alternatives of the whole answer.
        start: Where this position's begin in them.
        stop: Where they end.
    """

    __slots__ = ("columns", "start", "stop")

    def __init__(self, columns: Columns, start: int, stop: int) -> None:
        """Stand for the items of the columns from `start` to before `stop`."""
        self.columns: Columns = columns
        self.start: int = start
        self.stop: int = stop

    @property
    def texts(self) -> list[str]:
        """Their texts."""
        return self.columns.texts[self.start : self.stop]

    @property
    def logprobs(self) -> list[float]:
        """Their logprobs (nats); NaN where there is no honest one."""
        return self.columns.logprobs[self.start : self.stop]

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
        here = range(self.start, self.stop)
        return map(Alternative, self.texts, map(self.columns.raw_logprob, here), map(self.columns.bytes_at, here))

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


class Tokens(Sequence[TokenLogprob]):
    """The tokens of an answer: a sequence of `TokenLogprob` that keeps columns and makes its items when asked for them.

    It equals a list of the same items, and nothing changes it once it was read.

    Attributes:
        texts: The tokens' texts.
        logprobs: Their logprobs (nats): honest ones, at most 0.0, and NaN where there is none.
        censored: What the provider sent in the place of each NaN, by position: None, a sentinel such as -9999.0, ...
        alternatives: The alternatives of all of them, one position after the other.
        stops: Where the alternatives of each end in these; they begin where those of the token before it end.

    Example:
        >>> tokens = Tokens.of([TokenLogprob("Yes", -0.25), TokenLogprob(".", -9999.0)])
        >>> tokens.logprobs, tokens.censored
        ([-0.25, nan], {1: -9999.0})
        >>> tokens[1].logprob
        -9999.0
    """

    __slots__ = ("_own", "alternatives", "censored", "logprobs", "stops", "texts")

    def __init__(
        self, own: Columns | None = None, alternatives: Columns | None = None, stops: Iterable[int] = ()
    ) -> None:
        """Take the columns of the tokens, those of their alternatives, and where each token's end; empty without."""
        self._own = Columns() if own is None else own
        self.texts: list[str] = self._own.texts
        self.logprobs: list[float] = self._own.logprobs
        self.censored: dict[int, float | None] = self._own.censored
        self.alternatives: Columns = Columns() if alternatives is None else alternatives
        self.stops: list[int] = [*stops]

    @classmethod
    def of(cls, tokens: Iterable[TokenLogprob]) -> Tokens:
        """Return tokens as columns: these themselves where they are, else a copy.

        Args:
            tokens: The tokens of one answer, in order.

        Raises:
            TypeError: They are no tokens of one answer.
        """
        if isinstance(tokens, Tokens):
            return tokens
        items = _checked(tokens, TokenLogprob)
        # A zip over all tokens, which are tuples, is the quickest way from rows to columns.
        *fields, tops = [*zip(*items, strict=False)] or ((), (), (), ())
        others = _checked(chain.from_iterable(tops), Alternative)
        try:
            own = _columns(fields)
            alternatives = _columns([*zip(*others, strict=False)])
        except TypeError as error:
            raise TypeError(f"a token's text is a str and its logprob a number of nats or None: {error}") from error
        return cls(own, alternatives, accumulate(map(len, tops)))

    def add(
        self,
        text: str,
        logprob: float | None,
        raw_bytes: bytes | None = None,
        alternatives: Iterable[tuple[str, float | None, bytes | None]] = (),
    ) -> None:
        """Append one token as the provider sent it, while the answer is being read.

        Args:
            text: Its text.
            logprob: Its raw logprob (nats); None where there is none.
            raw_bytes: Its bytes; None where there are none.
            alternatives: The text, logprob and bytes of each of its alternatives.
        """
        self.alternatives.add(alternatives)
        self._own.add([(text, logprob, raw_bytes)])
        self.stops.append(len(self.alternatives.texts))

    def extend(self, other: Tokens, first: int = 0, stop: int | None = None) -> None:
        """Append the tokens of another answer from position `first` to before `stop` (None: to its end)."""
        stop = len(other) if stop is None else stop
        if first >= stop:
            return
        begin, end = other._start(first), other.stops[stop - 1]
        shift = len(self.alternatives) - begin
        self._own.extend(other._own, first, stop)
        self.alternatives.extend(other.alternatives, begin, end)
        self.stops += [each + shift for each in other.stops[first:stop]]

    def select(self, positions: Iterable[int]) -> Tokens:
        """Return the tokens at some positions (none of them negative), in that order."""
        chosen = Tokens()
        first = stop = 0
        for position in positions:  # one slice for each run of neighbours: mostly all but the end mark is wanted
            if position != stop:
                chosen.extend(self, first, stop)
                first = position
            stop = position + 1
        chosen.extend(self, first, stop)
        return chosen

    def bytes_at(self, index: int) -> bytes | None:
        """Return the bytes of the token at an index, without making the token."""
        return self._own.bytes_at(index)

    def alternatives_at(self, index: int) -> Alternatives:
        """Return the alternatives of the token at an index (not a negative one), without making the token."""
        return Alternatives(self.alternatives, self._start(index), self.stops[index])

    @property
    def width(self) -> int | None:
        """How many alternatives each token has, where all have equally many; else None."""
        width = self.stops[0] if self.stops else 0
        if not width:
            return None if len(self.alternatives) else 0
        return width if self.stops == [*range(width, width * len(self.stops) + 1, width)] else None

    @overload
    def __getitem__(self, index: int) -> TokenLogprob: ...

    @overload
    def __getitem__(self, index: slice) -> Tokens: ...

    def __getitem__(self, index: int | slice) -> TokenLogprob | Tokens:
        """Return the token at an index, or the tokens of a slice."""
        if isinstance(index, slice):
            return self.select(range(*index.indices(len(self))))
        text = self.texts[index]
        index = index if index >= 0 else index + len(self)
        return TokenLogprob(text, self._own.raw_logprob(index), self._own.bytes_at(index), self.alternatives_at(index))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is a list of the same items."""
        return isinstance(other, (list, Tokens)) and list(self) == list(other)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as the list that it equals

    def __repr__(self) -> str:
        """Look like that list."""
        return repr(list(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as that list."""
        return Tokens.of, (list(self),)

    def _start(self, index: int) -> int:
        return self.stops[index - 1] if index else 0


def _columns(fields: Sequence[Sequence[Any]]) -> Columns:
    """Return columns of texts, logprobs and bytes; empty ones where there are none."""
    texts, logprobs, sources = fields or ((), (), ())
    return Columns([*texts], logprobs, [*sources])


def _checked(items: Iterable[_T], kind: type[_T]) -> list[_T]:
    checked = [*items]
    if set(map(type, checked)) <= {kind}:  # nearly always; a subclass is as good
        return checked
    for item in checked:
        if not isinstance(item, kind):
            raise TypeError(
                f"an item of the tokens is of type {type(item).__name__} where a {kind.__name__} should be: give the "
                "tokens of one answer, such as read_logprobs(message)[0]"
            )
    return checked


class FlatAlternatives(NamedTuple):
    """Alternatives of several positions in three parallel lists.

    Attributes:
        positions: The index of the token in whose place each could have stood, in order.
        tokens: Their texts.
        logprobs: Their logprobs (nats); NaN where there is no honest one.
    """

    positions: list[int]
    tokens: list[str]
    logprobs: list[float]


def flatten_alternatives(tokens: Tokens, positions: Iterable[int]) -> FlatAlternatives:
    """Return the alternatives of some positions, given once each and in order."""
    each = [(position, tokens.alternatives_at(position)) for position in positions]
    return FlatAlternatives(
        [position for position, others in each for _ in range(len(others))],
        [*chain.from_iterable(others.texts for _, others in each)],
        [*chain.from_iterable(others.logprobs for _, others in each)],
    )


def texts_of(tokens: Sequence[TokenLogprob]) -> list[str]:
    """Return the texts of tokens."""
    return tokens.texts if isinstance(tokens, Tokens) else [token.token for token in tokens]
