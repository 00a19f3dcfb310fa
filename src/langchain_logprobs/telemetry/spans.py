"""Where an attribute goes out: the only place that starts, fills and ends spans and emits log records."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from langchain_logprobs.confidence.inputs import Chunks
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import attributes, names, process
from langchain_logprobs.telemetry.actions import Action
from langchain_logprobs.telemetry.batches import warn_of_large_batches
from langchain_logprobs.telemetry.bounds import bounded, cut_strings, cut_text, most_of_a_string
from langchain_logprobs.telemetry.encoded_size import attributes_size
from langchain_logprobs.telemetry.events import Event, line_of
from langchain_logprobs.telemetry.gate import Gate, clean
from langchain_logprobs.telemetry.layout import Layout, lay_out
from langchain_logprobs.telemetry.messages import FEWEST_MESSAGE_BYTES, output_messages
from langchain_logprobs.telemetry.metrics import Metrics
from langchain_logprobs.telemetry.process import Gap
from langchain_logprobs.telemetry.roll_up import RollUp
from langchain_logprobs.telemetry.sentences import Passage, passage_of

SCOPE = "langchain_logprobs"

logger: logging.Logger = logging.getLogger("langchain_logprobs")

Kind = Literal["internal", "client"]
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class EndedCall(NamedTuple):
    """What there is to write of an ended model call.

    Attributes:
        report: The report on it.
        identity: Its provider, model and operation, by their GenAI names.
        response: What the provider said of its answer, by the GenAI names.
        generations: Its answers, as LangChain's Generations.
        chunks: When its tokens arrived.
        start_time: When it started (nanoseconds since the epoch).
        end_time: When it ended.
        known_paths: Returns what is shown of each field's path where text is not captured.
        failure: Why it failed; None where it did not.
        abandoned: Whether it did not end by itself.
    """

    report: ConfidenceReport
    identity: dict[str, Any]
    response: Sequence[tuple[str, Any]]
    generations: Sequence[Any]
    chunks: Chunks
    start_time: int
    end_time: int
    known_paths: Callable[[], Mapping[str, str]]
    failure: BaseException | None = None
    abandoned: bool = False


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
        self._gate = Gate(capture_text=settings.capture_text)
        self._most = most_of_a_string(settings.span_bytes)
        self._provider = tracer_provider
        self._tracer = trace.get_tracer(SCOPE, version, tracer_provider, names.SCHEMA_URL)
        self._looked_at_batches = False
        self._drained: object = None
        self._metrics = Metrics(meter_provider, version)
        wants_logs = settings.events in ("log", "both")
        self._logger = get_logger(SCOPE, version, logger_provider, names.SCHEMA_URL) if wants_logs else None

    def start_span(
        self, name: str, kind: Kind, parent: Span | None, start_time: int, pairs: Iterable[tuple[str, Any]]
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
        first = cut_strings(self._gate({key: value for key, value in pairs if value is not None}), self._most)
        name = cut_text(clean(name), self._most)
        return self._tracer.start_span(name, context, _KINDS[kind], attributes=first, start_time=start_time)

    def callers_span(self) -> Span:
        """Return the span that is current where this is called from."""
        return trace.get_current_span()

    def is_below(self, root: Span | None, between: Iterable[Span]) -> bool:
        """Tell whether the caller's current span is still the one that it was when a root span started.

        If the caller has opened one since, that is where it wants what comes next.

        Args:
            root: The root span.
            between: It and our spans below it, one of which may be current (telemetry/current.py).
        """
        if root is None:
            return False
        parent = getattr(root, "parent", None)
        current = trace.get_current_span().get_span_context()
        if current.span_id == (0 if parent is None else parent.span_id):
            return True
        return any(current.span_id == each.get_span_context().span_id for each in between)

    def span_id(self, span: Span | None) -> str | None:
        """Return a span's id in hexadecimal; None without one."""
        return None if span is None else trace.format_span_id(span.get_span_context().span_id)

    def without_text(self) -> Telemetry:
        """Return the same, for runs that another handler keeps text in of."""
        private = copy.copy(self)
        private._settings = dataclasses.replace(self._settings, capture_text=False, capture_messages=False)
        private._gate = Gate(capture_text=False)
        return private

    def is_recording(self, span: Span | None) -> bool:
        """Tell whether what is written on a span goes anywhere."""
        return span is not None and span.is_recording()

    @property
    def counts(self) -> bool:
        """Whether metrics go anywhere."""
        return self._metrics.enabled

    def gap(self) -> Gap | None:
        """Tell what keeps spans from going anywhere; None where nothing does, or where somebody wanted it so."""
        gap = process.gap(self._provider)
        return None if gap == "no provider" and self._metrics.enabled else gap

    def end_span(
        self,
        span: Span | None,
        end_time: int,
        error: BaseException | None,
        roll_up: RollUp | None = None,
        messages: Iterable[tuple[str, Any]] = (),
    ) -> None:
        """End a span, with the roll-up of the model calls below it, and as failed where an error is given.

        Args:
            span: The span; None does nothing.
            end_time: Nanoseconds since the epoch.
            error: Why it failed, None where it did not.
            roll_up: Of a run that is no model call.
            messages: What an agent or a workflow was given and answered.
        """
        if span is None:
            return
        try:
            if roll_up is not None:
                self.write_roll_up(span, roll_up, messages)
            if error is not None:
                span.set_attribute(names.ERROR_TYPE, cut_text(clean(_type_name(error)), self._most))
                # An exception's text may quote what the model wrote (an output parser's does).
                text = _text_of(error) if self._settings.capture_text else type(error).__name__
                span.set_status(Status(StatusCode.ERROR, cut_text(text, self._most)))
        finally:
            span.end(end_time)

    def write_roll_up(self, span: Span, roll_up: RollUp, messages: Iterable[tuple[str, Any]] = ()) -> None:
        """Write on a span what is to be told of the model calls below it, and an agent's or a workflow's messages."""
        page = self._page(span) if roll_up.calls else ()
        pairs = attributes.present([*attributes.roll_up(roll_up), *messages, *page])
        gated = cut_strings(self._gate(pairs, roll_up.known_paths), self._most)
        span.set_attributes(bounded(gated, [], self._settings.span_bytes, _size_of_start(span)).attributes)

    def mark_failed(self, span: Span | None, fault: Exception) -> None:
        """Say on a span that its logprobs could not be recorded, and why."""
        if span is None:
            return
        span.set_attribute(names.STATUS, "partial")
        span.set_attribute(names.STATUS_REASON, f"langchain-logprobs failed: {type(fault).__name__}")

    def record_call(self, span: Span | None, call: EndedCall) -> str | None:
        """Write what a model call showed on its span, and out as events and metrics; the span stays open.

        Args:
            span: The call's span; None where neither we nor another instrumentation have one.
            call: What there is to write.

        Returns:
            Its answers as messages, None where they are not recorded.
        """
        report, settings = call.report, self._settings
        context = trace.set_span_in_context(trace.INVALID_SPAN if span is None else span)
        self._metrics.record(report, call.identity, context)
        if not (report.cached or call.abandoned):
            seconds = max(0, call.end_time - call.start_time) / 1e9
            failure = None if call.failure is None else _type_name(call.failure)
            self._metrics.standard.record(seconds, call.identity, dict(call.response), failure, context)
        if span is None or not span.is_recording():
            return None
        passage = passage_of(report) if settings.capture_text else Passage("", [])
        layout = None
        if report.has_tokens:
            self._look_at_batches()
            layout = lay_out(report, passage, call.chunks, call.start_time, call.end_time, settings)
        summary = attributes.present(
            pair
            for pairs in (
                call.response,
                attributes.status(report),
                attributes.summary(report),
                attributes.reasoning(report),
                attributes.fields(report, settings.max_fields),
                self._page(span),
                self._texts(call, passage, layout),
            )
            for pair in pairs
        )
        paths = call.known_paths() if not settings.capture_text else None
        gated = self._gate(summary, paths)
        events: list[Event] = []
        if layout is not None:
            gated.update(self._gate(layout.arrays))
            events = [event._replace(attributes=self._gate(event.attributes)) for event in layout.span_events]
        fitting = bounded(gated, events, settings.span_bytes, _size_of_start(span))
        span.set_attributes(fitting.attributes)
        for event in fitting.events:
            span.add_event(event.name, event.attributes, event.time)
        for event in layout.log_events if layout is not None else ():
            self._emit(event, context)
        answers: str | None = fitting.attributes.get(names.OUTPUT_MESSAGES)
        return answers

    def _page(self, span: Span) -> Iterator[tuple[str, Any]]:
        """Yield the link to the page that shows a span."""
        if self._settings.page_url is not None:
            context = span.get_span_context()
            page = self._settings.page_url.replace("{trace_id}", trace.format_trace_id(context.trace_id))
            yield names.PAGE, page.replace("{span_id}", trace.format_span_id(context.span_id))

    def _look_at_batches(self) -> None:
        if not self._looked_at_batches:
            self._looked_at_batches = True
            warn_of_large_batches(self.provider_in_force(), self._settings)

    def drain_before_flush(self, drain: Callable[[float], bool]) -> None:
        """See to it that a flush or the shutdown of the provider in force first ends the spans that still are to be.

        Args:
            drain: Ends them, within so many seconds.
        """
        provider = self.provider_in_force()
        if provider is self._drained:
            return
        self._drained = provider
        try:
            from langchain_logprobs.telemetry.draining import add_first
        except ModuleNotFoundError:  # a provider of somebody's own, without OpenTelemetry's SDK
            known = False
        else:
            known = add_first(provider, drain)
        if not known and hasattr(provider, "force_flush"):  # one that does nothing has none
            _say_not_drained(type(provider).__name__)

    def provider_in_force(self) -> TracerProvider | None:
        """Return the provider that spans go to; None while the process has none of its own."""
        return process.tracer_provider() if process.is_own(self._provider) else self._provider

    def record_action(self, span: Span, taken: Action, time: int, *, with_event: bool) -> None:
        """Write on a span what was done about an unsure answer.

        Args:
            span: The span.
            taken: What was done.
            time: When (nanoseconds since the epoch).
            with_event: Whether the event belongs here; the spans above have the attribute alone.
        """
        span.set_attributes(self._gate({names.ACTION: taken.action}))
        if not with_event:
            return
        event = Event(names.ACTION_EVENT, time, attributes.present(taken.pairs()))
        if self._settings.events in ("span", "both"):
            span.add_event(event.name, self._gate(event.attributes), event.time)
        if self._logger is not None:
            self._emit(event, trace.set_span_in_context(span))

    def _texts(self, call: EndedCall, passage: Passage, layout: Layout | None) -> Iterator[tuple[str, Any]]:
        """Yield what a person reads: the answer, as messages and with its unsure places."""
        settings = self._settings
        if not settings.capture_text:
            return
        if call.report.has_tokens:
            yield names.ANSWER, passage.line()
        if call.generations:
            # A long answer stands in the arrays already; repeated whole it would make the span a quarter larger.
            room = None if settings.capture_messages or layout is None else max(layout.room, FEWEST_MESSAGE_BYTES)
            yield names.OUTPUT_MESSAGES, output_messages(call.report, call.generations, passage, room)

    def _emit(self, event: Event, context: Context) -> None:
        assert self._logger is not None
        self._logger.emit(
            timestamp=event.time,
            context=context,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            event_name=event.name,
            attributes=self._gate(event.attributes),
            body=clean(line_of(event, with_text=self._settings.capture_text)),
        )


@cache
def _say_not_drained(provider: str) -> None:
    logger.warning(
        "langchain-logprobs: a flush or the shutdown of this %s does not wait for deferred endings "
        "(Settings.deferred): call the handler's flush() before",
        provider,
    )


def _size_of_start(span: Span) -> int:
    """Return what a span got when it started, as far as the SDK shows it; who has added to it since is not cut for."""
    attributes = getattr(span, "attributes", None)
    return attributes_size(attributes) + 4 * len(getattr(span, "name", ""))


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text_of(error: BaseException) -> str:
    try:
        return clean(str(error)[:1_000])
    except Exception:  # a class of somebody's own, whose __str__ fails
        return type(error).__name__
