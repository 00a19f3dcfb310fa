"""Where do joined tokens and a text lie in each other, and can that be the answer? Knows strings, not tokens.

Each of the functions on bytes takes the joined tokens and the text, and returns where the tokens begin in the text, or
None where they do not correspond in its way.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from langchain_logprobs.confidence.alignment.token_bytes import REPLACEMENT, ends_reasoning

Place: TypeAlias = tuple[int, int, int]
"""Where the tokens begin in the text (negative for tokens before it), and the start and end of the part of the text
that they may cover, all in bytes.
"""

_WORD_START = re.compile(r"\w", re.ASCII)
_WORD_END = re.compile(r"\w\Z", re.ASCII)


def _may_be_answer(before: str, text: str, behind: str) -> bool:
    """Whether a text that was found in the joined tokens can be the answer, by what stands around it.

    Not before the end of the reasoning; not from inside a word (it is another one); and not from inside a run of
    U+FFFD, which stands for lost bytes as well as for itself. Of the text, its two ends are enough.
    """
    if ends_reasoning(behind) or (_WORD_END.search(before) and _WORD_START.match(text)):
        return False
    return not (
        (text.startswith(REPLACEMENT) and before.endswith(REPLACEMENT))
        or (text.endswith(REPLACEMENT) and behind.startswith(REPLACEMENT))
    )


def last_occurrence(joined: str, text: str) -> int | None:
    """Return where the text begins in the joined tokens, None where it does not or cannot be the answer.

    The last place counts, as reasoning and the like stand before the answer.
    """
    if not text:
        return len(joined)
    offset = joined.rfind(text)
    if offset < 0:
        return None
    return offset if _may_be_answer(joined[max(offset - 1, 0) : offset], text, joined[offset + len(text) :]) else None


def exact(joined: bytes, data: bytes) -> Place | None:
    """The joined tokens are the text."""
    return (0, 0, len(data)) if joined == data else None


def substring(joined: bytes, data: bytes) -> Place | None:
    """The text lies inside the joined tokens: the last place, if that can be the answer."""
    offset = joined.rfind(data)
    if offset < 0:
        return None
    before, behind = joined[max(offset - 4, 0) : offset], joined[offset + len(data) :]
    text = data if len(data) < 8 else data[:4] + data[-4:]
    shown = (part.decode("utf-8", "replace") for part in (before, text, behind))
    return (-offset, 0, len(data)) if _may_be_answer(*shown) else None


def partial(joined: bytes, data: bytes) -> Place | None:
    """The joined tokens lie inside the text, at one place only."""
    offset = data.find(joined)
    if offset < 0 or not joined.strip() or data.find(joined, offset + 1) >= 0:
        return None  # at two places in the text: nothing says which
    return offset, offset, offset + len(joined)


def stripped(joined: bytes, data: bytes) -> Place | None:
    """The text without the white space around it lies inside the joined tokens."""
    core = data.strip()
    place = substring(joined, core) if core else None
    if place is None:
        return None
    blank = data.index(core)
    return place[0] + blank, blank, blank + len(core)


def stripped_partial(joined: bytes, data: bytes) -> Place | None:
    """The joined tokens without the white space around them lie inside the text, at one place only."""
    core = joined.strip()
    place = partial(core, data)
    return (place[0] - joined.index(core), *place[1:]) if place is not None else None
