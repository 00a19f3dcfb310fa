"""Where does a reasoning text end? Known by the marks that models put around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAMES = "think|thinking|thought|thoughts|reasoning|reason"
_BEGIN = re.compile(
    rf"\s*(?:<(?:\w+:)?(?:{_NAMES})>|\[THINK\]|◁think▷|<\|(?:START_THINKING|begin_of_thought|think)\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)(?! to=)[^<]*<\|message\|>)"
)
_END = re.compile(
    rf"</(?:\w+:)?(?:{_NAMES})>|\[/THINK\]|◁/think▷"
    # In one branch, so that text full of other tags is searched quickly:
    r"|<\|(?:END_THINKING|end_of_thought|/think|(?:start\|>assistant<\|)?channel\|>final[^<]*<\|message)\|>"
)
_END_OR_CALL = re.compile(rf"{_END.pattern}|(?=<\|start\|>assistant(?:<\|channel\|>\w+)? to=|<\|channel\|>\w+ to=)")
"""Harmony has no end mark before a tool call: the call's header ends a thought that was seen to begin."""
_QUOTES = frozenset("`'\"")


def thinking_end(text: str) -> int:
    """Return the offset behind the reasoning that a text begins with, in code points; 0 where it begins with none.

    A reasoning text that was cut off before its end mark reaches to the end. Many chat templates put the begin mark
    into the prompt, so an end mark counts without it too, unless the text talks of the marks: a begin mark stands
    further on, or the end mark is quoted.

    Example:
        >>> thinking_end("<think>4 or 5?</think>5")
        22
        >>> thinking_end("Close it with `</think>`.")
        0
    """
    if "<" not in text and "[" not in text and "◁" not in text:  # as most answers, in no time
        return 0
    end = 0
    while begin := _BEGIN.match(text, end):
        mark = _END_OR_CALL.search(text, begin.end())
        if mark is None:
            return len(text)
        end = mark.end()
    if end:
        return end
    mark = _END.search(text)
    if mark is None or text[max(0, mark.start() - 1) : mark.start()] in _QUOTES:
        return 0
    return 0 if any(_BEGIN.match(text, at) for at in _places_of_marks(text, mark.start())) else mark.end()


def ends_reasoning(text: str) -> bool:
    """Tell whether the end mark of a reasoning text is in a text."""
    return _END.search(text) is not None


def reasoning_end(text: str) -> int:
    """Return the offset behind the last end mark of a reasoning text, in code points; 0 where there is none.

    For joined tokens, whose answer is still to be found. Of an answer's text, `thinking_end` tells more.
    """
    offset = 0
    for match in _END.finditer(text):
        offset = match.end()
    return offset


def is_mark(text: str) -> bool:
    """Tell whether a text is nothing but a mark around a reasoning text, or white space beside one."""
    return not text.strip() or _BEGIN.fullmatch(text.strip()) is not None or _END.fullmatch(text.strip()) is not None


def marks_among(words: Sequence[str]) -> set[int]:
    """Return which of some tokens are nothing but a part of such a mark: several can spell one."""
    joined = "".join(words)
    marks = sorted(match.span() for pattern in (_BEGIN, _END) for match in pattern.finditer(joined))
    found = set()
    end = marked = passed = 0
    for index, word in enumerate(words if marks else ()):
        start, end = end, end + len(word)
        while passed < len(marks) and marks[passed][0] <= start:
            marked = max(marked, marks[passed][1])  # the furthest end of a mark that begins before here
            passed += 1
        if end <= marked:
            found.add(index)
    return found


def _places_of_marks(text: str, stop: int) -> list[int]:
    return [match.start() for match in re.finditer(r"[<\[◁]", text[:stop])]
