"""What `with_fallbacks(...).invoke` calls is no child of it.

For `langchain-ai/langchain` (langchain-core, #36072).

Symptom: `model.with_fallbacks([other]).invoke(...)` starts a run of its own, and the models that it calls are told of
the parent of that, or of none: in a trace they stand beside it. `stream` and `batch` are right.

Cause: `RunnableWithFallbacks.invoke` and `ainvoke` make `child_config`, set it in the context, and hand `config` on.

Fix, in langchain_core/runnables/fallbacks.py, twice:

    -                        runnable.invoke, input, config, **kwargs
    +                        runnable.invoke, input, child_config, **kwargs

Here: the context names the run, so `capture/lifecycle.py`, `_parent`, looks there. When this is fixed, that function
is one look-up by the id that the callback tells.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel


class Parents(BaseCallbackHandler):
    """Notes whose child a model call is said to be."""

    chain: UUID | None = None
    told: UUID | None = None

    def on_chain_start(self, *args: Any, run_id: UUID, **kwargs: Any) -> None:
        """Note the run with the fallbacks."""
        self.chain = run_id

    def on_chat_model_start(self, *args: Any, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        """Note the parent."""
        self.told = parent_run_id


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    parents = Parents()
    model = FakeListChatModel(responses=["yes"]).with_fallbacks([FakeListChatModel(responses=["no"])])
    model.invoke("?", {"callbacks": [parents]})
    return None if parents.told == parents.chain else f"its parent is {parents.told}, and should be {parents.chain}"


if __name__ == "__main__":
    print(fault() or "right")
