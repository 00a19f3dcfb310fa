"""Truth F10 and family P: the root names the call that made its level, and fallbacks hang where they belong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel

from langchain_logprobs import Settings
from tests.repros.calls import Scripted, entries
from tests.support import ScriptedModel, Traced, entry


def says(*probabilities: float | None, name: str = "m") -> Runnable[Any, Any]:
    """A model whose tokens have these probabilities; None is a censored one."""
    tokens = [(f" w{at}", -9999.0 if p is None else math.log(p)) for at, p in enumerate(probabilities)]
    text = "".join(word for word, _ in tokens)
    info = {"logprobs": {"content": entries(tokens)}}
    return Scripted(message=AIMessage(text), info=info, chunks=[]).with_config(metadata={"ls_model_name": name})


def root_of(traced: Traced) -> dict[str, Any]:
    (root,) = [span for span in traced.spans if span.parent is None]
    return {name.removeprefix("logprobs."): value for name, value in (root.attributes or {}).items()}


def span_id(traced: Traced, model: str) -> str:
    (span,) = [span for span in traced.spans if (span.attributes or {}).get("gen_ai.request.model") == model]
    assert span.context is not None
    return f"{span.context.span_id:016x}"


SURE_BUT_FOR_ONE = [*[0.99] * 49, 0.01]


@pytest.mark.parametrize(
    ("calls", "worst", "weakest"),
    [
        ({"a": SURE_BUT_FOR_ONE, "b": [0.45] * 50}, "b", "a"),
        ({"a": [0.45] * 50, "b": SURE_BUT_FOR_ONE}, "a", "b"),
        ({"a": [0.99] * 500, "b": [0.3, 0.3]}, "b", "b"),
        ({"a": [0.9], "b": [None, 0.99], "c": [0.2]}, "c", "b"),
        ({"a": [0.9], "b": [None, 0.99], "c": [0.7]}, "b", "b"),
        ({"a": [0.9], "b": [0.9], "c": [0.9]}, "a", "a"),
        ({"a": [], "b": [0.7]}, "b", "b"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_the_call_that_made_the_level_is_named(
    calls: dict[str, list[float | None]], worst: str, weakest: str, together: bool
) -> None:
    traced = Traced()
    models = {name: says(*given, name=name) for name, given in calls.items()}
    if together:
        RunnableParallel(**models).invoke("q", config=traced.config)
    else:
        RunnableLambda(lambda _: [model.invoke("q") for model in models.values()]).invoke("q", config=traced.config)
    root = root_of(traced)
    if len({str(given) for given in calls.values()}) > 1:
        assert root["worst.span_id"] == span_id(traced, worst)
        assert root["min.span_id"] == span_id(traced, weakest)
    else:  # of three alike any one will do
        assert root["worst.span_id"] in {span_id(traced, name) for name in calls}
    assert root["llm_call.count"] == len(calls)


def test_a_long_sure_answer_does_not_drown_a_short_unsure_one() -> None:
    traced = Traced()
    models = {"a": says(*[0.99] * 500, name="a"), "b": says(0.3, 0.3, name="b")}
    RunnableParallel(**models).invoke("q", config=traced.config)
    root = root_of(traced)
    assert root["confidence.score"] > 0.95
    assert (root["confidence.level"], root["worst.confidence"]) == ("low", pytest.approx(0.3))


def test_an_answer_that_was_thrown_away_is_no_part_of_the_root() -> None:
    answers = iter([says(0.05), says(0.975)])
    tries = iter([ValueError("no JSON"), None])

    def attempt(_: Any) -> Any:
        answer = next(answers).invoke("q")
        if error := next(tries):
            raise error
        return answer

    traced = Traced()
    RunnableLambda(lambda x: RunnableLambda(attempt).with_retry(wait_exponential_jitter=False).invoke(x)).invoke(
        "q", config=traced.config
    )
    root = root_of(traced)
    assert (root["llm_call.count"], root["discarded.llm_call.count"]) == (1, 1)
    assert root["confidence.score"] == pytest.approx(0.975)
    assert root["confidence.level"] == "high"
    assert root["min.probability"] == pytest.approx(0.975)


# Family P.


def works(probability: float = 0.9) -> ScriptedModel:
    return ScriptedModel(entries=[entry("ok", math.log(probability))])


def fails() -> ScriptedModel:
    return ScriptedModel(entries=[entry("junk", -3.0)], fail_after=0)


async def consume(stream: Any) -> None:
    async for _ in stream:
        pass


CALLS: dict[str, Callable[[Runnable[Any, Any], Any], Any]] = {
    "invoke": lambda made, config: made.invoke("q", config=config),
    "ainvoke": lambda made, config: asyncio.run(made.ainvoke("q", config=config)),
    "stream": lambda made, config: list(made.stream("q", config=config)),
    "astream": lambda made, config: asyncio.run(consume(made.astream("q", config=config))),
    "batch": lambda made, config: made.batch(["q"], config=config),
    "abatch": lambda made, config: asyncio.run(made.abatch(["q"], config=config)),
}
FALLBACKS: dict[str, Callable[[], Runnable[Any, Any]]] = {
    "alone": lambda: fails().with_fallbacks([works()]),
    "in a chain": lambda: RunnableLambda(lambda x: x) | fails().with_fallbacks([works()]),
    "of a chain": lambda: (RunnableLambda(lambda x: x) | fails()).with_fallbacks([RunnableLambda(str) | works()]),
    "of fallbacks": lambda: fails().with_fallbacks([fails().with_fallbacks([works()])]),
    "beside another": lambda: RunnableParallel(
        a=fails().with_fallbacks([works()]), b=fails().with_fallbacks([works(0.95)])
    ),
}


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("made", FALLBACKS)
def test_fallbacks_are_one_tree_and_their_root_sums_them_up(made: str, path: str) -> None:
    traced = Traced()
    CALLS[path](FALLBACKS[made](), traced.config)
    root = root_of(traced)
    several = 2 if made == "beside another" else 1
    assert root["llm_call.count"] == several
    assert root["discarded.llm_call.count"] == (2 if made == "of fallbacks" else several)
    assert root["confidence.level"] == "high"
    by_id = {span.context.span_id: span for span in traced.spans if span.context is not None}
    for call in traced.named("chat"):
        assert call.parent is not None
        above = by_id[call.parent.span_id]
        assert "RunnableWithFallbacks" in above.name or made == "of a chain"
    assert traced.handler.open_runs == 0


def test_all_fallbacks_fail() -> None:
    traced = Traced()
    with pytest.raises(RuntimeError):
        fails().with_fallbacks([fails()]).invoke("q", config=traced.config)
    assert root_of(traced)["llm_call.count"] == 2


def test_the_caller_s_own_span_stays_where_it_was_put() -> None:
    traced = Traced()
    tracer = traced.provider.get_tracer("mine")

    def step(_: Any) -> Any:
        with tracer.start_as_current_span("mine"):
            return works().invoke("q", config=traced.config)

    with tracer.start_as_current_span("around"):
        RunnableLambda(step).invoke("q", config=traced.config)
        fails().with_fallbacks([works()]).invoke("q", config=traced.config)
    names = {span.context.span_id: span.name for span in traced.spans if span.context is not None}
    above = [(span.name, names.get(span.parent.span_id) if span.parent else None) for span in traced.spans]
    assert above[0] == ("chat scripted-1", "mine")
    assert [each for each in above if each[1] == "invoke_workflow RunnableWithFallbacks"] == [
        ("chat scripted-1", "invoke_workflow RunnableWithFallbacks")
    ] * 2
    assert ("invoke_workflow RunnableWithFallbacks", "around") in above


def test_whoever_reads_a_stream_is_not_below_it() -> None:
    traced = Traced()
    read = 0
    for _ in (RunnableLambda(lambda x: x) | works()).stream("q", config=traced.config):
        works().invoke("q", config=traced.config)
        read += 1
    calls = traced.named("chat")
    assert len(calls) == read + 1
    assert [call.parent for call in calls].count(None) == read


def test_a_step_that_has_ended_is_nobody_s_parent() -> None:
    traced = Traced()

    async def main() -> None:
        later: list[asyncio.Task[Any]] = []

        async def step(_: Any) -> str:
            async def after() -> None:
                await asyncio.sleep(0.01)
                await works().ainvoke("q", config=traced.config)

            later.append(asyncio.create_task(after()))
            return "done"

        await RunnableLambda(step).ainvoke("q", config=traced.config)
        await later[0]

    asyncio.run(main())
    (call,) = traced.named("chat")
    assert call.parent is None


def test_calls_alone_have_no_steps_to_hang_from() -> None:
    traced = Traced(Settings(spans="llm"))
    fails().with_fallbacks([works()]).invoke("q", config=traced.config)
    assert [span.parent for span in traced.spans] == [None, None]
