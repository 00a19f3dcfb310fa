"""Placing tokens of which something is missing: white space that was stripped off them, or whole tokens.

In both cases the tokens stand in the text in their order, with parts of the text between them that none of them spells.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

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
        Start and end of every token in bytes, from its first to its last character that is no white space. None where
        they differ in more than white space.
    """
    cores = [piece.translate(None, _WHITE) for piece in pieces]
    joined = b"".join(cores)
    if not joined or joined != data.translate(None, _WHITE):
        return None
    places = [at for at, byte in enumerate(data) if byte not in _WHITE]
    starts, ends = [], []
    position = end = 0
    for stop in accumulate(map(len, cores)):
        starts.append(places[position] if position < stop else end)
        end = places[stop - 1] + 1 if position < stop else end
        ends.append(end)
        position = stop
    return starts, ends


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
    found = _only_way(pieces, data)
    return found if found is not False else _only_way(_stripped(pieces), data)


def _only_way(pieces: Sequence[bytes], data: bytes) -> Spans | bool:
    held = [piece for piece in pieces if piece]
    if not b"".join(held).strip(_WHITE):
        return False
    early = _earliest(held, data)
    if early is None:
        return False
    # Mirrored instead of searched from the right, which takes quadratic time for some texts.
    late = _earliest([piece[::-1] for piece in reversed(held)], data[::-1])
    if late is None or early != [len(data) - at - len(piece) for at, piece in zip(reversed(late), held, strict=True)]:
        return True
    places = iter(early)
    starts, ends = [], []
    end = 0
    for piece in pieces:
        start = next(places) if piece else end
        end = start + len(piece)
        starts.append(start)
        ends.append(end)
    return starts, ends


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
    """The pieces without the white space at both ends of all of them."""
    stripped = list(pieces)
    for order in (range(len(stripped)), range(len(stripped) - 1, -1, -1)):
        strip = bytes.lstrip if order.step > 0 else bytes.rstrip
        for index in order:
            stripped[index] = strip(stripped[index], _WHITE)
            if stripped[index]:
                break
    return stripped
