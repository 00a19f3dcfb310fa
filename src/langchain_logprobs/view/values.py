"""Where each value of a structured answer stands in its text, so that it is shown as the model wrote it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from langchain_logprobs.confidence.fields.json_scan import Value, scan
from langchain_logprobs.view.answer import Answer

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
    """

    text: str
    start: int
    size: int


def places(answer: Answer) -> list[Place | None]:
    """Find the value of each field of an answer; None where the text does not show it."""
    if not answer.fields:
        return []
    text = answer.text
    values = list(_values(text))
    starts = [0, *accumulate(len(token.text or "") for token in answer.tokens)]
    firsts = first_indexes(answer)
    found = []
    for field in answer.fields:
        at = position_of(firsts, field.weakest.index) if field.weakest is not None else None
        found.append(_place(field.path, text, values, starts, at))
    return found


def first_indexes(answer: Answer) -> list[int]:
    """Return the index in the span's arrays of each of an answer's tokens, and the index behind the last one."""
    return [0, *accumulate(token.size for token in answer.tokens)]


def position_of(firsts: Sequence[int], index: int) -> int | None:
    """Return where the token with this index in the span's arrays stands among an answer's; None for nowhere.

    Args:
        firsts: From `first_indexes`.
        index: The index.
    """
    return bisect_right(firsts, index) - 1 if 0 <= index < firsts[-1] else None


def _values(text: str) -> Iterator[Value]:
    """Yield the values of every document in a text: the answer's own, or those of its tool calls."""
    whole = scan(text)
    if whole.state == "complete" and not text[whole.end :].strip():
        yield from whole.values
        return
    work = _MAX_WORK * len(text)
    match = _BRACKET.search(text)
    while match and work > 0:
        document = scan(text, match.start())
        work -= document.end - match.start() + 1
        readable = document.state != "invalid" and len(document.values) > 1
        if readable:
            yield from document.values
        match = _BRACKET.search(text, document.end if readable else match.end())


def _place(path: str, text: str, values: Sequence[Value], starts: Sequence[int], weakest: int | None) -> Place | None:
    candidates = [value for value in values if value.path == path]
    if path.startswith(_TOOL_CALLS):
        # The arguments are an object in the model's own markup: `/tool_calls/0/name/city` is `.../city` in there.
        inner = "/" + path.split("/", 4)[4] if path.count("/") >= 4 else ""
        candidates += [value for value in values if value.path.endswith(inner)]
    if weakest is not None:
        begin, end = starts[weakest], starts[weakest + 1]
        candidates = [value for value in candidates if value.start < end and value.end > begin]
    else:
        candidates = [value for value in candidates if not value.shadowed]
    if not candidates:
        return None
    chosen = min(candidates, key=lambda value: (value.end - value.start, value.path))
    first = bisect_right(starts, chosen.start) - 1
    last = bisect_right(starts, chosen.end - 1) - 1
    return Place(text[chosen.start : chosen.end], first, last - first + 1)
