"""What an answer holds beside its logprobs: its text, its reasoning, its tool calls.

LangChain's objects are told apart by their attributes, so that this module, like the formats, needs no LangChain.
Nothing here raises, whatever a class of somebody's own put into its messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Where integrations put a reasoning text: in a message's `additional_kwargs`, and in a content block of that type."""


def text_of(generation: Any) -> str | None:
    """Return an answer's text: its content, or the refusal that stands in for it.

    Args:
        generation: A Generation, an AIMessage, or a chunk of these.

    Returns:
        The text; empty where the answer has none (a tool call, or a reasoning that took all the tokens). None where
        there is no answer at all.
    """
    if generation is None:
        return None
    text = getattr(generation, "text", None)
    if callable(text) and not isinstance(text, str):  # AIMessage.text of early langchain-core 1.x is a method as well
        text = text()
    if isinstance(text, str) and text:
        return str(text)  # LangChain has its own kind of str here
    message = _message_of(generation)
    extra = getattr(message, "additional_kwargs", None)
    refusal = extra.get("refusal") if isinstance(extra, Mapping) else None
    if isinstance(refusal, str) and refusal:
        return refusal
    refusals = [str(block["refusal"]) for block in _blocks(message) if isinstance(block.get("refusal"), str)]
    return "".join(refusals)


def reasoning_of(generation: Any) -> str:
    """Return the reasoning text that an answer, or a chunk of one, carries apart from its content; empty for none."""
    message = _message_of(generation)
    extra = getattr(message, "additional_kwargs", None)
    if isinstance(extra, Mapping):
        for key in _REASONING_KEYS:
            if isinstance(extra.get(key), str) and extra[key]:
                return str(extra[key])
    return "".join(_reasoning_in(block) for block in _blocks(message))


def tool_calls_of(generation: Any) -> list[Mapping[str, Any]]:
    """Return an answer's tool calls, those whose arguments LangChain could not parse among them."""
    message = _message_of(generation)
    calls = [getattr(message, name, None) for name in ("tool_calls", "invalid_tool_calls")]
    return [call for found in calls if isinstance(found, list) for call in found if isinstance(call, Mapping)]


def is_of_tool_call(chunk: Any) -> bool:
    """Tell whether a chunk brought a part of a tool call."""
    message = _message_of(chunk)
    return bool(getattr(message, "tool_call_chunks", None) or getattr(message, "tool_calls", None))


def text_of_piece(piece: Any) -> str:
    """Return the text of one token callback: a string, a list of content blocks, or a chunk, whose text is empty."""
    if isinstance(piece, str):
        return str(piece)
    blocks = piece if isinstance(piece, list) else ()
    return "".join(
        str(block if isinstance(block, str) else block["text"])
        for block in blocks
        if isinstance(block, str) or (isinstance(block, Mapping) and isinstance(block.get("text"), str))
    )


def reasoning_of_piece(piece: Any) -> str:
    """Return the reasoning text of one token callback; empty where it brought none."""
    if isinstance(piece, list):
        return "".join(_reasoning_in(block) for block in piece if isinstance(block, Mapping))
    return reasoning_of(piece)


def is_cached(generation: Any) -> bool:
    """Tell whether LangChain took an answer from its cache, which it marks with a total cost of 0."""
    usage = getattr(_message_of(generation), "usage_metadata", None)
    return isinstance(usage, Mapping) and "total_cost" in usage and usage["total_cost"] == 0


def _message_of(generation: Any) -> Any:
    message = getattr(generation, "message", None)
    return generation if message is None else message


def _blocks(message: Any) -> Iterator[Mapping[str, Any]]:
    content = getattr(message, "content", None)
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, Mapping))


def _reasoning_in(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    value = block.get(kind) if kind in _REASONING_KEYS else None
    return value if isinstance(value, str) else ""
