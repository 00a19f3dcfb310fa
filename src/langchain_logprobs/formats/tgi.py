"""Hugging Face's text-generation-inference: `details` with `tokens`, entries `{"id", "text", "logprob", "special"}`.

The alternatives stand apart, in `top_tokens`: a list of such entries for each token. The prompt's own tokens
(`prefill`) are no part of the answer.
"""

from __future__ import annotations

from typing import Any, Final

from langchain_logprobs.formats.entries import EntryKeys, Reading, WireFormat, as_mapping, read_entry

_KEYS: Final = EntryKeys(text="text")


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    entries = _entries(container)
    if entries is None:
        return False
    fields = None if entries is container else as_mapping(container)
    tops = None if fields is None else fields.get("top_tokens")
    for index, entry in enumerate(entries):
        others = tops[index] if isinstance(tops, (list, tuple)) and index < len(tops) else None
        read_entry(entry, into.tokens, into, tops=others, keys=_KEYS)
    return True


def size(container: Any) -> int | None:
    """Return the number of entries."""
    entries = _entries(container)
    return None if entries is None else len(entries)


def _entries(container: Any) -> Any:
    """Return the list of entries that a container is or holds; None where it is of another format."""
    if not isinstance(container, (list, tuple)):
        fields = as_mapping(container)
        container = None if fields is None else fields.get("tokens")
        if isinstance(container, (list, tuple)) and any(isinstance(each, str) for each in container):
            return None  # the legacy format's list of texts, with something odd among them
    if isinstance(container, (list, tuple)) and any(map(is_entry, container)):
        return container
    return None


def is_entry(value: Any) -> bool:
    """Tell whether a value is one of this format's entries, and of no other's."""
    fields = as_mapping(value)
    return fields is not None and "text" in fields and "logprob" in fields and "token" not in fields


FORMAT = WireFormat("tgi", read, size)
