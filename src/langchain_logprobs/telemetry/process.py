"""What OpenTelemetry's API says of this process and this context: the providers in force, and whether to keep still."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from typing import TypeVar

from opentelemetry import _logs, context, metrics, trace

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_T = TypeVar("_T")

# Private by its underscore, yet the one key that OpenTelemetry's instrumentations, OpenInference and the SDK's
# exporters share. Older instrumentations set the plain one.
_SUPPRESS = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_SUPPRESS_PLAIN = "suppress_instrumentation"


def is_suppressed() -> bool:
    """Tell whether the caller runs inside `suppress_instrumentation()`: nothing may be traced there."""
    current = context.get_current()
    return bool(current.get(_SUPPRESS) or current.get(_SUPPRESS_PLAIN))


def tracer_provider() -> trace.TracerProvider | None:
    """Return the process's own tracer provider; None while none is set."""
    provider = _own(trace.get_tracer_provider)
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider


def is_own(provider: object) -> bool:
    """Tell whether spans for this provider go where the process's own go, for which None and the API's proxy stand."""
    return provider is None or isinstance(provider, trace.ProxyTracerProvider) or provider is tracer_provider()


def meter_provider() -> metrics.MeterProvider | None:
    """Return the process's own meter provider."""
    return _own(metrics.get_meter_provider)


def logger_provider() -> _logs.LoggerProvider | None:
    """Return the process's own logger provider."""
    return _own(_logs.get_logger_provider)


def _own(get: Callable[[], _T]) -> _T | None:
    try:
        return get()
    except Exception:  # the environment (OTEL_PYTHON_TRACER_PROVIDER and the like) names one that is not installed
        return None


_ENOUGH_CALLS = 10


class _Nowhere:
    """Says once that spans go nowhere: after some calls or when the program exits, as a provider can be set late."""

    def __init__(self) -> None:
        self._calls = 0
        self._settled = False

    def look(self, provider: object) -> None:
        if self._settled:
            return
        self._settled = _why_nowhere(provider) is None
        self._calls += not self._settled
        if self._calls == 1:
            atexit.register(self._say, provider)
        elif self._calls == _ENOUGH_CALLS:
            self._say(provider)

    def _say(self, provider: object) -> None:
        if not self._settled and (reason := _why_nowhere(provider)) is not None:
            logger.warning("langchain-logprobs: %s", reason)
        self._settled = True


_nowhere = _Nowhere()


def notice_call(provider: object) -> None:
    """Notice that a model call was traced, and say so once where a provider or an exporter was forgotten.

    Args:
        provider: Where its span went; None for the process's own provider.
    """
    _nowhere.look(provider)


def _why_nowhere(provider: object) -> str | None:
    """Return why the spans of a provider reach nobody, and the cure; None where they do, or where that is wanted."""
    if "none" in os.environ.get("OTEL_TRACES_EXPORTER", "").lower() or _is_set("OTEL_SDK_DISABLED"):
        return None
    if is_own(provider):
        provider = tracer_provider()
        if provider is None:
            return (
                "no tracer provider is set, so that spans go nowhere: run the program under opentelemetry-instrument "
                '(pip install "langchain-logprobs[auto]"), or call opentelemetry.trace.set_tracer_provider'
            )
    # The SDK has no public way to ask; without this attribute nothing is said.
    processors = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", None)
    if processors == ():
        return (
            "the tracer provider has no exporter, so that spans go nowhere: set OTEL_TRACES_EXPORTER=otlp under "
            "opentelemetry-instrument, or add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))"
        )
    return None


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() == "true"
