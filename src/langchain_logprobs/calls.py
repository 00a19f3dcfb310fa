"""`confidence_of_calls`: how sure the model was of every call that is made inside a block, wherever in a chain."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, overload
from uuid import UUID

from langchain_logprobs.capture.calls import ModelCall, tentative
from langchain_logprobs.handler import LogprobsCallbackHandler
from langchain_logprobs.settings import Settings

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_logprobs.confidence.report import ConfidenceReport

_current: ContextVar[_Collector | None] = ContextVar("langchain_logprobs_calls", default=None)
_registered = threading.Event()
_lock = threading.Lock()


class ModelCalls(Sequence[ModelCall]):
    """The model calls that have ended in a block, in the order of their ends; it grows while the block runs.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> from langchain_logprobs import confidence_of_calls
        >>> with confidence_of_calls() as calls:
        ...     answers = FakeListChatModel(responses=["Lima", "Quito"]).batch(["Peru?", "Ecuador?"])
        >>> len(calls), calls[0].report.status
        (2, 'not_requested')
    """

    def __init__(self) -> None:
        """Start empty."""
        self._calls: list[ModelCall] = []

    def append(self, call: ModelCall) -> None:
        """Add a call that has ended."""
        self._calls.append(call)

    @overload
    def __getitem__(self, index: int) -> ModelCall: ...

    @overload
    def __getitem__(self, index: slice) -> list[ModelCall]: ...

    def __getitem__(self, index: int | slice) -> ModelCall | list[ModelCall]:
        """Return a call by its index, or several by a slice."""
        return self._calls[index]

    def __len__(self) -> int:
        """Return how many have ended."""
        return len(self._calls)

    def __repr__(self) -> str:
        """Show the level of each; the answers may be private."""
        return f"ModelCalls({[call.report.level for call in self._calls]})"


class _Collector(LogprobsCallbackHandler):
    """Hands calls to a block and to those around it; writes no spans of its own, and joins those that others write."""

    def __init__(self, settings: Settings | None, around: _Collector | None) -> None:
        self.calls = ModelCalls()
        self._around = around
        self._taken: set[UUID] = set()
        super().__init__(settings, on_call=self._take)
        self._lifecycle.spanless = True

    def _take(self, call: ModelCall) -> None:
        # In a block inside a tool, LangChain hands calls on to the block around the agent too, as it does a handler.
        if call.run_id in self._taken:
            return
        self._taken.add(call.run_id)
        self.calls.append(call)
        if self._around is not None:
            self._around._take(call)


@contextmanager
def confidence_of_calls(*, settings: Settings | None = None) -> Iterator[ModelCalls]:
    """Collect the reports of all model calls that are made inside a `with` block.

    It works through chains, agents, `with_structured_output` (without `include_raw`), `batch` and `gather`, in async
    code too, and beside handlers and the instrumentor: the report is then the one that is on the span. Blocks may be
    nested; an outer one gets the calls of the inner ones as well. A call counts in the block that it was started in.

    Args:
        settings: The thresholds, where no other handler sets them; None for those of the environment.

    Yields:
        The calls that have ended so far, in the order of their ends.

    Example:
        >>> from langchain_core.language_models import GenericFakeChatModel
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs import confidence_of_calls
        >>> logprobs = {"content": [{"token": "Lima", "logprob": -0.03, "top_logprobs": []}]}
        >>> model = GenericFakeChatModel(messages=iter([AIMessage("Lima", response_metadata={"logprobs": logprobs})]))
        >>> with confidence_of_calls() as calls:
        ...     answer = model.invoke("What is the capital of Peru?")
        >>> [(call.report.level, round(call.report.score, 2)) for call in calls]
        [('high', 0.97)]
    """
    _register()
    collector = _Collector(settings, _current.get())
    token = _current.set(collector)
    try:
        yield collector.calls
    finally:
        _current.reset(token)


@contextmanager
def attempted_calls() -> Iterator[ModelCalls]:
    """Not public: as `confidence_of_calls`, for calls whose answers may be replaced (`Action.replaced`)."""
    token = tentative.set(True)
    try:
        with confidence_of_calls() as calls:
            yield calls
    finally:
        tentative.reset(token)


def _register() -> None:
    """Have LangChain ask for the collector whenever it configures callbacks; a hook cannot be unregistered."""
    with _lock:
        if not _registered.is_set():
            from langchain_core.tracers.context import register_configure_hook

            register_configure_hook(_current, inheritable=True)
            _registered.set()


class WithConfidence(NamedTuple):
    """What a chain gave, and how sure the model was.

    Attributes:
        value: What the chain gave.
        report: The report on the last model call in it, whose answer the value most often is; None where it made none.
        calls: All model calls in it, in the order of their ends.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> from langchain_logprobs import with_confidence
        >>> found = with_confidence(FakeListChatModel(responses=["Lima"])).invoke("What is the capital of Peru?")
        >>> found.value.content, found.report.status, len(found.calls)
        ('Lima', 'not_requested', 1)
    """

    value: Any
    report: ConfidenceReport | None
    calls: Sequence[ModelCall]


def with_confidence(chain: Runnable[Any, Any]) -> Runnable[Any, WithConfidence]:
    """Wrap a chain so that it gives its value and the reports of the model calls in it, as a part of a longer chain.

    It stands around the chain and not behind it, because behind `with_structured_output` or a parser the model's
    message is gone. The value is given whole, also where the longer chain is streamed.

    Args:
        chain: A model, `model.with_structured_output(...)`, or any other chain.

    Returns:
        A Runnable, sync and async: `prompt | with_confidence(model.with_structured_output(Order)) | decide`.

    Example:
        >>> from langchain_core.language_models import GenericFakeChatModel
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_core.output_parsers import StrOutputParser
        >>> from langchain_logprobs import with_confidence
        >>> logprobs = {"content": [{"token": "Lima", "logprob": -0.9, "top_logprobs": []}]}
        >>> model = GenericFakeChatModel(messages=iter([AIMessage("Lima", response_metadata={"logprobs": logprobs})]))
        >>> chain = with_confidence(model | StrOutputParser()) | (lambda found: (found.value, found.report.level))
        >>> chain.invoke("What is the capital of Peru?")
        ('Lima', 'low')
    """
    from langchain_core.runnables import RunnableLambda

    def invoke(given: Any, config: RunnableConfig) -> WithConfidence:
        with confidence_of_calls() as calls:
            value = chain.invoke(given, config)
        return _found(value, calls)

    async def ainvoke(given: Any, config: RunnableConfig) -> WithConfidence:
        with confidence_of_calls() as calls:
            value = await chain.ainvoke(given, config)
        return _found(value, calls)

    return RunnableLambda(invoke, afunc=ainvoke, name="with_confidence")


def _found(value: Any, calls: ModelCalls) -> WithConfidence:
    return WithConfidence(value, calls[-1].report if len(calls) else None, calls)
