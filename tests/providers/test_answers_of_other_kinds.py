"""What else an answer can be than one text in one piece or several: refusals, tool calls, several choices, JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs.formats.answer import read_logprobs
from langchain_logprobs.handler import LogprobsCallbackHandler
from tests.providers.recorder import Recorder
from tests.providers.wire import WireServer, json_body, sse

langchain_openai = pytest.importorskip("langchain_openai")

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # from structured output


def entry(token: str, logprob: float, raw: bytes | None = None) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode() if raw is None else raw),
        "top_logprobs": [],
    }


def choice(index: int = 0, finish: str = "stop", logprobs: Any = None, **message: Any) -> dict[str, Any]:
    return {
        "index": index,
        "finish_reason": finish,
        "logprobs": logprobs,
        "message": {"role": "assistant", "content": None, **message},
    }


def whole(*choices: dict[str, Any]) -> Any:
    return json_body({"id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": list(choices)})


def chunks(*pieces: tuple[dict[str, Any], Any]) -> Any:
    """A stream from the delta and the logprobs of each chunk, and what ends it."""
    frame = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    made = [
        {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}]}
        for delta, logprobs in pieces
    ]
    made.append({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return sse(
        [*made, {**frame, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}]
    )


class Traced:
    """A model against a scripted server, and the attributes of its last call's span."""

    def __init__(self, wire: WireServer) -> None:
        self.wire = wire
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.handler = LogprobsCallbackHandler(tracer_provider=provider)
        self.recorder = Recorder()
        self.config = {"callbacks": [self.handler, self.recorder]}

    def chat(self, **arguments: Any) -> Any:
        arguments = {"logprobs": True, **arguments}
        return langchain_openai.ChatOpenAI(
            model="m-1", base_url=f"{self.wire.url}/v1", api_key="unused", max_retries=0, **arguments
        )

    def completions(self, **arguments: Any) -> Any:
        return langchain_openai.OpenAI(model="m-1", base_url=f"{self.wire.url}/v1", api_key="unused", **arguments)

    @property
    def attributes(self) -> dict[str, Any]:
        spans = [dict(span.attributes or {}) for span in self.exporter.get_finished_spans()]
        return [each for each in spans if "logprobs.status" in each][-1]


@pytest.fixture
def traced() -> Iterator[Traced]:
    with WireServer() as wire:
        yield Traced(wire)


def test_a_refusal_is_an_answer(traced: Traced) -> None:
    traced.wire.answer(
        "*", whole(choice(refusal="I can't", logprobs={"content": None, "refusal": [entry("I can't", -0.5)]}))
    )
    traced.chat().invoke("hi", traced.config)
    assert traced.attributes["logprobs.status"] == "recorded"
    assert traced.attributes["logprobs.tokens"] == ("I can't",)


def test_a_character_over_several_tokens(traced: Traced) -> None:
    parts = [entry("\\xf0\\x9f\\x8c", -0.5, b"\xf0\x9f\x8c"), entry("\\x8d", -0.25, b"\x8d")]
    traced.wire.answer(
        "*",
        whole(choice(content="🌍", logprobs={"content": parts, "refusal": None})),
        # The text comes with the token that completes it.
        chunks(({"content": ""}, {"content": parts[:1]}), ({"content": "🌍"}, {"content": parts[1:]})),
    )
    model = traced.chat()
    model.invoke("hi", traced.config)
    invoked = traced.attributes
    list(model.stream("hi", traced.config))
    for attributes in (invoked, traced.attributes):
        assert attributes["logprobs.values"] == (-0.5, -0.25)
    assert [each.bytes for each in read_logprobs(traced.recorder.ends[0])[0]] == [b"\xf0\x9f\x8c", b"\x8d"]


def test_several_tokens_in_a_chunk_and_none_in_another(traced: Traced) -> None:
    traced.wire.answer(
        "*",
        chunks(
            ({"role": "assistant", "content": ""}, {"content": [], "refusal": None}),
            ({"content": "ab"}, {"content": [entry("a", -0.5), entry("b", -0.25)], "refusal": None}),
            ({"content": "c"}, None),
            ({"content": "d"}, {"content": [entry("d", -1.0)], "refusal": None}),
        ),
    )
    list(traced.chat().stream("hi", traced.config))
    assert traced.attributes["logprobs.tokens"] == ("a", "b", "d")


def test_choices_stay_apart(traced: Traced) -> None:
    first, second = ({"content": [entry(text, value)], "refusal": None} for text, value in (("A", -0.5), ("B", -0.25)))
    third = choice(2, content="C")
    traced.wire.answer(
        "*", whole(choice(0, content="A", logprobs=first), choice(1, content="B", logprobs=second), third)
    )
    traced.chat(n=3).generate([[HumanMessage("hi")]], callbacks=[traced.handler, traced.recorder])
    assert [[each.token for each in tokens] for tokens in read_logprobs(traced.recorder.ends[0])] == [["A"], ["B"], []]
    assert traced.attributes["logprobs.tokens"] == ("A",)
    assert traced.attributes["logprobs.sum"] == pytest.approx(-0.75)


def test_a_tool_call_without_logprobs(traced: Traced) -> None:
    call = {"id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    traced.wire.answer("*", whole(choice(finish="tool_calls", tool_calls=[call])))
    traced.chat().invoke("hi", traced.config)
    assert traced.attributes["logprobs.status"] == "missing"


def test_a_tool_call_with_logprobs(traced: Traced) -> None:
    call = {"id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    logprobs = {"content": [entry('{"name": "f"}', -0.5), entry("", -0.01)], "refusal": None}
    traced.wire.answer("*", whole(choice(finish="tool_calls", tool_calls=[call], logprobs=logprobs)))
    traced.chat().invoke("hi", traced.config)
    assert traced.attributes["logprobs.status"] == "recorded"
    assert traced.attributes["logprobs.tokens"] == ('{"name": "f"}', "")


def test_completions_that_echo_the_prompt(traced: Traced) -> None:
    logprobs = {"tokens": ["Say", " hi"], "token_logprobs": [None, -1.5], "top_logprobs": [None, {" hi": -1.5}]}
    answer = {"index": 0, "text": "Say hi", "finish_reason": "stop", "logprobs": {**logprobs, "text_offset": [0, 3]}}
    body = {"id": "c-1", "object": "text_completion", "created": 1, "model": "m-1", "choices": [answer], "usage": {}}
    traced.wire.answer("*", json_body(body))
    traced.completions(logprobs=1).invoke("Say", traced.config)
    assert traced.attributes["logprobs.tokens"] == ("Say", " hi")
    assert traced.attributes["logprobs.mean"] == -1.5
    assert traced.attributes["logprobs.token.censored_positions"] == (0,)


SCHEMA = {"title": "Answer", "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
JSON_ANSWER = whole(
    choice(content='{"city": "Oslo"}', logprobs={"content": [entry('{"city": "Oslo"}', -0.5)], "refusal": None})
)


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
def test_structured_output_keeps_the_constructors_flag(traced: Traced, method: str, path: str) -> None:
    traced.wire.answer("*", JSON_ANSWER)
    model = traced.chat().with_structured_output(SCHEMA, method=method)
    call = model.invoke if path == "invoke" else lambda *arguments: asyncio.run(model.ainvoke(*arguments))
    answer = call("hi", traced.config)
    assert answer == {"city": "Oslo"}
    assert traced.attributes["logprobs.status"] == "recorded"
    assert traced.wire.requests[-1].json["logprobs"] is True


def test_structured_output_loses_a_bound_flag(traced: Traced) -> None:
    traced.wire.answer("*", JSON_ANSWER)
    bound = traced.chat(logprobs=None).bind(logprobs=True)
    bound.with_structured_output(SCHEMA).invoke("hi", traced.config)
    assert "logprobs" not in traced.wire.requests[-1].json
    bound.with_structured_output(SCHEMA).invoke("hi", traced.config, logprobs=True)
    assert traced.wire.requests[-1].json["logprobs"] is True
