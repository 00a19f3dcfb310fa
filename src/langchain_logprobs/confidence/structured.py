"""Which answers are structured, and what of their fields goes on a span. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.fields import find_json
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.report import Field, FieldReport, FieldStatus
from langchain_logprobs.confidence.fields.schema_in_request import schema_from_request, tool_schemas_from_request
from langchain_logprobs.confidence.fields.tool_calls import tool_call_confidences
from langchain_logprobs.formats.tokens import TokenLogprob


class Row(NamedTuple):
    """One value of a structured answer, as a span shows it.

    Attributes:
        path: Its JSON Pointer; for a tool call's argument `/tool_calls/<index>/<name>` and the pointer in it.
        confidence: Its headline confidence.
        min_probability: The probability of its weakest token.
        min_index: The index of that token among the answer's tokens.
        runner_up: The allowed value that came second, as JSON; empty where the allowed values are not known.
        runner_up_probability: The probability of that value; 0.0 where there is none.
    """

    path: str
    confidence: float
    min_probability: float
    min_index: int
    runner_up: str
    runner_up_probability: float


class Structure(NamedTuple):
    """The fields of one answer.

    Attributes:
        status: What became of the search for them (a FieldStatus).
        value_count: How many values the document has.
        rows: Those that have a confidence, in the order of the document.
    """

    status: str
    value_count: int
    rows: list[Row]


def is_structured(text: str, request: Mapping[str, Any]) -> bool:
    """Tell whether an answer is meant to be JSON: prose with a bracket in it is not.

    Args:
        text: The answer's text.
        request: The keyword arguments of LangChain's start callback.
    """
    return find_json.is_structured(text, schema_from_request(request) is not None)


def structure(
    tokens: Sequence[TokenLogprob], text: Alignment, tool_calls: Sequence[Mapping[str, Any]], request: Mapping[str, Any]
) -> Structure:
    """Return the fields of a structured answer.

    Args:
        tokens: Its tokens.
        text: Its text, aligned.
        tool_calls: Its tool calls, as LangChain has them.
        request: The keyword arguments of LangChain's start callback, where the schemas are.
    """
    if tool_calls:
        reports = tool_call_confidences(tokens, tool_calls, schemas=tool_schemas_from_request(request))
        rows = [row for report in reports for row in _rows(report.fields, report.path)]
        status = next((item.fields.status for item in reports if item.fields.status is not FieldStatus.OK), "ok")
        return Structure(str(status), sum(len(item.fields) for item in reports), rows)
    report = field_confidences(tokens, text, schema=schema_from_request(request))
    return Structure(str(report.status), len(report.leaves), list(_rows(report, "")))


def least_certain(rows: Sequence[Row], count: int) -> list[Row]:
    """Keep the rows with the lowest confidence, in the order of the document."""
    if len(rows) <= count:
        return list(rows)
    kept = sorted(range(len(rows)), key=lambda index: rows[index].confidence)[:count]
    return [rows[index] for index in sorted(kept)]


def _rows(report: FieldReport, above: str) -> Iterator[Row]:
    for field in report.leaves:
        if field.shadowed or field.confidence is None or field.min_probability is None or field.min_index is None:
            continue
        value, probability = _runner_up(field)
        yield Row(above + field.path, field.confidence, field.min_probability, field.min_index, value, probability)


def _runner_up(field: Field) -> tuple[str, float]:
    runner_up = field.runner_up
    return (str(runner_up), runner_up.probability) if runner_up is not None else ("", 0.0)
