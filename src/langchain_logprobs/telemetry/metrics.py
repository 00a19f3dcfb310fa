"""The metrics of each model call, recorded in its span's context so that exemplars lead from a bucket to a trace."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider, get_meter, get_meter_provider

from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.standard_metrics import StandardMetrics

PROBABILITY_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Metrics:
    """The instruments."""

    def __init__(self, meter_provider: MeterProvider | None, version: str) -> None:
        """Make the instruments on a meter of the provider, None for the process's own."""
        self._provider = meter_provider
        meter = get_meter("langchain_logprobs", version, meter_provider, names.SCHEMA_URL)
        self.standard: StandardMetrics = StandardMetrics(meter)

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

    @property
    def enabled(self) -> bool:
        """Whether anybody collects metrics; until a provider is set, what is recorded goes nowhere."""
        provider = get_meter_provider() if self._provider is None else self._provider
        # The stand-in for a provider that is not set yet has no public class to ask for.
        return not isinstance(provider, NoOpMeterProvider) and type(provider).__name__ != "_ProxyMeterProvider"

    def record(self, report: ConfidenceReport, identity: dict[str, Any], context: Context) -> None:
        """Record one model call.

        Args:
            report: The report on it.
            identity: Its provider, model and operation, by their GenAI names.
            context: The context with its span.
        """
        labels = {
            key: identity[key] for key in (names.PROVIDER, names.REQUEST_MODEL, names.OPERATION) if key in identity
        }
        if report.cached:  # it was counted when it was made
            return
        generation = {**labels, names.STATUS: report.status}
        if report.level is not None:
            generation[names.LEVEL] = report.level
        self._generations.add(1, generation, context)
        total = report.measures
        low = total.low_count + total.censored_count
        if total.confidence is not None:
            self._confidence.record(total.confidence, labels, context)
            self._tokens.add(total.scored_count, labels, context)
        if report.weakest is not None and report.weakest.probability is not None:
            self._min_probability.record(report.weakest.probability, labels, context)
        if low:
            self._low_tokens.add(low, labels, context)
