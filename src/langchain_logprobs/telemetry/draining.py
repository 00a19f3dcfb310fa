"""A span processor that has the deferred endings done before spans are flushed. Needs OpenTelemetry's SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider

from langchain_logprobs.patches.span_processors import put_first

SHUTDOWN_SECONDS = 30.0


class DrainingProcessor(SpanProcessor):
    """Does nothing with spans; before a flush and the shutdown it has those ended that still are to be.

    It stands before the processors that export: whoever flushes first has nothing of what is ended behind it.
    """

    def __init__(self, drain: Callable[[float], bool]) -> None:
        """Take what ends them, within so many seconds."""
        self._drain = drain

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        """Have them ended."""
        return self._drain(30.0 if timeout_millis is None else timeout_millis / 1e3)

    def shutdown(self) -> None:
        """Have them ended, for the last time."""
        self._drain(SHUTDOWN_SECONDS)


def add_first(provider: Any, drain: Callable[[float], bool]) -> bool:
    """Put one before the processors of a provider, the first time that it is asked for.

    Args:
        provider: A tracer provider.
        drain: Ends what is to be ended, within so many seconds.

    Returns:
        Whether it is heard first: else what ends after the last flush is only recorded where someone drains before.
    """
    several = provider._active_span_processor if isinstance(provider, TracerProvider) else None
    if not isinstance(several, SynchronousMultiSpanProcessor):  # ConcurrentMultiSpanProcessor tells all at once
        return False
    if not any(isinstance(each, DrainingProcessor) for each in several._span_processors):
        put_first(several, DrainingProcessor(drain))
    return True
