"""A cancelled `ainvoke` is never reported to have ended.

For `langchain-ai/langchain` (langchain-core).

Symptom: a task is cancelled, or `asyncio.timeout` runs out, while `model.ainvoke` waits. `on_chat_model_start` was
called; `on_llm_error` and `on_llm_end` never are. Every tracer is left with an open run. `astream` reports its
CancelledError.

Cause: `agenerate` waits for `asyncio.gather(..., return_exceptions=True)`, which raises what cancels the waiting task
itself, past the code that reports exceptions.

Fix, in langchain_core/language_models/chat_models.py (llms.py likewise):

    -        results = await asyncio.gather(
    +        calls = asyncio.gather(
                 ...
    +        try:
    +            results = await calls
    +        except asyncio.CancelledError as e:
    +            for run_manager in run_managers or ():
    +                await run_manager.on_llm_error(e, response=LLMResult(generations=[[]]))
    +            raise

Here: a run whose id LangChain has let go of is closed (`capture/runs.py`, `capture/reaper.py`), a second later and as
`partial`. The fix would give the true time and reason; the reaper stays, for code that holds no callbacks to the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult


class Model(BaseChatModel):
    """Says that it has been called, and never answers."""

    called: Any

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.called.set()
        await asyncio.Event().wait()
        raise AssertionError


class Ends(AsyncCallbackHandler):
    """Notes how runs end."""

    def __init__(self) -> None:
        """Start with none."""
        self.heard: list[str] = []

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("start")

    async def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("end")

    async def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("error")


async def _cancelled() -> list[str]:
    called, ends = asyncio.Event(), Ends()
    task = asyncio.create_task(Model(called=called).ainvoke("?", {"callbacks": [ends]}))
    await called.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return ends.heard


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    heard = asyncio.run(_cancelled())
    return None if heard == ["start", "error"] else f"the handler heard only {heard}"


if __name__ == "__main__":
    print(fault() or "right")
