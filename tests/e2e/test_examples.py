"""The examples run as a newcomer runs them: each is a program of its own, on the real model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.backends import Jaeger
from tests.e2e.processes import free_ports

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, cwd: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_quickstart(tmp_path: Path) -> None:
    shown = run("quickstart.py", tmp_path)
    assert "invoke_workflow RunnableSequence" in shown
    assert re.search(r"confidence 0\.\d+", shown)


def test_structured_output(tmp_path: Path) -> None:
    shown = run("structured_output.py", tmp_path)
    for path in ("/product", "/opinion", "/weeks_used", "/buys_again"):
        assert re.search(rf"{path} +[01]\.\d{{3}}", shown)
    assert "nearly" in shown


def test_confidence_in_code(tmp_path: Path) -> None:
    shown = run("confidence_in_code.py", tmp_path)
    assert shown.count("Order(customer=") == 3
    assert re.search(r"to review, level (low|medium|high):\n    /\w+ .+ 0\.\d\d", shown)


def test_demo_draws_four_programs_and_writes_standard_otlp(tmp_path: Path) -> None:
    shown = run("demo.py", tmp_path)
    for program in ("chain:", "streamed_chain:", "batch:", "graph:"):
        assert program in shown
    assert "execute_tool population" in shown
    file = EXAMPLES.parent / "traces" / "demo.jsonl"
    spans = [
        span
        for line in file.read_text(encoding="utf-8").splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert all(re.fullmatch("[0-9a-f]{32}", span["traceId"]) for span in spans)
    calls = [span for span in spans if any(item["key"] == "logprobs.tokens" for item in span.get("attributes", ()))]
    assert len(calls) == 1 + 1 + 4 + 2
    view = [sys.executable, "-m", "langchain_logprobs", "view", str(file), "--color", "never"]
    drawn = subprocess.run(view, capture_output=True, text=True, timeout=60, check=True).stdout
    assert drawn.count("chat smollm2-135m") == len(calls)


def test_send_to_jaeger(tmp_path: Path, jaeger: Jaeger) -> None:
    shown = run(
        "send_to_jaeger.py", tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=jaeger.http_endpoint.removesuffix("/v1/traces")
    )
    trace_id = shown.split("trace ")[-1].strip()
    names = {span.name for span in jaeger.read("unsure-about", trace_id)}
    assert {"question", "invoke_workflow RunnableSequence", "chat smollm2-135m"} <= names


def test_jaeger_the_page_and_the_demo_together(tmp_path: Path, jaeger: Jaeger) -> None:
    ports = [str(port) for port in free_ports(3)]
    options = [word for pair in zip(("--jaeger", "--otlp", "--page"), ports, strict=True) for word in pair]
    shown = run("with_jaeger.py", tmp_path, *options, "--once")
    assert shown.count(f"http://127.0.0.1:{ports[0]}/trace/") == 7
    assert f"http://127.0.0.1:{ports[2]}/" in shown


def test_send_to_jaeger_says_what_to_do_when_nothing_answers(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Start a backend that takes OTLP"):
        run("send_to_jaeger.py", tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
