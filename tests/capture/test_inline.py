"""Whether LangChain calls us inline, by who else listens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.capture.inline import guarded
from tests.support import Listener, ScriptedModel, Traced


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("inlines", [(), (False,), (True,), (True, False), (False, True), (False, False)], ids=str)
def test_an_async_completion_models_start_is_missed_by_nobody_because_of_us(
    inlines: tuple[bool, ...], before: bool
) -> None:
    traced = Traced()
    others = [Listener(inline) for inline in inlines]
    handlers = [*others, traced.handler] if before else [traced.handler, *others]
    asyncio.run(FakeListLLM(responses=["hi"]).ainvoke("x", config={"callbacks": handlers}))
    # A call whose start was missed is called `chat`, and has neither model nor parent.
    assert traced.call.name == "text_completion"
    # Beside an inline handler the others miss their start, whatever we do (langchain#39633).
    missed = any(inlines)
    for other in others:
        assert other.heard == (["end"] if missed and not other.run_inline else ["start", "end"])


def test_two_of_ours_do_not_step_aside_for_each_other() -> None:
    traced = Traced()
    second = LogprobsCallbackHandler(tracer_provider=traced.provider)
    config: Any = {"callbacks": [traced.handler, second]}
    asyncio.run(FakeListLLM(responses=["hi"]).ainvoke("x", config=config))
    assert traced.call.name == "text_completion"


@pytest.mark.parametrize("asynchronous", [True, False])
def test_everywhere_else_we_are_called_inline(asynchronous: bool) -> None:
    traced, seen = Traced(), []
    get = type(traced.handler).__dict__["run_inline"].__get__

    class Watched(LogprobsCallbackHandler):
        @property
        def run_inline(self) -> bool:  # type: ignore[override]
            seen.append(get(self, type(self)))
            return seen[-1]

    handler = Watched(tracer_provider=traced.provider)
    config: Any = {"callbacks": [handler, Listener(False)]}
    if asynchronous:
        asyncio.run(ScriptedModel().ainvoke("hi", config=config))
    else:
        FakeListLLM(responses=["hi"]).invoke("x", config=config)
    assert all(seen)
    assert len(traced.spans) == 1


def test_a_failure_of_ours_is_logged_and_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    @guarded
    def on_something(value: int) -> int:
        return 1 // value

    assert on_something(1) == 1
    assert on_something(0) is None
    (record,) = caplog.records
    assert record.message == "langchain-logprobs failed in on_something; the chain goes on"
    assert record.exc_info
