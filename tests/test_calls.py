"""`confidence_of_calls` and `on_call`: the program gets the report that the span carries, each call in its block."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_logprobs import LogprobsCallbackHandler, ModelCall, Settings, confidence_of_calls
from tests.providers.wire import Request, WireServer, json_body
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
