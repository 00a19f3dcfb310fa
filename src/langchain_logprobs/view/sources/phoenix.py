"""Phoenix: its REST API, and the addresses of its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from langchain_logprobs.view.model import EventData, SpanData
from langchain_logprobs.view.sources.download import NotFoundError, get_json
from langchain_logprobs.view.sources.otlp_json import hex_id
from langchain_logprobs.view.sources.restored import restored

NAME = "Phoenix"

_PAGE = re.compile(
    r"(?P<base>.*)/(?:projects(?:/(?P<project>[^/]+)(?:/traces/(?P<trace>[0-9a-fA-F]{32}))?.*)?"
    r"|redirects/traces/(?P<other>[0-9a-fA-F]{32})/?)"
)
_PAGE_SIZE = 1000
_MAX_SPANS = 20_000  # of one trace; of a project the latest thousand
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def page(path: str) -> tuple[str, str | None] | None:
    """Return the part of a page's path before Phoenix's own, and the trace it shows; None for a path that is no page.

    The project is not asked for: Phoenix finds a trace in each of them.
    """
    match = None if "/v1/" in path else _PAGE.fullmatch(path)
    if match is None:
        return None
    trace_id = match["trace"] or match["other"]
    return match["base"], trace_id and trace_id.lower()


def is_at(base: str) -> bool:
    """Whether Phoenix answers at an address."""
    try:
        return isinstance(_projects(base), list)
    except NotFoundError:
        return False


def trace(base: str, trace_id: str) -> list[SpanData]:
    """Ask each project for a trace."""
    found: list[SpanData] = []
    for project in _projects(base):
        found.extend(_spans(base, project, _MAX_SPANS, trace_id=trace_id))
        if found:
            break
    return found


def recent(base: str) -> list[SpanData]:
    """Ask each project for its latest spans."""
    return [span for project in _projects(base) for span in _spans(base, project, _PAGE_SIZE)]


def is_document(document: Any) -> bool:
    """Whether a document is a page of spans."""
    listed = document.get("data") if isinstance(document, Mapping) else None
    return isinstance(listed, list) and all(
        isinstance(item, Mapping) and isinstance(item.get("context"), Mapping) for item in listed
    )


def spans_of(document: Mapping[str, Any]) -> Iterator[SpanData]:
    """Yield the spans of such a document.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It is not one.
    """
    for span in document["data"]:
        yield _span(span)


def _projects(base: str) -> Any:
    return get_json(f"{base}/v1/projects?limit=100").get("data")


def _spans(base: str, project: Mapping[str, Any], most: int, **query: str) -> list[SpanData]:
    address = f"{base}/v1/projects/{quote(str(project['id']), safe='')}/spans"
    found: list[SpanData] = []
    cursor: dict[str, str] = {}
    while len(found) < most:
        document = get_json(f"{address}?{urlencode({**query, **cursor, 'limit': _PAGE_SIZE})}")
        found.extend(spans_of(document))
        if not document.get("next_cursor"):
            break
        cursor = {"cursor": str(document["next_cursor"])}
    return found


def _span(span: Mapping[str, Any]) -> SpanData:
    return SpanData(
        trace_id=hex_id(span["context"]["trace_id"], 32),
        span_id=hex_id(span["context"]["span_id"], 16),
        parent_id=hex_id(span.get("parent_id") or "", 16) or None,
        name=str(span.get("name", "")),
        start_ns=_nanoseconds(span["start_time"]),
        end_ns=_nanoseconds(span.get("end_time") or span["start_time"]),
        attributes=restored(span.get("attributes") or {}),
        events=tuple(
            EventData(str(event.get("name", "")), _nanoseconds(event["timestamp"]), restored(event["attributes"] or {}))
            for event in span.get("events") or ()
        ),
        error=str(span.get("status_message") or "") if span.get("status_code") == "ERROR" else None,
    )


def _nanoseconds(iso: str) -> int:
    return (datetime.fromisoformat(iso) - _EPOCH) // timedelta(microseconds=1) * 1000
