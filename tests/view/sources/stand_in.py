"""A stand-in for a backend: answers GET with what it was given, and keeps what it was asked."""

from __future__ import annotations

import base64
import gzip
import json
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.local_server import LocalServer

RECORDED = Path(__file__).parent / "recorded"

# The traces in the recordings, which are real answers of Jaeger 2.13, Phoenix 20.26 and Zipkin 3.5 to the same spans.
STREAMED = "1cc8b456887bce5dde0ccd809eaaa8c9"
STRUCTURED = "74a624a8643d232249ab58356c362fc3"
CHOICES = "2dcc84f2d5134ac080c75c112bd1429f"
HOSTILE = "02ccc7b77e278caa54d60e79328237c9"
FAILED = "01f8c9c6aef33f38dae87d97a2d62b6d"
TRACES = (STREAMED, STRUCTURED, CHOICES, HOSTILE, FAILED)

PAGE = (200, "text/html", b"<!doctype html><title>Jaeger UI</title>")


def recorded(name: str) -> list[Any]:
    """The documents of a recording, one a trace (of `otlp` one a span)."""
    lines = gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()).decode("utf-8", "surrogatepass")
    return [json.loads(line) for line in lines.split("\n")]


class StandIn(LocalServer):
    """Answers by path; everything else is 404, or a web page where the backend has one for every path."""

    def __init__(self, answers: dict[str, Any], *, pages: bool = False) -> None:
        self.answers = answers
        self.pages = pages
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(_handler(self))


def _handler(stand_in: StandIn) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand_in.asked.append(self.path)
            stand_in.headers.append({name.lower(): value for name, value in self.headers.items()})
            other = PAGE if stand_in.pages else (404, "text/plain", b"404 page not found")
            found = stand_in.answers.get(self.path, stand_in.answers.get(urlsplit(self.path).path, other))
            if not isinstance(found, tuple):
                found = (200, "application/json", json.dumps(found).encode())
            status, kind, body, *headers = found
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def jaeger(**more: Any) -> StandIn:
    """Jaeger 2: both of its APIs, and its UI's page at every other path."""
    answers: dict[str, Any] = {"/api/services": {"data": ["gallery", "a/b"]}, "/api/traces": {"data": []}}
    for trace_id, old, new in zip(TRACES, recorded("jaeger"), recorded("jaeger_v3"), strict=True):
        answers[f"/api/traces/{trace_id}"] = old
        answers[f"/api/v3/traces/{trace_id}"] = new
    answers["/api/traces?service=gallery&limit=50"] = {
        "data": [trace for each in recorded("jaeger") for trace in each["data"]]
    }
    return StandIn(answers | more, pages=True)


def phoenix(**more: Any) -> StandIn:
    """Phoenix: two projects, of which the second has the traces."""
    projects = [{"id": "UHJvamVjdDox", "name": "default"}, {"id": "UHJvamVjdDoy", "name": "gallery"}]
    answers: dict[str, Any] = {"/v1/projects": {"data": projects}}
    answers["/v1/projects/UHJvamVjdDox/spans"] = {"data": [], "next_cursor": None}
    base = "/v1/projects/UHJvamVjdDoy/spans"
    answers[base] = {"data": [], "next_cursor": None}
    everything = [span for each in recorded("phoenix") for span in each["data"]]
    for document in recorded("phoenix"):
        trace_id = document["data"][0]["context"]["trace_id"]
        answers[f"{base}?trace_id={trace_id}&limit=1000"] = document
    answers[f"{base}?limit=1000"] = {"data": everything[:7], "next_cursor": "next one"}
    answers[f"{base}?cursor=next+one&limit=1000"] = {"data": everything[7:], "next_cursor": None}
    return StandIn(answers | more, pages=True)


def zipkin(**more: Any) -> StandIn:
    """Zipkin 3."""
    answers: dict[str, Any] = {"/api/v2/services": ["gallery"], "/api/v2/traces": recorded("zipkin")}
    for trace_id, document in zip(TRACES, recorded("zipkin"), strict=True):
        answers[f"/api/v2/trace/{trace_id}"] = document
    return StandIn(answers | more)


def tempo(**more: Any) -> StandIn:
    """Tempo, by its documentation: OTLP with `batches` and ids in base64. The spans are those of the recordings."""
    answers: dict[str, Any] = {"/api/search": {"traces": [{"traceID": each} for each in TRACES], "metrics": {}}}
    for trace_id in TRACES:
        batches = [
            resource
            for request in recorded("otlp")
            for resource in request["resourceSpans"]
            if resource["scopeSpans"][0]["spans"][0]["traceId"] == trace_id
        ]
        answers[f"/api/traces/{trace_id}"] = json.loads(_in_base64(json.dumps({"batches": batches})))
    return StandIn(answers | more)


def _in_base64(text: str) -> str:
    def encoded(match: re.Match[str]) -> str:
        return f'"{match[1]}": "{base64.b64encode(bytes.fromhex(match[2])).decode()}"'

    return re.sub(r'"(traceId|spanId|parentSpanId)": "([0-9a-f]+)"', encoded, text)
