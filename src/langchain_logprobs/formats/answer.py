"""Where LangChain puts a choice's raw logprobs container, and `read_logprobs`, which reads it from there.

LangChain's objects are told apart by their attributes, so that this module, like the formats, needs no LangChain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from langchain_logprobs.formats import gemini, llama_cpp, sglang, tgi
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.read import is_container, read_container
from langchain_logprobs.formats.tokens import Tokens
from langchain_logprobs.formats.vertex import KEY as VERTEX_KEY

_LEGACY_KEYS: Final = ("tokens", "token_ids", "token_logprobs", "top_logprobs")

_ACCEPTED = (
    "an LLMResult, a Generation, an AIMessage (or their chunks), a generation_info or response_metadata dict, "
    "the dict that include_raw=True returns, or the raw logprobs container of one choice"
)


def _as_it_stands(info: Mapping[str, Any], key: str) -> Any:
    return None if isinstance(info[key], bool) else info[key]


def _with_its_key(info: Mapping[str, Any], key: str) -> Any:
    """A list alone would be another's: its key is what tells it apart."""
    return {key: info[key]} if isinstance(info[key], (list, tuple)) else info[key]


def _if_sglang(info: Mapping[str, Any], key: str) -> Any:
    return info[key] if isinstance(info[key], Mapping) and sglang.KEY in info[key] else None


def _if_tgi(info: Mapping[str, Any], key: str) -> Any:
    return info[key] if tgi.size(info[key]) is not None else None


def _if_gemini(info: Mapping[str, Any], key: str) -> Any:
    return info[key] if gemini.size(info[key]) is not None else None


def _with_its_lists(info: Mapping[str, Any], key: str) -> Any:
    if not isinstance(info[key], (list, tuple)):
        return None
    return {name: info[name] for name in _LEGACY_KEYS if name in info}


_PLACES: Final[dict[str, Callable[[Mapping[str, Any], str], Any]]] = {
    "logprobs": _as_it_stands,  # nearly all integrations
    VERTEX_KEY: _with_its_key,  # langchain-google-vertexai
    # Own classes, which keep what their server sent under the server's own names:
    "log_probs": _as_it_stands,
    "token_logprobs": _with_its_lists,
    llama_cpp.KEY: _with_its_key,
    "meta_info": _if_sglang,
    "details": _if_tgi,
    "logprobsResult": _if_gemini,
}
"""The keys of a `generation_info` and the like under which logprobs stand, and how each gives up its container.

None where what stands there holds no logprobs. Names that others use too must hold what only logprobs look like.
"""
_KEYS: Final = frozenset(_PLACES)


def find_container(generation_info: object, message: object = None) -> Any:
    """Return the raw logprobs container of one choice, or None where there is none.

    LangChain copies `generation_info` into the message's `response_metadata` on most paths, so the same logprobs stand
    in both: the first that has them counts, and they are never added.

    Args:
        generation_info: A generation's `generation_info`; anything but a mapping holds nothing.
        message: The generation's message, for integrations (Bedrock) and paths that fill only its
            `response_metadata`, and for own classes that put them into its `additional_kwargs`.

    Returns:
        The container as it stands there, not a copy; a list under a key that tells it from another's (Vertex AI's,
        llama.cpp's) comes as `{key: list}`.
    """
    container = _container_in(generation_info)
    if container is None and message is not None:
        container = _container_in(getattr(message, "response_metadata", None))
        if container is None:
            container = _container_in(getattr(message, "additional_kwargs", None))
    return container


def read_logprobs(source: Any) -> list[Tokens]:
    """Return the tokens and their logprobs (in nats) of an answer that LangChain returned.

    Args:
        source: An LLMResult, a Generation, an AIMessage, a chunk of these, a `generation_info` or `response_metadata`
            dict, the dict that `with_structured_output(..., include_raw=True)` returns, or the raw container of one
            choice as the provider sent it.

    Returns:
        One sequence of `TokenLogprob` for each choice (several prompts of an LLMResult follow each other), in the
        answer's order. An empty one for a choice without logprobs, so that `read_logprobs(message)[0]` always stands.
        What cannot be read is left out; tokens of a reasoning text that the provider reports apart (DeepSeek) are no
        part of the answer.

    Raises:
        TypeError: The source is none of these.

    Example:
        >>> from langchain_logprobs import read_logprobs
        >>> entries = [{"token": "Yes", "logprob": -0.25, "bytes": [89, 101, 115], "top_logprobs": []}]
        >>> (tokens,) = read_logprobs({"logprobs": {"content": entries}})
        >>> tokens[0].token, tokens[0].logprob
        ('Yes', -0.25)
    """
    if isinstance(source, Mapping) and "raw" in source and "parsing_error" in source:  # include_raw=True
        source = source["raw"]
    generations = getattr(source, "generations", None)
    if isinstance(generations, (list, tuple)):  # LLMResult
        flat = [each for inner in generations for each in (inner if isinstance(inner, (list, tuple)) else [inner])]
        return [_read_generation(generation) for generation in flat] or [Tokens()]
    if hasattr(source, "generation_info"):
        return [_read_generation(source)]
    if isinstance(getattr(source, "response_metadata", None), Mapping):  # AIMessage
        return [_read(find_container(None, source), _chunk_text(source))]
    if source is None:  # a generation_info can be None, and so can what stands in it under `logprobs`
        return [Tokens()]
    if isinstance(source, Mapping) and not _KEYS.isdisjoint(source):
        return [_read(_container_in(source), None)]
    if is_container(source):
        return [_read(source, None)]
    if isinstance(source, Mapping):  # a generation_info without logprobs
        return [Tokens()]
    raise TypeError(f"cannot read logprobs from {type(source).__name__}: give {_ACCEPTED}")


def _container_in(info: object) -> Any:
    # Asked for every chunk of a stream, most of which have one of the first two.
    if type(info) is dict:
        if not info:
            return None
        container = info.get("logprobs")
        if container is not None and type(container) is not bool:
            return container
    elif not isinstance(info, Mapping):
        return None
    elif isinstance(info, Carrying) and info.container is not None:
        return info.container
    if _KEYS.isdisjoint(info):
        return None
    for key, container_under in _PLACES.items():
        if info.get(key) is not None:
            container = container_under(info, key)
            if container is not None:
                return container
    return None


def _read_generation(generation: object) -> Tokens:
    message = getattr(generation, "message", None)
    return _read(find_container(getattr(generation, "generation_info", None), message), _chunk_text(generation))


def _chunk_text(source: object) -> str | None:
    """Return the text that came with a chunk's logprobs; None for a whole answer, whose text is not one token's."""
    text = getattr(source, "text", None)
    return str(text) if isinstance(text, str) and type(source).__name__.endswith("Chunk") else None


def _read(container: Any, text: str | None) -> Tokens:
    reading = Reading()
    read_container(container, reading, text)
    return reading.tokens
