"""How a call's tokens are laid out on its span: what fits, and what is left out first where not everything does.

The arrays come first: they are the record. Then what explains them (the worst stretches, the alternatives of the
weakest tokens), and last what repeats them (each chunk's own tokens). All sizes are estimates of OTLP bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_logprobs.capture.received import Chunks
from langchain_logprobs.confidence.findings import Findings
from langchain_logprobs.confidence.stretches import worst_stretches
from langchain_logprobs.formats.tokens import FlatAlternatives, flatten_alternatives
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import attributes, names
from langchain_logprobs.telemetry.events import Event, choice_events, chunk_events, stretch_events

FEWEST_CHUNK_EVENTS = 8
FEWEST_STRETCHES = 8
"""So many are kept whatever the size of the arrays."""

_SUMMARY_BYTES = 2_400  # the resource, the span itself, its GenAI attributes and the measures
_FIELD_BYTES = 80
_CHUNK_EVENT_BYTES = 115
_STRETCH_EVENT_BYTES = 440
_CHOICE_EVENT_BYTES = 400
_FLOAT_BYTES = 11  # in an OTLP array: the value with the tags and lengths around it
_STRING_OVERHEAD = 4  # likewise, around the text
_INT_BYTES = 6


class Layout(NamedTuple):
    """What goes out for a call's tokens.

    Attributes:
        arrays: Span attributes.
        span_events: Events for the span.
        log_events: The same events for log records, which no budget of the span's binds.
    """

    arrays: dict[str, Any]
    span_events: list[Event]
    log_events: list[Event]


def lay_out(findings: Findings, chunks: Chunks, end_time: int, settings: Settings) -> Layout:
    """Lay out the tokens of a model call.

    Args:
        findings: What the call showed.
        chunks: When its tokens arrived.
        end_time: When it ended (nanoseconds since the epoch).
        settings: The budgets, and what is wanted at all.
    """
    tokens = attributes.clean_all(findings.tokens.texts)
    text = tokens if settings.capture_text else None
    values, censored = attributes.values(findings.tokens.logprobs, settings.censored_floor)
    array_bytes = _FLOAT_BYTES * len(values) + (0 if text is None else strings_size(text))
    on_span = settings.events in ("span", "both")
    choices = list(choice_events(findings, end_time, capture_text=settings.capture_text))

    spent = _SUMMARY_BYTES
    if findings.fields is not None:
        spent += _FIELD_BYTES * min(len(findings.fields.rows), settings.max_fields)
    most_stretches = most_chunks = 0
    if on_span:
        spent += _CHOICE_EVENT_BYTES * len(choices)
        most_chunks = min(settings.max_chunk_events, FEWEST_CHUNK_EVENTS, len(chunks))
        spent += _CHUNK_EVENT_BYTES * most_chunks
        affordable = (settings.detail_bytes - spent - array_bytes) // _STRETCH_EVENT_BYTES
        most_stretches = min(len(findings.stretches), max(FEWEST_STRETCHES, affordable))
        spent += _STRETCH_EVENT_BYTES * most_stretches
    recorded = _recorded(text, len(values), settings.span_bytes - spent)
    spent += array_bytes if recorded == len(values) else settings.span_bytes - spent
    if on_span:
        affordable = max(0, settings.detail_bytes - spent) // _CHUNK_EVENT_BYTES
        more = max(0, min(settings.max_chunk_events, len(chunks), most_chunks + affordable) - most_chunks)
        most_chunks += more
        spent += _CHUNK_EVENT_BYTES * more

    arrays: dict[str, Any] = {names.VALUES: values[:recorded]}
    if text is not None:
        arrays[names.TOKENS] = text[:recorded]
    if censored:
        arrays[names.CENSORED_POSITIONS] = [index for index in censored if index < recorded]
    if recorded < len(values):
        arrays[names.TOKENS_RECORDED] = recorded
    others = _alternatives(findings, recorded, spent, settings)
    arrays.update(attributes.alternatives(others, settings.censored_floor, capture_text=settings.capture_text))
    spent += alternatives_size(others.tokens)

    def events(chunk_count: int, stretch_count: int, repeat: bool) -> list[Event]:
        stretches = worst_stretches(findings.stretches, stretch_count)
        return [
            *chunk_events(chunks, chunk_count, text if repeat else None, values if repeat else None),
            *stretch_events(stretches, chunks, end_time, settings.censored_floor, capture_text=settings.capture_text),
            *choices,
        ]

    # A short answer has each chunk's tokens on its event too. For a long one the arrays, which the event points into,
    # have to do: repeating them would double the span.
    repeat = spent + array_bytes <= settings.detail_bytes
    on_log = settings.events in ("log", "both")
    return Layout(
        arrays,
        events(most_chunks, most_stretches, repeat) if on_span else [],
        events(settings.max_chunk_events, settings.max_stretches, True) if on_log else [],
    )


def strings_size(strings: Sequence[str]) -> int:
    """Return the size of an array of strings."""
    return len("".join(strings).encode("utf-8", "replace")) + _STRING_OVERHEAD * len(strings)


def alternatives_size(texts: Sequence[str]) -> int:
    """Return the size of the alternatives with these texts: a position, a string and a double each."""
    return strings_size(texts) + (_INT_BYTES + _FLOAT_BYTES) * len(texts)


def _recorded(text: Sequence[str] | None, count: int, room: int) -> int:
    """Return how many positions of the arrays fit into the room, counted from the start."""
    if _FLOAT_BYTES * count + (0 if text is None else strings_size(text)) <= room:
        return count
    for index in range(count):
        room -= _FLOAT_BYTES + (0 if text is None else _STRING_OVERHEAD + len(text[index].encode()))
        if room < 0:
            return index
    return count  # pragma: no cover  # the first line has seen that they do not all fit


def _alternatives(findings: Findings, recorded: int, spent: int, settings: Settings) -> FlatAlternatives:
    """Return the alternatives that are written; where not all fit that are wanted, those of the weakest tokens."""
    tokens = findings.tokens
    if settings.alternatives == "none":
        return flatten_alternatives(tokens, ())
    below = settings.low_probability
    limit = min(settings.detail_bytes, settings.span_bytes)
    if settings.alternatives == "all":
        everything = flatten_alternatives(tokens, range(recorded))
        limit = settings.span_bytes
        if spent + alternatives_size(everything.tokens) <= limit:
            return everything
        below = math.inf
    admitted = []
    for position in attributes.weakest_first(tokens, below, findings.fields):
        if position < recorded:
            spent += alternatives_size(tokens.alternatives_at(position).texts)
            if spent > limit:
                break
            admitted.append(position)
    return flatten_alternatives(tokens, sorted(admitted))
