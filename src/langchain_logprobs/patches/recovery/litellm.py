"""langchain-litellm: no logprobs from streams, and none at all from the router.

Each model reads the raw answer of its `completion_with_retry`. A plain ChatLiteLLM call keeps its logprobs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, after, keep
from langchain_logprobs.patches.recovery.collecting import astreams, collects_events, join, streams


def _replacements() -> Iterable[Replacement]:
    package = importlib.import_module("langchain_litellm.chat_models")
    name = PATCH.integration
    for model in (package.ChatLiteLLM, package.ChatLiteLLMRouter):
        yield Replacement(model, "completion_with_retry", collects_events(name, _of_event))
        yield Replacement(model, "acompletion_with_retry", collects_events(name, _of_event))
        yield Replacement(model, "_stream", streams(name))
        yield Replacement(model, "_astream", astreams(name))
    yield Replacement(package.ChatLiteLLMRouter, "_create_chat_result", after(name, _add_to_result))


def _of_event(event: Any) -> Any:
    # The first choice only, as the integration itself does: it drops the text of the others.
    choices = event["choices"]
    return _of_choice(choices[0]) if choices else None


def _add_to_result(result: Any, model: Any, response: Any, /, **_: Any) -> None:
    found = [_of_choice(choice) for choice in response["choices"]]
    if len(result.generations) == 1:
        found = [join(found)]  # litellm may split one answer over several choices, and the integration rejoins them
    for generation, logprobs in zip(result.generations, found, strict=False):
        keep(generation, logprobs)


def _of_choice(choice: Any) -> Any:
    logprobs = choice.get("logprobs")
    return logprobs.model_dump(warnings=False) if hasattr(logprobs, "model_dump") else logprobs


PATCH = Patch(
    integration="litellm",
    distribution="langchain-litellm",
    first="0.8",
    below="0.12",
    replacements=_replacements,
    models=frozenset({"ChatLiteLLM", "ChatLiteLLMRouter"}),
)
