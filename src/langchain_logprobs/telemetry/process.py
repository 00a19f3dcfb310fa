"""What OpenTelemetry's API says of this process and this context: the providers in force, and whether to keep still."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from opentelemetry import _logs, context, metrics, trace

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
