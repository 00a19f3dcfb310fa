"""Where LangChain puts a choice's raw logprobs container, and `read_logprobs`, which reads it from there.

LangChain's objects are told apart by their attributes, so that this module, like the formats, needs no LangChain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.read import is_container, read_container
from langchain_logprobs.formats.tokens import TokenLogprob
from langchain_logprobs.formats.vertex import KEY as VERTEX_KEY

LOGPROBS_KEY = "logprobs"
"""The key of nearly all integrations, in `generation_info` and in a message's `response_metadata`."""

_ACCEPTED = (
    "an LLMResult, a Generation, an AIMessage (or their chunks), a generation_info or response_metadata dict, "
    "or the raw logprobs container of one choice"
)


def find_container(generation_info: object, message: object = None) -> Any:
    """Return the raw logprobs container of one choice, or None where there is none.

    LangChain copies `generation_info` into the message's `response_metadata` on most paths, so the same logprobs stand
    in both: the first that has them counts, and they are never added.

    Args:
        generation_info: A generation's `generation_info`; anything but a mapping holds nothing.
        message: The generation's message, for integrations (Bedrock) and paths that fill only its
            `response_metadata`.

    Returns:
        The container as it stands there, not a copy; Vertex AI's list comes as `{"logprobs_result": list}`, because
        its key is what tells it from another's.
    """
    container = _container_in(generation_info)
    if container is None and message is not None:
        container = _container_in(getattr(message, "response_metadata", None))
    return container


def read_logprobs(source: Any) -> list[list[TokenLogprob]]:
    """Return the tokens and their logprobs (in nats) of an answer that LangChain returned.

    Args:
        source: An LLMResult, a Generation, an AIMessage, a chunk of these, a `generation_info` or `response_metadata`
            dict, or the raw container of one choice as the provider sent it.

    Returns:
        One list for each choice (several prompts of an LLMResult follow each other), in the answer's order. An empty
        list for a choice without logprobs, so that `read_logprobs(message)[0]` always stands. What cannot be read
        is left out; tokens of a reasoning text that the provider reports apart (DeepSeek) are no part of the answer.

    Raises:
        TypeError: The source is none of these.
    """
    generations = getattr(source, "generations", None)
    if isinstance(generations, (list, tuple)):  # LLMResult
        flat = [each for inner in generations for each in (inner if isinstance(inner, (list, tuple)) else [inner])]
        return [_read_generation(generation) for generation in flat] or [[]]
    if hasattr(source, "generation_info"):
        return [_read_generation(source)]
    if isinstance(getattr(source, "response_metadata", None), Mapping):  # AIMessage
        return [_read(find_container(None, source), _chunk_text(source))]
    if source is None:  # a generation_info can be None, and so can what stands in it under `logprobs`
        return [[]]
    if isinstance(source, Mapping) and (LOGPROBS_KEY in source or VERTEX_KEY in source):
        return [_read(_container_in(source), None)]
    if is_container(source):
        return [_read(source, None)]
    if isinstance(source, Mapping):  # a generation_info without logprobs
        return [[]]
    raise TypeError(f"cannot read logprobs from {type(source).__name__}: give {_ACCEPTED}")


def _container_in(info: object) -> Any:
    if type(info) is not dict and not isinstance(info, Mapping):
        return None
    container = info.get(LOGPROBS_KEY)
    if container is None:
        container = info.get(VERTEX_KEY)
        if container is not None:
            return {VERTEX_KEY: container}
    return container


def _read_generation(generation: object) -> list[TokenLogprob]:
    message = getattr(generation, "message", None)
    return _read(find_container(getattr(generation, "generation_info", None), message), _chunk_text(generation))


def _chunk_text(source: object) -> str | None:
    """Return the text that came with a chunk's logprobs; None for a whole answer, whose text is not one token's."""
    text = getattr(source, "text", None)
    return str(text) if isinstance(text, str) and type(source).__name__.endswith("Chunk") else None


def _read(container: Any, text: str | None) -> list[TokenLogprob]:
    reading = Reading()
    read_container(container, reading, text)
    return list(reading.tokens)
