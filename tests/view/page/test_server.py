"""The page on this machine, asked over real HTTP: what it shows, and whom it answers."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.page.receiver import Received, otlp_server
from langchain_logprobs.view.page.server import LocalServer, page_server
from langchain_logprobs.view.sources.download import NotFoundError
from langchain_logprobs.view.sources.otlp_json import spans_of
from langchain_logprobs.view.sources.problems import SourceError
from tests.view.sources.stand_in import HOSTILE, STRUCTURED, TRACES, recorded

SPANS = [span for document in recorded("otlp") for span in spans_of(document)]


def from_memory(trace_id: str | None) -> list[SpanData]:
    return [span for span in SPANS if trace_id is None or span.trace_id == trace_id]


@contextmanager
def running(server: LocalServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with running(page_server(0, from_memory)) as found:
        yield found


def ask(
    port: int, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text
    finally:
        connection.close()


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def test_the_list_and_the_page_of_each_trace(port: int) -> None:
    status, headers, page = ask(port, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    listed = data_of(page)["traces"]
    assert {row["id"] for row in listed} == set(TRACES)
    assert all("spans" not in row for row in listed)
    for trace_id in TRACES:
        status, _, page = ask(port, f"/trace/{trace_id}")
        data = data_of(page)
        assert (status, data["home"], [trace["id"] for trace in data["traces"]]) == (200, "/", [trace_id])
        assert len(data["traces"][0]["spans"]) == len(from_memory(trace_id))


def test_what_the_browser_is_told(port: int) -> None:
    for path in ("/", f"/trace/{HOSTILE}", "/nothing"):
        _, headers, page = ask(port, path)
        rules = headers["content-security-policy"]
        assert rules.endswith("; frame-ancestors 'none'")
        assert rules.removesuffix("; frame-ancestors 'none'") in page
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1.evil.example", "[::2]", "", "[", "a@b"])
def test_foreign_host_headers_are_refused(port: int, host: str) -> None:
    status, _, said = ask(port, f"/trace/{STRUCTURED}", Host=host.format(port))
    assert status == 403
    assert "Acme" not in said
    assert said.startswith("This server answers only at")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:{}", "LOCALHOST", "[::1]:{}", "localhost:9000"])
def test_this_machines_names_are_answered(port: int, host: str) -> None:
    assert ask(port, "/", Host=host.format(port))[0] == 200


def test_only_this_machine_can_connect(port: int) -> None:
    server = page_server(0, from_memory)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()


def test_methods(port: int) -> None:
    status, headers, body = ask(port, "/", method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 10_000
    assert ask(port, "/", method="POST", body=b"x")[0] == 501


@pytest.mark.parametrize(
    "path", ["/trace/", "/trace/xyz", f"/trace/{'0' * 32}", "/trace/../etc/passwd", "//evil.example/", "/favicon.ico"]
)
def test_pages_that_do_not_exist(port: int, path: str) -> None:
    status, _, page = ask(port, path)
    data = data_of(page)
    assert (status, data["traces"], data["home"]) == (404, [], "/")
    assert "no such page" in data["problem"] or "no trace" in data["problem"]


@pytest.mark.parametrize(
    "error, status",
    [(NotFoundError("gone <b>"), 404), (SourceError("down <b>"), 502), (OSError(2, "No such file"), 502)],
)
def test_a_source_in_trouble_gives_a_sentence(error: Exception, status: int) -> None:
    def spans(_: str | None) -> list[SpanData]:
        raise error

    with running(page_server(0, spans)) as port:
        for path in ("/", f"/trace/{STRUCTURED}"):
            found, _, page = ask(port, path)
            assert found == status
            assert data_of(page)["problem"] == str(error)


def export_request() -> dict[str, Any]:
    return {"resourceSpans": [resource for document in recorded("otlp") for resource in document["resourceSpans"]]}


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def otlp(received: Received, said: list[str]) -> Iterator[int]:
    with running(otlp_server(0, received, said.append)) as port:
        yield port


JSON = {"Content_Type": "application/json"}


def test_traces_are_received_as_json_also_packed(otlp: int, received: Received) -> None:
    body = json.dumps(export_request()).encode()
    status, headers, answer = ask(otlp, "/v1/traces", method="POST", body=body, **JSON)
    assert (status, headers["content-type"], answer) == (200, "application/json", "{}")
    assert received.spans(None) == SPANS
    packed = gzip.compress(body)
    assert ask(otlp, "/v1/traces", method="POST", body=packed, Content_Encoding="gzip", **JSON)[0] == 200
    assert len(received.spans(STRUCTURED)) == 2 * len(from_memory(STRUCTURED))


def test_the_real_exporter_is_received_in_protobuf(otlp: int, received: Received) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    values = [-0.5, -2.0, 0.0, -1e-300]
    for compression in (Compression.NoCompression, Compression.Gzip):
        exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{otlp}/v1/traces", compression=compression)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("root") as root:
            root.set_attributes(
                {"logprobs.values": values, "logprobs.tokens": ["</script>", "é😀", ""], "n": 2**53 + 1}
            )
            root.add_event("logprobs.chunk", {"logprobs.token.start": 0}, timestamp=7)
        provider.shutdown()
    first, second = received.spans(None)
    for span in (first, second):
        assert (len(span.trace_id), len(span.span_id), span.parent_id) == (32, 16, None)
        assert span.attributes["logprobs.values"] == values
        assert span.attributes["logprobs.tokens"] == ["</script>", "é😀", ""]
        assert span.attributes["n"] == 2**53 + 1
        assert (span.events[0].name, span.events[0].time_ns) == ("logprobs.chunk", 7)


def test_what_was_received_is_shown(otlp: int, received: Received) -> None:
    with running(page_server(0, received.spans)) as port:
        assert data_of(ask(port, "/")[2])["traces"] == []
        ask(otlp, "/v1/traces", method="POST", body=json.dumps(export_request()).encode(), **JSON)
        assert {row["id"] for row in data_of(ask(port, "/")[2])["traces"]} == set(TRACES)
        short = STRUCTURED.lstrip("0")
        assert ask(port, f"/trace/{short}")[0] == 200


def test_metrics_and_logs_are_taken_and_not_kept(otlp: int, received: Received) -> None:
    for path in ("/v1/metrics", "/v1/logs"):
        assert ask(otlp, path, method="POST", body=b"anything", Content_Type="application/x-protobuf")[0] == 200
    assert received.spans(None) == []


REFUSED: list[tuple[str, bytes, dict[str, str], int]] = [
    ("/v1/traces", b"{", JSON, 400),
    ("/v1/traces", b"[]", JSON, 400),
    ("/v1/traces", b'{"resourceSpans": [5]}', JSON, 400),
    ("/v1/traces", b"[" * 100_000, JSON, 400),
    ("/v1/traces", b"\xff\xff\xff", {"Content_Type": "application/x-protobuf"}, 400),
    ("/v1/traces", b"\x1f\x8bxx", JSON, 400),
    ("/v1/traces", b"{}", {"Content_Type": "text/plain"}, 415),
    ("/v1/traces", b"{}", {}, 415),
    ("/other", b"{}", JSON, 404),
    ("/v1/traces", b"{}", {**JSON, "Host": "evil.example"}, 403),
    ("/v1/traces", b"{}", {**JSON, "Origin": "http://evil.example"}, 403),
    ("/v1/traces", b"{}", {**JSON, "Content_Length": "-1"}, 413),
    ("/v1/traces", b"{}", {**JSON, "Content_Length": str(10**12)}, 413),
    ("/v1/traces", b"{}", {**JSON, "Content_Length": "x"}, 411),
]


@pytest.mark.parametrize("path, body, headers, status", REFUSED)
def test_what_is_no_export_is_refused_and_nothing_of_it_kept(
    otlp: int, received: Received, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert ask(otlp, path, method="POST", body=body, **headers)[0] == status
    assert received.spans(None) == []


def test_a_request_is_kept_as_a_whole_or_not_at_all(otlp: int, received: Received) -> None:
    request = export_request()
    request["resourceSpans"].append({"scopeSpans": [{"spans": [{"name": "no ids"}]}]})
    assert ask(otlp, "/v1/traces", method="POST", body=json.dumps(request).encode(), **JSON)[0] == 400
    assert received.spans(None) == []


def test_only_the_latest_traces_are_kept() -> None:
    received = Received(most=2)
    for trace_id in TRACES:
        received.add(from_memory(trace_id))
    assert {span.trace_id for span in received.spans(None)} == set(TRACES[-2:])
    assert received.spans(TRACES[0]) == []


def test_without_the_protobuf_package_the_person_is_told_once() -> None:
    code = """
import sys
for name in ("google", "google.protobuf", "opentelemetry.proto"):
    sys.modules[name] = None
import http.client, threading
from langchain_logprobs.view.page.receiver import Received, otlp_server
said = []
server = otlp_server(0, Received(), said.append)
threading.Thread(target=server.serve_forever, daemon=True).start()
for _ in range(2):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("POST", "/v1/traces", b"x", {"Content-Type": "application/x-protobuf"})
    print(connection.getresponse().status)
print(len(said), said[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[:2] == ["415", "415"]
    assert done.stdout.splitlines()[2].startswith("1 an exporter sent OTLP as protobuf")
    assert 'pip install "langchain-logprobs[serve]"' in done.stdout


def test_threads_that_add_and_read_at_once(received: Received) -> None:
    def work(act: Callable[[], object]) -> None:
        for _ in range(200):
            act()

    acts = [lambda: received.add(SPANS), lambda: received.spans(None), lambda: received.spans(STRUCTURED)]
    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(received.spans(None)) == 200 * len(SPANS)
