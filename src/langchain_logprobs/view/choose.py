"""Which traces, and which model calls in them, are to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import Node, Trace

LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model call must be like; what is not set does not matter.

    Attributes:
        low: It has a low-confidence stretch, or a token without an honest probability.
        level: Its level is this one.
        below: The number behind its level (its confidence, or that of its least certain value) is below this one, or
            cannot be told, because a token has no honest probability.
    """

    low: bool = False
    level: str | None = None
    below: float | None = None

    @property
    def everything(self) -> bool:
        """Whether any call will do."""
        return not self.low and self.level is None and self.below is None

    def takes(self, node: Node) -> bool:
        """Tell whether a node is a model call of this kind."""
        if node.answer is None:
            return False
        if self.low and node.span.attributes.get(names.DETECTED) is not True:
            return False
        if self.level is not None and node.level != self.level:
            return False
        if self.below is None or node.level is None:
            return self.below is None
        unknown = node.score is None or node.span.attributes.get(names.MIN_CENSORED) is True
        return unknown or (node.score or 0.0) < self.below


def choose(traces: Sequence[Trace], wanted: Wanted, *, calls: bool = False, last: bool = False) -> list[Trace]:
    """Return the traces that have a model call of a kind.

    Args:
        traces: From `read_traces`.
        wanted: The kind.
        calls: Leave out the steps around the model calls, and the calls of another kind.
        last: Only the trace among them that started last.
    """
    chosen = []
    for trace in traces:
        found = [node for node in calls_of(trace) if wanted.takes(node)]
        if found or (wanted.everything and not calls):
            chosen.append(Trace(trace.trace_id, tuple(found)) if calls else trace)
    return chosen[-1:] if last else chosen


def calls_of(trace: Trace) -> Iterator[Node]:
    """Yield the model calls of a trace in the order in which they stand in its tree."""
    waiting = list(reversed(trace.roots))
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if node.answer is not None:
            yield node
