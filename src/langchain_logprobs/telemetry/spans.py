"""Where an attribute goes out: the only place that starts, fills and ends spans and emits log records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from langchain_logprobs.capture.received import Chunks
from langchain_logprobs.confidence.findings import Findings, RollUp
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import attributes, genai, names
from langchain_logprobs.telemetry.events import Event
from langchain_logprobs.telemetry.layout import lay_out
from langchain_logprobs.telemetry.metrics import Metrics

SCOPE = "langchain_logprobs"


class Telemetry:
    """Writes runs to OpenTelemetry: spans always, log records and metrics where a provider for them is there."""

    def __init__(
        self,
        settings: Settings,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        logger_provider: LoggerProvider | None,
        version: str,
    ) -> None:
        """Take the providers; None stands for the process's own, even if it is set up later."""
        self._settings = settings
        self._tracer = trace.get_tracer(SCOPE, version, tracer_provider)
        self._metrics = Metrics(meter_provider, version)
        wants_logs = settings.events in ("log", "both")
        self._logger = get_logger(SCOPE, version, logger_provider) if wants_logs else None

    def start_span(
        self, name: str, kind: SpanKind, parent: Span | None, start_time: int, pairs: Iterable[tuple[str, Any]]
    ) -> Span:
        """Start a span without making it current.

        Args:
            name: Its name.
            kind: Its kind.
            parent: The span above it; None for the caller's current span.
            start_time: Nanoseconds since the epoch.
            pairs: Its first attributes, which samplers can see.
        """
        context = None if parent is None else trace.set_span_in_context(parent)
        return self._tracer.start_span(
            attributes.clean(name), context, kind, attributes=_cleaned(pairs), start_time=start_time
        )

    def span_id(self, span: Span) -> str:
        """Return a span's id in hexadecimal."""
        return trace.format_span_id(span.get_span_context().span_id)

    def end_span(self, span: Span, end_time: int, error: BaseException | None, roll_up: RollUp | None = None) -> None:
        """End a span, with the roll-up of the model calls below it, and as failed where an error is given."""
        if roll_up is not None and roll_up.calls:
            pairs = attributes.roll_up(roll_up, capture_text=self._settings.capture_text)
            span.set_attributes(attributes.present(pairs))
        if error is not None:
            span.set_attribute(genai.ERROR_TYPE, _type_name(error))
            # An exception's text may quote what the model wrote (an output parser's does).
            text = attributes.clean(str(error)[:1_000]) if self._settings.capture_text else type(error).__name__
            span.set_status(Status(StatusCode.ERROR, text))
        span.end(end_time)

    def mark_failed(self, span: Span, fault: Exception) -> None:
        """Say on a span that its logprobs could not be recorded, and why."""
        span.set_attribute(names.STATUS, "partial")
        span.set_attribute(names.STATUS_REASON, f"langchain-logprobs failed: {type(fault).__name__}")

    def record_call(
        self,
        span: Span,
        findings: Findings,
        chunks: Chunks,
        end_time: int,
        identity: dict[str, Any],
        response: Iterable[tuple[str, Any]],
    ) -> None:
        """Write what a model call showed on its span, and out as events and metrics; the span stays open.

        Args:
            span: The call's span.
            findings: What it showed.
            chunks: When its tokens arrived.
            end_time: When it ended (nanoseconds since the epoch).
            identity: Its provider, model and operation, by their GenAI names.
            response: What the provider said of its answer, by the GenAI names.
        """
        context = trace.set_span_in_context(span)
        self._metrics.record(findings, identity, context)
        if not span.is_recording():
            return
        settings = self._settings
        summary = attributes.present(
            pair
            for pairs in (
                response,
                attributes.status(findings),
                attributes.summary(findings, capture_text=settings.capture_text),
                attributes.reasoning(findings.reasoning),
                attributes.fields(findings.fields, settings.max_fields, capture_text=settings.capture_text),
            )
            for pair in pairs
        )
        span.set_attributes({key: _clean_value(value) for key, value in summary.items()})
        if findings.has_tokens:
            layout = lay_out(findings, chunks, end_time, settings)
            span.set_attributes(layout.arrays)
            for event in layout.span_events:
                span.add_event(event.name, event.attributes, event.time)
            for event in layout.log_events:
                self._emit(event, context)

    def _emit(self, event: Event, context: Context) -> None:
        assert self._logger is not None
        self._logger.emit(
            timestamp=event.time,
            context=context,
            severity_number=SeverityNumber.INFO,
            event_name=event.name,
            attributes=event.attributes,
        )


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _cleaned(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {key: _clean_value(value) for key, value in pairs if value is not None}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return attributes.clean(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return attributes.clean_all(value)
    return value
