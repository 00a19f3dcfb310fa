"""A structured answer as indented JSON, line by line, each line knowing which field it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_logprobs.view.answer import Field


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line.

    Attributes:
        before: Indentation and key.
        value: The value, if it is one that has no parts.
        after: A comma or a bracket.
        field: What is known of the value; None where nothing is.
    """

    before: str
    value: str
    after: str
    field: Field | None


def json_lines(document: Any, fields: Mapping[str, Field]) -> list[JsonLine]:
    """Return a JSON document as lines.

    Args:
        document: What `json.loads` returned.
        fields: The fields by their JSON Pointer.

    Returns:
        The lines; none where the document is nested too deeply to be read by a person, or by Python.
    """
    try:
        return list(_lines(document, fields, path="", before="", indent="", after=""))
    except RecursionError:
        return []


def _lines(
    value: Any, fields: Mapping[str, Field], *, path: str, before: str, indent: str, after: str
) -> Iterator[JsonLine]:
    items = _items(value)
    if not items:
        yield JsonLine(before, json.dumps(value, ensure_ascii=False), after, fields.get(path))
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    yield JsonLine(before + opening, "", "", None)
    for position, (step, key, item) in enumerate(items):
        yield from _lines(
            item,
            fields,
            path=f"{path}/{step}",
            before=indent + "  " + key,
            indent=indent + "  ",
            after="," if position + 1 < len(items) else "",
        )
    yield JsonLine(indent + closing, "", after, None)


def _items(value: Any) -> list[tuple[str, str, Any]]:
    """Return the parts of a value: step of the JSON Pointer, what stands before it, the part."""
    if isinstance(value, dict):
        return [
            (key.replace("~", "~0").replace("/", "~1"), json.dumps(key, ensure_ascii=False) + ": ", item)
            for key, item in value.items()
        ]
    if isinstance(value, list):
        return [(str(position), "", item) for position, item in enumerate(value)]
    return []
