"""The condition and the node for graphs of one's own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from langchain_logprobs.agents import MissingLogprobsError, confidence_route, review_node
from tests.agents.servers import entries, scripted, text
from tests.support import Traced

VAGUE, CLEAR = text(("Per", 0.9), ("haps", 0.4)), text(("Lima", 0.95))


def graph_of(model: Any, **settings: Any) -> Any:
    """A model whose unsure answers a person looks at, and whose sure ones end."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def after_review(state: MessagesState) -> str:
        return "ask" if isinstance(state["messages"][-1], HumanMessage) else END

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_node("review", review_node(**settings))
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", confidence_route(**settings), {"sure": END, "unsure": "review"})
    graph.add_conditional_edges("review", after_review)
    return graph.compile(checkpointer=InMemorySaver())


SETTINGS = {"below": 0.8, "on_missing": "review"}
ASKED = {"messages": [HumanMessage("Where?")]}


def config(traced: Traced | None = None) -> Any:
    return {"configurable": {"thread_id": "t"}, **({} if traced is None else traced.config)}


@pytest.mark.parametrize("is_async", [False, True])
def test_an_unsure_answer_goes_to_a_person_and_a_sure_one_does_not(is_async: bool) -> None:
    def run(graph: Any, given: Any, with_config: Any) -> Any:
        return asyncio.run(graph.ainvoke(given, with_config)) if is_async else graph.invoke(given, with_config)

    traced = Traced()
    with scripted(VAGUE, CLEAR) as script:
        graph = graph_of(script.model(), **SETTINGS)
        stopped = run(graph, ASKED, config(traced))
        (request,) = stopped["__interrupt__"][0].value["action_requests"]
        assert request["args"] == {"text": "Perhaps"}
        assert stopped["__interrupt__"][0].value["review_configs"] == [
            {"action_name": "answer", "allowed_decisions": ["approve", "edit", "reject"]}
        ]
        result = run(graph, Command(resume={"decisions": [{"type": "reject", "message": "Be clear."}]}), config(traced))
        assert [each.text for each in result["messages"]] == ["Where?", "Perhaps", "Be clear.", "Lima"]
    events = [event for span in traced.spans for event in span.events if event.name == "logprobs.action"]
    assert sorted(event.attributes["logprobs.action"] for event in events) == ["interrupt", "reject", "route"]
    roots = [span.attributes["logprobs.action"] for span in traced.spans if span.parent is None]
    assert roots == ["interrupt", "reject"]


def test_a_person_edits() -> None:
    with scripted(VAGUE) as script:
        graph = graph_of(script.model(), **SETTINGS)
        graph.invoke(ASKED, config())
        edited = {"type": "edit", "edited_action": {"name": "answer", "args": {"text": "Lima"}}}
        result = graph.invoke(Command(resume={"decisions": [edited]}), config())
    assert [each.text for each in result["messages"]] == ["Where?", "Lima"]


def message(*said: tuple[Any, ...]) -> AIMessage:
    return AIMessage("".join(each[0] for each in said), response_metadata={"logprobs": {"content": entries(*said)}})


@pytest.mark.parametrize(
    ("state", "on_missing", "way"),
    [
        ({"messages": [message(("Lima", 0.9))]}, "raise", "sure"),
        ({"messages": [message(("Lima", 0.5))]}, "allow", "unsure"),
        (SimpleNamespace(messages=[message(("Lima", 0.5))]), "allow", "unsure"),
        ({"messages": [message(("Lima", 0.5)), HumanMessage("Hm?")]}, "allow", "unsure"),
        ({"messages": [AIMessage("Lima")]}, "allow", "sure"),
        ({"messages": [AIMessage("Lima")]}, "review", "unsure"),
        ({"messages": []}, "review", "unsure"),
        ({}, "review", "unsure"),
    ],
)
def test_the_condition(state: Any, on_missing: Any, way: str) -> None:
    assert confidence_route(0.8, on_missing=on_missing)(state) == way


def test_without_logprobs_it_raises_where_that_was_chosen() -> None:
    with pytest.raises(MissingLogprobsError, match="no logprobs"):
        confidence_route(0.8, on_missing="raise")({"messages": [AIMessage("Lima")]})


def test_another_key_and_a_schema() -> None:
    said = message(('{"city": "', 0.99), ("Lima", 0.5), ('"}', 0.99))
    route = confidence_route({"/city": 0.8}, on_missing="raise", messages_key="chat", schema={"type": "object"})
    assert route({"chat": [said]}) == "unsure"


def test_a_sure_answer_passes_the_node() -> None:
    assert review_node(0.8, on_missing="raise").invoke({"messages": [message(("Lima", 0.9))]}) == {}


@pytest.mark.parametrize("make", [confidence_route, review_node])
def test_wrong_settings_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="is none of allow, review, raise"):
        make(0.8, on_missing="guess")
    with pytest.raises(TypeError, match="is no threshold"):
        make("high", on_missing="allow")
