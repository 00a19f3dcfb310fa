"""Together's chat stream: the bare logprob of each chunk's token, whose text is the chunk's text.

Its answers in one piece carry the lists of openai_completions.py, and newer models OpenAI's chat format.
"""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats.entries import Reading, WireFormat, is_number, read_number
from langchain_logprobs.formats.tokens import TokenLogprob


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append one token, spelled as the chunk's text (empty where there was no chunk)."""
    if not is_number(container):
        return False
    into.to_append().append(TokenLogprob(text or "", read_number(container, into)))
    return True


def size(container: Any) -> int | None:
    """Return 1 for a number."""
    return 1 if is_number(container) else None


FORMAT = WireFormat("together.stream", read, size)
