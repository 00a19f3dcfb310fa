"""The examples run as a newcomer runs them: each is a program of its own, on the real model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.tables import table
from langchain_logprobs.tables.columns import COLUMNS
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.sources.read import read_source
from tests.e2e.backends import Jaeger
from tests.e2e.processes import free_ports

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, cwd: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
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


def test_review_queue_and_what_its_tables_say(tmp_path: Path) -> None:
    # 200 documents are twelve minutes where the machine is busy; the traces of a few are read in the same way.
    shown = run("review_queue.py", tmp_path, "12")
    assert re.search(r"12 documents, \d+ values: \d+ documents to review, for \d+ values", shown)
    assert "12 inputs on both sides, paired by gen_ai.conversation.id" in shown
    assert re.search(r"/opinion +\d+ ", shown)
    assert shown.count("model calls, level ") == 2
    file = tmp_path / "review_queue" / "three.jsonl"
    spans = {span.span_id: span for span in read_source(str(file))}
    for of in ("calls", "fields", "stretches"):
        for row in table(file, of):  # type: ignore[arg-type]
            every_cell_is_its_span_s(row, spans[row["span_id"]], of)
    lines = (tmp_path / "review_queue" / "fields.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(table(file, "fields"))
    said = subprocess.run(
        [sys.executable, "-m", "langchain_logprobs", "view", str(file), "--below", "1", "--calls"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 3


def every_cell_is_its_span_s(row: dict[str, Any], span: SpanData, of: str) -> None:
    attributes = span.attributes
    if of == "fields":
        at = list(attributes[names.FIELD_PATHS]).index(row["path"])
        assert row["confidence"] == attributes[names.FIELD_CONFIDENCES][at]
        assert row["min_probability"] == attributes[names.FIELD_MIN_PROBABILITIES][at]
        text = json.loads("".join(attributes[names.TOKENS]))
        assert row["value"] == text[row["path"].removeprefix("/")]
        return
    held: Any = attributes
    if of == "stretches":
        (held,) = [
            event.attributes
            for event in span.events
            if event.name == names.LOW_CONFIDENCE_EVENT and event.attributes[names.TOKEN_START] == row["token_start"]
        ]
    for column in COLUMNS[of]:
        if column.attribute is not None:
            assert row[column.name] == held.get(column.attribute), column.name


def test_agent_service_stops_for_a_person_and_remembers(tmp_path: Path) -> None:
    shown = run("agent_service.py", tmp_path)
    assert "The call of population is not sure enough:\n  /tool_calls/0/population/city " in shown
    assert 'a person: it is {"city": "Lima"}' in shown
    assert "10,092,000" in shown
    assert re.search(r"\([6-9] messages in the thread\)", shown)


def test_rag_falls_back_and_does_not_answer_what_it_is_unsure_of(tmp_path: Path) -> None:
    shown = run("rag_fallback.py", tmp_path)
    assert "-> 25 minutes" in shown
    assert "from 3 of 4 texts" in shown
    assert "-> I do not know. (unsure both times: left for a person)" in shown


def test_ci_gate_fails_the_job(tmp_path: Path) -> None:
    shown = run("ci_gate.py", tmp_path, code=3)
    assert "of /product" in shown
    assert "exit code 3: not sure enough" in shown


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
