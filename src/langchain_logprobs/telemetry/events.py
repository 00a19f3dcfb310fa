"""A report to events: name, time and attributes. Whether they go on the span or out as log records is told later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_logprobs.confidence.inputs import Chunks
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.confidence.stretches import Stretch
from langchain_logprobs.formats.tokens import usable_logprob
from langchain_logprobs.telemetry import attributes, names
from langchain_logprobs.telemetry.attributes import MAX_STRING
from langchain_logprobs.telemetry.sentences import Passage, about

CHUNK_GROUPS = 16
"""So many events the chunks of an answer share where each of them cannot have its own."""


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


def line_of(event: Event, *, with_text: bool) -> str:
    """Return an event in one line, for the body of a log record: what log viewers show.

    Args:
        event: It.
        with_text: Whether the line may quote the model.
    """
    told = event.attributes
    if event.name == names.LOW_CONFIDENCE_EVENT:
        if with_text:
            return str(told[names.ABOUT])
        weakest = told.get(names.MIN_PROBABILITY)
        how = "no honest logprob" if weakest is None else f"probability {weakest:.2f}"
        return f"low confidence: {how} from token {told[names.TOKEN_START]} on"
    if event.name == names.CHUNK_EVENT:
        start, count = told[names.TOKEN_START], told[names.TOKEN_COUNT]
        which = f"token {start}" if count == 1 else f"tokens {start} to {start + count - 1}"
        return f"chunk {told[names.CHUNK_INDEX]} brought {which}"
    if event.name == names.CHOICE_EVENT:
        score = told.get(names.CONFIDENCE)
        return f"choice {told[names.CHOICE_INDEX]}: " + ("no score" if score is None else f"score {score:.2f}")
    if event.name == names.ACTION_EVENT:
        about = told.get(names.ABOUT) if with_text else None
        return f"{told[names.ACTION]}" if about is None else f"{told[names.ACTION]}: {about}"
    line = f"token confidence is {told[names.EVALUATION_LABEL]} ({told[names.EVALUATION_SCORE]:.2f})"
    explanation = told.get(names.EVALUATION_EXPLANATION) if with_text else None
    return line if explanation is None else f"{line}: {explanation}"


def chunk_events(chunks: Chunks, limit: int, tokens: Sequence[str], values: Sequence[float] | None) -> Iterator[Event]:
    """Yield one event for each chunk that brought tokens, or, over `limit`, one for each group of neighbours.

    The events tile the answer: no token is missing, none is in two, and their times are in order.

    Args:
        chunks: The chunks, in order.
        limit: How many events at the most; over it, neighbours share one, which makes at most `CHUNK_GROUPS`.
        tokens: The answer's tokens.
        values: Their logprobs (nats), for events that carry their own; None where the span's arrays have to do.
    """
    count = len(chunks) if len(chunks) <= limit else min(limit, CHUNK_GROUPS)
    for group in range(count):
        first = group * len(chunks) // count
        start = chunks.start_of(first)
        end = chunks.start_of((group + 1) * len(chunks) // count)
        recorded: dict[str, Any] = {
            names.CHUNK_INDEX: first,
            names.TOKEN_START: start,
            names.TOKEN_COUNT: end - start,
        }
        if values is not None:
            recorded[names.TOKENS] = list(tokens[start:end])
            recorded[names.VALUES] = list(values[start:end])
        yield Event(names.CHUNK_EVENT, chunks.times[first], recorded)


def choice_events(report: ConfidenceReport, time: int) -> Iterator[Event]:
    """Yield one event for each of several choices, with its own measures."""
    if len(report.choices) < 2:
        return
    for index, choice in enumerate(report.choices):
        yield Event(names.CHOICE_EVENT, time, attributes.present(attributes.choice(index, choice)))


def evaluation_event(report: ConfidenceReport, passage: Passage, time: int) -> Event | None:
    """Return the verdict as OpenTelemetry's own event for a score; None where there is no level."""
    verdict = report.verdict
    if verdict.level is None:
        return None
    recorded = {
        names.EVALUATION_NAME: "token_confidence",
        names.EVALUATION_SCORE: 0.0 if verdict.score is None else verdict.score,
        names.EVALUATION_LABEL: verdict.level,
    }
    if passage.places:
        recorded[names.EVALUATION_EXPLANATION] = "unsure of " + "; ".join(passage.labels[:3])
    elif verdict.level == "high":
        recorded[names.EVALUATION_EXPLANATION] = "sure throughout"
    return Event(names.EVALUATION_EVENT, time, recorded)


def stretch_events(
    stretches: Sequence[Stretch], tokens: Sequence[str], chunks: Chunks, end_time: int, floor: float
) -> Iterator[Event]:
    """Yield one event for each low-confidence stretch, at the arrival of its first token.

    Args:
        stretches: The stretches.
        tokens: The answer's tokens.
        chunks: When the tokens arrived.
        end_time: The time for tokens that came in no chunk (nanoseconds since the epoch).
        floor: What is recorded for a logprob that is no honest number (nats).
    """
    for stretch in stretches:
        recorded: dict[str, Any] = {
            names.ABOUT: about(stretch, tokens[stretch.min_index]),
            names.TEXT: stretch.text[:MAX_STRING],
            names.TEXT_START: stretch.start,
            names.TEXT_END: stretch.end,
            names.TOKEN_START: stretch.token_start,
            names.TOKEN_COUNT: stretch.token_count,
            names.SEVERITY: stretch.severity,
            names.MIN_PROBABILITY: stretch.min_probability,
            names.MEAN: stretch.mean_logprob,
        }
        if stretch.alternatives:
            logprobs = [usable_logprob(other.logprob) for other in stretch.alternatives]
            recorded[names.ALTERNATIVE_VALUES] = [floor if each is None else each for each in logprobs]
            recorded[names.ALTERNATIVE_TOKENS] = [other.token[:MAX_STRING] for other in stretch.alternatives]
        time = chunks.time_of(stretch.token_start, end_time)
        yield Event(names.LOW_CONFIDENCE_EVENT, time, attributes.present(recorded.items()))
