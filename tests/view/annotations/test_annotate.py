"""`annotate`: what is said of a trace, and how it reaches each tool, by its own client over real HTTP."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from langchain_logprobs.cli import annotate
from langchain_logprobs.cli import main as cli
from langchain_logprobs.view.annotations.marks import Mark, marks_of
from langchain_logprobs.view.model import SpanData, read_traces
from tests.providers.wire import Request, WireServer, json_body
from tests.view.gallery import gallery
from tests.view.sources.stand_in import RECORDED

FILE = str(RECORDED / "otlp.json.gz")


@pytest.fixture(scope="module")
def traces() -> dict[str, list[SpanData]]:
    return gallery()


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def marks(spans: list[SpanData]) -> list[Mark]:
    (trace,) = read_traces(spans)
    return marks_of(trace)


def whole(spans: list[SpanData]) -> Mark:
    (found,) = [mark for mark in marks(spans) if mark.whole]
    return found


def test_the_call_and_the_root_are_marked_and_no_step_between(traces: dict[str, list[SpanData]]) -> None:
    names = {span.span_id: span.name for span in traces["json"]}
    assert {names[mark.span_id]: mark.whole for mark in marks(traces["json"])} == {
        "invoke_workflow RunnableSequence": True,
        "chat gpt-4o": False,
    }
    assert [mark.whole for mark in marks(traces["tool"])] == [True], "a call without a root above it is both"


@pytest.mark.parametrize(
    ("name", "level", "weakest"),
    [
        ("short", "medium", ".3 .14, nearly .1 .31"),
        ("json", "low", "/currency “EUR” .1"),
        ("tool", "low", "/city “Lima” .3"),
        ("censored", "low", "forty"),
        ("choices", "medium", ".3 .14"),
        ("reasoning", "medium", "42 .45, nearly 41 .40"),
        ("long", "high", ""),
    ],
)
def test_what_is_said(traces: dict[str, list[SpanData]], name: str, level: str, weakest: str) -> None:
    mark = whole(traces[name])
    assert mark.level == level
    assert weakest in (mark.weakest or "")
    assert mark.answer
    assert (mark.score is None) == (name == "censored")
    assert (mark.weakest_score is None) == (name == "censored")


@pytest.mark.parametrize("name", ["missing", "error"])
def test_without_logprobs_nothing_is_said(traces: dict[str, list[SpanData]], name: str) -> None:
    assert marks(traces[name]) == []


@pytest.mark.parametrize("messages", ["[", "[]", "[1]", "{}", '[{"parts": 3}]', '[{"parts": [{}]}]', "[" * 99_999, 7])
def test_broken_messages_leave_the_token(traces: dict[str, list[SpanData]], messages: Any) -> None:
    broken = [
        SpanData(
            **{
                **{name: getattr(span, name) for name in SpanData.__slots__},
                "attributes": {**span.attributes, "gen_ai.output.messages": messages},
            }
        )
        for span in traces["short"]
    ]
    assert whole(broken).weakest == ".3"


class LangSmith:
    """What LangSmith's API does with feedback: it keeps one a feedback id, and refuses a second one."""

    def __init__(self, wire: WireServer) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.project = str(uuid.uuid4())
        wire.answer("/info", json_body({}))
        wire.answer("/sessions*", self._sessions)
        wire.answer("/feedback*", self._feedback)

    def _sessions(self, request: Request) -> Any:
        assert parse_qs(request.query)["name"] == ["invoices"]
        return json_body(
            [
                {
                    "id": self.project,
                    "name": "invoices",
                    "start_time": "2026-11-25T00:00:00",
                    "tenant_id": self.project,
                    "reference_dataset_id": None,
                }
            ]
        )

    def _feedback(self, request: Request) -> Any:
        if request.method == "GET":
            runs = parse_qs(request.query)["run"]
            page = [each for each in self.kept.values() if each["run_id"] in runs]
            return json_body(page if parse_qs(request.query).get("offset", ["0"]) == ["0"] else [])
        if request.method == "PATCH":
            self.kept[request.path.rpartition("/")[2]].update(request.json)
            return json_body({})
        assert request.json["id"] not in self.kept
        assert request.json["session_id"] == self.project
        now = "2026-11-25T00:00:00+00:00"
        self.kept[request.json["id"]] = {**request.json, "trace_id": None, "created_at": now, "modified_at": now}
        return json_body(request.json)


def test_langsmith(wire: WireServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("langsmith")
    monkeypatch.setenv("LANGSMITH_API_KEY", "none")
    server = LangSmith(wire)
    command = ["annotate", FILE, "--to", "langsmith", "--url", wire.url, "--project", "invoices"]
    for _ in range(3):
        assert cli.main(command) == 0
    expected = {mark.trace_id: mark for mark in _marks_of_file() if mark.whole}
    found = {(each["run_id"].replace("-", ""), each["key"]): each for each in server.kept.values()}
    assert len(found) == len(server.kept)
    assert {trace for trace, _ in found} == set(expected)
    for trace_id, mark in expected.items():
        confidence = found[trace_id, "confidence"]
        assert confidence["value"] == mark.level
        assert confidence["comment"] == mark.answer
        assert confidence.get("score") == (None if mark.score is None else pytest.approx(mark.score, abs=1e-4))
    said = re.findall(r"(\d+) scores of (\d+) traces are in langsmith", capsys.readouterr().err)
    assert said == [(str(len(found)), str(len(expected)))] * 3


def test_langfuse(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langfuse")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", f"pk-{uuid.uuid4()}")  # the client keeps one of itself a key
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    kept: dict[str, dict[str, Any]] = {}

    def take(request: Request) -> Any:
        listed = request.json["batch"] if isinstance(request.json, dict) else request.json
        bodies = [each.get("body", each) for each in listed]
        kept.update({each["id"]: each for each in bodies})
        successes = [{"id": each.get("id"), "status": 201} for each in listed]
        return json_body({"successes": successes, "errors": []}, status=207)

    project = {"id": "p", "name": "p", "organization": {"id": "o", "name": "o"}, "metadata": {}}
    wire.answer("/api/public/*", take)
    wire.answer("/api/public/projects", json_body({"data": [project]}))
    for _ in range(2):
        assert cli.main(["annotate", FILE, "--to", "langfuse", "--url", wire.url]) == 0
    expected = {mark.trace_id: mark for mark in _marks_of_file() if mark.whole}
    found = {(each["traceId"], each["name"]): each for each in kept.values()}
    assert len(found) == len(kept)
    assert {trace for trace, _ in found} == set(expected)
    for trace_id, mark in expected.items():
        level = found[trace_id, "confidence_level"]
        assert (level["value"], level["dataType"]) == (mark.level, "CATEGORICAL")
        if mark.score is not None:
            assert found[trace_id, "confidence"]["value"] == pytest.approx(mark.score)


def test_langfuse_refuses_the_keys(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("langfuse")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", f"pk-{uuid.uuid4()}")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "wrong")
    wire.answer("/api/public/*", json_body({"message": "Invalid credentials"}, status=401))
    assert cli.main(["annotate", FILE, "--to", "langfuse", "--url", wire.url]) == 1
    assert "langfuse" in capsys.readouterr().err.lower()


def test_phoenix(wire: WireServer) -> None:
    pytest.importorskip("phoenix.client")
    wire.answer("/v1/span_annotations", json_body({"data": []}))
    assert cli.main(["annotate", FILE, "--to", "phoenix", "--url", wire.url]) == 0
    sent = [each for request in wire.requests if request.method == "POST" for each in request.json["data"]]
    assert {each["identifier"] for each in sent} == {"langchain-logprobs"}
    places = [(each["span_id"], each["name"]) for each in sent]
    assert len(set(places)) == len(places)
    assert {span for span, _ in places} == {mark.span_id for mark in _marks_of_file()}


@pytest.mark.parametrize("status", [404, 401, 500])
def test_what_a_tool_refuses_is_told(wire: WireServer, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("phoenix.client")
    wire.answer("/v1/span_annotations", json_body({"detail": "no"}, status=status))
    assert cli.main(["annotate", FILE, "--to", "phoenix", "--url", wire.url]) == 1
    told = capsys.readouterr().err
    assert str(status) in told
    assert "Are the address and the keys right" in told


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for tool in annotate.TOOLS:
        monkeypatch.setattr(f"langchain_logprobs.view.annotations.{tool}.PACKAGE", "no_such_package.client")
        assert cli.main(["annotate", FILE, "--to", tool]) == 1
        assert f"pip install 'langchain-logprobs[{tool}]'" in capsys.readouterr().err


def test_mlflow(tmp_path: Any, capsys: pytest.CaptureFixture[str], wire: WireServer) -> None:
    pytest.importorskip("mlflow")
    kept: dict[str, list[dict[str, Any]]] = {}

    def traces(request: Request) -> Any:
        trace_id = parse_qs(request.query)["trace_id"][0]
        found = {**_INFO, "trace_id": trace_id, "assessments": kept.get(trace_id, [])}
        return json_body({"trace": {"trace_info": found, "spans": []}})

    def assessments(request: Request) -> Any:
        trace_id = request.path.split("/")[-2] if request.method == "POST" else request.path.split("/")[-3]
        listed = kept.setdefault(trace_id, [])
        if request.method == "POST":
            listed.append({**request.json["assessment"], "assessment_id": f"a-{len(listed)}"})
            return json_body({"assessment": listed[-1]})
        (there,) = [each for each in listed if each["assessment_id"] == request.path.split("/")[-1]]
        if request.method == "DELETE":
            listed.remove(there)
            return json_body({})
        there.update(request.json["assessment"])
        return json_body({"assessment": there})

    wire.answer("/api/*", json_body({"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}, status=404))
    wire.answer("/api/3.0/mlflow/traces/*", traces)
    wire.answer("/api/3.0/mlflow/traces/*/assessments*", assessments)
    command = ["annotate", FILE, "--to", "mlflow", "--url", wire.url]
    for _ in range(2):
        assert cli.main(command) == 0, capsys.readouterr().err
    expected = {f"tr-{mark.trace_id}": mark for mark in _marks_of_file() if mark.whole}
    assert set(kept) == set(expected)
    for listed in kept.values():
        assert len({each["assessment_name"] for each in listed}) == len(listed)
    # One that is out of date is changed, and one that does not apply any more is taken away.
    some, mark = next(iter(expected.items()))
    level = next(each for each in kept[some] if each["assessment_name"] == "confidence_level")
    level["feedback"] = {"value": "other"}
    kept[some].append({**level, "assessment_id": "old", "assessment_name": "gone"})
    assert cli.main([*command, "--trace", mark.trace_id]) == 0
    found = {each["assessment_name"]: each["feedback"]["value"] for each in kept[some]}
    assert found["confidence_level"] == mark.level
    assert "gone" not in found


_INFO = {
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-11-25T00:00:00Z",
    "state": "OK",
    "tags": {"mlflow.trace.spansLocation": "TRACKING_STORE"},
    "trace_metadata": {"mlflow.trace_schema.version": "3"},
}


def _marks_of_file() -> list[Mark]:
    from langchain_logprobs.view.sources.read import read_source

    return [mark for trace in read_traces(read_source(FILE)) for mark in marks_of(trace)]


def test_nothing_to_say(tmp_path: Any, capsys: pytest.CaptureFixture[str], wire: WireServer) -> None:
    path = tmp_path / "one.json"
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}), encoding="utf-8")
    pytest.importorskip("phoenix.client")
    assert cli.main(["annotate", str(path), "--to", "phoenix", "--url", wire.url]) == 1
    assert "no model call with logprobs" in capsys.readouterr().err
    assert wire.requests == []
