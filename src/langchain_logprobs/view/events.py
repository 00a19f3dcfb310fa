"""What the events of a model call's span say: its low-confidence stretches, its choices, when its chunks arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import number, string
from langchain_logprobs.view.model import SpanData


@dataclass(frozen=True, slots=True)
class Stretch:
    """A low-confidence stretch, as recorded.

    Attributes:
        start: Index of its first token in the span's arrays.
        count: How many tokens it has.
        text: Its text; None where text was not recorded.
        severity: How low its weakest token is, in a word; None where not recorded.
        min_probability: The probability of its weakest token; None where that is not known.
        about: What it says and nearly said, in one line; None where not recorded.
    """

    start: int
    count: int
    text: str | None
    severity: str | None
    min_probability: float | None
    about: str | None


@dataclass(frozen=True, slots=True)
class Chunks:
    """When the tokens of a streamed answer arrived.

    Attributes:
        starts: Index of each chunk's first token in the span's arrays.
        offsets_us: When each arrived, in microseconds after the span's start.
        grouped: Whether neighbouring chunks share an entry.
    """

    starts: tuple[int, ...]
    offsets_us: tuple[int, ...]
    grouped: bool


def stretches_of(span: SpanData) -> list[Stretch]:
    """Return the stretches on a span, the least certain first; those without a place are left out."""
    found = [
        Stretch(
            start=int(start),
            count=int(count),
            text=string(event, names.TEXT),
            severity=string(event, names.SEVERITY),
            min_probability=number(event, names.MIN_PROBABILITY),
            about=string(event, names.ABOUT),
        )
        for event in _named(span, names.LOW_CONFIDENCE_EVENT)
        if (start := number(event, names.TOKEN_START)) is not None
        and (count := number(event, names.TOKEN_COUNT)) is not None
    ]
    return sorted(found, key=lambda each: -1.0 if each.min_probability is None else each.min_probability)


def choices_of(span: SpanData) -> list[Mapping[str, Any]]:
    """Return the attributes of each of several choices, in order."""
    return sorted(_named(span, names.CHOICE_EVENT), key=lambda event: number(event, names.CHOICE_INDEX) or 0)


def chunks_of(span: SpanData) -> Chunks | None:
    """Return the arrivals, from the span's arrays, else from its events; None where nothing was streamed."""
    starts, offsets = span.attributes.get(names.CHUNK_STARTS), span.attributes.get(names.CHUNK_OFFSETS)
    if isinstance(offsets, list | tuple):
        if not isinstance(starts, list | tuple):  # each chunk brought one token
            starts = range(len(offsets))
        pairs = [pair for pair in zip(starts, offsets, strict=False) if all(isinstance(item, int) for item in pair)]
        if pairs:
            return Chunks(tuple(start for start, _ in pairs), tuple(offset for _, offset in pairs), grouped=False)
    found = sorted(
        (int(start), event.time_ns // 1000 - span.start_ns // 1000, number(event.attributes, names.CHUNK_INDEX))
        for event in span.events
        if event.name == names.CHUNK_EVENT and (start := number(event.attributes, names.TOKEN_START)) is not None
    )
    if not found:
        return None
    grouped = any(index is not None and index != place for place, (_, _, index) in enumerate(found))
    return Chunks(tuple(start for start, _, _ in found), tuple(offset for _, offset, _ in found), grouped)


def _named(span: SpanData, name: str) -> Iterator[Mapping[str, Any]]:
    return (event.attributes for event in span.events if event.name == name)
