r"""Where every value of a JSON document stands in its text, also when the document was cut off.

Why an own scanner: `json` gives no offsets, and the parsers that do (tree-sitter-json, json-source-map) lose the
nesting, or everything, as soon as the document is cut off, which is what a token limit does to an answer. The
measurement is in docs/confidence.md.

The grammar is that of `json.loads(strict=False)`: RFC 8259, and NaN, Infinity and raw control characters in strings.
Time and memory are linear in the text: a value keeps its own key only, and its pointer is made when it is asked for.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal

from langchain_logprobs.confidence.fields.json_pointer import join

Kind = Literal["object", "array", "string", "number", "boolean", "null"]
State = Literal["complete", "truncated", "invalid", "too_large"]

MAX_DEPTH: Final = 128
"""Deeper documents are given up: no answer to a person is nested like that."""
MAX_VALUES: Final = 100_000
"""Documents of more values are given up: their fields would take seconds and hundreds of megabytes."""

_BLANK = re.compile(r"[ \t\n\r]*")
# Possessive, so that a string of a million characters costs no memory for places to go back to.
_STRING_BODY = re.compile(r'[^"\\]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*+)*+')
CUT_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
"""An escape that the end of the text cuts."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+")
_CUT_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?+(?:(?<=[0-9])[eE][-+]?)?+)?+\Z")
_WORDS: dict[str, tuple[str, Kind]] = {
    "t": ("true", "boolean"),
    "f": ("false", "boolean"),
    "n": ("null", "null"),
    "N": ("NaN", "number"),
    "I": ("Infinity", "number"),
    "-": ("-Infinity", "number"),
}


class Value:
    """One value of a document. Offsets are in code points.

    Attributes:
        kind: Its JSON type; of a truncated value the one that it began as.
        start: Offset of its first character, the opening quote or bracket included.
        end: Offset behind its last character; behind the last one there is, where the document was cut off.
        core_start: As `start`, without the quote of a string.
        core_end: As `end`, without the quote of a string.
        closed: Whether its end was seen.
        shadowed: Whether the same key comes again in its object, or in that of a container around it, so that
            `json.loads` gives the later value.
        parent: Index of the container it is in; -1 for the document.
        above: That container; None for the document.
        key: Its key or index there; "" for the document.
    """

    __slots__ = ("above", "closed", "core_end", "core_start", "end", "key", "kind", "parent", "shadowed", "start")

    def __init__(
        self, kind: Kind, start: int, end: int, parent: int = -1, above: Value | None = None, key: str | int = ""
    ) -> None:
        """Start out as a closed value without quotes."""
        self.kind = kind
        self.start: int = start
        self.end: int = end
        self.core_start: int = start
        self.core_end: int = end
        self.closed: bool = True
        self.shadowed: bool = False
        self.parent: int = parent
        self.above: Value | None = above
        self.key: str | int = key

    @property
    def path(self) -> str:
        """Its JSON Pointer (RFC 6901); "" is the whole document. Made anew each time: keys can be long."""
        parts: list[str | int] = []
        value = self
        while value.above is not None:
            parts.append(value.key)
            value = value.above
        return join(reversed(parts))


class Document:
    """What a scan found.

    Attributes:
        values: The values in the order of the text, a container before what it holds.
        state: `complete`, `truncated` (all is well up to the end of the text), `invalid`, or `too_large` (deeper than
            MAX_DEPTH or of more than MAX_VALUES values, so that the scan was given up).
        end: Offset at which the scan stopped: behind the document, or at the problem.
        problem: What is wrong where the state is `invalid` or `too_large`, else None.
    """

    __slots__ = ("end", "problem", "state", "values")

    def __init__(self, values: list[Value], state: State, end: int, problem: str | None = None) -> None:
        """Keep what the scan found."""
        self.values: list[Value] = values
        self.state = state
        self.end: int = end
        self.problem: str | None = problem

    @property
    def start(self) -> int:
        """Offset of the document's first character; its end where it holds nothing."""
        return self.values[0].start if self.values else self.end

    def part(self, index: int) -> Document:
        """Return one of its values as a document of its own, whose offsets count from the value's first character."""
        root = self.values[index]
        stop = index + 1
        while stop < len(self.values) and self.values[stop].start < root.end:
            stop += 1
        document = Document([], "complete" if root.closed else "truncated", root.end - root.start)
        attach(document.values, self.values[index:stop], shift=-root.start)
        return document


def attach(to: list[Value], values: list[Value], *, shift: int = 0, parent: int = -1, key: str | int = "") -> None:
    """Append copies of a document's values to those of another document.

    Args:
        to: The other document's values.
        values: The values, the root first.
        shift: What to add to their offsets.
        parent: The index that the root's container has in `to`; -1 where it is a document.
        key: The root's key in it.
    """
    places = {id(values[0].above): parent}  # of each container that is copied, its index in `to`
    for value in values:
        holder = places[id(value.above)]
        copy = Value(value.kind, value.start + shift, value.end + shift, holder, to[holder] if holder >= 0 else None)
        copy.key = value.key if value is not values[0] else key
        copy.core_start, copy.core_end = value.core_start + shift, value.core_end + shift
        copy.closed = value.closed
        copy.shadowed = value.shadowed
        places[id(value)] = len(to)
        to.append(copy)


def scan(text: str, start: int = 0) -> Document:
    """Scan the JSON document that begins at an offset of a text.

    Args:
        text: Any text.
        start: Offset in code points; white space there is skipped.

    Returns:
        The document; what follows it in the text does not matter. Never raises, and needs no recursion.

    Example:
        >>> [(value.path, value.kind) for value in scan('{"a": [1, null]}').values]
        [('', 'object'), ('/a', 'array'), ('/a/0', 'number'), ('/a/1', 'null')]
    """
    return _Scanner(text).run(start)


def skip_blank(text: str, position: int) -> int:
    """Return the offset behind JSON's white space at a position."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


class _Problem(Exception):
    """The text is no JSON at a position, or no longer worth scanning."""

    def __init__(self, position: int, message: str, state: State = "invalid") -> None:
        super().__init__(message)
        self.position = position
        self.message = message
        self.state = state


class _Scanner:
    """One scan.

    `open` holds the index of each open container and the indices of its members by key (None for an array); `counts`
    the number of its items.
    """

    __slots__ = ("any_shadowed", "counts", "open", "size", "text", "values")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = len(text)
        self.values: list[Value] = []
        self.open: list[tuple[int, dict[str | int, int] | None]] = []
        self.counts: list[int] = []
        self.any_shadowed = False

    def run(self, start: int) -> Document:
        """Scan from an offset; each round reads one value and finds the place of the next."""
        position = skip_blank(self.text, start)
        key: str | int = ""
        try:
            while position < self.size:
                opened = self.text[position] in "{["
                behind = self._open(position, key) if opened else self._scalar(position, key)
                if behind is None:
                    break
                position = self._close(behind, just_opened=opened)
                if not self.open:
                    return self._document("complete", position)
                if position == self.size:
                    break
                found = self._place(position)
                if found is None:
                    break
                position, key = found
        except _Problem as problem:
            return Document([], problem.state, problem.position, problem.message)
        for index, _ in self.open:
            self.values[index].closed = False
            self.values[index].end = self.values[index].core_end = self.size
        return self._document("truncated", self.size)

    def _document(self, state: State, end: int) -> Document:
        if self.any_shadowed:  # what a shadowed container holds is shadowed too; containers stand before it
            for value in self.values:
                value.shadowed = value.shadowed or (value.above is not None and value.above.shadowed)
        return Document(self.values, state, end)

    def _add(self, value: Value) -> None:
        if len(self.values) == MAX_VALUES:
            raise _Problem(value.start, f"more than {MAX_VALUES} values", "too_large")
        if self.open:
            value.parent = self.open[-1][0]
            value.above = self.values[value.parent]
            members = self.open[-1][1]
            if members is not None:
                if value.key in members:
                    self.values[members[value.key]].shadowed = self.any_shadowed = True
                members[value.key] = len(self.values)
        self.values.append(value)

    def _open(self, position: int, key: str | int) -> int:
        """Begin an object or array; return the offset behind its bracket."""
        if len(self.open) == MAX_DEPTH:
            raise _Problem(position, f"nested deeper than {MAX_DEPTH} levels", "too_large")
        is_object = self.text[position] == "{"
        self._add(Value("object" if is_object else "array", position, self.size, key=key))
        self.open.append((len(self.values) - 1, {} if is_object else None))
        self.counts.append(0)
        return position + 1

    def _scalar(self, position: int, key: str | int) -> int | None:
        """Read a string, number or word; return the offset behind it, or None where the text ends before it does."""
        value = Value("null", position, self.size, key=key)
        problem = _scan_scalar(self.text, position, value)
        if problem is not None:
            raise _Problem(position, problem)
        self._add(value)
        if not value.closed or value.end == self.size:
            if self.open and value.kind == "number":
                value.closed = False  # another digit could have come
            if self.open or not value.closed:
                return None
        return value.end

    def _close(self, position: int, *, just_opened: bool) -> int:
        """Close the containers that end here; return the offset of what follows: a key or a value, or the end."""
        text = self.text
        while self.open:
            index, members = self.open[-1]
            position = skip_blank(text, position)
            if position == self.size:
                return position
            char = text[position]
            if char == ("]" if members is None else "}"):
                position += 1
                self.values[index].end = self.values[index].core_end = position
                self.open.pop()
                self.counts.pop()
                just_opened = False
                continue
            if just_opened:
                return position
            if char != ",":
                raise _Problem(position, "expected a comma or the end of the container")
            return skip_blank(text, position + 1)
        return position

    def _place(self, position: int) -> tuple[int, str | int] | None:
        """Return where the next value of the innermost container begins, and its key; None where the text ends."""
        text = self.text
        _, members = self.open[-1]
        if members is None:
            self.counts[-1] += 1
            return position, self.counts[-1] - 1
        if text[position] != '"':
            raise _Problem(position, "expected a key in double quotes")
        body = _STRING_BODY.match(text, position + 1)
        end = body.end() if body else position + 1
        if end == self.size or CUT_ESCAPE.match(text, end):
            return None
        if text[end] != '"':
            raise _Problem(end, "bad escape in a key")
        key = text[position + 1 : end]
        if "\\" in key:
            key = json.loads(text[position : end + 1], strict=False)
        position = skip_blank(text, end + 1)
        if position == self.size:
            return None
        if text[position] != ":":
            raise _Problem(position, "expected a colon")
        return skip_blank(text, position + 1), key


def _scan_scalar(text: str, position: int, value: Value) -> str | None:
    """Fill in a string, number or word; return what is wrong with it."""
    size = len(text)
    char = text[position]
    if char == '"':
        value.kind = "string"
        value.core_start = position + 1
        body = _STRING_BODY.match(text, position + 1)
        end = body.end() if body else position + 1
        if end == size or CUT_ESCAPE.match(text, end):
            value.closed = False
            value.end = value.core_end = size
            return None
        if text[end] != '"':
            return "bad escape in a string"
        value.core_end = end
        value.end = end + 1
        return None
    number = _NUMBER.match(text, position)
    if number is not None:
        value.kind = "number"
        value.end = value.core_end = number.end()
        if number.end() < size and _CUT_NUMBER.match(text, position):  # "1." or "1e" at the end of the text
            value.closed = False
            value.end = value.core_end = size
        elif number.end() < size and text[number.end()] in "0123456789.eE":
            return "not a number"
        return None
    word, value.kind = _WORDS.get(char, ("", "null"))
    if word and text.startswith(word, position):
        value.end = value.core_end = position + len(word)
        return None
    if word and size - position < len(word) and word.startswith(text[position:]):
        value.closed = False
        return None
    return "expected a value"
