"""Switched on for the whole process."""

from __future__ import annotations

import asyncio
import threading
from importlib.metadata import entry_points

import pytest

from langchain_logprobs import LogprobsInstrumentor, Settings
from tests.support import TOKENS, ScriptedModel, Traced


@pytest.fixture
def instrumented():
    traced = Traced()
    instrumentor = LogprobsInstrumentor()
    instrumentor.instrument(tracer_provider=traced.provider, skip_dep_check=True)
    yield traced
    instrumentor.uninstrument()


def test_every_call_of_the_process_is_traced_with_no_change_to_it(instrumented) -> None:
    model = ScriptedModel()
    model.invoke("hi")
    asyncio.run(model.ainvoke("hi"))
    thread = threading.Thread(target=model.invoke, args=("hi",))
    thread.start()
    thread.join()
    calls = instrumented.named("chat")
    assert [call.attributes["logprobs.tokens"] for call in calls] == [tuple(TOKENS)] * 3


def test_a_handler_in_the_config_makes_no_second_span(instrumented) -> None:
    ScriptedModel().invoke("hi", config=instrumented.config)
    assert len(instrumented.spans) == 1
    assert instrumented.call.attributes["logprobs.tokens"] == tuple(TOKENS)


def test_a_second_instrument_changes_nothing_and_uninstrument_ends_it(instrumented) -> None:
    handler = LogprobsInstrumentor().handler
    LogprobsInstrumentor().instrument(settings=Settings(spans="llm"))
    assert LogprobsInstrumentor().handler is handler
    LogprobsInstrumentor().uninstrument()
    assert LogprobsInstrumentor().handler is None
    ScriptedModel().invoke("hi")
    assert instrumented.spans == ()


def test_opentelemetry_finds_it() -> None:
    (found,) = entry_points(group="opentelemetry_instrumentor", name="langchain-logprobs")
    assert found.load() is LogprobsInstrumentor
