"""Which part of the answer's text does each token spell?

The list of tokens and the text of an answer come from a server separately, and they often differ: characters are cut
over several tokens and spelled in many ways, reasoning and end-of-text tokens stand in the list but not in the text,
servers strip white space and code fences, and some lose tokens. `align` finds the one right correspondence or says that
it found none. It never guesses: an offset that it publishes is right, and where it cannot be sure the status is
`failed`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from langchain_logprobs.confidence.alignment.containment import WHITE, find_answer, tool_call_start
from langchain_logprobs.confidence.alignment.in_order import Spans, only_way, without_white_space
from langchain_logprobs.confidence.alignment.lost_bytes import resynchronise
from langchain_logprobs.confidence.alignment.result import Alignment, AlignmentStatus, find_gaps
from langchain_logprobs.confidence.alignment.token_bytes import (
    REPLACEMENT,
    Spelling,
    byte_level_bytes,
    bytes_of,
    lost,
    plain_bytes,
    readings,
    sentencepiece_bytes,
    utf8,
)
from langchain_logprobs.confidence.thinking import reasoning_end
from langchain_logprobs.formats.tokens import TokenLogprob, texts_of

__all__ = ["Alignment", "AlignmentStatus", "align", "align_own_text"]

_BEGINS_CHARACTER = bytes(0 if 0x80 <= byte < 0xC0 else 1 for byte in range(256))
_SPELLED_SPACES: dict[str, Spelling] = {"Ġ": byte_level_bytes, "▁": sentencepiece_bytes}
"""What a space before the first word is spelled as, which a server strips: it tells how alternatives are spelled."""
_STRAY_BYTE = re.compile("[\udc80-\udcff]")

NO_TOKENS = "there are no tokens"
NO_TEXT = "the tokens show no text"
NO_CORRESPONDENCE = "no correspondence between the tokens and the text"
QUOTED = "the text stands among the tokens, but not where an answer does: other words come before it or behind it"
SEVERAL_WAYS = "tokens are missing, and the others fit the text in more than one way"
LOST_BYTES = "the bytes of some characters are lost, and the tokens do not fit the text in exactly one way"


def align(
    tokens: Sequence[TokenLogprob],
    text: str | None,
    *,
    among: Sequence[int] | None = None,
    stops: Sequence[str] = (),
) -> Alignment:
    r"""Find the place of each token in the answer's text.

    Args:
        tokens: Every token that came with the answer, in order. Tokens that are not in the text (reasoning, special
            tokens, fences that the server stripped) get no place.
        text: The answer's text. None: the text is what the tokens spell, bytes that are no UTF-8 shown as U+FFFD.
        among: Indices of the tokens that can be of the text, ascending, a range for example: for a caller who knows
            others to be reasoning, the prompt or a tool call. Those get no place. None: all of them.
        stops: The request's stop strings. The server cuts the text off there, while the tokens may go on.

    Returns:
        The alignment. Nothing is raised; `status` says how sure it is, and `failed` has no offsets at all.

    Example:
        >>> tokens = [TokenLogprob("<think>", -0.1), TokenLogprob("\n</think>", -0.2), TokenLogprob("Hi", -0.3)]
        >>> align(tokens, "Hi").spans
        [None, None, (0, 2)]
    """
    words = texts_of(tokens)
    if among is None or among == range(len(words)):
        return _align(words, lambda: bytes_of(tokens), text, stops)
    chosen = [words[index] for index in among]
    found = _align(chosen, lambda: bytes_of([tokens[index] for index in among]), text, stops)
    return found.among(among, len(words))


def align_own_text(tokens: Sequence[TokenLogprob]) -> Iterator[Alignment]:
    """Align tokens with the text that they spell themselves, in every way to read them.

    For a caller who knows by other means what is in the text, such as the arguments of a tool call: some servers do
    not decode their tokens, and nothing but the right text tells.

    Args:
        tokens: The tokens.

    Yields:
        The alignment with each text that the tokens may spell, the likeliest first: that of `align(tokens, None)`.
    """
    plain = align(tokens, None)
    yield plain
    words = texts_of(tokens)
    if "".join(words).isascii():
        return
    seen = {plain.text}
    for spelling, pieces in readings(words, bytes_of(tokens)):
        data = b"".join(pieces)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if text not in seen:
            seen.add(text)
            spans = _spans(list(map(len, pieces)), 0, 0, len(data))
            yield _from_bytes(AlignmentStatus.EXACT, text, data, *spans, spelling)


def _align(
    words: list[str], raws: Callable[[], list[bytes | None]], text: str | None, stops: Sequence[str]
) -> Alignment:
    joined = "".join(words)
    if text is None:
        # Literal escapes ("\xf0", "bytes:\xf0") are ASCII, so ASCII alone does not prove that the strings are the text.
        if not joined.isascii() or "\\x" in joined:
            return _joined_bytes(words, raws())
        text = joined
    if joined == text:
        return _by_code_points(AlignmentStatus.EXACT, text, words, raws, 0)
    offset = find_answer(joined, text, stops, lambda at: at in set(accumulate(map(len, words))))
    if offset is not None:
        spelling = _SPELLED_SPACES.get(joined[offset - 1 : offset], plain_bytes)
        return _by_code_points(AlignmentStatus.SUBSTRING, text, words, raws, -offset, spelling)
    return _by_bytes(words, raws(), text, stops)


def _by_code_points(
    status: AlignmentStatus,
    text: str,
    words: list[str],
    raws: Callable[[], list[bytes | None]],
    shift: int,
    spelling: Spelling = plain_bytes,
) -> Alignment:
    """The token strings spell the text, so that lengths in code points are all there is to know."""
    lengths = list(map(len, words))
    starts, ends = _spans(lengths, shift, 0, len(text))
    if 0 in lengths:
        shown = [word or raw for word, raw in zip(words, raws(), strict=True)]
        _place_unfinished(shown, starts, ends, lambda i: not text[starts[i] : ends[i]].isascii())
    return Alignment(status, text, len(words), starts, ends, spelling=spelling)


def _by_bytes(words: list[str], raws: list[bytes | None], text: str, stops: Sequence[str]) -> Alignment:
    """Try every way in which the tokens may correspond to the text, the one that assumes least first."""
    data = utf8(text)
    shown = data.decode("utf-8", "surrogateescape")  # as the tokens will be, whose bytes can be anything
    every = []
    for spelling, pieces in readings(words, raws):
        every.append((spelling, pieces))
        spans = _spans_of(pieces, shown, 0, stops, data)
        if spans is not None:
            status = AlignmentStatus.EXACT if b"".join(pieces) == data else AlignmentStatus.SUBSTRING
            return _from_bytes(status, text, data, *_with_unfinished(words, raws, spans, data), spelling)
    core = shown.strip(WHITE)
    for spelling, pieces in every if core and core != shown else ():
        spans = _spans_of(pieces, core, len(shown) - len(shown.lstrip(WHITE)), stops, data)
        if spans is not None:
            spans = _with_unfinished(words, raws, spans, data)
            return _from_bytes(AlignmentStatus.STRIPPED, text, data, *spans, spelling)
    return _with_gaps(words, raws, every, text, data)


def _spans_of(pieces: list[bytes], wanted: str, low: int, stops: Sequence[str], data: bytes) -> Spans | None:
    """Find a text, or what of it begins at `low`, in the joined pieces; return the spans in its bytes."""
    joined = b"".join(pieces)
    edges = list(accumulate(map(len, pieces), initial=0))
    shown = joined.decode("utf-8", "surrogateescape")

    def in_bytes(offset: int) -> int:
        return len(shown[:offset].encode("utf-8", "surrogateescape"))

    offset: int | None = 0
    if shown != wanted:
        offset = find_answer(shown, wanted, stops, lambda at: in_bytes(at) in set(edges))
    if offset is None:
        return None
    high = low + len(wanted.encode("utf-8", "surrogateescape"))
    shift = low - in_bytes(offset)
    # Where white space around the answer differs, its first and last token keep what is the same on both sides.
    first, last = edges[bisect_right(edges, low - shift) - 1], edges[bisect_left(edges, high - shift)]
    while low > max(first + shift, 0) and joined[low - shift - 1] == data[low - 1]:
        low -= 1
    while high < min(last + shift, len(data)) and joined[high - shift] == data[high]:
        high += 1
    return _cut([edge + shift for edge in edges], low, high)


def _with_gaps(
    words: list[str], raws: list[bytes | None], every: list[tuple[Spelling, list[bytes]]], text: str, data: bytes
) -> Alignment:
    """Place tokens that do not spell the whole text: bytes are lost, white space, or tokens."""
    some_lost = any(map(lost, words, raws))
    if some_lost and (spans := resynchronise(words, raws, data)) is not None:
        return _from_bytes(AlignmentStatus.RESYNCHRONISED, text, data, *spans)
    answers = [(spelling, pieces) for spelling, held in every for pieces in _answers(held, words)]
    for spelling, pieces in answers:
        if (spans := without_white_space(pieces, data)) is not None:
            return _from_bytes(AlignmentStatus.STRIPPED, text, data, *spans, spelling)
    reason = LOST_BYTES if some_lost else _why_not("".join(words), text)
    for spelling, pieces in () if some_lost else answers:  # what has no tokens may be what the lost bytes are of
        ways = only_way(pieces, data)
        if not isinstance(ways, bool):
            return _from_bytes(AlignmentStatus.PARTIAL, text, data, *ways, spelling)
        if ways:
            reason = SEVERAL_WAYS
            break
    return Alignment(AlignmentStatus.FAILED, text, len(words), (), (), reason=reason)


def _answers(pieces: list[bytes], words: list[str]) -> Iterator[list[bytes]]:
    """Yield the pieces; then nothing for the tokens of the reasoning; then nothing for those of tool calls either."""
    yield pieces
    joined = "".join(words)
    end, call = reasoning_end(joined), tool_call_start(joined)
    behind = list(accumulate(map(len, words))) if end or call < len(joined) else []
    first = bisect_left(behind, end) + 1 if end else 0
    last = bisect_right(behind, call) if call < len(joined) else len(words)
    if first:
        yield [b""] * first + pieces[first:]
    if last < len(words) and call == (behind[last - 1] if last else 0):
        yield [b""] * first + pieces[first:last] + [b""] * (len(words) - last)


def _why_not(joined: str, text: str) -> str:
    if not joined.strip():
        return NO_TEXT if joined else NO_TOKENS
    return QUOTED if text.strip() and text.strip() in joined else NO_CORRESPONDENCE


def _from_bytes(
    status: AlignmentStatus,
    text: str,
    data: bytes,
    byte_starts: list[int],
    byte_ends: list[int],
    spelling: Spelling = plain_bytes,
) -> Alignment:
    count = len(byte_starts)
    if data.isascii():
        gaps = find_gaps(byte_starts, byte_ends, text) if status is AlignmentStatus.PARTIAL else ()
        return Alignment(status, text, count, byte_starts, byte_ends, gaps=gaps, spelling=spelling)
    # How many characters have begun up to and with each byte: rounds a start down and an end up to whole characters.
    begun = list(accumulate(data.translate(_BEGINS_CHARACTER), initial=0))
    starts, ends = [], []
    for start, end in zip(byte_starts, byte_ends, strict=True):
        ends.append(begun[end])
        starts.append(begun[start + 1] - 1 if start < end else begun[end])
    gaps = find_gaps(starts, ends, text) if status is AlignmentStatus.PARTIAL else ()
    return Alignment(
        status, text, count, starts, ends, byte_starts=byte_starts, byte_ends=byte_ends, gaps=gaps, spelling=spelling
    )


def _joined_bytes(words: list[str], raws: list[bytes | None]) -> Alignment:
    """Align the tokens with the text that their own bytes spell."""
    pieces = list(map(plain_bytes, words, raws))
    data = b"".join(pieces)
    spans = _spans(list(map(len, pieces)), 0, 0, len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # One character for each stray byte, so that every token keeps a place in the repaired text.
        escaped = data.decode("utf-8", "surrogateescape")
        offsets = list(accumulate((len(char.encode("utf-8", "surrogateescape")) for char in escaped), initial=0))
        starts = [bisect_right(offsets, start) - 1 for start in spans[0]]
        ends = [bisect_left(offsets, end) for end in spans[1]]
        return Alignment(AlignmentStatus.EXACT, _STRAY_BYTE.sub(REPLACEMENT, escaped), len(words), starts, ends)
    return _from_bytes(AlignmentStatus.EXACT, text, data, *_with_unfinished(words, raws, spans, data))


def _spans(lengths: list[int], shift: int, low: int, high: int) -> Spans:
    """Lay tokens of these lengths end to end from `shift`, and cut what lies outside `low` to `high`."""
    return _cut(list(accumulate(lengths, initial=shift)), low, high)


def _cut(edges: list[int], low: int, high: int) -> Spans:
    """Starts and ends of the tokens between these edges, cut to what lies between `low` and `high`."""
    if edges[0] < low or edges[-1] > high:
        edges = [low if edge < low else high if edge > high else edge for edge in edges]
    starts = edges[:-1]
    del edges[0]
    return starts, edges


def _with_unfinished(
    words: list[str], raws: list[bytes | None], spans: tuple[list[int], list[int]], data: bytes
) -> tuple[list[int], list[int]]:
    if "" not in words:
        return spans
    starts, ends = spans
    shown = [word or raw for word, raw in zip(words, raws, strict=True)]
    _place_unfinished(shown, starts, ends, lambda i: not data[starts[i] : ends[i]].isascii())
    return spans


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
