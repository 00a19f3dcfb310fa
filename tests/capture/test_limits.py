"""Many runs, deep runs, copied handlers: nothing is lost, invented or let out."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from langchain_logprobs import LogprobsCallbackHandler, Settings
from tests.support import ENTRIES, TOKENS, ScriptedModel, Traced, entry


class Paced(ScriptedModel):
    """Streams in step with the others: all are open before any of them brings its first token."""

    others: Any

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        for chunk in self._stream([]):
            await self.others.wait()
            yield chunk


async def streams(traced: Traced, count: int) -> None:
    chain = Paced(others=asyncio.Barrier(count)) | StrOutputParser()

    async def one() -> None:
        async for _ in chain.astream("q", config=traced.config):
            pass

    await asyncio.gather(*(one() for _ in range(count)))


def test_many_streams_at_once_are_each_whole() -> None:
    traced = Traced()
    asyncio.run(streams(traced, 200))
    calls = traced.named("chat")
    assert len(calls) == 200
    assert {call.attributes["logprobs.tokens"] for call in calls} == {tuple(TOKENS)}
    assert len(traced.spans) == 600
    assert traced.handler.open_runs == 0


def test_over_the_limit_the_reason_is_on_the_call_and_nothing_is_invented(caplog: pytest.LogCaptureFixture) -> None:
    traced = Traced(Settings(max_open_calls=2))
    asyncio.run(streams(traced, 4))
    calls = traced.named("chat")
    assert len(calls) == 4  # a call that was closed is not opened again by its later tokens
    reasons = [call.attributes.get("logprobs.status.reason") for call in calls]
    assert sum(reason is not None and "max_open_calls" in reason for reason in reasons) == 2
    assert sum("max_open_calls" in record.message for record in caplog.records) == 1
    assert {span.name for span in traced.spans} == {
        "chat scripted-1",
        "invoke_workflow RunnableSequence",
        "StrOutputParser",
    }


def test_a_run_with_a_thousand_open_below_it_ends_them_all() -> None:
    traced, above = Traced(), None
    ids = [uuid4() for _ in range(2_000)]
    for run_id in ids:
        traced.handler.on_chain_start({}, {}, run_id=run_id, parent_run_id=above, name="step")
        above = run_id
    traced.handler.on_chain_end({}, run_id=ids[0])
    assert len(traced.spans) == 2_000
    assert traced.handler.open_runs == 0
    assert traced.spans[-1].parent is None  # the innermost ends first


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda model: model.model_copy(deep=True)])
def test_a_copied_model_reports_to_the_same_handler(how: Any) -> None:
    traced = Traced()
    model = how(ScriptedModel(callbacks=[traced.handler]))
    model.invoke("q")
    assert traced.call.attributes["logprobs.status"] == "recorded"


def test_a_pickled_handler_has_its_settings() -> None:
    handler = LogprobsCallbackHandler(Settings(spans="llm", capture_text=False))
    assert pickle.loads(pickle.dumps(handler)).settings == handler.settings


@pytest.mark.parametrize("private_first", [True, False])
def test_the_strictest_of_several_handlers_wins(private_first: bool) -> None:
    traced = Traced(Settings(capture_messages=True))
    private = LogprobsCallbackHandler(Settings(capture_text=False), tracer_provider=traced.provider)
    handlers: list[BaseCallbackHandler] = [private, traced.handler] if private_first else [traced.handler, private]
    list(ScriptedModel(entries=[entry("CANARY", -3.0), *ENTRIES]).stream("CANARY too", config={"callbacks": handlers}))
    assert "CANARY" not in str(
        [(span.name, span.attributes, [event.attributes for event in span.events]) for span in traced.spans]
    )
    assert traced.call.attributes["logprobs.token.count"] == 6


def test_a_call_that_nobody_will_see_stores_nothing() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    run_id = uuid4()
    handler.on_chat_model_start({}, [[]], run_id=run_id)
    handler.on_llm_new_token("a", run_id=run_id, logprobs={"content": ENTRIES})
    run = handler._runs.find(run_id)
    assert run is not None
    assert run.pieces is None
    handler.close()


def test_an_open_runs_span_can_be_written_on() -> None:
    traced, run_id = Traced(), uuid4()
    assert traced.handler.get_span(run_id) is None
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)
    span = traced.handler.get_span(run_id)
    assert span is not None
    span.set_attribute("mine", 1)
    traced.handler.on_llm_error(ValueError("x"), run_id=run_id)
    assert traced.call.attributes["mine"] == 1
    assert traced.handler.get_span(run_id) is None


class Odd(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_exception_that_cannot_be_shown_ends_its_spans() -> None:
    class Failing(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise Odd

    traced = Traced()
    with pytest.raises(Odd):
        (Failing() | StrOutputParser()).invoke("q", config=traced.config)
    assert {span.status.status_code for span in traced.spans} == {trace.StatusCode.ERROR}
    assert all(str(span.attributes["error.type"]).endswith("Odd") for span in traced.spans)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**70, "hot", True, None])
def test_a_request_parameter_that_is_no_number_for_a_span_is_left_out(value: Any) -> None:
    traced, run_id = Traced(), uuid4()
    params = {"temperature": value, "top_k": value, "seed": value, "max_tokens": value, "n": value, "model": "m"}
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params=params)
    traced.handler.on_llm_error(ValueError("x"), run_id=run_id)
    assert traced.call.name == "chat m"
    assert not [
        name for name in traced.call.attributes if name.startswith("gen_ai.request.") and name != "gen_ai.request.model"
    ]


@pytest.mark.parametrize("value", [1e300, -1e19, 2.0**63])
def test_a_float_that_no_integer_of_64_bits_holds_is_no_integer_parameter(value: float) -> None:
    traced, run_id = Traced(), uuid4()
    params = {"temperature": value, "top_k": value, "seed": value}
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params=params)
    traced.handler.on_llm_error(ValueError("x"), run_id=run_id)
    sent = {name: each for name, each in traced.call.attributes.items() if name.startswith("gen_ai.request.")}
    assert sent == dict.fromkeys(("gen_ai.request.temperature", "gen_ai.request.top_k"), value)


@pytest.mark.parametrize("content", [[{"type": "text"}], [{1: 2}], [None], [{"type": "image", "data": float("nan")}]])
def test_odd_message_blocks_do_not_lose_the_start(content: Any) -> None:
    from langchain_core.messages import HumanMessage

    message = HumanMessage("x")
    message.content = content
    traced, run_id = Traced(Settings(capture_messages=True)), uuid4()
    traced.handler.on_chat_model_start({}, [[message]], run_id=run_id, invocation_params={"model": "m"})
    traced.handler.on_llm_error(ValueError("x"), run_id=run_id)
    assert traced.call.name == "chat m"
    assert "gen_ai.input.messages" in traced.call.attributes
