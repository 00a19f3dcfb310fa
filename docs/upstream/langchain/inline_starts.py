"""An inline handler takes `on_llm_start` away from all others, in async completion models.

For `langchain-ai/langchain` (langchain-core, #39633).

Symptom: as soon as one handler has `run_inline=True` (LangChainTracer has), the others get no `on_llm_start` of an
async completion model. They do get its tokens and its end, of a run that they have never heard of.

Cause: `AsyncCallbackManager.on_llm_start` starts either the inline handlers or the others. `on_chat_model_start`,
beside it, does it right.

Fix, in langchain_core/callbacks/manager.py: two `if` in the place of `if ... else`.

    -            else:
    +            if non_inline_handlers:
                     non_inline_tasks.append(

Here: `capture/inline.py` is not inline for this one call. When this is fixed, `run_inline = True` is all that it
takes, which also saves each token of an async stream three calls of a property.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM


class Listener(BaseCallbackHandler):
    """Notes what it is told."""

    def __init__(self, inline: bool) -> None:
        """Be inline or not."""
        self.run_inline = inline
        self.heard: list[str] = []

    def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("start")

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        self.heard.append("end")


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    other = Listener(inline=False)
    model = FakeListLLM(responses=["yes"])
    asyncio.run(model.ainvoke("?", {"callbacks": [Listener(inline=True), other]}))
    return None if other.heard == ["start", "end"] else f"the other handler heard only {other.heard}"


if __name__ == "__main__":
    print(fault() or "right")
