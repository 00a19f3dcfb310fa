"""The confidence of tool call arguments, for servers that return the tokens of a tool call.

llama.cpp's tokens spell the model's own markup (`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`), while the
answer's text is empty; others list the tokens of the arguments' JSON alone. Both hold the arguments as a JSON object
equal to those of the parsed tool call, and that equality is what places them. OpenAI returns no such tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_logprobs.confidence.alignment.align import AlignmentStatus, align
from langchain_logprobs.confidence.alignment.token_bytes import reasoning_end
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.json_scan import Document, scan
from langchain_logprobs.confidence.fields.report import FieldReport, FieldStatus
from langchain_logprobs.formats.tokens import TokenLogprob

_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_MAX_WORK = 4
"""Objects are tried until they add up to this many times the length of the tokens' text."""


@dataclass(frozen=True, slots=True)
class ToolCallReport:
    """The fields of one tool call's arguments.

    Attributes:
        index: Position among the answer's tool calls.
        name: The tool's name.
        id: The call's id; None where it has none.
        text: The arguments' JSON as the model spelled it, which the fields' offsets count in; None where the tokens
            do not show it.
        report: The fields. Their token indices count in the list of all tokens. Status `failed` where the tokens do
            not spell the arguments.
    """

    index: int
    name: str
    id: str | None
    text: str | None
    report: FieldReport


@dataclass(frozen=True, slots=True)
class _Found:
    """An object that may be a tool call's arguments; `name` where it stands beside a tool's name."""

    start: int
    end: int
    name: str | None
    arguments: dict[str, Any]


def tool_call_confidences(
    tokens: Sequence[TokenLogprob],
    tool_calls: Sequence[Mapping[str, Any]],
    *,
    schemas: Mapping[str, object] | None = None,
) -> list[ToolCallReport]:
    """Give each value in the arguments of each tool call its confidence.

    Args:
        tokens: The tokens of the answer.
        tool_calls: LangChain's tool calls (`name`, `args`, `id`) or OpenAI's (`function` with `name` and the JSON text
            `arguments`), in the order of the answer.
        schemas: The schema of a tool's arguments by its name, see `field_confidences`.

    Returns:
        One report for each tool call, in order. Never raises.
    """
    alignment = align(tokens, None)
    # What the reasoning says about the call is not the call.
    found = list(_objects(alignment.text, reasoning_end(alignment.text)))
    reports = []
    # From the end: what a model says before its calls (a draft, an example) is not them, if it says it again.
    for index in range(len(tool_calls) - 1, -1, -1):
        name, identity, arguments = _read(tool_calls[index])
        place = _last_match(found, name, arguments)
        if place is None:
            reports.append(
                ToolCallReport(index, name, identity, None, FieldReport(FieldStatus.FAILED, AlignmentStatus.FAILED))
            )
            continue
        chosen = found[place]
        found = [other for other in found if other.end <= chosen.start]
        part = alignment.part(chosen.start, chosen.end)
        schema = schemas.get(name) if schemas is not None else None
        reports.append(ToolCallReport(index, name, identity, part.text, field_confidences(tokens, part, schema=schema)))
    return reports[::-1]


def _read(tool_call: Mapping[str, Any]) -> tuple[str, str | None, object]:
    """Name, id and arguments of a tool call; the arguments None where they cannot be read."""
    inner = tool_call.get("function")
    call = inner if isinstance(inner, Mapping) else tool_call
    arguments = next((call[key] for key in ("args", "arguments") if call.get(key) is not None), None)
    if isinstance(arguments, str):
        arguments = _load(arguments)
    name, identity = call.get("name"), tool_call.get("id")
    return name if isinstance(name, str) else "", identity if isinstance(identity, str) else None, arguments


def _load(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _objects(text: str, start: int) -> Iterator[_Found]:
    """Every complete JSON object in a text that may be the arguments of a call, in order."""
    work = _MAX_WORK * len(text)
    position = text.find("{", start)
    while position >= 0 and work > 0:
        document = scan(text, position)
        work -= document.end - position + 1
        if document.state == "complete":
            yield from _candidates(text, document)
        position = text.find("{", document.end if document.state == "complete" else position + 1)


def _candidates(text: str, document: Document) -> Iterator[_Found]:
    root = document.values[0]
    whole = _load(text[root.start : root.end])
    if not isinstance(whole, dict):
        return
    name = whole.get("name")
    if isinstance(name, str):
        for value in document.values:
            if value.parent == 0 and value.key in _ARGUMENT_KEYS and value.kind == "object" and not value.shadowed:
                yield _Found(value.start, value.end, name, whole[str(value.key)])
    yield _Found(root.start, root.end, None, whole)


def _last_match(found: list[_Found], name: str, arguments: object) -> int | None:
    """The last object with these arguments; one beside the tool's name is preferred to one alone."""
    equal = [index for index, other in enumerate(found) if other.arguments == arguments]
    named = [index for index in equal if found[index].name == name]
    alone = [index for index in equal if found[index].name is None]
    return max(named or alone, default=None)
