"""The Python values of a scanned document: what `json.loads` gives, and as much as there is of one that is cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from langchain_logprobs.confidence.fields.json_scan import CUT_ESCAPE, Value

_DECODER = json.JSONDecoder(strict=False)
_BEGINNING_OF_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def python_value(text: str, values: Sequence[Value], index: int = 0) -> Any:
    """Return one value of a document as Python has it.

    Args:
        text: The text that was scanned.
        values: The document's values.
        index: Which one; containers come with all that they hold, and of a repeated key they have the last value.

    Returns:
        What `json.loads` gives for it. Of a value that is cut off, what there is of it: the beginning of a string or
        number, the members so far; None where that is no value yet ("tru"). A number of more digits than Python reads
        (4,300) is returned as its text.
    """
    root = values[index]
    if root.kind not in ("object", "array"):
        return scalar(text, root)
    containers: dict[int, Any] = {index: {} if root.kind == "object" else []}
    for place in range(index + 1, len(values)):
        value = values[place]
        if value.start >= root.end:
            break
        member: Any
        if value.kind in ("object", "array"):
            member = containers[place] = {} if value.kind == "object" else []
        else:
            member = scalar(text, value)
        holder = containers[value.parent]
        if isinstance(holder, dict):
            holder[value.key] = member
        else:
            holder.append(member)
    return containers[index]


def scalar(text: str, value: Value) -> Any:
    """Return a string, number, boolean or null as Python has it; see `python_value`."""
    raw = text[value.core_start : value.core_end]
    if value.kind == "string":
        if value.core_start == value.start or "\\" not in raw:  # a bare label has no quotes, and no escapes
            return raw
        if not value.closed:
            raw = CUT_ESCAPE.sub("", raw)
        return decode(f'"{raw}"')
    if value.closed:
        return decode(raw)
    number = _BEGINNING_OF_NUMBER.match(raw) if value.kind == "number" else None
    return decode(number.group()) if number else None


def decode(raw: str) -> Any:
    """Return the value of a complete JSON text; the text itself where it is a number too long for Python.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return _DECODER.decode(raw)
    except json.JSONDecodeError:
        raise
    except ValueError:  # more than 4,300 digits
        return raw
