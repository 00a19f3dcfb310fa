"""How probable was it that a value begins and ends where it does?

A string's opening quote decides that it is a string and not null; the token behind a number decides that it is 4 and
not 42. Where these stand in tokens of their own, their probabilities belong to the value's as much as its core's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.fields.distribution import lead_of, rest_behind
from langchain_logprobs.confidence.fields.json_scan import Value
from langchain_logprobs.confidence.fields.token_reader import TokenReader

_BLANK = b" \t\n\r"


class Edge(NamedTuple):
    """The token at an edge of a value.

    Attributes:
        token: Its index.
        logprob: Its logprob (nats); None where it is censored.
        probability: The probability of it and of all alternatives that decide the same; None where none of them has a
            usable logprob. Alternatives that the provider did not send are missing in it: it is a lower bound.
        bound: The most that `probability` can be; the same where that is known.
    """

    token: int
    logprob: float | None
    probability: float | None
    bound: float


def start_edge(reader: TokenReader, alignment: Alignment, value: Value, origin: int, first: int) -> Edge | None:
    """Return how probable it was that a string or a container begins where it does.

    Args:
        reader: The tokens of the answer.
        alignment: Their alignment with the text.
        value: The value.
        origin: What to add to its offsets to have those of the alignment's text.
        first: Index of the first token of its core, or of the values in a container.

    Returns:
        The edge. Of a string the alternatives count that spell its quote and no more, as what would have followed
        them is what follows here; of a container all that begin with its bracket. None where the core's first token
        holds the first character too, and where that has no token.
    """
    start = origin + value.start
    indices = alignment.tokens_between(start, start + 1)
    if not indices or indices.start >= first:
        return None
    index = indices.start
    span = alignment.byte_span(index)
    begin, data = alignment.byte_offset(start), alignment.data
    lead = lead_of(data, span[0], begin) if span is not None else None
    character, alone = data[begin : begin + 1], value.kind == "string"
    parts = []
    if lead is not None:
        for branch, probability in reader.others(index):
            rest = (rest_behind(branch, lead) or b"").lstrip(_BLANK)
            if rest == character or (not alone and rest.startswith(character)):
                parts.append(probability)
    return _edge(reader, index, parts)


def end_edge(reader: TokenReader, alignment: Alignment, value: Value, origin: int, stop: int) -> Edge | None:
    """Return how probable it was that a value ends where it does.

    Args:
        reader: The tokens of the answer.
        alignment: Their alignment with the text.
        value: The value; closed, no container, and not empty.
        origin: What to add to its offsets to have those of the alignment's text.
        stop: Index behind the last token of its core.

    Returns:
        The edge; its alternatives that count would have ended the value too. None where the core's last token ends it
        as well, and where no token follows.
    """
    end = origin + value.core_end
    if stop >= len(reader) or alignment.ends[stop - 1] > end:
        return None
    if end < len(alignment.text) and not alignment.starts[stop] <= end < alignment.ends[stop]:
        return None
    quoted = value.core_start > value.start
    return _edge(reader, stop, [p for branch, p in reader.others(stop) if _ends(quoted, branch)])


def _edge(reader: TokenReader, index: int, parts: list[float]) -> Edge:
    logprob = reader.logprobs[index]
    if logprob is not None:
        parts.append(math.exp(logprob))
    probability = min(1.0, math.fsum(parts)) if parts else None
    return Edge(index, logprob, probability, reader.bound(index) if probability is None else probability)


def _ends(quoted: bool, branch: bytes) -> bool:
    """Whether a value would have ended before a token that spells this."""
    if quoted or not branch:
        return branch[:1] == b'"'
    first = branch[:4].decode("utf-8", "replace")[:1]
    return not (first.isalnum() or first in ".+-_")
