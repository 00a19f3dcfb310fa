"""Agents that act on an unsure answer, over HTTP from a local server: what is done, and what the spans say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_logprobs import LogprobsInstrumentor, Settings
from langchain_logprobs.agents import ConfidenceMiddleware, MissingLogprobsError, Unsure
from langchain_logprobs.agents.plan import MARK
from tests.agents.servers import Script, call, calls, scripted, text
from tests.support import Traced

SURE, UNSURE = 0.99, 0.41
done: list[tuple[str, int]] = []


@tool
def transfer(to: str, amount: int) -> str:
    """Send money."""
    done.append((to, amount))
    return f"{amount} sent to {to}"


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


def payment(to: str = "Bob", p: float = UNSURE) -> dict[str, Any]:
    """A call of `transfer` that is unsure of whom to."""
    said = (('{"to": "', SURE), (to, p, ("Rob", 0.38)), ('", "amount": ', SURE), ("5", SURE), ("}", SURE))
    return call("transfer", {"to": to, "amount": 5}, *said)


FINISHED = text(("Sent", SURE), (".", SURE))
VAGUE = text(("Per", SURE), ("haps", UNSURE, ("sonally", 0.3)))
CLEAR = text(("Lima", SURE))


def agent(script: Script, *, model: dict[str, Any] | None = None, **settings: Any) -> Any:
    middleware = ConfidenceMiddleware(**{"below": 0.8, "on_missing": "raise", **settings})
    return create_agent(
        script.model(**(model or {})), [transfer], middleware=[middleware], checkpointer=InMemorySaver()
    )


def config(traced: Traced | None = None) -> Any:
    return {"configurable": {"thread_id": "t"}, **({} if traced is None else traced.config)}


ASKED = {"messages": [HumanMessage("Pay Bob 5.")]}


class Runner:
    """Runs an agent in one of the ways in which people do."""

    def __init__(self, way: str) -> None:
        self.way = way

    def __call__(self, graph: Any, given: Any, with_config: Any) -> dict[str, Any]:
        if self.way == "invoke":
            return graph.invoke(given, with_config)
        if self.way == "ainvoke":
            return asyncio.run(graph.ainvoke(given, with_config))
        if self.way == "stream":
            *_, last = graph.stream(given, with_config, stream_mode="values")
        else:
            last = asyncio.run(self._last(graph, given, with_config))
        snapshot = graph.get_state(with_config)
        return {**last, "__interrupt__": snapshot.interrupts}

    async def _last(self, graph: Any, given: Any, with_config: Any) -> Any:
        async for mode, value in graph.astream(given, with_config, stream_mode=["values", "messages"]):
            if mode == "values":
                last = value
        return last


@pytest.fixture(params=["invoke", "ainvoke", "stream", "astream"])
def run(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


def requests_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    (interrupted,) = result["__interrupt__"]
    return interrupted.value["action_requests"]


def actions(traced: Traced) -> list[str]:
    """What was done, by the events in the order of time."""
    events = [event for span in traced.spans for event in span.events if event.name == "logprobs.action"]
    return [event.attributes["logprobs.action"] for event in sorted(events, key=lambda event: event.timestamp)]


def root(traced: Traced) -> Any:
    """The last root span."""
    return [span for span in traced.spans if span.parent is None][-1]


# A person.


def test_a_person_edits_an_unsure_argument_before_the_tool_is_called(run: Runner) -> None:
    traced = Traced()
    with scripted(payment(), FINISHED) as script:
        graph = agent(script)
        stopped = run(graph, ASKED, config(traced))
        (request,) = requests_of(stopped)
        assert (request["name"], request["args"], done) == ("transfer", {"to": "Bob", "amount": 5}, [])
        assert request["description"].endswith('is not sure enough:\n/tool_calls/0/transfer/to "Bob" .40')
        (doubt,) = request["unsure"]
        assert (doubt["path"], doubt["value"]) == ("/tool_calls/0/transfer/to", "Bob")
        assert doubt["confidence"] == pytest.approx(UNSURE * SURE**2)
        assert root(traced).attributes["logprobs.action"] == "interrupt"

        edited = {"type": "edit", "edited_action": {"name": "transfer", "args": {"to": "Rob", "amount": 5}}}
        result = run(graph, Command(resume={"decisions": [edited]}), config(traced))
        assert done == [("Rob", 5)]
        assert result["messages"][-1].text == "Sent."
        (message,) = [each for each in result["messages"] if isinstance(each, AIMessage) and each.tool_calls]
        assert message.tool_calls[0]["args"] == {"to": "Rob", "amount": 5}
        assert MARK not in message.response_metadata
        said = script.requests[1]["messages"]
        assert json.loads(said[1]["tool_calls"][0]["function"]["arguments"])["to"] == "Rob"
    assert actions(traced) == ["interrupt", "edit"]
    assert root(traced).attributes["logprobs.action"] == "edit"
    spans = [span for span in traced.spans if "ConfidenceMiddleware.after_model" in span.name]
    assert [span.attributes.get("logprobs.action") for span in spans] == ["interrupt", "edit", None]
    assert len({span.attributes.get("gen_ai.conversation.id") for span in traced.named("invoke_agent")}) == 1


def test_a_person_approves(run: Runner) -> None:
    with scripted(payment(), FINISHED) as script:
        graph = agent(script)
        run(graph, ASKED, config())
        run(graph, Command(resume={"decisions": [{"type": "approve"}]}), config())
    assert done == [("Bob", 5)]


def test_a_person_rejects_and_the_model_hears_why(run: Runner) -> None:
    traced = Traced()
    with scripted(payment(), FINISHED) as script:
        graph = agent(script)
        run(graph, ASKED, config(traced))
        result = run(
            graph, Command(resume={"decisions": [{"type": "reject", "message": "Ask first."}]}), config(traced)
        )
        assert script.requests[1]["messages"][-1]["content"] == "Ask first."
    assert done == []
    (told,) = [each for each in result["messages"] if isinstance(each, ToolMessage)]
    assert told.status == "error"
    assert actions(traced) == ["interrupt", "reject"]


def test_only_the_unsure_one_of_several_calls_is_asked_about() -> None:
    sure = (('{"to": "', SURE), ("Ann", SURE), ('", "amount": ', SURE), ("7", SURE), ("}", SURE))
    vague = (('{"to": "', SURE), ("Bob", UNSURE), ('", "amount": ', SURE), ("5", SURE), ("}", SURE))
    both = calls(("transfer", {"to": "Ann", "amount": 7}, sure), ("transfer", {"to": "Bob", "amount": 5}, vague))
    with scripted(both, FINISHED) as script:
        graph = agent(script)
        (request,) = requests_of(graph.invoke(ASKED, config()))
        assert request["args"] == {"to": "Bob", "amount": 5}
        graph.invoke(Command(resume={"decisions": [{"type": "reject"}]}), config())
    assert done == [("Ann", 7)]


def test_an_unsure_answer_is_edited_or_rejected(run: Runner) -> None:
    with scripted(VAGUE, CLEAR) as script:
        graph = agent(script)
        (request,) = requests_of(run(graph, ASKED, config()))
        assert (request["name"], request["args"]) == ("answer", {"text": "Perhaps"})
        assert "Per[haps .41, nearly sonally .30]" in request["description"]
        edited = {"type": "edit", "edited_action": {"name": "answer", "args": {"text": "Lima"}}}
        result = run(graph, Command(resume={"decisions": [edited]}), config())
        assert [each.text for each in result["messages"]] == ["Pay Bob 5.", "Lima"]
    with scripted(VAGUE, CLEAR) as script:
        graph = agent(script)
        run(graph, ASKED, config())
        result = run(graph, Command(resume={"decisions": [{"type": "reject", "message": "Be clear."}]}), config())
        assert [each.text for each in result["messages"]] == ["Pay Bob 5.", "Perhaps", "Be clear.", "Lima"]


class City(BaseModel):
    """An answer."""

    city: str


@pytest.mark.parametrize("kind", ["provider", "tool"])
@pytest.mark.parametrize("decision", ["edit", "reject", "approve"])
def test_the_structured_response_is_kept_in_step(kind: str, decision: str) -> None:
    said = (('{"city": "', SURE), ("Quito", UNSURE), ('"}', SURE))
    sure = (('{"city": "', SURE), ("Cusco", SURE), ('"}', SURE))
    strategy: Any = ProviderStrategy(City) if kind == "provider" else ToolStrategy(City)
    answers = [
        text(*each) if kind == "provider" else call("City", {"city": each[1][0]}, *each) for each in (said, sure)
    ]
    with scripted(*answers) as script:
        middleware = ConfidenceMiddleware(0.8, on_missing="raise")
        saver = InMemorySaver()
        graph = create_agent(script.model(), [], middleware=[middleware], checkpointer=saver, response_format=strategy)
        (request,) = requests_of(graph.invoke(ASKED, config()))
        assert request["args"] == {"city": "Quito"}
        given: dict[str, Any] = {"type": decision, "message": "No."}
        if decision == "edit":
            given["edited_action"] = {"name": request["name"], "args": {"city": "Lima"}}
        result = graph.invoke(Command(resume={"decisions": [given]}), config())
    wanted = {"edit": "Lima", "reject": "Cusco", "approve": "Quito"}[decision]
    assert result["structured_response"] == City(city=wanted)
    if kind == "tool" and decision == "edit":
        assert result["messages"][-1].content == "Returning structured response: city='Lima'"
    if kind == "provider" and decision == "edit":
        assert json.loads(result["messages"][-1].text) == {"city": "Lima"}


@pytest.mark.parametrize(
    ("resume", "said"),
    [
        ({"decisions": []}, "and 1 decision, one for each"),
        ("yes", "and 1 decision"),
        ({"decisions": [{"type": "maybe"}]}, "has none of the types approve, edit, reject"),
        ({"decisions": ["approve"]}, "'approve' has none of"),
        ({"decisions": [{"type": "edit"}]}, "an edit needs edited_action"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "transfer"}}]}, "an edit needs edited_action"),
    ],
)
def test_a_wrong_decision_is_refused_and_nothing_is_done(resume: Any, said: str) -> None:
    with scripted(payment(), FINISHED) as script:
        graph = agent(script)
        graph.invoke(ASKED, config())
        with pytest.raises(ValueError, match=said):
            graph.invoke(Command(resume=resume), config())
        assert done == []


# Again, and another model.


def test_a_retry_that_is_sure_is_taken_and_the_first_answer_is_in_no_number(run: Runner) -> None:
    traced = Traced()
    with scripted(payment(), payment("Rob", SURE), FINISHED) as script:
        run(agent(script, on_low="retry"), ASKED, config(traced))
        assert script.requests[0]["messages"] == script.requests[1]["messages"]
    assert done == [("Rob", 5)]
    assert actions(traced) == ["retry"]
    top = root(traced).attributes
    assert (top["logprobs.action"], top["logprobs.confidence.level"]) == ("retry", "high")
    assert (top["logprobs.llm_call.count"], top["logprobs.discarded.llm_call.count"]) == (2, 1)
    assert [span.attributes["logprobs.confidence.level"] for span in traced.named("chat")] == ["low", "high", "high"]


def test_endings_that_are_put_off_leave_the_first_answer_out_too(run: Runner) -> None:
    traced = Traced(Settings(deferred=True))
    with scripted(payment(), payment("Rob", SURE), FINISHED) as script:
        run(agent(script, on_low="retry"), ASKED, config(traced))
    traced.provider.force_flush()
    assert actions(traced) == ["retry"]
    top = root(traced).attributes
    assert (top["logprobs.action"], top["logprobs.confidence.level"]) == ("retry", "high")
    assert (top["logprobs.llm_call.count"], top["logprobs.discarded.llm_call.count"]) == (2, 1)


def test_a_retry_says_what_was_unsure_if_wanted(run: Runner) -> None:
    with scripted(payment(), payment("Rob", SURE), FINISHED) as script:
        result = run(agent(script, on_low="retry", tell_model=True), ASKED, config())
        told = script.requests[1]["messages"][-1]
        assert told["role"] == "user"
        assert 'You were not sure of this: /tool_calls/0/transfer/to "Bob" .40' in told["content"]
        assert "transfer({'to': 'Bob', 'amount': 5})" in told["content"]
        assert len(script.requests[2]["messages"]) == 3  # the conversation does not keep it
    assert not any("not sure" in each.text for each in result["messages"])


def test_escalation_takes_the_other_model(run: Runner) -> None:
    traced = Traced()
    big = text(("Lima", SURE), model="big")
    with scripted(VAGUE) as small, scripted(big) as large:
        graph = agent(small, on_low="escalate", escalate_to=large.model(model="big"))
        result = run(graph, ASKED, config(traced))
        assert (len(small.requests), len(large.requests)) == (1, 1)
    assert result["messages"][-1].text == "Lima"
    assert actions(traced) == ["escalate"]
    assert root(traced).attributes["logprobs.confidence.level"] == "high"
    assert [span.name for span in traced.named("chat")] == ["chat m", "chat big"]


def test_steps_are_gone_through_until_the_answer_is_sure(run: Runner) -> None:
    traced = Traced()
    with scripted(VAGUE) as small, scripted(VAGUE) as large:
        graph = agent(small, on_low=["retry", "escalate", "interrupt"], retries=2, escalate_to=large.model(model="big"))
        (request,) = requests_of(run(graph, ASKED, config(traced)))
        assert (len(small.requests), len(large.requests)) == (3, 1)
        assert request["name"] == "answer"
    assert actions(traced) == ["retry", "retry", "escalate", "interrupt"]


def test_an_answer_that_stays_unsure_passes_and_says_so(run: Runner) -> None:
    traced = Traced()
    with scripted(VAGUE) as script:
        result = run(agent(script, on_low="retry"), ASKED, config(traced))
    assert result["messages"][-1].text == "Perhaps"
    assert actions(traced) == ["retry", "accept"]
    assert root(traced).attributes["logprobs.confidence.level"] == "low"


# A function.


def test_a_function_gets_what_is_unsure_and_may_answer() -> None:
    seen: list[Unsure] = []

    def ask_the_boss(unsure: Unsure) -> AIMessage | None:
        seen.append(unsure)
        return AIMessage("I do not know.") if len(seen) == 1 else None

    traced = Traced()
    with scripted(VAGUE) as script:
        first = agent(script, on_low=ask_the_boss).invoke(ASKED, config(traced))
        second = agent(script, on_low=ask_the_boss).invoke(ASKED, config())
    assert [first["messages"][-1].text, second["messages"][-1].text] == ["I do not know.", "Perhaps"]
    assert seen[0].report.score == traced.call.attributes["logprobs.confidence.score"]
    assert seen[0].doubts.doubts[0].value == "Perhaps"
    assert actions(traced) == ["call"]
    assert root(traced).attributes["logprobs.discarded.llm_call.count"] == 1


def test_a_function_may_be_async_where_the_agent_is() -> None:
    async def answer(_: Unsure) -> AIMessage:
        await asyncio.sleep(0)
        return AIMessage("From afar.")

    with scripted(VAGUE) as script:
        graph = agent(script, on_low=answer)
        assert asyncio.run(graph.ainvoke(ASKED, config()))["messages"][-1].text == "From afar."
        with pytest.raises(TypeError, match="needs an agent that runs async"):
            agent(script, on_low=answer).invoke(ASKED, config())


def test_what_a_function_raises_reaches_the_caller_and_what_it_returns_is_checked() -> None:
    def stop(_: Unsure) -> None:
        raise LookupError("mine")

    with scripted(VAGUE) as script:
        with pytest.raises(LookupError, match="mine"):
            agent(script, on_low=stop).invoke(ASKED, config())
        with pytest.raises(TypeError, match="returns an AIMessage or None, not str"):
            agent(script, on_low=lambda _: "yes").invoke(ASKED, config())


# Sure answers, and those of which nothing is known.


def test_a_sure_answer_is_left_alone(run: Runner) -> None:
    traced = Traced()
    with scripted(payment(p=SURE), FINISHED) as script:
        result = run(agent(script), ASKED, config(traced))
    assert (done, actions(traced)) == ([("Bob", 5)], [])
    assert "logprobs.action" not in root(traced).attributes
    assert not any(MARK in getattr(each, "response_metadata", {}) for each in result["messages"])


NOTHING_KNOWN = {
    "not asked for": (text(("Lima", SURE), logprobs=False), {"logprobs": False}),
    "asked for and not given": (text(("Lima", SURE), logprobs=False), {}),
    "a tool call without its tokens": (call("transfer", {"to": "Bob", "amount": 5}), {}),
}


@pytest.mark.parametrize("what", NOTHING_KNOWN)
def test_without_logprobs_it_is_never_taken_for_sure_or_unsure(what: str, run: Runner) -> None:
    answer, model = NOTHING_KNOWN[what]
    is_call = "tool call" in what
    with scripted(answer, CLEAR) as script:
        with pytest.raises(MissingLogprobsError, match="no logprobs"):
            run(agent(script, model=model, on_low="retry"), ASKED, config())
        assert (len(script.requests), done) == (1, [])
    traced = Traced()
    with scripted(answer, CLEAR) as script:
        graph = agent(script, model=model, on_missing="review", on_low="retry")
        (request,) = requests_of(run(graph, ASKED, config(traced)))
        assert len(script.requests) == 1  # asking again brings no logprobs either
        assert "no logprobs" in request["description"]
        assert request["name"] == ("transfer" if is_call else "answer")
        assert actions(traced) == ["interrupt"]
    traced = Traced()
    with scripted(answer, text(("Lima", SURE), logprobs=False)) as script:
        run(agent(script, model=model, on_missing="allow"), ASKED, config(traced))
    assert actions(traced) == ["allow", "allow"][: 2 if is_call else 1]


def test_a_censored_argument_is_unsure() -> None:
    censored = payment(p=SURE)
    censored["choices"][0]["logprobs"]["content"][1]["logprob"] = -9999.0
    with scripted(censored, FINISHED) as script:
        (request,) = requests_of(agent(script, on_missing="allow").invoke(ASKED, config()))
        assert request["unsure"][0]["confidence"] is None


def test_half_of_the_logprobs_are_not_enough() -> None:
    # The second of two calls has no tokens.
    said = (('{"to": "', SURE), ("Ann", SURE), ('", "amount": ', SURE), ("7", SURE), ("}", SURE))
    both = calls(("transfer", {"to": "Ann", "amount": 7}, said), ("transfer", {"to": "Bob", "amount": 5}, ()))
    with scripted(both, FINISHED) as script, pytest.raises(MissingLogprobsError, match="arguments of transfer"):
        agent(script).invoke(ASKED, config())


def test_thresholds_by_pointer() -> None:
    with scripted(payment(), VAGUE) as script:
        below = {"/tool_calls/*/transfer/amount": 0.9}
        result = agent(script, below=below).invoke(ASKED, config())
        assert (done, result["messages"][-1].text) == ([("Bob", 5)], "Perhaps")  # neither is looked at
    with scripted(payment(), VAGUE) as script:
        (request,) = requests_of(agent(script, below={"": 0.1, "/tool_calls/*/transfer": 0.9}).invoke(ASKED, config()))
        assert request["name"] == "transfer"


# Beside others.


def test_an_instrumented_process_has_the_actions_too() -> None:
    traced = Traced()
    instrumentor = LogprobsInstrumentor()
    instrumentor.instrument(tracer_provider=traced.provider)
    try:
        with scripted(VAGUE, CLEAR) as script:
            agent(script, on_low="retry").invoke(ASKED, {"configurable": {"thread_id": "t"}})
    finally:
        instrumentor.uninstrument()
    assert actions(traced) == ["retry"]


def test_two_handlers_write_an_action_once() -> None:
    traced = Traced()
    other = type(traced.handler)(tracer_provider=traced.provider)
    with scripted(VAGUE, CLEAR) as script:
        given = {"configurable": {"thread_id": "t"}, "callbacks": [traced.handler, other]}
        agent(script, on_low="retry").invoke(ASKED, given)
    assert actions(traced) == ["retry"]


@pytest.mark.parametrize("where", ["span", "log", "both", "none"])
def test_no_text_leaves_where_none_is_captured(where: Any) -> None:
    traced = Traced(Settings(capture_text=False, events=where))
    with scripted(payment(), FINISHED) as script:
        agent(script).invoke(ASKED, config(traced))
    for span in traced.spans:
        assert "Bob" not in repr(span.attributes)
        assert "Bob" not in repr([event.attributes for event in span.events])
    assert root(traced).attributes["logprobs.action"] == "interrupt"
    assert bool(actions(traced)) == (where in ("span", "both"))


def test_without_any_handler_it_works_the_same() -> None:
    with scripted(VAGUE, CLEAR) as script:
        assert agent(script, on_low="retry").invoke(ASKED, config())["messages"][-1].text == "Lima"


def test_many_agents_at_once_do_not_mix() -> None:
    with scripted(VAGUE, *[CLEAR] * 30) as script:
        # Twenty connections at once are more than the server's socket lets wait.
        graph = agent(script, model={"max_retries": 9}, on_low="retry")

        async def run_all() -> list[Any]:
            each = [graph.ainvoke(ASKED, {"configurable": {"thread_id": str(at)}}) for at in range(20)]
            return await asyncio.gather(*each)

        results = asyncio.run(run_all())
        assert len(script.requests) == 21  # one of them was unsure, once
    assert {result["messages"][-1].text for result in results} == {"Lima"}


# Wrong settings.


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"on_missing": "guess"}, ValueError, "on_missing='guess' is none of allow, review, raise"),
        ({"on_missing": None}, ValueError, "is none of allow, review, raise"),
        ({"below": "0.8"}, TypeError, "below='0.8' is no threshold"),
        ({"below": True}, TypeError, "is no threshold"),
        ({"below": 0}, ValueError, "no probability over 0 and up to 1"),
        ({"below": 80}, ValueError, "no probability over 0 and up to 1"),
        ({"below": float("nan")}, ValueError, "no probability"),
        ({"below": {}}, ValueError, "names no threshold"),
        ({"below": {"to": 0.5}}, ValueError, "'to', which is no JSON Pointer"),
        ({"on_low": "stop"}, ValueError, "on_low='stop' is none of interrupt, retry, escalate"),
        ({"on_low": []}, ValueError, "give at least one step"),
        ({"on_low": ["interrupt", "retry"]}, ValueError, "never reached"),
        ({"on_low": "escalate"}, ValueError, "need each other"),
        ({"escalate_to": "openai:x"}, ValueError, "need each other"),
        ({"retries": 0}, ValueError, "from 1 to 10"),
        ({"retries": 1.5}, ValueError, "from 1 to 10"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        ConfidenceMiddleware(**{"below": 0.8, "on_missing": "allow", **settings})


def test_on_missing_has_no_default() -> None:
    with pytest.raises(TypeError, match="on_missing"):
        ConfidenceMiddleware(0.8)  # type: ignore[call-arg]
