"""One warning where a batch of spans like ours would be refused whole: a gRPC exporter that is handed large batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from langchain_logprobs.settings import Settings

_GRPC_BYTES = 4 << 20
"""What a gRPC server takes in a request by default, the OpenTelemetry Collector too."""

_LONG_ANSWER_BYTES = 46_000
"""A span of 2,000 tokens with default settings."""

_GRPC_EXPORTERS = "opentelemetry.exporter.otlp.proto.grpc."

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_said: list[str] = []


def warn_of_large_batches(tracer_provider: object, settings: Settings) -> None:
    """Look at where a provider's spans go, and say once a process what would be lost there, and the cure.

    Only OpenTelemetry's own exporter and processor are known. An exporter that somebody has wrapped, in
    `otlp.SplittingSpanExporter` for one, is not looked into.
    """
    if _said:
        return
    size = max(settings.detail_bytes, _LONG_ANSWER_BYTES) if settings.alternatives != "all" else settings.span_bytes
    fitting = max(1, _GRPC_BYTES // min(size, settings.span_bytes))
    for processor in _processors(getattr(tracer_provider, "_active_span_processor", None)):
        batch = getattr(getattr(processor, "_batch_processor", None), "_max_export_batch_size", 0)
        exporter = getattr(processor, "span_exporter", None)
        if type(exporter).__module__.startswith(_GRPC_EXPORTERS) and isinstance(batch, int) and batch > fitting:
            _said.append(
                f"langchain-logprobs: batches of up to {batch} spans go out over gRPC, where a request above 4 MiB is "
                f"refused with every span in it, other people's too; {fitting} long answers fill one. Wrap the "
                "exporter in langchain_logprobs.otlp.SplittingSpanExporter (under opentelemetry-instrument: "
                "OTEL_TRACES_EXPORTER=otlp_split), or set "
                f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE={1 << (fitting.bit_length() - 1)}"
            )
            logger.warning("%s", _said[0])
            return


def _processors(processor: Any) -> Iterator[Any]:
    """Yield a processor, or those that it forwards to."""
    inner = getattr(processor, "_span_processors", None)
    if not isinstance(inner, (tuple, list)):
        yield processor
        return
    for each in inner:
        yield from _processors(each)
