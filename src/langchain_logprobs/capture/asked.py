"""What was asked of a model: read from what LangChain tells the start callbacks. Pure, never raises on odd input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

RESPONSES_INCLUDE = "message.output_text.logprobs"
"""What OpenAI's Responses API takes in `include` instead of a flag."""

_FLAGS = ("logprobs", "response_logprobs", "responseLogprobs", "return_logprobs", "top_logprobs", "n_probs")
_NESTED = ("model_kwargs", "generation_config", "extra_body", "options", "additional_model_request_fields")
_FLAG_IN_REPR = re.compile(r"\b(?:logprobs|top_logprobs)=(?:True|[1-9])")


def asks_for_logprobs(params: Mapping[str, Any]) -> bool:
    """Tell whether these parameters of a request ask for logprobs.

    Args:
        params: LangChain's `invocation_params`; a constructor's serialized keyword arguments are of the same form.
    """
    for source in _sources(params):
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
    for source in _sources(params):
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


def _sources(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield params
    for key in _NESTED:
        nested = params.get(key)
        if isinstance(nested, Mapping):
            yield nested
