"""What `align` gives: the place of each token in a text, how sure that is, and the parts that no token spells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from operator import itemgetter
from typing import overload

from langchain_logprobs.confidence.alignment.token_bytes import Spelling, plain_bytes, utf8


class AlignmentStatus(StrEnum):
    """How the tokens were found to correspond to the text."""

    EXACT = "exact"
    """The joined tokens are the text."""
    SUBSTRING = "substring"
    """The text lies inside the joined tokens: reasoning or a fence before it, end marks or a tool call behind it."""
    PARTIAL = "partial"
    """Tokens are missing: what is there stands in the text in its order, in one way only; the rest has none."""
    STRIPPED = "stripped"
    """Equal but for white space: at the ends, or between the tokens, where the server stripped it off them."""
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
        reason: Why they do so in part or not at all, in plain words that quote nothing; None where nothing is amiss.
        text: The text that the offsets count in.
        token_count: How many tokens were given.
        starts: Code point offset of each token's first character; no items where the status is `failed`.
        ends: Code point offset behind each token's last character; equal to the start for a token outside the text.
        gaps: The parts of the text whose tokens are missing, in code points and in order; none but for `partial`. White
            space at the ends of the text or between `stripped` tokens is none: servers add it and strip it off.
        spelling: How the tokens were read: gives the bytes that a token or one of its alternatives stands for, from its
            text and its bytes.
    """

    __slots__ = (
        "_byte_ends",
        "_byte_marks",
        "_byte_starts",
        "_data",
        "ends",
        "gaps",
        "reason",
        "spelling",
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
        starts: Sequence[int],
        ends: Sequence[int],
        *,
        byte_starts: Sequence[int] | None = None,
        byte_ends: Sequence[int] | None = None,
        gaps: Sequence[tuple[int, int]] = (),
        spelling: Spelling = plain_bytes,
        reason: str | None = None,
    ) -> None:
        """Keep the spans as given; `byte_starts` and `byte_ends` only where tokens cut characters."""
        self.status: AlignmentStatus = status
        self.reason: str | None = _what_is_missing(gaps, len(text)) if gaps else reason
        self.gaps: Sequence[tuple[int, int]] = gaps
        self.spelling: Spelling = spelling
        self.text: str = text
        self.token_count: int = token_count
        self.starts: Sequence[int] = starts
        self.ends: Sequence[int] = ends
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

    def covers(self, start: int, end: int) -> bool:
        """Return whether the tokens of a part of the text are all there.

        Only then do they say something about it: the other digits of a number may be the unlikely ones.

        Args:
            start: Code point offset of the part's first character.
            end: Code point offset behind its last character.

        Returns:
            True where tokens spell the part and none of its characters lies in one of the `gaps`.
        """
        return bool(not self.failed and self.tokens_between(start, end)) and not self._gaps_in(start, end)

    def tokens_between(self, start: int, end: int) -> range:
        """Return the indices of the tokens that spell any of the characters from `start` to before `end`.

        Args:
            start: Code point offset of the first character.
            end: Code point offset behind the last character.

        Returns:
            A range of token indices; empty where no token spells these characters.
        """
        return range(bisect_right(self.ends, start), bisect_left(self.starts, end)) if start < end else range(0)

    def _gaps_in(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        if not self.gaps:
            return ()
        first = bisect_right(self.gaps, start, key=itemgetter(1))
        return self.gaps[first : bisect_left(self.gaps, end, key=itemgetter(0))]

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

        It looks through to this alignment's offsets and copies nothing but the part's text, as an answer can have a
        part for each of a hundred tool calls.

        Args:
            start: Code point offset of the part's first character.
            end: Code point offset behind its last character.

        Returns:
            An alignment of the same tokens whose text is the part and whose offsets count in it.
        """
        text = self.text[start:end]
        if self.failed:
            return Alignment(self.status, text, self.token_count, (), (), reason=self.reason)
        gaps = [(max(low, start) - start, min(high, end) - start) for low, high in self._gaps_in(start, end)]
        byte_starts = byte_ends = None
        if self._byte_starts is not None and self._byte_ends is not None:
            low, high = self.byte_offset(start), self.byte_offset(end)
            byte_starts, byte_ends = _Cut(self._byte_starts, low, high), _Cut(self._byte_ends, low, high)
        return Alignment(
            AlignmentStatus.PARTIAL if gaps else AlignmentStatus.SUBSTRING,
            text,
            self.token_count,
            _Cut(self.starts, start, end),
            _Cut(self.ends, start, end),
            byte_starts=byte_starts,
            byte_ends=byte_ends,
            gaps=gaps,
            spelling=self.spelling,
        )

    def among(self, indices: Sequence[int], token_count: int) -> Alignment:
        """Return the alignment of a longer list of tokens, those of this one being at `indices` in it.

        Args:
            indices: Where the tokens of this alignment stand in the longer list, ascending.
            token_count: How long that list is.

        Returns:
            An alignment in which the other tokens have empty spans.
        """
        if self.failed:
            return Alignment(self.status, self.text, token_count, (), (), reason=self.reason)
        byte_starts = byte_ends = None
        if self._byte_starts is not None and self._byte_ends is not None:
            byte_starts = _spread(self._byte_starts, self._byte_ends, indices, token_count)
            byte_ends = _spread(self._byte_ends, self._byte_ends, indices, token_count)
        return Alignment(
            self.status,
            self.text,
            token_count,
            _spread(self.starts, self.ends, indices, token_count),
            _spread(self.ends, self.ends, indices, token_count),
            byte_starts=byte_starts,
            byte_ends=byte_ends,
            gaps=self.gaps,
            spelling=self.spelling,
            reason=self.reason,
        )


def _spread(offsets: Sequence[int], ends: Sequence[int], indices: Sequence[int], token_count: int) -> list[int]:
    """The offsets at `indices`, and those of the tokens between them at the end of the token before."""
    spread: list[int] = []
    behind = 0
    for index, offset, end in zip(indices, offsets, ends, strict=True):
        spread += [behind] * (index - len(spread))
        spread.append(offset)
        behind = end
    return spread + [behind] * (token_count - len(spread))


def find_gaps(starts: Sequence[int], ends: Sequence[int], text: str) -> list[tuple[int, int]]:
    """Return the parts of a text that no token spells, white space at its ends aside."""
    gaps = []
    position = 0
    for start, end in zip([*starts, len(text)], [*ends, len(text)], strict=True):
        if position < start and ((position and start < len(text)) or text[position:start].strip()):
            gaps.append((position, start))
        position = max(position, end)
    return gaps


def _what_is_missing(gaps: Sequence[tuple[int, int]], length: int) -> str:
    middle = sum(end - start for start, end in gaps if start > 0 and end < length)
    outer = sum(end - start for start, end in gaps) - middle
    if not middle:
        return f"the tokens spell only a part of the text: {outer} characters at its ends have none"
    also = f", {outer} more at its ends" if outer else ""
    return f"tokens are missing in the middle: {middle} characters of the text have none{also}"


class _Cut(Sequence[int]):
    """Offsets that count from the start of a part; those of tokens beside the part fall on its edges."""

    __slots__ = ("_high", "_low", "_offsets")

    def __init__(self, offsets: Sequence[int], low: int, high: int) -> None:
        self._offsets = offsets
        self._low = low
        self._high = high

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        offsets = self._offsets[index]
        if isinstance(offsets, int):
            return min(max(offsets, self._low), self._high) - self._low
        return [min(max(offset, self._low), self._high) - self._low for offset in offsets]

    def __len__(self) -> int:
        return len(self._offsets)
