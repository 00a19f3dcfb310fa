"""llama.cpp's own API: `{"completion_probabilities": [...]}`, whose OpenAI-compatible one speaks openai_chat.py's.

Newer servers send the entries of `read_entries` there. Before December 2024 it was `{"content": text, "probs":
[{"tok_str": text, "prob": p}, ...]}`: the token's own probability is that of the alternative with its text, and
is not known where it is none of them.
"""

from __future__ import annotations

from typing import Any, Final

from langchain_logprobs.formats.entries import (
    EntryKeys,
    Reading,
    WireFormat,
    as_mapping,
    read_alternatives,
    read_entry,
)

KEY = "completion_probabilities"
_OLD_KEYS: Final = EntryKeys(text="tok_str")


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    if _holds_key(container):
        entries = container[KEY]
    elif _is_old_list(container):
        entries = container
    else:
        return False
    if isinstance(entries, (list, tuple)):
        for entry in entries:
            if _is_old(entry):
                _read_old(entry, into)
            else:
                read_entry(entry, into.tokens, into)
    elif entries is not None:
        into.reject(f"{KEY!r} of type {type(entries).__name__}")
    return True


def size(container: Any) -> int | None:
    """Return the number of entries."""
    if _holds_key(container):
        return len(container[KEY]) if isinstance(container[KEY], (list, tuple)) else 0
    return len(container) if _is_old_list(container) else None


def _holds_key(container: Any) -> bool:
    return isinstance(container, dict) and KEY in container


def _is_old_list(container: Any) -> bool:
    return isinstance(container, (list, tuple)) and any(map(_is_old, container))


def _is_old(value: Any) -> bool:
    fields = as_mapping(value)
    return (
        fields is not None
        and isinstance(fields.get("content"), str)
        and isinstance(fields.get("probs"), (list, tuple))
        and "token" not in fields
    )


def _read_old(entry: Any, into: Reading) -> None:
    fields = as_mapping(entry) or {}
    alternatives = read_alternatives(fields["probs"], into, _OLD_KEYS)
    own = next((logprob for text, logprob, _ in alternatives if text == fields["content"]), None)
    into.tokens.add(fields["content"], own, None, alternatives)


FORMAT = WireFormat("llama_cpp", read, size)
