"""Attributes that a backend keeps as text, made what they were: numbers, booleans and arrays.

Zipkin keeps every value as a string, and Jaeger's older API every array as JSON text. What a value was is known from
its documented type; an attribute of another instrumentation stays the text that it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_logprobs.telemetry import names

_GENAI_TYPES = {
    "gen_ai.request.choice.count": "int",
    "gen_ai.request.frequency_penalty": "double",
    "gen_ai.request.max_tokens": "int",
    "gen_ai.request.presence_penalty": "double",
    "gen_ai.request.seed": "int",
    "gen_ai.request.stop_sequences": "string[]",
    "gen_ai.request.temperature": "double",
    "gen_ai.request.top_k": "double",
    "gen_ai.request.top_p": "double",
    "gen_ai.response.finish_reasons": "string[]",
    "gen_ai.response.time_to_first_chunk": "double",
    "gen_ai.usage.cache_read.input_tokens": "int",
    "gen_ai.usage.cache_write.input_tokens": "int",
    "gen_ai.usage.input_tokens": "int",
    "gen_ai.usage.output_tokens": "int",
    "gen_ai.usage.reasoning.output_tokens": "int",
}
_TYPES = {item.name: item.type for item in names.DOCUMENTED if item.group != "metric"} | _GENAI_TYPES


def documented_type(name: str) -> str | None:
    """Return the type of an attribute of ours, or of one of the conventions that is not a string; None where unknown.

    >>> documented_type("logprobs.values")
    'double[]'
    """
    return _TYPES.get(name)


def restored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with the documented ones of their documented type.

    Args:
        attributes: As the backend gave them. What is no string is right already.

    Returns:
        The attributes; one whose text does not read as its type stays as it is.

    >>> restored({"logprobs.values": "[-0.5, -2]", "other": "[1]"})
    {'logprobs.values': [-0.5, -2.0], 'other': '[1]'}
    """
    return {
        name: _as(_TYPES.get(name, "string"), value) if isinstance(value, str | list) else value
        for name, value in attributes.items()
    }


def _as(kind: str, value: Any) -> Any:
    try:
        if kind.endswith("[]"):
            items = json.loads(value) if isinstance(value, str) else value
            return [_scalar(kind[:-2], item) for item in items] if isinstance(items, list) else value
        return _scalar(kind, value)
    except (ValueError, RecursionError):
        return value


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string" or isinstance(value, bool):
        return value
    try:
        if kind == "int":
            return int(value)
        if kind == "double":
            return float(value)
    except (ValueError, TypeError, OverflowError):
        return value  # also the JSON text that long arrays of alternatives are cut into
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
