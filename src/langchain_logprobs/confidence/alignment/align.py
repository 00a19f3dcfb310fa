"""Which part of the answer's text does each token spell?

The list of tokens and the text of an answer come from a server separately, and they often differ: characters are cut
over several tokens and spelled in five ways, reasoning and end-of-text tokens stand in the list but not in the text,
servers strip white space and code fences. `align` finds the one right correspondence or says that it found none. It
never guesses: an offset that it publishes is right, and where it cannot be sure the status is `failed`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import accumulate

from langchain_logprobs.confidence.alignment.containment import (
    Place,
    exact,
    last_occurrence,
    partial,
    stripped,
    stripped_partial,
    substring,
)
from langchain_logprobs.confidence.alignment.lost_bytes import resynchronise
from langchain_logprobs.confidence.alignment.token_bytes import (
    REPLACEMENT,
    escaped_bytes,
    latin1_bytes,
    text_bytes,
    token_bytes,
    unspecial_bytes,
    utf8,
)
from langchain_logprobs.formats.tokens import TokenLogprob, texts_of

_BEGINS_CHARACTER = bytes(0 if 0x80 <= byte < 0xC0 else 1 for byte in range(256))
_STRAY_BYTE = re.compile("[\udc80-\udcff]")


class AlignmentStatus(StrEnum):
    """How the tokens were found to correspond to the text."""

    EXACT = "exact"
    """The joined tokens are the text."""
    SUBSTRING = "substring"
    """The text lies inside the joined tokens: reasoning, fences, white space or special tokens around it."""
    PARTIAL = "partial"
    """The joined tokens, white space around them aside, lie inside the text at one place only; the rest has none."""
    STRIPPED = "stripped"
    """Equal but for white space at the ends, on both sides."""
    RESYNCHRONISED = "resynchronised"
    """Characters whose bytes the server lost were placed between the tokens that are known, in the one way possible."""
    FAILED = "failed"
    """No correspondence, or more than one: there are no offsets."""


class Alignment:
    """The place of each token in a text. Made by `align`.

    Inside, a token without a place has an empty span, put so that `starts` and `ends` both ascend: the tokens of any
    part of the text are then two binary searches away.

    Attributes:
        status: How the tokens correspond to the text.
        text: The text that the offsets count in.
        token_count: How many tokens were given.
        starts: Code point offset of each token's first character; no items where the status is `failed`.
        ends: Code point offset behind each token's last character; equal to the start for a token outside the text.
    """

    __slots__ = (
        "_byte_ends",
        "_byte_marks",
        "_byte_starts",
        "_data",
        "ends",
        "starts",
        "status",
        "text",
        "token_count",
    )

    def __init__(
        self,
        status: AlignmentStatus,
        text: str,
        token_count: int,
        starts: list[int],
        ends: list[int],
        *,
        byte_starts: list[int] | None = None,
        byte_ends: list[int] | None = None,
    ) -> None:
        """Keep the spans as given; `byte_starts` and `byte_ends` only where tokens cut characters."""
        self.status = status
        self.text = text
        self.token_count = token_count
        self.starts = starts
        self.ends = ends
        self._byte_starts = byte_starts
        self._byte_ends = byte_ends
        self._byte_marks: list[int] | None = None
        self._data: bytes | None = None

    def __repr__(self) -> str:
        """Name the status and the sizes; the text itself may be private."""
        return f"Alignment(status={self.status.value!r}, tokens={self.token_count}, characters={len(self.text)})"

    @property
    def failed(self) -> bool:
        """Whether there are no offsets."""
        return self.status is AlignmentStatus.FAILED

    @property
    def data(self) -> bytes:
        """The UTF-8 bytes of the text."""
        if self._data is None:
            self._data = utf8(self.text)
        return self._data

    def span(self, index: int) -> tuple[int, int] | None:
        """Return where a token stands in the text.

        Args:
            index: Position of the token in the list that was aligned.

        Returns:
            Start and end in code points; a token that holds a part of a character spans that whole character. None
            for a token that has no place in the text, and for every token where the alignment failed.
        """
        if self.failed or self.starts[index] == self.ends[index]:
            return None
        return self.starts[index], self.ends[index]

    def byte_span(self, index: int) -> tuple[int, int] | None:
        """Return where a token stands in the UTF-8 bytes of the text, or None as `span` does."""
        span = self.span(index)
        if span is None:
            return None
        if self._byte_starts is not None and self._byte_ends is not None:
            return self._byte_starts[index], self._byte_ends[index]
        return self.byte_offset(span[0]), self.byte_offset(span[1])

    @property
    def spans(self) -> list[tuple[int, int] | None]:
        """The `span` of every token, in order."""
        return [self.span(index) for index in range(self.token_count)]

    @property
    def byte_spans(self) -> list[tuple[int, int] | None]:
        """The `byte_span` of every token, in order."""
        return [self.byte_span(index) for index in range(self.token_count)]

    def tokens_between(self, start: int, end: int) -> range:
        """Return the indices of the tokens that spell any of the characters from `start` to before `end`.

        Args:
            start: Code point offset of the first character.
            end: Code point offset behind the last character.

        Returns:
            A range of token indices; empty where no token spells these characters.
        """
        return range(bisect_right(self.ends, start), bisect_left(self.starts, end)) if start < end else range(0)

    def byte_offset(self, code_point: int) -> int:
        """Return the UTF-8 byte offset of a code point offset in the text."""
        text = self.text
        if text.isascii():
            return code_point
        if self._byte_marks is None:
            # A mark every 64 characters: an offset then costs one short encoding, not one of the whole text.
            self._byte_marks = [0, *accumulate(len(utf8(text[at : at + 64])) for at in range(0, len(text), 64))]
        mark = code_point >> 6
        return self._byte_marks[mark] + len(utf8(text[mark << 6 : code_point]))

    def part(self, start: int, end: int) -> Alignment:
        """Return the alignment with a part of the text alone.

        Args:
            start: Code point offset of the part's first character.
            end: Code point offset behind its last character.

        Returns:
            An alignment of the same tokens whose text is the part and whose offsets count in it.
        """
        if self.failed:
            return Alignment(self.status, self.text[start:end], self.token_count, [], [])
        byte_starts = byte_ends = None
        if self._byte_starts is not None and self._byte_ends is not None:
            low, high = self.byte_offset(start), self.byte_offset(end)
            byte_starts, byte_ends = _cut(self._byte_starts, low, high), _cut(self._byte_ends, low, high)
        starts, ends = _cut(self.starts, start, end), _cut(self.ends, start, end)
        return Alignment(
            AlignmentStatus.SUBSTRING,
            self.text[start:end],
            self.token_count,
            starts,
            ends,
            byte_starts=byte_starts,
            byte_ends=byte_ends,
        )


def _cut(offsets: list[int], low: int, high: int) -> list[int]:
    """Make offsets count from `low`; those of tokens beside the part fall on its edges, as empty spans."""
    return [min(max(offset, low), high) - low for offset in offsets]


def align(tokens: Sequence[TokenLogprob], text: str | None) -> Alignment:
    """Find the place of each token in the answer's text.

    Args:
        tokens: Every token that came with the answer, in order. Tokens that are not in the text (reasoning, special
            tokens, fences that the server stripped) get no place.
        text: The answer's text. None: the text is what the tokens spell, bytes that are no UTF-8 shown as U+FFFD.

    Returns:
        The alignment. Nothing is raised; `status` says how sure it is, and `failed` has no offsets at all.
    """
    words = texts_of(tokens)
    joined = "".join(words)
    if text is None:
        # Literal escapes ("\xf0", "bytes:\xf0") are ASCII, so ASCII alone does not prove that the strings are the text.
        if not joined.isascii() or "\\x" in joined:
            return _joined_bytes(tokens)
        text = joined
    if joined == text:
        return _by_code_points(AlignmentStatus.EXACT, text, words, 0)
    offset = last_occurrence(joined, text)
    if offset is not None:
        return _by_code_points(AlignmentStatus.SUBSTRING, text, words, -offset)
    return _by_bytes(tokens, text)


def _by_code_points(status: AlignmentStatus, text: str, words: list[str], shift: int) -> Alignment:
    """The token strings spell the text, so that lengths in code points are all there is to know."""
    lengths = list(map(len, words))
    starts, ends = _spans(lengths, shift, 0, len(text))
    if 0 in lengths:
        _place_unfinished(words, starts, ends, lambda i: not text[starts[i] : ends[i]].isascii())
    return Alignment(status, text, len(words), starts, ends)


def _by_bytes(tokens: Sequence[TokenLogprob], text: str) -> Alignment:
    data = utf8(text)
    for spelling, attempts in _SPELLINGS:
        pieces = [spelling(token) for token in tokens]
        joined = b"".join(pieces)
        for status, attempt in attempts:
            place = attempt(joined, data)
            if place is not None:
                starts, ends = _spans(list(map(len, pieces)), *place)
                return _from_bytes(status, tokens, text, data, starts, ends)
    spans = resynchronise(tokens, data)
    if spans is None:
        return Alignment(AlignmentStatus.FAILED, text, len(tokens), [], [])
    return _from_bytes(AlignmentStatus.RESYNCHRONISED, tokens, text, data, *spans)


def _from_bytes(
    status: AlignmentStatus,
    tokens: Sequence[TokenLogprob],
    text: str,
    data: bytes,
    byte_starts: list[int],
    byte_ends: list[int],
) -> Alignment:
    words = [token.token or token.bytes for token in tokens]
    _place_unfinished(words, byte_starts, byte_ends, lambda i: not data[byte_starts[i] : byte_ends[i]].isascii())
    if data.isascii():
        return Alignment(status, text, len(tokens), byte_starts, byte_ends)
    # How many characters have begun up to and with each byte: rounds a start down and an end up to whole characters.
    begun = list(accumulate(data.translate(_BEGINS_CHARACTER), initial=0))
    starts, ends = [], []
    for start, end in zip(byte_starts, byte_ends, strict=True):
        ends.append(begun[end])
        starts.append(begun[start + 1] - 1 if start < end else begun[end])
    return Alignment(status, text, len(tokens), starts, ends, byte_starts=byte_starts, byte_ends=byte_ends)


def _joined_bytes(tokens: Sequence[TokenLogprob]) -> Alignment:
    """Align the tokens with the text that their own bytes spell."""
    pieces = [token_bytes(token) for token in tokens]
    data = b"".join(pieces)
    byte_starts, byte_ends = _spans(list(map(len, pieces)), 0, 0, len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # One character for each stray byte, so that every token keeps a place in the repaired text.
        escaped = data.decode("utf-8", "surrogateescape")
        offsets = list(accumulate((len(char.encode("utf-8", "surrogateescape")) for char in escaped), initial=0))
        starts = [bisect_right(offsets, start) - 1 for start in byte_starts]
        ends = [bisect_left(offsets, end) for end in byte_ends]
        return Alignment(AlignmentStatus.EXACT, _STRAY_BYTE.sub(REPLACEMENT, escaped), len(tokens), starts, ends)
    return _from_bytes(AlignmentStatus.EXACT, tokens, text, data, byte_starts, byte_ends)


def _spans(lengths: list[int], shift: int, low: int, high: int) -> tuple[list[int], list[int]]:
    """Lay tokens of these lengths end to end from `shift`, and cut what lies outside `low` to `high`."""
    ends = list(accumulate(lengths, initial=shift))
    if shift < low or ends[-1] > high:
        ends = [low if end < low else high if end > high else end for end in ends]
    starts = ends[:-1]
    del ends[0]
    return starts, ends


def _place_unfinished(
    words: Sequence[str | bytes | None], starts: list[int], ends: list[int], holds_non_ascii: Callable[[int], bool]
) -> None:
    """Give tokens without any text the span of the next token that has some, if that holds a character of many bytes.

    vLLM shows the first tokens of a cut character as "" and the whole character on the last one. Their logprobs
    belong to that character. An empty token before plain ASCII is something else (a special token): it gets no place.
    """
    following = None
    for index in range(len(words) - 1, -1, -1):
        if words[index]:
            following = index if starts[index] < ends[index] and holds_non_ascii(index) else None
        elif following is not None:
            starts[index], ends[index] = starts[following], ends[following]


# What is tried, in this order: each way to spell the tokens as bytes, with the ways that they may lie in the text.
_WHOLE: Sequence[tuple[AlignmentStatus, Callable[[bytes, bytes], Place | None]]] = (
    (AlignmentStatus.EXACT, exact),
    (AlignmentStatus.SUBSTRING, substring),
)
_SPELLINGS: Sequence[
    tuple[Callable[[TokenLogprob], bytes], Sequence[tuple[AlignmentStatus, Callable[[bytes, bytes], Place | None]]]]
] = (
    (
        token_bytes,
        (
            *_WHOLE,
            (AlignmentStatus.PARTIAL, partial),
            (AlignmentStatus.STRIPPED, stripped),
            (AlignmentStatus.PARTIAL, stripped_partial),
        ),
    ),
    (text_bytes, _WHOLE),
    (unspecial_bytes, _WHOLE),
    (escaped_bytes, _WHOLE),
    (latin1_bytes, _WHOLE),
)
