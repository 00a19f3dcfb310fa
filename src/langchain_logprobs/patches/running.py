"""Where a run's work is done in LangChain: those methods are made frames in which the run's span is current.

Only the instrumentor switches this on. The methods are LangChain's own base classes', so that every integration, tool
and retriever is covered; their signatures and what kind of function they are stay the same.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from langchain_logprobs.patches import patching
from langchain_logprobs.patches.patching import Patch, Replacement, Wrap
from langchain_logprobs.telemetry.current import FRAMED, Frame

FindRun = Callable[[UUID], "tuple[int, Any] | None"]
"""Returns the key and the span of an open run; None where no frame is needed for it."""


def switch_on(module: str, find: FindRun) -> None:
    """Make the frames of a module that is imported."""
    if module not in _on and patching.apply(patch := _patch(module, find)):
        _on[module] = patch
        FRAMED.add(module)


def switch_off() -> None:
    """Take all frames off."""
    FRAMED.clear()
    while _on:
        patching.release(_on.popitem()[1])


_on: dict[str, Patch] = {}


def _patch(module: str, find: FindRun) -> Patch:
    return Patch(
        integration=module,
        distribution="langchain-core",
        first="1.0.0",
        below="2",
        replacements=lambda: _replacements(module, find),
        purpose="the spans of a model's requests and of a tool's work do not hang under ours",
    )


def _replacements(module: str, find: FindRun) -> Iterable[Replacement]:
    defined = sys.modules[module]
    if module.endswith("chat_models"):
        chat = defined.BaseChatModel
        yield Replacement(chat, "_generate_with_cache", _work(find), same_kind=True)
        yield Replacement(chat, "_agenerate_with_cache", _async_work(find), same_kind=True)
        yield Replacement(chat, "stream", _steps, same_kind=True)
        yield Replacement(chat, "astream", _async_steps, same_kind=True)
    elif module.endswith("llms"):
        yield Replacement(defined.BaseLLM, "_generate_helper", _work(find), same_kind=True)
        yield Replacement(defined.BaseLLM, "_agenerate_helper", _async_work(find), same_kind=True)
        yield Replacement(defined.BaseLLM, "stream", _steps, same_kind=True)
        yield Replacement(defined.BaseLLM, "astream", _async_steps, same_kind=True)
    elif module.endswith("retrievers"):
        yield Replacement(defined.BaseRetriever, "invoke", _starting("retriever"), same_kind=True)
        yield Replacement(defined.BaseRetriever, "ainvoke", _async_starting("retriever"), same_kind=True)
    else:
        yield Replacement(defined.BaseTool, "run", _starting("tool"), same_kind=True)
        yield Replacement(defined.BaseTool, "arun", _async_starting("tool"), same_kind=True)


def _frame_of(find: FindRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame:
    """Return the frame of a model call that has started: its run manager is the third argument, or named."""
    managers = args[2] if len(args) > 2 else kwargs.get("run_manager", kwargs.get("run_managers"))
    if isinstance(managers, list):  # of a completion model, which can be asked several prompts in one request
        managers = managers[0] if len(managers) == 1 else None
    run_id = getattr(managers, "run_id", None)
    return Frame(None, None if run_id is None else find(run_id))


def _work(find: FindRun) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def work(self: Any, *args: Any, **kwargs: Any) -> Any:
            with _frame_of(find, args, kwargs):
                return original(self, *args, **kwargs)

        return work

    return wrap


def _async_work(find: FindRun) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Any, *args: Any, **kwargs: Any) -> Any:
            with _frame_of(find, args, kwargs):
                return await original(self, *args, **kwargs)

        return work

    return wrap


def _starting(kind: str) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            with Frame(kind):
                return original(self, *args, **kwargs)

        return run

    return wrap


def _async_starting(kind: str) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            with Frame(kind):
                return await original(self, *args, **kwargs)

        return run

    return wrap


def _steps(original: Callable[..., Any]) -> Callable[..., Any]:
    def stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        frame = Frame("call")
        steps = original(self, *args, **kwargs)
        try:
            while True:
                with frame:
                    try:
                        step = next(steps)
                    except StopIteration:
                        return
                yield step  # outside of the frame: what the reader does meanwhile is no work of the model's
        finally:
            with frame:
                steps.close()

    return stream


def _async_steps(original: Callable[..., Any]) -> Callable[..., Any]:
    async def astream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        frame = Frame("call")
        steps = original(self, *args, **kwargs)
        try:
            while True:
                with frame:
                    try:
                        step = await anext(steps)
                    except StopAsyncIteration:
                        return
                yield step
        finally:
            with frame:
                await steps.aclose()

    return astream
