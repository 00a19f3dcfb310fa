"""JSON with the place of every value, a second time: a parser by recursion, and which document is the answer.

Slow, obvious, and without a line of the product's own. For short texts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.schemas import Place

BLANK = " \t\n\r"
CONTAINERS = ("object", "array")
WORDS = {"true": "boolean", "false": "boolean", "null": "null", "NaN": "number", "Infinity": "number",
         "-Infinity": "number"}  # fmt: skip
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
BEGUN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d*)?([eE][-+]?\d*)?", re.ASCII)
ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})')
BEGUN_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{0,3})?")
FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+.-]*)[ \t]*")
JSON_NAMES = ("", "json", "jsonc", "json5", "jsonl", "ndjson", "jsonlines")


class Bad(Exception):
    """No JSON."""


class Cut(Exception):
    """JSON up to the end of the text."""


@dataclass(eq=False)
class Value:
    """One value; offsets are in code points. A container's `end` is that of the text until it was seen."""

    kind: str
    start: int
    end: int
    key: str | int = ""
    parent: "Value | None" = None
    closed: bool = False
    shadowed: bool = False
    members: list["Value"] = field(default_factory=list)

    @property
    def path(self) -> str:
        if self.parent is None:
            return ""
        return self.parent.path + "/" + str(self.key).replace("~", "~0").replace("/", "~1")

    @property
    def core(self) -> tuple[int, int]:
        """Its place without a string's quotes."""
        if self.kind != "string":
            return self.start, self.end
        return self.start + 1, self.end - self.closed

    def every(self) -> Iterator["Value"]:
        """It and all that it holds, in the order of the text."""
        yield self
        for member in self.members:
            yield from member.every()

    def python(self, text: str) -> Any:
        """What `json.loads` makes of it."""
        return json.loads(text[self.start : self.end], strict=False)


@dataclass
class Document:
    """One reading of a text; `end` is where it ended."""

    state: str
    end: int
    root: Value | None = None

    @property
    def values(self) -> list[Value]:
        return list(self.root.every()) if self.root else []


def parse(text: str, start: int) -> Document:
    """The document that begins at an offset, white space aside."""
    reader = Reader(text)
    top = Value("array", 0, 0)
    try:
        end = reader.value(reader.blank(start), top, "")
    except Cut:
        root = top.members[0] if top.members else None
        state, end = "truncated", len(text)
    except Bad:
        return Document("invalid", start)
    else:
        root, state = top.members[0], "complete"
        if not root.closed:  # a number that the end of the text cuts, alone
            state, end = "truncated", len(text)
    for value in root.every() if root else ():
        if value.parent is not top and value.parent and value.parent.shadowed:
            value.shadowed = True
        if value.parent is top:
            value.parent = None
    return Document(state, end, root)


class Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def blank(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in BLANK:
            at += 1
        return at

    def at(self, at: int) -> str:
        """The character at an offset, where the text does not end before it."""
        if at >= len(self.text):
            raise Cut
        return self.text[at]

    def value(self, at: int, parent: Value, key: str | int) -> int:
        """Read a value into its parent; where it ends."""
        begins = self.at(at)
        new = Value("null", at, len(self.text), key, parent)
        if begins in "{[":
            new.kind = "object" if begins == "{" else "array"
            parent.members.append(new)
            new.end = self.members(at + 1, new)
        elif begins == '"':
            new.kind = "string"
            try:
                new.end = self.string(at)
            except Cut:
                parent.members.append(new)
                raise
            parent.members.append(new)
        else:
            return self.word(at, new)
        new.closed = True
        return new.end

    def word(self, at: int, new: Value) -> int:
        text, parent = self.text, new.parent
        assert parent is not None
        inside = parent.parent is not None or parent.end > 0
        number = NUMBER.match(text, at)
        begun = BEGUN_NUMBER.match(text, at)
        if begun and begun.end() == len(text) and (number is None or number.end() < len(text) or inside):
            new.kind = "number"  # it can go on
            parent.members.append(new)
            raise Cut
        if number:
            if text[number.end() : number.end() + 1] in tuple("0123456789.eE"):
                raise Bad
            new.kind, new.end, new.closed = "number", number.end(), True
            parent.members.append(new)
            return new.end
        for word, kind in WORDS.items():
            if text.startswith(word, at):
                new.kind, new.end, new.closed = kind, at + len(word), True
                parent.members.append(new)
                return new.end
        for word, kind in WORDS.items():
            if word.startswith(text[at:]):
                new.kind = kind
                parent.members.append(new)
                raise Cut
        raise Bad

    def string(self, at: int) -> int:
        """Where a string ends that begins at an offset."""
        at += 1
        while self.at(at) != '"':
            if self.text[at] != "\\":
                at += 1
                continue
            escape = ESCAPE.match(self.text, at)
            if escape is None:
                begun = BEGUN_ESCAPE.match(self.text, at)
                raise Cut if begun and begun.end() == len(self.text) else Bad
            at = escape.end()
        return at + 1

    def members(self, at: int, new: Value) -> int:
        """Read what is in a container; where it ends."""
        closing = "}" if new.kind == "object" else "]"
        at = self.blank(at)
        if self.at(at) == closing:
            return at + 1
        while True:
            key: str | int = len(new.members)
            if new.kind == "object":
                if self.at(at) != '"':
                    raise Bad
                end = self.string(at)
                key = json.loads(self.text[at:end], strict=False)
                at = self.blank(end)
                if self.at(at) != ":":
                    raise Bad
                at = self.blank(at + 1)
            end = self.named(at, new, key)
            at = self.blank(end)
            if self.at(at) == closing:
                return at + 1
            if self.text[at] != ",":
                raise Bad
            at = self.blank(at + 1)

    def named(self, at: int, new: Value, key: str | int) -> int:
        """Read a member; an earlier one of the same name is shadowed by it."""
        before = list(new.members)
        try:
            return self.value(at, new, key)
        finally:
            if len(new.members) > len(before):
                for other in before:
                    other.shadowed = other.shadowed or other.key == key


def find(text: str, start: int, place: Place | None) -> Document | None:
    """The document that is the answer, by the rule of `find_document`; one that is invalid where nothing is better."""
    begin = lead(text, start)
    if begin == len(text):
        return None
    whole = parse(text, begin)
    container = text[begin] in "{["
    if whole.state == "complete":
        if container and (lines := json_lines(text, begin, len(text))):
            wants_object = place is not None and place.takes("object") and not place.takes("array")
            if not wants_object:
                return lines
            roots = lines.root.members if lines.root else []
            return parse(text, next((one for one in reversed(roots) if one.closed and one.kind == "object"),
                                    roots[-1]).start)  # fmt: skip
        if Reader(text).blank(whole.end) == len(text):
            return whole
    if whole.state == "truncated" and (container or text[begin] == '"'):
        return whole
    found = [*fenced(text, begin, place)]
    if not any(complete and (fits or place is None) for (fits, complete, *_), _ in found):
        found += in_prose(text, begin, place)
    if found:
        return max(found, key=lambda each: each[0])[1]
    return whole if container and whole.state == "invalid" else None


Ranked = tuple[tuple[bool, bool, int, int, int], Document]


def ranked(document: Document, where: int, place: Place | None) -> Ranked:
    """A document with what makes it the answer: fitting, complete, its place, what it holds, and being the last."""
    root = document.root
    assert root is not None
    complete = document.state == "complete"
    fits = place is not None and place.fits(root.kind, {one.key for one in root.members}, complete=complete)
    weight = 1
    if any(one.kind == "object" for one in root.every()):
        weight = 2
    elif [one.kind for one in root.members] == ["number"]:
        weight = 0
    return (fits, complete, where, weight, root.start), document


def lead(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK + "\ufeff":
        at += 1
    return at


def json_lines(text: str, start: int, end: int) -> Document | None:
    """Several documents with a line end between them, as one array."""
    roots, at = [], start
    state = "complete"
    while at < end:
        document = parse(text, at)
        if document.state not in ("complete", "truncated") or text[at] not in "{[" or document.root is None:
            return None
        roots.append(document.root)
        state, behind = document.state, document.end
        at = Reader(text).blank(behind)
        if at < end and "\n" not in text[behind:at]:
            return None
    if len(roots) < 2:
        return None
    array = Value("array", start, behind, closed=state == "complete", members=roots)
    for number, root in enumerate(roots):
        root.parent, root.key = array, number
    return Document(state, behind, array)


def fenced(text: str, start: int, place: Place | None) -> Iterator[Ranked]:
    """Every document that fills a fenced block."""
    opening = FENCE.search(text, start)
    while opening:
        fence, at = opening["fence"], lead(text, opening.end())
        document = parse(text, at)
        behind = Reader(text).blank(document.end)
        close = text.find(fence, document.end if document.state == "complete" else opening.end())
        close = len(text) if close < 0 else close
        if document.state == "complete" and text[at : at + 1] in ("{", "["):
            document = json_lines(text, at, close) or document
            behind = Reader(text).blank(document.end)
        fills = document.state == "complete" and (behind == len(text) or text.startswith(fence, behind))
        cut = document.state == "truncated" and text[at : at + 1] in ("{", "[", '"')
        if fills or cut:
            yield ranked(document, 2 if opening["language"].lower() in JSON_NAMES else 1, place)
        closing = FENCE.match(text, close)
        opening = FENCE.search(text, closing.end()) if closing else None


def in_prose(text: str, start: int, place: Place | None) -> Iterator[Ranked]:
    """Every object and array with something in it; nothing out of one that cannot be read."""
    at = start
    while at < len(text):
        if text[at] not in "{[":
            at += 1
            continue
        document = parse(text, at)
        if document.state in ("complete", "truncated"):
            if len(document.values) > 1:
                yield ranked(document, 0, place)
            at = document.end
            continue
        behind = balanced(text, at)
        if behind is None:
            if re.match(r'\{\s*"|\[\s*[{\[]?\s*"', text[at:]):
                return
            behind = at + 1
        at = behind


def balanced(text: str, at: int) -> int | None:
    """Where the bracket at an offset is closed again, those in strings not counted; None where nowhere."""
    depth = 0
    while at < len(text):
        string = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at) if text[at] == '"' else None
        if string:
            at = string.end()
            continue
        depth += (text[at] in "{[") - (text[at] in "}]")
        at += 1
        if depth == 0:
            return at
    return None


def structured(text: str, has_schema: bool) -> bool:
    """Whether a text is meant to be JSON."""
    begin = lead(text, 0)
    if has_schema or text[begin : begin + 1] == "{":
        return True
    array = re.match(r'\[\s*([\[{"\]\d-]|true\b|false\b|null\b|\Z)', text[begin:], re.ASCII)
    if array and (text.rstrip().endswith("]") or re.match(r'\[\s*[{\[]?\s*"', text[begin:])):
        return True
    for opening in FENCE.finditer(text, begin):
        language = opening["language"].lower()
        inside = text[Reader(text).blank(opening.end()) :][:1]
        if language in JSON_NAMES and (language or inside in ("{", "[")):
            return True
    return False
