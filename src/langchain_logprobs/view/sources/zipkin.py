"""Zipkin: its API and download (version 2 JSON), where every value is a string, and the addresses of its pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_logprobs.view.model import EventData, SpanData
from langchain_logprobs.view.sources.download import NotFoundError, get_json
from langchain_logprobs.view.sources.otlp_json import hex_id
from langchain_logprobs.view.sources.restored import restored

NAME = "Zipkin"

_PAGE = re.compile(r"(?P<base>.*)/zipkin/(?:traces/(?P<trace>[0-9a-fA-F]{1,32}))?/?")
_RECENT = 100
_ERROR_TAGS = {"error", "otel.status_code"}


def page(path: str) -> tuple[str, str | None] | None:
    """Return the part of a page's path before Zipkin's own, and the trace it shows; None for a path that is no page."""
    match = _PAGE.fullmatch(path)
    return (match["base"], match["trace"] and match["trace"].lower()) if match else None


def is_at(base: str) -> bool:
    """Whether Zipkin answers at an address."""
    try:
        return isinstance(get_json(f"{base}/api/v2/services"), list)
    except NotFoundError:
        return False


def trace(base: str, trace_id: str) -> list[SpanData]:
    """Ask for a trace."""
    return list(spans_of(get_json(f"{base}/api/v2/trace/{trace_id}")))


def recent(base: str) -> list[SpanData]:
    """Ask for the latest traces."""
    return list(spans_of(get_json(f"{base}/api/v2/traces?limit={_RECENT}")))


def is_document(document: Any) -> bool:
    """Whether a document is a trace, or a list of traces."""
    first = document[0] if isinstance(document, list) and document else None
    first = first[0] if isinstance(first, list) and first else first
    return isinstance(first, Mapping) and "traceId" in first and "id" in first


def spans_of(document: Any) -> Iterator[SpanData]:
    """Yield the spans of such a document.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It is not one.
    """
    for item in document:
        for span in item if isinstance(item, list) else (item,):
            yield _span(span)


def _span(span: Mapping[str, Any]) -> SpanData:
    tags = span.get("tags") or {}
    start = int(span.get("timestamp") or 0)
    failed = "error" in tags or tags.get("otel.status_code") == "ERROR"
    return SpanData(
        trace_id=hex_id(span["traceId"], 32),
        span_id=hex_id(span["id"], 16),
        parent_id=hex_id(span.get("parentId") or "", 16) or None,
        name=str(span.get("name") or ""),
        start_ns=start * 1000,
        end_ns=(start + int(span.get("duration") or 0)) * 1000,
        attributes=restored({str(key): value for key, value in tags.items() if key not in _ERROR_TAGS}),
        events=tuple(_event(annotation) for annotation in span.get("annotations") or ()),
        error=str(tags.get("error") or "") if failed else None,
    )


def _event(annotation: Mapping[str, Any]) -> EventData:
    """Read an event: exporters write `{"name": {attributes}}`, the collector `name|{attributes}|dropped count`."""
    text = str(annotation.get("value") or "")
    time = int(annotation["timestamp"]) * 1000
    name, bar, rest = text.partition("|")
    try:
        found = json.loads(rest.rpartition("|")[0] if bar and not text.startswith("{") else text)
        if not bar or text.startswith("{"):
            ((name, found),) = found.items()
        return EventData(str(name), time, restored(dict(found)))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return EventData(text, time, {})  # an annotation of something else
