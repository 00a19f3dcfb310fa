"""A stream whose chunks cannot be merged ends in the user's code and in no callback.

For `langchain-ai/langchain` (langchain-core).

Symptom: langchain-together (one float a chunk) and databricks-langchain (the client's own objects) put logprobs into
`generation_info` that LangChain cannot merge. `stream` brings every chunk and then raises a TypeError; neither
`on_llm_end` nor `on_llm_error` is called, so that every tracer has a run that never ends.

Cause: `BaseChatModel.stream` and `astream` merge behind the `try` that reports errors; and `merge_dicts` refuses two
different floats.

Fix, in langchain_core/language_models/chat_models.py (`stream` and `astream`): report it. Beyond that, `merge_dicts`
could let the later of two values win that cannot be added, as it does for `created`, rather than raise.

    -            generation = merge_chat_generation_chunks(chunks)
    -            if generation is None:
    +            try:
    +                generation = merge_chat_generation_chunks(chunks)
    +            except Exception as e:
    +                run_manager.on_llm_error(e, response=LLMResult(generations=[]))
    +                raise
    +            if generation is None:

Here: LangChain lets go of the run's id, by which `capture/reaper.py` notices, and the span is closed as `partial`
with all its tokens. That stays, for cancelled runs (cancelled_calls.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult


class Model(BaseChatModel):
    """Streams two tokens, each with one float in the place of its logprobs."""

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for logprob in (-0.1, -0.2):
            yield ChatGenerationChunk(message=AIMessageChunk(content="a"), generation_info={"logprobs": logprob})


class Ends(BaseCallbackHandler):
    """Notes how runs end."""

    def __init__(self) -> None:
        """Start with none."""
        self.heard: list[str] = []

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("end")

    def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("error")


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    ends, raised = Ends(), None
    try:
        for _ in Model().stream("?", {"callbacks": [ends]}):
            pass
    except TypeError as error:
        raised = error
    return None if ends.heard else f"the user gets {raised!r}, and the callbacks hear nothing"


if __name__ == "__main__":
    print(fault() or "right")
