"""Our spans by OpenTelemetry's GenAI conventions: of every recorded provider, of the real model, and of agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes, server_attributes

from langchain_logprobs import Settings
from langchain_logprobs.telemetry import names
from tests.conformance.check import CONVENTIONS, EXCEPTIONS, Span, findings
from tests.golden.recording import load_records
from tests.golden.replay import SETTINGS, Flat, Replayer
from tests.support import EndedSpan, ScriptedModel, Traced

GOOD = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
TIMES = ("gen_ai.response.time_to_first_chunk",)
"""What a replay writes in words; the live spans below have it as a number."""


def of_replay(flat: Flat) -> Span:
    """A span of a replay, whose events stand side by side, one list for each attribute."""
    attributes = {name: value for name, value in flat.items() if " " not in name and name not in TIMES}
    events = []
    for name in dict.fromkeys(flat.get("span events", ())):
        prefix = f"event {name} "
        columns = {key.removeprefix(prefix): values for key, values in flat.items() if key.startswith(prefix)}
        count = max(map(len, columns.values()), default=0)
        events += [
            (name, {key: values[index] for key, values in columns.items() if index < len(values) and key != "at"})
            for index in range(count)
        ]
    return Span(flat["span name"], flat["span kind"], flat["span status"] == "ERROR", attributes, events)


def of_live(span: EndedSpan) -> Span:
    """A span that has just ended."""
    events = [(event.name, event.attributes) for event in span.events]
    return Span(span.name, span.kind.name, span.status.status_code.name == "ERROR", span.attributes, events)


def excused(finding: str) -> str | None:
    """The exception that a finding is; None where it is none."""
    return next((each["finding"] for each in EXCEPTIONS if fnmatchcase(finding, each["finding"])), None)


def recorded() -> Iterator[Span]:
    for file in ("providers", "model"):
        records = load_records(file)
        for settings in SETTINGS.values():
            replayer = Replayer(settings)
            for record in records:
                yield from map(of_replay, replayer.replay(record.events()).spans)


class Shelf(BaseRetriever):
    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return [Document(query)]


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    if not city:
        raise ValueError("no city")
    return "rain"


def live() -> Iterator[Span]:
    """An agent, a graph that fails, a chain, a tool, a retriever and a streamed call, with every setting of text."""
    agents = pytest.importorskip("langchain.agents")
    for settings in (Settings(), Settings(capture_messages=True), Settings(capture_text=False)):
        traced = Traced(settings)
        config: Any = {**traced.config, "metadata": {"thread_id": "t-1"}}
        agents.create_agent(ScriptedModel(), [], name="clerk").invoke({"messages": [("user", "hi")]}, config)
        (ScriptedModel() | (lambda message: message.content)).invoke("hi", config)
        for chunk in ScriptedModel().stream("hi", config, stop=["."]):
            assert chunk
        weather.invoke({"city": "Arnhem"}, config)
        with pytest.raises(ValueError, match="no city"):
            weather.invoke({"city": ""}, config)
        Shelf().invoke("hi", config)
        with pytest.raises(RuntimeError):
            (ScriptedModel(fail_after=2) | str).invoke("hi", config)
        yield from map(of_live, traced.spans)


@pytest.fixture(scope="module")
def spans() -> list[Span]:
    return [*recorded(), *live()]


def test_every_span_is_as_the_conventions_want_it(spans: list[Span]) -> None:
    found = Counter(finding for span in spans for finding in findings(span) if excused(finding) is None)
    assert found == {}
    operations = {span.attributes.get("gen_ai.operation.name") for span in spans}
    assert operations >= {"chat", "text_completion", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval"}
    assert sum(bool(span.events) for span in spans) > 100


def test_every_exception_is_still_needed(spans: list[Span]) -> None:
    needed = {excused(finding) for span in spans for finding in findings(span)}
    assert needed - {None} == {each["finding"] for each in EXCEPTIONS}
    assert all(len(each["reason"]) > 20 for each in EXCEPTIONS)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"gen_ai.provider.name": None}, ["chat: required gen_ai.provider.name is missing"]),
        ({"gen_ai.provider.name": "OpenAI"}, ["chat: gen_ai.provider.name is none of the members: OpenAI"]),
        ({"gen_ai.system": "openai"}, ["chat: gen_ai.system is no name of the conventions"]),
        ({"gen_ai.logprobs": [0.1]}, ["chat: gen_ai.logprobs is no name of the conventions"]),
        ({"gen_ai.tool.name": "t"}, ["chat: gen_ai.tool.name is not of this span"]),
        ({"gen_ai.request.temperature": 1}, ["chat: gen_ai.request.temperature is no double: 1"]),
        ({"gen_ai.request.max_tokens": 1.0}, ["chat: gen_ai.request.max_tokens is no int: 1.0"]),
        ({"gen_ai.request.seed": True}, ["chat: gen_ai.request.seed is no int: True"]),
        ({"gen_ai.response.finish_reasons": "stop"}, ["chat: gen_ai.response.finish_reasons is no string[]: 'stop'"]),
        ({"gen_ai.response.finish_reasons": ["eos"]}, ["chat: a finish reason is none of the members: eos"]),
        ({"gen_ai.output.messages": "[{"}, ["chat: gen_ai.output.messages is no JSON"]),
        ({"gen_ai.output.messages": '[{"role": "ai", "parts": []}]'}, ["chat: gen_ai.output.messages: role ai"]),
        (
            {"gen_ai.output.messages": '[{"role": "user", "parts": [{"type": "text"}, {"type": "own"}]}]'},
            ["chat: gen_ai.output.messages: a part of type text without content"],
        ),
        (
            {"gen_ai.output.messages": '[{"parts": []}]'},
            ["chat: gen_ai.output.messages: a message without role"],
        ),
        ({"error.type": "ValueError"}, ["chat: error.type and the status disagree"]),
        ({"gen_ai.operation.name": "talk"}, ["talk: an operation of no span that is known here"]),
        (
            {"gen_ai.operation.name": None},
            [f"a span without operation: {name}" for name in ("gen_ai.provider.name", "gen_ai.request.model")],
        ),
        ({"gen_ai.request.model": "other"}, ["chat: the name is not the operation and gen_ai.request.model: chat m"]),
        ({"gen_ai.request.model": None}, ["chat: the name goes on where gen_ai.request.model is missing"]),
    ],
)  # fmt: skip
def test_what_differs_is_found(change: Mapping[str, Any], found: list[str]) -> None:
    attributes = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert list(findings(Span("chat m", "CLIENT", False, attributes))) == found


def test_what_differs_in_kind_and_events_is_found() -> None:
    assert list(findings(Span("chat m", "SERVER", False, GOOD))) == ["chat: kind SERVER"]
    events = [("gen_ai.evaluation.result", {"gen_ai.evaluation.score.value": 1}), ("gen_ai.choice", {})]
    assert list(findings(Span("chat m", "CLIENT", False, GOOD, events))) == [
        "gen_ai.evaluation.result: required gen_ai.evaluation.name is missing",
        "gen_ai.evaluation.result: gen_ai.evaluation.score.value is no double: 1",
        "gen_ai.choice: no such event",
    ]


# The table of facts against what is installed of OpenTelemetry's own.


def _constants(module: Any) -> dict[str, str]:
    return {name: value for name, value in vars(module).items() if isinstance(value, str) and name.isupper()}


def test_the_names_are_those_of_opentelemetrys_packages() -> None:
    known = {value for module in (gen_ai_attributes, error_attributes, server_attributes)
             for value in _constants(module).values()}  # fmt: skip
    if "gen_ai.evaluation.name" not in known:
        pytest.skip("opentelemetry-semantic-conventions is older than the last one that had this namespace")
    newer = set(CONVENTIONS["attributes"]) - known
    # Named after the last release of opentelemetry-semantic-conventions that had this namespace.
    assert newer <= {
        "gen_ai.agent.version",
        "gen_ai.request.stream",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text",
        "gen_ai.retrieval.top_k",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.workflow.name",
    }
    util = pytest.importorskip("opentelemetry.util.genai._inference_invocation", reason="of the group bench")
    assert "gen_ai.usage.cache_write.input_tokens" in _constants(util).values()


@pytest.mark.parametrize(
    ("attribute", "members"),
    [
        ("gen_ai.provider.name", "GenAiProviderNameValues"),
        ("gen_ai.operation.name", "GenAiOperationNameValues"),
        ("gen_ai.output.type", "GenAiOutputTypeValues"),
    ],
)
def test_the_words_are_those_of_opentelemetrys_packages(attribute: str, members: str) -> None:
    kind: type[Enum] = getattr(gen_ai_attributes, members)
    ours = set(CONVENTIONS["members"][attribute])
    assert {each.value for each in kind} - ours <= {"create_memory", "search_memory"}
    assert ours - {each.value for each in kind} <= {"invoke_workflow", "moonshot_ai", "plan", "retrieval"}


def test_every_name_that_we_write_is_in_the_table() -> None:
    ours = {value for name, value in _constants(names).items() if value.startswith(("gen_ai.", "error.", "server."))}
    events = set(CONVENTIONS["events"])
    metrics = {name for name in ours if name.startswith("gen_ai.client.")}
    # Of the last two one is a beginning of names, and the other is an attribute of metrics alone.
    assert ours - set(CONVENTIONS["attributes"]) - events - metrics == {names.USAGE, names.TOKEN_TYPE}
