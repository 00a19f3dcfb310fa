"""ChatOllama's token callbacks have no chunk, so that streaming v3 loses all logprobs; OllamaLLM reads none.

For `langchain-ai/langchain` (langchain-ollama).

Symptom: `ChatOllama(logprobs=True)` under `stream_events(version="v3")` has no logprobs anywhere: there the model
calls `on_llm_new_token` itself, and hands on the text alone. `OllamaLLM` keeps only the last part's
`generation_info`, which has `logprobs: None`.

Cause: `ChatOllama._stream` calls `on_llm_new_token(chunk.text, verbose=...)` without `chunk=`; `OllamaLLM` without
`logprobs`.

Fix, in langchain_ollama/chat_models.py (sync and async):

                     run_manager.on_llm_new_token(
                         chunk.text,
    +                    chunk=chunk,
                         verbose=self.verbose,

Here: `recover_dropped_logprobs("ollama")`, whose half for chat models ends when a release has the fix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

from langchain_core.callbacks import BaseCallbackHandler
from langchain_ollama import ChatOllama


class Chunks(BaseCallbackHandler):
    """Notes the chunks of token callbacks."""

    def __init__(self) -> None:
        """Start with none."""
        self.chunks: list[Any] = []

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        """Note it."""
        self.chunks.append(chunk)


def _parts(*args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
    """Stand in for the client: a token with its logprob, and the end."""
    logprobs = [{"token": "Yes", "logprob": -0.1}]
    message = {"role": "assistant", "content": "Yes"}
    yield {"model": "m", "message": message, "done": False, "logprobs": logprobs}
    yield {"model": "m", "message": {**message, "content": ""}, "done": True, "done_reason": "stop"}


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    chunks, model = Chunks(), ChatOllama(model="m", logprobs=True)
    with mock.patch.object(ChatOllama, "_create_chat_stream", _parts):
        stream = model.stream_events("?", version="v3", config={"callbacks": [chunks]})
        for _ in stream:
            pass
    if any(chunk is not None and (chunk.generation_info or {}).get("logprobs") for chunk in chunks.chunks):
        return None
    return f"the token callbacks came with the chunks {chunks.chunks}"


if __name__ == "__main__":
    print(fault() or "right")
