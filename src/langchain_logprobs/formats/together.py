"""Together's chat stream: the bare logprob of each chunk's token, whose text is the chunk's text.

Some own classes put it into a list of one. A list of several has no tokens beside it, so it is of no format at all.
Together's answers in one piece carry the lists of openai_completions.py, and newer models OpenAI's chat format.
"""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats.entries import Reading, WireFormat, is_number, read_number


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append one token, spelled as the chunk's text (empty where there was no chunk)."""
    if not _is_one_number(container):
        return False
    into.tokens.add(text or "", read_number(container[0] if isinstance(container, (list, tuple)) else container, into))
    return True


def size(container: Any) -> int | None:
    """Return 1 for a number."""
    return 1 if _is_one_number(container) else None


def _is_one_number(container: Any) -> bool:
    if isinstance(container, (list, tuple)):
        return len(container) == 1 and is_number(container[0])
    return is_number(container)


FORMAT = WireFormat("together.stream", read, size)
