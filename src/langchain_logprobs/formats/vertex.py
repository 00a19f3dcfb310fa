"""Vertex AI: `{"logprobs_result": [{"token", "logprob", "top_logprobs"}, ...]}`, without bytes.

The dict is ours: langchain-google-vertexai puts the list under this key, where others have `logprobs`, and whoever
takes it from there keeps the key with it. The integration itself leaves out tokens whose logprob is NaN or positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_logprobs.formats.entries import Reading, WireFormat, read_all

KEY = "logprobs_result"


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    if not isinstance(container, dict) or KEY not in container:
        return False
    entries = container[KEY]
    if isinstance(entries, (list, tuple)):
        read_all(entries, into)
    elif entries is not None:
        into.reject(f"{KEY!r} of type {type(entries).__name__}")
    return True


def size(container: Any) -> int | None:
    """Return the number of entries."""
    if not isinstance(container, dict) or KEY not in container:
        return None
    return len(container[KEY]) if isinstance(container[KEY], (list, tuple)) else 0


def entries_of(containers: Sequence[Any]) -> list[list[Any]] | None:
    """Return the entries of containers."""
    found = []
    for container in containers:
        entries = container.get(KEY) if type(container) is dict else None
        if type(entries) is not list:
            return None
        found.append(entries)
    return found


FORMAT = WireFormat("vertex", read, size, entries_of)
