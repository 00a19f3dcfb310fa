"""`confidence_of_calls`: how sure the model was of every call that is made inside a block, wherever in a chain."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import overload

from langchain_logprobs.capture.calls import ModelCall, tentative
from langchain_logprobs.handler import LogprobsCallbackHandler
from langchain_logprobs.settings import Settings

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
        super().__init__(settings, on_call=self._take)
        self._lifecycle.spanless = True

    def _take(self, call: ModelCall) -> None:
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
