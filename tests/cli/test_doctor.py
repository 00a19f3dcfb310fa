"""`langchain-logprobs doctor`: broken set-ups, each found in one line with its cure, and a whole one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs import LogprobsInstrumentor, recover_dropped_logprobs
from langchain_logprobs.cli.main import main
from langchain_logprobs.telemetry import names, probe
from langchain_logprobs.view.page.receiver import Received, otlp_server
from tests.providers.wire import Body, Request, WireServer, json_body

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
pytest.importorskip("opentelemetry.instrumentation.urllib")

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("opentelemetry-instrument")
SITE = Path(sysconfig.get_path("purelib"))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS")):
            monkeypatch.delenv(name)


class Backend(WireServer):
    """Takes OTLP and answers Jaeger's API: what came, or what becomes of it in a backend that keeps no arrays."""

    def __init__(self, *, arrays: bool = True) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}
        self.arrays = arrays
        self.answer("/v1/traces", self.take)
        self.answer("/api/services", json_body({"data": ["any"]}))
        self.answer("/api/v3/traces/*", self.show)
        for path in ("/api/v2/*", "/v1/projects"):  # where Zipkin and Phoenix would answer
            self.answer(path, Body((b"",), status=404))

    def take(self, request: Request) -> Body:
        from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.kept = MessageToDict(ExportTraceServiceRequest.FromString(request.body))
        if not self.arrays:
            span = self.kept["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
            span["attributes"] = [each for each in span["attributes"] if "arrayValue" not in each["value"]]
        return Body((b"",), content_type="application/x-protobuf")

    def show(self, request: Request) -> Body:
        return json_body(self.kept)


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    """Run the command in this process; return its exit code and lines."""
    code = main(["doctor", *words])
    return code, capsys.readouterr().out.splitlines()


def wrong(lines: list[str]) -> list[str]:
    """What is said to be wrong."""
    return [line.removeprefix("WRONG").strip() for line in lines if line.startswith("WRONG")]


def test_a_whole_set_up(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Backend() as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        code, lines = doctor(capsys)
        assert code == 0, lines
        assert lines[0].startswith("langchain-logprobs ")
        assert any(line.startswith("ok     langchain-core 1.") for line in lines)
        assert any("took a test span, trace " in line and backend.url in line for line in lines)
        assert lines[-1] == f"ok     {backend.url} shows it, whole"
        by_name = doctor(capsys, "--backend", backend.url)
        assert (by_name[0], by_name[1][-1]) == (0, lines[-1])
        assert doctor(capsys, "--no-send")[1] == [line for line in lines if backend.url not in line]


def test_a_backend_that_loses_the_arrays(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Backend(arrays=False) as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{backend.url}/v1/traces")
        code, lines = doctor(capsys)
    assert code == 1
    assert wrong(lines) == [f"{backend.url} shows it without its arrays of tokens and logprobs, or changed"]


def test_a_backend_that_has_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_logprobs.cli.doctor._WAIT", 1.2)
    received = Received()
    server = otlp_server(0, received, print)
    with Backend() as backend, server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        code, lines = doctor(capsys, "--backend", backend.url)
        assert code == 1
        assert f"{backend.url} does not show it after 1.2 s" in wrong(lines)[0]
        (span,) = received.spans(None)
        assert span.name == probe.SPAN_NAME
        # Without --backend it looks where a backend may be, and says that it has found none.
        code, lines = doctor(capsys)
        assert (code, lines[-1].split()[0]) == (0, "note")
        assert "--backend" in lines[-1]
        server.shutdown()


@pytest.mark.parametrize(
    ("environ", "answer", "cause", "cure"),
    [
        ({}, None, "nobody answers at http://127.0.0.1:", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://nowhere.invalid:4318"}, None, "nobody answers at http://nowhere", ""),
        ({}, Body((b"",), status=401), "did not take a test span", "401"),
        ({}, Body((b"",), status=404), "did not take a test span", "404"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml"}, Body((b"",)), "'http/xml' is none of", "grpc and http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "thrift"}, None, "'thrift' is none of", "grpc and http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Body((b"",)), "did not take a test span", ""),
    ],
)
def test_a_way_that_ends(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environ: Mapping[str, str],
    answer: Body | None,
    cause: str,
    cure: str,
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    with WireServer() as server:
        if answer is not None:
            server.answer("/*", answer)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        for name, text in environ.items():
            monkeypatch.setenv(name, text)
        code, lines = doctor(capsys)
    assert code == 1
    (said,) = wrong(lines)
    assert cause in said
    assert cure in said


def test_a_password_is_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hidden@127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hidden")
    assert "hidden" not in "".join(doctor(capsys)[1])


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LANGCHAIN_LOGPROBS_EVENTS": "logz"}, "LANGCHAIN_LOGPROBS_EVENTS='logz' is not one of"),
        ({"LANGCHAIN_LOGPROBS_EVENT": "log"}, "did you mean LANGCHAIN_LOGPROBS_EVENTS?"),
        ({"OTEL_SDK_DISABLED": "TRUE"}, "OTEL_SDK_DISABLED=true switches tracing off"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "OTEL_TRACES_EXPORTER=none switches tracing off"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "16"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=16 drops"),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "100"}, "cuts long texts"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "urllib, langchain-logprobs"}, "leaves langchain-logprobs out"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}, "leaves langchain-logprobs out"),
    ],
)
def test_an_environment_that_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], said: str
) -> None:
    monkeypatch.setattr("langchain_logprobs.settings._said", set())
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    code, lines = doctor(capsys, "--no-send")
    assert code == 1
    assert len(wrong(lines)) == 1
    assert said in wrong(lines)[0]


def test_a_right_environment_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_LOGPROBS_SPANS", "llm")
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "128")
    code, lines = doctor(capsys, "--no-send")
    assert code == 0
    assert lines[-1] == "ok     settings: LANGCHAIN_LOGPROBS_SPANS=llm"


def test_what_is_on_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("langchain_openai")
    undo = recover_dropped_logprobs("openai_responses")
    LogprobsInstrumentor().instrument()
    try:
        lines = doctor(capsys, "--no-send")[1]
    finally:
        LogprobsInstrumentor().uninstrument()
        undo()
    assert "ok     langchain-logprobs is switched on in this process" in lines
    assert [line for line in lines if 'recover_dropped_logprobs("openai_responses") is on' in line]
    later = doctor(capsys, "--no-send")[1]
    assert [line for line in later if 'recovery is off in this process: call recover_dropped_logprobs("open' in line]


def test_a_backend_is_guessed_on_this_machine_alone() -> None:
    from langchain_logprobs.cli.doctor import _guesses

    def guesses(**environ: str) -> list[str]:
        return _guesses(probe.endpoint(environ))

    assert guesses() == ["http://localhost:16686", "http://localhost:6006"]
    assert guesses(OTEL_EXPORTER_OTLP_ENDPOINT="http://[::1]:6006/")[0] == "http://[::1]:6006"
    assert guesses(OTEL_EXPORTER_OTLP_ENDPOINT="https://otlp.example.com") == []


@pytest.mark.parametrize(
    ("environ", "address", "protocol", "place"),
    [
        ({}, "http://localhost:4318", "http/protobuf", ("localhost", 4318)),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", "grpc", ("localhost", 4317)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317"}, "http://a:4317", "grpc", ("a", 4317)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "a:4317"}, "a:4317", "grpc", ("a", 4317)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a/otlp"}, "https://a/otlp", "http/protobuf", ("a", 443)),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2/v1/traces"},
            "http://b:2/v1/traces",
            "http/protobuf",
            ("b", 2),
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, "http://localhost:4318", "http/protobuf", ("localhost", 4318)),
    ],
)
def test_where_spans_are_sent_to(environ: dict[str, str], address: str, protocol: str, place: tuple[str, int]) -> None:
    where = probe.endpoint(environ)
    assert (where.address, where.protocol, where.place) == (address, protocol, place)


@pytest.mark.parametrize(
    ("attributes", "whole"),
    [
        ({names.TOKENS: probe.TOKENS, names.VALUES: list(probe.VALUES)}, True),
        ({names.TOKENS: probe.TOKENS}, False),
        ({names.TOKENS: list(probe.TOKENS[:3]), names.VALUES: probe.VALUES}, False),
        ({names.TOKENS: str(list(probe.TOKENS)), names.VALUES: probe.VALUES}, False),
        ({}, False),
    ],
)
def test_what_counts_as_whole(attributes: dict[str, Any], whole: bool) -> None:
    assert probe.came_back(attributes) is whole


# Set-ups that lack a package, in processes of their own: a folder of links to all that is installed but some.


@pytest.fixture
def without(tmp_path: Path) -> Any:
    """Makes a path on which some distributions are not to be found."""

    def make(*distributions: str, also: Mapping[str, str] | None = None) -> dict[str, str]:
        gone = {name.replace("-", "_") for name in distributions}
        folder = tmp_path / "site"
        folder.mkdir()
        for each in SITE.iterdir():
            if each.name.partition("-")[0] in gone and each.name.endswith(".dist-info"):
                continue
            if each.name != "opentelemetry":
                (folder / each.name).symlink_to(each)
        (folder / "opentelemetry").mkdir()
        modules = {name.removeprefix("opentelemetry-") for name in distributions}
        modules |= {"exporter"} if "opentelemetry-exporter-otlp-proto-http" in distributions else set()
        for each in (SITE / "opentelemetry").iterdir():
            if each.name not in modules:
                (folder / "opentelemetry" / each.name).symlink_to(each)
        first = tmp_path / "first"
        for name, version in (also or {}).items():
            info = first / f"{name.replace('-', '_')}-{version}.dist-info"
            info.mkdir(parents=True)
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, encoding="utf-8")
        paths = [str(first), str(ROOT / "src"), str(folder)]
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS"))}
        return {**kept, "PYTHONPATH": os.pathsep.join(paths)}

    return make


def lines_of(environ: Mapping[str, str], *words: str) -> list[str]:
    """Run the command as a process that sees nothing but that path; return its lines."""
    command = [sys.executable, "-S", "-m", "langchain_logprobs", "doctor", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.returncode == int(bool(wrong(done.stdout.splitlines())))
    return done.stdout.splitlines()


SDK = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")


def test_without_an_sdk(without: Any) -> None:
    with WireServer() as server:
        environ = without(*SDK, "opentelemetry-distro", "opentelemetry-instrumentation")
        lines = lines_of({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": server.url})
    sdk, way = wrong(lines)
    assert sdk == 'opentelemetry-sdk is missing, spans go nowhere: pip install "langchain-logprobs[otlp]"'
    assert "answers, and nothing can be sent as opentelemetry.exporter is missing" in way
    assert 'note   to trace without code: pip install "langchain-logprobs[auto]"' in lines


def test_without_an_exporter(without: Any) -> None:
    lines = lines_of(without(*SDK[1:]), "--no-send")
    assert [line for line in lines if line.startswith("note") and "without an OTLP exporter" in line]


def test_without_a_distro(without: Any) -> None:
    (said,) = wrong(lines_of(without("opentelemetry-distro"), "--no-send"))
    assert "exports nothing without opentelemetry-distro: pip install opentelemetry-distro" in said


def test_an_old_langchain_and_another_instrumentation(without: Any) -> None:
    lines = lines_of(without(also={"langchain": "0.0.27", "langchain-core": "0.3.80"}), "--no-send")
    assert wrong(lines) == [
        "langchain-core 0.3.80 is too old: pip install --upgrade 'langchain-core>=1'",
        "langchain 0.0.27 is too old: pip install --upgrade 'langchain>=1'",
    ]


def test_an_integration_that_is_newer_than_its_patch(without: Any) -> None:
    lines = lines_of(without(also={"langchain-ollama": "99.0"}), "--no-send")
    assert [line for line in lines if "langchain-ollama 99.0" in line and "leaves it alone" in line]


@pytest.mark.parametrize("off", [False, True])
def test_under_opentelemetry_instrument(off: bool) -> None:
    pytest.importorskip("opentelemetry.distro")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS"))}
    quiet = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "console")
    skipped = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "langchain-logprobs"} if off else {}
    done = subprocess.run(
        [COMMAND, sys.executable, "-m", "langchain_logprobs", "doctor", "--no-send"],
        env={**kept, **quiet, **skipped},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == int(off), done.stderr
    on = "ok     langchain-logprobs is switched on in this process" in done.stdout
    assert on is not off
    assert ("leaves langchain-logprobs out" in done.stdout) is off
