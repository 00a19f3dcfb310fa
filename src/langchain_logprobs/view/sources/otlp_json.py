"""OTLP in JSON, as file exporters write it and as Jaeger (`/api/v3`) and Tempo answer it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from langchain_logprobs.view.model import EventData, SpanData

_STATUS_ERROR = (2, "STATUS_CODE_ERROR")
_WRAPPERS = ("result", "trace")  # Jaeger's /api/v3 and Tempo's /api/v2
_RESOURCES = ("resourceSpans", "resource_spans", "batches")  # the last one is Tempo's
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_OTHER_SIGNALS = ("resourceLogs", "resourceMetrics", "resourceProfiles")


def is_otlp(document: Any) -> bool:
    """Whether a document is an OTLP export request, of traces or of something else, perhaps wrapped."""
    return isinstance(document, Mapping) and any(key in _unwrapped(document) for key in (*_RESOURCES, *_OTHER_SIGNALS))


def spans_of(document: Mapping[str, Any]) -> Iterator[SpanData]:
    """Yield the spans of an export request.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It is not one.
    """
    request = _unwrapped(document)
    for resource in _first(request, _RESOURCES):
        for scope in _first(resource, _SCOPES):
            for span in scope.get("spans") or ():
                yield _span(span)


def hex_id(value: str, digits: int) -> str:
    """Return an id as lower-case hex of full length: some backends leave out the zeros in front."""
    lower = value.lower()
    return lower.zfill(digits) if lower and all(char in "0123456789abcdef" for char in lower) else lower


def _unwrapped(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in _WRAPPERS:
        inner = document.get(key)
        if isinstance(inner, Mapping):
            return inner
    return document


def _first(holder: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((holder[key] for key in keys if holder.get(key)), ())


def _span(span: Mapping[str, Any]) -> SpanData:
    status = span.get("status") or {}
    return SpanData(
        trace_id=_id(span["traceId"], 32),
        span_id=_id(span["spanId"], 16),
        parent_id=_id(span.get("parentSpanId") or "", 16) or None,
        name=str(span.get("name", "")),
        start_ns=int(span.get("startTimeUnixNano") or 0),
        end_ns=int(span.get("endTimeUnixNano") or 0),
        attributes=_attributes(span.get("attributes")),
        events=tuple(
            EventData(
                str(event.get("name", "")), int(event.get("timeUnixNano") or 0), _attributes(event.get("attributes"))
            )
            for event in span.get("events") or ()
        ),
        error=str(status.get("message") or "") if status.get("code") in _STATUS_ERROR else None,
    )


def _id(value: str, digits: int) -> str:
    """Return an id as lower-case hex. OTLP's JSON says hex; protobuf's own JSON mapping would write base64."""
    if len(value) in (12, 24):
        with suppress(binascii.Error):
            value = base64.b64decode(value, validate=True).hex()
    if not value.strip("0"):  # an id of zeros is none
        return ""
    return hex_id(value, digits)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:
    for kind, content in value.items():
        if kind == "intValue":
            return int(content)
        if kind == "doubleValue":
            return float(content)
        if kind == "arrayValue":
            return [_value(item) for item in (content or {}).get("values") or ()]
        if kind == "kvlistValue":
            return _attributes((content or {}).get("values"))
        return content  # stringValue, boolValue, bytesValue
    return None
