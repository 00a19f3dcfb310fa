"""`langchain-logprobs doctor`: what is installed, switched on and reached, each in one line, with a cure where not."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_logprobs._version import __version__

if TYPE_CHECKING:
    from langchain_logprobs.cli.installed import Finding
    from langchain_logprobs.telemetry.probe import Endpoint

_LOCAL = ("localhost", "127.0.0.1", "::1")
_WAIT = 10.0
"""Seconds that a backend may take until it shows a span that it has taken."""


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    doctor = commands.add_parser(
        "doctor",
        help="say what keeps traces from showing logprobs, if anything does",
        description="Look at what is installed, which instrumentations are on, which integrations drop logprobs, and "
        "the environment; send one test span to where OTEL_EXPORTER_OTLP_ENDPOINT says, and read it back where the "
        "backend can. Run it where the application runs: under opentelemetry-instrument, if the application is. "
        "The exit code is 1 where something is WRONG.",
    )
    doctor.add_argument("--no-send", action="store_true", help="send no test span")
    doctor.add_argument(
        "--backend",
        metavar="ADDRESS",
        help="of Jaeger, Phoenix, Zipkin or Tempo, to read the test span back from (without it, Jaeger's and Phoenix's "
        "usual ports are tried where the endpoint is on this machine)",
    )
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look at everything; return 1 where something is wrong."""
    wrong = 0
    _say(f"langchain-logprobs {__version__}, Python {platform.python_version()}")
    for finding in _findings(options):
        _say(f"{finding.mark:5}  {finding.text}")
        wrong += finding.mark == "WRONG"
    return int(wrong > 0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    from langchain_logprobs.cli import installed

    yield from installed.packages()
    yield from installed.instrumentations()
    yield from installed.recovery()
    yield from _environment()
    if not options.no_send:
        yield from _way(options.backend)


def _environment() -> Iterator[Finding]:
    from langchain_logprobs.cli.installed import Finding
    from langchain_logprobs.settings import CAPTURE_CONTENT_ENV, ENV_PREFIX, Settings
    from langchain_logprobs.telemetry.probe import limits, switched_off

    said: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, collecting = logging.getLogger("langchain_logprobs"), Collecting(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(collecting)
    try:
        Settings.from_env()
    finally:
        logger.removeHandler(collecting)
        logger.propagate = propagated
    for line in said:
        yield Finding("WRONG", line)
    ours = sorted(name for name in os.environ if name.startswith(ENV_PREFIX) or name == CAPTURE_CONTENT_ENV)
    if ours and not said:
        yield Finding("ok", f"settings: {', '.join(f'{name}={os.environ[name]}' for name in ours)}")
    off = switched_off()
    if off is not None:
        yield Finding("WRONG", f"{off} switches tracing off: take it out of the environment")
    for line in limits(os.environ):
        yield Finding("WRONG", line)


def _way(backend: str | None) -> Iterator[Finding]:
    """Send a span, and look for it."""
    from langchain_logprobs.cli.installed import Finding
    from langchain_logprobs.telemetry import probe

    where = probe.endpoint(os.environ)
    origin = f"{_shown(where.address)} ({where.protocol}, {where.said_by or 'the default'})"
    if where.protocol not in probe.PROTOCOLS:
        known = " and ".join(probe.PROTOCOLS)
        yield Finding("WRONG", f"OTEL_EXPORTER_OTLP_PROTOCOL: {where.protocol!r} is none of {known}")
        return
    problem = probe.connection_problem(where)
    if problem is not None:
        yield Finding(
            "WRONG",
            f"nobody answers at {origin}: {problem}. Start the collector or backend there, or name its address in "
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        )
        return
    try:
        sent = probe.send(where)
    except ModuleNotFoundError as error:
        cure = 'pip install "langchain-logprobs[otlp]"'
        yield Finding("WRONG", f"{origin} answers, and nothing can be sent as {error.name} is missing: {cure}")
        return
    if sent.problem is not None:
        yield Finding("WRONG", f"{origin} did not take a test span: {sent.problem}.{_port_hint(where)}")
        return
    yield Finding("ok", f"{origin} took a test span, trace {sent.trace_id}")
    yield _read_back(where, sent.trace_id, backend)


def _shown(address: str) -> str:
    from langchain_logprobs.view.sources.download import without_password

    return without_password(address)


def _port_hint(where: Endpoint) -> str:
    usual = {4317: "grpc", 4318: "http/protobuf"}.get(where.place[1])
    if usual is None or usual == where.protocol:
        return ""
    return f" Port {where.place[1]} usually speaks the other protocol: OTEL_EXPORTER_OTLP_PROTOCOL={usual}"


def _read_back(where: Endpoint, trace_id: str, backend: str | None) -> Finding:
    """Ask the backend for the span until it has it."""
    from langchain_logprobs.cli.installed import Finding
    from langchain_logprobs.telemetry.probe import SPAN_NAME, came_back
    from langchain_logprobs.view.sources.problems import SourceError
    from langchain_logprobs.view.sources.read import read_source

    candidates = [backend] if backend else _guesses(where)
    trouble = ""
    end = time.monotonic() + _WAIT
    while candidates and time.monotonic() < end:
        for candidate in list(candidates):
            try:
                spans = [span for span in read_source(candidate, trace_id) if span.name == SPAN_NAME]
            except SourceError as error:
                trouble = str(error).splitlines()[0]
                if not backend:
                    candidates.remove(candidate)
                continue
            if spans:
                shown = _shown(candidate)
                if came_back(spans[0].attributes):
                    return Finding("ok", f"{shown} shows it, whole")
                return Finding("WRONG", f"{shown} shows it without its arrays of tokens and logprobs, or changed")
        time.sleep(0.5)
    if backend:
        return Finding("WRONG", f"{_shown(backend)} does not show it after {_WAIT:g} s: {trouble or 'no such trace'}")
    return Finding("note", "it was not read back: name the backend, such as --backend http://localhost:16686")


def _guesses(where: Endpoint) -> list[str]:
    """Where the backend's pages may be, if it is on this machine: Jaeger's port, and Phoenix's, which is OTLP's too."""
    host, port = where.place
    if host not in _LOCAL:
        return []
    shown = f"[{host}]" if ":" in host else host
    scheme = urlsplit(where.address).scheme or "http"
    own = [] if where.protocol == "grpc" or port in (4317, 4318) else [f"{scheme}://{shown}:{port}"]
    return [*own, f"http://{shown}:16686", f"http://{shown}:6006"]
