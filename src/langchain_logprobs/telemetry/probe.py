"""Trying the way to a backend: where spans are sent to, and whether one that is sent is taken."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opentelemetry.trace import format_trace_id

from langchain_logprobs.telemetry import names

SPAN_NAME = "langchain-logprobs doctor"
TOKENS = ("It", " works", "é", "!")
VALUES = (-0.1, -2.5, -0.001, -13.25)
SECONDS = 5
"""How long a backend may take for each of: a connection, a span."""

_DEFAULTS = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}
PROTOCOLS = tuple(_DEFAULTS)


class Endpoint(NamedTuple):
    """Where the OTLP exporters of this environment send spans.

    Attributes:
        address: An http or https address.
        protocol: `grpc`, `http/protobuf`, or another one that a variable names.
        said_by: The variable that gives the address; empty where it is the default.
    """

    address: str
    protocol: str
    said_by: str

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.address if "://" in self.address else f"//{self.address}")
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Return where the OTLP exporters of an environment send spans.

    Args:
        environ: The variables to read.
    """
    protocol = _first(environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")[1]
    said_by, address = _first(environ, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not protocol:
        protocol = "grpc" if address.rstrip("/").endswith(":4317") else "http/protobuf"
    return Endpoint(address or _DEFAULTS.get(protocol, _DEFAULTS["http/protobuf"]), protocol, said_by)


def _first(environ: Mapping[str, str], *variables: str) -> tuple[str, str]:
    for variable in variables:
        if text := environ.get(variable, "").strip():
            return variable, text
    return "", ""


def connection_problem(where: Endpoint) -> str | None:
    """Return why nobody answers there; None where somebody does."""
    try:
        host, port = where.place
        with socket.create_connection((host, port), SECONDS):
            return None
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)


class Sent(NamedTuple):
    """A test span that was sent.

    Attributes:
        trace_id: Its trace, in hexadecimal.
        problem: Why it was not taken; None where it was.
    """

    trace_id: str
    problem: str | None


def send(where: Endpoint) -> Sent:
    """Send a span as the exporters of this environment do, with what a model call's span has: arrays, and a word.

    Raises:
        ModuleNotFoundError: The SDK or the exporter for the protocol is not installed.
    """
    exporter = _exporter(where.protocol)
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExportResult

    # The process's own sampler and processors are left out: this span is to arrive.
    span = TracerProvider(shutdown_on_exit=False).get_tracer(SPAN_NAME).start_span(SPAN_NAME)
    span.set_attributes({names.STATUS: "recorded", names.TOKENS: TOKENS, names.VALUES: VALUES})
    span.end()
    trace_id = format_trace_id(span.get_span_context().trace_id)
    if not isinstance(span, ReadableSpan):
        return Sent(trace_id, "the SDK is switched off here (OTEL_SDK_DISABLED)")
    with _said() as lines:
        result = exporter.export([span])
        exporter.shutdown()
    if result is SpanExportResult.SUCCESS:
        return Sent(trace_id, None)
    return Sent(trace_id, lines[-1] if lines else "the exporter says no more than that")


def came_back(attributes: Mapping[str, Any]) -> bool:
    """Tell whether a span that was read back has what was sent."""
    tokens, values = (attributes.get(name) for name in (names.TOKENS, names.VALUES))
    return list(tokens or ()) == list(TOKENS) and list(values or ()) == list(VALUES)


def _exporter(protocol: str) -> Any:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as ByGrpc

        return ByGrpc(timeout=SECONDS)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ByHttp

    return ByHttp(timeout=SECONDS)


@contextmanager
def _said() -> Iterator[list[str]]:
    """Collect what OpenTelemetry's exporters log instead of raising it."""
    lines: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage().splitlines()[0])

    logger, collecting = logging.getLogger("opentelemetry"), Collecting(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(collecting)
    try:
        yield lines
    finally:
        logger.removeHandler(collecting)
        logger.propagate = propagated


def limits(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the limits that an environment puts on every span."""
    for variable, least, loss in (
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 80, "drops a span's oldest attributes, and so its status and level"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", 80, "drops a span's oldest attributes, and so its status and level"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", 96, "drops a span's oldest events, and so when its first tokens came"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", 2_048, "cuts long texts, and JSON in them is no JSON any more"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 2_048, "cuts long texts, and JSON in them is no JSON any more"),
    ):
        text = environ.get(variable, "").strip()
        if text.isdecimal() and int(text) < least:
            yield f"{variable}={text} {loss}: leave it out, or make it {least} or more"


def switched_off(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the variable that switches tracing off, with its value; None where none does."""
    environ = os.environ if environ is None else environ
    for variable, off in (("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")):
        if environ.get(variable, "").strip().lower() == off:
            return f"{variable}={off}"
    return None
