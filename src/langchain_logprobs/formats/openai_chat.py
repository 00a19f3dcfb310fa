"""OpenAI's chat completions: `{"content": [entry, ...], "refusal": [entry, ...]}`.

Spoken, with small differences, by most others: DeepSeek adds `reasoning_content`, llama.cpp an `id` in each entry and
an entry for the end-of-sequence token (`"token": ""`, `"bytes": []`), Fireworks the keys of the legacy format with
None, Hugging Face leaves out `bytes` and `refusal`, watsonx the alternatives too; LiteLLM and Databricks send it as a
pydantic object. llama.cpp and vLLM servers also answer legacy completions in this shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from langchain_logprobs.formats.entries import Reading, WireFormat, as_mapping, read_all, read_entries

_ANSWER_KEYS = ("content", "refusal")
_REASONING_KEY = "reasoning_content"
_KEYS = (*_ANSWER_KEYS, _REASONING_KEY)


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the answer's tokens (a refusal is an answer too) and, apart from them, those of the reasoning."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_chat(fields):
        return False
    for key in _KEYS:
        entries = fields.get(key)
        if isinstance(entries, (list, tuple)):
            if key == _REASONING_KEY:
                read_entries(entries, into.reasoning, into)
            else:
                read_all(entries, into)
        elif entries is not None:
            into.reject(f"{key!r} of type {type(entries).__name__}")
    return True


def size(container: Any) -> int | None:
    """Return the number of answer entries."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_chat(fields):
        return None
    return sum(len(entries) for key in _ANSWER_KEYS if isinstance(entries := fields.get(key), (list, tuple)))


def has_entries(fields: Mapping[str, Any]) -> bool:
    """Return whether one of this format's lists holds anything: then the container is of this format, not of another.

    Fireworks and Together send the keys of this format and of the legacy one together, those of one of them empty.
    """
    for key in _KEYS:  # noqa: SIM110  (a generator takes a microsecond to set up, and this runs for every chunk)
        if fields.get(key) and isinstance(fields[key], (list, tuple)):
            return True
    return False


def has_key(fields: Mapping[str, Any]) -> bool:
    """Return whether any of this format's lists is there, empty or not."""
    return any(key in fields for key in _KEYS)


def entries_of(containers: Sequence[Any]) -> list[list[Any]] | None:
    """Return the entries of containers in which all but `content` is None; None if one is another."""
    if not {*map(type, containers)} <= {dict}:
        return None
    # Nearly every chunk has these two keys alone, which is quicker to see than to look at every value.
    sizes = {*map(len, containers)}
    two = sizes == {2} and all(map(dict.__contains__, containers, repeat("refusal")))
    if not (two or sizes == {1}) or any(map(dict.get, containers, repeat("refusal"))):
        for container in containers:
            if any(value is not None and key != "content" for key, value in container.items()):
                return None
    if not all(map(dict.__contains__, containers, repeat("content"))):
        return None
    found = [[] if container["content"] is None else container["content"] for container in containers]
    return found if {*map(type, found)} <= {list} else None


def _is_chat(fields: Mapping[str, Any]) -> bool:
    if has_entries(fields):
        return True
    if fields.get("tokens") or fields.get("token_logprobs"):  # the legacy format's
        return False
    return has_key(fields)


FORMAT = WireFormat("openai.chat", read, size, entries_of)
