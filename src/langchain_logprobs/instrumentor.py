"""Switch the handler on for the whole process, with no change to any code that calls a model."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from langchain_logprobs.handler import LogprobsCallbackHandler

if TYPE_CHECKING:
    from contextvars import ContextVar

    from langchain_logprobs.settings import Settings

_PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")


class _CurrentHandler:
    """What LangChain asks for a handler whenever it configures callbacks: `get()` is all that it calls.

    It stands in for a ContextVar, whose value one thread cannot change for the others, and a hook can never be
    unregistered: this one is registered once and answers None while the process is not instrumented.
    """

    def __init__(self) -> None:
        self.handler: LogprobsCallbackHandler | None = None
        self.lock = threading.Lock()
        self._registered = False

    def get(self) -> LogprobsCallbackHandler | None:
        return self.handler

    def register(self) -> None:
        if not self._registered:
            # Not at the top: it takes langsmith with it, 300 ms that only this line has a use for.
            from langchain_core.tracers.context import register_configure_hook

            register_configure_hook(cast("ContextVar[Any]", self), inheritable=True)
            self._registered = True


_current = _CurrentHandler()


class LogprobsInstrumentor:
    """Traces every LangChain call of this process; `opentelemetry-instrument` loads it by its entry point.

    There is one instrumentation a process: a second `instrument` while one is active changes nothing. A handler that
    is passed in `callbacks` as well makes no second span.
    """

    def instrument(self, *, settings: Settings | None = None, **kwargs: Any) -> None:
        """Switch on.

        Args:
            settings: What to record; None reads the environment.
            **kwargs: `tracer_provider`, `meter_provider` and `logger_provider`, each None or absent for the process's
                own. Whatever else `opentelemetry-instrument` hands to every instrumentor is ignored.

        Raises:
            ValueError: A setting has a value that is not allowed.
        """
        with _current.lock:
            if _current.handler is None:
                providers = {name: kwargs[name] for name in _PROVIDERS if name in kwargs}
                _current.handler = LogprobsCallbackHandler(settings, **providers)
                _current.register()

    def uninstrument(self, **_: Any) -> None:
        """Switch off. Runs that are open still end; new ones are not traced."""
        with _current.lock:
            _current.handler = None

    @property
    def handler(self) -> LogprobsCallbackHandler | None:
        """The handler in force; None while the process is not instrumented."""
        return _current.handler
