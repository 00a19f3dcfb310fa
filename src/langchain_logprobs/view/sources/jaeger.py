"""Jaeger: its download and older API (`{"data": [...]}`), and the addresses of its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from langchain_logprobs.view.model import EventData, SpanData
from langchain_logprobs.view.sources import otlp_json
from langchain_logprobs.view.sources.download import NotFoundError, get_json
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.restored import restored

NAME = "Jaeger"

_PAGE = re.compile(r"(?P<base>(?!.*/api/).*)/trace/(?P<trace>[0-9a-fA-F]{1,32})/?")
_RECENT = 50  # traces of one service
_ERROR_TAGS = {"error", "otel.status_code", "otel.status_description"}


def page(path: str) -> tuple[str, str | None] | None:
    """Return the part of a page's path before Jaeger's own, and the trace it shows; None for a path that is no page."""
    match = _PAGE.fullmatch(path)
    return (match["base"], match["trace"].lower()) if match else None


def is_at(base: str) -> bool:
    """Whether Jaeger answers at an address."""
    try:
        answer = get_json(f"{base}/api/services")
        # While Jaeger has no traces, its list of services is null.
        return isinstance(answer["data"], list) or (answer["data"] is None and "errors" in answer)
    except KeyError:
        return False
    except NotFoundError:
        return False


def trace(base: str, trace_id: str) -> list[SpanData]:
    """Ask for a trace. Jaeger before 1.35 knows only its older API, whose arrays come as text."""
    try:
        return list(otlp_json.spans_of(get_json(f"{base}/api/v3/traces/{trace_id}")))
    except NotFoundError:
        return list(spans_of(get_json(f"{base}/api/traces/{trace_id}")))


def recent(base: str) -> list[SpanData]:
    """Ask for the latest traces of each service."""
    found: list[SpanData] = []
    for service in get_json(f"{base}/api/services").get("data") or ():
        found.extend(spans_of(get_json(f"{base}/api/traces?service={quote(str(service), safe='')}&limit={_RECENT}")))
    return found


def is_document(document: Any) -> bool:
    """Whether a document is an answer of the older API, or a trace out of it."""
    if not isinstance(document, Mapping):
        return False
    if "traceID" in document and "spans" in document:
        return True
    listed = document.get("data")
    if listed is None:
        return "data" in document and "errors" in document
    return isinstance(listed, list) and all(isinstance(item, Mapping) and "spans" in item for item in listed)


def spans_of(document: Mapping[str, Any]) -> Iterator[SpanData]:
    """Yield the spans of such a document.

    Raises:
        SourceError: Jaeger answered with an error.
        ValueError, TypeError, KeyError, AttributeError: It is not one.
    """
    if not document.get("data") and document.get("errors"):
        said = "; ".join(str(error.get("msg", error)) for error in document["errors"])
        raise SourceError(f"Jaeger says: {said}.\nIt keeps traces for a limited time.")
    for found in [document] if "spans" in document else document["data"]:
        for span in found["spans"]:
            yield _span(span)


def _span(span: Mapping[str, Any]) -> SpanData:
    tags = {str(tag["key"]): tag.get("value") for tag in span.get("tags") or ()}
    start = int(span["startTime"])
    return SpanData(
        trace_id=otlp_json.hex_id(span["traceID"], 32),
        span_id=otlp_json.hex_id(span["spanID"], 16),
        parent_id=_parent(span),
        name=str(span.get("operationName", "")),
        start_ns=start * 1000,
        end_ns=(start + int(span.get("duration") or 0)) * 1000,
        attributes=restored({key: value for key, value in tags.items() if key not in _ERROR_TAGS}),
        events=tuple(_event(log) for log in span.get("logs") or ()),
        error=str(tags.get("otel.status_description") or "") if _failed(tags) else None,
    )


def _failed(tags: Mapping[str, Any]) -> bool:
    return tags.get("otel.status_code") == "ERROR" or tags.get("error") in (True, "true")


def _parent(span: Mapping[str, Any]) -> str | None:
    for reference in span.get("references") or ():
        if reference.get("refType") == "CHILD_OF" and reference.get("traceID") == span["traceID"]:
            return otlp_json.hex_id(reference["spanID"], 16)
    parent = span.get("parentSpanID")  # older than references
    return otlp_json.hex_id(parent, 16) if parent else None


def _event(log: Mapping[str, Any]) -> EventData:
    fields = {str(field["key"]): field.get("value") for field in log.get("fields") or ()}
    name = str(fields.pop("event", ""))
    return EventData(name, int(log["timestamp"]) * 1000, restored(fields))
