"""OpenAI's Responses API in langchain-openai: the SDK's objects hold logprobs, the conversion leaves them behind.

Two module functions convert everything, for ChatOpenAI and its subclasses (Azure and xAI among them), sync and async,
plain and structured: one a whole response, the other one event of a stream.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, after, keep

_LAST_EVENTS = ("response.completed", "response.incomplete")


def _replacements() -> Iterable[Replacement]:
    base = importlib.import_module("langchain_openai.chat_models.base")
    yield Replacement(base, "_construct_lc_result_from_responses_api", after(PATCH.integration, _add_to_result))
    yield Replacement(base, "_convert_responses_chunk_to_generation_chunk", after(PATCH.integration, _add_to_chunk))


def _add_to_result(result: Any, response: Any, /, *_: Any, **__: Any) -> None:
    entries: list[Any] = []
    for output in response.output or ():
        if output.type == "message":
            for part in output.content or ():
                entries += _entries(getattr(part, "logprobs", None))
    keep(result.generations[0], {"content": entries})


def _add_to_chunk(converted: Any, event: Any, /, *_: Any, **__: Any) -> None:
    chunk = converted[-1]
    if chunk is None:
        return
    if event.type == "response.output_text.delta":
        keep(chunk, {"content": _entries(getattr(event, "logprobs", None))})
    elif event.type in _LAST_EVENTS:
        # The last event repeats the whole response. Should langchain-openai come to keep its logprobs, LangChain
        # would append them to those of the deltas, and every token would be there twice.
        for place in (chunk.generation_info, chunk.message.response_metadata):
            if place:
                place.pop("logprobs", None)


def _entries(logprobs: Any) -> list[Any]:
    # Plain dicts like those of chat completions: they merge, and they survive a cache. `warnings=False`, because the
    # SDK builds its objects without validation and pydantic would remark on whatever the API has added since.
    return [dict(each) if isinstance(each, dict) else each.model_dump(warnings=False) for each in logprobs or ()]


PATCH = Patch(
    integration="openai_responses",
    distribution="langchain-openai",
    first="1.0.3",
    below="1.8",
    replacements=_replacements,
    models=frozenset({"ChatOpenAI", "AzureChatOpenAI", "ChatXAI", "AzureAIOpenAIApiChatModel"}),
)
