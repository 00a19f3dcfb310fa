"""Placing tokens whose bytes were lost between the tokens that are known.

Ollama and older vLLM show a part of a character as U+FFFD and its bytes as those of U+FFFD; llama-cpp-python shows
nothing. A run of such tokens is a gap of unknown length in the joined tokens: what lies between two gaps must be found
in the text. Lost bytes are always parts of characters beyond ASCII, which keeps the gaps short. The pieces are placed
as early as possible, then as late as possible; only where both agree is the answer certain.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from langchain_logprobs.confidence.alignment.containment import closing_start, tool_call_start
from langchain_logprobs.confidence.alignment.in_order import Spans
from langchain_logprobs.confidence.alignment.token_bytes import (
    REPLACEMENT,
    is_special,
    lost,
    plain_bytes,
    utf8,
)
from langchain_logprobs.confidence.thinking import reasoning_end

_LOST = re.compile(f"({REPLACEMENT}+)")
_NOT_ASCII = re.compile(rb"[\x80-\xff]*")
_OPENING_FENCE = re.compile(rb"\s*(?:```|~~~)[\w+-]*\s+")
_WHITE = b" \t\n\r\v\f"


class _Row(NamedTuple):
    """The known bytes of tokens, and the gaps between them.

    Attributes:
        pieces: What is known; a gap lies between each two of them.
        least: How many bytes each gap holds at least: 0 where its tokens show nothing, as an end mark does too.
        marks: Piece and offset of each token's start, then of its end. The offset -1 stands for the gap behind a piece.
    """

    pieces: list[bytes]
    least: list[int]
    marks: list[tuple[int, int, int, int]]


def resynchronise(words: Sequence[str], raws: Sequence[bytes | None], data: bytes) -> Spans | None:
    """Place every token in the text, runs of lost bytes absorbing what is left between their neighbours.

    Args:
        words: The texts of the tokens of an answer; tokens around the answer may be among them if they are special
            tokens, stand before the end mark of a reasoning part, or in a tool call behind the answer.
        raws: The bytes that came with them.
        data: The UTF-8 bytes of the answer's text.

    Returns:
        Start and end of every token in bytes, both ascending; a token outside the text has an empty span. None where
        no bytes are lost, or where there is no way or more than one to place the tokens.
    """
    if not any(map(lost, words, raws)):
        return None
    before_call = _before_tool_call(words, raws)
    attempts = [(words, raws, 0, len(words)), (*before_call, *_answer(before_call[0])), (words, raws, *_answer(words))]
    for held, held_raws, begin, end in attempts:
        spans = _place(held[begin:end], held_raws[begin:end], data)
        if spans is not None:
            starts, ends = spans
            behind = [len(data)] * (len(words) - end)
            return [0] * begin + starts + behind, [0] * begin + ends + behind
    return None


def _answer(words: Sequence[str]) -> tuple[int, int]:
    """The range of tokens without the reasoning and without the special tokens at both ends."""
    reasoning = reasoning_end("".join(words))
    first = bisect_left(list(accumulate(map(len, words))), reasoning) + 1 if reasoning else 0
    last = len(words)
    while first < last and is_special(words[first]):
        first += 1
    while first < last and is_special(words[last - 1]):
        last -= 1
    return first, last


def _before_tool_call(
    words: Sequence[str], raws: Sequence[bytes | None]
) -> tuple[Sequence[str], Sequence[bytes | None]]:
    """The tokens before the first tool call, the last of them cut where the call begins inside it."""
    joined = "".join(words)
    call = tool_call_start(joined)
    if call == len(joined):
        return words, raws
    behind = list(accumulate(map(len, words)))
    at = bisect_right(behind, call)
    rest = words[at][: call - behind[at] + len(words[at])]
    return [*words[:at], *filter(None, [rest])], [*raws[:at], *([None] if rest else [])]


def _place(words: Sequence[str], raws: Sequence[bytes | None], data: bytes) -> Spans | None:
    row = _row(words, raws)
    places = _certain_places(row, data)
    if places is None:
        return None
    gap_starts = [place + len(piece) for place, piece in zip(places, row.pieces, strict=True)]
    starts, ends = [], []
    for start_piece, start_offset, end_piece, end_offset in row.marks:
        begin = gap_starts[start_piece] if start_offset < 0 else places[start_piece] + start_offset
        end = places[end_piece + 1] if end_offset < 0 else places[end_piece] + end_offset
        starts.append(min(max(begin, 0), len(data)))
        ends.append(min(max(end, 0), len(data)))
    return starts, ends


def _row(words: Sequence[str], raws: Sequence[bytes | None]) -> _Row:
    """Collect what is known of the tokens into pieces, with gaps between them."""
    parts: list[list[bytes]] = [[]]
    least: list[int] = []
    length = 0  # of the last piece
    in_gap = False
    hollow = 0  # tokens that hold nothing at the end of the gap: end marks, for example
    marks: list[tuple[int, int, int, int]] = []

    def leave_gap() -> None:
        nonlocal in_gap, hollow, length
        if in_gap:
            marks[len(marks) - hollow :] = [(len(parts), 0, len(parts), 0)] * hollow
            parts.append([])
            in_gap, hollow, length = False, 0, 0

    for word, raw in zip(words, raws, strict=True):
        start: tuple[int, int] | None = None
        stop = (len(parts) - 1, -1 if in_gap else length)
        is_lost = lost(word, raw)
        for part in (_LOST.split(word) if word else [REPLACEMENT]) if is_lost else [plain_bytes(word, raw)]:
            if not part:
                hollow += in_gap and not is_lost
                continue
            if isinstance(part, str) and part.startswith(REPLACEMENT):
                if not in_gap:
                    least.append(0)
                in_gap, hollow = True, 0
                least[-1] = max(least[-1], 1 if word else 0)
                start = start or (len(parts) - 1, -1)
                stop = (len(parts) - 1, -1)
                continue
            leave_gap()
            known = part if isinstance(part, bytes) else utf8(part)
            parts[-1].append(known)
            start = start or (len(parts) - 1, length)
            length += len(known)
            stop = (len(parts) - 1, length)
        marks.append((*(start or stop), *stop))
    leave_gap()
    return _Row([b"".join(known) for known in parts], least, marks)


def _certain_places(row: _Row, data: bytes) -> list[int] | None:
    """Where each piece begins, if there is exactly one way; what servers strip may be missing at the ends."""
    pieces = row.pieces
    if len(pieces) == 1:
        return None
    head = next((head for head in _heads(pieces[0]) if data.startswith(head)), None)
    tail = next((tail for tail in _tails(pieces[-1]) if data.endswith(tail)), None)
    if head is None or tail is None or len(head) + len(tail) > len(data):
        return None
    stop = len(data) - len(tail)
    inner = pieces[1:-1]
    early = _earliest(inner, row.least, data, len(head), stop)
    mirrored = [piece[::-1] for piece in reversed(inner)]
    late = _earliest(mirrored, row.least[::-1], data[::-1], len(tail), len(data) - len(head))
    if early is None or late is None:
        return None
    late = [len(data) - at - len(piece) for at, piece in zip(reversed(late), inner, strict=True)]
    return [len(head) - len(pieces[0]), *early, stop] if early == late else None


def _heads(piece: bytes) -> list[bytes]:
    """What may be left of the first piece: all, or what comes behind white space and an opening fence."""
    fence = _OPENING_FENCE.match(piece)
    return [piece, piece.lstrip(_WHITE), *([piece[fence.end() :]] if fence else [])]


def _tails(piece: bytes) -> list[bytes]:
    """What may be left of the last piece: all, or what comes before white space and end marks."""
    shown = piece.decode("utf-8", "surrogateescape")
    unmarked = shown[: closing_start(shown)].encode("utf-8", "surrogateescape")
    return [piece, piece.rstrip(_WHITE), unmarked]


def _earliest(pieces: list[bytes], least: list[int], data: bytes, position: int, stop: int) -> list[int] | None:
    """Place the pieces from left to right, each as early as it goes, a gap beyond ASCII before each and at the end."""
    places = []
    gap_end = _gap_end(data, position)
    for piece, at_least in zip(pieces, least, strict=False):  # behind the last piece there is one more gap
        at = data.find(piece, position + at_least, min(gap_end + len(piece), stop))
        if at < 0:
            return None
        places.append(at)
        position = at + len(piece)
        if position > gap_end:  # else the run of characters beyond ASCII goes on
            gap_end = _gap_end(data, position)
    return places if position + least[-1] <= stop <= max(gap_end, position) else None


def _gap_end(data: bytes, position: int) -> int:
    match = _NOT_ASCII.match(data, position)
    return match.end() if match else position
