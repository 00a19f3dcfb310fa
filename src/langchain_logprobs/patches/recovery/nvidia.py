"""langchain-nvidia-ai-endpoints: the client keeps a choice's message and text, and leaves its logprobs behind.

All answers, whole and streamed, go through one method of the client.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, after
from langchain_logprobs.patches.recovery.collecting import (
    astreams,
    collect,
    collects,
    streams,
    to_each_prompt,
    to_the_answer,
)


def _replacements() -> Iterable[Replacement]:
    client = importlib.import_module("langchain_nvidia_ai_endpoints._common")._NVIDIABaseClient
    chat = importlib.import_module("langchain_nvidia_ai_endpoints.chat_models").ChatNVIDIA
    llm = importlib.import_module("langchain_nvidia_ai_endpoints.llm").NVIDIA
    name = PATCH.integration
    yield Replacement(client, "_aggregate_msgs", after(name, _collect_from_messages))
    yield Replacement(chat, "_process_generate_response", collects(name, to_the_answer))
    yield Replacement(llm, "_process_result", after(name, _collect_from_result))
    yield Replacement(llm, "_generate", collects(name, to_each_prompt))
    yield Replacement(llm, "_agenerate", collects(name, to_each_prompt))
    for model in (chat, llm):
        yield Replacement(model, "_stream", streams(name))
        yield Replacement(model, "_astream", astreams(name))


def _collect_from_messages(aggregated: Any, client: Any, messages: Iterable[dict[str, Any]], /) -> None:
    for message in messages:
        # The first choice only, as the client itself does: it drops the text of the others.
        for choice in (message.get("choices") or ())[:1]:
            collect(choice.get("logprobs"))


def _collect_from_result(text: str, model: Any, result: dict[str, Any], /) -> None:
    collect(result["choices"][0].get("logprobs"))


PATCH = Patch(
    integration="nvidia",
    distribution="langchain-nvidia-ai-endpoints",
    first="1.4.3",
    below="1.6",
    replacements=_replacements,
    models=frozenset({"ChatNVIDIA", "ChatNVIDIADynamo", "NVIDIA"}),
)
