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
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.read import read_source

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
    (read,) = read_source(str(path))
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
    first, second = read_source(str(path))
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
    (kept,), (read,) = memory.get_finished_spans(), read_source(str(path))
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
    with pytest.raises(SourceError, match=r"t\.jsonl, line 2"):
        read_source(str(path))


def test_other_signals_in_the_file_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"resourceLogs": []}\n{"resourceMetrics": []}\n', encoding="utf-8")
    assert read_source(str(path)) == []


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


@pytest.fixture
def coloured_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORFGBG", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.usefixtures("coloured_terminal")
def test_colours(trace_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*options: str) -> str:
        assert cli.main(["view", str(trace_file), *options]) == 0
        return capsys.readouterr().out

    assert "\x1b[" not in drawn()
    assert "\x1b[" in drawn("--color", "always")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert "48;5;" in drawn("--color", "always")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "48;5;" in drawn()
    assert "48;5;" not in drawn("--color", "never")
    assert len({drawn("--light"), drawn("--dark"), drawn()}) == 3


LEVELS = {
    "a1": {
        "logprobs.confidence.level": "low",
        "logprobs.confidence.score": 0.3,
        "logprobs.low_confidence.detected": True,
    },
    "b2": {"logprobs.confidence.level": "high", "logprobs.confidence.score": 0.9},
    "c3": {"logprobs.confidence.level": "medium", "logprobs.confidence.score": 0.6},
}


@pytest.fixture
def levels(tmp_path: Path) -> Path:
    path = tmp_path / "levels.jsonl"
    spans = []
    for number, (name, attributes) in enumerate(LEVELS.items()):
        times = {"startTimeUnixNano": str(number), "endTimeUnixNano": "9"}
        found = [attribute(key, value) for key, value in attributes.items()]
        call = [attribute("logprobs.status", "recorded"), attribute("logprobs.values", [-0.1]), *found]
        spans.append(span(name * 16, name * 8, parentSpanId="0d" * 8, attributes=call, **times))
        spans.append(span(name * 16, "0d" * 8, **times | {"name": "step"}))
    path.write_text(json.dumps(request(*spans)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "options, traces, code",
    [
        ([], "a1 b2 c3", 0),
        (["--low"], "a1", 0),
        (["--level", "medium"], "c3", 0),
        (["--below", "0.65"], "a1 c3", 3),
        (["--below", ".1"], "", 0),
        (["--below", "0.65", "--last"], "c3", 3),
        (["--low", "--below", "0.2"], "", 0),
        (["--last"], "c3", 0),
        (["--trace", "b2", "--below", "0.95"], "b2", 3),
    ],
)
def test_which_traces_are_shown(
    levels: Path, options: list[str], traces: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["view", str(levels), *options]) == code
    said = capsys.readouterr()
    assert [line.rpartition("trace ")[2][:2] for line in said.out.splitlines() if "trace " in line] == traces.split()
    assert said.out.count("step") == len(traces.split())
    assert ("none of 3 traces" in said.err) == (not traces)
    assert cli.main(["view", str(levels), *options, "--calls"]) == code
    assert "step" not in capsys.readouterr().out


def test_the_exit_code_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["view", "--help"])
    assert "the exit code is 3 where there is one" in " ".join(capsys.readouterr().out.split())


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_on(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["view", *arguments]) == 0
    return terminal.getvalue()


@pytest.mark.usefixtures("coloured_terminal")
def test_a_picture_taller_than_the_screen_goes_through_the_pager(
    trace_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged = tmp_path / "paged"
    script = tmp_path / "pager.py"
    script.write_text(f"import os, sys; open({str(paged)!r}, 'w').write(os.environ['LESS'] + sys.stdin.read())")
    monkeypatch.delenv("LESS", raising=False)
    monkeypatch.setenv("PAGER", f"{sys.executable} {script}")
    monkeypatch.setenv("LINES", "100")
    assert "sleeps" in shown_on(Terminal(), monkeypatch, str(trace_file))
    assert not paged.exists()
    monkeypatch.setenv("LINES", "5")
    assert shown_on(Terminal(), monkeypatch, str(trace_file)) == ""
    assert paged.read_text().startswith("FRX")
    assert "\x1b[" in paged.read_text()
    for pager in ("no-such-program", ""):
        monkeypatch.setenv("PAGER", pager)
        assert "sleeps" in shown_on(Terminal(), monkeypatch, str(trace_file))


@pytest.mark.usefixtures("coloured_terminal")
def test_a_pager_that_is_closed_early_is_no_error(trace_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "true")
    monkeypatch.setenv("LINES", "2")
    assert shown_on(Terminal(), monkeypatch, str(trace_file), "--width", "2000") == ""


def written(*spans: dict[str, Any]) -> str:
    return json.dumps(request(*spans)) + "\n"


def test_a_file_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"
    child = span("aa" * 16, "02" * 8, parentSpanId="01" * 8, name="inner", attributes=CALL)
    steps: list[tuple[str, list[str]]] = [
        ("", []),  # the file is not there yet
        (written(child), []),  # its root is still open
        (written(span("aa" * 16, "01" * 8, name="outer")), ["outer", "inner"]),
        ('{"resource', []),  # a line that is being written
        (written(span("bb" * 16, name="next")).removeprefix('{"resource'), ["next"]),
        (written(span("cc" * 16, "02" * 8, parentSpanId="01" * 8, name="orphan")), []),
        *[("", [])] * 3,
        ("", ["orphan"]),  # its root does not come
        ("{broken\n", []),
        *[("", [])] * 6,
    ]
    done: list[str] = []
    names = ("outer", "inner", "next", "orphan")

    def sleep(_: float) -> None:
        if done:
            drawn = capsys.readouterr()
            assert [name for name in names if name in drawn.out] == steps[len(done) - 1][1], len(done)
            assert ("line 5" in drawn.err) == (len(done) == 15), len(done)
        if len(done) == len(steps):
            raise KeyboardInterrupt
        text = steps[len(done)][0]
        done.append(text)
        if text:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)

    monkeypatch.setattr("langchain_logprobs.cli.follow.time.sleep", sleep)
    assert cli.main(["view", str(path), "--watch"]) == 0
    assert len(done) == len(steps)


@pytest.mark.parametrize("source", ["-", "http://127.0.0.1:1/trace/1"])
def test_only_files_are_followed(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["view", source, "--watch"]) == 1
    assert "--watch follows a file" in capsys.readouterr().err


def test_several_files_are_shown_as_one(
    trace_file: Path, levels: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(*words: str) -> str:
        assert cli.main(["view", *words]) == 0
        return capsys.readouterr().out

    both = drawn(str(trace_file), str(levels))
    assert both.count("trace ") == drawn(str(trace_file)).count("trace ") + drawn(str(levels)).count("trace ")
    one = drawn(str(trace_file), str(levels), "--trace", "a1")
    assert one == drawn(str(levels), "--trace", "a1")
    assert cli.main(["view", str(trace_file), str(levels), "--trace", "f0f0"]) == 1
    assert "holds no trace with an id that starts with 'f0f0'" in capsys.readouterr().err
    assert cli.main(["view", str(levels), str(levels.with_name("none"))]) == 1
    assert "No such file" in capsys.readouterr().err
    assert cli.main(["view", str(levels), str(trace_file), "--watch"]) == 1
    assert "--watch follows one file" in capsys.readouterr().err


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
        (["view", "f", "--width", "many"], "'many' is not a whole number"),
        (["view", "f", "--below", "1.5"], "'1.5' is not a probability from 0 to 1"),
        (["view", "f", "--below", "nan"], "'nan' is not a probability from 0 to 1"),
        (["view", "f", "--below", "low"], "'low' is not a probability from 0 to 1"),
        (["view", "f", "--level", "bad"], "invalid choice: 'bad'"),
        (["view", "f", "--light", "--dark"], "not allowed with"),
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
