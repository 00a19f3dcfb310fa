"""Span exporters that send a batch in parts, each small enough for a backend to take."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from langchain_logprobs.telemetry.encoded_size import origin_size, span_size

MAX_BYTES = 4_000_000
"""Under the 4 MiB (4,194,304 bytes) that gRPC servers, the OpenTelemetry Collector among them, take by default."""

logger: logging.Logger = logging.getLogger("langchain_logprobs")


class SplittingSpanExporter(SpanExporter):
    """Sends each batch in parts of a limited size, through any exporter.

    No span is lost because of its neighbours: a single one that is too large is sent alone, and where the backend
    refuses a part, the others are sent all the same.

    Example:
        >>> from langchain_logprobs.otlp import SplittingSpanExporter
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import BatchSpanProcessor
        >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        >>> exporter = SplittingSpanExporter(InMemorySpanExporter())  # in your application: OTLPSpanExporter()
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(BatchSpanProcessor(exporter))
    """

    def __init__(self, exporter: SpanExporter, max_bytes: int = MAX_BYTES) -> None:
        """Wrap an exporter.

        Args:
            exporter: Sends the parts.
            max_bytes: The most bytes of a part, as OTLP before compression. The default fits into the 4 MiB that a
                gRPC server takes by default.

        Raises:
            ValueError: `max_bytes` is not positive.
        """
        if max_bytes <= 0:
            raise ValueError(f"max_bytes={max_bytes!r} is not a positive number of bytes.")
        self._exporter = exporter
        self._max_bytes = max_bytes

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans in their order.

        Returns:
            FAILURE if a part of them could not be sent.
        """
        result = SpanExportResult.SUCCESS
        for part in self._parts(spans):
            try:
                sent = self._exporter.export(part)
            except Exception:
                logger.exception("%d spans could not be exported; the others are", len(part))
                sent = SpanExportResult.FAILURE
            if sent is not SpanExportResult.SUCCESS:
                result = SpanExportResult.FAILURE
        return result

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Shut the exporter down, with the time that is left for it where it takes one."""
        if "timeout_millis" in inspect.signature(self._exporter.shutdown).parameters:
            self._exporter.shutdown(timeout_millis=timeout_millis)  # type: ignore[call-arg]
        else:
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the exporter send what it holds."""
        return self._exporter.force_flush(timeout_millis)

    def _parts(self, spans: Sequence[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
        part: list[ReadableSpan] = []
        origins: set[tuple[int, int]] = set()
        size = 0
        for span in spans:
            origin = id(span.resource), id(span.instrumentation_scope)
            own = span_size(span)
            added = own if origin in origins else own + origin_size(span)
            if part and size + added > self._max_bytes:
                yield part
                part, origins, size, added = [], set(), 0, own + origin_size(span)
            part.append(span)
            origins.add(origin)
            size += added
        if part:
            yield part


class SplittingOTLPSpanExporter(SplittingSpanExporter):
    """OpenTelemetry's OTLP exporter, its batches split: what `OTEL_TRACES_EXPORTER=otlp_split` names.

    It reads the variables that `otlp` reads: `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL`
    (`grpc`, the default, or `http/protobuf`), and the exporter's own, such as `OTEL_EXPORTER_OTLP_ENDPOINT`.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make the exporter that the environment asks for.

        Args:
            **arguments: For OpenTelemetry's exporter.
        """
        super().__init__(_exporter_of_protocol()(**arguments))


def _exporter_of_protocol() -> type[SpanExporter]:
    named = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    protocol = named.strip()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter

        return HttpSpanExporter
    if protocol not in ("", "grpc"):
        logger.error("the OTLP protocol %.200r is not grpc or http/protobuf; otlp_split takes grpc", protocol)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter

    return GrpcSpanExporter
