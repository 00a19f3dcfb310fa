"""What is said in the first half hour: one line a cause, once a process, and nothing where all is well.

Each case is a process of its own, with logging as Python has it where a program sets up none. They are forked from one
that has imported what they need.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any, Protocol

import pytest

from langchain_logprobs.capture import first_use
from langchain_logprobs.confidence.inputs import Asked
from langchain_logprobs.confidence.status import why_not_asked
from langchain_logprobs.telemetry.spans import Telemetry
from tests.providers.completion_models import ROWS as COMPLETION_ROWS
from tests.providers.row import Row
from tests.providers.table import ROWS

MODEL = """
from langchain_core.language_models import FakeListChatModel, FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_logprobs import LogprobsCallbackHandler, LogprobsInstrumentor, Settings, confidence_of_calls
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

def provider(*processors, **kwargs):
    made = TracerProvider(**kwargs)
    for each in processors:
        made.add_span_processor(each)
    return made

sent = SimpleSpanProcessor(InMemorySpanExporter())
logprobs = {"content": [{"token": "Lima", "logprob": -0.1, "top_logprobs": []}]}
answer = AIMessage("Lima", response_metadata={"logprobs": logprobs})

class Asked(GenericFakeChatModel):
    logprobs: bool = True
    _identifying_params = property(lambda self: {"logprobs": self.logprobs})

class ChatAnthropic(FakeListChatModel):
    pass

def asked():
    return Asked(messages=iter([answer] * 9))

def traced(**kwargs):
    return {"callbacks": [LogprobsCallbackHandler(**kwargs)]}
"""
WELL = "trace.set_tracer_provider(provider(sent))\nfor _ in range(3):\n    asked().invoke('?', traced())\n"
NOT_ASKED = "FakeListChatModel(responses=['Lima']).invoke('?', traced(tracer_provider=provider(sent)))\n"


FORKS = """
import json, os, sys, tempfile
for line in sys.stdin:
    case = json.loads(line)
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            sys.stdout = open(os.devnull, "w")
            os.environ |= case["environ"]
            sys.path[:0] = case["path"]
            exec(case["code"])
            sys.exit()
        failed = os.waitpid(child, 0)[1] != 0
        said.seek(0)
        print(json.dumps([failed, said.read().decode().splitlines()]), flush=True)
"""


class Said(Protocol):
    def __call__(self, code: str, *, path: list[str] = ..., **environ: str) -> list[str]: ...


@pytest.fixture(scope="module")
def said() -> Iterator[Said]:
    """Runs a program, with these folders first on its path; returns the lines on standard error."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS"))}
    command = [sys.executable, "-c", MODEL + FORKS]
    with subprocess.Popen(command, env=kept, stdin=PIPE, stdout=PIPE, text=True) as parent:
        assert parent.stdin
        assert parent.stdout
        to, back = parent.stdin, parent.stdout

        def run(code: str, *, path: Sequence[str] = (), **environ: str) -> list[str]:
            to.write(json.dumps({"code": code, "path": path, "environ": environ}) + "\n")
            to.flush()
            failed, lines = json.loads(back.readline())
            assert not failed, lines
            return list(lines)

        yield run


@pytest.mark.parametrize(
    ("code", "cause", "cure"),
    [
        # No tracer provider.
        ("asked().invoke('?', traced())\n" * 2, "no tracer provider", "trace.set_tracer_provider(...)"),
        ("LogprobsInstrumentor().instrument()\n" + "asked().invoke('?')\n" * 2, "no tracer provider", "instrument"),
        ("list(asked().stream('?', traced()))\n", "no tracer provider", "set_tracer_provider"),
        ("import asyncio\nasyncio.run(asked().ainvoke('?', traced()))\n", "no tracer provider", "set_tracer_provider"),
        ("asked().batch(['?', '?', '?'], traced())\n", "no tracer provider", "set_tracer_provider"),
        ("asked().invoke('?', traced(settings=Settings(spans='llm')))\n", "no tracer provider", "set_tracer_provider"),
        # No exporter.
        (
            "trace.set_tracer_provider(provider())\n" + "asked().invoke('?', traced())\n" * 2,
            "sent nowhere",
            "add_span_",
        ),
        ("asked().invoke('?', traced(tracer_provider=provider()))\n", "sent nowhere", "add_span_processor("),
        (
            "config = traced(settings=Settings(deferred=True), tracer_provider=provider())\n"
            "asked().invoke('?', config)\nconfig['callbacks'][0].flush()\n",
            "sent nowhere",
            "add_span_processor(",
        ),
        ("LogprobsInstrumentor().instrument(tracer_provider=provider())\nasked().invoke('?')\n", "nowhere", "add"),
        # Not asked for.
        (NOT_ASKED * 3, "FakeListChatModel: it was not asked", "logprobs=True on its constructor"),
        (NOT_ASKED + WELL, "it was not asked", "logprobs=True"),
        (
            "list(FakeListLLM(responses=['a']).stream('?', traced(tracer_provider=provider(sent))))\n",
            "asked",
            "bs=5 on",
        ),
        (
            "with confidence_of_calls():\n    FakeListChatModel(responses=['a']).invoke('?')\n",
            "not asked",
            "logprobs=T",
        ),
        # A model that has none.
        (NOT_ASKED.replace("FakeListChatModel", "ChatAnthropic") * 2, "Anthropic's API has none", "another model"),
    ],
)
def test_one_line_with_the_cause_and_the_cure(said: Said, code: str, cause: str, cure: str) -> None:
    lines = said(code)
    assert len(lines) == 1, lines
    assert cause in lines[0]
    assert cure in lines[0]


@pytest.mark.parametrize(
    ("code", "environ"),
    [
        (WELL, {}),
        (WELL + NOT_ASKED, {}),  # whoever has had them knows how
        ("LogprobsInstrumentor().instrument(tracer_provider=provider(sent))\nasked().batch(['?', '?'])\n", {}),
        # Wanted so: switched off, sampled out, reports or metrics alone, an exporter called none, a call that failed.
        ("asked().invoke('?', traced())\n", {"OTEL_SDK_DISABLED": "true"}),
        ("asked().invoke('?', traced(tracer_provider=provider(sent, sampler=ALWAYS_OFF)))\n", {}),
        ("asked().invoke('?', traced(tracer_provider=trace.NoOpTracerProvider()))\n", {}),
        ("asked().invoke('?', traced(on_call=print))\n", {}),
        ("asked().invoke('?', traced(on_call=print, tracer_provider=provider()))\n", {}),
        ("with confidence_of_calls():\n    asked().invoke('?')\n", {}),
        ("asked().invoke('?', traced(meter_provider=MeterProvider()))\n", {}),
        ("asked().invoke('?', traced(tracer_provider=provider()))\n", {"OTEL_TRACES_EXPORTER": "none"}),
        (
            "try:\n    FakeListChatModel(responses=[]).invoke('?', traced(tracer_provider=provider(sent)))\n"
            "except IndexError:\n    pass\n",
            {},
        ),
        ("LogprobsInstrumentor().instrument()\n", {}),  # nothing was called
    ],
)
def test_silence_where_all_is_well(said: Said, code: str, environ: dict[str, str]) -> None:
    assert said(code, **environ) == []


def installed(folder: Path, name: str, version: str) -> str:
    """Make a folder that has a distribution of this version; return its path."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("name", "version", "lines"),
    [
        ("langchain", "0.0.27", 1),
        ("langchain", "0.3.27", 1),
        ("langchain-core", "0.3.80", 1),
        ("langchain-core", "1.0.0", 0),
        ("langchain", "1.0.0a1", 0),
        ("langchain", "10.0", 0),
    ],
)
def test_a_langchain_that_is_too_old(said: Said, tmp_path: Path, name: str, version: str, lines: int) -> None:
    found = said(WELL, path=[installed(tmp_path, name, version)])
    assert len(found) == lines, found
    assert all(f"{name} {version}" in line and f"--upgrade '{name}>=1'" in line for line in found)


@pytest.mark.parametrize("row", [row for row in ROWS if row.asks], ids=lambda row: f"{row.name} {row.variant}".strip())
def test_the_cure_is_how_the_class_is_asked(row: Row) -> None:
    asked = {key for arguments in (row.constructor, row.bound) for key in flags(arguments)}
    cure = why_not_asked(Asked(class_name=row.name), completion=row in COMPLETION_ROWS)
    named = {key for key in ("return_logprobs", "response_logprobs", "include") if key in cure}
    assert named == asked & {"return_logprobs", "response_logprobs"}, cure
    nested = {
        key for arguments in (row.constructor, row.bound) for key in arguments if isinstance(arguments[key], dict)
    }
    assert all(f"{key}={{" in cure for key in nested), cure
    if not nested and not row.constructor:
        assert ".bind(" in cure


def flags(arguments: dict[str, object]) -> set[str]:
    """The names of the arguments, nested ones too."""
    found = set(arguments)
    for value in arguments.values():
        if isinstance(value, dict):
            found |= set(value)
    return found


# The same in this process, piece by piece.


@pytest.mark.parametrize(
    ("gap", "sdk", "said"),
    [
        ("no provider", True, [first_use.NO_PROVIDER]),
        ("no provider", False, [f"{first_use.NO_PROVIDER} ({first_use.NO_SDK})"]),
        ("no processor", True, [first_use.NO_PROCESSOR]),
        (None, True, []),
    ],
)
def test_the_first_call_decides(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, gap: Any, sdk: bool, said: list[str]
) -> None:
    class Telling(Telemetry):
        def __init__(self) -> None:
            pass

        def gap(self) -> Any:
            return gap

    monkeypatch.setattr(first_use, "_done", set())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if sdk else None)
    for _ in range(2):
        first_use.check_spans(Telling())
    assert caplog.messages == [f"langchain-logprobs: {line}" for line in said]


def test_an_old_version_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(first_use, "_done", set())
    monkeypatch.syspath_prepend(installed(tmp_path, "langchain", "0.3.27"))
    for _ in range(2):
        first_use.check_versions()
    assert len(caplog.messages) == 1
    assert "langchain 0.3.27 is installed" in caplog.messages[0]


def test_what_is_not_installed_is_not_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert first_use.outdated() == []
