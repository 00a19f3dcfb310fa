"""Where does a text stand in the joined tokens, and can that be the answer? Knows strings, not tokens.

Before an answer stands what the model wrote first: its reasoning, the header of a message, a code fence. Behind it
stands next to nothing: white space, end marks, a closing fence, a tool call, the stop string. A text that is found
before anything else is a quotation of the answer, in the reasoning for example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from langchain_logprobs.confidence.alignment.token_bytes import (
    REPLACEMENT,
    SPECIAL,
)
from langchain_logprobs.confidence.thinking import ends_reasoning, reasoning_end

WHITE = " \t\n\r\v\f"
"""The white space that servers strip."""

_LONGEST_MARK = 80
_MOST_MARKS = 4096
"""So many end marks and fences are looked at behind an answer: a batch can be padded with them."""
_TOOL_WORD = re.compile("tool|function|action|plugin|python_tag", re.IGNORECASE)
_CLOSING_MARK = re.compile(
    rf"{SPECIAL.pattern}|`{{3,}}|~{{3,}}|</[^<>\s]{{0,32}}(?:tool|function|parameter)[^<>\s]{{0,32}}>", re.IGNORECASE
)
_OPENS_MARK = {">": "<", "]": "[", "[": "[", "`": "", "~": ""}
"""With which character a closing mark begins that ends with this one; a fence repeats its own."""

# It begins with a literal, which makes the search of a long reasoning as quick as one for a character.
_TOOL_TAG = re.compile(
    r"<[^<>\s]{0,32}(?:tool|function|action|plugin|python_tag)[^<>\s]{0,48}>"
    r"|<\|start\|>assistant(?:<\|channel\|>\w+)? to=|<\|channel\|>\w+ to=",
    re.IGNORECASE,
)
_CLOSES = re.compile(r"<[|｜]?/|.*end", re.IGNORECASE)
_TOOL_LITERALS = {"[TOOL_CALL": "[", "functools[": "[", "```tool_c": "`"}
"""Other marks, and a rare character of each, whose search is the quickest."""
# Behind a word or a comma on the same line a word goes on a sentence: "maybe 5 or" before "4", "1," before "000".
_UNFINISHED_SENTENCE = re.compile(r"[\w,][ \t]*\Z", re.ASCII)
_RUNS = f"`~{REPLACEMENT}"
_WORD_START = re.compile(r"\w", re.ASCII)


def find_answer(
    joined: str, text: str, stops: Sequence[str] = (), begins_token: Callable[[int], bool] = lambda _: True
) -> int | None:
    """Return where the text begins in the joined tokens.

    Args:
        joined: The joined tokens.
        text: The text of the answer.
        stops: The request's stop strings: the tokens may spell the one at which the server cut the text off.
        begins_token: Whether a token begins at an offset of `joined`.

    Returns:
        The offset; None where the text is not found, cannot be the answer there, or could be it at two places.
    """
    if not text:
        return len(joined)
    core = text.rstrip(WHITE)
    if not core:
        return _find_white_space(joined, text)

    def places(end: int) -> set[int]:
        starts = (low - len(core) for low in _possible_ends(joined, end) if joined.endswith(core, 0, low))
        fitting = (start for start in starts if joined.startswith(text, start))
        # Two are as good as any number.
        return set(islice((start for start in fitting if _may_begin(joined, start, core, begins_token)), 2))

    found = {start for start in places(len(joined)) if not _in_tool_call(joined, start)}
    if len(found) == 1 and (not stops or joined.find(core) in found):
        return found.pop()  # by far the most common: it is what the tokens end with
    first = reasoning_end(joined)
    call = tool_call_start(joined)
    cuts = [call] if call < len(joined) else []
    for stop in filter(None, stops):
        start = joined.find(text + stop, first)
        cuts.append(start + len(text) if start >= 0 else max(joined.find(stop, first), 0))
    for cut in cuts:
        found |= places(cut)
    return found.pop() if len(found) == 1 else None


def tool_call_start(joined: str) -> int:
    """Return where the first tool call behind the reasoning begins in joined tokens; their length where none does."""
    return min((at for at, opens in _tool_marks(joined, len(joined)) if opens), default=len(joined))


def _in_tool_call(joined: str, offset: int) -> bool:
    """Whether a tool call that began behind the reasoning goes on at an offset."""
    at = joined.rfind("<", 0, offset)  # from the right: the last mark decides, and an answer can be padded with marks
    while at >= 0 and not (tag := _TOOL_TAG.match(joined, at, offset)):
        at = joined.rfind("<", 0, at)
    last = (at, _CLOSES.match(tag.group()) is None) if at >= 0 and tag else (-1, False)
    at, opens = max([last, *_tool_literals(joined, offset)])
    return opens and at >= reasoning_end(joined)


def _tool_marks(joined: str, end: int) -> Iterator[tuple[int, bool]]:
    """Yield where marks of tool calls stand behind the reasoning, and whether they open one; in no order."""
    first: int | None = None
    for match in _TOOL_TAG.finditer(joined, 0, end):
        first = reasoning_end(joined) if first is None else first
        if match.start() >= first:
            yield match.start(), _CLOSES.match(match.group()) is None
    yield from _tool_literals(joined, end)


def _tool_literals(joined: str, end: int) -> Iterator[tuple[int, bool]]:
    for literal, rare in _TOOL_LITERALS.items():
        if rare in joined and literal in joined:
            at = joined.find(literal, reasoning_end(joined), end)
            if at >= 0:
                yield at, True


def closing_start(joined: str) -> int:
    """Return where the white space, end marks and fences begin with which joined tokens end."""
    return min(_possible_ends(joined, len(joined)))


def _possible_ends(joined: str, end: int) -> Iterator[int]:
    """Yield where a text may end that has nothing but closing marks between itself and `end`, from the right."""
    low = end
    in_tool_call: bool | None = None
    for _ in range(_MOST_MARKS):
        while low and joined[low - 1] in WHITE:
            low -= 1
        yield low
        mark = _closing_mark(joined, low)
        if not mark or ends_reasoning(mark):
            return
        low -= len(mark)
        if in_tool_call is None and _TOOL_WORD.search(mark):
            in_tool_call = _in_tool_call(joined, low)
        if in_tool_call:
            return  # what stands before it belongs to the tool call


def _closing_mark(joined: str, end: int) -> str:
    """The end mark, fence or the like that ends at an offset; empty where none does."""
    last = joined[end - 1 : end]
    if last not in _OPENS_MARK:
        return ""
    if last in "`~":
        window = joined[max(0, end - _LONGEST_MARK) : end]
        mark = window[len(window.rstrip(last)) :]
    else:
        start = joined.rfind(_OPENS_MARK[last], max(0, end - _LONGEST_MARK), end - 1)
        mark = joined[start:end] if start >= 0 else ""
    return mark if _CLOSING_MARK.fullmatch(mark) else ""


def _may_begin(joined: str, start: int, text: str, begins_token: Callable[[int], bool]) -> bool:
    """Whether a text that was found can be the answer, by what stands before it.

    Not inside a word (it is another one) or in the middle of a sentence, not inside a mark or a fence, and not inside
    a run of U+FFFD, which stands for lost bytes as well as for itself.
    """
    before = joined[max(start - 8, 0) : start]
    if _WORD_START.match(text) and _UNFINISHED_SENTENCE.search(before):
        return False
    if before[-1:].isalnum() and text[0].isalnum() and not begins_token(start):
        return False
    if text[0] in _RUNS and before.endswith(text[0]):
        return False
    opening = max(joined.rfind(bracket, max(start - _LONGEST_MARK, 0), start) for bracket in "<[")
    mark = _CLOSING_MARK.match(joined, opening) or _TOOL_TAG.match(joined, opening) if opening >= 0 else None
    return mark is None or mark.end() <= start


def _find_white_space(joined: str, text: str) -> int | None:
    """Return where a text of nothing but white space stands in that behind the reasoning, if nothing else is there.

    Some servers leave it before a tool call. White space elsewhere says nothing.
    """
    first = reasoning_end(joined)
    last = min(tool_call_start(joined), max(closing_start(joined), first))
    behind = len(joined[first:]) - len(joined[first:].lstrip(WHITE)) + first
    at = joined.find(text, first, behind)
    return at if first and last <= behind and 0 <= at == joined.rfind(text, first, behind) else None
