"""What is said of a trace in scores: the confidence and the weakest place of its model calls and of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import number, string
from langchain_logprobs.view.model import Node, SpanData, Trace

CONFIDENCE = "confidence"
LEVEL = "confidence_level"
WEAKEST = "weakest"

IDENTIFIER = "langchain-logprobs"
"""Who wrote a score, by which it is found again."""

_LONGEST = 500


class Mark(NamedTuple):
    """What is said of one span.

    Attributes:
        trace_id: Its trace (hexadecimal).
        span_id: The span.
        whole: Whether it stands for its trace: the least certain of the roots.
        level: `high`, `medium` or `low`.
        score: The number behind the level; None where that is not known, or a censored token made the level.
        answer: The answer with its unsure places spelled out; None where text was not recorded.
        weakest: The weakest place in words, `/currency “EUR” .16, nearly USD .70`; None where there is none.
        weakest_score: The probability of that; None where not known.
    """

    trace_id: str
    span_id: str
    whole: bool
    level: str
    score: float | None
    answer: str | None
    weakest: str | None
    weakest_score: float | None


def marks_of(trace: Trace) -> list[Mark]:
    """Return what is said of a trace's model calls and roots; of those without logprobs nothing."""
    nodes = list(_with_children(trace.roots))
    spans = {node.span.span_id: node.span for node in nodes}
    roots = [node for node in trace.roots if node.level is not None]
    order = ["low", "medium", "high"]
    worst = min(
        roots,
        key=lambda node: (
            order.index(node.level) if node.level in order else len(order),
            -1.0 if node.score is None else node.score,
        ),
        default=None,
    )
    marked = [node for node in nodes if node.level is not None and (node.answer is not None or node in roots)]
    return [_mark(node, spans, whole=node is worst) for node in marked]


def _with_children(nodes: tuple[Node, ...]) -> Iterator[Node]:
    left = list(nodes)
    for node in left:  # grows while it is walked
        left.extend(node.children)
    return iter(left)


def _mark(node: Node, spans: dict[str, SpanData], *, whole: bool) -> Mark:
    span = node.span
    # A root says which call made its level; that call's text is what explains it.
    told = spans.get(string(span.attributes, names.WORST_SPAN_ID) or "", span)
    answer = string(told.attributes, names.ANSWER)
    path = node.least_field
    score = node.score
    weakest_score = score if path is not None else number(span.attributes, names.MIN_PROBABILITY)
    if path is None and span.attributes.get(names.MIN_CENSORED) is True:
        # In a column that is sorted, the number of the other tokens would hide this trace among the sure ones.
        score = weakest_score = None
    place = _first_place(told)
    token = string(span.attributes, names.MIN_TOKEN)
    parts = [path, place if place is not None else token]
    return Mark(
        trace_id=span.trace_id,
        span_id=span.span_id,
        whole=whole,
        level=node.level or "",
        score=score,
        answer=None if answer is None else answer[:_LONGEST],
        weakest=" ".join(part for part in parts if part)[:_LONGEST] or None,
        weakest_score=weakest_score,
    )


def _first_place(span: SpanData) -> str | None:
    """Return the worst of the unsure places that the messages name."""
    try:
        messages = json.loads(string(span.attributes, names.OUTPUT_MESSAGES) or "[]")
        for part in messages[0]["parts"]:
            if part["type"] == "token_confidence":
                return str(part["unsure"]).split(" · ")[0] or None
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return None
