"""Findings to events: name, time and attributes. Whether they go on the span or out as log records is told later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_logprobs.capture.received import Chunks
from langchain_logprobs.confidence.findings import Findings
from langchain_logprobs.confidence.stretches import Stretch
from langchain_logprobs.telemetry import attributes, names

MAX_TEXT = 500
"""Code points of a stretch that are recorded: some backends cut every string at 2,048 bytes."""


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
    chunks: Chunks, most: int, tokens: Sequence[str] | None, values: Sequence[float] | None
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
        start = chunks.start_of(first)
        end = chunks.start_of((group + 1) * len(chunks) // count)
        recorded: dict[str, Any] = {
            names.CHUNK_INDEX: first,
            names.TOKEN_START: start,
            names.TOKEN_COUNT: end - start,
        }
        if tokens is not None:
            recorded[names.TOKENS] = tokens[start:end]
        if values is not None:
            recorded[names.VALUES] = values[start:end]
        yield Event(names.CHUNK_EVENT, chunks.times[first], recorded)


def choice_events(findings: Findings, time: int, *, capture_text: bool) -> Iterator[Event]:
    """Yield one event for each of several choices, with its own measures."""
    if len(findings.choices) < 2:
        return
    for index, (tokens, measures) in enumerate(zip(findings.choices, findings.measures, strict=True)):
        pairs = attributes.choice(index, tokens, measures, capture_text=capture_text)
        yield Event(names.CHOICE_EVENT, time, attributes.present(pairs))


def stretch_events(
    stretches: Sequence[Stretch], chunks: Chunks, end_time: int, floor: float, *, capture_text: bool
) -> Iterator[Event]:
    """Yield one event for each low-confidence stretch, at the arrival of its first token.

    Args:
        stretches: The stretches.
        chunks: When the tokens arrived.
        end_time: The time for tokens that came in no chunk (nanoseconds since the epoch).
        floor: What is recorded for a logprob that is no honest number (nats).
        capture_text: Whether text is recorded.
    """
    for stretch in stretches:
        recorded: dict[str, Any] = {
            names.TEXT_START: stretch.start,
            names.TEXT_END: stretch.end,
            names.TOKEN_START: stretch.token_start,
            names.TOKEN_COUNT: stretch.token_count,
            names.SEVERITY: stretch.severity,
            names.MIN_PROBABILITY: stretch.min_probability,
            names.MEAN: stretch.mean_logprob,
        }
        if capture_text:
            recorded[names.TEXT] = attributes.clean(stretch.text[:MAX_TEXT])
        if stretch.alternatives:
            others = stretch.alternatives
            recorded[names.ALTERNATIVE_VALUES] = attributes.values(others.logprobs, floor)[0]
            if capture_text:
                recorded[names.ALTERNATIVE_TOKENS] = attributes.clean_all(others.texts)
        time = chunks.time_of(stretch.token_start, end_time)
        yield Event(names.LOW_CONFIDENCE_EVENT, time, attributes.present(recorded.items()))
