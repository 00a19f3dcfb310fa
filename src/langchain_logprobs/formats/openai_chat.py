"""OpenAI's chat completions: `{"content": [entry, ...], "refusal": [entry, ...]}`.

Spoken, with small differences, by most others: DeepSeek adds `reasoning_content`, llama.cpp an `id` in each entry and
an entry for the end-of-sequence token (`"token": ""`, `"bytes": []`), Fireworks the keys of the legacy format with
None, Hugging Face leaves out `bytes` and `refusal`, watsonx the alternatives too; LiteLLM and Databricks send it as a
pydantic object. llama.cpp and vLLM servers also answer legacy completions in this shape.
"""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats._reading import Reading, WireFormat, as_mapping, read_entries

_ANSWER_KEYS = ("content", "refusal")
_REASONING_KEY = "reasoning_content"


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the answer's tokens (a refusal is an answer too) and, apart from them, those of the reasoning."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_chat(fields):
        return False
    for key in _ANSWER_KEYS:
        entries = fields.get(key)
        if entries:
            if isinstance(entries, (list, tuple)):
                read_entries(entries, into.tokens, into)
            else:
                into.reject(f"{key!r} of type {type(entries).__name__}")
    reasoning = fields.get(_REASONING_KEY)
    if isinstance(reasoning, (list, tuple)):
        read_entries(reasoning, into.reasoning, into)
    return True


def size(container: Any) -> int | None:
    """Return the number of answer entries."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_chat(fields):
        return None
    return sum(len(entries) for key in _ANSWER_KEYS if isinstance(entries := fields.get(key), (list, tuple)))


def _is_chat(fields: Any) -> bool:
    return "content" in fields or "refusal" in fields or _REASONING_KEY in fields


FORMAT = WireFormat("openai.chat", read, size)
