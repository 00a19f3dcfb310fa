"""Agents on the real model: it is unsure of a tool's argument, and something is done about it.

SmolLM2 makes the tool calls and gives their logprobs. It is the only model here, so that the larger one that an unsure
answer is escalated to is a local server in OpenAI's protocol with an answer that is written down.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from local_model import LocalModel
from opentelemetry import trace

from langchain_logprobs.agents import ConfidenceMiddleware
from langchain_logprobs.tables import table
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import span_data
from tests.agents.servers import call, scripted
from tests.e2e.paths import chat_model
from tests.e2e.tracing import Traced, attributes

CITIES = {"Lima": "10,092,000", "Quito": "2,011,388"}
ASKED = {"messages": [("user", "How many people live in the capital of Peru?")]}  # it does not know, and names none
ARGUMENT = "/tool_calls/0/population/city"
looked_up: list[str] = []


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    looked_up.append(city)
    return CITIES.get(city, "unknown")


@pytest.fixture(autouse=True)
def _nothing_looked_up() -> None:
    looked_up.clear()


def small(served: LocalModel) -> Any:
    return chat_model(served.base_url.removesuffix("/v1"), temperature=0, max_tokens=60)


def agent(served: LocalModel, model: Any = None, **settings: Any) -> Any:
    model = model or small(served)
    middleware = ConfidenceMiddleware({"/tool_calls": 0.5}, on_missing="raise", **settings)
    return create_agent(model, [population], middleware=[middleware], checkpointer=InMemorySaver(), name="desk")


def config(traced: Traced) -> Any:
    return {**traced.config, "configurable": {"thread_id": "t"}}


def actions(traced: Traced) -> list[str]:
    events = [event for span in traced.spans for event in span.events if event.name == names.ACTION_EVENT]
    return [str((event.attributes or {})[names.ACTION]) for event in sorted(events, key=lambda each: each.timestamp)]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_a_person_corrects_an_unsure_argument_and_the_trace_shows_both(
    model_server: LocalModel, traced: Traced, way: str
) -> None:
    model = small(model_server)
    graph = agent(model_server, model)
    given, edit = ASKED, {"type": "edit", "edited_action": {"name": "population", "args": {"city": "Lima"}}}

    # One event loop for both runs, which the model's client belongs to; it copies the context with the span in it.
    span = trace.get_tracer("desk", tracer_provider=traced.provider).start_as_current_span("the request")
    with span, asyncio.Runner() as runner:

        def run(given: Any) -> Any:
            if way == "ainvoke":
                return runner.run(graph.ainvoke(given, config(traced)))
            if way == "stream":  # of the steps: llama.cpp gives no logprobs of tool calls that it streams
                *_, last = graph.stream(given, config(traced), stream_mode="values")
                return {**last, "__interrupt__": graph.get_state(config(traced)).interrupts}
            return graph.invoke(given, config(traced))

        stopped = run(given)
        (request,) = stopped["__interrupt__"][0].value["action_requests"]
        assert (request["name"], looked_up) == ("population", [])
        (doubt,) = request["unsure"]
        assert doubt["path"] == ARGUMENT
        assert doubt["value"] not in CITIES
        result = run(Command(resume={"decisions": [edit]}))
        runner.run(model.root_async_client.close())
    assert looked_up == ["Lima"]
    assert result["messages"][2].content == CITIES["Lima"]

    assert len({span.context.trace_id for span in traced.spans if span.context}) == 1
    assert actions(traced) == ["interrupt", "edit"]
    both = [span for span in traced.spans if span.name == "invoke_agent desk"]
    assert [attributes(span)[names.ACTION] for span in both] == ["interrupt", "edit"]
    # What the person saw is what is on the span, and in a table of the trace.
    first = attributes(traced.calls[0])
    assert first[names.FIELD_MIN_PATH] == ARGUMENT
    assert first[names.FIELD_MIN_CONFIDENCE] == doubt["confidence"]
    row = table([span_data(span) for span in traced.spans], "fields").rows[0]
    assert (row["path"], row["value"], row["confidence"]) == (ARGUMENT, doubt["value"], doubt["confidence"])


def test_it_is_asked_again_and_told_what_was_unsure(model_server: LocalModel, traced: Traced) -> None:
    agent(model_server, on_low="retry", tell_model=True).invoke(ASKED, config(traced))
    done = actions(traced)
    assert done[0] == "retry"
    (root,) = traced.roots
    assert attributes(root)[names.DISCARDED_COUNT] == done.count("retry")
    assert attributes(root)[names.CALL_COUNT] == len(traced.calls) - done.count("retry")
    second = attributes(traced.calls[1])
    sure = second.get(names.FIELD_MIN_CONFIDENCE, 1.0) >= 0.5
    assert (done[1:2] == ["accept"]) == (not sure)


def test_a_larger_model_is_asked_and_its_answer_taken(model_server: LocalModel, traced: Traced) -> None:
    known = call("population", {"city": "Lima"}, ('{"city": "', 0.99), ("Lima", 0.98), ('"}', 0.99), model="large")
    with scripted(known) as large:
        graph = agent(model_server, on_low=["escalate", "interrupt"], escalate_to=large.model(model="large"))
        result = graph.invoke(ASKED, config(traced))
        assert len(large.requests) == 1
        assert large.requests[0]["tools"][0]["function"]["name"] == "population"
    assert looked_up == ["Lima"]
    assert "__interrupt__" not in result
    assert actions(traced) == ["escalate"]
    assert [span.name for span in traced.calls][:2] == ["chat smollm2-135m", "chat large"]
    (root,) = traced.roots
    assert attributes(root)[names.DISCARDED_COUNT] == 1
    # Of the small model's city nothing is left in the numbers of the root.
    assert attributes(root)[names.FIELD_MIN_CONFIDENCE] > 0.9


def test_both_models_unsure_and_a_person_decides(model_server: LocalModel, traced: Traced) -> None:
    vague = call("population", {"city": "Quito"}, ('{"city": "', 0.99), ("Quito", 0.3), ('"}', 0.99), model="large")
    with scripted(vague) as large:
        steps = ["escalate", "interrupt"]
        graph = agent(model_server, on_low=steps, escalate_to=large.model(model="large"))
        stopped = graph.invoke(ASKED, config(traced))
        (request,) = stopped["__interrupt__"][0].value["action_requests"]
        assert request["args"] == {"city": "Quito"}
        assert graph.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config(traced))
    assert looked_up == ["Quito"]
    assert actions(traced)[:3] == ["escalate", "interrupt", "approve"]
