"""Alignment a second time, by its definition: try every place, and take the one that is left.

Slow, obvious, and without a line of the product's own. For short lists of tokens.
"""

import re
from collections.abc import Iterator

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

Spans = tuple[tuple[int, int] | None, ...]
"""The place of each token in the UTF-8 bytes of the text; None for a token without one."""

WHITE = b" \t\n\r\v\f"
LOST = "\ufffd"
END_OF_REASONING = re.compile(r"</think>|<\|channel\|>final<\|message\|>")
SPECIAL = re.compile(r"<\|\w+\|>|</?s>")
MARK = re.compile(r"<\|\w+\|>|</?s>|</?tool_call>")
OPENING = re.compile(r"(?:[ \t\n\r\v\f]|<\|\w+\|>|</?s>|```\w*)*")
CLOSING = re.compile(r"(?:[ \t\n\r\v\f]|<\|\w+\|>|</?s>|`{3,}|</tool_call>)*")
TOOL_CALL = re.compile(r"<tool_call>|\[TOOL_CALLS\]")
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
GPT2 = {chr(byte): byte for byte in PRINTABLE} | {
    chr(256 + at): byte for at, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)
}


def place(tokens: list[TokenLogprob], text: str) -> Spans | None:
    """Return the only place of all tokens in the text, None where there is none or more than one.

    Of the kinds of explanation, the first that explains anything decides.
    """
    for explain in (whole, within_lost_bytes, but_for_white_space, with_missing_tokens):
        ways = set(explain(tokens, text))
        if ways:
            return ways.pop() if len(ways) == 1 else None
    return None


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def as_sent(token: TokenLogprob | Alternative) -> bytes:
    return token.bytes or encode(token.token)


def from_gpt2(token: TokenLogprob | Alternative) -> bytes:
    if (token.bytes and token.bytes != encode(token.token)) or not all(char in GPT2 for char in token.token):
        return as_sent(token)
    return bytes(GPT2[char] for char in token.token)


def from_sentencepiece(token: TokenLogprob | Alternative) -> bytes:
    if token.bytes and token.bytes != encode(token.token):
        return token.bytes
    byte = re.fullmatch("<0x([0-9A-F]{2})>", token.token)
    return bytes([int(byte[1], 16)]) if byte else encode(token.token.replace("▁", " "))


def from_latin1(token: TokenLogprob | Alternative) -> bytes:
    return bytes(map(ord, token.token)) if all(ord(char) < 256 for char in token.token) else as_sent(token)


def from_escapes(token: TokenLogprob | Alternative) -> bytes:
    r"""OpenAI's spelling of bytes ("\xe6", "bytes:\xe6") where the true ones beside it were lost."""
    if token.bytes:
        return token.bytes
    parts = re.split(r"(\\x[0-9a-fA-F]{2})", token.token.removeprefix("bytes:"))
    return b"".join(bytes.fromhex(part[2:]) if part.startswith("\\x") else encode(part) for part in parts)


def readings(tokens: list[TokenLogprob]) -> Iterator[list[bytes]]:
    """The bytes of the tokens in every way to read them, with the special tokens and without."""
    for read in (as_sent, lambda token: encode(token.token), from_escapes, from_gpt2, from_sentencepiece, from_latin1):
        yield [read(token) for token in tokens]
        yield [b"" if SPECIAL.fullmatch(token.token) else read(token) for token in tokens]


def whole(tokens: list[TokenLogprob], text: str) -> Iterator[Spans]:
    """The tokens spell the text, and perhaps more before and behind it."""
    data = encode(text)
    core = data.strip(WHITE)
    words = [encode(token.token) for token in tokens]
    for wanted in (data, core) if core else (data,):
        for pieces in (words, *readings(tokens)):
            joined = b"".join(pieces)
            starts = [0] if joined == wanted == data else list(answers(pieces, wanted))
            if len(starts) == 1:  # a way to read them that fits at several places explains nothing
                yield spans_of(tokens, pieces, starts[0], data, wanted)
                return


def answers(pieces: list[bytes], wanted: bytes) -> Iterator[int]:
    """Every place of the answer in the joined tokens: at the end of all, else before the first tool call."""
    joined = b"".join(pieces)
    everywhere = [at for at in range(len(joined) + 1) if joined[at : at + len(wanted)] == wanted]
    if not wanted:
        yield len(joined)
        return
    if not wanted.strip(WHITE):  # white space behind the reasoning, and nothing else there
        first = reasoning_end(joined)
        behind = decode(joined[first:])
        blank = len(behind) - len(behind.lstrip(WHITE.decode()))
        if first and (CLOSING.fullmatch(behind) or TOOL_CALL.match(behind, blank)):
            yield from (at for at in everywhere if first <= at and at + len(wanted) <= first + blank)
        return
    possible = [at for at in everywhere if may_begin(pieces, at, wanted)]
    at_end = [at for at in possible if closes(joined, at + len(wanted), len(joined)) and not in_tool_call(joined, at)]
    call = call_start(joined)
    before_call = [at for at in possible if at + len(wanted) <= call and closes(joined, at + len(wanted), call)]
    yield from at_end or before_call


def in_tool_call(joined: bytes, at: int) -> bool:
    """Whether the last mark of a tool call behind the reasoning and before a place opens one."""
    shown = decode(joined[reasoning_end(joined) : max(at, reasoning_end(joined))])
    marks = re.findall(rf"</tool_call>|{TOOL_CALL.pattern}", shown)
    return marks[-1:] not in ([], ["</tool_call>"])


def call_start(joined: bytes) -> int:
    """Where the first tool call behind the reasoning begins; -1 where none does."""
    end = reasoning_end(joined)
    call = TOOL_CALL.search(decode(joined[end:]))
    return -1 if call is None else end + len(decode(joined[end:])[: call.start()].encode("utf-8", "surrogateescape"))


def reasoning_end(joined: bytes) -> int:
    return max((len(decode(joined)[: match.end()].encode("utf-8", "surrogateescape")) for match in
                END_OF_REASONING.finditer(decode(joined))), default=0)  # fmt: skip


def closes(joined: bytes, start: int, end: int) -> bool:
    """Whether there is nothing between an answer and its end but what servers leave out."""
    behind = decode(joined[start:end])
    ends_call = "</tool_call>" in behind and in_tool_call(joined, start)
    return CLOSING.fullmatch(behind) is not None and not ends_call


def may_begin(pieces: list[bytes], start: int, wanted: bytes) -> bool:
    """Not inside a word, in the middle of a sentence, or in a run of U+FFFD or of fences."""
    joined = b"".join(pieces)
    before, first = decode(joined[:start]), decode(wanted)[0]
    if any(mark.start() < len(before) < mark.end() for mark in MARK.finditer(decode(joined))):
        return False
    if re.match(r"\w", first, re.ASCII) and re.search(r"[A-Za-z0-9_,][ \t]*\Z", before):
        return False
    inside_token = all(sum(map(len, pieces[:index])) != start for index in range(len(pieces)))
    if first.isalnum() and before[-1:].isalnum() and inside_token:
        return False
    return not (first in (LOST, "`") and before.endswith(first))


def spans_of(tokens: list[TokenLogprob], pieces: list[bytes], start: int, data: bytes, wanted: bytes) -> Spans:
    """Where the tokens are, if the text or its core begins at `start` in them: and their own white space around it."""
    joined = b"".join(pieces)
    low, shift = data.index(wanted), data.index(wanted) - start
    edges = [sum(map(len, pieces[:at])) for at in range(len(pieces) + 1)]
    high = low + len(wanted)
    while low > 0 and low - shift not in edges and joined[low - shift - 1] == data[low - 1]:
        low -= 1
    while high < len(data) and high - shift not in edges and joined[high - shift] == data[high]:
        high += 1
    spans: list[tuple[int, int] | None] = []
    for edge, piece in zip(edges, pieces, strict=False):
        begin, end = max(edge + shift, low), min(edge + len(piece) + shift, high)
        spans.append((begin, end) if begin < end else None)
    # vLLM shows nothing for the beginning of a character, and the whole of it on the next token.
    for index in range(len(tokens) - 2, -1, -1):
        following = spans[index + 1]
        empty = not tokens[index].token and not tokens[index].bytes
        if empty and following is not None and any(byte > 127 for byte in data[slice(*following)]):
            spans[index] = following
    return tuple(spans)


def lost(token: TokenLogprob) -> bool:
    if not token.token:
        return token.bytes is None
    return LOST in token.token and (not token.bytes or token.bytes == encode(token.token))


Part = tuple[int, bytes | None]
"""A token's index, and bytes that are known of it; None for lost ones."""


def within_lost_bytes(tokens: list[TokenLogprob], text: str) -> Iterator[Spans]:
    """Runs of lost bytes stand for characters beyond ASCII, and all the rest is known."""
    if not any(map(lost, tokens)):
        return
    parts: list[Part] = []
    for index, token in enumerate(tokens):
        if lost(token):
            split = re.findall(f"{LOST}+|[^{LOST}]+", token.token) or [LOST]
            parts += [(index, None if part[0] == LOST else encode(part)) for part in split]
        else:
            parts.append((index, as_sent(token)))
    data = encode(text)
    reasoning = reasoning_end(encode("".join(token.token for token in tokens)))
    thought = next(at for at in range(len(tokens) + 1) if length(tokens[:at]) >= reasoning)
    for first in (0, thought):  # a text can hold the reasoning with its marks
        ways = [
            way
            for begun in beginnings([part for part in parts if part[0] >= first])
            for held in endings(begun)
            if any(known is None for _, known in held)
            for way in placements(held, data, 0, tokens)
        ]
        for way in ways:
            spans = [way.get(index, (0, 0)) for index in range(len(tokens))]
            yield tuple(span if span[0] < span[1] else None for span in spans)
        if ways:
            return


def length(tokens: list[TokenLogprob]) -> int:
    return len(encode("".join(token.token for token in tokens)))


def beginnings(parts: list[Part]) -> Iterator[list[Part]]:
    """All of the parts, and what is left of them when something that servers strip is cut off their beginning."""
    for at in range(len(parts)):
        before, (index, known) = parts[:at], parts[at]
        if any(other is None for _, other in before):
            return
        for offset in range(len(known or b"") + 1) if known is not None else [0]:
            cut = b"".join([other or b"" for _, other in before] + [(known or b"")[:offset]])
            if OPENING.fullmatch(decode(cut)):
                yield [(index, known[offset:] if known is not None else None), *parts[at + 1 :]]


def endings(parts: list[Part]) -> Iterator[list[Part]]:
    """The same for their end, where a tool call may stand too."""
    for at in range(len(parts)):
        index, known = parts[at]
        for offset in range(len(known or b"") + 1) if known is not None else [0]:
            behind = b"".join(
                [(known or b"")[offset:]] + [LOST.encode() if other is None else other for _, other in parts[at + 1 :]]
            )
            if known is None:
                behind = b"".join([LOST.encode() if other is None else other for _, other in parts[at + 1 :]])
            call = TOOL_CALL.search(decode(behind))
            shown = decode(behind)[: call.start() if call else None]
            if CLOSING.fullmatch(shown) and (call or LOST not in shown):
                yield [*parts[:at], (index, known[:offset] if known is not None else None)]


def placements(
    parts: list[Part], data: bytes, position: int, tokens: list[TokenLogprob]
) -> Iterator[dict[int, tuple[int, int]]]:
    """Every way to lay the parts end to end over the rest of the data, a run of lost ones as long as one likes."""
    if not parts:
        if position == len(data):
            yield {}
        return
    index, known = parts[0]
    if known is not None:
        if data.startswith(known, position):
            for way in placements(parts[1:], data, position + len(known), tokens):
                yield join(way, index, position, position + len(known))
        return
    run = next((at for at, (_, other) in enumerate(parts) if other), len(parts))
    while parts[run - 1][1] is not None:
        run -= 1  # tokens without bytes at the end of a run are no part of it
    least = 1 if any(tokens[other].token for other, gap in parts[:run] if gap is None) else 0
    for end in range(position, len(data) + 1):
        if any(byte < 128 for byte in data[position:end]):
            return
        if end - position >= least:
            for way in placements(parts[run:], data, end, tokens):
                for other, _ in parts[:run]:
                    way = join(way, other, position, end)
                yield way


def join(way: dict[int, tuple[int, int]], index: int, start: int, end: int) -> dict[int, tuple[int, int]]:
    """The way with one more part of a token."""
    if index in way and start < end:
        other = way[index]
        return way | {index: (min(start, other[0]), max(end, other[1])) if other[0] < other[1] else (start, end)}
    return way if index in way else way | {index: (start, end)}


def answers_of(tokens: list[TokenLogprob]) -> Iterator[list[bytes]]:
    """The readings; also without the reasoning, and also without that and what begins with a tool call."""
    joined = encode("".join(token.token for token in tokens))
    end, call = reasoning_end(joined), call_start(joined)
    for pieces in readings(tokens):
        yield pieces
        thought = [bool(end) and length(tokens[:at]) < end for at in range(len(tokens))]
        called = [0 <= call < length(tokens[: at + 1]) for at in range(len(tokens))]
        yield [b"" if thought[at] else piece for at, piece in enumerate(pieces)]
        yield [b"" if thought[at] or called[at] else piece for at, piece in enumerate(pieces)]


def but_for_white_space(tokens: list[TokenLogprob], text: str) -> Iterator[Spans]:
    """All characters are there but white space."""
    data = encode(text)
    black = [at for at, byte in enumerate(data) if byte not in WHITE]
    for pieces in answers_of(tokens):
        cores = [bytes(byte for byte in piece if byte not in WHITE) for piece in pieces]
        if black and b"".join(cores) == bytes(data[at] for at in black):
            left = list(black)
            way: list[tuple[int, int] | None] = []
            for core in cores:
                mine, left = left[: len(core)], left[len(core) :]
                way.append((mine[0], mine[-1] + 1) if mine else None)
            yield own_white_space(pieces, [piece.strip(WHITE) for piece in pieces], tuple(way), data)
            return


def with_missing_tokens(tokens: list[TokenLogprob], text: str) -> Iterator[Spans]:
    """What is there stands in the text, in its order, with parts of the text between that have no token.

    The white space around all of it may be stripped.
    """
    data = encode(text)
    if any(map(lost, tokens)):
        return
    for pieces in answers_of(tokens):
        cores = stripped(pieces)
        ways = set(in_order(cores, data, 0)) if any(cores) else set()
        if len(ways) == 1:
            yield own_white_space(pieces, cores, ways.pop(), data)
            return
        yield from ways
        if ways:
            return


def own_white_space(pieces: list[bytes], cores: list[bytes], way: Spans, data: bytes) -> Spans:
    """The spans with the white space that was stripped off the tokens, where the text has it there."""
    spans: list[tuple[int, int] | None] = []
    behind = 0
    for piece, core, span in zip(pieces, cores, way, strict=True):
        if span is None:
            spans.append(None)
            continue
        before, after = piece[: piece.index(core)], piece[piece.index(core) + len(core) :]
        low, high = span
        low -= len(before) * (low - len(before) >= behind and data[:low].endswith(before))
        high += len(after) * data[high:].startswith(after)
        spans.append((low, high))
        behind = high
    return tuple(spans)


def stripped(pieces: list[bytes]) -> list[bytes]:
    """The pieces without the white space before the first and behind the last other character of all of them."""
    joined = b"".join(pieces)
    low, high = len(joined) - len(joined.lstrip(WHITE)), len(joined.rstrip(WHITE))
    cut, position = [], 0
    for piece in pieces:
        cut.append(piece[max(low - position, 0) : max(high - position, 0)])
        position += len(piece)
    return cut


def in_order(pieces: list[bytes], data: bytes, position: int) -> Iterator[Spans]:
    if not pieces:
        yield ()
        return
    if not pieces[0]:
        yield from ((None, *way) for way in in_order(pieces[1:], data, position))
        return
    for at in range(position, len(data) - len(pieces[0]) + 1):
        if data[at : at + len(pieces[0])] == pieces[0]:
            for way in in_order(pieces[1:], data, at + len(pieces[0])):
                yield ((at, at + len(pieces[0])), *way)
