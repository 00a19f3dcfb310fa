"""Messages in the conventions' form: what a call answered, and what an agent or a workflow was given and answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompt_values import StringPromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_logprobs import Settings
from langchain_logprobs.telemetry.messages import input_of, last_text
from tests.support import ScriptedModel, Traced, entry

OPEN = Settings(capture_messages=True)
TOKENS = [entry(" 1935", -0.9, (" 1936", -1.0)), entry(".", -0.01)]
PROMPT = ChatPromptTemplate.from_template("Answer: {question}")


class Hostile:
    """Whatever is asked of it fails."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Nameless:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("When?", "When?"),
        ({"question": "When?"}, "When?"),
        ({"question": "When?", "k": 3}, '{"question": "When?", "k": 3}'),
        ({"question": "When?", "docs": ["a" * 9_000_000]}, '{"question": "When?", "docs": "<list>"}'),
        ({"question": HumanMessage("When?")}, "When?"),
        ({"x": float("nan"), "y": 1}, '{"x": "nan", "y": 1}'),
        ({"x": Nameless(), "y": 1}, '{"x": "<Nameless>", "y": 1}'),
        ({"messages": [("user", "Who?"), ("ai", "Me."), HumanMessage("When?")]}, "When?"),
        ({"messages": [{"role": "user", "content": "When?"}]}, "When?"),
        ({"messages": "When?"}, "When?"),
        ([SystemMessage("Be short."), "When?"], "When?"),
        (StringPromptValue(text="When?"), "When?"),
        (HumanMessage("When?"), "When?"),
        (7, "7"),
        (b"bytes", "<bytes>"),
        ("", None),
        (None, None),
        ({}, None),
        ({"input": ""}, None),
        ({"messages": []}, "<list>"),
    ],
)
def test_what_a_chain_was_given(inputs: Any, said: str | None) -> None:
    messages = input_of(inputs)
    assert last_text(messages) == said
    for message in [] if messages is None else json.loads(messages):
        assert message["role"] in {"user", "assistant", "system"}


def test_a_hostile_input_is_left_out() -> None:
    assert input_of(Hostile()) is None
    assert input_of({"x": Hostile()}) is None


def test_a_long_input_is_cut() -> None:
    messages = input_of({"messages": ["é" * 3_000, "é" * 3_000]})
    assert messages is not None
    assert 8_000 <= len(messages.encode()) <= 8_400
    assert "�" not in messages


def test_a_workflow_shows_its_question_and_its_answer() -> None:
    for run in ("invoke", "stream"):
        traced = Traced(OPEN)
        chain = PROMPT | ScriptedModel(entries=TOKENS)
        answered = getattr(chain, run)({"question": "When?"}, config=traced.config)
        list(answered)
        root = next(span for span in traced.spans if span.parent is None)
        assert root.attributes["openinference.span.kind"] == "CHAIN"
        assert root.attributes["input.value"] == "When?"
        assert root.attributes["output.value"] == " 1935."
        assert root.attributes["gen_ai.output.messages"] == traced.call.attributes["gen_ai.output.messages"]
        inner = [span for span in traced.spans if span.parent is not None and span is not traced.call]
        assert inner
        for span in inner:
            assert span.attributes["openinference.span.kind"] == "CHAIN"
            assert not {"input.value", "gen_ai.input.messages", "output.value"} & set(span.attributes)


@pytest.mark.parametrize(
    ("settings", "given", "answered"),
    [
        (Settings(), False, True),
        (Settings(capture_text=False), False, False),
        (OPEN, True, True),
    ],
)
def test_a_workflow_shows_no_more_than_is_captured(settings: Settings, given: bool, answered: bool) -> None:
    traced = Traced(settings)
    (PROMPT | ScriptedModel(entries=TOKENS)).invoke({"question": "When?"}, config=traced.config)
    root = next(span for span in traced.spans if span.parent is None)
    for name, wanted in (("input.value", given), ("gen_ai.input.messages", given), ("output.value", answered)):
        assert (name in root.attributes) == wanted


def test_an_agent_shows_its_last_answer_and_not_that_of_a_step_that_failed() -> None:
    def fails(_: Any) -> None:
        raise ValueError("no")

    def ask(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        second: Any = ScriptedModel(entries=TOKENS)
        first = (ScriptedModel(entries=[entry("wrong", -3.0)]) | RunnableLambda(fails)).with_fallbacks([second])
        return {"messages": [first.invoke(state["messages"], config)]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    traced = Traced(OPEN)
    asked: Any = {"messages": [("user", "When?")]}
    builder.compile(name="years").invoke(asked, config=traced.config)
    root = next(span for span in traced.spans if span.parent is None)
    if "openinference.span.kind" in root.attributes:
        pytest.skip("this langgraph does not say of a graph with a name of its own that it is one")
    assert root.name == "invoke_agent years"
    assert root.attributes["input.value"] == "When?"
    assert root.attributes["output.value"] == " 1935."


def test_the_unsure_places_stand_before_the_text_and_the_worst_first() -> None:
    traced = Traced()
    entries = [
        entry("Finished in", -0.01),
        entry(" 1935", -0.9, (" 1936", -1.0)),
        entry(" by", -0.01),
        entry(" John", -2.5, (" Jane", -0.3)),
        entry(".", -0.01),
    ]
    ScriptedModel(entries=entries).invoke("?", config=traced.config)
    (message,) = json.loads(traced.call.attributes["gen_ai.output.messages"])
    confidence, text = message["parts"]
    assert confidence["type"] == "token_confidence"
    assert confidence["unsure"].startswith("John .08, nearly Jane .74 · 1935 .41")
    assert text == {"type": "text", "content": "Finished in 1935 by John."}


def test_values_are_quoted_as_people_do() -> None:
    traced = Traced()
    entries = [entry('{"currency": "', -0.01), entry("EUR", -1.8, ("USD", -0.3)), entry('"}', -0.01)]
    ScriptedModel(entries=entries).invoke("?", config=traced.config)
    (message,) = json.loads(traced.call.attributes["gen_ai.output.messages"])
    assert message["parts"][0]["unsure"].startswith("“EUR” .1")


def test_an_answer_without_logprobs_is_on_the_workflow_too() -> None:
    traced = Traced()
    model = GenericFakeChatModel(messages=iter([AIMessage("Lima")]))
    (PROMPT | model).invoke({"question": "Peru?"}, config=traced.config)
    root = next(span for span in traced.spans if span.parent is None)
    assert root.attributes["output.value"] == "Lima"
