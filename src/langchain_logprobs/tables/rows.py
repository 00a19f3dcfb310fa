"""Spans to rows: the model calls of traces, their values and their stretches. Every number is read from a span."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_logprobs.confidence.fields.agreement import agreement
from langchain_logprobs.tables.columns import COLUMNS, Kind
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, is_number, number, string
from langchain_logprobs.view.messages import read_messages
from langchain_logprobs.view.model import Node, SpanData, read_traces
from langchain_logprobs.view.values import places

Row = dict[str, Any]

_KINDS = {'"': "string", "t": "boolean", "f": "boolean", "n": "null"}
_MOST_SECONDS = 250_000_000_000  # about the year 9892, the last that Python can name


@dataclass(frozen=True, slots=True)
class Called:
    """A model call with what is known of the place where it was made.

    Attributes:
        node: The call.
        above: The spans above it, the nearest first; none where they are not in the source.
    """

    node: Node
    above: tuple[SpanData, ...]

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of its span."""
        return self.node.span.attributes

    def find(self, name: str) -> str | None:
        """Return an attribute of it, or of the nearest span above it that has it, as text; None where none has."""
        for span in (self.node.span, *self.above):
            value = span.attributes.get(name)
            if isinstance(value, str | int | float) and value != "":
                return str(value)
        return None

    @property
    def model(self) -> str | None:
        """The model that answered, or that was asked."""
        return string(self.attributes, names.RESPONSE_MODEL) or string(self.attributes, names.REQUEST_MODEL)

    @property
    def question(self) -> str | None:
        """The last message of the user, where prompts were recorded."""
        messages = read_messages(self.attributes.get(names.INPUT_MESSAGES))
        return next((message.text for message in reversed(messages) if message.role in ("user", "human")), None)


def calls_in(spans: Iterable[SpanData]) -> Iterator[Called]:
    """Yield the model calls among spans, trace by trace, in the order in which they started."""
    for trace in read_traces(spans):
        found: list[Called] = []
        waiting: list[tuple[Node, tuple[SpanData, ...]]] = [(root, ()) for root in trace.roots]
        while waiting:
            node, above = waiting.pop()
            waiting.extend((child, (node.span, *above)) for child in node.children)
            if node.answer is not None:
                found.append(Called(node, above))
        yield from sorted(found, key=lambda each: (each.node.span.start_ns, each.node.span.span_id))


def rows_of(called: Called, of: str) -> Iterator[Row]:
    """Yield the rows of a model call in a table."""
    answer = called.node.answer
    if answer is not None:
        yield from {"calls": _call_rows, "fields": _field_rows, "stretches": _stretch_rows}[of](called, answer)


def _call_rows(called: Called, answer: Answer) -> Iterator[Row]:
    span, attributes = called.node.span, called.attributes
    agreed = agreement(choice_texts(answer))
    error = span.error if span.error is None else span.error or string(attributes, names.ERROR_TYPE) or "error"
    yield {
        **_repeated("calls", attributes),
        **_identity(called),
        "parent_id": span.parent_id,
        "step": called.above[0].name if called.above else None,
        "name": span.name,
        "seconds": called.node.seconds,
        "conversation": called.find(names.CONVERSATION),
        "finish": _joined(attributes.get(names.FINISH_REASONS)),
        "error": error,
        "certainty": called.node.score,
        "choices": len(answer.choices) or None,
        "agreement": min(agreed.values(), default=None),
        "question": called.question,
        "answer": answer_text(answer),
    }


def _field_rows(called: Called, answer: Answer) -> Iterator[Row]:
    agreed = agreement(choice_texts(answer))
    for field, place in zip(answer.fields, places(answer), strict=True):
        kind, value = _spelled(place.text) if place is not None else (None, None)
        yield {
            **_identity(called),
            "path": field.path,
            "kind": kind,
            "value": value,
            "confidence": None if field.censored else field.confidence,
            "at_most": field.confidence if field.censored else None,
            "min_probability": field.min_probability,
            "weakest": None if field.weakest is None else field.weakest.text,
            "nearly": None if field.runner_up is None else field.runner_up[0],
            "nearly_probability": None if field.runner_up is None else field.runner_up[1],
            "choices": len(answer.choices) or None,
            "agreement": agreed.get(field.path),
        }


def _stretch_rows(called: Called, answer: Answer) -> Iterator[Row]:
    for event in called.node.span.events:
        if event.name != names.LOW_CONFIDENCE_EVENT:
            continue
        nearly, probability = _best_other(answer, event.attributes)
        yield {
            **_repeated("stretches", event.attributes),
            **_identity(called),
            "nearly": nearly,
            "nearly_probability": probability,
        }


def choice_texts(answer: Answer) -> list[str]:
    """Return the texts of a call's several answers; none where one of them was not recorded."""
    texts = [choice.text for choice in answer.choices]
    return [text for text in texts if text is not None] if None not in texts else []


def answer_text(answer: Answer) -> str | None:
    """Return the text of a call's first answer, its tool calls as they were spelled; None where not recorded."""
    if answer.tokens and not answer.omitted:
        counted = [token.text for token in answer.tokens if token.counted and token.text is not None]
        return "".join(counted) if counted else None
    messages = read_messages(answer.attributes.get(names.OUTPUT_MESSAGES))
    return messages[0].text if messages else None


def _identity(called: Called) -> Row:
    span = called.node.span
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "start": _moment(span.start_ns),
        "model": called.model,
    }


def _repeated(of: str, attributes: Mapping[str, Any]) -> Row:
    """Return the cells that repeat an attribute; one of another type than its column's counts as absent."""
    return {
        each.name: _of_kind(attributes.get(each.attribute), each.kind)
        for each in COLUMNS[of]
        if each.attribute is not None
    }


def _of_kind(value: Any, kind: Kind) -> Any:
    if kind == "flag":
        return value if isinstance(value, bool) else None
    if kind == "text":
        return value if isinstance(value, str) else None
    if not is_number(value):
        return None
    return float(value) if kind == "number" else int(value)


def _moment(nanoseconds: int) -> str | None:
    """Return a time as ISO 8601 with microseconds; None where the span has none."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    if not 0 < nanoseconds < _MOST_SECONDS * 1_000_000_000:
        return None
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _joined(value: Any) -> str | None:
    listed = [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []
    return ", ".join(dict.fromkeys(listed)) or None


def _spelled(text: str) -> tuple[str, str]:
    """Return the kind of a value and the value as text, from its JSON; a label that is no JSON is a string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "string", text
    kind = _KINDS.get(text.lstrip()[:1], "number")
    return kind, value if isinstance(value, str) else text


def _best_other(answer: Answer, event: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """Return what could most probably have stood at a stretch's weakest token, and its probability."""
    start, count = number(event, names.TOKEN_START), number(event, names.TOKEN_COUNT)
    if start is None or count is None:
        return None, None
    members = [token for token in answer.tokens if start <= token.index < start + count]
    weakest = min(members, key=lambda token: -1.0 if token.probability is None else token.probability, default=None)
    return weakest.alternatives[0] if weakest is not None and weakest.alternatives else (None, None)
