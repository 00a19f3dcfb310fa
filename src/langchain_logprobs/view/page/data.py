"""What the page draws, as plain JSON. Every number in it was read from a span; positions count the drawn tokens.

Some tokens spell one character together and are drawn as one, so a position can differ from the index in the span's
arrays; `starts` has the indexes where they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_logprobs._version import __version__
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, is_number, number, string
from langchain_logprobs.view.events import Chunks, choices_of, chunks_of, stretches_of
from langchain_logprobs.view.messages import Message, read_messages
from langchain_logprobs.view.model import Node, SpanData, Trace
from langchain_logprobs.view.sources.restored import documented_type
from langchain_logprobs.view.values import first_indexes, places, position_of

Data = dict[str, Any]

_LEVELS = {"low": 0, "medium": 1, "high": 2}
_LISTED = 5  # places of an answer without recorded stretches
_LIST_BELOW = 0.5
_OURS = "logprobs."
_LONG = frozenset({names.ANSWER})  # what the page shows itself
_GENAI = (
    names.PROVIDER,
    names.REQUEST_MODEL,
    names.RESPONSE_MODEL,
    names.FINISH_REASONS,
    names.RESPONSE_ID,
    names.TIME_TO_FIRST_CHUNK,
    names.REQUEST_TEMPERATURE,
    names.USAGE + "input_tokens",
    names.USAGE + "output_tokens",
    names.CONVERSATION,
    names.TOOL_NAME,
    names.ERROR_TYPE,
)


def page_data(traces: Sequence[Trace]) -> Data:
    """Return what a page shows of traces, those with the least certain answers first.

    Args:
        traces: From `read_traces`.

    Returns:
        JSON: `{"version": ..., "traces": [...]}`, each trace with its row for the list and its spans.
    """
    ordered = unsure_first(traces)
    return {"version": __version__, "traces": [{**trace_row(trace), "spans": list(_spans(trace))} for trace in ordered]}


def list_data(traces: Sequence[Trace]) -> Data:
    """Return the same for a page that only lists the traces: no spans."""
    return {"version": __version__, "traces": [trace_row(trace) for trace in unsure_first(traces)]}


def unsure_first(traces: Sequence[Trace]) -> list[Trace]:
    """Return traces by their level, the low ones first; of one level those with low-confidence stretches first."""

    def rank(trace: Trace) -> tuple[int, bool, float]:
        worst = _worst(trace)
        if worst is None:
            return len(_LEVELS), True, -float(_start(trace))
        found = worst.span.attributes
        lowest = number(found, names.MIN_PROBABILITY)
        level = _LEVELS.get(worst.level or "", len(_LEVELS))
        return level, found.get(names.DETECTED) is not True, 1.0 if lowest is None else lowest

    return sorted(traces, key=rank)


def trace_row(trace: Trace) -> Data:
    """Return what a list of traces shows of one."""
    worst = _worst(trace)
    found: Mapping[str, Any] = worst.span.attributes if worst else {}
    nodes = [node for node, _ in _walk(trace)]
    return {
        "id": trace.trace_id,
        "name": trace.roots[0].span.name if trace.roots else "",
        "start_us": _start(trace) // 1000,
        "duration_us": max((node.span.end_ns for node in nodes), default=0) // 1000 - _start(trace) // 1000,
        "level": worst.level if worst else None,
        "confidence": worst.confidence if worst else None,
        "score": worst.score if worst else None,
        "weakest": string(found, names.MIN_TOKEN),
        "weakest_probability": number(found, names.MIN_PROBABILITY),
        "detected": found.get(names.DETECTED) is True,
        "tokens": number(found, names.TOKEN_COUNT),
        "calls": sum(node.answer is not None for node in nodes),
        "errors": sum(node.span.error is not None for node in nodes),
    }


def _worst(trace: Trace) -> Node | None:
    """Return the node that stands for a trace: its least certain root, or below roots without numbers the worst."""
    rated = [root for root in trace.roots if root.level] or [node for node, _ in _walk(trace) if node.level]

    def rank(node: Node) -> tuple[int, float]:
        return _LEVELS.get(node.level or "", len(_LEVELS)), -1.0 if node.score is None else node.score

    return min(rated, key=rank, default=None)


def _start(trace: Trace) -> int:
    return min((root.span.start_ns for root in trace.roots), default=0)


def _walk(trace: Trace) -> Iterator[tuple[Node, int]]:
    """Yield the nodes from the top down, each with its depth."""
    waiting = [(root, 0) for root in reversed(trace.roots)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed(node.children))


def _spans(trace: Trace) -> Iterator[Data]:
    begin = _start(trace) // 1000
    for node, depth in _walk(trace):
        span = node.span
        shown: Data = {
            "id": span.span_id,
            "parent": span.parent_id,
            "depth": depth,
            "name": span.name,
            "start_us": span.start_ns // 1000 - begin,
            "duration_us": max(0, span.end_ns // 1000 - span.start_ns // 1000),
            "level": node.level,
            "confidence": node.confidence,
            "score": node.score,
            "calls": node.calls,
            "error": span.error,
            "attributes": dict(_scalars(span.attributes)),
        }
        if node.answer is not None:
            shown["call"] = _call(node.answer, span)
        yield shown


def _scalars(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the numbers and words that are ours, and those of the conventions that the page shows.

    One of another type than it should have, which only a broken or hostile file holds, is left out.
    """
    for name in sorted(attributes):
        value = attributes[name]
        if name in _GENAI:
            kind = documented_type(name) or "string"
        elif name.startswith(_OURS) and name not in _LONG:
            kind = documented_type(name) or "any"
        else:
            continue
        if kind == "string[]" and name in _GENAI and isinstance(value, list | tuple):
            yield name, [str(item) for item in value]
        elif _fits(kind, value):
            yield name, value


def _fits(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind in ("boolean", "any")
    if isinstance(value, int | float):
        return kind in ("int", "double", "any") and is_number(value)
    return isinstance(value, str) and kind in ("string", "any")


def _call(answer: Answer, span: SpanData) -> Data:
    chunks, firsts = chunks_of(span), first_indexes(answer)
    return {
        "status": answer.status,
        "reason": answer.reason,
        "tokens": [token.text for token in answer.tokens],
        "logprobs": [token.logprob for token in answer.tokens],
        "starts": None if firsts[-1] == len(answer.tokens) else firsts[:-1],
        "alternatives": {
            str(position): [list(other) for other in token.alternatives]
            for position, token in enumerate(answer.tokens)
            if token.alternatives
        },
        "omitted": answer.omitted,
        "reasoning": answer.reasoning_size,
        "stretches": list(_stretches(firsts, span)),
        "least_certain": _least_certain(answer),
        "fields": list(_fields(answer, firsts)),
        "field_count": answer.field_count,
        "field_status": answer.field_status,
        "choices": [dict(_scalars(choice)) for choice in choices_of(span)],
        "chunks": None if chunks is None else _arrivals(firsts, chunks),
        "input": [_message(message) for message in read_messages(span.attributes.get(names.INPUT_MESSAGES))],
        "output": [_message(message) for message in read_messages(span.attributes.get(names.OUTPUT_MESSAGES))],
    }


def _stretches(firsts: Sequence[int], span: SpanData) -> Iterator[Data]:
    for stretch in stretches_of(span):
        first = position_of(firsts, stretch.start)
        last = position_of(firsts, stretch.start + stretch.count - 1)
        if first is not None and last is not None and last >= first:
            yield {
                "start": first,
                "count": last - first + 1,
                "text": stretch.text,
                "severity": stretch.severity,
                "probability": stretch.min_probability,
                "about": stretch.about,
            }


def _least_certain(answer: Answer) -> list[int]:
    place = {id(token): position for position, token in enumerate(answer.tokens)}
    return [place[id(token)] for token in answer.least_certain(_LISTED, _LIST_BELOW)]


def _fields(answer: Answer, firsts: Sequence[int]) -> Iterator[Data]:
    for field, place in zip(answer.fields, places(answer), strict=True):
        weakest = field.weakest
        yield {
            "path": field.path,
            "confidence": field.confidence,
            "censored": field.censored,
            "min_probability": field.min_probability,
            "value": place.text if place else None,
            "start": place.start if place else None,
            "count": place.size if place else None,
            "weakest": position_of(firsts, weakest.index) if weakest else None,
            "runner_up": list(field.runner_up) if field.runner_up else None,
        }


def _arrivals(firsts: Sequence[int], chunks: Chunks) -> Data:
    placed = [
        (position, offset)
        for start, offset in zip(chunks.starts, chunks.offsets_us, strict=True)
        if (position := position_of(firsts, start)) is not None
    ]
    return {
        "starts": [position for position, _ in placed],
        "offsets_us": [offset for _, offset in placed],
        "grouped": chunks.grouped,
    }


def _message(message: Message) -> Data:
    return {
        "role": message.role,
        "finish_reason": message.finish_reason,
        "parts": [{"kind": part.kind, "text": part.text, "name": part.name} for part in message.parts],
    }
