"""langchain-ollama: OllamaLLM reads no logprobs, and token callbacks come without the chunk that would carry them.

The second is what loses ChatOllama's logprobs under LangChain's streaming v3: there the integration itself calls back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, guarded, keep
from langchain_logprobs.patches.recovery.collecting import astreams, collects_events, into, join, streams, watched


def _replacements() -> Iterable[Replacement]:
    chat = importlib.import_module("langchain_ollama.chat_models").ChatOllama
    llm = importlib.import_module("langchain_ollama.llms").OllamaLLM
    name = PATCH.integration
    for model in (chat, llm):
        yield Replacement(model, "_stream", streams(name))
        yield Replacement(model, "_astream", astreams(name))
    yield Replacement(llm, "_create_generate_stream", collects_events(name, _of_event))
    yield Replacement(llm, "_acreate_generate_stream", collects_events(name, _of_event))
    yield Replacement(llm, "_stream_with_aggregation", _aggregates)
    yield Replacement(llm, "_astream_with_aggregation", _aaggregates)


def _of_event(event: Any) -> dict[str, Any] | None:
    logprobs = None if isinstance(event, str) else event.get("logprobs")
    return {"content": [each if isinstance(each, dict) else each.model_dump() for each in logprobs or ()]}


class _Aggregation:
    """One call of OllamaLLM: it adds its chunks up before it tells the callbacks of them."""

    def __init__(self, run_manager: Any, asynchronous: bool) -> None:
        self.found: list[Any] = []
        self._given = 0
        self.run_manager = watched(run_manager, self._with_logprobs, asynchronous=asynchronous)

    def _with_logprobs(self, chunk: Any) -> Any:
        new, self._given = self.found[self._given :], len(self.found)
        # A copy: the chunk itself may be what the next chunks are added to, and the whole is given at the end.
        copied = chunk.model_copy()
        guarded(PATCH.integration, lambda: keep(copied, join(new)))
        return copied

    def give(self, whole: Any) -> None:
        guarded(PATCH.integration, lambda: keep(whole, join(self.found)))


def _aggregates(original: Callable[..., Any]) -> Callable[..., Any]:
    def _stream_with_aggregation(
        self: Any, prompt: str, stop: Any = None, run_manager: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        aggregation = _Aggregation(run_manager, asynchronous=False)
        with into(aggregation.found):
            whole = original(self, prompt, stop, aggregation.run_manager, *args, **kwargs)
        aggregation.give(whole)
        return whole

    return _stream_with_aggregation


def _aaggregates(original: Callable[..., Any]) -> Callable[..., Any]:
    async def _astream_with_aggregation(
        self: Any, prompt: str, stop: Any = None, run_manager: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        aggregation = _Aggregation(run_manager, asynchronous=True)
        with into(aggregation.found):
            whole = await original(self, prompt, stop, aggregation.run_manager, *args, **kwargs)
        aggregation.give(whole)
        return whole

    return _astream_with_aggregation


PATCH = Patch(
    integration="ollama",
    distribution="langchain-ollama",
    first="1.1",
    below="1.2",
    replacements=_replacements,
    models=frozenset({"ChatOllama", "OllamaLLM"}),
)
