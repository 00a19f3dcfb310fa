"""An agent that knows nothing of us, started by the README's own line: its trace is in Jaeger, with its logprobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.backends import Jaeger, SpanData
from tests.e2e.processes import wait_for
from tests.providers.wire import Body, Request, WireServer, json_body, sse
from tests.support import chunks, completion, entry

ROOT = Path(__file__).resolve().parent.parent.parent

APPLICATION = """
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def founded(city: str) -> str:
    "Tell when a city was founded."
    return "it is disputed"


agent = create_agent(ChatOpenAI(model="m-1", max_retries=0), [founded], name="historian")
state = agent.invoke({"messages": [("user", "When was Lima founded?")]})
print(state["messages"][-1].content, "logprobs" in state["messages"][-1].response_metadata)
"""

OPENINFERENCE = """
from openinference.instrumentation.langchain import LangChainInstrumentor

LangChainInstrumentor().instrument()
"""

ANSWER = [
    entry("In", -0.01),
    entry(" 15", -0.02),
    entry("36", -1.9, ("35", -0.25)),
    entry(".", -0.01),
]


def line_of_readme() -> str:
    """The one command of README that traces a program as it stands."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(OTEL_SERVICE_NAME=(?:.*\\\n)*.*opentelemetry-instrument .*)$", text, re.MULTILINE)
    return str(command)


def serve(request: Request) -> Body:
    """A chat completion: first the tool's call, then the answer; logprobs exactly where they are asked for."""
    asked = bool(request.json.get("logprobs"))
    if any(message["role"] == "tool" for message in request.json["messages"]):
        if request.json.get("stream"):
            return sse(chunks(ANSWER))
        return json_body(completion(ANSWER, **({} if asked else {"logprobs": None})))
    function = {"name": "founded", "arguments": '{"city": "Lima"}'}
    calls = [{"id": "call-1", "type": "function", "function": function}]
    message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": calls}
    return json_body(completion([], message=message, logprobs=None, finish_reason="tool_calls"))


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("*", serve)
        yield server


def run(jaeger: Jaeger, wire: WireServer, folder: Path, application: str) -> None:
    """Run an application by the line of README, which switches no other instrumentation on that may be installed."""
    (folder / "app.py").write_text(application, encoding="utf-8")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANG", "OPENAI"))}
    points = entry_points(group="opentelemetry_instrumentor")
    off = [each.name for each in points if each.name != "langchain-logprobs"]
    done = subprocess.run(
        ["sh", "-ec", line_of_readme()],
        cwd=folder,
        env={
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OPENAI_API_KEY": "unused",
            "OPENAI_BASE_URL": f"{wire.url}/v1",
            # What a machine with Jaeger on its own ports does not need.
            "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.http_endpoint.removesuffix("/v1/traces"),
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(off),
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "In 1536. False\n"), done.stderr
    assert done.stderr == ""
    assert [request.json.get("top_logprobs") for request in wire.requests] == [5, 5]


def trace_of(jaeger: Jaeger, root: str) -> list[SpanData]:
    """Search as README teaches; return the spans of the one trace that is found."""

    def found() -> set[str] | None:
        return jaeger.find_roots("my-app", root, {"logprobs.low_confidence.detected": "true"}) or None

    (trace_id,) = wait_for(found, timeout=30, what="the trace in Jaeger")
    return jaeger.read("my-app", trace_id)


def test_the_readmes_line(jaeger: Jaeger, wire: WireServer, tmp_path: Path) -> None:
    run(jaeger, wire, tmp_path, APPLICATION)
    spans = trace_of(jaeger, "invoke_agent historian")
    calls = [span for span in spans if span.name == "chat m-1"]
    assert [call.attributes["logprobs.requested"] for call in calls] == [5, 5]
    answered = [call for call in calls if call.attributes["logprobs.status"] == "recorded"]
    assert [call.attributes["logprobs.answer"] for call in answered] == ["In [1536 .15, nearly 35 .78]."]
    assert {span.name for span in spans} >= {"invoke_agent historian", "execute_tool founded", "chat m-1"}
    assert sum(span.parent_id is None for span in spans) == 1


def test_the_same_beside_openinference(jaeger: Jaeger, wire: WireServer, tmp_path: Path) -> None:
    pytest.importorskip("openinference.instrumentation.langchain")
    run(jaeger, wire, tmp_path, OPENINFERENCE + APPLICATION)
    spans = trace_of(jaeger, "historian")
    calls = [span for span in spans if span.attributes.get("openinference.span.kind") == "LLM"]
    assert [call.name for call in calls] == ["ChatOpenAI", "ChatOpenAI"]
    assert [call for call in spans if "logprobs.status" in call.attributes] == calls
    assert [call.attributes["logprobs.requested"] for call in calls] == [5, 5]
    answered = [call for call in calls if call.attributes["logprobs.status"] == "recorded"]
    assert [call.attributes["logprobs.answer"] for call in answered] == ["In [1536 .15, nearly 35 .78]."]
    assert not [span.name for span in spans if span.name.startswith(("chat ", "invoke_agent ", "execute_tool "))]
    assert sum(span.parent_id is None for span in spans) == 1
