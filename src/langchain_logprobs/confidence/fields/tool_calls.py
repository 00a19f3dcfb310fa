"""The confidence of tool call arguments, for servers that return the tokens of a tool call.

llama.cpp's tokens spell the model's own markup (`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`), while the
answer's text is empty; others list the tokens of the arguments' JSON alone. Both hold the arguments as a JSON object
equal to those of the parsed tool call, and that equality is what places them. OpenAI returns no such tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_logprobs.confidence.alignment.align import Alignment, AlignmentStatus, align
from langchain_logprobs.confidence.fields.assign import Assignment
from langchain_logprobs.confidence.fields.find_json import answer_start
from langchain_logprobs.confidence.fields.json_pointer import join
from langchain_logprobs.confidence.fields.json_scan import scan
from langchain_logprobs.confidence.fields.json_value import decode
from langchain_logprobs.confidence.fields.report import FieldReport, FieldStatus
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.confidence.fields.token_reader import TokenReader
from langchain_logprobs.confidence.fields.tool_call_places import CallPlaces, Place, markup_around
from langchain_logprobs.formats.tokens import TokenLogprob

_CUT = re.compile(r"\s*(?:\Z|[<\[])")
"""What follows arguments that a token limit cut off: nothing but end marks."""


@dataclass(frozen=True, slots=True)
class ToolCallReport:
    """The fields of one tool call's arguments.

    Attributes:
        index: Position among the answer's tool calls.
        name: The tool's name.
        id: The call's id; None where it has none.
        text: The arguments' JSON as the model spelled it, which the fields' offsets count in; None where the tokens
            do not show it.
        fields: The fields. Their token indices count in the list of all tokens. Status `invalid` where the arguments
            are no JSON object, `no_logprobs` where the answer has no tokens at all, `failed` where they do not spell
            the arguments.
        token_start: Index of the call's first token, that of its markup (`<tool_call>{"name": ...`) included; None
            where the tokens do not show the call.
        token_count: How many tokens the call has, its markup included.

    Example:
        >>> from langchain_logprobs import TokenLogprob, tool_call_confidences
        >>> tokens = [TokenLogprob('{"to":', 0.0), TokenLogprob(' "Ann"', -0.7), TokenLogprob("}", 0.0)]
        >>> [call] = tool_call_confidences(tokens, [{"name": "pay", "args": {"to": "Ann"}}])
        >>> call.path, call.text, [field.path for field in call.fields.below(0.8)]
        ('/tool_calls/0/pay', '{"to": "Ann"}', ['/to'])
    """

    index: int
    name: str
    id: str | None
    text: str | None
    fields: FieldReport
    token_start: int | None
    token_count: int

    @property
    def path(self) -> str:
        """What stands before its fields' pointers on a span: `/tool_calls/<index>/<name>`."""
        return join(["tool_calls", self.index, self.name])


def tool_call_confidences(
    tokens: Sequence[TokenLogprob],
    tool_calls: Sequence[Mapping[str, object]],
    *,
    schemas: Mapping[str, object] | None = None,
    first_token: int | None = None,
) -> list[ToolCallReport]:
    """Give each value in the arguments of each tool call its confidence.

    Args:
        tokens: The tokens of the answer.
        tool_calls: LangChain's tool calls (`name`, `args`, `id`; those that it could not parse too) or OpenAI's
            (`function` with `name` and the JSON text `arguments`), in the order of the answer.
        schemas: The schema of a tool's arguments by its name, see `field_confidences`.
        first_token: Index of the first token behind the reasoning: what is said there about a call is not the call.
            None: behind the end mark of a reasoning part that the tokens may spell.

    Returns:
        One report for each tool call, in order. Never raises.

    Example:
        >>> from langchain_logprobs import TokenLogprob, tool_call_confidences
        >>> tokens = [TokenLogprob('{"amount":', 0.0), TokenLogprob(" 900", -2.4), TokenLogprob("}", 0.0)]
        >>> [call] = tool_call_confidences(tokens, [{"name": "pay", "args": {"amount": 900}, "id": "c1"}])
        >>> call.name, round(call.fields["/amount"].confidence, 2)
        ('pay', 0.09)
    """
    alignment = align(tokens, None)
    text = alignment.text
    if first_token is None:
        begin = answer_start(text)
    else:
        begin = alignment.starts[first_token] if first_token < len(alignment.starts) else len(text)
    work = _Work(tokens, alignment, begin, schemas or {})
    # From the end: what a model says before its calls (a draft, an example) is not them, if it says it again.
    reports = [work.report(index, tool_calls[index]) for index in range(len(tool_calls) - 1, -1, -1)]
    return reports[::-1]


class _Work:
    """What is made once for all tool calls of an answer. The calls are looked for from the last one to the first."""

    def __init__(
        self, tokens: Sequence[TokenLogprob], alignment: Alignment, begin: int, schemas: Mapping[str, object]
    ) -> None:
        self.alignment = alignment
        self.reader = TokenReader(tokens, alignment.spelling)
        self.begin = begin
        self.limit = len(alignment.text)  # where the call behind the next one begins
        self.places = CallPlaces(alignment.text, begin)
        self.schemas = schemas
        self.nodes: dict[str, SchemaNode | None] = {}

    def report(self, index: int, tool_call: Mapping[str, object]) -> ToolCallReport:
        """Report on one call."""
        name, identity, arguments = _read(tool_call)
        missing = FieldStatus.NO_LOGPROBS if not len(self.reader) else FieldStatus.FAILED
        place = None
        if isinstance(arguments, Mapping):
            place = self.places.last_before(self.limit, name, arguments)
            if place is None:
                return _without_tokens(index, name, identity, missing)
            return self._placed(index, name, identity, place)
        if not isinstance(arguments, str):
            return _without_tokens(index, name, identity, missing)
        document = scan(arguments)
        start = self.alignment.text.rfind(arguments, self.begin, self.limit)
        at_the_end = start >= 0 and _CUT.match(self.alignment.text, start + len(arguments), self.limit)
        if document.state == "truncated" and not at_the_end:
            return _without_tokens(index, name, identity, missing)
        if start >= 0:
            end = start + len(arguments)
            place = Place(start, end, start, end, name, document)
        if document.state == "truncated" and place is not None:
            return self._placed(index, name, identity, place)
        problem = f"{document.problem} at {document.end}" if document.problem else "the arguments are no JSON object"
        status = FieldStatus.TOO_LARGE if document.state == "too_large" else FieldStatus.INVALID
        if place is None:
            return _without_tokens(index, name, identity, status, problem)
        fields = FieldReport(status, AlignmentStatus.SUBSTRING, (), problem)
        return ToolCallReport(index, name, identity, arguments, fields, *self._range(place, name))

    def _placed(self, index: int, name: str, identity: str | None, place: Place) -> ToolCallReport:
        text = self.alignment.text[place.start : place.end]
        if name not in self.nodes:
            self.nodes[name] = SchemaNode.of(self.schemas[name]) if name in self.schemas else None
        values = place.document.values
        assignment = Assignment(self.reader, self.alignment, values, self.nodes[name], origin=place.start, text=text)
        status = FieldStatus.OK if place.document.state == "complete" else FieldStatus.TRUNCATED
        fields = FieldReport(status, AlignmentStatus.SUBSTRING, assignment.fields())
        return ToolCallReport(index, name, identity, text, fields, *self._range(place, name))

    def _range(self, place: Place, name: str) -> tuple[int | None, int]:
        """First token and number of tokens of a call with its markup; what is before it is left for other calls."""
        left, right = markup_around(self.alignment.text, place, name, self.begin, self.limit)
        self.limit = min(left, place.start)
        indices = self.alignment.tokens_between(left, right)
        return (indices.start, len(indices)) if indices else (None, 0)


def _without_tokens(
    index: int, name: str, identity: str | None, status: FieldStatus, problem: str | None = None
) -> ToolCallReport:
    fields = FieldReport(status, AlignmentStatus.FAILED, (), problem)
    return ToolCallReport(index, name, identity, None, fields, None, 0)


def _read(tool_call: Mapping[str, object]) -> tuple[str, str | None, object]:
    """Name, id and arguments of a tool call; the arguments as their text where that is no JSON object."""
    inner = tool_call.get("function")
    call = inner if isinstance(inner, Mapping) else tool_call
    arguments = next((call[key] for key in ("args", "arguments") if call.get(key) is not None), None)
    if isinstance(arguments, str):
        arguments = _loaded(arguments)
    name, identity = call.get("name"), tool_call.get("id")
    return name if isinstance(name, str) else "", identity if isinstance(identity, str) else None, arguments


def _loaded(text: str) -> object:
    if not text.strip():
        return {}  # how a call without arguments is sent
    try:
        loaded = decode(text.strip())
    except (ValueError, RecursionError):
        return text
    return loaded if isinstance(loaded, dict) else text
