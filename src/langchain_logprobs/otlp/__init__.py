"""OTLP: sending spans so that all of them arrive. Needs the extra `[otlp]`.

A backend refuses a request that is too large with everything in it: over gRPC 4 MiB by default, while a batch of the
SDK's default size, 512 spans of 2,000-token answers, has 22. `SplittingSpanExporter` sends it in parts. Under
`opentelemetry-instrument` the name of the same is `OTEL_TRACES_EXPORTER=otlp_split`.
"""

from __future__ import annotations

try:
    from langchain_logprobs.otlp.split import MAX_BYTES, SplittingOTLPSpanExporter, SplittingSpanExporter
except ModuleNotFoundError as _missing:
    if not str(_missing.name).startswith("opentelemetry"):
        raise
    raise ModuleNotFoundError(
        f"{_missing.name} is not installed, and sending spans needs it. Install it with:  "
        'pip install "langchain-logprobs[otlp]"',
        name=_missing.name,
    ) from _missing

__all__ = ["MAX_BYTES", "SplittingOTLPSpanExporter", "SplittingSpanExporter"]
