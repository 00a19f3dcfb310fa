"""The command, and the files it reads."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import langchain_logprobs
from langchain_logprobs.cli import main as cli
from langchain_logprobs.view.sources.otlp_json import TraceFileError, read_spans

VALUES = [0.0, -4.298773e-05, -100.0, -1e-300, 5e-324, -1.7976931348623157e308]
TOKENS = ["", "\x00", "\\xf0\\x9f", "é😀", "[red]", "\ud83d"]


def attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": otlp(value)}


def otlp(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [otlp(item) for item in value]} if value else {}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [attribute(key, item) for key, item in value.items()]}}
    return {"stringValue": value} if value is not None else {}


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(spans)}]}]}


def span(trace: str = "ab" * 16, span_id: str = "01" * 8, **fields: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": "1000", "endTimeUnixNano": "2001000"}
    return {"traceId": trace, "spanId": span_id, "name": "chat m", "kind": 3, **times, **fields}


CALL = [
    attribute("logprobs.status", "recorded"),
    attribute("logprobs.tokens", ["Lima", " sleeps"]),
    attribute("logprobs.values", [-0.01, -3.0]),
]


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    lines = [request(span(attributes=CALL)), request(span(trace="cd" * 16, name="second"))]
    path.write_text("\n\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    return path


def test_every_kind_of_value_is_read_without_loss(tmp_path: Path) -> None:
    whole = {"tokens": TOKENS, "values": VALUES, "empty": [], "flags": [False, True], "zero": 0, "large": 2**53 + 1}
    nested = {"none": None, "text": "", "map": {"a": [1]}}
    path = tmp_path / "t.jsonl"
    attributes = [attribute(key, value) for key, value in (whole | nested).items()]
    event = {"name": "logprobs.chunk", "timeUnixNano": "7", "attributes": [attribute("at", [0.0])]}
    status = {"code": 2, "message": "refused"}
    line = request(span(parentSpanId="0A" * 8, attributes=attributes, events=[event], status=status))
    path.write_text(json.dumps(line), encoding="utf-8")
    (read,) = read_spans(path)
    assert dict(read.attributes) == whole | nested
    assert (read.trace_id, read.span_id, read.parent_id) == ("ab" * 16, "01" * 8, "0a" * 8)
    assert (read.start_ns, read.end_ns, read.error) == (1000, 2_001_000, "refused")
    assert [(item.name, item.time_ns, dict(item.attributes)) for item in read.events] == [
        ("logprobs.chunk", 7, {"at": [0.0]})
    ]


def test_ids_in_base64_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    trace, span_id = (base64.b64encode(bytes([7]) * size).decode() for size in (16, 8))
    path.write_text(json.dumps(request(span(trace, span_id), span("x" * 24, "!" * 12))), encoding="utf-8")
    first, second = read_spans(path)
    assert (first.trace_id, first.span_id) == ("07" * 16, "07" * 8)
    assert second.span_id == "!" * 12


def test_an_exporters_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from langchain_logprobs.view.model import span_data

    path, memory = tmp_path / "t.jsonl", InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.add_span_processor(SimpleSpanProcessor(exporter.FileSpanExporter(path)))
    with provider.get_tracer("test").start_as_current_span("chat m") as open_span:
        open_span.set_attributes({"tokens": TOKENS, "values": VALUES})
        open_span.add_event("logprobs.chunk", {"logprobs.token.start": 0})
    provider.shutdown()
    (kept,), (read,) = memory.get_finished_spans(), read_spans(path)
    expected = span_data(kept)
    assert {key: list(value) for key, value in expected.attributes.items()} == dict(read.attributes)
    assert (read.trace_id, read.span_id, read.start_ns, read.end_ns) == (
        *(expected.trace_id, expected.span_id),
        *(expected.start_ns, expected.end_ns),
    )
    assert [event.time_ns for event in read.events] == [event.time_ns for event in expected.events]


@pytest.mark.parametrize(
    "line",
    [
        '{"resourceSpans": [',
        "[1]",
        "null",
        '{"resourceSpans": [5]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "no ids"}]}]}]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 1, "spanId": "a"}]}]}]}',
        "\udcff\udcfe",
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_request_is_named_with_cause_and_cure(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(json.dumps(request(span())).encode() + b"\n" + line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(TraceFileError, match=r"t\.jsonl, line 2: not an OTLP export request"):
        read_spans(path)


def test_other_signals_in_the_file_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"resourceLogs": []}\n{"resourceMetrics": []}\n', encoding="utf-8")
    assert read_spans(path) == []


def test_view_prints_every_trace(trace_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["view", str(trace_file), "--width", "80"]) == 0
    printed = capsys.readouterr()
    assert "Lima «sleeps»" in printed.out
    assert "second  2 ms  trace cdcdcdcd" in printed.out
    assert printed.err == ""


def test_view_prints_one_trace(trace_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["view", str(trace_file), "--trace", "CDCD"]) == 0
    printed = capsys.readouterr().out
    assert "second" in printed
    assert "Lima" not in printed


def test_view_options(trace_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert cli.main(["view", str(trace_file), "--light", "--tokens", "1"]) == 0
    coloured = capsys.readouterr().out
    assert "\x1b[" in coloured
    assert "1 more tokens" in coloured
    assert cli.main(["view", str(trace_file), "--no-color"]) == 0
    assert "[38;" not in capsys.readouterr().out


def test_an_unknown_trace_is_answered_with_those_there_are(
    trace_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["view", str(trace_file), "--trace", "ee"]) == 1
    said = capsys.readouterr().err
    assert "no trace with an id that starts with 'ee'" in said
    assert "ab" * 16 in said


def test_files_that_cannot_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, empty = tmp_path / "broken", tmp_path / "empty"
    broken.write_text("{", encoding="utf-8")
    empty.write_text("", encoding="utf-8")
    for path, cause, cure in (
        (tmp_path / "none", "No such file", "make demo"),
        (tmp_path, "Is a directory", "OTLP JSON lines"),
        (broken, "line 1: not an OTLP export request", "delete that line"),
        (empty, "holds no spans", "shut down"),
    ):
        assert cli.main(["view", str(path)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("langchain-logprobs: ")
        assert cause in said.err
        assert cure in said.err


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "COMMAND"),
        (["view"], "SOURCE"),
        (["view", "f", "--width", "0"], "0 is not at least 1"),
        (["view", "f", "--tokens", "many"], "'many' is not a whole number"),
        (["draw"], "draw"),
    ],
)
def test_wrong_arguments(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_without_rich_the_package_to_install_is_named(
    trace_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with monkeypatch.context() as patched:
        missing = ModuleNotFoundError("No module named 'rich'", name="rich.console")
        patched.setattr("builtins.__import__", raising_for("rich.console", missing))
        assert cli.main(["view", str(trace_file)]) == 1
    assert 'pip install "langchain-logprobs[view]"' in capsys.readouterr().err


def test_another_missing_module_is_not_hidden(trace_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ModuleNotFoundError("No module named 'other'", name="other")
    monkeypatch.setattr("builtins.__import__", raising_for("rich.console", missing))
    with pytest.raises(ModuleNotFoundError, match="other"):
        cli.main(["view", str(trace_file)])


def raising_for(module: str, error: Exception) -> Any:
    real = __import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == module:
            raise error
        return real(name, *args, **kwargs)

    return importing


def test_a_reader_that_has_seen_enough_is_no_error(trace_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("langchain_logprobs.cli.view.spans_of", broken)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.main(["view", str(trace_file)]) == 0


def test_standard_input_and_a_terminal_that_cannot_encode_everything(trace_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "langchain_logprobs", "view", "-"],
        input=trace_file.read_bytes(),
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(langchain_logprobs.__file__).parents[1]), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Lima ?sleeps?" in done.stdout
