"""What there is to draw of a trace: spans in, a tree of small plain objects out. Nothing here knows how it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, number, read_answer, string

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_READ_EVENTS = (names.LOW_CONFIDENCE_EVENT, names.CHOICE_EVENT)
_MODEL_CALLS = frozenset({"chat", "text_completion", "generate_content"})


@dataclass(frozen=True, slots=True)
class EventData:
    """One event of a span."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpanData:
    """One span, wherever it was read from. Ids are lower-case hex; an error is its description, "" for none given."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    events: tuple[EventData, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One span in its tree.

    Attributes:
        span: The span.
        children: The spans below it, in the order in which they started.
        answer: What the model said, None where the span is not a model call.
        level: `high`, `medium` or `low`; on a span above model calls the worst of theirs. None where none had logprobs.
        confidence: exp(mean logprob) of the tokens of this span, or of the model calls below it.
        calls: How many model calls with logprobs are below it; None on a model call.
    """

    span: SpanData
    children: tuple[Node, ...]
    answer: Answer | None
    level: str | None
    confidence: float | None
    calls: int | None

    @property
    def seconds(self) -> float:
        """Its duration."""
        return max(0, self.span.end_ns - self.span.start_ns) / 1e9

    @property
    def least_field(self) -> str | None:
        """The path of the value that its level is taken from; None where that is the answer as a whole."""
        attributes = self.span.attributes
        of_fields = string(attributes, names.BASIS) == "fields"
        return string(attributes, names.FIELD_MIN_PATH) if of_fields else None

    @property
    def score(self) -> float | None:
        """The number behind its level: its confidence, or that of its least certain value. None where not known."""
        attributes, path = self.span.attributes, self.least_field
        if self.answer is None:
            rolled_up = names.WORST_SPAN_ID in attributes
            return number(attributes, names.WORST_CONFIDENCE) if rolled_up else self.confidence
        if path is None:
            return self.confidence
        if any(field.path == path and field.censored for field in self.answer.fields):
            return None
        return number(attributes, names.FIELD_MIN_CONFIDENCE)

    @property
    def worst_span_id(self) -> str | None:
        """The span of the model call below it that its level is taken from, where there are several."""
        return string(self.span.attributes, names.WORST_SPAN_ID) if (self.calls or 0) > 1 else None


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of one trace. More than one root where a parent is not among the spans that were read."""

    trace_id: str
    roots: tuple[Node, ...]


def span_data(span: ReadableSpan) -> SpanData:
    """Return a finished span of the OpenTelemetry SDK as the view reads it."""
    context = span.get_span_context()
    return SpanData(
        trace_id=f"{context.trace_id:032x}" if context else "",
        span_id=f"{context.span_id:016x}" if context else "",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=span.attributes or {},
        events=tuple(EventData(event.name, event.timestamp, event.attributes or {}) for event in span.events),
        error=(span.status.description or "") if span.status.status_code.name == "ERROR" else None,
    )


def read_traces(spans: Iterable[SpanData]) -> list[Trace]:
    """Arrange spans in trees.

    Args:
        spans: The spans of any number of traces, in any order. Of two with the same id the later one counts.

    Returns:
        The traces, in the order in which they started.
    """
    by_trace: dict[str, dict[str, SpanData]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, {})[span.span_id] = span
    ordered = sorted(by_trace.items(), key=lambda item: min(span.start_ns for span in item[1].values()))
    return [Trace(trace_id, _trees(members)) for trace_id, members in ordered]


def _trees(members: Mapping[str, SpanData]) -> tuple[Node, ...]:
    children: dict[str | None, list[SpanData]] = {}
    for span in sorted(members.values(), key=lambda span: span.start_ns):
        known = span.parent_id in members and span.parent_id != span.span_id
        children.setdefault(span.parent_id if known else None, []).append(span)
    # From the leaves up, without recursion: a trace can be deeper than Python's stack. Spans that are each other's
    # parents, which only a broken file has, are below no root and so are not drawn.
    order = list(children.get(None, ()))
    for span in order:
        order.extend(children.get(span.span_id, ()))
    nodes: dict[str, Node] = {}
    for span in reversed(order):
        nodes[span.span_id] = _node(span, tuple(nodes[child.span_id] for child in children.get(span.span_id, ())))
    return tuple(nodes[span.span_id] for span in children.get(None, ()))


def _node(span: SpanData, children: tuple[Node, ...]) -> Node:
    attributes = span.attributes
    is_call = (
        names.STATUS in attributes or names.VALUES in attributes or attributes.get(names.OPERATION) in _MODEL_CALLS
    )
    calls = number(attributes, names.CALL_COUNT)
    return Node(
        span=span,
        children=children,
        answer=_answer(span) if is_call else None,
        level=string(attributes, names.LEVEL),
        confidence=number(attributes, names.CONFIDENCE),
        calls=None if is_call or calls is None else int(calls),
    )


def _answer(span: SpanData) -> Answer:
    named = {name: [event.attributes for event in span.events if event.name == name] for name in _READ_EVENTS}
    return read_answer(span.attributes, *named.values())
