"""Findings to events: name, time and attributes. Whether they go on the span or out as log records is told later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_logprobs.capture import Chunk
from langchain_logprobs.findings import Findings
from langchain_logprobs.telemetry import attributes, names


class Event(NamedTuple):
    """One event.

    Attributes:
        name: Its name.
        time: When it happened (nanoseconds since the epoch).
        attributes: Its attributes.
    """

    name: str
    time: int
    attributes: dict[str, Any]


def chunk_events(
    chunks: Sequence[Chunk], most: int, tokens: Sequence[str] | None, values: Sequence[float] | None
) -> Iterator[Event]:
    """Yield one event for each chunk that brought tokens, or, over `most`, one for each group of neighbours.

    The events tile the answer: no token is missing, none is in two, and their times are in order.

    Args:
        chunks: The chunks, in order.
        most: How many events at the most.
        tokens: The answer's tokens, for events that carry their own; None where the span's arrays have to do.
        values: Their logprobs (nats), likewise.
    """
    count = min(most, len(chunks))
    for group in range(count):
        first = group * len(chunks) // count
        last = (group + 1) * len(chunks) // count - 1
        start = chunks[first].start
        end = chunks[last].start + chunks[last].count
        recorded: dict[str, Any] = {
            names.CHUNK_INDEX: first,
            names.TOKEN_START: start,
            names.TOKEN_COUNT: end - start,
        }
        if tokens is not None:
            recorded[names.TOKENS] = tokens[start:end]
        if values is not None:
            recorded[names.VALUES] = values[start:end]
        yield Event(names.CHUNK_EVENT, chunks[first].time, recorded)


def choice_events(findings: Findings, time: int, *, capture_text: bool) -> Iterator[Event]:
    """Yield one event for each of several choices, with its own measures."""
    if len(findings.choices) < 2:
        return
    for index, (tokens, measures) in enumerate(zip(findings.choices, findings.measures, strict=True)):
        pairs = attributes.choice(index, tokens, measures, capture_text=capture_text)
        yield Event(names.CHOICE_EVENT, time, attributes.present(pairs))


def time_of_token(index: int, chunks: Sequence[Chunk], default: int) -> int:
    """Return when a token arrived (nanoseconds since the epoch); `default` where it came in no chunk."""
    low, high = 0, len(chunks)
    while low < high:  # the last chunk that starts at or before the token
        middle = (low + high) // 2
        if chunks[middle].start <= index:
            low = middle + 1
        else:
            high = middle
    return chunks[low - 1].time if low else default
