"""What was asked of a model: read from what LangChain tells the start callbacks. Never raises on odd input."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_logprobs.confidence.inputs import Asked, Drops
from langchain_logprobs.formats.request_places import parameter_mappings

RESPONSES_INCLUDE = "message.output_text.logprobs"
"""What OpenAI's Responses API takes in `include` instead of a flag."""

_FLAGS = ("logprobs", "response_logprobs", "responseLogprobs", "return_logprobs", "top_logprobs", "n_probs")
_FLAG_IN_REPR = re.compile(r"['\"]?\b(?:logprobs|top_logprobs)['\"]?\s*[=:]\s*(?:True|[1-9])")

_IGNORE_THEIR_FLAG: Mapping[str, str] = {
    "ChatHuggingFace": "logprobs=True",
    "ChatGoogleGenerativeAI": "response_logprobs=True, logprobs=5",
    "Fireworks": "",
    "Together": "",
}
"""Classes whose constructor takes a flag for logprobs that no request carries, and what to bind in its place; nothing
where the class drops them in any case (docs/providers.md)."""

_DROP_SOME: Mapping[str, Drops | None] = {
    "ChatOllama": "without chunks",
    "ChatLiteLLM": "streamed",
    # Without a patch there is no cure.
    "ChatMistralAI": "always",
    "ChatPerplexity": "always",
    "HuggingFaceEndpoint": "always",
    "HuggingFacePipeline": "always",
    "Fireworks": "always",
    "Together": "always",
    "VLLM": "always",
    "GigaChat": "always",
    "AzureAIChatCompletionsModel": "always",
}
"""On which calls a class drops logprobs, where that is not all of a class that has a patch (docs/providers.md)."""


def asked_of(
    serialized: object,
    prompts: Sequence[Any],
    params: Mapping[str, Any],
    request: Mapping[str, Any],
    dropped_by: Callable[[str], str | None],
) -> Asked:
    """Return what was asked of a model.

    Args:
        serialized: What LangChain says of the model's constructor.
        prompts: The prompts of a completion model; empty for a chat model.
        params: LangChain's `invocation_params`.
        request: All keyword arguments of the start callback.
        dropped_by: Names the patch that a class of this name has; None where it has none, or where it is on.
    """
    in_request = asks_for_logprobs(params)
    in_constructor = not in_request and constructor_asks(serialized)
    echoed = prompts[0] if prompts and isinstance(prompts[0], str) and _asks_for_echo(params) else ""
    asked = Asked(
        logprobs=in_request or in_constructor,
        choices=choice_count(params),
        class_name=class_name(serialized),
        request=request,
        stops=_stops(params),
        echoed=echoed,
    )
    if asked.logprobs:
        asked.to_bind = _IGNORE_THEIR_FLAG.get(asked.class_name) if in_constructor else None
        asked.dropped_by = dropped_by(asked.class_name)
        if asked.dropped_by == "openai_responses" and not asks_by_include(params):
            asked.dropped_by = None  # Chat Completions keep them
        default: Drops | None = None if asked.dropped_by is None else "always"
        asked.drops = _DROP_SOME.get(asked.class_name, default)
    return asked


def choice_count(params: Mapping[str, Any]) -> int:
    """Return how many answers were asked for, 1 where nothing is said."""
    count = params.get("n")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 1 else 1


def asks_for_logprobs(params: Mapping[str, Any]) -> bool:
    """Tell whether these parameters of a request ask for logprobs.

    Args:
        params: LangChain's `invocation_params`; a constructor's serialized keyword arguments are of the same form.
    """
    for source in parameter_mappings(params):
        for flag in _FLAGS:
            value = source.get(flag)
            # 0 is a request too: legacy completions then return the sampled token's logprob alone.
            if value is not None and value is not False and isinstance(value, (bool, int)):
                if flag in ("top_logprobs", "n_probs") and value == 0:
                    continue
                return True
    return asks_by_include(params)


def asks_by_include(params: Mapping[str, Any]) -> bool:
    """Tell whether these parameters ask as OpenAI's Responses API wants it."""
    for source in parameter_mappings(params):
        include = source.get("include")
        if isinstance(include, (list, tuple)) and RESPONSES_INCLUDE in include:
            return True
    return False


def constructor_asks(serialized: object) -> bool:
    """Tell whether a serialized model was made with a flag for logprobs.

    Of a model that LangChain cannot serialize (ChatOllama, ChatHuggingFace) only the repr is there to tell.
    """
    if not isinstance(serialized, Mapping):
        return False
    arguments, shown = serialized.get("kwargs"), serialized.get("repr")
    if isinstance(arguments, Mapping) and asks_for_logprobs(arguments):
        return True
    return isinstance(shown, str) and _FLAG_IN_REPR.search(shown) is not None


def class_name(serialized: object) -> str:
    """Return the name of a serialized model's class; empty where it is unknown."""
    path = serialized.get("id") if isinstance(serialized, Mapping) else None
    return str(path[-1]) if isinstance(path, (list, tuple)) and path else ""


def _stops(params: Mapping[str, Any]) -> tuple[str, ...]:
    stop = params.get("stop")
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, (list, tuple)) else ()
    return tuple(each for each in stops if isinstance(each, str) and each)


def _asks_for_echo(params: Mapping[str, Any]) -> bool:
    return any(source.get("echo") is True for source in parameter_mappings(params))


def invocation_params(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the request's parameters as LangChain passes them to a start callback."""
    params = kwargs.get("invocation_params")
    return params if isinstance(params, Mapping) else {}
