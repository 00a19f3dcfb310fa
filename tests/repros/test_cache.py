"""Family J: an answer out of LangChain's cache is marked, and nothing of it is counted a second time."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI, OpenAI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from langchain_logprobs import confidence_of
from tests.providers import answers, making
from tests.providers.wire import WireServer
from tests.support import Traced, openai_answer


def in_memory(path: Path) -> BaseCache:
    return InMemoryCache()


def on_disk(path: Path) -> BaseCache:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cache = pytest.importorskip("langchain_community.cache")
    made: BaseCache = cache.SQLiteCache(str(path / "cache.db"))
    return made


@pytest.fixture(params=[in_memory, on_disk])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseCache]:
    made = request.param(tmp_path)
    set_llm_cache(made)
    yield made
    set_llm_cache(None)
    engine = getattr(made, "engine", None)
    if engine is not None:
        engine.dispose()


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def model(wire: WireServer, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True, **settings})


def invoked(chat: ChatOpenAI) -> Any:
    return chat.invoke("q")


def ainvoked(chat: ChatOpenAI) -> Any:
    return asyncio.run(chat.ainvoke("q"))


def streamed(chat: ChatOpenAI) -> Any:
    return chat.bind().with_config(tags=["x"]).invoke("q")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("ask", [invoked, ainvoked, streamed])
@pytest.mark.parametrize("streaming", [False, True])
def test_only_the_first_answer_counts(
    cache: BaseCache, wire: WireServer, ask: Callable[[ChatOpenAI], Any], streaming: bool
) -> None:
    wire.answer("*", openai_answer())
    metrics = InMemoryMetricReader()
    traced = Traced(meter_provider=MeterProvider([metrics]))
    chat = model(wire, streaming=streaming)
    last = RunnableLambda(lambda _: [ask(chat) for _ in range(3)][-1]).invoke("q", config=traced.config)
    assert len(wire.requests) == 1
    first, *cached = [span.attributes or {} for span in traced.named("chat")]
    assert "logprobs.cached" not in first
    for attributes in cached:
        assert attributes["logprobs.cached"] is True
        assert attributes["logprobs.status"] == "recorded"
        assert attributes["logprobs.confidence.score"] == first["logprobs.confidence.score"]
        assert not [name for name in attributes if name.startswith("gen_ai.usage")]
    (root,) = [span.attributes or {} for span in traced.named("invoke_workflow")]
    assert root["logprobs.llm_call.count"] == 3
    assert root["logprobs.token.count"] == first["logprobs.token.count"] == 5
    assert root["logprobs.confidence.score"] == pytest.approx(first["logprobs.confidence.score"])
    assert counted(metrics) == {"logprobs.tokens": 5, "logprobs.generations": 1}
    assert confidence_of(last).cached


def counted(metrics: InMemoryMetricReader) -> dict[str, int]:
    """The counters."""
    data: Any = metrics.get_metrics_data()
    every = [each for one in data.resource_metrics for scope in one.scope_metrics for each in scope.metrics]
    return {
        each.name: sum(point.value for point in each.data.data_points)
        for each in every
        if each.name in ("logprobs.tokens", "logprobs.generations")
    }


def test_another_question_is_another_answer(cache: BaseCache, wire: WireServer) -> None:
    wire.answer("*", openai_answer())
    traced = Traced()
    for question in ("q", "r", "q"):
        model(wire).invoke(question, config=traced.config)
    assert [(span.attributes or {}).get("logprobs.cached") for span in traced.spans] == [None, None, True]


def test_a_cached_completion_makes_no_callback(cache: BaseCache, wire: WireServer) -> None:
    wire.answer("*", answers.completions())
    traced = Traced()
    for _ in range(3):
        OpenAI(**{**making.completions(wire.url), "logprobs": 1}).invoke("q", config=traced.config)
    assert len(traced.spans) == len(wire.requests) == 1  # LangChain tells nobody: a line of the docs
