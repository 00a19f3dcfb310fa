"""Do several answers to one request agree? Counted value by value, over their parsed JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_logprobs.confidence.fields.find_json import answer_start, find_document, is_structured
from langchain_logprobs.confidence.fields.json_value import python_value

_CONTAINERS = ("object", "array")


def agreement(texts: Sequence[str]) -> dict[str, float]:
    """Return of each value of the first answer the share of all answers that have the same value in its place.

    Values are the same as JSON has it: 1 and 1.0 are, 1 and true are not, and the letters of a text count. An answer
    that lacks the value, or that cannot be read, does not agree. Where the first answer is no JSON, its whole text is
    its one value, at "", without the white space around it.

    Args:
        texts: The answers' texts, the first one first.

    Returns:
        The shares by JSON Pointer; none where there are fewer than two answers, which says nothing.

    Example:
        >>> agreement(['{"total": 41, "paid": true}', '{"paid": true, "total": 47}'])
        {'/total': 0.5, '/paid': 1.0}
    """
    if len(texts) < 2:
        return {}
    first, *others = (_values(text) for text in texts)
    return {path: (1 + sum(other.get(path) == value for other in others)) / len(texts) for path, value in first.items()}


def _values(text: str) -> dict[str, str]:
    """Return the values of an answer by their paths, each as a text that is equal where they are the same."""
    start = answer_start(text)
    document = find_document(text, start) if is_structured(text[start:], has_schema=False) else None
    if document is None or not document.values or document.state not in ("complete", "truncated"):
        return {"": json.dumps(text[start:].strip())}
    found = {}
    for index, value in enumerate(document.values):
        if value.kind not in _CONTAINERS and value.closed and not value.shadowed:
            found[value.path] = _same(python_value(text, document.values, index))
    return found


def _same(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)
