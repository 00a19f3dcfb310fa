"""The metrics that OpenTelemetry's conventions ask of every instrumentation of a model client: duration and usage.

They are recorded where nobody else in the process does, as a number that is counted twice is worse than none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Meter

from langchain_logprobs.telemetry import names

SECONDS = tuple(0.01 * 2**power for power in range(14))
TOKENS = tuple(4**power for power in range(14))

_GIVERS = (
    "opentelemetry.instrumentation.genai.langchain",
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.openai_v2",
)
"""The modules of instrumentations that record the same metrics of the same calls."""

_LABELS = (names.PROVIDER, names.REQUEST_MODEL, names.OPERATION, names.SERVER_ADDRESS, names.SERVER_PORT)


def given_by_another() -> bool:
    """Tell whether another instrumentation of this process that is switched on records these metrics."""
    return any(_is_on(sys.modules.get(module)) for module in _GIVERS)


def _is_on(module: object) -> bool:
    found = [] if module is None else [value for name, value in vars(module).items() if _is_instrumentor(name, value)]
    # OpenTelemetry's own interface; there is one instance of each.
    return any(getattr(instrumentor(), "is_instrumented_by_opentelemetry", False) for instrumentor in found)


def _is_instrumentor(name: str, value: object) -> bool:
    return name.endswith("Instrumentor") and name != "BaseInstrumentor" and isinstance(value, type)


class StandardMetrics:
    """The instruments."""

    def __init__(self, meter: Meter) -> None:
        """Make them on our meter."""

        def histogram(name: str, unit: str, bounds: Sequence[float]) -> Any:
            doc = next(item.doc for item in names.DOCUMENTED if item.name == name)
            return meter.create_histogram(name, unit=unit, description=doc, explicit_bucket_boundaries_advisory=bounds)

        self._duration = histogram(names.METRIC_DURATION, "s", SECONDS)
        self._usage = histogram(names.METRIC_USAGE, "{token}", TOKENS)
        self._first_chunk = histogram(names.METRIC_FIRST_CHUNK, "s", SECONDS)

    def record(
        self,
        seconds: float,
        identity: Mapping[str, Any],
        response: Mapping[str, Any],
        error: str | None,
        context: Context,
    ) -> None:
        """Record one model call, unless another instrumentation does.

        Args:
            seconds: How long it took.
            identity: Its provider, model, operation and server, by their GenAI names.
            response: What the provider said of its answer, by the GenAI names.
            error: The type of its failure; None where it did not fail.
            context: The context with its span.
        """
        if given_by_another():
            return
        labels = {name: identity[name] for name in _LABELS if name in identity}
        if names.RESPONSE_MODEL in response:
            labels[names.RESPONSE_MODEL] = response[names.RESPONSE_MODEL]
        self._duration.record(seconds, labels if error is None else {**labels, names.ERROR_TYPE: error}, context)
        if (first := response.get(names.TIME_TO_FIRST_CHUNK)) is not None:
            self._first_chunk.record(first, labels, context)
        for kind in ("input", "output"):
            if (count := response.get(f"{names.USAGE}{kind}_tokens")) is not None:
                self._usage.record(count, {**labels, names.TOKEN_TYPE: kind}, context)
