"""The handler on LangChain's own paths; langchain-openai runs against a local HTTP server in OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import operator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import SecretStr

from langchain_logprobs import Settings
from langchain_logprobs.handler import LogprobsCallbackHandler
from tests.providers.wire import WireServer, json_body, sse
from tests.support import (
    ENTRIES,
    LOGPROBS,
    TOKENS,
    Listener,
    ScriptedModel,
    Traced,
    chunks,
    completion,
    entry,
    openai_answer,
)

PROMPT = ChatPromptTemplate.from_template("{question}")


@pytest.fixture
def wire():
    with WireServer() as server:
        server.answer("/v1/chat/completions", openai_answer())
        yield server


def openai(wire: WireServer, **kwargs: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=wire.url + "/v1", api_key=SecretStr("unused"), model="gpt-4o", max_retries=0, **kwargs)


def test_an_invoked_answer_is_on_the_span_exactly(wire) -> None:
    traced = Traced()
    openai(wire).bind(logprobs=True).invoke("Who are you?", config=traced.config)
    attributes = traced.call.attributes
    assert attributes["logprobs.tokens"] == tuple(TOKENS)
    assert attributes["logprobs.values"] == tuple(LOGPROBS)
    mean = math.fsum(LOGPROBS) / 5
    assert attributes["logprobs.mean"] == mean
    assert attributes["logprobs.perplexity"] == math.exp(-mean)
    assert attributes["logprobs.min.token"] == "As"
    assert attributes["logprobs.min.probability"] == math.exp(-1.5358024)
    assert attributes["logprobs.min.index"] == 0
    assert (attributes["logprobs.status"], attributes["logprobs.source"]) == ("recorded", "openai.chat")
    assert [event.name for event in traced.call.events] == ["gen_ai.evaluation.result"]


def test_a_streamed_answer_has_an_event_for_each_chunk_at_its_own_time(wire) -> None:
    wire.answer("/v1/chat/completions", openai_answer(pause=0.02))
    traced = Traced()
    list(openai(wire).bind(logprobs=True).stream("Who are you?", config=traced.config))
    attributes = traced.call.attributes
    events = [event for event in traced.call.events if event.name != "gen_ai.evaluation.result"]
    assert attributes["logprobs.tokens"] == tuple(TOKENS)
    assert attributes["logprobs.values"] == tuple(LOGPROBS)
    assert [event.name for event in events] == ["logprobs.chunk"] * 5  # none for the empty first chunk
    assert [event.attributes["logprobs.tokens"] for event in events] == [(token,) for token in TOKENS]
    assert [event.attributes["logprobs.values"] for event in events] == [(value,) for value in LOGPROBS]
    assert [event.attributes["logprobs.token.start"] for event in events] == [0, 1, 2, 3, 4]
    times = [event.timestamp for event in events]
    assert times == sorted(set(times))  # the server waits before each chunk
    offsets = [(time - traced.call.start_time) // 1_000 for time in times]
    assert attributes["logprobs.chunk.offsets_us"] == tuple(offsets)
    assert traced.call.start_time < events[0].timestamp <= events[-1].timestamp < traced.call.end_time
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0


def test_the_span_carries_the_genai_conventions(wire) -> None:
    traced = Traced()
    model = openai(wire, temperature=0.5, max_tokens=9, stop=["x"], seed=7, logprobs=True)
    model.invoke([HumanMessage("hi")], config={**traced.config, "metadata": {"session_id": "s-1"}})
    span = traced.call
    assert (span.name, span.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.conversation.id": "s-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
    }
    assert {key: span.attributes.get(key) for key in expected} == expected
    assert "gen_ai.input.messages" not in span.attributes
    (message,) = json.loads(span.attributes["gen_ai.output.messages"])
    assert message["finish_reason"] == "stop"
    assert message["parts"][-1] == {"type": "text", "content": "".join(TOKENS)}


def test_prompts_are_recorded_only_when_asked_for(wire) -> None:
    traced = Traced(Settings(capture_messages=True))
    (PROMPT | openai(wire, logprobs=True)).invoke({"question": "hi"}, config=traced.config)
    assert '"content": "hi"' in traced.call.attributes["gen_ai.input.messages"]
    assert '"role": "assistant"' in traced.call.attributes["gen_ai.output.messages"]


@pytest.mark.parametrize("run", ["invoke", "stream", "ainvoke", "astream", "batch", "abatch"])
def test_the_spans_of_a_chain_hang_together(run: str) -> None:
    traced = Traced()
    chain = PROMPT | ScriptedModel() | StrOutputParser()
    call_chain(chain, run, {"question": "hi"}, traced.config)
    roots = traced.named("invoke_workflow")
    calls = traced.named("chat scripted-1")
    assert len(roots) == len(calls) == (4 if "batch" in run else 1)
    for root in roots:
        assert root.parent is None
        children = [span for span in traced.spans if span.parent and span.parent.span_id == root.context.span_id]
        assert sorted(span.name for span in children) == ["ChatPromptTemplate", "StrOutputParser", "chat scripted-1"]
        (call,) = [span for span in children if span.name.startswith("chat")]
        assert call.attributes["logprobs.tokens"] == tuple(TOKENS)
        expected = {
            "logprobs.llm_call.count": 1,
            "logprobs.token.count": 5,
            "logprobs.mean": pytest.approx(math.fsum(LOGPROBS) / 5),
            "logprobs.confidence.level": "medium",
            "logprobs.low_confidence.detected": False,
            "logprobs.min.token": "As",
            "logprobs.min.span_id": f"{call.context.span_id:016x}",
        }
        assert {key: root.attributes.get(key) for key in expected} == expected
    assert traced.handler.open_runs == 0


def call_chain(chain: Any, run: str, value: Any, config: Any) -> None:
    if run == "stream":
        list(chain.stream(value, config=config))
    elif run == "astream":

        async def consume() -> None:
            async for _ in chain.astream(value, config=config):
                pass

        asyncio.run(consume())
    elif run == "batch":
        chain.batch([value] * 4, config=config)
    elif run == "abatch":
        asyncio.run(chain.abatch([value] * 4, config=config))
    elif run == "ainvoke":
        asyncio.run(chain.ainvoke(value, config=config))
    else:
        chain.invoke(value, config=config)


has_v3 = pytest.mark.skipif(
    not hasattr(ChatOpenAI, "stream_events"), reason="this langchain-core has no streaming v3 yet"
)
V3_IS_BETA = pytest.mark.filterwarnings("ignore:.*is in beta:langchain_core._api.LangChainBetaWarning")


@V3_IS_BETA
@pytest.mark.parametrize("version", ["v2", pytest.param("v3", marks=has_v3)])
def test_streamed_events_bring_every_token(version: Any, wire) -> None:
    traced = Traced()
    model = openai(wire, logprobs=True)

    async def consume() -> None:
        stream: Any = model.astream_events("hi", config=traced.config, version=version)
        if version == "v3":
            stream = await stream
        async for _ in stream:
            pass

    asyncio.run(consume())
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert traced.call.attributes["logprobs.status"] == "recorded"


@has_v3
@V3_IS_BETA
def test_sync_v3_events_bring_every_token(wire) -> None:
    traced = Traced()
    stream = openai(wire, logprobs=True).stream_events("hi", config=traced.config, version="v3")
    assert stream.output.text == "".join(TOKENS)
    assert traced.call.attributes["logprobs.values"] == tuple(LOGPROBS)


def test_several_choices_stay_apart(wire) -> None:
    other = [entry("No", -2.0), entry(".", -0.5)]
    answer = completion(ENTRIES)
    answer["choices"].append({**completion(other)["choices"][0], "index": 1})
    wire.answer("/v1/chat/completions", json_body(answer))
    traced = Traced()
    openai(wire, logprobs=True, n=2).generate([[HumanMessage("hi")]], callbacks=[traced.handler])
    attributes = traced.call.attributes
    events = [event for event in traced.call.events if event.name != "gen_ai.evaluation.result"]
    assert attributes["gen_ai.request.choice.count"] == 2
    assert attributes["logprobs.tokens"] == tuple(TOKENS)
    assert attributes["logprobs.token.count"] == 7
    assert attributes["logprobs.min.token"] == "No"
    assert "logprobs.min.index" not in attributes  # the weakest token is not in the arrays
    choices = [dict(event.attributes) for event in events if event.name == "logprobs.choice"]
    assert [(item["logprobs.choice.index"], item["logprobs.sum"]) for item in choices] == [
        (0, math.fsum(LOGPROBS)),
        (1, -2.5),
    ]
    assert choices[1]["logprobs.min.token"] == "No"


def test_interleaved_chunks_of_several_choices_are_partial() -> None:
    traced = Traced()
    run_id = uuid4()
    handler = traced.handler
    handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"n": 2, "logprobs": True})
    for item in ENTRIES:
        handler.on_llm_new_token(item["token"], run_id=run_id, logprobs={"content": [item]})
    result = LLMResult(generations=[[ChatGeneration(message=AIMessage("".join(TOKENS)))]])
    handler.on_llm_end(result, run_id=run_id)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert "which choice" in traced.call.attributes["logprobs.status.reason"]
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)


def test_tools_and_retrievers_have_their_spans() -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    class Shelf(BaseRetriever):
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
            return [Document("d")]

    traced = Traced()
    add.invoke({"name": "add", "args": {"a": 1, "b": 2}, "id": "call-1", "type": "tool_call"}, config=traced.config)
    Shelf().invoke("q", config=traced.config)
    used, retrieved = traced.spans
    assert (used.name, used.kind) == ("execute_tool add", SpanKind.INTERNAL)
    # Older versions of langchain-core do not tell the callbacks the id.
    assert used.attributes.get("gen_ai.tool.call.id", "call-1") == "call-1"
    assert (retrieved.name, retrieved.kind) == ("retrieval Shelf", SpanKind.CLIENT)


class State(TypedDict):
    messages: Annotated[list[Any], operator.add]


def graph_of(*nodes: Any, **kwargs: Any) -> Any:
    builder = StateGraph(State)
    for index, node in enumerate(nodes):
        builder.add_node(f"node-{index}", node)
        builder.add_edge(START, f"node-{index}")
        builder.add_edge(f"node-{index}", END)
    return builder.compile(**kwargs)


@pytest.mark.parametrize("mode", ["invoke", "messages", "ainvoke"])
def test_a_graph_is_an_agent_with_nodes(mode: str) -> None:
    traced = Traced()
    model = ScriptedModel()
    graph = graph_of(lambda state: {"messages": [model.invoke("a")]}, lambda state: {"messages": [model.invoke("b")]})
    config = {**traced.config, "configurable": {"thread_id": "t-1"}}
    if mode == "messages":
        list(graph.stream({"messages": []}, config=config, stream_mode="messages"))
    elif mode == "ainvoke":
        asyncio.run(graph.ainvoke({"messages": []}, config=config))
    else:
        graph.invoke({"messages": []}, config=config)
    (root,) = traced.named("invoke_agent LangGraph")
    assert root.attributes["gen_ai.conversation.id"] == "t-1"
    assert root.attributes["logprobs.llm_call.count"] == 2
    nodes = [span for span in traced.spans if span.parent and span.parent.span_id == root.context.span_id]
    assert sorted(span.name for span in nodes) == ["node-0", "node-1"]
    for call in traced.named("chat"):
        assert call.parent.span_id in {node.context.span_id for node in nodes}
        assert call.attributes["logprobs.tokens"] == tuple(TOKENS)


def test_an_interrupt_is_no_error_and_the_resumed_graph_is_traced_anew() -> None:
    traced = Traced()
    model = ScriptedModel()

    def ask(state: State) -> State:
        return {"messages": [interrupt("really?"), model.invoke("a")]}

    graph = graph_of(ask, checkpointer=InMemorySaver())
    config = {**traced.config, "configurable": {"thread_id": "t-1"}}
    graph.invoke({"messages": []}, config=config)
    graph.invoke(Command(resume="yes"), config=config)
    assert {span.status.status_code for span in traced.spans} == {StatusCode.UNSET}
    assert len(traced.named("invoke_agent")) == 2
    assert traced.handler.open_runs == 0


def test_a_hidden_step_has_no_span_and_its_children_hang_from_the_next_one_up() -> None:
    traced = Traced()
    hidden = (PROMPT | ScriptedModel()).with_config(tags=["langsmith:hidden"])
    asking: RunnableLambda[str, Any] = RunnableLambda(lambda question: hidden.invoke({"question": question}))
    asking.invoke("hi", config=traced.config)
    (root,) = traced.named("invoke_workflow")
    assert traced.call.parent.span_id == root.context.span_id
    assert root.attributes["logprobs.llm_call.count"] == 1


def test_model_calls_only() -> None:
    traced = Traced(Settings(spans="llm"))
    with traced.provider.get_tracer("app").start_as_current_span("request") as request:
        (PROMPT | ScriptedModel()).invoke({"question": "hi"}, config=traced.config)
    assert [span.name for span in traced.spans] == ["chat scripted-1", "request"]
    assert traced.call.parent.span_id == request.get_span_context().span_id


def test_the_callers_span_is_the_parent_of_a_root_run() -> None:
    traced = Traced()
    tracer = traced.provider.get_tracer("app")
    chain = PROMPT | ScriptedModel()

    async def serve() -> None:
        with tracer.start_as_current_span("request"):
            await asyncio.gather(*(chain.ainvoke({"question": "hi"}, config=traced.config) for _ in range(3)))
            assert trace.get_current_span().name == "request"  # type: ignore[attr-defined]

    asyncio.run(serve())
    (request,) = traced.named("request")
    assert {root.parent.span_id for root in traced.named("invoke_workflow")} == {request.context.span_id}


@pytest.mark.parametrize("run", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("second", ["the same", "another"])
def test_a_handler_that_is_given_twice_writes_one_span(run: str, second: str) -> None:
    traced = Traced()
    other = traced.handler
    if second == "another":
        other = LogprobsCallbackHandler(tracer_provider=traced.provider)
    model = ScriptedModel(callbacks=[other])
    call_chain(PROMPT | model, run, {"question": "hi"}, {"callbacks": [traced.handler, traced.handler]})
    assert len(traced.spans) == 3
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert traced.call.parent.span_id == traced.named("invoke_workflow")[0].context.span_id


def test_nested_chains_fallbacks_and_retries_each_have_their_spans() -> None:
    traced = Traced()
    failing = ScriptedModel(fail_after=0)
    chain = PROMPT | failing.with_retry(stop_after_attempt=2, wait_exponential_jitter=False).with_fallbacks(
        [ScriptedModel()]
    )
    chain.invoke({"question": "hi"}, config=traced.config)
    calls = traced.named("chat")
    assert [call.status.status_code for call in calls] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [call.attributes["logprobs.status"] for call in calls] == ["partial", "partial", "recorded"]
    (root,) = traced.named("invoke_workflow")
    assert root.attributes["logprobs.llm_call.count"] == 1
    assert root.attributes["logprobs.discarded.llm_call.count"] == 2
    assert root.status.status_code is StatusCode.UNSET


def test_an_error_in_mid_stream_keeps_what_had_arrived() -> None:
    traced = Traced()
    with pytest.raises(RuntimeError, match="went away"):
        list(ScriptedModel(fail_after=3).stream("hi", config=traced.config))
    call = traced.call
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "the server went away")
    assert call.attributes["error.type"] == "RuntimeError"
    assert call.attributes["logprobs.status"] == "partial"
    assert call.attributes["logprobs.tokens"] == tuple(TOKENS[:3])


def test_a_consumer_that_stops_is_no_error() -> None:
    traced = Traced()
    for _ in ScriptedModel().stream("hi", config=traced.config):
        break
    assert traced.call.status.status_code is StatusCode.UNSET
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS[:1])


@pytest.mark.parametrize(
    ("logprobs", "asked", "status"),
    [(None, False, "not_requested"), (None, True, "missing"), ({"content": [], "refusal": None}, True, "missing")],
)
def test_the_status_of_an_answer_without_logprobs(wire, logprobs: Any, asked: bool, status: str) -> None:
    wire.answer("/v1/chat/completions", json_body(completion(ENTRIES, logprobs=logprobs)))
    traced = Traced()
    openai(wire, **({"logprobs": True} if asked else {})).invoke("hi", config=traced.config)
    assert traced.call.attributes["logprobs.status"] == status
    assert "logprobs.tokens" not in traced.call.attributes


@pytest.mark.parametrize(
    "container",
    [
        "text", [1, 2], {"content": "text"}, {"content": {"a": 1}}, {"alien": []}, [[]], {"tokens": 5},
        {"content": [None, 3, "x", [], {}]}, {"token_logprobs": "x", "tokens": ["a"]},
    ],
)  # fmt: skip
def test_a_malformed_container_is_said_once_and_never_raised(container: Any, caplog) -> None:
    traced = Traced()
    run_id = uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True})
    message = AIMessage("hi", response_metadata={"logprobs": container})
    with caplog.at_level(logging.WARNING, "langchain_logprobs"):
        traced.handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert "could not be read" in traced.call.attributes["logprobs.status.reason"]
    assert len([record for record in caplog.records if record.name == "langchain_logprobs"]) == 1


def test_well_formed_entries_around_a_malformed_one_are_kept(wire) -> None:
    broken = [ENTRIES[0], {"token": 5}, None, entry("x", "high"), entry("y", math.nan), ENTRIES[1]]
    wire.answer("/v1/chat/completions", json_body(completion(broken, text="As an")))
    traced = Traced()
    ScriptedModel(entries=broken[:1]).invoke("hi", config=traced.config)
    run_id = uuid4()
    second = Traced()
    second.handler.on_chat_model_start({}, [[]], run_id=run_id)
    message = AIMessage("hi", response_metadata={"logprobs": {"content": broken}})
    second.handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)
    attributes = second.call.attributes
    assert attributes["logprobs.tokens"] == ("As", "x", "y", " an")
    assert attributes["logprobs.values"] == (LOGPROBS[0], -100.0, -100.0, LOGPROBS[1])
    assert attributes["logprobs.token.censored_positions"] == (1, 2)
    assert attributes["logprobs.status"] == "partial"


def test_our_own_failure_ends_the_span_and_says_so(monkeypatch, caplog) -> None:
    traced = Traced()

    def explode(*_: Any, **__: Any) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("langchain_logprobs.capture.lifecycle.collect", explode)
    assert ScriptedModel().invoke("hi", config=traced.config).content == "".join(TOKENS)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert traced.call.attributes["logprobs.status.reason"] == "langchain-logprobs failed: KeyError"
    assert traced.handler.open_runs == 0
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_nothing_of_the_users_is_mutated() -> None:
    import copy

    model = ScriptedModel(entries=copy.deepcopy(ENTRIES))
    traced = Traced()
    plain = model.invoke("hi")
    assert model.invoke("hi", config=traced.config).response_metadata == plain.response_metadata
    list(model.stream("hi", config=traced.config))
    assert model.entries == ENTRIES


class Completion(LLM):
    """A completion model that streams with the `logprobs` keyword and no chunk, as community integrations do."""

    @property
    def _llm_type(self) -> str:
        return "completion"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        for token, logprob in zip(TOKENS, LOGPROBS, strict=True):
            container = {"tokens": [token], "token_logprobs": [logprob], "top_logprobs": None}
            if isinstance(run_manager, CallbackManagerForLLMRun):
                run_manager.on_llm_new_token(token, log_probs=container)
        return "".join(TOKENS)


def test_tokens_in_the_callbacks_keywords_count_too() -> None:
    traced = Traced()
    Completion().invoke("hi", config=traced.config)
    assert traced.call.name == "text_completion"
    assert traced.call.attributes["logprobs.source"] == "openai.completions"
    assert traced.call.attributes["logprobs.values"] == tuple(LOGPROBS)


class AsyncListener(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def on_llm_start(self, *_: Any, **__: Any) -> None:
        self.heard.append("start")

    async def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.heard.append("end")


@pytest.mark.parametrize("others", ["none", "plain", "async"])
def test_async_completion_models_still_call_everybody_else(others: str) -> None:
    traced = Traced()
    kinds: dict[str, list[Any]] = {"none": [], "plain": [Listener(False)], "async": [AsyncListener()]}
    neighbours = kinds[others]
    asyncio.run(FakeListLLM(responses=["hi"]).ainvoke("x", config={"callbacks": [traced.handler, *neighbours]}))
    assert [neighbour.heard for neighbour in neighbours] == [["start", "end"]] * len(neighbours)
    assert traced.call.name == "text_completion"


def test_async_completion_models_next_to_an_inline_handler_are_traced() -> None:
    traced = Traced()
    inline = Listener(True)
    asyncio.run(FakeListLLM(responses=["hi"]).ainvoke("x", config={"callbacks": [inline, traced.handler]}))
    assert inline.heard == ["start", "end"]
    assert len(traced.spans) == 1
    assert traced.handler.run_inline


def test_a_run_whose_start_was_missed_is_recorded() -> None:
    traced = Traced()
    run_id = uuid4()
    traced.handler.on_llm_new_token("As", run_id=run_id, logprobs={"content": ENTRIES[:1]})
    traced.handler.on_llm_end(LLMResult(generations=[]), run_id=run_id)
    traced.handler.on_llm_new_token("late", run_id=run_id, logprobs={"content": ENTRIES[:1]})
    traced.handler.on_llm_error(RuntimeError(), run_id=run_id)
    assert traced.call.attributes["logprobs.tokens"] == ("As",)


def test_chunks_over_the_limit_are_counted_not_kept() -> None:
    traced = Traced(Settings(max_chunks=2))
    list(ScriptedModel().stream("hi", config=traced.config))
    # The result still holds the whole answer; without it the limit shows.
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    second = Traced(Settings(max_chunks=2))
    with pytest.raises(RuntimeError):
        ScriptedModel(fail_after=4).invoke("hi", config=second.config, stream=True)
    assert second.call.attributes["logprobs.tokens"] == tuple(TOKENS[:2])


def test_structured_outputs_extra_chunks_and_the_sse_helper_agree(wire) -> None:
    wire.answer("/v1/chat/completions", sse([*chunks(ENTRIES)]))
    traced = Traced()
    list(openai(wire, logprobs=True).stream("hi", config=traced.config))
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
