"""The allowed values of a place, sorted so that what a token spells finds those that fit it by binary search.

A list of ten thousand labels is encoded once and then costs two bisections for each alternative of a token.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar

from langchain_logprobs.confidence.alignment.token_bytes import utf8
from langchain_logprobs.confidence.fields.json_scan import Kind
from langchain_logprobs.confidence.fields.json_value import decode

Scalar = str | int | float | bool | None

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BARE_END = re.compile(rb"\n|<[|/a-z]|\[/")
_WORD = re.compile(rb"[-+.0-9A-Za-z_]*")
_KINDS: dict[int, Kind] = {
    **dict.fromkeys(b"-0123456789NI", "number"),
    ord('"'): "string",
    ord("{"): "object",
    ord("["): "array",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
}


def kind_of(spelled: bytes) -> Kind | None:
    """Return the JSON type that a beginning of a value shows, or None where no value begins like this."""
    return _KINDS.get(spelled[0]) if spelled else None


def kind_of_label(value: Scalar) -> Kind:
    """Return the JSON type of an allowed value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


class LabelIndex:
    """The allowed values of a place in the order of their JSON texts.

    Attributes:
        values: The values in the order of the schema.
        order: Their indices in the order of their texts; a label's place in it is its *rank*.
    """

    __slots__ = ("_bare", "_ranks", "_texts", "order", "values")

    def __init__(self, values: Sequence[Scalar], *, bare: bool = False) -> None:
        """Encode and sort the values; where `bare`, strings are spelled without quotes and escapes."""
        self.values: tuple[Scalar, ...] = tuple(values)
        self._bare = bare
        texts = [utf8(_encoded(value, bare=bare)) for value in self.values]
        self.order: list[int] = sorted(range(len(texts)), key=texts.__getitem__)
        self._texts = [texts[index] for index in self.order]
        self._ranks = {_identity(self.values[index]): rank for rank, index in enumerate(self.order)}

    def __eq__(self, other: object) -> bool:
        """Tell whether the other has the same values."""
        return isinstance(other, LabelIndex) and self.values == other.values and self._bare == other._bare

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show how many values there are, and not ten thousand of them."""
        return f"LabelIndex({len(self.values)} labels)"

    def value(self, rank: int) -> Scalar:
        """Return the label of a rank."""
        return self.values[self.order[rank]]

    def rank(self, value: object) -> int | None:
        """Return the rank of a label; None where the value is none of them. 1 and 1.0 are one value, True another."""
        return self._ranks.get(_identity(value)) if isinstance(value, (str, int, float, type(None))) else None

    def fitting(self, spelled: bytes) -> tuple[range, ...]:
        """Return the ranks of the labels that a value which begins like this can still become, or is.

        Args:
            spelled: The value's first bytes, and what follows it where its end is among them.
        """
        if not spelled:
            return (range(len(self._texts)),)
        if self._bare:
            return self._fitting_bare(spelled)
        if spelled.startswith(b'"'):
            whole = _STRING.match(spelled)
            if whole:
                return self._exactly(whole.group())
            # What follows a backslash can be spelled in several ways.
            return self._beginning_with(spelled.partition(b"\\")[0])
        match = _WORD.match(spelled)
        word = match.group() if match else b""
        if not word:
            return ()
        return self._exactly(word) if len(word) < len(spelled) else self._fitting_number(word)

    def _fitting_number(self, word: bytes) -> tuple[range, ...]:
        """The labels that a number, or a word, without its end can become: 1.50 is 1.5, and 1e1 can be anything."""
        ranges = self._beginning_with(word)
        if kind_of(word) != "number":
            return ranges
        if b"e" in word or b"E" in word:
            return self._between(b"-", b".") + self._between(b"0", b":")
        if b"." in word:
            ranges += tuple(same for same in self._exactly(word.rstrip(b"0").rstrip(b".")) if same not in ranges)
        return ranges

    def _fitting_bare(self, spelled: bytes) -> tuple[range, ...]:
        """The labels without quotes that go on like this, and the one that an end mark or white space ended here."""
        ranges = self._beginning_with(spelled)
        head = _BARE_END.split(spelled, maxsplit=1)[0].rstrip()
        rank = bisect_left(self._texts, head)
        if head != spelled and rank < len(self._texts) and self._texts[rank] == head:
            ranges += tuple(one for one in (range(rank, rank + 1),) if not any(rank in other for other in ranges))
        return ranges

    def _exactly(self, raw: bytes) -> tuple[range, ...]:
        try:
            rank = self.rank(decode(raw.decode("utf-8", "surrogatepass")))
        except ValueError:
            return ()
        return () if rank is None else (range(rank, rank + 1),)

    def _beginning_with(self, prefix: bytes) -> tuple[range, ...]:
        # No UTF-8 text has the byte 0xff, so that it sorts behind all that begin with the prefix.
        return self._between(prefix, prefix + b"\xff")

    def _between(self, low: bytes, high: bytes) -> tuple[range, ...]:
        ranks = range(bisect_left(self._texts, low), bisect_left(self._texts, high))
        return (ranks,) if ranks else ()


def _encoded(value: Scalar, *, bare: bool) -> str:
    # With the closing quote, so that no quoted label is the beginning of another.
    return value if bare and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _identity(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value
