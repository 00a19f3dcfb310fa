"""Raw logprob containers of any wire format in, tokens out.

To add a provider whose shape is new: write a module here with a `FORMAT`, name it in `FORMATS`, and add its row to
the table of tests/formats/test_formats.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from langchain_logprobs.formats import (
    bedrock,
    gemini,
    llama_cpp,
    ollama,
    openai_chat,
    openai_completions,
    sglang,
    tgi,
    together,
    vertex,
)
from langchain_logprobs.formats.entries import Reading, WireFormat, read_all

FORMATS: tuple[WireFormat, ...] = (
    openai_chat.FORMAT,
    openai_completions.FORMAT,
    ollama.FORMAT,
    vertex.FORMAT,
    together.FORMAT,
    bedrock.FORMAT,
    llama_cpp.FORMAT,
    sglang.FORMAT,
    tgi.FORMAT,
    gemini.FORMAT,
)
"""Every format. No container is of two of them; the order is that of use."""

_BY_NAME = {wire_format.name: wire_format for wire_format in FORMATS}


def read_container(container: Any, into: Reading, text: str | None = None) -> None:
    """Append one raw container's tokens to a Reading; what is unreadable is counted there.

    Args:
        container: What stood under `logprobs` (or an integration's own key). None, an empty dict and a bool hold
            nothing: LiteLLM's router hands the request's `logprobs=True` on where others hand on what came back.
        into: The Reading of this choice so far.
        text: The text of the chunk that carried the container, for formats that carry numbers alone; None where
            there was no chunk.
    """
    try:
        if container is None or isinstance(container, bool) or (type(container) is dict and not container):
            return
        _read(container, into, text)
    except Exception as error:  # an object of any class can stand here, and whatever it is asked for can raise
        into.reject(f"a logprobs container that raises {type(error).__name__}")


def read_together(containers: Sequence[Any]) -> tuple[Reading, list[int]] | None:
    """Read the containers of a stream as one, which is most of the way to reading them quickly.

    Args:
        containers: The raw containers, in order.

    Returns:
        What they hold, and how many tokens came in each; None where it takes a look at each of them.
    """
    for wire_format in FORMATS:
        try:
            entries = wire_format.entries_of(containers)
        except Exception:  # see read_container, which is asked next
            return None
        if entries is not None:
            reading = Reading()
            read_all([*chain.from_iterable(entries)], reading)
            if reading.tokens:
                reading.source = wire_format.name
            return None if reading.malformed else (reading, [*map(len, entries)])
    return None


def size_of(container: Any) -> int:
    """Return how many answer tokens a raw container holds; 0 for an unknown format."""
    return _size(container) or 0


def is_container(value: Any) -> bool:
    """Return whether a value is a logprobs container of a known format."""
    return _size(value) is not None


def _read(container: Any, into: Reading, text: str | None) -> None:
    # The chunks of one stream share a format, so the last one is tried first.
    if into.source is not None and _BY_NAME[into.source].read(container, text, into):
        return
    for wire_format in FORMATS:
        if wire_format.read(container, text, into):
            if into.source is None and (into.tokens or into.reasoning):
                into.source = wire_format.name
            return
    into.reject(f"a logprobs container of an unknown format: {_describe(container)}")


def _size(container: Any) -> int | None:
    try:
        sizes = (wire_format.size(container) for wire_format in FORMATS)
        return next((size for size in sizes if size is not None), None)
    except Exception:  # see read_container
        return None


def _describe(container: Any) -> str:
    """Say what an unknown container is without a word of what it holds: its keys can be the answer's tokens."""
    if isinstance(container, dict):
        return f"a dict of length {len(container)}"
    if isinstance(container, (list, tuple)) and container:
        return f"a list of length {len(container)}, its first item of type {type(container[0]).__name__}"
    return f"an object of type {type(container).__name__}"
