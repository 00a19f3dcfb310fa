"""A call of which nobody will see anything costs nothing: nothing of it is stored, read or made."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from langchain_core.output_parsers import StrOutputParser
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import NoOpTracerProvider

from langchain_logprobs import LogprobsCallbackHandler, ModelCall, Settings
from langchain_logprobs.capture.kept import Call
from langchain_logprobs.confidence import report as reports
from langchain_logprobs.telemetry import names
from tests.support import ENTRIES, ScriptedModel, entry


class NoCalls(Sampler):
    """Drops the spans of model calls, as one that knows only cheap spans would."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.DROP if name.startswith("chat") else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "no calls"


def handler_on(provider: Any, **more: Any) -> LogprobsCallbackHandler:
    return LogprobsCallbackHandler(Settings(capture_messages=True), tracer_provider=provider, **more)


@pytest.mark.parametrize(
    "provider",
    [TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), NoOpTracerProvider()],
    ids=["off", "no SDK"],
)
def test_nothing_of_an_unseen_call_is_kept(provider: Any) -> None:
    handler, run_id = handler_on(provider), uuid4()
    handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True})
    handler.on_llm_new_token("a", run_id=run_id, logprobs={"content": ENTRIES})
    run = handler._runs.find(run_id)
    assert run is not None
    assert run.pieces is None
    assert isinstance(run.data, Call)
    assert run.data.read_request is not None  # the request has not been read
    assert not run.data.asked.logprobs
    handler.on_llm_end(None, run_id=run_id)  # type: ignore[arg-type]
    assert handler.open_runs == 0


def test_the_request_of_a_seen_call_is_read_and_not_held() -> None:
    handler, run_id = handler_on(TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)), uuid4()
    handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True})
    run = handler._runs.find(run_id)
    assert run is not None
    assert run.data.asked.logprobs
    assert run.data.messages == "[]"
    assert run.data.read_request is None
    handler.close()


def test_an_unsampled_call_has_its_metrics_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    looked: list[Any] = []
    meters = MeterProvider([reader], shutdown_on_exit=False)
    handler = handler_on(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), meter_provider=meters)
    monkeypatch.setattr(reports, "_stretches", lambda *args: looked.append(args))
    model = ScriptedModel(entries=[entry("Lima", -3.0), *ENTRIES])
    (model | StrOutputParser()).invoke("q", config={"callbacks": [handler]})
    assert looked == []
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {
        each.name: each for part in data.resource_metrics for scope in part.scope_metrics for each in scope.metrics
    }
    points: dict[str, Any] = {name: next(iter(each.data.data_points)) for name, each in metrics.items()}
    assert points[names.METRIC_TOKENS].value == 6
    assert points[names.METRIC_LOW_TOKENS].value == 1
    assert points[names.METRIC_CONFIDENCE].count == 1


def test_what_the_program_asks_for_is_whole_without_any_span() -> None:
    calls: list[ModelCall] = []
    handler = handler_on(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), on_call=calls.append)
    ScriptedModel(entries=[entry("Lima", -3.0)]).invoke("q", config={"callbacks": [handler]})
    (call,) = calls
    assert call.report.stretch_count == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_a_span_above_has_the_numbers_of_a_call_whose_own_span_is_dropped(streamed: bool) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=NoCalls(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    chain = ScriptedModel() | StrOutputParser()
    config: Any = {"callbacks": [handler_on(provider)]}
    list(chain.stream("q", config=config)) if streamed else chain.invoke("q", config=config)
    (root,) = [span for span in exporter.get_finished_spans() if span.parent is None]
    assert root.attributes is not None
    assert root.attributes["logprobs.llm_call.count"] == 1
    assert root.attributes["logprobs.token.count"] == len(ENTRIES)
