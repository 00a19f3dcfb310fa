"""Where each value of a structured answer stands in its text, so that it is shown as the model wrote it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from langchain_logprobs.confidence.fields.find_json import find_document
from langchain_logprobs.confidence.fields.json_scan import Value, scan
from langchain_logprobs.view.answer import Answer, Field

_MAX_WORK = 4
"""Documents are looked for until the candidates tried add up to this many times the text's length."""

_BRACKET = re.compile(r"[{\[]")
_TOOL_CALLS = "/tool_calls/"


class Place(NamedTuple):
    """A value in an answer.

    Attributes:
        text: Its JSON, as the model spelled it.
        start: Position of its first token among the answer's tokens.
        size: How many tokens it has a part in.
        offset: Offset of its first character in the answer's text (code points).
        document: The values of the document that it is a part of, in the order of the text; empty for a label that
            stands alone, without quotes.
    """

    text: str
    start: int
    size: int
    offset: int
    document: Sequence[Value]


def places(answer: Answer) -> list[Place | None]:
    """Find the value of each field of an answer; None where the text does not show it."""
    return _Places(answer).found() if answer.fields and answer.text else [None] * len(answer.fields)


def first_indexes(answer: Answer) -> list[int]:
    """Return the index in the span's arrays of each of an answer's tokens, and the index behind the last one."""
    return [0, *accumulate(token.size for token in answer.tokens)]


def text_starts(answer: Answer) -> list[int]:
    """Return the offset in the answer's text of each of its tokens, and the offset behind the last one."""
    return [0, *accumulate(len(token.text or "") for token in answer.tokens)]


def position_of(firsts: Sequence[int], index: int) -> int | None:
    """Return where the token with this index in the span's arrays stands among an answer's; None for nowhere.

    Args:
        firsts: From `first_indexes`.
        index: The index.
    """
    return bisect_right(firsts, index) - 1 if 0 <= index < firsts[-1] else None


def _documents(text: str) -> Iterator[list[Value]]:
    """Yield the values of every document in a text: the answer's own, then each of those that it or its calls hold."""
    own = find_document(text)
    if own is not None and own.values:
        yield own.values
        if own.state == "complete" and not (text[: own.start] + text[own.end :]).strip():
            return
    work = _MAX_WORK * len(text)
    match = _BRACKET.search(text)
    while match and work > 0:
        document = scan(text, match.start())
        work -= document.end - match.start() + 1
        readable = document.state != "invalid" and len(document.values) > 1
        if readable and (own is None or not own.values or document.start != own.start):
            yield document.values
        match = _BRACKET.search(text, document.end if readable else match.end())


class _Found(NamedTuple):
    """A value, with its path and the number of its document."""

    path: str
    number: int
    value: Value


class _Places:
    """Looks for the values of one answer, all in one pass over its documents."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.text = answer.text
        self.starts = text_starts(answer)
        self.firsts = first_indexes(answer)
        # What is neither answer nor tool call (reasoning, fences and end marks that the server strips) is no JSON.
        said = "".join(each.text or "" if each.counted else " " * len(each.text or "") for each in answer.tokens)
        self.documents = list(_documents(said))
        self.by_path: dict[str, list[_Found]] = defaultdict(list)
        self.by_step: dict[str, list[_Found]] = defaultdict(list)
        for number, values in enumerate(self.documents):
            for value in values:
                found = _Found(value.path, number, value)
                self.by_path[found.path].append(found)
                self.by_step[found.path.rpartition("/")[2]].append(found)

    def found(self) -> list[Place | None]:
        return [self._place(field) for field in self.answer.fields]

    def _place(self, field: Field) -> Place | None:
        path = field.path
        token = position_of(self.firsts, field.weakest.index) if field.weakest is not None else None
        candidates = list(self.by_path.get(path, ()))
        if path.startswith(_TOOL_CALLS):
            # The arguments are an object in the model's own markup: `/tool_calls/0/name/city` is `.../city` in there.
            inner = "/" + path.split("/", 4)[4] if path.count("/") >= 4 else ""
            if inner:
                named = self.by_step.get(path.rpartition("/")[2], ())
                candidates += [each for each in named if each.path.endswith(inner)]
            elif token is not None:  # a call without arguments
                candidates = [each for group in self.by_step.values() for each in group]
        if token is None:
            candidates = [each for each in candidates if not each.value.shadowed]
            begin, end = 0, len(self.text)
        else:
            # The weakest token can be the one behind a number: 4 can be sure, and that no 2 follows is not.
            begin, end = self.starts[token], self.starts[token + 1]
            candidates = [each for each in candidates if each.value.start <= end and each.value.end >= begin]
        if not candidates:
            return self._whole(token) if not path else None

        def rank(each: _Found) -> tuple[bool, int, int, str]:
            value = each.value
            beside = value.start >= end or value.end <= begin
            return beside, value.end - value.start, each.number, each.path

        best = min(candidates, key=rank)
        return self._at(best.value.start, best.value.end, self.documents[best.number])

    def _whole(self, token: int | None) -> Place | None:
        """Return the document, else the answer's whole text: a label without quotes is no JSON."""
        if self.documents:
            root = self.documents[0][0]
            return self._at(root.start, root.end, self.documents[0])
        counted = [at for at, each in enumerate(self.answer.tokens) if each.counted and each.text]
        if token not in counted:
            return None
        start, end = self.starts[counted[0]], self.starts[counted[-1] + 1]
        said = self.text[start:end]
        return self._at(start + len(said) - len(said.lstrip()), start + len(said.rstrip()), ())

    def _at(self, start: int, end: int, document: Sequence[Value]) -> Place | None:
        if start >= end:
            return None
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, end - 1) - 1
        return Place(self.text[start:end], first, last - first + 1, start, document)
