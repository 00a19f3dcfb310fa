"""How a run ends: what is an error and what is not, and when its chunks came."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.types import Command
from openai import LengthFinishReasonError
from opentelemetry.trace import StatusCode
from pydantic import BaseModel

from langchain_logprobs.capture.failures import refuses_logprobs
from langchain_logprobs.capture.lifecycle import completion_in
from tests.providers.wire import WireServer, json_body
from tests.support import ENTRIES, Traced, chunks, completion, entry, sse

SECOND = 1_000_000_000
START = time.time_ns() + 1_000_000 * SECOND  # not in the past: the reaper's thread closes what is too old


def tick(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Whenever the clock is looked at it goes on by so many nanoseconds, from START."""
    ticks = itertools.count(START, step)
    for module in ("handler", "capture.lifecycle"):
        monkeypatch.setattr(f"langchain_logprobs.{module}.time_ns", ticks.__next__)


def result(*entries: dict[str, Any]) -> LLMResult:
    message = AIMessage("".join(each["token"] for each in entries))
    return LLMResult(generations=[[ChatGeneration(message=message)]])


def test_the_times_are_those_of_the_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    tick(monkeypatch, SECOND)
    traced, run_id = Traced(), uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)  # at START
    traced.handler.on_llm_new_token("", run_id=run_id)  # 1 s later: the role
    traced.handler.on_llm_new_token("", run_id=run_id)
    for each in ENTRIES[:2]:  # after 3 s and 4 s
        traced.handler.on_llm_new_token(each["token"], run_id=run_id, logprobs={"content": [each]})
    traced.handler.on_llm_end(result(*ENTRIES[:2]), run_id=run_id)  # after 5 s
    call: Any = traced.call
    assert (call.start_time, call.end_time) == (START, START + 5 * SECOND)
    assert call.attributes["gen_ai.response.time_to_first_chunk"] == 1.0
    assert call.attributes["logprobs.time_to_first_token"] == 3.0
    assert call.attributes["logprobs.chunk.offsets_us"] == (3_000_000, 4_000_000)
    chunks = [event for event in call.events if event.name == "logprobs.chunk"]
    assert [event.timestamp for event in chunks] == [START + 3 * SECOND, START + 4 * SECOND]
    assert [event.timestamp for event in call.events if event.name != "logprobs.chunk"] == [START + 5 * SECOND]


def test_a_clock_that_is_set_back_makes_no_negative_times(monkeypatch: pytest.MonkeyPatch) -> None:
    tick(monkeypatch, -SECOND)
    traced, run_id = Traced(), uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)
    traced.handler.on_llm_new_token("As", run_id=run_id, logprobs={"content": ENTRIES[:1]})
    traced.handler.on_llm_end(result(*ENTRIES[:1]), run_id=run_id)
    attributes: Any = traced.call.attributes
    assert attributes["gen_ai.response.time_to_first_chunk"] == attributes["logprobs.time_to_first_token"] == 0.0
    assert attributes["logprobs.chunk.offsets_us"] == (0,)


def test_an_answer_that_was_not_streamed_has_no_first_chunk() -> None:
    traced, run_id = Traced(), uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)
    traced.handler.on_llm_end(result(), run_id=run_id)
    names = set(traced.call.attributes or {})
    assert not names & {"gen_ai.response.time_to_first_chunk", "logprobs.time_to_first_token"}


class MyCancel(asyncio.CancelledError):
    """A library's own."""


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        MyCancel("the caller left"),
        GeneratorExit(),
        GraphInterrupt(()),
        ParentCommand(Command(goto="x")),
    ],
    ids=repr,
)
def test_who_stops_reading_makes_no_error(error: BaseException) -> None:
    traced, parent, run_id = Traced(), uuid4(), uuid4()
    traced.handler.on_chain_start({}, {}, run_id=parent, name="outer")
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=parent)
    traced.handler.on_llm_new_token("As", run_id=run_id, logprobs={"content": ENTRIES[:1]})
    traced.handler.on_llm_error(error, run_id=run_id)
    traced.handler.on_chain_error(error, run_id=parent)
    assert {span.status.status_code for span in traced.spans} == {StatusCode.UNSET}
    assert not any("error.type" in (span.attributes or {}) for span in traced.spans)
    attributes: Any = traced.call.attributes
    assert attributes["logprobs.status"] == "partial"
    assert attributes["logprobs.status.reason"] == f"ended early by {type(error).__name__}"
    (root,) = traced.named("invoke_workflow")
    assert root.attributes["logprobs.llm_call.count"] == 1  # nothing replaced it


@pytest.mark.parametrize(
    "error",
    [RuntimeError("x"), KeyboardInterrupt(), SystemExit(1), TimeoutError(), asyncio.InvalidStateError()],
    ids=repr,
)
def test_what_fails_is_an_error(error: BaseException) -> None:
    traced, run_id = Traced(), uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)
    traced.handler.on_llm_error(error, run_id=run_id)
    assert traced.call.status.status_code is StatusCode.ERROR
    assert str((traced.call.attributes or {})["error.type"]).endswith(type(error).__name__)


class Refusal(Exception):
    def __init__(self, text: object, status: object, key: str = "status_code") -> None:
        super().__init__(text)
        setattr(self, key, status)


class Mute(Refusal):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "refuses"),
    [
        (Refusal("`logprobs` is not supported", 400), True),
        (Refusal("Top_LogProbs must be <= 5", 422), True),
        (Refusal("top log probs: forbidden", 403), True),
        (Refusal("logprobs", 400, key="code"), True),
        (Refusal("logprobs", 404), False),
        (Refusal("logprobs", 500), False),
        (Refusal("max_tokens is too large", 400), False),
        (Refusal("logprobs", None), False),
        (Mute("logprobs", 400), False),
        (ValueError("logprobs"), False),
    ],
)
def test_whether_a_provider_refused_because_of_logprobs(error: Exception, refuses: bool) -> None:
    assert refuses_logprobs(error) is refuses


def cut_off(**parts: Any) -> Exception:
    """What OpenAI's client raises where a structured answer was cut off: it holds the whole completion."""
    made = {"choices": [], **parts}
    error = RuntimeError("length limit reached")
    error.completion = SimpleNamespace(**made)  # type: ignore[attr-defined]
    return error


def test_an_answer_that_an_exception_carries_is_recorded() -> None:
    traced, run_id = Traced(), uuid4()
    choice = SimpleNamespace(
        message=SimpleNamespace(content='{"a'), finish_reason="length", logprobs={"content": [entry('{"a', -0.5)]}
    )
    usage = SimpleNamespace(prompt_tokens=3, completion_tokens=20)
    error = cut_off(choices=[choice], usage=usage, model="gpt-4o-1", id="chatcmpl-1")
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True})
    traced.handler.on_llm_error(error, run_id=run_id)
    attributes: Any = traced.call.attributes
    expected = {
        "gen_ai.response.model": "gpt-4o-1",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 20,
        "logprobs.status": "partial",
        "logprobs.tokens": ('{"a',),
        "logprobs.values": (-0.5,),
        "logprobs.fields.status": "truncated",
    }
    assert {name: attributes.get(name) for name in expected} == expected
    assert traced.call.status.status_code is StatusCode.ERROR


class Made(BaseModel):
    a: str


RUNS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, config: model.invoke("hi", config=config),
    "ainvoke": lambda model, config: asyncio.run(model.ainvoke("hi", config=config)),
    "stream": lambda model, config: list(model.stream("hi", config=config)),
}


@pytest.mark.parametrize("run", RUNS)
def test_a_structured_answer_that_was_cut_off_is_on_the_span_of_a_real_call(run: str) -> None:
    entries = [entry('{"a":', -0.01), entry('"b', -1.9)]
    answer = completion(entries, finish_reason="length")
    streamed = [*chunks(entries)[:-1], {**chunks([])[-1]}]
    streamed[-1]["choices"][0]["finish_reason"] = "length"
    with WireServer() as wire:
        wire.answer(
            "/v1/chat/completions",
            lambda request: sse(streamed) if request.json.get("stream") else json_body(answer),
        )
        traced = Traced()
        model = ChatOpenAI(base_url=f"{wire.url}/v1", api_key="x", model="gpt-4o", logprobs=True, max_retries=0)  # type: ignore[arg-type]
        structured: Any = model.with_structured_output(Made, method="json_schema")
        with pytest.raises(LengthFinishReasonError):
            RUNS[run](structured, traced.config)
    attributes: Any = traced.call.attributes
    assert attributes["logprobs.status"] == "partial"
    assert attributes["logprobs.status.reason"] == "ended early by LengthFinishReasonError"
    assert attributes["logprobs.tokens"] == ('{"a":', '"b')
    assert attributes["logprobs.fields.status"] == "truncated"
    if run != "stream":
        assert attributes["gen_ai.response.finish_reasons"] == ("length",)
        assert attributes["gen_ai.usage.output_tokens"] == 2


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("x"),
        cut_off(choices=None),
        cut_off(choices="x"),
    ],
    ids=repr,
)
def test_an_exception_that_carries_no_answer(error: Exception | None) -> None:
    assert completion_in(error) is None


def test_an_answer_that_says_next_to_nothing() -> None:
    found = completion_in(cut_off(choices=[SimpleNamespace()]))
    ((generation,),) = found.generations
    assert (generation.text, generation.generation_info) == ("", {"finish_reason": None})
    assert found.llm_output == {"model_name": None, "id": None}
    assert completion_in(cut_off()).generations == [[]]


def test_one_taker_is_told_once_however_often_it_was_given() -> None:
    told: list[Any] = []
    traced = Traced(on_call=told.append)
    config = [traced.handler, traced.handler]
    run_id = uuid4()
    for handler in config:
        handler.on_chat_model_start({}, [[]], run_id=run_id)
    for handler in config:
        handler.on_llm_new_token("x", run_id=run_id, logprobs={"content": [entry("x", -0.5)]})
    for handler in config:
        handler.on_llm_end(result(entry("x", -0.5)), run_id=run_id)
    assert [(call.run_id, call.report.measures.scored_count) for call in told] == [(run_id, 1)]
