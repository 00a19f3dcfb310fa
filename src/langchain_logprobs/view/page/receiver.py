"""Receiving traces by OTLP over HTTP, so that the page needs no backend: the latest ones are kept in memory."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.page.server import HOST, LocalHandler, LocalServer
from langchain_logprobs.view.sources import otlp_json
from langchain_logprobs.view.sources.documents import unpacked
from langchain_logprobs.view.sources.problems import SourceError

MAX_TRACES = 500
"""More are not kept: the oldest go."""

_MAX_BODY = 64 * 1024 * 1024
_JSON, _PROTOBUF = "application/json", "application/x-protobuf"
_OTHER_SIGNALS = ("/v1/metrics", "/v1/logs")
NO_PROTOBUF = (
    "an exporter sent OTLP as protobuf, which this Python cannot read. Either\n"
    '  pip install "langchain-logprobs[serve]"\n'
    "or let the exporter send JSON (OTEL_EXPORTER_OTLP_PROTOCOL=http/json, where it can)."
)


class Received:
    """The latest traces that were received. Safe to use from several threads."""

    def __init__(self, most: int = MAX_TRACES) -> None:
        """Begin with nothing.

        Args:
            most: How many traces are kept.
        """
        self._most = most
        self._lock = threading.Lock()
        self._traces: OrderedDict[str, list[SpanData]] = OrderedDict()

    def add(self, spans: Iterable[SpanData]) -> None:
        """Keep spans."""
        with self._lock:
            for span in spans:
                self._traces.setdefault(span.trace_id, []).append(span)
                self._traces.move_to_end(span.trace_id)
            while len(self._traces) > self._most:
                self._traces.popitem(last=False)

    def spans(self, trace_id: str | None) -> list[SpanData]:
        """Return the spans of one trace, or with None of all that are kept."""
        with self._lock:
            if trace_id is None:
                return [span for kept in self._traces.values() for span in kept]
            return list(self._traces.get(trace_id.zfill(32), ()))


def otlp_server(port: int, received: Received, say: Callable[[str], None]) -> LocalServer:
    """Return a server that receives traces, not yet running.

    Args:
        port: Of 127.0.0.1; 0 for a free one, which `server_port` then tells.
        received: Where the spans go.
        say: Tells the person at the terminal what is wrong, once.

    Raises:
        OSError: The port is taken.
    """
    told = threading.Event()

    class Handler(LocalHandler):
        def do_POST(self) -> None:
            if not self.names_this_machine():
                return
            if self.headers.get("Origin"):  # an exporter is no web page
                self.answer(HTTPStatus.FORBIDDEN, b"Web pages may not send traces here.\n")
                return
            kind = self.headers.get_content_type()
            status, said = self._receive(kind)
            body = (b"{}" if kind == _JSON else b"") if status is HTTPStatus.OK else said.encode()
            self.answer(status, body, kind if status is HTTPStatus.OK else "text/plain; charset=utf-8")

        def _receive(self, kind: str) -> tuple[HTTPStatus, str]:
            try:
                size = int(self.headers.get("Content-Length", ""))
            except ValueError:
                return HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing."
            if not 0 <= size <= _MAX_BODY:
                self.close_connection = True
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"More than {_MAX_BODY >> 20} MiB."
            body = self.rfile.read(size)
            if self.path in _OTHER_SIGNALS:  # taken, so that the exporter does not complain, and not kept
                return HTTPStatus.OK, ""
            if self.path != "/v1/traces":
                return HTTPStatus.NOT_FOUND, "Traces go to /v1/traces."
            status, said = _take(body, kind, received)
            if status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE and said is NO_PROTOBUF and not told.is_set():
                told.set()
                say(said)
            return status, said

    return LocalServer((HOST, port), Handler)


def _take(body: bytes, kind: str, received: Received) -> tuple[HTTPStatus, str]:
    if kind not in (_JSON, _PROTOBUF):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {_JSON} or {_PROTOBUF}."
    try:
        plain = unpacked(body, "the request")
        received.add(list(otlp_json.spans_of(json.loads(plain) if kind == _JSON else _from_protobuf(plain))))
    except ModuleNotFoundError:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, NO_PROTOBUF
    except (SourceError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return HTTPStatus.BAD_REQUEST, f"Not an OTLP export request ({type(error).__name__}: {error})."
    return HTTPStatus.OK, ""


def _from_protobuf(body: bytes) -> dict[str, Any]:
    """Read a request in protobuf as what it is in JSON, with what the extra `serve` brings (OTLP exporters too).

    Raises:
        ModuleNotFoundError: They are not installed.
        ValueError: It is not such a request.
    """
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        found: dict[str, Any] = MessageToDict(ExportTraceServiceRequest.FromString(body))
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return found
