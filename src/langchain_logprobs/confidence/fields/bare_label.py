"""An answer that is one label without being JSON: what a classifier says, or one of a closed list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.alignment.token_bytes import Spelling, lost
from langchain_logprobs.confidence.fields.json_scan import Document, Value
from langchain_logprobs.confidence.fields.json_value import decode, scalar
from langchain_logprobs.confidence.fields.labels import LabelIndex, Scalar
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob, usable_logprob

_MAX_WORD = 100
"""Code points of a single token that counts as a label."""


class BareLabel(NamedTuple):
    """An answer that is one label.

    Attributes:
        value: Its place in the text; without quotes where it is a string.
        labels: What it could have been.
    """

    value: Value
    labels: LabelIndex


def find_label(
    tokens: Sequence[TokenLogprob],
    alignment: Alignment,
    start: int,
    node: SchemaNode | None,
    document: Document | None,
) -> BareLabel | None:
    """Return the label that an answer is.

    Args:
        tokens: Its tokens.
        alignment: Its text, aligned.
        start: Where the answer begins in it.
        node: The schema; None where there is none.
        document: The JSON that was found in it.

    Returns:
        The label where the text, white space around it aside, is a string of the schema's closed list without its
        quotes; where there is no schema, also one that is a single word or number in a single token which has
        alternatives: these are the labels then. None for anything else, JSON with quotes or brackets above all.
    """
    text = alignment.text[start:]
    stripped = text.strip()
    if not stripped or (document is not None and not _is_bare(document)):
        return None
    begin = start + len(text) - len(text.lstrip())
    value = Value("string", begin, begin + len(stripped))
    if node is not None:
        index = node.index(bare=True)
        known = node.allowed("string") is not None and index.rank(stripped) is not None
        return BareLabel(value, index) if known else None
    if len(stripped) > _MAX_WORD or len(stripped.split()) > 1 or alignment.failed:
        return None
    indices = alignment.tokens_between(value.start, value.end)
    if len(indices) != 1:
        return None
    words = list(dict.fromkeys([stripped, *_words(tokens[indices.start].alternatives, alignment.spelling)]))
    if len(words) == 1 or not any(character.isalnum() for character in stripped):
        return None
    if document is None:
        return BareLabel(value, LabelIndex(words, bare=True))
    number = document.values[0]
    if number.kind != "number":
        return None  # true, false and null have their distribution in any case
    return BareLabel(number, LabelIndex(_numbers([scalar(alignment.text, number), *map(_decoded, words[1:])])))


def _is_bare(document: Document) -> bool:
    """Whether a document is a number or word alone."""
    return len(document.values) == 1 and document.values[0].kind in ("number", "boolean", "null")


def _words(alternatives: Sequence[Alternative], spelling: Spelling) -> list[str]:
    """The words among a token's alternatives."""
    spelled = [
        spelling(other.token, other.bytes).decode("utf-8", "replace").strip()
        for other in alternatives
        if usable_logprob(other.logprob) is not None and not lost(other.token, other.bytes)
    ]
    return [word for word in spelled if word and len(word.split()) == 1 and word[0].isalnum()]


def _decoded(word: str) -> object:
    try:
        return decode(word)
    except ValueError:
        return None


def _numbers(values: list[object]) -> list[Scalar]:
    numbers: dict[int | float, None] = {}
    for value in values:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers[value] = None
    return list(numbers)
