"""How sure was the model of each value in its JSON answer?

The values are located in the text by a scanner, the tokens by their alignment, and each value gets the logprobs of the
tokens that spell it: its core (a string without its quotes, a number or word itself, never a key, a colon or a comma),
and what decided that it begins and ends there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment, align
from langchain_logprobs.confidence.fields.bare_label import BareLabel, find_label
from langchain_logprobs.confidence.fields.distribution import Distribution, distribution
from langchain_logprobs.confidence.fields.edges import Edge, end_edge, start_edge
from langchain_logprobs.confidence.fields.find_json import answer_start, find_document
from langchain_logprobs.confidence.fields.json_scan import Kind, Value
from langchain_logprobs.confidence.fields.json_value import scalar
from langchain_logprobs.confidence.fields.labels import LabelIndex
from langchain_logprobs.confidence.fields.report import Field, FieldReport, FieldStatus, Source, is_long_text
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.confidence.fields.tally import Tally, tally, union
from langchain_logprobs.confidence.fields.token_reader import TokenReader
from langchain_logprobs.formats.tokens import TokenLogprob

_CONTAINERS = frozenset({"object", "array"})
_BLANK = " \t\n\r"
_DEFAULT_LABELS: dict[str, LabelIndex] = {"boolean": LabelIndex((True, False)), "null": LabelIndex((None,))}
_STATUS = {
    "complete": FieldStatus.OK,
    "truncated": FieldStatus.TRUNCATED,
    "invalid": FieldStatus.INVALID,
    "too_large": FieldStatus.TOO_LARGE,
}


def field_confidences(
    tokens: Sequence[TokenLogprob],
    text: str | Alignment | None = None,
    *,
    schema: object = None,
    start: int | None = None,
) -> FieldReport:
    """Give each value of the JSON in an answer its confidence.

    Which tokens are the answer is worked out from the text alone; `confidence_of` also knows what the message and its
    chunks say of it, and finds tool calls.

    Args:
        tokens: The tokens of the answer.
        text: The answer's text, or its alignment where that is known already. None: what the tokens spell. The JSON
            can be the whole text, a fenced block, or stand in prose; `find_document` has the rule.
        schema: What the answer follows, to find the answer among several documents, and to know which values are from
            a closed list: a JSON schema, a Pydantic model class, or another type that Pydantic can describe. One that
            cannot be read counts as none. A value's confidence is the same with and without it.
        start: Where the answer begins in the text, in code points: behind its reasoning. None: behind the end mark of
            a reasoning part (`</think>` and the like) that the text may hold.

    Returns:
        The fields, or a status that says why there are none. An answer that is one word of a closed list, or one
        token with alternatives, is a field too, without being JSON: the status is `label`. Never raises.

    Example:
        >>> from langchain_logprobs import TokenLogprob, field_confidences
        >>> tokens = [TokenLogprob('{"total":', -0.01), TokenLogprob(" 97", -1.2), TokenLogprob("}", -0.01)]
        >>> field = field_confidences(tokens)["/total"]
        >>> field.value, round(field.confidence, 2)
        (97, 0.3)
    """
    alignment = text if isinstance(text, Alignment) else align(tokens, text)
    node = SchemaNode.of(schema) if schema is not None else None
    begin = answer_start(alignment.text) if start is None else start
    document = find_document(alignment.text, begin, node)
    label = find_label(tokens, alignment, begin, node, document)
    if label is None and (document is None or not document.values):
        status = FieldStatus.NO_JSON if document is None else _STATUS[document.state]
        if document is None and not tokens and not alignment.text:
            status = FieldStatus.NO_LOGPROBS
        problem = None if document is None else f"{document.problem} at {document.end}"
        return FieldReport(status, alignment.status, (), problem)
    if not tokens:
        return FieldReport(FieldStatus.NO_LOGPROBS, alignment.status)
    if alignment.failed:
        return FieldReport(FieldStatus.FAILED, alignment.status)
    reader = TokenReader(tokens, alignment.spelling)
    if label is not None:
        fields = Assignment(reader, alignment, [label.value], node, label=label).fields()
        return FieldReport(
            FieldStatus.LABEL if label.value.kind == "string" else FieldStatus.OK, alignment.status, fields
        )
    assert document is not None
    return FieldReport(
        _STATUS[document.state], alignment.status, Assignment(reader, alignment, document.values, node).fields()
    )


class _Numbers(NamedTuple):
    """What a value's tokens say of its probability."""

    probability: float | None
    confidence: float | None
    bound: float | None
    weakest: float | None
    weakest_index: int | None
    censored: int


class Assignment:
    """Gives the values of one document their tokens."""

    def __init__(
        self,
        reader: TokenReader,
        alignment: Alignment,
        values: list[Value],
        node: SchemaNode | None,
        *,
        origin: int = 0,
        text: str | None = None,
        label: BareLabel | None = None,
    ) -> None:
        """Take a document's values.

        Args:
            reader: The tokens.
            alignment: Their alignment with the text.
            values: The values.
            node: The schema of the whole document.
            origin: Offset of the document's text in the alignment's, where the values count in a part of it.
            text: That part; None for the alignment's whole text.
            label: The one value, where it stands without quotes.
        """
        self.reader = reader
        self.alignment = alignment
        self.values = values
        self.origin = origin
        self.byte_origin: int = alignment.byte_offset(origin)
        self.label = label
        self.source: Source = Source(alignment.text if text is None else text, values)
        self.nodes: list[SchemaNode | None] | None = [node] if node is not None else None

    def fields(self) -> tuple[Field, ...]:
        """Return the field of every value, in order."""
        values = self.values
        holders = {value.parent for value in values}
        tallies: list[Tally | None] = [None] * len(values)
        previous: Tally | None = None
        for index, value in enumerate(values):
            if index not in holders:
                own = tallies[index] = self._tally(value)
                if own is not None:
                    if previous is not None and own.first < previous.stop:
                        own.shared = previous.shared = True
                    previous = own
        self._add_up(tallies)
        self._find_nodes()
        fields: list[Field | None] = [None] * len(values)
        # From the end, so that a container comes after all that it holds, whose least is its confidence.
        least: dict[int, tuple[bool, float]] = {}
        for index in range(len(values) - 1, -1, -1):
            own_field = fields[index] = self._field(index, tallies[index], least.pop(index, None))
            parent = values[index].parent
            if parent >= 0 and (not own_field.shadowed or values[parent].shadowed):
                least[parent] = _least(least.get(parent), own_field)
        return tuple(field for field in fields if field is not None)

    def _tally(self, value: Value) -> Tally | None:
        """The numbers of a value that holds no others; None where its tokens are not known."""
        alignment, text = self.alignment, self.alignment.text
        start, end = value.core_start, value.core_end
        empty_core = start == end or value.kind in _CONTAINERS
        if empty_core:
            start, end = value.start, value.end
        start, end = start + self.origin, end + self.origin
        if not alignment.covers(start, end):
            return None
        indices = alignment.tokens_between(start, end)
        own = tally(self.reader.logprobs, indices)
        own.empty_core = empty_core
        before, behind = start - 1, end
        first, last = alignment.starts[indices.start], alignment.ends[indices.stop - 1]
        while before >= first and text[before] in _BLANK:
            before -= 1
        while behind < last and text[behind] in _BLANK:
            behind += 1
        own.straddles = before >= first or behind < last
        return own

    def _add_up(self, tallies: list[Tally | None]) -> None:
        """Make the containers' tallies from those of their members, the inner ones first."""
        members: dict[int, list[Tally]] = {}
        for index in range(len(tallies) - 1, -1, -1):
            if index in members:
                tallies[index] = union(self.reader.logprobs, members.pop(index)[::-1])
            own, parent = tallies[index], self.values[index].parent
            if own is not None and parent >= 0:
                members.setdefault(parent, []).append(own)

    def _find_nodes(self) -> None:
        """Find the place of every value in the schema."""
        if self.nodes is not None:
            for value in self.values[1:]:
                parent = self.nodes[value.parent]
                self.nodes.append(parent.child(value.key) if parent is not None else None)

    def _field(self, index: int, own: Tally | None, least: tuple[bool, float] | None) -> Field:
        value = self.values[index]
        start = end = None
        if own is not None:
            start = start_edge(self.reader, self.alignment, value, self.origin, own.first)
            if value.closed and value.kind not in _CONTAINERS and not own.empty_core:
                end = end_edge(self.reader, self.alignment, value, self.origin, own.stop)
        numbers = self._numbers(value, own, start, end, least)
        scored = own.count - own.censored if own is not None else 0
        joint = min(own.joint, 0.0) if own is not None and scored else None
        byte_start = self.alignment.byte_offset(value.start + self.origin) - self.byte_origin
        byte_end = self.alignment.byte_offset(value.end + self.origin) - self.byte_origin
        return Field(
            _source=self.source,
            _index=index,
            kind=value.kind,
            start=value.start,
            end=value.end,
            core_start=value.core_start,
            core_end=value.core_end,
            byte_start=byte_start,
            byte_end=byte_end,
            token_start=own.first if own is not None else None,
            token_count=own.count if own is not None else 0,
            censored_count=numbers.censored,
            joint_logprob=joint,
            mean_logprob=joint / scored if joint is not None else None,
            start_logprob=start.logprob if start is not None else None,
            start_probability=start.probability if start is not None else None,
            end_logprob=end.logprob if end is not None else None,
            end_probability=end.probability if end is not None else None,
            min_probability=numbers.weakest,
            min_index=numbers.weakest_index,
            probability=numbers.probability,
            confidence=numbers.confidence,
            confidence_bound=numbers.bound,
            closed=value.closed,
            shadowed=value.shadowed,
            shared=own is not None and own.shared,
            straddles=own is not None and own.straddles,
            empty_core=own is not None and own.empty_core,
            distribution=self._distribution(index, own),
        )

    def _numbers(
        self, value: Value, own: Tally | None, start: Edge | None, end: Edge | None, least: tuple[bool, float] | None
    ) -> _Numbers:
        if own is None:
            known, bound = least if least is not None else (True, 1.0)
            return _Numbers(None, None, None if known else bound, None, None, 0)
        weakest, weakest_index = None if own.weakest is None else math.exp(own.weakest), own.weakest_index
        hidden = [] if own.first_censored is None else [own.first_censored]
        censored = own.censored
        for edge in (start, end):
            if edge is None or (value.above is None and value.kind in _CONTAINERS):
                continue  # whether the answer is JSON at all says nothing about what is in it
            if edge.probability is None:
                censored += 1
                hidden.append(edge.token)
            elif weakest is None or edge.probability < weakest:
                weakest, weakest_index = edge.probability, edge.token
        if hidden:
            weakest, weakest_index = None, min(hidden)
        probability: float | None = None
        limit: float | None = None
        if value.kind in _CONTAINERS and not own.empty_core:
            confidence, limit = _of_container(value, start, least)
        else:
            probability, limit = self._probability(own, start, end, per_token=False)
            confidence = probability
            if is_long_text(value.kind, own.count):
                confidence, limit = self._probability(own, start, end, per_token=True)
        return _Numbers(probability, confidence, limit, weakest, weakest_index, censored)

    def _probability(
        self, own: Tally, start: Edge | None, end: Edge | None, *, per_token: bool
    ) -> tuple[float | None, float | None]:
        """The probability of a value, or of its start and per token of its core; where it is not known, its bound."""
        edges = [edge for edge in (start, None if per_token else end) if edge is not None]
        exponent = 1 / own.count if per_token else 1.0
        known = math.exp(min(own.joint, 0.0) * exponent) * math.prod(edge.bound for edge in edges)
        if not own.censored and all(edge.probability is not None for edge in edges):
            return known, None
        logprobs = self.reader.logprobs
        hidden = [self.reader.bound(index) for index in range(own.first, own.stop) if logprobs[index] is None]
        return None, known * math.prod(hidden) ** exponent

    def _distribution(self, index: int, own: Tally | None) -> Distribution | None:
        """The probabilities of the allowed values; None where they are not known, or no tokens are."""
        if own is None:
            return None
        value = self.values[index]
        node = self.nodes[index] if self.nodes is not None else None
        labels, open_kinds = self._allowed(value, node)
        if labels is None or not (value.closed or value.kind in open_kinds):
            return None
        start, end = value.start + self.origin, value.end + self.origin
        first = self.alignment.tokens_between(start, start + 1)  # none where the logprob of a quote is missing
        emitted = None if value.kind in open_kinds or value.kind in _CONTAINERS else scalar(self.source.text, value)
        return distribution(
            self.reader,
            self.alignment,
            (self.alignment.byte_offset(start), self.alignment.byte_offset(end)),
            first.start if first else own.first,
            labels,
            value=emitted,
            kind=value.kind,
            open_kinds=open_kinds,
        )

    def _allowed(self, value: Value, node: SchemaNode | None) -> tuple[LabelIndex | None, frozenset[Kind]]:
        """The values and types to tell apart; None where there is no choice."""
        if self.label is not None:
            return self.label.labels, frozenset()
        if node is not None and node.is_choice:
            return node.index(), node.open_kinds
        return _DEFAULT_LABELS.get(value.kind), frozenset()


def _least(so_far: tuple[bool, float] | None, field: Field) -> tuple[bool, float]:
    """The least confidence of a container's members, and whether all are known: if not, it is no more than that."""
    known, least = so_far if so_far is not None else (True, 1.0)
    if field.confidence is not None:
        return known, min(least, field.confidence)
    return False, min(least, field.confidence_bound if field.confidence_bound is not None else 1.0)


def _of_container(
    value: Value, start: Edge | None, least: tuple[bool, float] | None
) -> tuple[float | None, float | None]:
    """The confidence of a container that holds values, or its bound."""
    known, confidence = least if least is not None else (False, 1.0)
    if start is not None and value.above is not None:
        known, confidence = known and start.probability is not None, min(confidence, start.bound)
    return (confidence, None) if known else (None, confidence)
