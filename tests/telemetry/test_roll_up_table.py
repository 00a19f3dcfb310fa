"""What the root of a trace says of the calls below it: the table of docs/telemetry.md, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from tests.support import Traced, entry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "telemetry.md"
RETRY: dict[str, Any] = {"stop_after_attempt": 2, "wait_exponential_jitter": False}


class Model(BaseChatModel):
    """Answers with one word of each of these probabilities in turn; None stands for a server that fails."""

    probabilities: Iterator[float | None]
    tool_calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "scripted-1", "logprobs": True}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        probability = next(self.probabilities)
        if probability is None:
            raise ConnectionError("the server went away")
        calls = []
        if self.tool_calls:
            self.tool_calls -= 1
            calls = [{"name": "look_up", "args": {"what": "x"}, "id": "1"}]
        message = AIMessage("word", tool_calls=calls)
        info = {"logprobs": {"content": [entry("word", math.log(probability))]}}
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return self


@tool
def look_up(what: str) -> str:
    """Look something up."""
    return what


def model(*probabilities: float | None, **settings: Any) -> Model:
    return Model(probabilities=iter(probabilities), **settings)


def parser(*fails: bool) -> Runnable[Any, Any]:
    """A parser that cannot read what it gets, or can, in turn."""
    turns = iter(fails)

    def parse(message: Any) -> Any:
        if next(turns):
            raise ValueError("no JSON")
        return message

    return RunnableLambda(parse)


def chain(*steps: Any) -> Runnable[Any, Any]:
    whole: Runnable[Any, Any] = RunnableLambda(lambda question: question)
    for step in steps:
        whole = whole | step
    return whole


def asking(answer: Any) -> str:
    return "and then?"


def cached() -> Runnable[Any, Any]:
    asked = model(0.5, cache=InMemoryCache())
    asked.invoke("x")
    return chain(asked)


SCENARIOS: dict[str, Callable[[], Any]] = {
    "two calls, one after the other, of .9 and .5": lambda: chain(model(0.9), asking, model(0.5)),
    "two calls side by side, of .5 and .9": lambda: chain(RunnableParallel(a=model(0.5), b=model(0.9))),
    "an agent that calls its model three times: .9, .7, .95": lambda: create_agent(
        model(0.9, 0.7, 0.95, tool_calls=2), [look_up]
    ),
    "`model.with_retry()`: the first call fails, the second is of .9": lambda: chain(
        model(None, 0.9).with_retry(**RETRY)
    ),
    "`(model \\| parser).with_retry()`: the parser refuses an answer of .3 and takes one of .9": lambda: chain(
        chain(model(0.3, 0.9), parser(True, False)).with_retry(**RETRY)
    ),
    "the same, and it refuses the second answer, of .9, as well": lambda: chain(
        chain(model(0.3, 0.9), parser(True, True)).with_retry(**RETRY)
    ),
    "`model.with_fallbacks([other])`: the model fails, the other one answers with .7": lambda: chain(
        model(None).with_fallbacks([model(0.7)])
    ),
    "`chain.with_fallbacks([other])`: the chain fails behind an answer of .3, the other one's is of .9": lambda: chain(
        chain(model(0.3), parser(True)).with_fallbacks([chain(model(0.9))])
    ),
    "`model.with_fallbacks([other]).invoke()`, no chain around it: the model fails, the other one answers with .7": (
        lambda: model(None).with_fallbacks([model(0.7)])
    ),
    "fallbacks of fallbacks: two models fail, the last one answers with .8": lambda: chain(
        model(None).with_fallbacks([model(None).with_fallbacks([model(0.8)])])
    ),
    "an answer of .5 out of LangChain's cache": cached,
}


def row(what: str) -> str:
    """Run a scenario; return the row that its root makes."""
    traced = Traced()
    made = SCENARIOS[what]()
    with suppress(ValueError):
        made.invoke({"messages": [("user", "x")]} if what.startswith("an agent") else "x", config=traced.config)
    (root,) = [span for span in traced.spans if span.parent is None]
    numbers = dict(root.attributes or {})
    blamed = next(
        dict(span.attributes or {})
        for span in traced.spans
        if span.context is not None and f"{span.context.span_id:016x}" == numbers["logprobs.worst.span_id"]
    )
    assert blamed["logprobs.confidence.score"] == numbers["logprobs.worst.confidence"]
    cells = [
        what,
        numbers["logprobs.llm_call.count"],
        numbers.get("logprobs.discarded.llm_call.count", ""),
        numbers["logprobs.token.count"],
        numbers["logprobs.confidence.level"],
        f"the one of {blamed['logprobs.confidence.score']:.1g}".replace("0.", "."),
    ]
    return f"| {' | '.join(map(str, cells))} |"


@pytest.mark.parametrize("what", SCENARIOS)
def test_the_root_says_what_the_docs_say(what: str) -> None:
    assert row(what) in PAGE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    print("\n".join(map(row, SCENARIOS)))
