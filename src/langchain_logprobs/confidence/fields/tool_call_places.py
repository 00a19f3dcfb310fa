"""Where the tokens' text holds the arguments of tool calls, and the markup around them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from langchain_logprobs.confidence.fields.json_scan import Document, scan
from langchain_logprobs.confidence.fields.json_value import python_value

_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_MAX_WORK = 4
"""Objects are tried until they add up to this many times the length of the tokens' text."""
_MAX_MARKUP = 200
"""Code points of markup that are looked at before and behind a call."""
# Marks that begin something: those that end the call before are that call's.
_BEFORE = r"\s|<(?!/|[^<>\n]*end)[^<>\n]*>|\[[A-Z_]+\]|```(?:json)?|\[|(?<=[}\]]),|functions?[.=:]?|:[0-9]+"
_BEHIND = re.compile(r"(?:\s|</[^<>\n]*>|<[|｜][^<>\n]*>|\[/[A-Z_]+\]|```|[\];]|,(?=\s*[{\[<\]]))*")


class Place(NamedTuple):
    """An object that may be a tool call's arguments. Offsets are in code points of the tokens' text.

    Attributes:
        start: Where the object begins.
        end: Where it ends.
        outer_start: Where the object around it begins that names the tool too; `start` where there is none.
        outer_end: Where that ends.
        name: The tool's name; None where it stands alone.
        document: The object as a document of its own, whose offsets count from `start`.
    """

    start: int
    end: int
    outer_start: int
    outer_end: int
    name: str | None
    document: Document


class CallPlaces:
    """Every object in a text that may be the arguments of a call.

    They are looked up by what they hold, from the last one to the first, so that any number of calls takes one pass.
    """

    def __init__(self, text: str, start: int) -> None:
        """Find the objects behind an offset of a text."""
        self._text = text
        self._places: defaultdict[tuple[str, str | None], list[tuple[Document, int, int, str | None]]] = defaultdict(
            list
        )
        work = _MAX_WORK * len(text)
        position = text.find("{", start)
        while position >= 0 and work > 0:
            document = scan(text, position)
            work -= document.end - position + 1
            if document.state in ("complete", "truncated"):
                self._add(document)
            position = text.find("{", document.end if document.state == "complete" else position + 1)

    def last_before(self, limit: int, name: str, arguments: Mapping[str, object]) -> Place | None:
        """Return the last object with these arguments that ends before an offset; the limit never grows again.

        One beside the tool's name is preferred to one alone.
        """
        key = _canonical(arguments)
        if key is None:
            return None
        for said in (name, None):
            found = self._places.get((key, said), [])
            while found:
                document, index, outer, _ = found[-1]
                if document.values[index].end <= limit:
                    value, around = document.values[index], document.values[outer]
                    part = document.part(index)
                    return Place(value.start, value.end, around.start, around.end, said, part)
                found.pop()
        return None

    def _add(self, document: Document) -> None:
        values = document.values
        names: dict[int, str] = {}
        for index, value in enumerate(values):
            if value.key == "name" and value.kind == "string" and value.parent >= 0 and not value.shadowed:
                names[value.parent] = python_value(self._text, values, index)
        for index, value in enumerate(values):
            if value.kind != "object" or value.shadowed:
                continue
            if index == 0:
                self._keep(document, 0, 0, None)
            elif value.key in _ARGUMENT_KEYS and value.parent in names:
                self._keep(document, index, value.parent, names[value.parent])

    def _keep(self, document: Document, index: int, outer: int, name: str | None) -> None:
        key = _canonical(python_value(self._text, document.values, index))
        if key is not None:
            self._places[key, name].append((document, index, outer, name))


def markup_around(text: str, place: Place, name: str, low: int, high: int) -> tuple[int, int]:
    """Return where a call begins and ends with the markup that servers and chat templates put around it.

    Args:
        text: The text that the tokens spell.
        place: Where its arguments stand.
        name: The tool's name, which stands before the arguments in some templates.
        low: Where the answer begins.
        high: Where the next call begins.

    Returns:
        Two offsets in code points. White space at the outer edges belongs to no call.
    """
    window = text[max(low, place.outer_start - _MAX_MARKUP - len(name)) : place.outer_start]
    words = rf"|(?<!\w){re.escape(name)}(?!\w)" if name and place.outer_start == place.start else ""
    match = re.search(rf"(?:{_BEFORE}{words})*\Z", window)
    before = window[match.start() :].lstrip() if match else ""
    behind = _BEHIND.match(text, place.outer_end, min(high, place.outer_end + _MAX_MARKUP))
    end = behind.end() if behind else place.outer_end
    while end > place.outer_end and text[end - 1].isspace():
        end -= 1
    return place.outer_start - len(before), end


def _canonical(arguments: object) -> str | None:
    """Return a text that is the same for equal arguments: whatever the order of their keys, and 1.0 for 1."""
    try:
        return json.dumps(_plain(arguments), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
