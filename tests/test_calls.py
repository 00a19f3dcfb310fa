"""`confidence_of_calls` and `on_call`: the program gets the report that the span carries, each call in its block."""

from __future__ import annotations

import asyncio
import contextvars
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_logprobs import (
    LogprobsCallbackHandler,
    ModelCall,
    Settings,
    WithConfidence,
    confidence_of_calls,
    with_confidence,
)
from tests.providers.wire import Body, Request, WireServer, json_body
from tests.support import ENTRIES, ScriptedModel, Traced, completion, entry


class Answer(BaseModel):
    """What the model is to say."""

    city: str
    people: int


TOKENS = ['{"city":', ' "', "Lima", '", "', "people", '": ', "11", "}"]
JSON_ENTRIES = [entry(token, -1.2 if token == "11" else -0.01) for token in TOKENS]


@pytest.fixture
def server() -> Any:
    with WireServer() as wire:
        yield wire


def openai(server: WireServer, **keywords: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{server.url}/v1", api_key="x", model="m", logprobs=True, **keywords)  # type: ignore[arg-type]


def equal(call: ModelCall, span: Any) -> None:
    attributes = span.attributes
    assert attributes["logprobs.status"] == call.report.status
    assert attributes["logprobs.confidence.score"] == call.report.score
    assert attributes["logprobs.confidence.level"] == call.report.level
    assert attributes["logprobs.values"] == tuple(call.report.tokens.logprobs)
    assert attributes.get("logprobs.fields.confidences", ()) == tuple(
        leaf.field.confidence for leaf in call.report.leaves()
    )


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("beside", ["nothing", "a handler"])
def test_the_numbers_of_a_structured_output(server: WireServer, method: Any, beside: str) -> None:
    server.answer("*", lambda _: json_body(completion(JSON_ENTRIES)))
    traced = Traced()
    config: Any = traced.config if beside == "a handler" else {}
    with confidence_of_calls() as calls:
        answer = openai(server).with_structured_output(Answer, method=method).invoke("json", config)
    assert answer == Answer(city="Lima", people=11)
    (call,) = calls
    assert call.report.fields is not None
    assert call.report.fields["/people"].confidence == pytest.approx(math.exp(-1.21))
    assert call.report.verdict.basis == "fields"
    if beside == "a handler":
        equal(call, traced.call)


def test_the_span_of_the_call_is_known_where_the_process_writes_one() -> None:
    taken: list[ModelCall] = []
    traced = Traced()
    handler = LogprobsCallbackHandler(tracer_provider=traced.provider, on_call=taken.append)
    ScriptedModel().invoke("q", config={"callbacks": [handler]})
    (call,) = taken
    assert call.span_context is not None
    assert call.span_context.span_id == traced.call.context.span_id
    assert call.class_name == "ScriptedModel"
    equal(call, traced.call)


def test_what_the_program_raises_in_on_call_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: ModelCall) -> None:
        raise ValueError("mine")

    traced = Traced()
    handler = LogprobsCallbackHandler(tracer_provider=traced.provider, on_call=broken)
    assert ScriptedModel().invoke("q", config={"callbacks": [handler]}).content
    assert traced.call.attributes["logprobs.status"] == "recorded"
    assert "on_call failed" in caplog.text


@pytest.mark.parametrize("wrong", [3, "print", object()])
def test_a_wrong_on_call_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="ModelCall"):
        LogprobsCallbackHandler(on_call=wrong)


def test_a_batch_in_threads() -> None:
    chain = ScriptedModel() | StrOutputParser()
    with confidence_of_calls() as calls:
        chain.batch([str(index) for index in range(50)], {"max_concurrency": 8})
    assert len(calls) == 50
    assert len({call.run_id for call in calls}) == 50
    assert {call.report.measures.scored_count for call in calls} == {len(ENTRIES)}


def test_fifty_tasks_each_with_a_block_of_its_own() -> None:
    async def one(index: int) -> tuple[int, list[float]]:
        model = ScriptedModel(entries=[entry("a", -0.01 * (index + 1))])
        with confidence_of_calls() as calls:
            await asyncio.sleep(0)
            async for _ in model.astream("q"):
                await asyncio.sleep(0)
        return index, [call.report.measures.sum_logprob or 0.0 for call in calls]

    async def run() -> list[tuple[int, list[float]]]:
        return list(await asyncio.gather(*(one(index) for index in range(50))))

    for index, sums in asyncio.run(run()):
        assert sums == [-0.01 * (index + 1)]


def test_an_outer_block_gets_the_calls_of_an_inner_one_and_nothing_leaks() -> None:
    model = ScriptedModel()
    with confidence_of_calls() as outer:
        model.invoke("a")
        with confidence_of_calls() as inner:
            model.invoke("b")
        model.invoke("c")
    model.invoke("d")
    assert (len(outer), len(inner)) == (3, 1)
    assert inner[0] in list(outer)
    assert "ModelCalls([" in repr(outer)


def test_a_call_without_logprobs_says_so() -> None:
    with confidence_of_calls() as calls:
        ScriptedModel(entries=[]).invoke("q")
    assert calls[0].report.status == "missing"
    assert calls[0].report.level is None


def test_thresholds_can_be_given() -> None:
    with confidence_of_calls(settings=Settings(high_confidence=0.1, medium_confidence=0.05)) as calls:
        ScriptedModel(entries=[entry("a", -1.0)]).invoke("q")
    assert calls[0].report.level == "high"


def test_a_stream_that_is_broken_off_is_in_the_block() -> None:
    with confidence_of_calls() as calls:
        stream = ScriptedModel().stream("q")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert [call.report.status for call in calls] == ["partial"]


def test_requests_and_answers_of_a_block_are_not_mixed(server: WireServer) -> None:
    server.answer("*", lambda request: json_body(completion([entry(_question(request), -0.5)])))
    with confidence_of_calls() as calls:
        openai(server).batch([f"q{index}" for index in range(8)])
    assert sorted(call.report.text for call in calls) == [f"q{index}" for index in range(8)]


def _question(request: Request) -> str:
    return str(request.json["messages"][0]["content"])


# Everywhere that people call a model from: reports equal the spans, each in its own block, and none leaks.


def numbered(request: Request) -> Body:
    """An answer of its own for each question, with logprobs of its own, so that no two can be mixed up."""
    number = int(_question(request).removeprefix("q"))
    return json_body(completion([entry(_question(request), -0.01 * (number + 1)), entry(".", -0.001)]))


def by_span(traced: Traced) -> dict[str, Any]:
    """The model calls' spans by what they said."""
    calls = [span for span in traced.spans if "logprobs.status" in span.attributes]
    return {"".join(span.attributes["logprobs.tokens"]): span for span in calls}


def test_the_numbers_of_a_structured_output_by_function_calling(server: WireServer) -> None:
    tool_call = {"id": "1", "type": "function", "function": {"name": "Answer", "arguments": "".join(TOKENS)}}
    message = {"role": "assistant", "content": None, "tool_calls": [tool_call]}
    server.answer("*", lambda _: json_body(completion(JSON_ENTRIES, "", message=message, finish_reason="tool_calls")))
    traced = Traced()
    with confidence_of_calls() as calls:
        reader = openai(server).with_structured_output(Answer, method="function_calling")
        answer = reader.invoke("json", traced.config)
    assert answer == Answer(city="Lima", people=11)
    (call,) = calls
    equal(call, traced.call)
    assert [leaf.path for leaf in call.report.leaves()] == ["/tool_calls/0/Answer/city", "/tool_calls/0/Answer/people"]
    assert list(call.report.leaves())[1].field.confidence == pytest.approx(math.exp(-1.21))


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_structured_output_in_async_tasks_is_in_its_own_block(server: WireServer, method: Any) -> None:
    server.answer("*", lambda _: json_body(completion(JSON_ENTRIES)))
    reader = openai(server).with_structured_output(Answer, method=method)
    traced = Traced()

    async def one(index: int) -> int:
        with confidence_of_calls() as calls:
            await reader.ainvoke(f"json {index}", traced.config)
        assert calls[0].report.text == "".join(TOKENS)
        return len(calls)

    async def run() -> list[int]:
        return await asyncio.gather(*(one(index) for index in range(10)))

    assert asyncio.run(run()) == [1] * 10


def test_an_agent_with_tools_gives_each_of_its_calls(server: WireServer) -> None:
    asked = {"id": "1", "type": "function", "function": {"name": "people_of", "arguments": '{"city": "Lima"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [asked]}
    spelled = [entry('{"city": "', -0.01), entry("Lima", -0.7), entry('"}', -0.01)]
    answers = [
        completion(spelled, "", message=message, finish_reason="tool_calls"),
        completion([entry("11", -0.2), entry(" million", -0.1)]),
    ]
    server.answer("*", *map(json_body, answers))

    @tool
    def people_of(city: str) -> str:
        """How many live there."""
        with confidence_of_calls() as within:
            ScriptedModel().invoke(city)
        inner.extend(within)
        return "11 million"

    inner: list[ModelCall] = []
    traced = Traced()
    with confidence_of_calls() as calls:
        agent: Any = create_agent(openai(server), [people_of])
        agent.invoke({"messages": [("user", "q")]}, traced.config)
    assert [call.class_name for call in calls] == ["ChatOpenAI", "ScriptedModel", "ChatOpenAI"]
    assert inner == [calls[1]]
    spans = by_span(traced)
    for call in calls:
        equal(call, spans["".join(call.report.tokens.texts)])
    assert calls[0].report.least_field is not None
    assert calls[0].report.least_field.path == "/tool_calls/0/people_of/city"


def test_fifty_in_eight_threads_equal_their_spans(server: WireServer) -> None:
    server.answer("*", numbered)
    traced = Traced()
    with confidence_of_calls() as calls:
        config: Any = {**traced.config, "max_concurrency": 8}
        (openai(server) | StrOutputParser()).batch([f"q{index}" for index in range(50)], config)
    spans = by_span(traced)
    assert len(calls) == len(spans) == 50
    for call in calls:
        equal(call, spans[call.report.text])
    assert len({call.report.score for call in calls}) == 50


def test_fifty_tasks_equal_their_spans_each_in_its_own_block(server: WireServer) -> None:
    server.answer("*", numbered)
    model, traced = openai(server), Traced()

    async def one(index: int) -> ModelCall:
        with confidence_of_calls() as calls:
            answer = await model.ainvoke(f"q{index}", traced.config)
        (call,) = calls
        assert call.report.text == answer.content == f"q{index}."
        return call

    async def run() -> list[ModelCall]:
        with confidence_of_calls() as outer:
            found = await asyncio.gather(*(one(index) for index in range(50)))
        assert {call.run_id for call in outer} == {call.run_id for call in found}
        return found

    found, spans = asyncio.run(run()), by_span(traced)
    for call in found:
        equal(call, spans[call.report.text])
    with confidence_of_calls() as afterwards:
        pass
    assert len(afterwards) == 0


def test_threads_of_ones_own_have_the_block_they_were_given() -> None:
    model = ScriptedModel()
    with confidence_of_calls() as calls, ThreadPoolExecutor(4) as pool:
        given = [pool.submit(contextvars.copy_context().run, model.invoke, "q") for _ in range(10)]
        bare = [pool.submit(model.invoke, "q") for _ in range(10)]
        for each in given + bare:
            each.result()
    assert len(calls) == 10


# The value and its report together.


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch", "stream"])
def test_a_chain_gives_its_value_with_the_report(server: WireServer, way: str) -> None:
    server.answer("*", lambda _: json_body(completion(JSON_ENTRIES)))
    traced = Traced()
    reader = openai(server).with_structured_output(Answer, method="json_schema")
    chain: Any = RunnableLambda(lambda city: f"json about {city}") | with_confidence(reader)
    found: Any
    if way == "ainvoke":
        found = asyncio.run(chain.ainvoke("Lima", traced.config))
    elif way == "batch":
        (found,) = chain.batch(["Lima"], traced.config)
    elif way == "stream":
        (found,) = chain.stream("Lima", traced.config)
    else:
        found = chain.invoke("Lima", traced.config)
    assert isinstance(found, WithConfidence)
    assert found.value == Answer(city="Lima", people=11)
    assert found.report is found.calls[0].report
    equal(found.calls[0], traced.call)


def test_a_chain_without_a_model_call_has_no_report() -> None:
    assert with_confidence(RunnableLambda(len)).invoke("four")[:2] == (4, None)


def test_what_a_chain_raises_is_raised() -> None:
    with pytest.raises(RuntimeError, match="the server went away"):
        with_confidence(ScriptedModel(fail_after=0)).invoke("q")
