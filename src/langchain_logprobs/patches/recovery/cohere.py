"""langchain-cohere, Cohere's API v2: the SDK's answers and events hold logprobs, nobody reads them.

The events of a stream are read where the SDK hands them out, since langchain-cohere takes them apart in one long
method.
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
    collects_events,
    streams,
    to_the_answer,
)


def _replacements() -> Iterable[Replacement]:
    chat = importlib.import_module("langchain_cohere.chat_models").ChatCohere
    sdk = importlib.import_module("cohere.v2.client")
    name = PATCH.integration
    yield Replacement(chat, "_get_generation_info_v2", after(name, _collect_from_response))
    yield Replacement(chat, "_generate", collects(name, to_the_answer))
    yield Replacement(chat, "_agenerate", collects(name, to_the_answer))
    yield Replacement(chat, "_stream", streams(name))
    yield Replacement(chat, "_astream", astreams(name))
    yield Replacement(sdk.V2Client, "chat_stream", collects_events(name, _of_event))
    yield Replacement(sdk.AsyncV2Client, "chat_stream", collects_events(name, _of_event))


def _collect_from_response(info: dict[str, Any], model: Any, response: Any, /, *_: Any, **__: Any) -> None:
    collect({"content": [entry for item in response.logprobs or () for entry in _entries(item)]})


def _of_event(event: Any) -> dict[str, Any] | None:
    item = getattr(event, "logprobs", None)
    return {"content": _entries(item)} if item else None


def _entries(item: Any) -> list[dict[str, Any]]:
    # One item is a stretch of text with the logprob of each of its tokens. Cohere does not say where a token ends in
    # the text, so the first one gets all of it: every logprob stays, and the tokens still join to the text.
    return [
        {"token": (item.text or "") if at == 0 else "", "logprob": logprob, "top_logprobs": []}
        for at, logprob in enumerate(item.logprobs or ())
    ]


PATCH = Patch(
    integration="cohere",
    distribution="langchain-cohere",
    first="0.5",
    below="0.7",
    replacements=_replacements,
    models=frozenset({"ChatCohere"}),
)
