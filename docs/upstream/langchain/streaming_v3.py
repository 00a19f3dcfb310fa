"""Streaming v3 keeps the last chunk's logprobs and loses all others.

For `langchain-ai/langchain` (langchain-core).

Symptom: after `stream_events(version="v3")` the message has `response_metadata["logprobs"]` of one token, the last.
After `stream` it has those of all tokens.

Cause: `_compat_bridge.chunks_to_events` and its async twin put the chunks' metadata together with `dict.update`: the
last chunk wins. Logprobs are the one entry that comes in pieces.

Fix, in langchain_core/language_models/_compat_bridge.py, twice: merge what comes in pieces, as `stream` does, and let
the rest be overwritten as before.

    -            response_metadata.update(merged_rm)
    +            logprobs = merge_dicts(
    +                {"logprobs": response_metadata.get("logprobs")},
    +                {"logprobs": merged_rm.pop("logprobs", None)},
    +            )
    +            response_metadata.update(merged_rm)
    +            if logprobs["logprobs"] is not None:
    +                response_metadata.update(logprobs)

Here: the handler keeps what the token callbacks bring, and takes the message's where that is more
(`capture/received.py`, `collect`). That stays right when this is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

TOKENS = ["It", " is", " true"]


class Model(BaseChatModel):
    """Streams three tokens with their logprobs."""

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for token in TOKENS:
            info = {"logprobs": {"content": [{"token": token, "logprob": -0.1}]}}
            yield ChatGenerationChunk(message=AIMessageChunk(content=token), generation_info=info)


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    stream = Model().stream_events("?", version="v3")
    for _ in stream:
        pass
    logprobs = stream.output.response_metadata.get("logprobs") or {"content": []}
    kept = [entry["token"] for entry in logprobs["content"]]
    return None if kept == TOKENS else f"of {TOKENS} the message has {kept}"


if __name__ == "__main__":
    print(fault() or "right")
