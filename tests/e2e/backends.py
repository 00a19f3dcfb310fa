"""Real trace backends, Jaeger and Phoenix: install them into the cache, start them, send to them, read back from them.

Both read functions give spans in one form (`SpanData`), and `sent` gives that form for a span of the SDK, so that a
test compares what came back with what was handed to the exporter.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter

from tests.e2e.processes import cache_dir, free_ports, get_json, locked, serving

# v1.76.0 is the tag that holds Jaeger 2.13. jaeger/go.mod pins it with everything below it, and go.sum is Jaeger's own.
JAEGER_PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
JAEGER_MODULE = Path(__file__).parent / "jaeger"
JAEGER_BUILD_TIMEOUT = 1800.0  # about 230 s of processor time from nothing

LOCKS = Path(__file__).parents[2] / "locks"
INSTALL_TIMEOUT = 900.0  # about 600 MB

START_TIMEOUT = 120.0


class EventData(NamedTuple):
    """An event as both sides know it; its time is among those of the span."""

    name: str
    attributes: dict[str, Any]


class SpanData(NamedTuple):
    """A span as both sides know it; ids in hexadecimal.

    Attributes:
        times: Its start, its end, and the time of each event, in nanoseconds since the epoch.
    """

    name: str
    span_id: str
    parent_id: str | None
    times: list[int]
    attributes: dict[str, Any]
    events: list[EventData]


class Backend(Protocol):
    """What the tests need of a backend."""

    @property
    def name(self) -> str: ...
    @property
    def time_error(self) -> int:
        """Nanoseconds that a time may be off after the backend has kept it."""

    @property
    def http_endpoint(self) -> str: ...
    @property
    def grpc_endpoint(self) -> str: ...

    def read(self, service: str, trace_id: str) -> list[SpanData]:
        """Return a trace's spans, as many as have arrived, in no particular order."""

    def find_roots(self, service: str, root_name: str, attributes: Mapping[str, str]) -> set[str]:
        """Return the ids of the traces whose root span carries these attributes, by the backend's own search."""

    def own_attribute(self, key: str) -> bool:
        """Whether the backend itself adds this attribute to what it is sent."""


def sent(span: ReadableSpan) -> SpanData:
    """Return a finished span of the SDK as a backend should give it back."""
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return SpanData(
        span.name,
        format(span.context.span_id, "016x"),
        format(span.parent.span_id, "016x") if span.parent else None,
        [span.start_time, span.end_time, *(event.timestamp for event in span.events)],
        _lists(span.attributes),
        [EventData(event.name, _lists(event.attributes)) for event in span.events],
    )


def exporter(backend: Backend, protocol: str, **options: Any) -> SpanExporter:
    """Return the real OTLP exporter that sends to a backend over "http" or "grpc"."""
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter(endpoint=backend.http_endpoint, **options)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

    return GrpcExporter(endpoint=backend.grpc_endpoint, insecure=True, **options)


@dataclass(frozen=True)
class Jaeger:
    """Jaeger 2 with its memory storage. It keeps OTLP as it came: nanoseconds and typed arrays."""

    query_url: str
    http_endpoint: str
    grpc_endpoint: str
    name: str = "jaeger"
    time_error: int = 0

    def read(self, service: str, trace_id: str) -> list[SpanData]:
        try:
            answer = get_json(f"{self.query_url}/api/v3/traces/{trace_id}")
        except OSError:  # 404 until the first span is there
            return []
        return [
            SpanData(
                span["name"],
                span["spanId"],
                span.get("parentSpanId") or None,
                [
                    int(span["startTimeUnixNano"]),
                    int(span["endTimeUnixNano"]),
                    *(int(event["timeUnixNano"]) for event in span.get("events", ())),
                ],
                _otlp_attributes(span),
                [EventData(event["name"], _otlp_attributes(event)) for event in span.get("events", ())],
            )
            for resource in answer["result"]["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def find_roots(self, service: str, root_name: str, attributes: Mapping[str, str]) -> set[str]:
        # The search that stands behind the "Tags" field of Jaeger's UI. One span must match all of it, so asking for
        # the root's own name makes sure that it is the root that was found.
        query = {"service": service, "operation": root_name, "tags": json.dumps(dict(attributes)), "limit": 100}
        return {trace["traceID"] for trace in get_json(f"{self.query_url}/api/traces?{urlencode(query)}")["data"]}

    def own_attribute(self, key: str) -> bool:
        return False


@dataclass(frozen=True)
class Phoenix:
    """Phoenix with its SQLite storage. It keeps microseconds, and nests dotted keys (its REST API joins them again)."""

    url: str
    http_endpoint: str
    grpc_endpoint: str
    name: str = "phoenix"
    time_error: int = 1000

    def read(self, service: str, trace_id: str) -> list[SpanData]:
        return [
            SpanData(
                span["name"],
                span["context"]["span_id"],
                span["parent_id"],
                [_nanoseconds(span["start_time"]), _nanoseconds(span["end_time"])]
                + [_nanoseconds(event["timestamp"]) for event in span["events"]],
                # The kind is no attribute any more.
                {**span["attributes"], "openinference.span.kind": span["span_kind"]},
                [EventData(event["name"], event["attributes"]) for event in span["events"]],
            )
            for span in self._spans(service, trace_id=trace_id)
        ]

    def find_roots(self, service: str, root_name: str, attributes: Mapping[str, str]) -> set[str]:
        asked = [f"{key}:{value}" for key, value in attributes.items()]
        found = self._spans(service, parent_id="null", name=root_name, attribute=asked)
        return {span["context"]["trace_id"] for span in found}

    def own_attribute(self, key: str) -> bool:
        # Phoenix translates gen_ai.* into OpenInference's names and keeps both.
        return key.split(".")[0] in {"openinference", "llm", "input", "output", "session", "tool", "metadata"}

    def _spans(self, project: str, **query: Any) -> list[dict[str, Any]]:
        asked = urlencode({**query, "limit": 100}, doseq=True)
        try:
            found: list[dict[str, Any]] = get_json(f"{self.url}/v1/projects/{project}/spans?{asked}")["data"]
        except OSError:  # 404 until the project's first span is there
            return []
        return found


def has_go() -> bool:
    """Whether Go is installed, without which there is no Jaeger to install (it is on no other registry)."""
    return shutil.which("go") is not None


def install_jaeger() -> Path:
    """Build Jaeger from the Go module proxy, once, and return the binary."""
    version = next(line.split()[1] for line in _go_mod() if line.startswith("github.com/jaegertracing/jaeger v"))
    binary = cache_dir() / f"jaeger-{version}"
    with locked(cache_dir() / "jaeger.lock"):
        if not binary.exists():
            # `go install ...@version` refuses Jaeger for the replace directive in its go.mod, hence a module of our
            # own that requires it. No optimisation and no debug information: the build takes half the time, and
            # Jaeger is fast enough. No cgo: no C compiler needed.
            building = binary.with_name(f"{binary.name}.building")
            _run(
                [
                    "go",
                    "build",
                    "-o",
                    str(building),
                    "-gcflags=all=-N -l -dwarf=false",
                    "-ldflags=-s -w",
                    JAEGER_PACKAGE,
                ],
                cwd=JAEGER_MODULE,
                env={"CGO_ENABLED": "0"},
                timeout=JAEGER_BUILD_TIMEOUT,
            )
            building.rename(binary)
    return binary


@contextmanager
def running_jaeger(folder: Path) -> Iterator[Jaeger]:
    """Run Jaeger on free ports of 127.0.0.1."""
    binary = install_jaeger()
    query, query_grpc, otlp_http, otlp_grpc = free_ports(4)
    env = {
        "JAEGER_QUERY_HTTP_PORT": str(query),
        "JAEGER_QUERY_GRPC_PORT": str(query_grpc),
        "JAEGER_OTLP_HTTP_PORT": str(otlp_http),
        "JAEGER_OTLP_GRPC_PORT": str(otlp_grpc),
    }
    url = f"http://127.0.0.1:{query}"
    with serving(
        [str(binary), f"--config=file:{JAEGER_MODULE / 'config.yaml'}"],
        ready_url=f"{url}/api/services",
        log=folder / "jaeger.log",
        timeout=START_TIMEOUT,
        env=env,
    ):
        yield Jaeger(url, f"http://127.0.0.1:{otlp_http}/v1/traces", f"http://127.0.0.1:{otlp_grpc}")


def installed(name: str) -> Path:
    """Install a backend into a virtual environment of its own (150 packages that nobody else should meet), once."""
    requirements = LOCKS / f"{name}.txt"
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    venv = cache_dir() / f"{name}-{lock}-py{sys.version_info.major}.{sys.version_info.minor}"
    complete = venv / "complete"
    with locked(cache_dir() / f"{name}.lock"):
        if not complete.exists():
            python = str(venv / "bin" / "python")
            uv = shutil.which("uv")
            if uv:
                _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], timeout=60)
                install = [uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(requirements)]
            else:
                _run([sys.executable, "-m", "venv", "--clear", str(venv)], timeout=120)
                install = [python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
            _run(install, timeout=INSTALL_TIMEOUT)
            complete.touch()
    return venv


@contextmanager
def running_phoenix(folder: Path) -> Iterator[Phoenix]:
    """Run Phoenix on free ports, with everything switched off that is not receiving and showing traces."""
    program = installed("phoenix") / "bin" / "phoenix"
    http, grpc = free_ports(2)
    env = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http),
        "PHOENIX_GRPC_PORT": str(grpc),  # on all addresses: Phoenix has no setting for it
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        # The assistant comes with a server-side shell and web access.
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_AGENTS_DISABLE_BASH": "true",
        "PHOENIX_AGENTS_DISABLE_WEB_ACCESS": "true",
        "PHOENIX_AGENTS_DISABLE_GITHUB": "true",
    }
    url = f"http://127.0.0.1:{http}"
    with serving(
        [str(program), "serve"],
        ready_url=f"{url}/healthz",
        log=folder / "phoenix.log",
        timeout=START_TIMEOUT,
        env=env,
    ):
        yield Phoenix(url, f"{url}/v1/traces", f"http://127.0.0.1:{grpc}")


def _run(
    command: Sequence[str], *, timeout: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end; its output is shown only if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def _go_mod() -> list[str]:
    return [line.strip() for line in (JAEGER_MODULE / "go.mod").read_text().splitlines()]


def _lists(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The SDK keeps arrays as tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in (attributes or {}).items()}


def _otlp_attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {each["key"]: _otlp_value(each["value"]) for each in holder.get("attributes", ())}


def _otlp_value(value: Mapping[str, Any]) -> Any:
    """Read OTLP's JSON, where 64-bit integers are strings and a float may be written as an integer."""
    ((kind, content),) = value.items()
    if kind == "arrayValue":
        return [_otlp_value(each) for each in content.get("values", ())]
    return {"intValue": int, "doubleValue": float}.get(kind, lambda same: same)(content)


def _nanoseconds(iso: str) -> int:
    since_epoch = datetime.fromisoformat(iso) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return since_epoch // timedelta(microseconds=1) * 1000
