"""Recover the logprobs that an integration receives and throws away.

    from langchain_logprobs import recover_dropped_logprobs

    undo = recover_dropped_logprobs()                   # every supported integration that is installed
    undo = recover_dropped_logprobs("openai_responses")  # or those that you name
    ...
    undo()

A patched integration puts its logprobs where LangChain puts everybody else's: `generation_info["logprobs"]`, and thus
the message's `response_metadata["logprobs"]`, so your own code sees them too. The shape is that of OpenAI's chat
completions: `{"content": [{"token", "logprob", "top_logprobs": [{"token", "logprob"}]}]}`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from langchain_logprobs.patches import patching
from langchain_logprobs.patches.recovery import (
    cohere,
    google_genai,
    litellm,
    llamacpp,
    nvidia,
    ollama,
    openai_responses,
)

__all__ = ["dropped_by", "recover_dropped_logprobs"]

_PATCHES = {
    module.PATCH.integration: module.PATCH
    for module in (openai_responses, google_genai, nvidia, cohere, litellm, ollama, llamacpp)
}


def recover_dropped_logprobs(*integrations: str) -> Callable[[], None]:
    """Patch integrations that drop logprobs, so that they keep them.

    A patch is applied only to the versions it was tested with; otherwise one warning on the logger
    `langchain_logprobs` says so and the integration stays as it is. Patching twice patches nothing twice: the patch
    goes when the last caller has undone it.

    Args:
        *integrations: Which ones: `openai_responses`, `google_genai`, `nvidia`, `cohere`, `litellm`, `ollama`,
            `llamacpp`. None named means every one of these that is installed.

    Returns:
        A callable that undoes this call. Calling it again does nothing.

    Raises:
        ValueError: For a name that is not one of these.

    Example:
        >>> from langchain_logprobs import recover_dropped_logprobs
        >>> undo = recover_dropped_logprobs("openai_responses")
        >>> undo()
    """
    unknown = [name for name in integrations if name not in _PATCHES]
    if unknown:
        raise ValueError(f"unknown integration {', '.join(map(repr, unknown))}: use any of {', '.join(_PATCHES)}")
    named = [_PATCHES[name] for name in dict.fromkeys(integrations)]
    wanted = named or [patch for patch in _PATCHES.values() if patch.installed()]
    applied = [patch for patch in wanted if patching.apply(patch)]
    lock = threading.Lock()

    def undo() -> None:
        with lock:
            while applied:
                patching.release(applied.pop())

    return undo


def recoverable() -> list[tuple[patching.Patch, bool]]:
    """Return every patch there is, and whether it is on in this process."""
    return [(patch, patching.is_on(patch)) for patch in _PATCHES.values()]


def dropped_by(model_class: str) -> str | None:
    """Name the integration to recover if a model's logprobs are missing.

    Args:
        model_class: The name of the model's class, such as `ChatGoogleGenerativeAI`: the last part of what LangChain
            passes to `on_chat_model_start` as `serialized["id"]`.

    Returns:
        What to pass to `recover_dropped_logprobs`, or None where there is no patch for this class or it is on already.
        For a class with several ways to the model (`ChatOpenAI`) it helps only on the one that drops logprobs.
    """
    fitting = (name for name, patch in _PATCHES.items() if model_class in patch.models and not patching.is_on(patch))
    return next(fitting, None)
