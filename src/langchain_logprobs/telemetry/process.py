"""What OpenTelemetry's API says of this process and this context: the providers in force, and whether to keep still."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, TypeVar

from opentelemetry import _logs, context, metrics, trace

_T = TypeVar("_T")

Gap = Literal["no provider", "no processor"]
"""What keeps spans from going anywhere: no tracer provider is set, or the one that is sends them nowhere."""

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


def gap(provider: trace.TracerProvider | None) -> Gap | None:
    """Tell what keeps spans for this provider from going anywhere; None where nothing does, or nobody can know.

    Args:
        provider: The provider; None for the process's own.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if provider is None or isinstance(provider, trace.ProxyTracerProvider):
        provider = tracer_provider()
        if provider is None:
            return "no provider"
    # The API has no way to ask. A provider that is not the SDK's has other names, or none.
    processors = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", None)
    if processors is None or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    # One of ours (telemetry/draining.py) sends nothing by itself.
    if all(type(each).__module__.startswith("langchain_logprobs.") for each in processors):
        return "no processor"
    return None


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
