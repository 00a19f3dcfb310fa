r"""Where every value of a JSON document stands in its text, also when the document was cut off.

Why an own scanner: `json` gives no offsets, and the parsers that do (tree-sitter-json, json-source-map) lose the
nesting, or everything, as soon as the document is cut off, which is what a token limit does to an answer. The
measurement is in docs/confidence.md.

The grammar is that of `json.loads(strict=False)`: RFC 8259, and NaN, Infinity and raw control characters in strings.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal

Kind = Literal["object", "array", "string", "number", "boolean", "null"]
State = Literal["complete", "truncated", "invalid"]

MAX_DEPTH: Final = 128
"""Deeper documents are refused: pointers grow with the depth, and no answer to a person is nested like that."""

_MAX_WORK = 4
"""Prose is searched for JSON until the candidates tried add up to this many times its length."""

_BLANK = re.compile(r"[ \t\n\r]*")
# Possessive, so that a string of a million characters costs no memory for places to go back to.
_STRING_BODY = re.compile(r'[^"\\]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*+)*+')
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
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
_FENCE = re.compile(r"```[^\n`]*\n\s*(?=[^\s`])")
_BRACKET = re.compile(r"[{\[]")
_BRACKET_OR_STRING = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*+"')
_BEGINS_JSON = re.compile(r'\{\s*"|\[\s*[{\[]?\s*"')


class Value:
    """One value of a document. Offsets are in code points.

    Attributes:
        path: JSON Pointer (RFC 6901); "" is the whole document.
        kind: Its JSON type; of a truncated value the one that it began as.
        start: Offset of its first character, the opening quote or bracket included.
        end: Offset behind its last character; behind the last one there is, where the document was cut off.
        core_start: As `start`, without the quote of a string.
        core_end: As `end`, without the quote of a string.
        closed: Whether its end was seen.
        shadowed: Whether the same key comes again in its object, or in that of a container around it, so that
            `json.loads` gives the later value.
        parent: Index of the container it is in; -1 for the document.
        key: Its key or index there; "" for the document.
    """

    __slots__ = ("closed", "core_end", "core_start", "end", "key", "kind", "parent", "path", "shadowed", "start")

    def __init__(self, path: str, kind: Kind, start: int, end: int, parent: int, key: str | int) -> None:
        """Start out as a closed value without quotes."""
        self.path = path
        self.kind = kind
        self.start = self.core_start = start
        self.end = self.core_end = end
        self.closed = True
        self.shadowed = False
        self.parent = parent
        self.key = key


class Document:
    """What a scan found.

    Attributes:
        values: The values in the order of the text, a container before what it holds.
        state: `complete`, `truncated` (all is well up to the end of the text), or `invalid`.
        end: Offset at which the scan stopped: behind the document, or at the problem.
        problem: What is wrong where the state is `invalid`, else None.
    """

    __slots__ = ("end", "problem", "state", "values")

    def __init__(self, values: list[Value], state: State, end: int, problem: str | None = None) -> None:
        """Keep what the scan found."""
        self.values = values
        self.state = state
        self.end = end
        self.problem = problem

    @property
    def start(self) -> int:
        """Offset of the document's first character; its end where it holds nothing."""
        return self.values[0].start if self.values else self.end


def scan(text: str, start: int = 0) -> Document:
    """Scan the JSON document that begins at an offset of a text.

    Args:
        text: Any text.
        start: Offset in code points; white space there is skipped.

    Returns:
        The document; what follows it in the text does not matter. Never raises, and needs no recursion.
    """
    values: list[Value] = []
    # Of each open container: its index in values, and the indices of its members by key (None for an array), or the
    # number of its items.
    open_containers: list[tuple[int, dict[str, int] | None]] = []
    counts: list[int] = []
    size = len(text)
    path, parent = "", -1
    item: str | int = ""
    position = _skip_blank(text, start)
    while True:
        # A value is due.
        if position >= size:
            return _cut_off(values, open_containers, size)
        char = text[position]
        value = Value(path, "object", position, size, parent, item)
        opened = char in "{["
        if opened:
            if len(open_containers) == MAX_DEPTH:
                return Document([], "invalid", position, f"nested deeper than {MAX_DEPTH} levels")
            values.append(value)
            value.kind = "object" if char == "{" else "array"
            open_containers.append((len(values) - 1, {} if char == "{" else None))
            counts.append(0)
            position += 1
        else:
            problem = _scan_scalar(text, position, value)
            if problem is not None:
                return Document([], "invalid", position, problem)
            values.append(value)
            if not value.closed or value.end == size:
                if parent >= 0 and value.kind == "number":
                    value.closed = False  # another digit could have come
                if parent >= 0 or not value.closed:
                    return _cut_off(values, open_containers, size)
            position = value.end
        # Close what ends here, and find the next value's place.
        while True:
            if not open_containers:
                return Document(values, "complete", position)
            parent, members = open_containers[-1]
            position = _skip_blank(text, position)
            if position == size:
                return _cut_off(values, open_containers, size)
            char = text[position]
            if char == ("]" if members is None else "}"):
                position += 1
                values[parent].end = values[parent].core_end = position
                open_containers.pop()
                counts.pop()
                opened = False
                continue
            if not opened:
                if char != ",":
                    return Document([], "invalid", position, "expected a comma or the end of the container")
                position = _skip_blank(text, position + 1)
                if position == size:
                    return _cut_off(values, open_containers, size)
            break
        if members is None:
            item = counts[-1]
            counts[-1] += 1
            path = f"{values[parent].path}/{item}"
            continue
        # A key is due.
        if text[position] != '"':
            return Document([], "invalid", position, "expected a key in double quotes")
        body = _STRING_BODY.match(text, position + 1)
        end = body.end() if body else position + 1
        if end == size or _CUT_ESCAPE.match(text, end):
            return _cut_off(values, open_containers, size)
        if text[end] != '"':
            return Document([], "invalid", end, "bad escape in a key")
        key = text[position + 1 : end]
        if "\\" in key:
            key = json.loads(text[position : end + 1], strict=False)
        if key in members:
            _shadow(values, members[key], parent)
        members[key] = len(values)
        item = key
        path = f"{values[parent].path}/{_pointer_part(key)}"
        position = _skip_blank(text, end + 1)
        if position == size:
            return _cut_off(values, open_containers, size)
        if text[position] != ":":
            return Document([], "invalid", position, "expected a colon")
        position = _skip_blank(text, position + 1)


def find_document(text: str) -> Document | None:
    """Find the JSON document in an answer: the whole text, a fenced block, or an object or array in prose.

    Args:
        text: The answer.

    Returns:
        The document; the longest complete one where there are several, and a truncated one only where none is
        complete. None where there is no JSON. Where the text as a whole begins like an object or array and cannot be
        read, and nothing better is found, that invalid document, so that the reason can be told.
    """
    start = _skip_blank(text, 0)
    if start == len(text):
        return None
    whole = scan(text, start)
    container = text[start] in "{["
    if whole.state == "complete" and _skip_blank(text, whole.end) == len(text):
        return whole
    if whole.state == "truncated" and (container or text[start] == '"'):
        return whole  # a number or word that is cut off is no evidence of JSON
    fenced = [scan(text, match.end()) for match in _FENCE.finditer(text)]
    candidates = [document for document in fenced if _ends_fence(text, document)]
    if not any(document.state == "complete" for document in candidates):
        candidates += _in_prose(text)
    if candidates:
        return max(candidates, key=lambda document: (document.state == "complete", document.end - document.start))
    return whole if container and whole.state == "invalid" else None


def _in_prose(text: str) -> list[Document]:
    """Every object and array in a text that holds at least one value and can be read.

    Nothing inside one that cannot be read counts: its pointers would be those of another document.
    """
    documents = []
    work = _MAX_WORK * len(text)
    match = _BRACKET.search(text)
    while match and work > 0:
        document = scan(text, match.start())
        work -= document.end - match.start() + 1
        if document.state == "invalid":
            behind = _behind_brackets(text, match.start())
            work -= behind - match.start()
            if behind == len(text) and _BEGINS_JSON.match(text, match.start()):
                break  # broken, and cut off as well
            match = _BRACKET.search(text, match.end() if behind == len(text) else behind)
            continue
        if len(document.values) > 1:
            documents.append(document)
        match = _BRACKET.search(text, document.end)
    return documents


def _behind_brackets(text: str, start: int) -> int:
    """Offset behind the bracket that closes the one at `start`, whatever is between; the end of the text if none."""
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(text, start):
        if match.group() in {"{", "["}:
            depth += 1
        elif match.group() in {"}", "]"}:
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)


def _ends_fence(text: str, document: Document) -> bool:
    """Whether a document is all there is in its fenced block (a block in another language can begin with a number)."""
    if document.state != "complete":
        return document.state == "truncated" and text[document.start] in '{["'
    rest = _skip_blank(text, document.end)
    return rest == len(text) or text.startswith("```", rest)


def _skip_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _scan_scalar(text: str, position: int, value: Value) -> str | None:
    """Fill in a string, number or word; return what is wrong with it."""
    size = len(text)
    char = text[position]
    if char == '"':
        value.kind = "string"
        value.core_start = position + 1
        body = _STRING_BODY.match(text, position + 1)
        end = body.end() if body else position + 1
        if end == size or _CUT_ESCAPE.match(text, end):
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
    word, kind = _WORDS.get(char, ("", "null"))
    value.kind = kind
    if word and text.startswith(word, position):
        value.end = value.core_end = position + len(word)
        return None
    if word and word.startswith(text[position : position + len(word)]) and size - position < len(word):
        value.closed = False
        return None
    return "expected a value"


def _cut_off(values: list[Value], open_containers: list[tuple[int, dict[str, int] | None]], size: int) -> Document:
    for index, _ in open_containers:
        values[index].closed = False
        values[index].end = values[index].core_end = size
    return Document(values, "truncated", size)


def _shadow(values: list[Value], first: int, parent: int) -> None:
    """Mark a value and all in it: they are those from its index up to the next value in the same object."""
    values[first].shadowed = True
    for value in values[first + 1 :]:
        if value.parent == parent:
            break
        value.shadowed = True


def _pointer_part(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key
