"""Reading spans back from a file of OTLP JSON lines: one export request a line, as OTLP file exporters write it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_logprobs.view.model import EventData, SpanData

_STATUS_ERROR = (2, "STATUS_CODE_ERROR")


class TraceFileError(Exception):
    """A file is not OTLP JSON lines; the message says where, why, and what to do."""


def read_spans(path: str | Path) -> list[SpanData]:
    """Read the spans of a file.

    Args:
        path: A file with one OTLP export request in JSON a line. Lines with logs or metrics are skipped.

    Returns:
        The spans in the order of the file.

    Raises:
        OSError: The file cannot be read.
        TraceFileError: A line is not what it should be; the message names the file, the line and the cure.
    """
    spans: list[SpanData] = []
    # Tokens can hold lone surrogates, and a file can be cut in the middle of a character.
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                spans.extend(_request(json.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise TraceFileError(
                    f"{path}, line {number}: not an OTLP export request in JSON ({type(error).__name__}: {error}).\n"
                    'Each line must be one whole object like {"resourceSpans": [...]}, as FileSpanExporter of the '
                    "package opentelemetry-exporter-otlp-json-file writes it. If the program was stopped while it "
                    "wrote, delete that line."
                ) from error
    return spans


def _request(request: Mapping[str, Any]) -> Iterator[SpanData]:
    for resource in request.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield _span(span)


def _span(span: Mapping[str, Any]) -> SpanData:
    status = span.get("status") or {}
    return SpanData(
        trace_id=_id(span["traceId"]),
        span_id=_id(span["spanId"]),
        parent_id=_id(span.get("parentSpanId") or "") or None,
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


def _id(value: str) -> str:
    """Return an id as lower-case hex. OTLP's JSON says hex; protobuf's own JSON mapping would write base64."""
    if len(value) in (12, 24):
        try:
            return base64.b64decode(value, validate=True).hex()
        except binascii.Error:
            pass
    return value.lower()


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
