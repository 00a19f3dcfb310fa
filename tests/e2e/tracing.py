"""A handler with a tracer provider of its own, and questions to the spans that it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from langchain_core.runnables import RunnableConfig
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsCallbackHandler, Settings
from tests.support import OpenSpans


class Traced:
    """The handler and what it has written. Use it as a context manager."""

    def __init__(
        self,
        *,
        service: str = "langchain-logprobs-tests",
        processors: Iterable[SpanProcessor] = (),
        settings: Settings | None = None,
    ) -> None:
        # The second name is how Phoenix sorts traces into projects.
        resource = Resource.create({"service.name": service, "openinference.project.name": service})
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(resource=resource)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        for processor in processors:
            self.provider.add_span_processor(processor)
        self._open = OpenSpans()
        self.provider.add_span_processor(self._open)
        self.handler = LogprobsCallbackHandler(settings or Settings(), tracer_provider=self.provider)

    @property
    def config(self) -> RunnableConfig:
        """What a user adds to a call."""
        return {"callbacks": [self.handler]}

    @property
    def open_spans(self) -> int:
        """How many spans have started and not ended."""
        return self._open.count

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans exported so far, in the order of their ends."""
        return list(self._exporter.get_finished_spans())

    @property
    def calls(self) -> list[ReadableSpan]:
        """Those of model calls."""
        return [span for span in self.spans if attributes(span).get("gen_ai.operation.name") in _MODEL_CALLS]

    @property
    def roots(self) -> list[ReadableSpan]:
        """Those without a parent."""
        return [span for span in self.spans if span.parent is None]

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the root down to a span; KeyError where a parent was not exported."""
        by_id = {each.context.span_id: each for each in self.spans if each.context is not None}
        names = [span.name]
        while span.parent is not None:
            span = by_id[span.parent.span_id]
            names.insert(0, span.name)
        return names

    def assert_complete(self) -> None:
        """Nothing is open, nothing was exported twice, and every parent was exported."""
        assert self.handler.open_runs == 0
        ids = Counter(span.context.span_id for span in self.spans if span.context is not None)
        assert set(ids.values()) <= {1}
        for span in self.spans:
            self.path(span)

    def __enter__(self) -> Traced:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.provider.shutdown()


_MODEL_CALLS = ("chat", "text_completion")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """A span's attributes; never None."""
    return dict(span.attributes or {})


def tokens(span: ReadableSpan) -> list[str]:
    """What a model call's span says the tokens were."""
    return list(attributes(span).get("logprobs.tokens", ()))


def values(span: ReadableSpan) -> list[float]:
    """What a model call's span says their logprobs were."""
    return list(attributes(span).get("logprobs.values", ()))


def pairs(span: ReadableSpan) -> list[tuple[str, float]]:
    """The tokens with their logprobs."""
    return list(zip(tokens(span), values(span), strict=True))
