"""Duration, usage and first chunk of each call, by OpenTelemetry's names, unless somebody else records them."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.standard_metrics import SECONDS, given_by_another
from tests.support import ScriptedModel, Traced

LABELS = {
    "gen_ai.provider.name": "scriptedmodel",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "scripted-1",
}
DURATION, USAGE = "gen_ai.client.operation.duration", "gen_ai.client.token.usage"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"


class Counting(ScriptedModel):
    """A model that says what it used."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        super()._generate(*args, **kwargs)
        usage: Any = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("hi", usage_metadata=usage))])


class Metered:
    """A traced handler with its metrics in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.traced = Traced(meter_provider=MeterProvider([self.reader], shutdown_on_exit=False))

    def scopes(self) -> Any:
        data: Any = self.reader.get_metrics_data()
        return data.resource_metrics[0].scope_metrics

    def points(self) -> dict[str, list[Any]]:
        (scope,) = self.scopes()
        found = {metric.name: list(metric.data.data_points) for metric in scope.metrics}
        return {name: points for name, points in found.items() if name.startswith("gen_ai.")}


def test_a_call_that_was_invoked() -> None:
    metered = Metered()
    Counting().invoke("q", config=metered.traced.config)
    points = metered.points()
    (duration,) = points[DURATION]
    assert (duration.count, dict(duration.attributes)) == (1, {**LABELS, "gen_ai.provider.name": "counting"})
    span = metered.traced.call
    assert duration.sum == pytest.approx((span.end_time - span.start_time) / 1e9)
    assert tuple(duration.explicit_bounds) == SECONDS
    used = {point.attributes["gen_ai.token.type"]: (point.sum, point.count) for point in points[USAGE]}
    assert used == {"input": (7, 1), "output": (5, 1)}
    assert FIRST_CHUNK not in points  # of streams only


def test_a_call_that_was_streamed() -> None:
    metered = Metered()
    list(ScriptedModel().stream("q", config=metered.traced.config))
    points = metered.points()
    (first,) = points[FIRST_CHUNK]
    assert first.sum == pytest.approx(metered.traced.call.attributes["gen_ai.response.time_to_first_chunk"])
    assert metered.traced.call.attributes["gen_ai.request.stream"] is True
    assert USAGE not in points  # it said nothing of it


def test_a_call_that_failed() -> None:
    metered = Metered()
    with pytest.raises(RuntimeError):
        ScriptedModel(fail_after=0).invoke("q", config=metered.traced.config)
    (duration,) = metered.points()[DURATION]
    assert dict(duration.attributes) == {**LABELS, "error.type": "RuntimeError"}
    assert "gen_ai.request.stream" not in metered.traced.call.attributes


def test_a_consumer_that_stops_is_no_failure() -> None:
    metered = Metered()
    stream: Any = ScriptedModel().stream("q", config=metered.traced.config)
    next(stream)
    stream.close()
    (duration,) = metered.points()[DURATION]
    assert dict(duration.attributes) == LABELS


def test_neither_what_came_from_the_cache_nor_what_never_ended() -> None:
    metered = Metered()
    model = Counting(cache=InMemoryCache())
    for _ in range(3):
        model.invoke("q", config=metered.traced.config)
    stream = ScriptedModel().stream("q", config=metered.traced.config)
    next(iter(stream))
    metered.traced.handler.close()
    points = metered.points()
    assert points[DURATION][0].count == 1
    assert [point.count for point in points[USAGE]] == [1, 1]


@pytest.mark.parametrize(
    "module",
    [
        "opentelemetry.instrumentation.genai.langchain",
        "opentelemetry.instrumentation.genai.openai",
        "opentelemetry.instrumentation.langchain",
        "opentelemetry.instrumentation.openai",
        "opentelemetry.instrumentation.openai_v2",
    ],
)
def test_another_instrumentation_that_is_on_records_them(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class AnInstrumentor:
        is_instrumented_by_opentelemetry = True

    other = ModuleType(module)
    other.__dict__.update(AnInstrumentor=AnInstrumentor, BaseInstrumentor=AnInstrumentor, makeInstrumentor=print)
    monkeypatch.setitem(sys.modules, module, other)
    assert given_by_another()
    metered = Metered()
    Counting().invoke("q", config=metered.traced.config)
    assert metered.points() == {}
    AnInstrumentor.is_instrumented_by_opentelemetry = False
    Counting().invoke("q", config=metered.traced.config)
    assert metered.points()[DURATION][0].count == 1


def test_the_schema_of_the_names() -> None:
    metered = Metered()
    Counting().invoke("q", config=metered.traced.config)
    (scope,) = metered.scopes()
    assert scope.schema_url == scope.scope.schema_url == names.SCHEMA_URL
    assert metered.traced.call.instrumentation_scope.schema_url == names.SCHEMA_URL  # type: ignore[union-attr]
