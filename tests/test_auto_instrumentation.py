"""`opentelemetry-instrument` itself, with our package among others: nothing in the environment stops any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.settings import CAPTURE_CONTENT_ENV, SETTINGS

pytest.importorskip("opentelemetry.distro")
pytest.importorskip("opentelemetry.instrumentation.sqlite3")
pytest.importorskip("opentelemetry.instrumentation.threading")
pytest.importorskip("opentelemetry.instrumentation.urllib")

COMMAND = Path(sys.executable).with_name("opentelemetry-instrument")
OURS = "langchain-logprobs"
OTHERS = [f"opentelemetry-instrumentation-{name}" for name in ("sqlite3", "threading", "urllib")]

APPLICATION = """
import json
from importlib.metadata import entry_points
from opentelemetry import trace
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))

import sqlite3
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

entry = {"token": "Joe", "logprob": -0.1, "bytes": [74, 111, 101], "top_logprobs": []}
answers = [AIMessage("Joe", response_metadata={"logprobs": {"content": [entry]}}) for _ in range(2)]
model = GenericFakeChatModel(messages=iter(answers))
for _ in range(2):
    model.invoke("Who?")
sqlite3.connect(":memory:").cursor().execute("select 1")
others = (SQLite3Instrumentor, ThreadingInstrumentor, URLLibInstrumentor)
print(json.dumps({
    "order": [point.name for point in entry_points(group="opentelemetry_instrumentor")],
    "others": [instrumentor().is_instrumented_by_opentelemetry for instrumentor in others],
    "spans": [[span.name, dict(span.attributes)] for span in exporter.get_finished_spans()],
}))
"""


def put_first(folder: Path, names: list[str]) -> None:
    """Make the entry points of these distributions the first: the first folder of the path with a name counts."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-{distribution(name).version}.dist-info"
        info.mkdir()
        for file in ("METADATA", "entry_points.txt"):
            (info / file).write_text(distribution(name).read_text(file) or "", encoding="utf-8")


def instrumented(tmp_path: Path, first: list[str], **environ: str) -> tuple[dict[str, Any], list[str]]:
    """Run the application; return what it found, and the lines on standard error."""
    put_first(tmp_path, first)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS"))}
    # What the benchmarks compare with may be installed beside us, and has spans for LangChain, too.
    wanted = {OURS, *(name.removeprefix("opentelemetry-instrumentation-") for name in OTHERS)}
    installed = {point.name for point in entry_points(group="opentelemetry_instrumentor")}
    done = subprocess.run(
        [COMMAND, sys.executable, "-c", APPLICATION],
        env={
            **kept,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(installed - wanted),
            **environ,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    ours = found["order"].index(OURS)
    assert (
        (ours == 0) if first == [OURS] else (ours > max(found["order"].index(name) for name in ("sqlite3", "urllib")))
    )
    return found, done.stderr.splitlines()


@pytest.mark.parametrize("first", [[OURS], OTHERS], ids=["ours first", "ours last"])
@pytest.mark.parametrize(
    ("mode", "tokens", "messages", "lines"),
    [("true", True, True, 0), ("1", True, True, 0), ("false", True, False, 0), ("nonsense", False, False, 1)],
)
def test_whatever_the_switch_of_all_genai_instrumentations_says(
    tmp_path: Path, first: list[str], mode: str, tokens: bool, messages: bool, lines: int
) -> None:
    found, said = instrumented(tmp_path, first, **{CAPTURE_CONTENT_ENV: mode})
    assert found["others"] == [True, True, True]
    assert [name for name, _ in found["spans"]] == ["chat", "chat", "select"]
    for _, attributes in found["spans"][:2]:
        assert attributes["logprobs.status"] == "recorded"
        assert ("logprobs.tokens" in attributes, "gen_ai.input.messages" in attributes) == (tokens, messages)
    assert len(said) == lines
    assert all(f"{CAPTURE_CONTENT_ENV}='{mode}'" in line for line in said)


@pytest.mark.parametrize("first", [[OURS], OTHERS], ids=["ours first", "ours last"])
def test_every_setting_with_a_wrong_value(tmp_path: Path, first: list[str]) -> None:
    wrong = {each.variable: "nonsense" for each in SETTINGS.values()}
    found, said = instrumented(tmp_path, first, **wrong, LANGCHAIN_LOGPROBS_EVENT="log")
    assert found["others"] == [True, True, True]
    assert [name for name, _ in found["spans"]] == ["chat", "chat", "select"]
    assert [attributes["logprobs.status"] for _, attributes in found["spans"][:2]] == ["recorded"] * 2
    assert sorted(line.split()[0] for line in said) == sorted(
        [*(f"{variable}='nonsense'" for variable in wrong), "'LANGCHAIN_LOGPROBS_EVENT'"]
    )
