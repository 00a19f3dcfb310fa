"""What is counted: every metric of every kind of call, by its labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from langchain_logprobs.telemetry.metrics import Metrics
from tests.repros.calls import Token, entries
from tests.support import ScriptedModel, Traced

LABELS = {
    "gen_ai.provider.name": "scriptedmodel",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "scripted-1",
}
SURE: list[Token] = [("Lima", -0.05), (".", -0.01)]
UNSURE: list[Token] = [("Quito", -2.5), (" or", -0.1), (" La", -2.0), (" Paz", -0.3), (".", -0.01)]
CENSORED: list[Token] = [("Oz", -9999.0, [("Lima", -0.1), ("Quito", -3.0)]), (".", -0.01), ("x", None)]


def metered(*calls: Sequence[Token], **model: Any) -> dict[str, list[Any]]:
    """The data points of each metric after some calls."""
    reader = InMemoryMetricReader()
    traced = Traced(meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    for tokens in calls:
        ScriptedModel(entries=entries(tokens), **model).invoke("q", config=traced.config)
    (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics  # type: ignore[union-attr]
    return {metric.name: list(metric.data.data_points) for metric in scope.metrics}


@pytest.mark.parametrize(
    ("calls", "scored", "low"),
    [
        ([UNSURE], 5, 2),
        ([UNSURE, SURE, UNSURE], 12, 4),
        ([CENSORED], 1, 2),  # a token without an honest logprob is low too
        ([CENSORED, UNSURE], 6, 4),
        ([SURE], 2, None),
    ],
)
def test_tokens_and_low_tokens(calls: list[list[Token]], scored: int, low: int | None) -> None:
    points = metered(*calls)
    (tokens,) = points["logprobs.tokens"]
    assert (tokens.value, dict(tokens.attributes)) == (scored, LABELS)
    found = points.get("logprobs.low_confidence.tokens", [])
    assert [(point.value, dict(point.attributes)) for point in found] == ([] if low is None else [(low, LABELS)])


def test_confidence_and_weakest_token_of_each_call() -> None:
    points = metered(SURE, UNSURE)
    (confidence,), (weakest,) = points["logprobs.generation.confidence"], points["logprobs.generation.min_probability"]
    means = [math.fsum(token[1] for token in tokens) / len(tokens) for tokens in (SURE, UNSURE)]  # type: ignore[misc]
    assert confidence.count == weakest.count == 2
    assert confidence.sum == pytest.approx(sum(map(math.exp, means)))
    assert weakest.sum == pytest.approx(math.exp(-0.05) + math.exp(-2.5))
    assert dict(confidence.attributes) == dict(weakest.attributes) == LABELS


def test_generations_by_status_and_level() -> None:
    points = metered(SURE, UNSURE, UNSURE, [])
    assert {
        (point.attributes["logprobs.status"], point.attributes.get("logprobs.confidence.level")): point.value
        for point in points["logprobs.generations"]
    } == {("recorded", "high"): 1, ("recorded", "low"): 2, ("missing", None): 1}


def test_a_cached_answer_was_counted_when_it_was_made() -> None:
    points = metered(UNSURE, UNSURE, cache=InMemoryCache())
    assert points["logprobs.generations"][0].value == 1
    assert points["logprobs.tokens"][0].value == 5
    assert points["logprobs.low_confidence.tokens"][0].value == 2


def test_whether_anybody_collects_them() -> None:
    assert not Metrics(NoOpMeterProvider(), "1").enabled
    assert Metrics(MeterProvider(shutdown_on_exit=False), "1").enabled
    assert not Metrics(None, "1").enabled  # no provider is set in this process
