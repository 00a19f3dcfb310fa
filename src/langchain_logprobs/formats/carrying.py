"""Logprobs that travel beside an answer instead of on it: what we asked for ourselves, and `strip_logprobs`.

LangChain's objects are told apart by their attributes, so that this module, like the formats, needs no LangChain.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from langchain_logprobs.formats import llama_cpp, sglang

_T = TypeVar("_T")

_WHOLE = frozenset({"logprobs", "logprobs_result", "log_probs", "prompt_logprobs", llama_cpp.KEY, "logprobsResult"})
"""Keys of a `generation_info` or a `response_metadata` under which nothing but logprobs stands."""

_LISTS = frozenset({"tokens", "token_ids", "token_logprobs", "top_logprobs", "text_offset"})
"""Those of the completions format, where they stand side by side with everything else; the third tells them apart."""

_INSIDE = {
    "meta_info": frozenset({sglang.KEY, "input_token_logprobs", "output_top_logprobs", "input_top_logprobs"}),
    "details": frozenset({"tokens", "prefill", "top_tokens"}),
}
"""Mappings that hold logprobs among other things, and the keys of theirs that hold them."""


class Carrying(dict[str, Any]):
    """A `generation_info` with logprobs beside it: to everybody else a dict without them.

    LangChain copies and merges it into plain dicts, which carry nothing: on the message, in a checkpoint and in what
    other handlers record there is no trace of it.

    Attributes:
        container: The raw logprobs container that was taken off; None where there was none, or where it was left.
        requested: How many alternatives we asked for; 0 where we did not ask.
        refused: Whether the model refuses logprobs: when we asked, or before, so that we did not.
    """

    __slots__ = ("container", "refused", "requested")

    def __init__(self, info: Mapping[str, Any], container: Any, requested: int, *, refused: bool = False) -> None:
        """Make one of what is left of a `generation_info`."""
        super().__init__(info)
        self.container: Any = container
        self.requested: int = requested
        self.refused: bool = refused

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the plain dict that it is to everybody else."""
        return dict, (dict(self),)


def without_logprobs(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `generation_info` or a `response_metadata` without its logprobs. Flags that ask for some stay."""
    lists = _LISTS if isinstance(info.get("token_logprobs"), (list, tuple)) else frozenset()
    left = {}
    for key, value in info.items():
        if key in lists or (key in _WHOLE and not isinstance(value, bool)):
            continue
        inside = _INSIDE.get(key)
        if inside is not None and isinstance(value, Mapping) and not inside.isdisjoint(value):
            value = {name: each for name, each in value.items() if name not in inside}
        left[key] = value
    return left


def strip_logprobs(message: _T) -> _T:
    """Return a message without its logprobs, for a state that is kept: 2,000 tokens with top 5 are 0.5 MB.

    Args:
        message: A message, a Generation, or a chunk of these. It stays as it is, since LangChain hands the same object
            to callbacks and caches.

    Returns:
        A copy without logprobs in its metadata; the message itself where there are none.

    Raises:
        TypeError: The argument is neither a message nor a Generation.

    Example:
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs import strip_logprobs
        >>> message = AIMessage("Yes", response_metadata={"model_name": "m", "logprobs": {"content": []}})
        >>> strip_logprobs(message).response_metadata
        {'model_name': 'm'}
    """
    if not (hasattr(message, "response_metadata") or hasattr(message, "generation_info")):
        raise TypeError(f"strip_logprobs takes a message or a Generation, not {type(message).__name__}")
    changed: dict[str, Any] = {}
    for name in ("response_metadata", "additional_kwargs", "generation_info"):
        info = getattr(message, name, None)
        if isinstance(info, Mapping) and (left := without_logprobs(info)) != info:
            changed[name] = left
    inner = getattr(message, "message", None)
    if inner is not None and (stripped := strip_logprobs(inner)) is not inner:
        changed["message"] = stripped
    if not changed:
        return message
    copied = copy.copy(message)
    for name, value in changed.items():
        setattr(copied, name, value)
    return copied
