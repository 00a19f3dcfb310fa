"""`.bind(logprobs=True).with_structured_output(...)` asks for no logprobs.

For `langchain-ai/langchain` (langchain-core; seen with langchain-openai).

Symptom: what was bound is in no request of the structured model. On the constructor, or passed to the call, it is.

Cause: a `RunnableBinding` has no `with_structured_output`; it hands the attribute of the model on that it binds, and
what is bound stays behind.

Fix, in langchain_core/runnables/base.py, `RunnableBinding`:

    +    def with_structured_output(self, *args: Any, **kwargs: Any) -> Runnable:
    +        structured = self.bound.with_structured_output(*args, **kwargs)
    +        # What is bound goes to the model, which is the first step.
    +        return self.__class__(bound=structured, kwargs=self.kwargs, config=self.config)

Here: docs/providers.md says where to set the flag; a call that lost it has one line in the log
(`confidence/status.py`, `lost_flag`).
"""

from __future__ import annotations

from typing import Any

from langchain_openai import ChatOpenAI


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    model = ChatOpenAI(model="gpt-4o", api_key="none").bind(logprobs=True)  # type: ignore[arg-type]
    chain: Any = model.with_structured_output({"title": "Answer", "type": "object", "properties": {}})
    bound: dict[str, Any] = {}
    for step in (chain, getattr(chain, "first", None)):
        bound |= getattr(step, "kwargs", {})
    return None if bound.get("logprobs") else f"only {sorted(bound)} are bound to the structured model"


if __name__ == "__main__":
    print(fault() or "right")
