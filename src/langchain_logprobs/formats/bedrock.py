"""Bedrock's imported models: a list of `{token id: logprob}`, the sampled token first in each.

The ids are decimal strings. The text of a chunk with one such entry is its token; in a merged answer no text can be
told apart, and the tokens are spelled by id. The servers are vLLM's, whose values can also be
`{"logprob", "rank", "decoded_token"}`.
"""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats.entries import (
    Reading,
    WireFormat,
    logprob_of,
    read_alternative_pairs,
    read_number,
    spell_token_id,
)


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    if not _is_list_of_ids(container):
        return False
    text_of_one = text if len(container) == 1 else None
    for entry in container:
        if not _is_entry(entry):
            into.reject(f"an entry of type {type(entry).__name__} where a token id and its logprob should be")
            continue
        token_id, value = next(iter(entry.items()))
        logprob = read_number(logprob_of(value), into)
        alternatives = [(_spell(each_id, each), each) for each_id, each in entry.items()] if len(entry) > 1 else []
        into.tokens.add(
            text_of_one or _spell(token_id, value), logprob, None, read_alternative_pairs(alternatives, into)
        )
    return True


def size(container: Any) -> int | None:
    """Return the number of entries."""
    return len(container) if _is_list_of_ids(container) else None


def _is_list_of_ids(container: Any) -> bool:
    return isinstance(container, (list, tuple)) and any(map(_is_entry, container))


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(key, str) and key.isdecimal() for key in value)


def _spell(token_id: str, value: Any) -> str:
    decoded = value.get("decoded_token") if isinstance(value, dict) else None
    return decoded if isinstance(decoded, str) else spell_token_id(token_id)


FORMAT = WireFormat("bedrock", read, size)
