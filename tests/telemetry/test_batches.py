"""One line where batches of our spans are refused whole, which names the cause and the cure; nothing elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.otlp import SplittingSpanExporter
from langchain_logprobs.telemetry import batches
from tests.support import ScriptedModel


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_said", [])


def grpc() -> Grpc:
    return Grpc(endpoint="127.0.0.1:1", insecure=True, timeout=0.01)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "langchain_logprobs"]


def look(processor: Any, **settings: Any) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    batches.warn_of_large_batches(provider, Settings(**settings))
    provider.shutdown()


@pytest.mark.parametrize(
    ("size", "settings", "cure"),
    [
        (None, {}, 64),
        (92, {}, 64),
        (512, {"alternatives": "all"}, 16),
        (64, {"detail_bytes": 200_000}, 16),
        (64, {"alternatives": "all", "span_bytes": 4_000_000}, 1),
    ],
)
def test_a_batch_of_long_answers_that_grpc_refuses(
    caplog: pytest.LogCaptureFixture, size: Any, settings: Any, cure: int
) -> None:
    for _ in range(2):
        look(BatchSpanProcessor(grpc(), max_export_batch_size=size), **settings)
    (line,) = said(caplog)
    assert f"batches of up to {size or 512} spans" in line
    assert line.endswith(f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE={cure}")
    assert "SplittingSpanExporter" in line


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (lambda: BatchSpanProcessor(grpc(), max_export_batch_size=91), {}),
        (lambda: BatchSpanProcessor(grpc(), max_export_batch_size=512), {"span_bytes": 8_000}),
        (lambda: BatchSpanProcessor(SplittingSpanExporter(grpc())), {}),
        (lambda: BatchSpanProcessor(Http(endpoint="http://127.0.0.1:1/v1/traces", timeout=0.01)), {}),
        (lambda: BatchSpanProcessor(InMemorySpanExporter()), {}),
        (lambda: SimpleSpanProcessor(grpc()), {}),
    ],
    ids=["small batches", "small spans", "split", "HTTP", "in memory", "one by one"],
)
def test_where_nothing_is_refused_nothing_is_said(caplog: pytest.LogCaptureFixture, make: Any, settings: Any) -> None:
    look(make(), **settings)
    assert said(caplog) == []


@pytest.mark.parametrize("odd", [None, object(), trace.NoOpTracerProvider(), trace.ProxyTracerProvider()])
def test_other_peoples_providers_are_left_alone(caplog: pytest.LogCaptureFixture, odd: Any) -> None:
    batches.warn_of_large_batches(odd, Settings())
    assert said(caplog) == []


@pytest.mark.parametrize("concurrent", [False, True])
def test_the_first_call_with_logprobs_says_it_once_a_process(
    caplog: pytest.LogCaptureFixture, concurrent: bool
) -> None:
    several = ConcurrentMultiSpanProcessor(2) if concurrent else None
    provider = TracerProvider(active_span_processor=several, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    processor = BatchSpanProcessor(grpc(), schedule_delay_millis=600_000)
    provider.add_span_processor(processor)
    without = LogprobsCallbackHandler(tracer_provider=provider)
    ScriptedModel(entries=[], logprobs=False).invoke("a", config={"callbacks": [without]})
    assert said(caplog) == []
    for _ in range(2):
        handler = LogprobsCallbackHandler(tracer_provider=provider)
        for _ in range(2):
            ScriptedModel().invoke("a", config={"callbacks": [handler]})
    assert len(said(caplog)) == 1
    provider.shutdown()
