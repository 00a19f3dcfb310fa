"""Placing tokens of which something is missing: white space that was stripped off them, or whole tokens.

In both cases the tokens stand in the text in their order, with parts of the text between them that none of them spells.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_logprobs.confidence.alignment.containment import WHITE

Spans = tuple[list[int], list[int]]
"""Start and end of every token in bytes, both ascending."""

_WHITE = WHITE.encode()


def without_white_space(pieces: Sequence[bytes], data: bytes) -> Spans | None:
    """Place tokens that are the text but for white space: servers strip it off each token.

    Args:
        pieces: The bytes of every token, empty for a token that is not of the text.
        data: The UTF-8 bytes of the text.

    Returns:
        Start and end of every token in bytes, with as much of its own white space as the text has there. None where
        they differ in more than white space.
    """
    cores = [piece.translate(None, _WHITE) for piece in pieces]
    joined = b"".join(cores)
    if not joined or joined != data.translate(None, _WHITE):
        return None
    black = [at for at, byte in enumerate(data) if byte not in _WHITE]
    places = []
    position = 0
    for core in cores:
        if core:
            places.append((black[position], black[position + len(core) - 1] + 1))
            position += len(core)
    return _with_own_white_space(pieces, [piece.strip(_WHITE) for piece in pieces], places, data)


def only_way(pieces: Sequence[bytes], data: bytes) -> Spans | bool:
    """Place tokens of which others are missing, at the ends or between them.

    Each token is placed as early as it goes, then as late as it goes; only where both agree is the place certain.

    Args:
        pieces: The bytes of every token, empty for a token that is not of the text.
        data: The UTF-8 bytes of the text.

    Returns:
        Start and end of every token in bytes, a token without bytes between its neighbours. True where the tokens fit
        the text in several ways, False where they do not at all.
    """
    cores = _stripped(pieces)
    held = [piece for piece in cores if piece]
    if not held:
        return False
    early = _earliest(held, data)
    if early is None:
        return False
    # Mirrored instead of searched from the right, which takes quadratic time for some texts.
    late = _earliest([piece[::-1] for piece in reversed(held)], data[::-1])
    if late is None or early != [len(data) - at - len(piece) for at, piece in zip(reversed(late), held, strict=True)]:
        return True
    places = [(at, at + len(piece)) for at, piece in zip(early, held, strict=True)]
    return _with_own_white_space(pieces, cores, places, data)


def _earliest(pieces: Sequence[bytes], data: bytes) -> list[int] | None:
    places = []
    position = 0
    for piece in pieces:
        at = data.find(piece, position)
        if at < 0:
            return None
        places.append(at)
        position = at + len(piece)
    return places


def _stripped(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces without the white space before the first and behind the last other character of all of them.

    The text may have been stripped of it, in which case it is none of the white space that the text has.
    """
    black = [index for index, piece in enumerate(pieces) if piece.strip(_WHITE)]
    first, last = (black[0], black[-1]) if black else (0, -1)
    stripped = [piece if first <= index <= last else b"" for index, piece in enumerate(pieces)]
    if black:
        stripped[first] = stripped[first].lstrip(_WHITE)
        stripped[last] = stripped[last].rstrip(_WHITE)
    return stripped


def _with_own_white_space(
    pieces: Sequence[bytes], cores: Sequence[bytes], places: Sequence[tuple[int, int]], data: bytes
) -> Spans:
    """The spans of tokens whose cores are at these places, with as much of their own white space as is there too.

    A token without a core is put, empty, behind the one before it.
    """
    starts, ends = [], []
    end = 0
    following = iter(places)
    for piece, core in zip(pieces, cores, strict=True):
        start = end
        if core:
            start, stop = next(following)
            at = piece.index(core)
            lead, tail = piece[:at], piece[at + len(core) :]
            if start - len(lead) >= end and data.endswith(lead, 0, start):
                start -= len(lead)
            end = stop + len(tail) if data.startswith(tail, stop) else stop
        starts.append(start)
        ends.append(end)
    return starts, ends
