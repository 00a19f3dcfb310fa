"""How sure was the model of each value in its JSON answer?

The values are located in the text by a scanner, the tokens by their alignment, and each value gets the logprobs of the
tokens that spell its core: a string without its quotes, a number or word itself, never a key, a colon or a comma.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_logprobs.confidence.alignment.align import Alignment, align
from langchain_logprobs.confidence.fields.distribution import distribution, encodings
from langchain_logprobs.confidence.fields.json_scan import Document, Kind, Value, find_document
from langchain_logprobs.confidence.fields.report import Field, FieldReport, FieldStatus
from langchain_logprobs.confidence.fields.schema import Scalar, SchemaNode
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob, usable_logprob

_CONTAINERS = frozenset({"object", "array"})
_CLOSED_DOMAIN = frozenset({"number", "boolean", "null"})
_DEFAULT_LABELS: dict[str, tuple[Scalar, ...]] = {"boolean": (True, False), "null": (None,)}


def field_confidences(
    tokens: Sequence[TokenLogprob], text: str | Alignment | None = None, *, schema: object = None
) -> FieldReport:
    """Give each value of the JSON in an answer its confidence.

    Args:
        tokens: The tokens of the answer.
        text: The answer's text, or its alignment where that is known already. None: what the tokens spell. The JSON
            can be the whole text, a fenced block, or stand in prose.
        schema: What the answer follows, to know which values are from a closed list: a JSON schema, a Pydantic model
            class, or another type that Pydantic can describe. One that cannot be read counts as none.

    Returns:
        The fields, or a status that says why there are none. Never raises.
    """
    alignment = text if isinstance(text, Alignment) else align(tokens, text)
    document = find_document(alignment.text)
    if document is None:
        return FieldReport(FieldStatus.NO_JSON, alignment.status)
    if document.state == "invalid":
        return FieldReport(FieldStatus.INVALID, alignment.status, (), f"{document.problem} at {document.end}")
    if alignment.failed:
        return FieldReport(FieldStatus.FAILED, alignment.status)
    status = FieldStatus.OK if document.state == "complete" else FieldStatus.TRUNCATED
    return FieldReport(status, alignment.status, document_fields(tokens, alignment, document, schema))


def document_fields(
    tokens: Sequence[TokenLogprob], alignment: Alignment, document: Document, schema: object
) -> tuple[Field, ...]:
    """Give each value of a scanned document its confidence; as `field_confidences`, which finds the document."""
    return _Assignment(tokens, alignment, document.values, schema).fields()


@dataclass(slots=True)
class _Tally:
    """The numbers of a range of tokens, or of the union of several ranges."""

    first: int
    stop: int
    count: int
    censored: int
    joint: float
    weakest: float | None
    weakest_index: int | None
    straddles: bool = False
    shared: bool = False
    empty_core: bool = False


class _Assignment:
    """Gives the values of one document their tokens."""

    def __init__(
        self, tokens: Sequence[TokenLogprob], alignment: Alignment, values: list[Value], schema: object
    ) -> None:
        self.tokens = tokens
        self.alignment = alignment
        self.values = values
        self.logprobs = [usable_logprob(token.logprob) for token in tokens]
        node = SchemaNode.of(schema) if schema is not None else None
        self.nodes: list[SchemaNode | None] | None = [node] if node is not None else None
        self.encodings: dict[int, list[bytes]] = {}  # by the identity of the labels, as (True,) == (1,)

    def fields(self) -> tuple[Field, ...]:
        """The field of every value, in order."""
        values = self.values
        holders = {value.parent for value in values}
        tallies: list[_Tally | None] = [None] * len(values)
        previous: _Tally | None = None
        for index, value in enumerate(values):
            if index not in holders:
                tally = tallies[index] = self._tally(value)
                if tally is not None:
                    if previous is not None and tally.first < previous.stop:
                        tally.shared = previous.shared = True
                    previous = tally
        self._add_up(tallies)
        self._find_nodes()
        return tuple(self._field(index, value, tallies[index]) for index, value in enumerate(values))

    def _tally(self, value: Value) -> _Tally | None:
        """The numbers of a value that holds no others; None where its tokens are not known."""
        alignment, text = self.alignment, self.alignment.text
        start, end = value.core_start, value.core_end
        empty_core = start == end or value.kind in _CONTAINERS
        if empty_core:
            start, end = value.start, value.end
        if not alignment.covers(start, end):
            return None
        indices = alignment.tokens_between(start, end)
        tally = self._sum(indices)
        before = text[alignment.starts[indices.start] : start]
        behind = text[end : alignment.ends[indices.stop - 1]]
        tally.straddles = bool((before and before.strip()) or (behind and behind.strip()))
        tally.empty_core = empty_core
        return tally

    def _sum(self, indices: range) -> _Tally:
        first, stop = indices.start, indices.stop
        if stop - first == 1:
            logprob = self.logprobs[first]
            if logprob is None:
                return _Tally(first, stop, 1, 1, 0.0, None, None)
            return _Tally(first, stop, 1, 0, logprob, logprob, first)
        every = self.logprobs[first:stop]
        scored = [logprob for logprob in every if logprob is not None]
        weakest = min(scored, default=None)
        weakest_index = None if weakest is None else first + every.index(weakest)
        return _Tally(first, stop, stop - first, len(every) - len(scored), math.fsum(scored), weakest, weakest_index)

    def _add_up(self, tallies: list[_Tally | None]) -> None:
        """Make the containers' tallies from those of their members, the inner ones first."""
        members: dict[int, list[_Tally]] = {}
        for index in range(len(tallies) - 1, -1, -1):
            if index in members:
                tallies[index] = self._union(members.pop(index)[::-1])
            tally, parent = tallies[index], self.values[index].parent
            if tally is not None and parent >= 0:
                members.setdefault(parent, []).append(tally)

    def _union(self, members: list[_Tally]) -> _Tally:
        # Ranges ascend with the text, so that a token counted twice lies in two neighbouring ones.
        twice: list[float | None] = []
        stop = 0
        for member in members:
            if member.first < stop:
                twice += self.logprobs[member.first : min(stop, member.stop)]
            stop = max(stop, member.stop)
        scored_twice = [logprob for logprob in twice if logprob is not None]
        scored = [member for member in members if member.weakest is not None]
        weakest = min(scored, key=lambda member: member.weakest or 0.0) if scored else None
        return _Tally(
            members[0].first,
            stop,
            sum(member.count for member in members) - len(twice),
            sum(member.censored for member in members) - (len(twice) - len(scored_twice)),
            math.fsum([*(member.joint for member in members), *(-logprob for logprob in scored_twice)]),
            weakest.weakest if weakest else None,
            weakest.weakest_index if weakest else None,
        )

    def _find_nodes(self) -> None:
        """Find the place of every value in the schema."""
        if self.nodes is not None:
            for value in self.values[1:]:
                parent = self.nodes[value.parent]
                self.nodes.append(parent.child(value.key) if parent is not None else None)

    def _field(self, index: int, value: Value, tally: _Tally | None) -> Field:
        kind = value.kind
        node = self.nodes[index] if self.nodes is not None else None
        labels = node.allowed(kind) if node is not None and kind not in _CONTAINERS else None
        joint = mean = confidence = weakest = end_logprob = end_probability = None
        spread = None
        span = self.alignment.byte_offset(value.start), self.alignment.byte_offset(value.end)
        if tally is not None:
            scored = tally.count - tally.censored
            if scored:
                joint = min(tally.joint, 0.0)
                mean = joint / scored
                weakest = math.exp(tally.weakest or 0.0)
                if labels is None and kind not in _CLOSED_DOMAIN:
                    confidence = math.exp(mean)
                elif not tally.censored:
                    confidence = math.exp(joint)
            if value.closed and kind not in _CONTAINERS:
                end_logprob, end_probability = self._end(value, tally)
                allowed = labels or _DEFAULT_LABELS.get(kind)
                if allowed:
                    if id(allowed) not in self.encodings:
                        self.encodings[id(allowed)] = encodings(allowed)
                    encoded = self.encodings[id(allowed)]
                    spread = distribution(self.tokens, self.alignment, span, tally.first, allowed, encoded)
        return Field(
            value.path,
            kind,
            value.start,
            value.end,
            value.core_start,
            value.core_end,
            *span,
            span[0] + value.core_start - value.start,  # a quote is one byte
            span[1] + value.core_end - value.end,
            None if tally is None else tally.first,
            0 if tally is None else tally.count,
            0 if tally is None else tally.censored,
            joint,
            mean,
            weakest,
            None if tally is None else tally.weakest_index,
            confidence,
            end_logprob,
            end_probability,
            value.closed,
            value.shadowed,
            tally is not None and tally.shared,
            tally is not None and tally.straddles,
            tally is not None and tally.empty_core,
            spread,
        )

    def _end(self, value: Value, tally: _Tally) -> tuple[float | None, float | None]:
        """Logprob of the token that ends a value, and the probability of everything that ends it there."""
        alignment, end = self.alignment, value.core_end
        index = tally.stop
        if tally.empty_core or alignment.ends[index - 1] > end or index >= len(self.tokens):
            return None, None
        if end < len(alignment.text) and not alignment.starts[index] <= end < alignment.ends[index]:
            return None, None
        token, logprob = self.tokens[index], self.logprobs[index]
        parts = [] if logprob is None else [math.exp(logprob)]
        emitted = False
        for alternative in token.alternatives:
            if not emitted and alternative.token == token.token:
                emitted = True
            elif (other := usable_logprob(alternative.logprob)) is not None and _ends_value(value.kind, alternative):
                parts.append(math.exp(other))
        return logprob, min(1.0, math.fsum(parts)) if parts else None


def _ends_value(kind: Kind, alternative: Alternative) -> bool:
    """Whether the value would have ended before this alternative too."""
    first = alternative.token[:1]
    if kind == "string":
        return first == '"'
    return not (first.isalnum() or first in {"", ".", "+", "-", "_"})
