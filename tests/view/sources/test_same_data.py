"""The same trace gives the same page, whatever it is read from: compared value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.view.model import read_traces
from langchain_logprobs.view.page.data import page_data
from langchain_logprobs.view.sources.read import read_source
from tests.view.sources import stand_in
from tests.view.sources.stand_in import CHOICES, FAILED, HOSTILE, RECORDED, STREAMED, STRUCTURED, TRACES, StandIn

# Backends keep microseconds, some rounded and some cut off.
TIME_ERROR = 2


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Say where two pages' data differ; times may by what a backend rounds."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key, "absent"), other.get(key, "absent"), f"{where}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{where}/{index}")
    elif "_us" in where and isinstance(one, int) and isinstance(other, int):
        if abs(one - other) > TIME_ERROR:
            yield f"{where}: {one!r} and {other!r}"
    elif one != other or isinstance(one, bool) != isinstance(other, bool):
        yield f"{where}: {one!r} and {other!r}"


def page_of(source: str, trace_id: str | None = None) -> dict[str, Any]:
    traces = page_data(read_traces(read_source(source, trace_id)))["traces"]
    return {trace["id"]: trace for trace in traces}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return page_of(str(RECORDED / "otlp.json.gz"))


def lower_names(page: dict[str, Any]) -> dict[str, Any]:
    """Zipkin's server writes the names of spans in lower case."""
    for trace in page.values():
        trace["name"] = trace["name"].lower()
        for span in trace["spans"]:
            span["name"] = span["name"].lower()
    return page


def test_the_recordings_hold_what_they_should(expected: dict[str, Any]) -> None:
    assert set(expected) == set(TRACES)
    calls = {trace_id: [span["call"] for span in expected[trace_id]["spans"] if "call" in span] for trace_id in TRACES}
    assert len(calls[STREAMED][0]["chunks"]["starts"]) == 15
    assert len(calls[STRUCTURED][0]["fields"]) == 5
    assert len(calls[CHOICES][0]["choices"]) == 3
    assert "\u202eevil\u202c" in calls[HOSTILE][0]["tokens"]
    assert "no such <model>" in expected[FAILED]["spans"][0]["error"]


@pytest.mark.parametrize("name", ["jaeger", "jaeger_v3", "phoenix", "zipkin"])
def test_a_download_is_the_same(name: str, expected: dict[str, Any]) -> None:
    read = page_of(str(RECORDED / f"{name}.json.gz"))
    assert set(read) == set(TRACES)
    wanted = lower_names(page_of(str(RECORDED / "otlp.json.gz"))) if name == "zipkin" else expected
    assert list(differences(wanted, read)) == []


ADDRESSES: list[tuple[Callable[[], StandIn], str]] = [
    (stand_in.jaeger, "/trace/{}"),
    (stand_in.jaeger, "/trace/{}?uiFind=chat&uiEmbed=v0#span"),
    (stand_in.jaeger, "/api/traces/{}"),
    (stand_in.jaeger, "/api/v3/traces/{}"),
    (stand_in.phoenix, "/projects/UHJvamVjdDoy/traces/{}"),
    (stand_in.phoenix, "/projects/UHJvamVjdDoy/traces/{}?selectedSpanNodeId=U3Bhbjox"),
    (stand_in.phoenix, "/redirects/traces/{}"),
    (stand_in.phoenix, "/v1/projects/UHJvamVjdDoy/spans?trace_id={}&limit=1000"),
    (stand_in.zipkin, "/zipkin/traces/{}"),
    (stand_in.zipkin, "/api/v2/trace/{}"),
    (stand_in.tempo, "/api/traces/{}"),
]


@pytest.mark.parametrize("make, path", ADDRESSES)
def test_an_address_gives_the_same(make: Callable[[], StandIn], path: str, expected: dict[str, Any]) -> None:
    with make() as backend:
        for trace_id in TRACES:
            read = page_of(backend.url + path.format(trace_id))
            wanted = {trace_id: expected[trace_id]}
            if make is stand_in.zipkin:
                wanted = {trace_id: lower_names(page_of(str(RECORDED / "otlp.json.gz")))[trace_id]}
            assert list(differences(wanted, read)) == []


@pytest.mark.parametrize("make", [stand_in.jaeger, stand_in.phoenix, stand_in.zipkin, stand_in.tempo])
def test_a_backend_as_a_whole_gives_its_latest_traces_and_each_by_its_id(make: Callable[[], StandIn]) -> None:
    with make() as backend:
        assert set(page_of(backend.url)) == set(TRACES)
        assert set(page_of(backend.url + "/", STRUCTURED.upper())) == {STRUCTURED}


def test_a_page_of_one_trace_gives_another_by_its_id(expected: dict[str, Any]) -> None:
    with stand_in.jaeger() as backend:
        read = page_of(f"{backend.url}/trace/{STREAMED}", CHOICES)
    assert list(differences({CHOICES: expected[CHOICES]}, read)) == []


def test_an_older_jaeger_is_asked_by_its_older_api(expected: dict[str, Any]) -> None:
    with stand_in.jaeger() as backend:
        del backend.answers[f"/api/v3/traces/{STRUCTURED}"]
        read = page_of(f"{backend.url}/trace/{STRUCTURED}")
    assert list(differences({STRUCTURED: expected[STRUCTURED]}, read)) == []


def test_backends_below_another_path(expected: dict[str, Any]) -> None:
    for make, prefix, path in (
        (stand_in.jaeger, "/jaeger", "/trace/{}"),
        (stand_in.zipkin, "/ops", "/zipkin/traces/{}"),
        (stand_in.phoenix, "/phoenix", "/projects/x/traces/{}"),
    ):
        with make() as backend:
            backend.answers = {prefix + key: value for key, value in backend.answers.items()}
            assert set(page_of(backend.url + prefix + path.format(STRUCTURED))) == {STRUCTURED}


def test_every_layout_of_a_file_gives_the_same(tmp_path: Path, expected: dict[str, Any]) -> None:
    import gzip
    import json

    documents = stand_in.recorded("otlp")
    one = {"resourceSpans": [resource for each in documents for resource in each["resourceSpans"]]}
    layouts = {
        "pretty.json": json.dumps(one, indent=2).encode(),
        "one line.json": json.dumps(one).encode(),
        "pretty, one after the other.json": "\n".join(json.dumps(each, indent=1) for each in documents).encode(),
        "crlf.jsonl": "\r\n\r\n".join(json.dumps(each) for each in documents).encode(),
        "without line breaks": "".join(json.dumps(each) for each in documents).encode(),
        "utf-16 of a Windows shell.json": json.dumps(one).encode("utf-16"),
        "with a mark.json": b"\xef\xbb\xbf" + json.dumps(one, ensure_ascii=False).encode(),
        "packed": gzip.compress(json.dumps(one).encode()),
        "as Tempo's newer API.json": json.dumps({"trace": one}).encode(),
        "with logs.jsonl": b'{"resourceLogs": []}\n' + json.dumps(one).encode() + b'\n{"resourceMetrics": []}\n',
    }
    for name, raw in layouts.items():
        (tmp_path / name).write_bytes(raw)
        assert list(differences(expected, page_of(str(tmp_path / name)))) == [], name
