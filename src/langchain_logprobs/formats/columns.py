"""Texts, logprobs and bytes side by side, and the only place that decides which logprobs are honest numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import countOf
from typing import Any, Final

SENTINEL_LOGPROB: Final = -9998.0
"""At or below this a logprob is a placeholder: OpenAI and vLLM send -9999.0 for "too unlikely to say"."""

CLIPPED_LOGPROBS: Final = frozenset((-100.0, -1000.0))
"""Round numbers to which servers clip what is less likely still (mlx-omni-server, sonar): placeholders too. Whatever
lies between and beyond them is honest."""

ROUNDING_LOGPROB: Final = 1e-4
"""A positive logprob up to this is rounding noise around 0; above it, it is not a logprob at all."""

_NAN: Final = math.nan

_SURELY_HONEST: Final = max(CLIPPED_LOGPROBS)
"""Above it and up to 0 a logprob is honest without a further look."""


def usable_logprob(logprob: float | None) -> float | None:
    """Return the logprob if it is an honest number, else None (the token is *censored*).

    Args:
        logprob: A raw logprob in nats, or None.

    Returns:
        The logprob, at most 0.0; rounding noise above zero is taken as 0.0. None for None, NaN, an infinity, a
        sentinel (at or below -9998, or exactly -100 or -1000, to which servers clip) and for a value too far above
        zero to be a logprob.
    """
    if logprob is None or not SENTINEL_LOGPROB < logprob <= ROUNDING_LOGPROB:  # NaN fails the comparison too
        return None
    if logprob in CLIPPED_LOGPROBS:
        return None
    return float(logprob) if logprob <= 0.0 else 0.0


def _all_honest(logprobs: list[float]) -> bool:
    """Tell by two short passes that all are honest floats; False says nothing."""
    return countOf(map(type, logprobs), float) == len(logprobs) and not [
        each
        for each in logprobs
        if not _SURELY_HONEST < each <= 0.0  # NaN fails the comparison too
    ]


class Columns:
    """The texts, logprobs and bytes of tokens, or of alternatives, side by side.

    Attributes:
        texts: Their texts.
        logprobs: Their logprobs (nats): honest ones, at most 0.0, and NaN where the provider's value is missing or no
            honest number (see `usable_logprob`).
        censored: What the provider sent in the place of each NaN, by position; empty for nearly all answers.
        rounded: What it sent where another float stands for it (rounding noise above 0, an int), by position; as rare.
    """

    __slots__ = ("_sources", "censored", "logprobs", "rounded", "texts")

    def __init__(
        self,
        texts: list[str] | None = None,
        logprobs: Sequence[float | None] = (),
        sources: list[Any] | None = None,
    ) -> None:
        """Take columns of equal length; the lists of texts and sources become its own.

        Args:
            texts: Their texts.
            logprobs: Their logprobs (nats) as the provider sent them.
            sources: The bytes of each, or None, or the entry with a `bytes` key, in which they stay until somebody
                wants them: nearly nobody does.

        Raises:
            TypeError: A text is no str, or a logprob no number.
        """
        self.texts: list[str] = [] if texts is None else texts
        "".join(self.texts)  # raises where one is no str
        self._sources = [] if sources is None else sources
        self.censored: dict[int, float | None] = {}
        self.rounded: dict[int, float] = {}
        self.logprobs: list[float] = [*logprobs]  # type: ignore[list-item]
        if not _all_honest(self.logprobs):
            self.logprobs = [self._honest(position, logprob) for position, logprob in enumerate(logprobs)]

    def add(self, items: Iterable[tuple[str, float | None, bytes | None]]) -> None:
        """Append the text, the logprob and the bytes of each, as the provider sent them."""
        texts, logprobs, sources = self.texts, self.logprobs, self._sources
        for text, logprob, raw_bytes in items:
            if type(logprob) is float and _SURELY_HONEST < logprob <= 0.0:
                logprobs.append(logprob)
            else:
                logprobs.append(self._honest(len(logprobs), logprob))
            texts.append(text)
            sources.append(raw_bytes)

    def extend(self, other: Columns, first: int, stop: int) -> None:
        """Append those of another from position `first` to before `stop`."""
        shift = len(self.texts) - first
        self.texts += other.texts[first:stop]
        self.logprobs += other.logprobs[first:stop]
        self._sources += other._sources[first:stop]
        if other.censored or other.rounded:
            for position in range(first, stop):
                if position in other.censored:
                    self.censored[position + shift] = other.censored[position]
                elif position in other.rounded:
                    self.rounded[position + shift] = other.rounded[position]

    def raw_logprob(self, position: int) -> float | None:
        """Return the logprob at a position as the provider sent it (nats); None where it sent none."""
        if position in self.censored:
            return self.censored[position]
        return self.rounded.get(position, self.logprobs[position])

    def bytes_at(self, position: int) -> bytes | None:
        """Return the bytes at a position; None where the provider sent none, or none that are bytes."""
        source: Any = self._sources[position]
        if source is None or type(source) is bytes:
            return source
        try:
            value = source["bytes"]
            return bytes(value) if type(value) in (list, bytes) else None
        except Exception:  # an object of any class can be in the place of a dict
            return None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.texts)

    def _honest(self, position: int, raw: float | None) -> float:
        usable = usable_logprob(raw)
        if usable is None:
            self.censored[position] = raw if raw == raw else None  # NaN says no more
            return _NAN
        if raw is not None and (usable != raw or type(raw) is not float):
            self.rounded[position] = raw
        return usable
