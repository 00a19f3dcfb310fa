"""What cannot be read says what it is and what to do instead, and nobody is asked whom the person did not name."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.view.sources import download
from langchain_logprobs.view.sources.download import NotFoundError, UnreachableError
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.read import read_source
from langchain_logprobs.view.sources.restored import restored
from tests.view.sources import stand_in
from tests.view.sources.stand_in import PAGE, STREAMED, StandIn


@pytest.fixture
def backend() -> Iterator[StandIn]:
    with StandIn({}) as found:
        yield found


FILES: list[tuple[bytes, str, str]] = [
    (b"PK\x03\x04....", "a zip archive", "unzip"),
    (b"\x28\xb5\x2f\xfd....", "zstd", "zstd -d"),
    (b"\x1f\x8b\x08\x00truncated", "damaged gzip", "copied as a whole"),
    (gzip.compress(b"x" * 100, mtime=0)[:-6], "damaged gzip", "copied as a whole"),
    (b"<!DOCTYPE html><html></html>", "a web page", "download as JSON"),
    (b"\n  <html>", "a web page", "download as JSON"),
    (b"\x0a\xe2\x01\x0a\x1f\x00\x81", "protobuf", "FileSpanExporter"),
    (b"Traceback (most recent call last):", "not JSON", "FileSpanExporter"),
    (b'{"resourceSpans": [', "line 1: not an OTLP", "delete that line"),
    (b'{"resourceSpans": []}\n\n{"resourceSpans": [{]', "line 3: not an OTLP", "delete that line"),
    (b'{"resourceSpans": []}\n\xff\xfe', "line 2: not an OTLP", "delete that line"),
    (b"[" * 100_000, "line 1", "delete that line"),
    (b'{"some": "other document"}', "none of the documents", "resourceSpans"),
    (b'[{"name": "x"}]', "none of the documents", "resourceSpans"),
    (b'{"data": [5]}', "none of the documents", "resourceSpans"),
    (b'{"traces": [{"traceID": "1"}]}', "search results", "Open one"),
    (b'{"data": null, "errors": [{"code": 404, "msg": "trace not found"}]}', "trace not found", "limited time"),
    (b'{"data": [{"traceID": "1", "spans": [{"traceID": "1"}]}]}', "KeyError", "resourceSpans"),
    (b'[{"traceId": "1", "id": 5}]', "AttributeError", "resourceSpans"),
    (b'{"data": [{"context": {}}]}', "KeyError", "resourceSpans"),
    (b'{"result": {"resourceSpans": [5]}}', "AttributeError", "resourceSpans"),
]


@pytest.mark.parametrize("raw, cause, cure", FILES)
def test_a_file_that_cannot_be_read(tmp_path: Path, raw: bytes, cause: str, cure: str) -> None:
    path = tmp_path / "it.json"
    path.write_bytes(raw)
    with pytest.raises(SourceError) as raised:
        read_source(str(path))
    assert "it.json" in str(raised.value)
    assert cause in str(raised.value)
    assert cure in str(raised.value)


@pytest.mark.parametrize(
    "raw", [b"", b" \n\n", b"[]", b'{"data": []}', b'{"resourceSpans": []}', b'{"resourceLogs": []}']
)
def test_a_file_without_spans(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "it").write_bytes(raw)
    assert read_source(str(tmp_path / "it")) == []


ADDRESSES: list[tuple[str, str, str]] = [
    ("ftp://127.0.0.1/trace/1", "not an address that can be asked", "http://"),
    ("file:///etc/passwd", "not an address that can be asked", "http://"),
    ("http://", "not an address that can be asked", "http://"),
    ("http://[::1/trace/1", "not an address", ""),
    ("http://grafana:3000/explore?schemaVersion=1&panes=x", "Grafana", "/api/traces/TRACE-ID"),
    ("http://grafana:3000/a/grafana-exploretraces-app/explore", "Grafana", "/api/traces/TRACE-ID"),
    ("http://grafana:3000/d/abc/my-dashboard", "Grafana", "save the trace"),
]


@pytest.mark.parametrize("address, cause, cure", ADDRESSES)
def test_an_address_that_is_not_asked(address: str, cause: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(socket, "create_connection", asked)
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    with pytest.raises(SourceError) as raised:
        read_source(address)
    assert cause in str(raised.value)
    assert cure in str(raised.value)


def test_a_backend_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for path in ("", f"/trace/{STREAMED}", f"/zipkin/traces/{STREAMED}", f"/projects/x/traces/{STREAMED}"):
            with pytest.raises(UnreachableError, match=r"refused.*\nIs the backend running"):
                read_source(f"http://127.0.0.1:{port}{path}")


def test_a_backend_that_does_not_answer(backend: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreachableError, match="timed out"):
        read_source(f"http://127.0.0.1:{silent.getsockname()[1]}/trace/{STREAMED}")


ANSWERS: list[tuple[Any, str, str]] = [
    (PAGE, "a web page", "download the trace as JSON"),
    ((200, "text/plain", b"<html>"), "a web page", "download the trace as JSON"),
    ((200, "application/json", b"[1"), "not an OTLP", "resourceSpans"),
    ((200, "application/json", b"\x1f\x8bxx"), "damaged gzip", "copied"),
    ((401, "text/plain", b""), "wants a login", "user:password@"),
    ((403, "text/html", b"<html>"), "wants a login", "user:password@"),
    ((500, "text/plain", b"out of memory"), "answered 500: 'out of memory'", ""),
    ((404, "text/plain", b""), "is not there (404)", "no such trace"),
    ((302, "text/plain", b"", ("Location", "http://192.0.2.1/x")), "sends on to http://192.0.2.1/x", "did not name"),
    ((302, "text/plain", b"", ("Location", "file:///etc/passwd")), "answered 302", ""),
    ((302, "text/plain", b"", ("Location", "/any")), "answered 302", ""),
]


@pytest.mark.parametrize("answer, cause, cure", ANSWERS)
def test_an_answer_that_is_no_trace(backend: StandIn, answer: Any, cause: str, cure: str) -> None:
    backend.answers["/any"] = answer
    with pytest.raises(SourceError) as raised:
        read_source(f"{backend.url}/any")
    assert f"{backend.url}/any" in str(raised.value)
    assert cause in str(raised.value)
    assert cure in str(raised.value)


@pytest.mark.parametrize("path", ["/trace/", "/zipkin/traces/", "/projects/x/traces/"])
def test_a_trace_that_the_backend_has_no_more(path: str) -> None:
    makers = {"/trace/": stand_in.jaeger, "/zipkin/traces/": stand_in.zipkin, "/projects/x/traces/": stand_in.phoenix}
    with makers[path]() as backend:
        if "projects" in path:  # Phoenix answers with no spans
            assert read_source(f"{backend.url}{path}{'0' * 31}1") == []
            return
        with pytest.raises(NotFoundError, match=f"has no trace {'0' * 31}1"):
            read_source(f"{backend.url}{path}{'0' * 31}1")


def test_a_page_whose_api_answers_something_else(backend: StandIn) -> None:
    backend.answers[f"/api/v3/traces/{STREAMED}"] = {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 1}]}]}]}
    with pytest.raises(SourceError, match="that Jaeger does not answer"):
        read_source(f"{backend.url}/trace/{STREAMED}")


def test_a_jaeger_that_has_no_traces_yet() -> None:
    nothing = {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": None}
    with stand_in.jaeger(**{"/api/services": nothing}) as backend:
        assert read_source(backend.url) == []


@pytest.mark.parametrize("answer", [{}, {"data": "x"}, {"data": None}, {"services": []}, [], None, 7])
def test_another_server_is_not_taken_for_jaeger(answer: Any) -> None:
    with stand_in.jaeger(**{"/api/services": answer}) as backend, pytest.raises(SourceError, match="none of the"):
        read_source(backend.url)


def test_a_host_that_is_no_backend(backend: StandIn) -> None:
    with pytest.raises(
        SourceError, match=r"none of the backends that are known here \(Jaeger, Phoenix, Tempo, Zipkin\)"
    ):
        read_source(backend.url)


def test_an_answer_that_is_too_long(backend: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.answers["/any"] = (200, "application/json", b"[" + b" " * 1000 + b"]")
    backend.answers["/packed"] = (200, "application/json", gzip.compress(b"[" + b" " * 1000 + b"]"))
    monkeypatch.setattr(download, "MAX_BYTES", 900)
    monkeypatch.setattr("langchain_logprobs.view.sources.documents.MAX_BYTES", 900)
    for path in ("/any", "/packed"):
        with pytest.raises(SourceError, match="MiB"):
            read_source(backend.url + path)


def test_user_and_password_are_sent_and_not_shown(backend: StandIn) -> None:
    address = backend.url.replace("http://", "http://me%40home:secret@")
    with pytest.raises(SourceError) as raised:
        read_source(f"{address}/any")
    assert "secret" not in str(raised.value)
    assert backend.headers[0]["authorization"] == "Basic bWVAaG9tZTpzZWNyZXQ="
    assert "secret" not in backend.headers[0]["host"]


def test_this_machine_is_asked_directly_whatever_proxy_is_named(
    backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    backend.answers["/any"] = []
    assert read_source(f"{backend.url}/any") == []


def test_attributes_are_restored_by_their_documented_type() -> None:
    kept_as_text = {
        "logprobs.tokens": '["a", "1", "\\u202e"]',
        "logprobs.values": '["-0.5","-2", "0.0"]',
        "logprobs.token.count": "7",
        "logprobs.mean": "-0.25",
        "logprobs.low_confidence.detected": "true",
        "logprobs.status": "recorded",
        "logprobs.min.token": "[1]",
        "logprobs.alternatives.positions": '["[0, 1]", "[2]"]',
        "gen_ai.usage.input_tokens": "3",
        "gen_ai.response.finish_reasons": '["stop"]',
        "other.array": "[1]",
    }
    assert restored(kept_as_text) == {
        "logprobs.tokens": ["a", "1", "\u202e"],
        "logprobs.values": [-0.5, -2.0, 0.0],
        "logprobs.token.count": 7,
        "logprobs.mean": -0.25,
        "logprobs.low_confidence.detected": True,
        "logprobs.status": "recorded",
        "logprobs.min.token": "[1]",
        "logprobs.alternatives.positions": ["[0, 1]", "[2]"],
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.response.finish_reasons": ["stop"],
        "other.array": "[1]",
    }


@pytest.mark.parametrize(
    "name, value",
    [
        ("logprobs.values", "[1, 2"),
        ("logprobs.values", "{}"),
        ("logprobs.values", "[" * 100_000),
        ("logprobs.token.count", "many"),
        ("logprobs.mean", ""),
        ("logprobs.low_confidence.detected", "perhaps"),
        ("logprobs.token.censored_positions", [None, {}]),
    ],
)
def test_what_does_not_read_as_its_type_stays(name: str, value: Any) -> None:
    assert restored({name: value}) == {name: value}


def test_zipkins_annotations_in_every_form() -> None:
    from langchain_logprobs.view.sources import zipkin

    attributes = {"logprobs.token.start": 3}
    forms = [json.dumps({"logprobs.chunk": attributes}), f"logprobs.chunk|{json.dumps(attributes)}|0"]
    others = ["cache miss", "a|b|c", '{"x": 1, "y": 2}', "[1]", ""]
    annotations = [{"timestamp": 5, "value": value} for value in (*forms, *others)]
    (span,) = zipkin.spans_of([{"traceId": "A" * 16, "id": "b", "annotations": annotations}])
    assert (span.trace_id, span.span_id, span.parent_id) == ("0" * 16 + "a" * 16, "0" * 15 + "b", None)
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        *[("logprobs.chunk", attributes)] * 2,
        *[(other, {}) for other in others],
    ]
    assert span.events[0].time_ns == 5000


def test_an_answer_that_is_filled_up_with_nul_is_read() -> None:
    spans = b'[{"traceId": "1", "id": "2", "name": "x", "timestamp": 1, "duration": 1}]'
    with StandIn({"/api/v2/trace/1": (200, "application/json", spans + b"\0" * 63)}) as zipkin:
        (span,) = read_source(f"{zipkin.url}/api/v2/trace/1")
    assert span.name == "x"
