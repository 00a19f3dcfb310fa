"""A backend or an SDK that fails, however it fails: the chain goes on, and every run ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from langchain_logprobs import LogprobsCallbackHandler
from tests.providers.wire import Body, WireServer
from tests.support import TOKENS, ScriptedModel

CHAIN = ScriptedModel() | StrOutputParser()


class Failing(SpanExporter):
    """Says that it could not export."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


class Raising(SpanExporter):
    """Raises."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise OSError("no backend")


class Stuck(SpanExporter):
    """Takes a batch, and does not come back before it is let go."""

    def __init__(self) -> None:
        self.entered, self.let_go = threading.Event(), threading.Event()
        self.exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.let_go.wait(60)
        self.exported += len(spans)
        return SpanExportResult.SUCCESS


class RaisingProcessor(SpanProcessor):
    """A processor of somebody's own, which the SDK does not guard."""

    def __init__(self, where: str) -> None:
        self.where = where

    def on_start(self, *args: Any, **kwargs: Any) -> None:
        if self.where == "start":
            raise RuntimeError("a processor")

    def on_end(self, span: ReadableSpan) -> None:
        if self.where == "end":
            raise RuntimeError("a processor")


def handler_on(processor: SpanProcessor) -> tuple[LogprobsCallbackHandler, TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return LogprobsCallbackHandler(tracer_provider=provider), provider


@pytest.mark.parametrize(
    "make",
    [
        lambda: SimpleSpanProcessor(Failing()),
        lambda: SimpleSpanProcessor(Raising()),
        lambda: BatchSpanProcessor(Raising()),
        lambda: RaisingProcessor("start"),
        lambda: RaisingProcessor("end"),
    ],
    ids=["fails", "raises", "raises in a batch", "a processor raises at a start", "a processor raises at an end"],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_the_chain_goes_on(make: Callable[[], SpanProcessor], streamed: bool) -> None:
    handler, provider = handler_on(make())
    config: Any = {"callbacks": [handler]}
    for _ in range(2):
        said = "".join(CHAIN.stream("q", config)) if streamed else CHAIN.invoke("q", config)
        assert said == "".join(TOKENS)
    assert handler.open_runs == 0
    provider.shutdown()


def test_nobody_waits_for_a_backend_that_is_stuck() -> None:
    exporter = Stuck()
    handler, provider = handler_on(BatchSpanProcessor(exporter, max_export_batch_size=1, schedule_delay_millis=1))
    config: Any = {"callbacks": [handler]}
    CHAIN.invoke("q", config)
    assert exporter.entered.wait(60)
    for _ in range(20):  # would never come back if anything in here waited for the exporter
        assert CHAIN.invoke("q", config) == "".join(TOKENS)
    assert exporter.exported == 0
    exporter.let_go.set()
    provider.force_flush()
    assert exporter.exported == 21 * 3
    provider.shutdown()


@pytest.mark.parametrize("refusals", [[503], [429, 503]], ids=str)
def test_what_a_backend_refuses_for_a_while_arrives_in_the_end(refusals: list[int]) -> None:
    if 429 in refusals and version("opentelemetry-exporter-otlp-proto-http").startswith("1.38."):
        pytest.skip("this exporter gives up at 429")
    with WireServer() as server:
        left = list(refusals)
        server.answer("/v1/traces", lambda request: Body((b"",), status=left.pop(0) if left else 200))
        handler, provider = handler_on(BatchSpanProcessor(OTLPSpanExporter(f"{server.url}/v1/traces", timeout=60)))
        CHAIN.invoke("q", {"callbacks": [handler]})
        provider.force_flush(60_000)
        assert left == []
        assert len(server.requests) == len(refusals) + 1
        provider.shutdown()


@pytest.mark.parametrize("seen", range(len(TOKENS)))
def test_a_provider_that_is_shut_down_in_mid_stream(seen: int, caplog: pytest.LogCaptureFixture) -> None:
    kept: list[ReadableSpan] = []

    class Keep(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            kept.extend(spans)
            return SpanExportResult.SUCCESS

    handler, provider = handler_on(SimpleSpanProcessor(Keep()))
    config: Any = {"callbacks": [handler]}
    stream = CHAIN.stream("q", config)
    came = [next(stream) for _ in range(seen)]
    provider.shutdown()
    assert "".join([*came, *stream]) == "".join(TOKENS)
    assert CHAIN.invoke("again", config) == "".join(TOKENS)
    assert handler.open_runs == 0
    assert not [record for record in caplog.records if record.name == "langchain_logprobs"]
