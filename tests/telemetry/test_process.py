"""What keeps spans from going anywhere, as far as OpenTelemetry's API and the SDK's provider tell."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import Settings
from langchain_logprobs.telemetry import process
from langchain_logprobs.telemetry.spans import Telemetry


def provider(*processors: Any, **kwargs: Any) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False, **kwargs)
    for each in processors:
        made.add_span_processor(each)
    return made


SENT = SimpleSpanProcessor(InMemorySpanExporter())


@pytest.mark.parametrize(
    ("given", "own", "environ", "gap"),
    [
        (None, None, {}, "no provider"),
        (trace.ProxyTracerProvider(), None, {}, "no provider"),
        (trace.ProxyTracerProvider(), provider(SENT), {}, None),
        (None, provider(), {}, "no processor"),
        (None, provider(SENT), {}, None),
        (provider(), provider(SENT), {}, "no processor"),
        (provider(SENT), None, {}, None),
        (trace.NoOpTracerProvider(), None, {}, None),
        (provider(active_span_processor=ConcurrentMultiSpanProcessor()), None, {}, "no processor"),
        (None, None, {"OTEL_SDK_DISABLED": "True"}, None),
        (provider(), None, {"OTEL_TRACES_EXPORTER": "None"}, None),
        (provider(), None, {"OTEL_TRACES_EXPORTER": "otlp"}, "no processor"),
    ],
)
def test_what_keeps_spans_from_going_anywhere(
    monkeypatch: pytest.MonkeyPatch, given: Any, own: Any, environ: dict[str, str], gap: str | None
) -> None:
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(process, "tracer_provider", lambda: own)
    assert process.gap(given) == gap
    telemetry = Telemetry(Settings(), given, MeterProvider(), None, "0")
    assert telemetry.gap() == (None if gap == "no provider" else gap)  # who takes metrics may want no spans
