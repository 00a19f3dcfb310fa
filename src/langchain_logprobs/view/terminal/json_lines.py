"""A structured answer as the model wrote it, line by line; no line shows more than one value with a confidence.

The text keeps its own layout. A line with several values is continued on the next one behind the comma between two of
them, as an editor wraps a long line, so that each value has room for its confidence beside it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from langchain_logprobs.confidence.fields.json_scan import Value
from langchain_logprobs.view.answer import Answer, Field, Token
from langchain_logprobs.view.values import Place, places, text_starts

_NOT_BLANK = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line.

    Attributes:
        text: What it says.
        tokens: The tokens (where the line begins or ends inside one, its part of it), for text that is shaded by token;
            empty for brackets, keys and values.
        field: The value that it is; None for other text.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    field: Field | None = None


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line.

    Attributes:
        pieces: What it says.
        field: The value that it shows, of which there is one at the most.
        shadowed: Whether it shows a value whose key comes again, so that parsers give the later one.
    """

    pieces: tuple[Piece, ...]
    field: Field | None = None
    shadowed: bool = False


@dataclass(frozen=True, slots=True)
class Structured:
    """A structured answer.

    Attributes:
        lines: Its lines, from behind the reasoning on.
        elsewhere: The fields that are not in the text.
    """

    lines: tuple[JsonLine, ...]
    elsewhere: tuple[Field, ...]


def json_lines(answer: Answer) -> Structured | None:
    """Return an answer as lines with its values; None where none of its values is in its text."""
    found = places(answer)
    placed = [(place, field) for place, field in zip(found, answer.fields, strict=True) if place is not None]
    if not placed:
        return None
    elsewhere = [field for place, field in zip(found, answer.fields, strict=True) if place is None]
    return Structured(tuple(_Lines(answer, placed).lines()), tuple(elsewhere))


class _Lines:
    """Cuts the text of one answer into lines and these into pieces. Offsets are code points of the answer's text."""

    def __init__(self, answer: Answer, placed: Sequence[tuple[Place, Field]]) -> None:
        self.answer = answer
        self.text = answer.text
        self.starts = text_starts(answer)
        self.fields: dict[int, tuple[int, Field]] = {}
        documents: dict[int, Sequence[Value]] = {}
        for place, field in placed:
            self.fields.setdefault(place.offset, (place.offset + len(place.text), field))
            if place.document:
                documents[place.document[0].start] = place.document
        values = [value for start in sorted(documents) for value in documents[start]]
        self.roots = [(document[0].start, document[0].end) for _, document in sorted(documents.items())]
        self.values = values
        holders = {id(value.above) for value in values}
        self.scalars = [value for value in values if id(value) not in holders]
        self.shadowed = {value.start: value.end for value in self.scalars if value.shadowed}
        edges = {*(edge for root in self.roots for edge in root), *self.fields}
        self.edges = sorted(edges.union(*self.shadowed.items(), [len(self.text)]))

    def lines(self) -> Iterator[JsonLine]:
        """Yield the lines; blank ones at the start and the end are left out."""
        begin = self.starts[self.answer.reasoning_size]
        first = _NOT_BLANK.search(self.text, begin)
        if first is None:
            return
        # The indentation of the first line stays.
        begin = max(begin, self.text.rfind("\n", begin, first.start()) + 1)
        end = len(self.text.rstrip())
        for start, stop, indent in self._cuts(begin, end):
            pieces = [*([Piece(indent)] if indent else []), *self._pieces(start, stop)]
            field = next((piece.field for piece in pieces if piece.field), None)
            shadowed = any(start <= at < stop for at in self.shadowed)
            yield JsonLine(tuple(pieces), field, shadowed)

    def _cuts(self, begin: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Yield start and end of each line, and what it is indented by where it continues one."""
        spans = [(value.start, value.end) for value in self.scalars]
        newlines = [
            match.start()
            for match in re.finditer("\n", self.text[begin:end])
            if not _inside(match.start() + begin, spans)
        ]
        cuts = {begin + newline: begin + newline + 1 for newline in newlines}
        indents = {}
        before: Value | None = None
        for after in self.scalars:
            if after.start not in self.fields:
                continue
            comma = self.text.find(",", before.end, after.start) if before is not None else -1
            if comma >= 0 and "\n" not in self.text[comma : after.start]:
                blank = _NOT_BLANK.search(self.text, comma + 1)
                behind = blank.start() if blank else comma + 1
                cuts[comma + 1] = behind
                indents[behind] = " " * self._depth(behind)
            before = after
        start = begin
        base = ""
        for cut in sorted(each for each in cuts if begin <= each < end):
            if cut < start:
                continue
            yield start, cut, base + indents[start] if start in indents else ""
            if start not in indents:
                base = re.match(r"[ \t]*", self.text[start:cut])[0]  # type: ignore[index]
            start = cuts[cut]
        yield start, end, base + indents[start] if start in indents else ""

    def _depth(self, offset: int) -> int:
        """Return in how many containers the value that begins at an offset, or behind it, is."""
        at = bisect_left(self.values, offset, key=lambda value: value.start)
        depth, value = 0, self.values[at] if at < len(self.values) else None
        while value is not None and value.above is not None:
            depth, value = depth + 1, value.above
        return depth

    def _pieces(self, start: int, stop: int) -> Iterator[Piece]:
        at = start
        while at < stop:
            if at in self.fields:
                end, field = self.fields[at]
                yield Piece(self.text[at : min(end, stop)], field=field)
                at = min(end, stop)
                continue
            following = min(self.edges[bisect_right(self.edges, at)], stop)
            in_document = any(first <= at < end for first, end in self.roots)
            plain = in_document and at not in self.shadowed
            yield Piece(self.text[at:following], () if plain else tuple(self._tokens(at, following)))
            at = following

    def _tokens(self, start: int, stop: int) -> Iterator[Token]:
        first = bisect_left(self.starts, start + 1) - 1
        for at in range(first, len(self.answer.tokens)):
            begin, end = self.starts[at], self.starts[at + 1]
            if begin >= stop:
                break
            token = self.answer.tokens[at]
            yield replace(token, text=self.text[max(begin, start) : min(end, stop)])


def _inside(offset: int, spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_left(spans, (offset, offset)) - 1
    return at >= 0 and spans[at][0] < offset < spans[at][1]
