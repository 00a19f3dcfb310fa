"""Ollama: a bare list of entries, `[{"token", "logprob", "top_logprobs"}, ...]`, as pydantic objects without bytes.

An empty list is one of these too. Entries with a `text` in the place of `token` are those of tgi.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_logprobs.formats.entries import Reading, WireFormat, as_mapping, read_all


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    if not _is_list_of_entries(container):
        return False
    read_all(container, into)
    return True


def size(container: Any) -> int | None:
    """Return the number of entries."""
    return len(container) if _is_list_of_entries(container) else None


def entries_of(containers: Sequence[Any]) -> list[list[Any]] | None:
    """Return the entries of containers: all that they are."""
    if not all(type(container) is list and _is_list_of_entries(container) for container in containers):
        return None
    return [*containers]


def _is_list_of_entries(container: Any) -> bool:
    return isinstance(container, (list, tuple)) and (not container or any(map(_is_entry, container)))


def _is_entry(value: Any) -> bool:
    fields = as_mapping(value)
    return fields is not None and ("token" in fields or ("logprob" in fields and "text" not in fields))


FORMAT = WireFormat("ollama", read, size, entries_of)
