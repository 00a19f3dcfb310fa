"""The metrics of each model call, recorded in its span's context so that exemplars lead from a bucket to a trace."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, get_meter

from langchain_logprobs.confidence.findings import Findings
from langchain_logprobs.telemetry import genai, names

PROBABILITY_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Metrics:
    """The instruments."""

    def __init__(self, meter_provider: MeterProvider | None, version: str) -> None:
        """Make the instruments on a meter of the provider, None for the process's own."""
        meter = get_meter("langchain_logprobs", version, meter_provider)

        def histogram(name: str) -> Any:
            doc = next(item.doc for item in names.DOCUMENTED if item.name == name)
            return meter.create_histogram(
                name, unit="1", description=doc, explicit_bucket_boundaries_advisory=PROBABILITY_BUCKETS
            )

        def counter(name: str, unit: str) -> Any:
            doc = next(item.doc for item in names.DOCUMENTED if item.name == name and item.group == "metric")
            return meter.create_counter(name, unit=unit, description=doc)

        self._confidence = histogram(names.METRIC_CONFIDENCE)
        self._min_probability = histogram(names.METRIC_MIN_PROBABILITY)
        self._tokens = counter(names.METRIC_TOKENS, "{token}")
        self._low_tokens = counter(names.METRIC_LOW_TOKENS, "{token}")
        self._generations = counter(names.METRIC_GENERATIONS, "{generation}")

    def record(self, findings: Findings, identity: dict[str, Any], context: Context) -> None:
        """Record one model call.

        Args:
            findings: What it showed.
            identity: Its provider, model and operation, by their GenAI names.
            context: The context with its span.
        """
        labels = {
            key: identity[key] for key in (genai.PROVIDER, genai.REQUEST_MODEL, genai.OPERATION) if key in identity
        }
        generation = {**labels, names.STATUS: findings.status}
        if findings.level is not None:
            generation[names.LEVEL] = findings.level
        self._generations.add(1, generation, context)
        total = findings.total
        if total.confidence is None or total.min_probability is None:
            return
        self._confidence.record(total.confidence, labels, context)
        self._min_probability.record(total.min_probability, labels, context)
        self._tokens.add(total.scored_count, labels, context)
        if total.low_count:
            self._low_tokens.add(total.low_count, labels, context)
