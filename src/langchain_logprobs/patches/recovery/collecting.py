"""For integrations that see the logprobs in one function and build LangChain's objects in another.

The first function collects what it sees, the second call's wrapper hands it to the object that comes out. They meet in
a context variable, which is set only while the integration's own code runs: never while the user's code does (the
consumer of a stream, the callbacks), so that two calls cannot see each other's.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

from langchain_logprobs.patches.patching import Wrap, guarded, keep

_collected: ContextVar[list[Any] | None] = ContextVar("langchain_logprobs_collected", default=None)


def collect(logprobs: Any) -> None:
    """Collect what one response or one event of a stream brought: a container in OpenAI's shape, or nothing."""
    found = _collected.get()
    if found is not None:
        found.append(logprobs)


@contextlib.contextmanager
def into(found: list[Any] | None) -> Iterator[None]:
    """Collect into a list (or nowhere) for the time of a block."""
    token = _collected.set(found)
    try:
        yield
    finally:
        # A generator that dies with its event loop is closed in some other context, where there is nothing to reset.
        with contextlib.suppress(ValueError):
            _collected.reset(token)


def join(found: list[Any]) -> dict[str, Any]:
    """Join containers as LangChain's merge does: lists are appended, the first of anything else stays."""
    whole: dict[str, Any] = {}
    for container in found:
        for key, value in (container or {}).items():
            whole[key] = [*(whole.get(key) or ()), *value] if isinstance(value, list) else whole.get(key, value)
    return whole


def collects_events(integration: str, read: Callable[[Any], Any]) -> Wrap:
    """A wrapper for a function that returns an iterator of raw events: `read(event)` of each is collected.

    The function may be a coroutine, and the iterator an asynchronous one.
    """

    def reading(made: Any) -> Any:
        if hasattr(made, "__next__"):
            return reading_events(made)
        return areading_events(made) if hasattr(made, "__aiter__") else made

    def reading_events(made: Any) -> Iterator[Any]:
        for event in made:
            collect(guarded(integration, read, event))
            yield event

    async def areading_events(made: Any) -> AsyncIterator[Any]:
        async for event in made:
            collect(guarded(integration, read, event))
            yield event

    async def awaiting(making: Any) -> Any:
        made = await making
        # Some SDKs' streams can be read either way (litellm's).
        return areading_events(made) if hasattr(made, "__aiter__") else made

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def events(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            if _collected.get() is None:
                return made  # a call of the user's own: what comes back may be more to them than an iterator
            return awaiting(made) if inspect.isawaitable(made) else reading(made)

        return events

    return wrap


def collects(integration: str, give: Callable[[Any, list[Any]], None]) -> Wrap:
    """A wrapper for a function or coroutine: `give(result, found)` gets what was collected while it ran."""

    async def awaiting(making: Any, found: list[Any]) -> Any:
        with into(found):
            result = await making
        guarded(integration, give, result, found)
        return result

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def calls(*args: Any, **kwargs: Any) -> Any:
            found: list[Any] = []
            with into(found):
                result = original(*args, **kwargs)
            if inspect.isawaitable(result):
                return awaiting(result, found)
            guarded(integration, give, result, found)
            return result

        return calls

    return wrap


def to_the_answer(result: Any, found: list[Any]) -> None:
    """For `collects`: everything belongs to the one generation of a result."""
    keep(result.generations[0], join(found))


def to_each_prompt(result: Any, found: list[Any]) -> None:
    """For `collects`: an LLM made one call for each prompt, and each brought one container or None."""
    if len(found) == len(result.generations):
        for (generation, *_), logprobs in zip(result.generations, found, strict=True):
            keep(generation, logprobs)


def streams(integration: str) -> Wrap:
    """A wrapper for `_stream`: each chunk gets what was collected for it, before any callback sees it.

    A token callback that the integration calls without its chunk is called with it.
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def _stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            found: list[Any] = []
            late: list[Token] = []

            def give(chunk: Any) -> Any:
                return _give(integration, chunk, found)

            args, kwargs, tell = watching(args, kwargs, lambda manager: watched(manager, give, late=late))
            inner = original(self, *args, **kwargs)
            with contextlib.closing(inner):
                while True:
                    try:
                        with into(found):
                            chunk = next(inner)
                    except StopIteration:
                        return
                    give(chunk)
                    while late:
                        told, more = late.pop(0)
                        tell(*told, **{**more, "chunk": chunk})
                    yield chunk

        return _stream

    return wrap


def astreams(integration: str) -> Wrap:
    """As `streams`, for `_astream`."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def _astream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            found: list[Any] = []
            late: list[Token] = []

            def give(chunk: Any) -> Any:
                return _give(integration, chunk, found)

            args, kwargs, tell = watching(
                args, kwargs, lambda manager: watched(manager, give, late=late, asynchronous=True)
            )
            inner = original(self, *args, **kwargs)
            async with contextlib.aclosing(inner):
                while True:
                    try:
                        with into(found):
                            chunk = await anext(inner)
                    except StopAsyncIteration:
                        return
                    give(chunk)
                    while late:
                        told, more = late.pop(0)
                        await tell(*told, **{**more, "chunk": chunk})
                    yield chunk

        return _astream

    return wrap


def _give(integration: str, chunk: Any, found: list[Any]) -> Any:
    logprobs = guarded(integration, join, found)
    found.clear()
    guarded(integration, keep, chunk, logprobs)
    return chunk


def watching(args: tuple[Any, ...], kwargs: dict[str, Any], watch: Callable[[Any], Any]) -> Any:
    """Put `watch(run_manager)` in the place of the run manager among a method's arguments.

    Returns:
        The arguments, and the run manager's own token callback; None for that where there is no run manager.
    """
    manager = manager_in(args, kwargs)
    if manager is None:
        return args, kwargs, None
    if len(args) > 2:
        return (*args[:2], watch(manager), *args[3:]), kwargs, manager.on_llm_new_token
    return args, {**kwargs, "run_manager": watch(manager)}, manager.on_llm_new_token


def manager_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the run manager among the arguments of a method such as `_stream`; None where there is none."""
    # LangChain's `_stream(messages or prompt, stop, run_manager, **kwargs)`, by position or by name.
    return args[2] if len(args) > 2 else kwargs.get("run_manager")


Token = tuple[tuple[Any, ...], dict[str, Any]]
"""The arguments of a token callback."""


def watched(
    run_manager: Any, on_chunk: Callable[[Any], Any], *, late: list[Token] | None = None, asynchronous: bool = False
) -> Any:
    """A copy of a run manager whose token callback passes `on_chunk(chunk)` on.

    Args:
        run_manager: The run manager of one call, or None.
        on_chunk: Makes the chunk that the callbacks get.
        late: Where the tokens go that come without a chunk, to be told when it is there. None tells them at once.
        asynchronous: Whether its callbacks are coroutines.

    Returns:
        The copy; None for None.
    """
    if run_manager is None:
        return None
    tell = run_manager.on_llm_new_token

    def held_back(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        if kwargs.get("chunk") is not None:
            kwargs["chunk"] = on_chunk(kwargs["chunk"])
        elif late is not None:
            late.append((args, kwargs))
            return True
        return False

    def on_llm_new_token(*args: Any, **kwargs: Any) -> None:
        if not held_back(args, kwargs):
            with into(None):
                tell(*args, **kwargs)

    async def aon_llm_new_token(*args: Any, **kwargs: Any) -> None:
        if not held_back(args, kwargs):
            with into(None):
                await tell(*args, **kwargs)

    # A copy, because integrations ask for its class and its other attributes.
    manager = copy.copy(run_manager)
    manager.on_llm_new_token = aon_llm_new_token if asynchronous else on_llm_new_token
    return manager
