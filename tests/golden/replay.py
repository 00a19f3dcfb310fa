"""Recorded callbacks through a real handler, and what OpenTelemetry got of it in a form that is equal every time.

A time becomes the callback in which it was taken ("on_llm_new_token 3"): the callbacks of a replay lie apart, so that
each time has exactly one. A span's id becomes the number of the span among the record's spans, in the order in which
they ended. What is left (names, attributes, events, log records, metrics) is written as it is, floats to the last bit.
"""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsCallbackHandler, Settings

from .recording import Event, Record, anonymous

Flat = dict[str, Any]
"""Everything about one span, or one point of a metric, by name: JSON's values only."""

SETTINGS = {
    "default": Settings(),
    "everything": Settings(alternatives="all", events="both", capture_messages=True, low_probability=0.9),
    "no text": Settings(capture_text=False, events="log"),
    "tight": Settings(
        alternatives="all", span_bytes=4096, detail_bytes=0, max_fields=2, max_stretches=2, max_chunk_events=4,
        spans="llm",
    ),
}  # fmt: skip
"""What the records are replayed with: each switch of what is written is in one of them."""

SECONDS_SINCE_START = ("gen_ai.response.time_to_first_chunk", "logprobs.time_to_first_token")
"""Attributes that hold a time: seconds since the span's start."""

MICROSECONDS_SINCE_START = ("logprobs.chunk.offsets_us",)
"""Attributes that hold several: microseconds since the span's start."""

COMPARED = ("value", "sum", "min", "max", "bucket_counts", "explicit_bounds", "count")
"""What is compared of a point: nothing else of it is the same in every run."""

MEASURED_TIME = ("gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk")
"""Metrics of durations: of their points only the counts are comparable."""

_OF_ONE_RUN = re.compile(r"time_to_first|span_id$|^gen_ai\.response\.id$")

GAP = 2_000
"""Between two callbacks of a replay (nanoseconds): more than the rounding of a time in seconds."""


class Replayed(NamedTuple):
    """What came of one record.

    Attributes:
        spans: Its spans in the order of their ends, flat.
        raw: The same spans as OpenTelemetry's SDK has them.
    """

    spans: list[Flat]
    raw: list[ReadableSpan]


class Replayer:
    """One handler with providers of its own, through which records are replayed one after the other."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        tracer_provider = TracerProvider(shutdown_on_exit=False)
        tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        # Renamed in opentelemetry-sdk 1.39.
        kind = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
        self._logs = kind()
        logger_provider = LoggerProvider(shutdown_on_exit=False)
        logger_provider.add_log_record_processor(log_export.SimpleLogRecordProcessor(self._logs))
        self._reader = InMemoryMetricReader()
        self.handler = LogprobsCallbackHandler(
            settings or Settings(),
            tracer_provider=tracer_provider,
            logger_provider=logger_provider,
            meter_provider=MeterProvider([self._reader], shutdown_on_exit=False),
        )

    def replay(self, events: Iterable[Event]) -> Replayed:
        """Call the handler as LangChain called the recorder, then close what was left open."""
        marks = _Marks()
        for event in events:
            callback = getattr(self.handler, event.name, None)
            if callback is not None:
                marks.enter(event.name)
                callback(*event.args, **event.kwargs)
                marks.leave()
        marks.enter("close")
        self.handler.close()
        raw, logs = self._take()
        return Replayed(list(_flat_spans(raw, logs, marks)), raw)

    def check(self, record: Record) -> None:
        """Assert that a record tells all: replayed, it gives what this handler wrote while the record was made."""
        self.handler.close()
        live, again = self._take()[0], Replayer().replay(record.events()).raw
        # Of the ports of the local servers a record says as little as of the ids.
        assert anonymous([_told(span) for span in live]) == anonymous([_told(span) for span in again]), (
            f"{record.name}: a replay gives other spans than the call did"
        )

    def _take(self) -> tuple[list[ReadableSpan], list[Any]]:
        """Return the spans and the log records since the last time."""
        raw = list(self.exporter.get_finished_spans())
        logs = [item.log_record for item in self._logs.get_finished_logs()]
        self.exporter.clear()
        self._logs.clear()
        return raw, logs

    def metrics(self) -> dict[str, Flat]:
        """Return the metrics of all records so far: each point by its metric's name and its attributes."""
        data = self._reader.get_metrics_data()
        points: dict[str, Flat] = {}
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        for metric in (metric for scope in scopes for metric in scope.metrics):
            kept = COMPARED[-1:] if metric.name in MEASURED_TIME else COMPARED
            for point in metric.data.data_points:
                values = json.loads(point.to_json())
                labels = json.dumps(values["attributes"], sort_keys=True)
                flat = {f"{metric.name} {key}": values[key] for key in kept if key in values}
                points[f"{metric.name} {labels}"] = {"unit": metric.unit, **flat}
        return dict(sorted(points.items()))


class _Marks:
    """When each callback of a replay ran, to say in which one a time was taken."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._names: list[str] = []
        self._counts: dict[str, int] = {}

    def enter(self, name: str) -> None:
        """Note that a callback is about to be called."""
        count = self._counts[name] = self._counts.get(name, -1) + 1
        self._starts.append(time.time_ns())
        self._names.append(f"{name} {count}")

    def leave(self) -> None:
        """Wait until no time of the next callback can be taken for one of the last."""
        end = time.time_ns()
        while time.time_ns() < end + GAP:
            pass

    def name_of(self, at: int | None) -> str | None:
        """Return the callback in which a time was taken (nanoseconds since the epoch)."""
        if at is None:
            return None
        index = bisect_right(self._starts, at + GAP // 2) - 1
        return self._names[index] if index >= 0 else "before"


def _flat_spans(raw: list[ReadableSpan], logs: list[Any], marks: _Marks) -> Iterator[Flat]:
    numbers = {_id(span): f"span {index}" for index, span in enumerate(raw)}
    for span in raw:
        flat: Flat = {
            "span name": span.name,
            "span kind": span.kind.name,
            "span parent": None if span.parent is None else numbers.get(f"{span.parent.span_id:016x}", "unknown"),
            "span status": span.status.status_code.name,
            "span status description": span.status.description,
            "span start": marks.name_of(span.start_time),
            "span end": marks.name_of(span.end_time),
            "span scope": span.instrumentation_scope.name if span.instrumentation_scope else None,
            "span links": len(span.links),
            "span events": [event.name for event in span.events],
        }
        for name, value in (span.attributes or {}).items():
            if name in SECONDS_SINCE_START:
                value = marks.name_of((span.start_time or 0) + round(float(value) * 1e9))  # type: ignore[arg-type]
            if name in MICROSECONDS_SINCE_START and isinstance(value, tuple):
                value = [marks.name_of((span.start_time or 0) + int(each) * 1_000) for each in value]  # type: ignore[arg-type, assignment]
            flat[name] = _plain(value, numbers)
        rows = [(event.name, marks.name_of(event.timestamp), event.attributes) for event in span.events]
        flat |= _columns("event", rows, numbers)
        mine = [log for log in logs if log.span_id == (span.context.span_id if span.context else None)]
        flat["span log records"] = [log.event_name for log in mine]
        flat |= _columns(
            "log", [(log.event_name, marks.name_of(log.timestamp), _log_fields(log)) for log in mine], numbers
        )
        yield {name: flat[name] for name in sorted(flat)}


def _told(span: ReadableSpan) -> tuple[Any, ...]:
    """Return what a span says that is no time and no id."""
    attributes = {name: value for name, value in (span.attributes or {}).items() if not _OF_ONE_RUN.search(name)}
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    return span.name, span.kind.name, span.status.status_code.name, attributes, events


def _id(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}" if span.context else ""


def _log_fields(log: Any) -> dict[str, Any]:
    return {**(log.attributes or {}), "body": log.body, "severity": log.severity_number and log.severity_number.name}


def _columns(kind: str, rows: list[tuple[str, str | None, Any]], numbers: dict[str, str]) -> Flat:
    """Return events as columns, each of one attribute over all events of a name: so a difference has one name."""
    columns: Flat = {}
    for name in dict.fromkeys(name for name, _, _ in rows):
        mine = [{**(attributes or {}), "at": at} for each, at, attributes in rows if each == name]
        for key in dict.fromkeys(key for attributes in mine for key in attributes):
            columns[f"{kind} {name} {key}"] = [_plain(attributes.get(key), numbers) for attributes in mine]
    return columns


def _plain(value: Any, numbers: dict[str, str]) -> Any:
    """Return a value as JSON has it, with the ids of spans as their numbers."""
    if isinstance(value, (list, tuple)):
        return [_plain(item, numbers) for item in value]
    return numbers.get(value, value) if isinstance(value, str) else value
