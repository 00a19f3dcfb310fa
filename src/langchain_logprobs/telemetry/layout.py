"""How a call's tokens are laid out on its span: what fits, and what is left out first where not everything does.

The arrays come first: they are the record. Then what explains them (the worst stretches, the alternatives of the most
contested tokens, when each chunk arrived), and last what repeats them (each chunk's own tokens). All sizes are
estimates of OTLP bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_logprobs.confidence.inputs import Chunks
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.confidence.stretches import worst_stretches
from langchain_logprobs.formats.tokens import FlatAlternatives, flatten_alternatives
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import attributes, names
from langchain_logprobs.telemetry.events import (
    CHUNK_GROUPS,
    Event,
    choice_events,
    chunk_events,
    evaluation_event,
    stretch_events,
)
from langchain_logprobs.telemetry.sentences import Passage

FEWEST_STRETCHES = 8
FEWEST_CHUNK_EVENTS = 8
"""So many are kept whatever the size of the arrays."""

_TOKENS_A_STRETCH = 16
_FEWEST_OF_FEW = 6
"""A short answer keeps fewer stretches than that: one for each 16 tokens, but 6 at least."""

_EXACT_CHUNKS = 128
"""Of so many chunks each one's arrival is kept, whatever the size of the rest."""

CONTESTED = 0.9
"""Below it the alternatives of a token are worth recording: something else had a tenth or more."""

_SUMMARY_BYTES = 4_000  # the resource, the span itself, its GenAI attributes, the measures and the least of messages
_FIELD_BYTES = 80
_CHUNK_EVENT_BYTES = 125
_STRETCH_EVENT_BYTES = 520
_CHOICE_EVENT_BYTES = 400
_EVALUATION_EVENT_BYTES = 300
_FLOAT_BYTES = 11  # in an OTLP array: the value with the tags and lengths around it
_STRING_OVERHEAD = 4  # likewise, around the text
_INT_BYTES = 6


_LONG = 2_000
"""From so many tokens on a span may take all of `Settings.detail_bytes`; a shorter one takes less, in proportion."""
_SHORT = 400
"""But never less than an answer of so many tokens would."""


class Layout(NamedTuple):
    """What goes out for a call's tokens.

    Attributes:
        arrays: Span attributes.
        span_events: Events for the span.
        log_events: The same events for log records, which no budget of the span's binds.
        room: How many bytes of `Settings.detail_bytes` are left.
    """

    arrays: dict[str, Any]
    span_events: list[Event]
    log_events: list[Event]
    room: int


def lay_out(
    report: ConfidenceReport, passage: Passage, chunks: Chunks, start_time: int, end_time: int, settings: Settings
) -> Layout:
    """Lay out the tokens of a model call.

    Args:
        report: The report on it.
        passage: Its text with the unsure places.
        chunks: When its tokens arrived.
        start_time: When it started (nanoseconds since the epoch).
        end_time: When it ended.
        settings: The budgets, and what is wanted at all.
    """
    return _Layout(report, passage, chunks, start_time, end_time, settings).layout()


class _Layout:
    """Spends the bytes of a span, the most important things first."""

    def __init__(
        self,
        report: ConfidenceReport,
        passage: Passage,
        chunks: Chunks,
        start_time: int,
        end_time: int,
        settings: Settings,
    ) -> None:
        self.report = report
        self.chunks = chunks
        self.start_time = start_time
        self.end_time = end_time
        self.settings = settings
        self.tokens = report.tokens.texts
        self.values = report.tokens.logprobs
        if report.tokens.censored:
            self.values = attributes.values(self.values, settings.censored_floor)
        self.censored = sorted(report.tokens.censored)
        self.choices = list(choice_events(report, end_time))
        evaluation = evaluation_event(report, passage, end_time)
        if evaluation is not None:
            self.choices.append(evaluation)
        self.on_span = settings.events in ("span", "both")
        share = min(1.0, (_SHORT + len(self.values)) / (_SHORT + _LONG))
        self.most_bytes = min(settings.detail_bytes, settings.span_bytes)
        self.detail_bytes = min(int(settings.detail_bytes * share), settings.span_bytes)
        self.spent = _SUMMARY_BYTES + len(passage.line().encode("utf-8", "replace"))

    def layout(self) -> Layout:
        settings = self.settings
        fields = min(sum(1 for _ in self.report.leaves()), settings.max_fields)
        self.spent += min(_FIELD_BYTES * fields, settings.span_bytes // 8)  # see bounds.py
        array_bytes = _FLOAT_BYTES * len(self.values) + self._strings_size(self.tokens)
        stretch_limit = self._stretches(array_bytes)
        recorded = self._recorded(settings.span_bytes - self.spent, array_bytes)
        self.spent += array_bytes if recorded == len(self.values) else settings.span_bytes - self.spent
        arrays: dict[str, Any] = {names.VALUES: self.values[:recorded], names.TOKENS: self.tokens[:recorded]}
        if self.censored:
            arrays[names.CENSORED_POSITIONS] = [index for index in self.censored if index < recorded]
        if recorded < len(self.values):
            arrays[names.TOKENS_RECORDED] = recorded
        others = self._alternatives(recorded)
        arrays.update(attributes.alternatives(others, settings.censored_floor))
        chunk_limit = self._chunk_limit()
        arrays.update(self._arrivals())
        # A short answer has each chunk's tokens on its event too. For a long one the arrays, which the event points
        # into, have to do: repeating them would double the span.
        each_chunk = chunk_limit == len(self.chunks)
        repeat = self.spent + array_bytes <= (self.most_bytes if each_chunk else self.detail_bytes)
        if repeat and chunk_limit:
            self.spent += array_bytes
        on_log = settings.events in ("log", "both")
        return Layout(
            arrays,
            self._events(chunk_limit, stretch_limit, repeat) if self.on_span else [],
            self._events(settings.max_chunk_events, settings.max_stretches, True) if on_log else [],
            self.detail_bytes - self.spent,
        )

    def _stretches(self, array_bytes: int) -> int:
        """Return how many stretches the span has events for, and spend their bytes."""
        if not self.on_span:
            return 0
        self.spent += _CHOICE_EVENT_BYTES * (len(self.choices) - 1) + _EVALUATION_EVENT_BYTES
        affordable = (self.detail_bytes - self.spent - array_bytes) // _STRETCH_EVENT_BYTES
        fewest = min(FEWEST_STRETCHES, max(_FEWEST_OF_FEW, len(self.values) // _TOKENS_A_STRETCH))
        limit = min(len(self.report.stretches), max(fewest, affordable))
        self.spent += _STRETCH_EVENT_BYTES * limit
        return limit

    def _chunk_limit(self) -> int:
        """Return how many chunk events the span has: one a chunk, or some groups where that is too much."""
        if not self.on_span or not self.chunks:
            return 0
        most, count = self.settings.max_chunk_events, len(self.chunks)
        affordable = (self.detail_bytes - self.spent) // _CHUNK_EVENT_BYTES
        if count <= most and count <= (self.most_bytes - self.spent) // _CHUNK_EVENT_BYTES:
            limit = count
        else:
            limit = min(most, count, max(FEWEST_CHUNK_EVENTS, min(CHUNK_GROUPS, affordable)))
        self.spent += _CHUNK_EVENT_BYTES * limit
        return limit

    def _arrivals(self) -> dict[str, Any]:
        """Return when each chunk arrived, or every second, fourth, ... of them where not all fit."""
        count = len(self.chunks)
        if not count:
            return {}
        plain = self.chunks.starts == list(range(count))
        size = _INT_BYTES if plain else 2 * _INT_BYTES
        step = 1
        least = size * (count if count <= _EXACT_CHUNKS else CHUNK_GROUPS)
        while size * (count // step) > max(self.detail_bytes - self.spent, least):
            step *= 2
            size = 2 * _INT_BYTES
        self.spent += size * (count // step)
        start = self.start_time
        offsets = [(time - start) // 1_000 for time in self.chunks.times[::step]]
        if min(offsets) < 0:  # the clock was set back
            offsets = [max(0, offset) for offset in offsets]
        arrivals: dict[str, Any] = {names.CHUNK_OFFSETS: offsets}
        if not plain or step > 1:
            arrivals[names.CHUNK_STARTS] = self.chunks.starts[::step]
        return arrivals

    def _events(self, chunk_limit: int, stretch_limit: int, repeat: bool) -> list[Event]:
        stretches = worst_stretches(self.report.stretches, stretch_limit)
        return [
            *chunk_events(self.chunks, chunk_limit, self.tokens, self.values if repeat else None),
            *stretch_events(stretches, self.tokens, self.chunks, self.end_time, self.settings.censored_floor),
            *self.choices,
        ]

    def _strings_size(self, strings: Sequence[str]) -> int:
        return strings_size(strings) if self.settings.capture_text else 0

    def _recorded(self, room: int, array_bytes: int) -> int:
        """Return how many positions of the arrays fit into the room, counted from the start."""
        if array_bytes <= room:
            return len(self.values)
        for index, token in enumerate(self.tokens):
            room -= _FLOAT_BYTES
            if self.settings.capture_text:
                room -= _STRING_OVERHEAD + len(token.encode("utf-8", "replace"))
            if room < 0:
                return index
        return len(self.values)  # pragma: no cover  # the first line has seen that they do not all fit

    def _alternatives(self, recorded: int) -> FlatAlternatives:
        """Return the alternatives that are written; where not all fit that are wanted, the most contested ones."""
        tokens, settings = self.report.tokens, self.settings
        if settings.alternatives == "none":
            return flatten_alternatives(tokens, ())
        below = CONTESTED
        limit = self.detail_bytes
        if settings.alternatives == "all":
            everything = flatten_alternatives(tokens, range(recorded))
            limit = settings.span_bytes
            size = alternatives_size(everything.tokens)
            if self.spent + size <= limit:
                self.spent += size
                return everything
            below = math.inf
        admitted = []
        for position in attributes.contested_first(self.report, below):
            if position < recorded:
                size = alternatives_size(tokens.alternatives_at(position).texts)
                if self.spent + size > limit:
                    break
                self.spent += size
                admitted.append(position)
        return flatten_alternatives(tokens, sorted(admitted))


def strings_size(strings: Sequence[str]) -> int:
    """Return the size of an array of strings."""
    return len("".join(strings).encode("utf-8", "replace")) + _STRING_OVERHEAD * len(strings)


def alternatives_size(texts: Sequence[str]) -> int:
    """Return the size of the alternatives with these texts: a position, a string and a double each."""
    return strings_size(texts) + (_INT_BYTES + _FLOAT_BYTES) * len(texts)
