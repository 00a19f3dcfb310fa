"""How many bytes of OTLP a span takes, estimated, so that no backend has to cut or refuse it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DETAIL_BYTES = 46_000
"""Up to this size a span gets the details that repeat or explain its arrays, so that 2,000 tokens stay under 48 KB."""

FLOAT_BYTES = 11
"""A double in an OTLP array: the value with the tags and lengths around it."""

STRING_OVERHEAD = 4
"""The tags and lengths around a string in an OTLP array."""

_SUMMARY_BYTES = 2_500
"""The GenAI attributes, the summary and the span itself."""


def strings_size(strings: Sequence[str]) -> int:
    """Return the size of an array of strings."""
    return len("".join(strings).encode()) + STRING_OVERHEAD * len(strings)


def event_size(attributes: Mapping[str, Any]) -> int:
    """Return about the size of an event."""
    size = 40
    for name, value in attributes.items():
        size += len(name) + 14
        if isinstance(value, str):
            size += len(value.encode())
        elif isinstance(value, list):
            size += strings_size(value) if isinstance(value[0], str) else FLOAT_BYTES * len(value)
    return size


class Budget:
    """The bytes that a span has taken so far, of those it may take."""

    def __init__(self, limit: int) -> None:
        """Start with the summary, which is always written."""
        self.limit = limit
        self.spent = _SUMMARY_BYTES

    def spend(self, size: int) -> None:
        """Take bytes."""
        self.spent += size

    def admit_arrays(self, tokens: Sequence[str] | None, count: int) -> int:
        """Take the arrays' bytes and return how many positions fit, counted from the start.

        Args:
            tokens: The tokens; None where only the numbers are written.
            count: How many positions there are.
        """
        size = FLOAT_BYTES * count + (0 if tokens is None else strings_size(tokens))
        if self.spent + size <= self.limit:
            self.spend(size)
            return count
        for index in range(count):
            size = FLOAT_BYTES
            if tokens is not None:
                size += STRING_OVERHEAD + len(tokens[index].encode())
            if self.spent + size > self.limit:
                return index
            self.spend(size)
        return count
