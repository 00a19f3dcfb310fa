"""Switch the handler on for the whole process, with no change to any code that calls a model."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

# Nothing of LangChain's, OpenTelemetry's or pydantic's here: in a process that is instrumented and never imports
# LangChain, they would be all that `opentelemetry-instrument` spends time on.
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import ContextVar
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from uuid import UUID

    from langchain_core.callbacks import BaseCallbackHandler
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from langchain_logprobs.handler import LogprobsCallbackHandler
    from langchain_logprobs.settings import Settings

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_HOOKS_MODULE = "langchain_core.tracers.context"
"""Where LangChain keeps its hooks. It imports this before the first run, if not earlier."""

_WORK_MODULES = (
    "langchain_core.language_models.chat_models",
    "langchain_core.language_models.llms",
    "langchain_core.retrievers",
    "langchain_core.tools.base",
)
"""Where the work of a run is done in a method of LangChain's (patches/running.py)."""


class _Choice(NamedTuple):
    """What `instrument` was given; None stands for the environment and the process's own providers."""

    settings: Settings | None
    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None
    logger_provider: LoggerProvider | None

    def comes_to(self, other: _Choice) -> bool:
        """Tell whether both mean the same now."""
        if self == other:
            return True
        return all(
            ours is theirs or ours == theirs for ours, theirs in zip(self._in_force(), other._in_force(), strict=True)
        )

    def _in_force(self) -> tuple[object, ...]:
        from langchain_logprobs.settings import Settings
        from langchain_logprobs.telemetry import process

        return (
            Settings.from_env() if self.settings is None else self.settings,
            process.tracer_provider() if self.tracer_provider is None else self.tracer_provider,
            process.meter_provider() if self.meter_provider is None else self.meter_provider,
            process.logger_provider() if self.logger_provider is None else self.logger_provider,
        )


class _Current:
    """What LangChain asks for a handler whenever it configures callbacks.

    It stands in for a ContextVar, whose value one thread cannot change for the others, and a hook can never be
    unregistered: this one is registered once and answers None while the process is not instrumented.

    It stands in for the hook's class of handlers, too. LangChain calls `get` twice, once to see whether there is a
    handler and once to take it, and makes one of that class if there is none the second time.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.choice: _Choice | None = None
        self._handler: LogprobsCallbackHandler | None = None
        self._registered = False
        self._stop_asking: Callable[[], None] | None = None

    def switch(self, choice: _Choice | None) -> None:
        with self.lock:
            self.choice, self._handler = choice, None
            stop_asking, self._stop_asking = self._stop_asking, None
        if stop_asking is not None:
            stop_asking()
        if choice is None:
            _take_frames_off()

    def get(self) -> LogprobsCallbackHandler | None:
        """Return the handler that a run which starts here gets."""
        if self.choice is None:
            return None
        from langchain_logprobs.telemetry.process import is_suppressed

        return None if is_suppressed() else self._handler or self.handler()

    def handler(self) -> LogprobsCallbackHandler | None:
        """Return the handler in force. It is made when it is first asked for, and never raises into the caller."""
        handler = self._handler
        if handler is None and (handler := self._make()) is not None and handler.settings.request_logprobs:
            _guarded(self._ask, handler)  # without the lock: imports have locks of their own
        return handler

    def _make(self) -> LogprobsCallbackHandler | None:
        with self.lock:
            if self._handler is None and self.choice is not None:
                try:
                    from langchain_logprobs.handler import LogprobsCallbackHandler

                    settings, tracer_provider, meter_provider, logger_provider = self.choice
                    self._handler = LogprobsCallbackHandler(
                        settings,
                        tracer_provider=tracer_provider,
                        meter_provider=meter_provider,
                        logger_provider=logger_provider,
                    )
                except Exception:
                    self.choice = None  # or it would be tried and logged with every run
                    logger.exception("langchain-logprobs could not be switched on; nothing is traced")
            return self._handler

    def _ask(self, handler: LogprobsCallbackHandler) -> None:
        """Have models asked for logprobs, now that one is about to be called."""
        from langchain_logprobs.patches.requesting import request_logprobs

        settings = handler.settings
        keep = settings.keep_on_message == "always"
        stop = request_logprobs(settings.request_logprobs, keep=keep, after_import=_act_after_import)
        with self.lock:
            if self._handler is handler and self._stop_asking is None:
                self._stop_asking = stop
                return
        stop()  # another thread was first, or switched everything off meanwhile

    def __instancecheck__(self, handler: object) -> bool:
        return handler is self._handler

    def __call__(self) -> BaseCallbackHandler:
        """Make a handler that does nothing, for a run that starts just when the process is uninstrumented."""
        from langchain_core.callbacks import BaseCallbackHandler

        return BaseCallbackHandler()

    def register(self) -> None:
        """Register with LangChain: now if it is imported, and right after it is imported if not."""
        with self.lock:
            if not self._registered:
                self._registered = True
                _act_after_import(_HOOKS_MODULE, self._register)
                for name in _WORK_MODULES:
                    _act_after_import(name, self._make_frames)
                return
            for name in _WORK_MODULES:
                if name in sys.modules:
                    _guarded(self._make_frames, sys.modules[name])

    def _make_frames(self, module: ModuleType) -> None:
        """Make what a module of LangChain's does for a run happen in the context of the run's span."""
        if self.choice is None:  # without the lock: imports have locks of their own
            return
        from langchain_logprobs.patches import running

        running.switch_on(module.__name__, self._work_of)
        if self.choice is None:
            running.switch_off()

    def _work_of(self, run_id: UUID) -> tuple[int, Any] | None:
        """Return the key and the span of a model call whose work begins."""
        choice = self.choice
        if choice is None:
            return None
        from langchain_logprobs.capture.runs import runs_of

        run = runs_of(choice.tracer_provider).find(run_id)
        return None if run is None else run.work

    def _register(self, module: Any) -> None:
        module.register_configure_hook(cast("ContextVar[Any]", self), inheritable=True, handle_class=cast(Any, self))


class _AfterImport:
    """Acts once for each module, right after it was imported. The module itself is found and loaded as ever.

    There is one of these a process: two that wait for the same module would ask each other for it, without end.
    """

    def __init__(self) -> None:
        self._acts: dict[str, list[Callable[[Any], None]]] = {}

    def add(self, name: str, act: Callable[[Any], None]) -> None:
        self._acts.setdefault(name, []).append(act)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._acts:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None:
                _guarded(self._watch, spec.loader)
                return spec
        return None

    def _watch(self, loader: Any) -> None:
        if "exec_module" in vars(loader):  # some loaders, that of a zip file for one, load more modules than one
            return
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            acts = self._acts.pop(module.__name__, ())
            if acts:
                del loader.exec_module  # for its next module that is waited for, it is found and watched anew
            if not self._acts and self in sys.meta_path:
                sys.meta_path.remove(self)
            for act in acts:
                _guarded(act, module)

        # On the loader, not in another loader around it: whoever asks it for the module's source must still get it.
        loader.exec_module = exec_module


_after_import = _AfterImport()


def _act_after_import(name: str, act: Callable[[Any], None]) -> None:
    if name in sys.modules:
        _guarded(act, importlib.import_module(name))  # waits where another thread is still at it
    else:
        _after_import.add(name, act)


def _guarded(act: Callable[[Any], None], argument: Any) -> None:
    """Call `act`; whatever it raises must not end an import of the user's."""
    try:
        act(argument)
    except Exception:
        logger.exception("langchain-logprobs could not register with LangChain; nothing is traced")


def _take_frames_off() -> None:
    if (running := sys.modules.get("langchain_logprobs.patches.running")) is not None:
        running.switch_off()


_current = _Current()


class LogprobsInstrumentor:
    """Traces every LangChain call of this process; `opentelemetry-instrument` loads it by its entry point.

    There is one instrumentation a process: a second `instrument` while one is active changes nothing. A handler that
    is passed in `callbacks` as well makes no second span. Calls inside OpenTelemetry's `suppress_instrumentation()`
    are not traced.

    Example:
        >>> from langchain_logprobs import LogprobsInstrumentor, Settings
        >>> LogprobsInstrumentor().instrument(Settings(spans="llm"))
        >>> LogprobsInstrumentor().uninstrument()
    """

    def instrument(
        self,
        settings: Settings | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        **kwargs: Any,
    ) -> None:
        """Switch on. LangChain may be imported before or after, and is not imported by this.

        Args:
            settings: What to record; None reads the environment (`Settings.from_env`, which never raises because of
                it) when the first run starts.
            tracer_provider: Where spans go; None for the process's own, which may be set later.
            meter_provider: Where metrics go; None for the process's own.
            logger_provider: Where log-based events go (Settings.events); None for the process's own.
            **kwargs: Ignored: what else `opentelemetry-instrument` hands to every instrumentor.

        Raises:
            TypeError: `settings` is something else than Settings.
        """
        if settings is not None:
            from langchain_logprobs.settings import Settings

            if not isinstance(settings, Settings):
                raise TypeError(
                    f"settings={settings!r:.200} is not a langchain_logprobs.Settings, such as Settings(spans='llm')."
                )
        choice = _Choice(settings, tracer_provider, meter_provider, logger_provider)
        with _current.lock:
            if _current.choice is None:
                _current.switch(choice)
                _current.register()
            elif not _current.choice.comes_to(choice):
                logger.warning(
                    "langchain-logprobs is on already, with other settings or providers, and keeps them: "
                    "call LogprobsInstrumentor().uninstrument() before instrument() to change them"
                )

    def uninstrument(self, **_: Any) -> None:
        """Switch off. Runs that are open still end; new ones are not traced."""
        _current.switch(None)

    @property
    def handler(self) -> LogprobsCallbackHandler | None:
        """The handler in force; None while the process is not instrumented."""
        return _current.handler()
