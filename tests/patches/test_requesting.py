"""Asking ChatOpenAI by ourselves: who decides, what a refusal costs, what is left on messages and in checkpoints."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import context
from pydantic import BaseModel

from langchain_logprobs import LogprobsInstrumentor, Settings, strip_logprobs
from langchain_logprobs.patches.requesting import refusals
from langchain_logprobs.patches.requesting.openai import ask
from tests.providers import answers
from tests.providers.wire import Body, Request, WireServer, json_body, sse
from tests.support import TOKENS, Traced, chunks, completion, entry

PATHS = ("invoke", "stream", "ainvoke", "astream", "batch", "abatch")
ENTRIES = [entry(token, -0.5, (" other", -1.5)) for token in TOKENS]


def honest(entries: Any = ENTRIES) -> Any:
    """An answer that has logprobs exactly when they are asked for."""

    def answer(request: Request) -> Body:
        wanted = request.json.get("logprobs")
        if not request.json.get("stream"):
            return json_body(completion(entries, **({} if wanted else {"logprobs": None})))
        events = chunks(entries)
        for event in events if not wanted else ():
            event["choices"][0]["logprobs"] = None
        return sse(events)

    return answer


@pytest.fixture
def wire() -> Iterator[WireServer]:
    refusals._known.clear()
    with WireServer() as server:
        server.answer("*", honest())
        yield server


def switch_on(**settings: Any) -> Traced:
    traced = Traced()
    chosen = Settings(**{"request_logprobs": 5, **settings})
    LogprobsInstrumentor().instrument(chosen, tracer_provider=traced.provider)
    return traced


@pytest.fixture
def traced() -> Iterator[Traced]:
    yield switch_on()
    LogprobsInstrumentor().uninstrument()


def model_at(wire: WireServer, **arguments: Any) -> ChatOpenAI:
    where = {"model": "m-1", "base_url": f"{wire.url}/v1", "api_key": "unused", "max_retries": 0}
    # LangChain takes keys out of the mappings that it is given.
    copied = {name: copy.copy(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    return ChatOpenAI(**{**where, **copied})


def call(model: Any, path: str) -> Any:
    async def consume() -> Any:
        if path == "ainvoke":
            return await model.ainvoke("hi")
        if path == "abatch":
            return await model.abatch(["hi"])
        return [chunk async for chunk in model.astream("hi")]

    if path.startswith("a"):
        return asyncio.run(consume())
    if path == "stream":
        return list(model.stream("hi"))
    return model.batch(["hi"]) if path == "batch" else model.invoke("hi")


def asked(wire: WireServer) -> list[Any]:
    return [(request.json.get("logprobs"), request.json.get("top_logprobs")) for request in wire.requests]


def refusing(error: Body | None = None, when: Callable[[Request], bool] | None = None) -> Any:
    """An answer that refuses every request for logprobs."""
    refusal = error or json_body({"error": {"message": "logprobs are not supported", "code": None}}, status=400)
    good = honest()
    return lambda request: refusal if request.json.get("logprobs") and (not when or when(request)) else good(request)


@pytest.mark.parametrize("path", PATHS)
def test_the_span_has_them_and_the_message_has_not(wire, traced, path: str) -> None:
    answer = call(model_at(wire), path)
    assert asked(wire) == [(True, 5)]
    assert traced.call.attributes["logprobs.status"] == "recorded"
    assert traced.call.attributes["logprobs.requested"] == 5
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    for message in answer if isinstance(answer, list) else [answer]:
        assert "logprobs" not in message.response_metadata
    assert ("logprobs.chunk.offsets_us" in traced.call.attributes) == ("stream" in path)


@pytest.mark.parametrize("path", PATHS)
def test_kept_on_the_message_where_that_is_wanted(wire, path: str) -> None:
    traced = switch_on(keep_on_message="always")
    try:
        answer = call(model_at(wire), path)
    finally:
        LogprobsInstrumentor().uninstrument()
    assert traced.call.attributes["logprobs.requested"] == 5
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    messages = answer if isinstance(answer, list) else [answer]
    assert any((message.response_metadata.get("logprobs") or {}).get("content") for message in messages)


@pytest.mark.parametrize(
    ("arguments", "bound", "sent"),
    [
        ({"logprobs": False}, {}, (False, None)),
        ({}, {"logprobs": False}, (False, None)),
        ({"logprobs": True, "top_logprobs": 2}, {}, (True, 2)),
        ({}, {"logprobs": True}, (True, None)),
        ({"top_logprobs": 3}, {}, (None, 3)),
        ({"model_kwargs": {"logprobs": True}}, {}, (True, None)),
        ({"extra_body": {"logprobs": False}}, {}, (False, None)),
        ({}, {"extra_body": {"top_logprobs": 1}}, (None, 1)),
        ({"logprobs": False}, {"logprobs": True}, (True, None)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["invoke", "astream"])
@pytest.mark.filterwarnings("ignore:.*should be specified explicitly:UserWarning")
def test_the_users_own_choice_wins(wire, traced, arguments: Any, bound: Any, sent: Any, path: str) -> None:
    answer = call(model_at(wire, **arguments).bind(**bound), path)
    assert asked(wire) == [sent]
    assert "logprobs.requested" not in traced.call.attributes
    messages = answer if isinstance(answer, list) else [answer]
    kept = any((message.response_metadata.get("logprobs") or {}).get("content") for message in messages)
    assert kept == bool(sent[0])  # what they asked for stays


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "refusal",
    [
        json_body({"error": {"message": "You are not allowed to request logprobs from this model."}}, status=403),
        json_body({"error": {"message": "Unsupported parameter: 'top_logprobs'", "code": "x"}}, status=400),
        json_body({"error": {"message": "Unsupported parameter"}}, status=400),
        json_body({"detail": [{"msg": "extra fields not permitted"}]}, status=422),
        json_body({"error": {"message": "internal error"}}, status=500),
        Body((b"Requested sample logprobs of 5, which is greater than max allowed: 0",), "text/plain", status=400),
    ],
    ids=["403", "400 named", "400", "422", "500", "vllm"],
)
def test_a_refusing_server_gets_two_requests_once(wire, traced, caplog, path: str, refusal: Body) -> None:
    wire.answer("*", refusing(refusal))
    call(model_at(wire), path)
    assert asked(wire) == [(True, 5), (None, None)]
    assert traced.call.attributes["logprobs.status"] == "missing"
    assert traced.call.attributes["logprobs.requested"] == 5
    for later in PATHS:
        call(model_at(wire), later)
    assert asked(wire)[2:] == [(None, None)] * len(PATHS)
    statuses = [span.attributes["logprobs.status"] for span in traced.spans]
    assert statuses == ["missing"] + ["not_requested"] * len(PATHS)
    assert "refused logprobs before" in traced.spans[-1].attributes["logprobs.status.reason"]
    assert [record.levelno for record in caplog.records if "refused" in record.message] == [logging.WARNING]
    assert all(span.status.is_ok or span.status.is_unset for span in traced.spans)


def test_another_model_is_asked_nevertheless(wire, traced) -> None:
    wire.answer("*", refusing(when=lambda request: request.json["model"] == "m-1"))
    call(model_at(wire), "invoke")
    call(model_at(wire, model="m-2"), "invoke")
    call(model_at(wire).bind(model="m-3"), "invoke")
    assert asked(wire) == [(True, 5), (None, None), (True, 5), (True, 5)]


def test_who_refuses_only_with_tools_is_asked_without(wire, traced) -> None:
    @tool
    def clock() -> str:
        """Tell the time."""
        return "now"

    wire.answer("*", refusing(when=lambda request: "tools" in request.json))
    with_tools = model_at(wire).bind_tools([clock])
    for model in (with_tools, with_tools, model_at(wire)):
        call(model, "invoke")
    assert asked(wire) == [(True, 5), (None, None), (None, None), (True, 5)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_failure_that_has_nothing_to_do_with_it_reaches_the_user(wire, traced, path: str, status: int) -> None:
    wire.answer("*", json_body({"error": {"message": "no", "code": None}}, status=status))
    for _ in range(2):
        with pytest.raises(Exception, match="no"):
            call(model_at(wire), path)
    first = [(True, 5), (None, None)] if status in (400, 404, 500) else [(True, 5)]
    assert asked(wire) == [*first, (True, 5)]  # asked again, as it refused nothing, and not tried again in vain
    assert all(not span.status.is_ok for span in traced.spans)
    wire.answer("*", honest())
    call(model_at(wire), path)
    assert asked(wire)[-1] == (True, 5)
    assert traced.spans[-1].attributes["logprobs.status"] == "recorded"


def test_a_failed_call_says_that_it_asked(wire, traced) -> None:
    wire.answer("*", json_body({"error": {"message": "slow down"}}, status=429))
    for path in ("invoke", "stream", "astream"):
        with pytest.raises(Exception, match="slow down"):
            call(model_at(wire), path)
    assert [span.attributes["logprobs.requested"] for span in traced.spans] == [5, 5, 5]


@pytest.mark.parametrize("path", ["stream", "astream"])
def test_no_second_request_once_a_chunk_was_yielded(wire, traced, path: str) -> None:
    begun = tuple(f"data: {json.dumps(item)}\n\n".encode() for item in chunks(ENTRIES)[:3])
    broken = {"error": {"message": "logprobs are not supported", "code": 400}}
    wire.answer("*", Body((*begun, f"data: {json.dumps(broken)}\n\n".encode()), content_type="text/event-stream"))
    with pytest.raises(Exception, match="logprobs"):
        call(model_at(wire), path)
    assert asked(wire) == [(True, 5)]
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert traced.call.attributes["logprobs.token.count"] == 2


def test_an_early_close_is_no_refusal(wire, traced) -> None:
    stream: Any = model_at(wire).stream("hi")
    next(stream)
    next(stream)
    stream.close()
    assert traced.call.attributes["logprobs.requested"] == 5
    call(model_at(wire), "invoke")
    assert asked(wire) == [(True, 5), (True, 5)]


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("o1", False), ("o3-mini", False), ("o4-mini-2025-04-16", False), ("gpt-5", False), ("gpt-5-nano", False),
        ("gpt-5-chat-latest", True), ("gpt-5.2", True), ("gpt-4o", True), ("o3-like-local", True), ("m-1", True),
    ],
)  # fmt: skip
def test_models_that_are_known_to_refuse_are_never_asked(wire, name: str, asks: bool) -> None:
    assert (ask(model_at(wire, model=name, use_responses_api=False), {}, 5) is not None) == asks


@pytest.mark.parametrize("path", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("include", [None, ["reasoning.encrypted_content"]])
def test_the_responses_api_is_asked_as_it_wants(wire, traced, path: str, include: Any) -> None:
    wire.answer("*", answers.responses)
    call(model_at(wire, use_responses_api=True, include=include), path)
    (request,) = wire.requests
    assert request.json["include"] == [*(include or []), "message.output_text.logprobs"]
    assert request.json["top_logprobs"] == 5
    assert "logprobs" not in request.json
    assert traced.call.attributes["logprobs.status"] == "recorded"
    assert traced.call.attributes["logprobs.tokens"] == answers.TOKENS


@pytest.mark.parametrize("arguments", [{"logprobs": False}, {"include": ["message.output_text.logprobs"]}])
def test_the_users_choice_in_the_responses_api(wire, traced, arguments: Any) -> None:
    wire.answer("*", answers.responses)
    model = model_at(wire, use_responses_api=True, **({} if "logprobs" in arguments else arguments))
    if "logprobs" in arguments:
        model = model_at(wire, use_responses_api=False, **arguments)
        wire.answer("*", honest())
    call(model, "invoke")
    assert "top_logprobs" not in wire.requests[0].json
    assert "logprobs.requested" not in traced.call.attributes


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_structured_output(wire, traced, method: str) -> None:
    pieces = ['{"', "name", '":"', "Lima", '","', "people", '":', "10", "}"]
    entries = [entry(piece, -0.25) for piece in pieces]
    body = completion(entries)
    if method == "function_calling":
        function = {"name": "City", "arguments": "".join(pieces)}
        calls = [{"id": "c", "type": "function", "function": function}]
        body["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": calls}
    wire.answer("*", json_body(body))
    assert model_at(wire).with_structured_output(City, method=method).invoke("json") == City(name="Lima", people=10)
    assert asked(wire) == [(True, 5)]
    (span,) = traced.named("chat")
    assert span.attributes["logprobs.status"] == "recorded"
    if method != "function_calling":
        assert span.attributes["logprobs.fields.paths"] == ("/name", "/people")


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
def test_the_cache_has_the_same_key_and_no_logprobs(wire, path: str) -> None:
    cache = InMemoryCache()
    model = model_at(wire, cache=cache)
    call(model, path)
    (key,) = cache._cache
    traced = switch_on()
    try:
        call(model, path)  # what was cached before is still found
        assert len(wire.requests) == 1
        cache.clear()
        call(model, path)
        assert list(cache._cache) == [key]
        (generation,) = next(iter(cache._cache.values()))
        assert "logprobs" not in str(generation)
        call(model, path)
        assert asked(wire) == [(None, None), (True, 5)]
    finally:
        LogprobsInstrumentor().uninstrument()
    statuses = [(span.attributes["logprobs.status"], "logprobs.cached" in span.attributes) for span in traced.spans]
    assert statuses == [("not_requested", True), ("recorded", False), ("recorded", True)]


class Sees(BaseCallbackHandler):
    """Another handler, which copies all it is shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        self.seen.append(repr(chunk))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.seen.append(repr(response))


@pytest.mark.parametrize("path", ["invoke", "stream", "ainvoke", "astream"])
def test_other_handlers_see_none_wherever_they_stand(wire, traced, path: str) -> None:
    others = [Sees(), Sees()]
    for callbacks in ([others[0], traced.handler], [traced.handler, others[1]]):
        call(model_at(wire).with_config(callbacks=callbacks), path)
    assert all(other.seen and "logprob=" not in (text := "".join(other.seen)) and "'logprobs'" not in text
               for other in others)  # fmt: skip
    assert [span.attributes["logprobs.token.count"] for span in traced.named("chat")] == [5, 5]


def test_a_completion_model(wire, traced) -> None:
    wire.answer("*", answers.completions())
    model = OpenAI(model="m-1", base_url=f"{wire.url}/v1", api_key="unused", max_retries=0)
    assert model.invoke("hi") == answers.TEXT
    assert "".join(model.stream("hi")) == answers.TEXT
    assert [request.json["logprobs"] for request in wire.requests] == [5, 5]
    assert [span.attributes["logprobs.tokens"] for span in traced.spans] == [answers.TOKENS] * 2


def checkpoint_bytes(wire: WireServer, *, asynchronous: bool, streamed: bool, **arguments: Any) -> int:
    """The size of a thread's checkpoints after two turns of a graph."""
    saver = InMemorySaver()
    model = model_at(wire, **arguments)

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def answer_later(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer_later if asynchronous else answer)
    app = graph.add_edge(START, "answer").compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}

    async def turn() -> None:
        async for _ in app.astream({"messages": [HumanMessage("hi")]}, config, stream_mode=mode):
            pass

    mode: Any = "messages" if streamed else "values"
    for _ in range(2):
        if asynchronous:
            asyncio.run(turn())
        else:
            list(app.stream({"messages": [HumanMessage("hi")]}, config, stream_mode=mode))
    return sum(len(blob) for _, blob in saver.blobs.values())


LONG = [entry(f" word{index}", -0.5, *((f" other{index}-{at}", -2.0 - at) for at in range(4))) for index in range(500)]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_checkpoint_does_not_grow(wire, asynchronous: bool, streamed: bool) -> None:
    wire.answer("*", honest(LONG))
    where: Any = {"asynchronous": asynchronous, "streamed": streamed}
    bare = checkpoint_bytes(wire, **where)
    asked_in_code = checkpoint_bytes(wire, logprobs=True, top_logprobs=5, **where)
    traced = switch_on()
    try:
        ours = checkpoint_bytes(wire, **where)
    finally:
        LogprobsInstrumentor().uninstrument()
    print(f"checkpoint: {bare} bytes bare, {asked_in_code} with logprobs on the message, {ours} with ours")
    assert asked_in_code > 10 * bare
    assert abs(ours - bare) <= 0.1 * bare
    assert [span.attributes["logprobs.token.count"] for span in traced.named("chat")] == [500, 500]
    assert [len(span.attributes["logprobs.tokens"]) for span in traced.named("chat")] == [500, 500]


def test_the_recipe_for_who_asks_in_the_code(wire) -> None:
    message = model_at(wire, logprobs=True, top_logprobs=5).invoke("hi")
    assert "logprobs" in message.response_metadata
    stripped = strip_logprobs(message)
    assert isinstance(stripped, AIMessage)
    assert "logprobs" not in stripped.response_metadata
    assert "logprobs" in message.response_metadata


def test_suppressed_calls_are_not_asked(wire, traced) -> None:
    call(model_at(wire), "invoke")
    token = context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        call(model_at(wire), "invoke")
        call(model_at(wire), "stream")
    finally:
        context.detach(token)
    assert asked(wire) == [(True, 5), (None, None), (None, None)]


def test_nothing_is_asked_without_the_instrumentor_or_the_setting(wire) -> None:
    traced = Traced(Settings(request_logprobs=5))
    model_at(wire).invoke("hi", config=traced.config)
    LogprobsInstrumentor().instrument(Settings(), tracer_provider=traced.provider)
    call(model_at(wire), "stream")
    LogprobsInstrumentor().uninstrument()
    before = ChatOpenAI._generate
    for _ in range(2):
        switch_on()
        call(model_at(wire), "invoke")
        LogprobsInstrumentor().uninstrument()
        assert ChatOpenAI._generate is before
    call(model_at(wire), "invoke")
    assert asked(wire) == [(None, None), (None, None), (True, 5), (True, 5), (None, None)]


def test_a_failure_of_ours_leaves_the_call_alone(wire, traced, monkeypatch, caplog) -> None:
    def fails(*args: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("langchain_logprobs.patches.requesting.asking.user_has_decided", fails)
    for path in PATHS:
        call(model_at(wire), path)
    monkeypatch.undo()
    monkeypatch.setattr("langchain_logprobs.patches.requesting.asking.find_container", fails)
    for path in PATHS:
        call(model_at(wire), path)
    assert len(wire.requests) == 2 * len(PATHS)
