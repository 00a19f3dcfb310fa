"""Put a span processor before those that a tracer provider has; OpenTelemetry's SDK only lets one be added last."""

from __future__ import annotations

from typing import Any


def put_first(several: Any, processor: Any) -> None:
    """Have a processor told of each flush and of the shutdown before the others.

    Args:
        several: The provider's SynchronousMultiSpanProcessor, which forwards to one after the other.
        processor: The processor.
    """
    with several._lock:  # as its own add_span_processor does it
        several._span_processors = (processor, *several._span_processors)
