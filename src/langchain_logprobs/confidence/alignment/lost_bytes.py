"""Placing tokens whose bytes were lost between the tokens that are known.

Ollama and older vLLM show a part of a character as U+FFFD and its bytes as those of U+FFFD. A run of such tokens is a
gap of unknown length in the joined tokens: what lies between two gaps must be found in the text. Lost bytes are always
parts of characters beyond ASCII, which keeps the gaps short. The pieces are placed as early as possible, then as late
as possible; only where both agree is the answer certain.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from langchain_logprobs.confidence.alignment.token_bytes import (
    REPLACEMENT,
    is_special,
    lost_bytes,
    reasoning_end,
    token_bytes,
    utf8,
)
from langchain_logprobs.formats.tokens import TokenLogprob

_LOST = re.compile(f"({REPLACEMENT}+)")
_NOT_ASCII = re.compile(rb"[\x80-\xff]*")


def resynchronise(tokens: Sequence[TokenLogprob], data: bytes) -> tuple[list[int], list[int]] | None:
    """Place every token in the text, runs of lost bytes absorbing what is left between their neighbours.

    Args:
        tokens: The tokens of an answer; tokens around the answer may be among them if they are special tokens or
            stand before the end mark of a reasoning part.
        data: The UTF-8 bytes of the answer's text.

    Returns:
        Start and end of every token in bytes, both ascending; a token outside the text has an empty span. None where
        no bytes are lost, or where there is no way or more than one to place the tokens.
    """
    if not any(map(lost_bytes, tokens)):
        return None
    first, last = _answer(tokens)
    for begin, end in dict.fromkeys([(0, len(tokens)), (first, last)]):
        spans = _place(tokens[begin:end], data)
        if spans is not None:
            starts, ends = spans
            behind = [len(data)] * (len(tokens) - end)
            return [0] * begin + starts + behind, [0] * begin + ends + behind
    return None


def _answer(tokens: Sequence[TokenLogprob]) -> tuple[int, int]:
    """The range of tokens without the reasoning and without the special tokens at both ends."""
    behind = list(accumulate(len(token.token) for token in tokens))
    reasoning = reasoning_end("".join(token.token for token in tokens))
    first, last = bisect_left(behind, reasoning) + 1 if reasoning else 0, len(tokens)
    while first < last and is_special(tokens[first]):
        first += 1
    while first < last and is_special(tokens[last - 1]):
        last -= 1
    return first, last


def _place(tokens: Sequence[TokenLogprob], data: bytes) -> tuple[list[int], list[int]] | None:
    # Known parts are collected into pieces; a gap lies between pieces[k] and pieces[k + 1]. A mark is a place in that
    # row: a piece and an offset in it, or (offset -1) the gap behind the piece.
    parts: list[list[bytes]] = [[]]
    length = 0  # of the last piece
    in_gap = False
    marks: list[tuple[int, int, int, int]] = []  # piece and offset of each token's start, then of its end
    for token in tokens:
        start: tuple[int, int] | None = None
        stop = (len(parts) - 1, -1 if in_gap else length)
        for part in _LOST.split(token.token) if lost_bytes(token) else [token_bytes(token)]:
            if not part:
                continue
            if isinstance(part, str) and part.startswith(REPLACEMENT):
                in_gap = True
                start = start or (len(parts) - 1, -1)
                stop = (len(parts) - 1, -1)
                continue
            if in_gap:
                parts.append([])
                length = 0
                in_gap = False
            known = part if isinstance(part, bytes) else utf8(part)
            parts[-1].append(known)
            start = start or (len(parts) - 1, length)
            length += len(known)
            stop = (len(parts) - 1, length)
        marks.append((*(start or stop), *stop))
    if in_gap:
        parts.append([])
    pieces = [b"".join(known) for known in parts]
    places = _certain_places(pieces, data)
    if places is None:
        return None
    gap_starts = [place + len(piece) for place, piece in zip(places, pieces, strict=True)]
    starts, ends = [], []
    for start_piece, start_offset, end_piece, end_offset in marks:
        begin = gap_starts[start_piece] if start_offset < 0 else places[start_piece] + start_offset
        end = places[end_piece + 1] if end_offset < 0 else places[end_piece] + end_offset
        starts.append(min(max(begin, 0), len(data)))
        ends.append(min(max(end, 0), len(data)))
    return starts, ends


def _certain_places(pieces: list[bytes], data: bytes) -> list[int] | None:
    """Where each piece begins in the data, if there is exactly one way; the outer white space may be cut off."""
    head, tail = pieces[0], pieces[-1]
    if not data.startswith(head):
        head = head.lstrip()
    if not data.endswith(tail):
        tail = tail.rstrip()
    if not data.startswith(head) or not data.endswith(tail) or len(head) + len(tail) >= len(data):
        return None
    stop = len(data) - len(tail)
    inner = pieces[1:-1]
    early = _earliest(inner, data, len(head), stop)
    late = _earliest([piece[::-1] for piece in reversed(inner)], data[::-1], len(tail), len(data) - len(head))
    if early is None or late is None:
        return None
    mirrored = [len(data) - at - len(piece) for at, piece in zip(reversed(late), inner, strict=True)]
    return [len(head) - len(pieces[0]), *early, stop] if early == mirrored else None


def _earliest(pieces: list[bytes], data: bytes, position: int, stop: int) -> list[int] | None:
    """Place the pieces from left to right, each as early as it goes, a gap beyond ASCII before each and at the end."""
    places = []
    gap_end = _gap_end(data, position)
    for piece in pieces:
        at = data.find(piece, position + 1, min(gap_end + len(piece), stop))
        if at < 0:
            return None
        places.append(at)
        position = at + len(piece)
        if position > gap_end:  # else the run of characters beyond ASCII goes on
            gap_end = _gap_end(data, position)
    return places if position < stop <= gap_end else None


def _gap_end(data: bytes, position: int) -> int:
    match = _NOT_ASCII.match(data, position)
    return match.end() if match else position
