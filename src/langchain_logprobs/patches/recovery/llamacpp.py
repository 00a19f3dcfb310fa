"""langchain-community's LlamaCpp: a call returns text only, while a stream keeps its logprobs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, guarded
from langchain_logprobs.patches.recovery.collecting import collect, collects, join, to_each_prompt, watched


def _replacements() -> Iterable[Replacement]:
    model = importlib.import_module("langchain_community.llms.llamacpp").LlamaCpp
    yield Replacement(model, "_call", _collects_from_the_client)
    # Inherited, as of every LLM that makes text and nothing else: a generation for each prompt's text.
    yield Replacement(model, "_generate", collects(PATCH.integration, to_each_prompt))
    yield Replacement(model, "_agenerate", collects(PATCH.integration, to_each_prompt))


def _collects_from_the_client(original: Callable[..., Any]) -> Callable[..., Any]:
    def _call(self: Any, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        found: list[Any] = []
        # A copy of the model that listens to its client: the user's own stays as it is.
        listening = self.model_copy(update={"client": _Client(self.client, found)})
        # `streaming=True` calls back from within.
        manager = watched(run_manager, lambda chunk: chunk)
        text = original(listening, prompt, stop, manager, **kwargs)
        collect(guarded(PATCH.integration, join, found))
        return text

    return _call


class _Client:
    """llama-cpp-python's model, with an ear on what it answers."""

    def __init__(self, client: Any, found: list[Any]) -> None:
        self._client, self._found = client, found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._client(*args, **kwargs)
        if not kwargs.get("stream"):
            self._found.append(guarded(PATCH.integration, _of_part, answer))
            return answer
        return self._listen(answer)

    def _listen(self, parts: Iterable[Any]) -> Iterator[Any]:
        for part in parts:
            self._found.append(guarded(PATCH.integration, _of_part, part))
            yield part


def _of_part(part: Any) -> Any:
    return part["choices"][0].get("logprobs")


PATCH = Patch(
    integration="llamacpp",
    distribution="langchain-community",
    first="0.4",
    below="0.5",
    replacements=_replacements,
    models=frozenset({"LlamaCpp"}),
)
