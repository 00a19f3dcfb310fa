"""Streamed reasoning models in the shapes in which servers send them: the headline is the answer's alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from tests.providers import making
from tests.providers.row import load
from tests.providers.wire import Body, WireServer, ndjson, sse
from tests.support import Traced, entry

THOUGHT = [("Let", -2.0), (" me", -1.5), (" pay 42", -3.0)]
ANSWER = [("4", -0.1), ("2", -0.3)]
CALL = [('{"amount": ', -0.01), ("900", -0.4), ("}", -0.01)]
MARKUP = [("<tool_call>", 0.0), ('{"name": "pay", "arguments": ', -0.01), *CALL, ("}", -0.01), ("</tool_call>", 0.0)]
Tokens = Sequence[tuple[str, float]]


class Shape(NamedTuple):
    """A way to send a thought and an answer: the module and class, its address, how to ask, the events."""

    module: str
    name: str
    at: Callable[[str], Any]
    asks: dict[str, Any]
    serve: Callable[[Tokens, Tokens, Tokens], Body]
    call_tokens: int = 3
    """How many tokens the arguments of a call have; 0 where none come."""
    markup: Tokens = ()
    """The whole call in the model's own spelling, where a server sends its tokens so."""


def openai_chunk(delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def content(tokens: Tokens) -> dict[str, Any]:
    return {"content": [entry(text, logprob) for text, logprob in tokens]}


def pieces(key: str, tokens: Tokens) -> list[dict[str, Any]]:
    return [openai_chunk({key: text}, content([(text, logprob)])) for text, logprob in tokens]


def call_deltas(tokens: Tokens) -> list[dict[str, Any]]:
    head = {"index": 0, "id": "c", "type": "function", "function": {"name": "pay", "arguments": ""}}
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text, _ in tokens]
    made = [openai_chunk(delta, content([token])) for delta, token in zip(deltas, tokens, strict=True)]
    return [openai_chunk({"tool_calls": [head]}), *made] if tokens else []


def reasoning_deltas(thought: Tokens, answer: Tokens, call: Tokens) -> Body:
    """vLLM's and SGLang's: the tokens of the reasoning beside its deltas."""
    events = [openai_chunk({"role": "assistant", "content": ""}), *pieces("reasoning_content", thought)]
    return sse([*events, *pieces("content", answer), *call_deltas(call), openai_chunk({}, None, "stop")])


def deepseek(thought: Tokens, answer: Tokens, call: Tokens) -> Body:
    """DeepSeek's own: the reasoning's tokens in a list of their own."""
    events = [openai_chunk({"role": "assistant", "content": ""})]
    for text, logprob in thought:
        apart = {"content": None, "reasoning_content": [entry(text, logprob)]}
        events.append(openai_chunk({"content": None, "reasoning_content": text}, apart))
    return sse([*events, *pieces("content", answer), *call_deltas(call), openai_chunk({}, None, "stop")])


def in_the_content(opening: Tokens, closing: Tokens) -> Callable[[Tokens, Tokens, Tokens], Body]:
    """A server without a parser for the model's reasoning: it stands in the content, between marks."""

    def serve(thought: Tokens, answer: Tokens, call: Tokens) -> Body:
        spelled = [*opening, *thought, *closing, *answer]
        events = [openai_chunk({"role": "assistant", "content": ""}), *pieces("content", spelled)]
        return sse([*events, *call_deltas(call), openai_chunk({}, None, "stop")])

    return serve


def only_in_the_tokens(
    opening: Tokens, closing: Tokens, called: Tokens, before_call: Tokens = ()
) -> Callable[[Tokens, Tokens, Tokens], Body]:
    """A server that strips the marks and the call's markup off the text, and sends all tokens with the first of it."""

    def serve(thought: Tokens, answer: Tokens, call: Tokens) -> Body:
        before = [*opening, *thought, *(closing if answer or not call else before_call or closing)]
        markup = called if call else []
        text = "".join(word for word, _ in answer)
        events = [openai_chunk({"role": "assistant", "content": ""})]
        if text:
            events.append(
                openai_chunk({"content": text}, content([*before, *answer, *([] if call else [("<|return|>", 0.0)])]))
            )
            before = []
        if call:
            function = {"name": "pay", "arguments": "".join(word for word, _ in call)}
            delta = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
            events.append(openai_chunk(delta, content([*before, *markup])))
        return sse([*events, openai_chunk({}, None, "stop")])

    return serve


def ollama(thought: Tokens, answer: Tokens, call: Tokens) -> Body:
    """Ollama's: the thinking in a field of its own; a call comes whole, and its tokens do not."""

    def message(fields: dict[str, Any], tokens: Tokens, *, done: bool = False) -> dict[str, Any]:
        logprobs = [{**entry(text, logprob), "top_logprobs": []} for text, logprob in tokens]
        made: dict[str, Any] = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": done}
        made["message"] = {"role": "assistant", "content": "", **fields}
        return made | ({"logprobs": logprobs} if logprobs else {}) | ({"done_reason": "stop"} if done else {})

    sent = [message({"thinking": text}, [(text, logprob)]) for text, logprob in thought]
    sent += [message({"content": text}, [(text, logprob)]) for text, logprob in answer]
    if call:
        sent.append(message({"tool_calls": [{"function": {"name": "pay", "arguments": {"amount": 900}}}]}, []))
    return ndjson([*sent, message({}, [], done=True)])


THINK = [("<think>", 0.0), ("\n", -0.1)], [("\n", -0.1), ("</think>", 0.0), ("\n\n", -0.1)]
HARMONY = (
    [("<|channel|>", 0.0), ("analysis", 0.0), ("<|message|>", 0.0)],
    [(mark, 0.0) for mark in ("<|end|>", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>")],
)
HARMONY_CALL = [
    *((word, 0.0) for word in ("<|start|>", "assistant", "<|channel|>", "commentary", " to", "=functions", ".pay")),
    *((word, 0.0) for word in (" ", "<|constrain|>", "json", "<|message|>")),
    *CALL,
    ("<|call|>", 0.0),
]
FLAG = {"logprobs": True}
CHAT_OPENAI = ("langchain_openai", "ChatOpenAI", making.openai_like, FLAG)
DEEPSEEK = ("langchain_deepseek", "ChatDeepSeek", making.openai_like, FLAG)
SHAPES = {
    "deepseek": Shape(*DEEPSEEK, deepseek),
    "deepseek with its tokens in one list": Shape(*DEEPSEEK, reasoning_deltas),
    "openai with reasoning deltas": Shape(*CHAT_OPENAI, reasoning_deltas),
    "openrouter": Shape("langchain_openrouter", "ChatOpenRouter", making.openai_like, {}, reasoning_deltas),
    "ollama": Shape("langchain_ollama", "ChatOllama", making.ollama, {**FLAG, "reasoning": True}, ollama, 0),
    "think in the content": Shape(*CHAT_OPENAI, in_the_content(*THINK)),
    "think without a begin mark": Shape(*CHAT_OPENAI, in_the_content([], THINK[1])),
    "mistral's marks": Shape(*CHAT_OPENAI, in_the_content([("[THINK]", 0.0)], [("[/THINK]", 0.0)])),
    "think stripped": Shape(*CHAT_OPENAI, only_in_the_tokens(*THINK, MARKUP), markup=MARKUP),
    "harmony": Shape(*CHAT_OPENAI, only_in_the_tokens(*HARMONY, HARMONY_CALL, [("<|end|>", 0.0)]), markup=HARMONY_CALL),
}


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def said_of(shape: Shape, wire: WireServer, path: str, body: Body) -> dict[str, Any]:
    pytest.importorskip(shape.module)
    wire.answer("*", body)
    traced = Traced()
    model = load(shape.module, shape.name)(**{**shape.at(wire.url), **shape.asks})
    if shape.name == "ChatOpenRouter":
        model = model.bind(**FLAG)

    async def consume() -> None:
        async for _ in model.astream("q", config=traced.config):
            pass

    if path == "stream":
        list(model.stream("q", config=traced.config))
    else:
        asyncio.run(consume())
    return {name.removeprefix("logprobs."): value for name, value in (traced.call.attributes or {}).items()}


@pytest.mark.parametrize("path", ["stream", "astream"])
@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize("with_call", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_headline_is_the_answer_s_alone(
    shape: str, with_call: bool, with_text: bool, path: str, wire: WireServer
) -> None:
    form = SHAPES[shape]
    answer, call = ANSWER if with_text else [], CALL if with_call else []
    said = said_of(form, wire, path, form.serve(THOUGHT, answer, call))
    of_call = ([] if not form.call_tokens else [-0.01, -0.4, -0.01]) if with_call else []
    logprobs = [logprob for _, logprob in answer] + of_call
    if with_call and form.markup:
        # What stands around the arguments is the call's too. How much of it changes nothing: it was sure.
        around = [logprob for _, logprob in form.markup if logprob]
        assert said["sum"] == pytest.approx(sum(logprob for _, logprob in answer) + sum(around))
    else:
        assert said.get("token.count", 0) == len(logprobs)
        if logprobs:
            assert said["confidence.score"] == pytest.approx(math.exp(sum(logprobs) / len(logprobs)))
    if not logprobs:
        assert "confidence.level" not in said
        assert not said.get("low_confidence.detected")
        assert said["status"] == "partial" or not with_call
        return
    assert said["confidence.level"] in ("high", "medium")
    assert said["reasoning.token.count"] == len(THOUGHT)
    assert said["reasoning.mean"] == pytest.approx(sum(logprob for _, logprob in THOUGHT) / len(THOUGHT))
    assert said["status"] == "recorded" or (with_call and not form.call_tokens)
    if of_call:
        assert said["fields.paths"] == ("/tool_calls/0/pay/amount",)
        assert said["fields.confidences"] == pytest.approx((math.exp(-0.41),))


@pytest.mark.parametrize(
    "thought",
    [
        [("是", -2.0), ("的", -1.0)],
        [("42", -3.0)],
        [("4", -3.0), ("2", -3.0)],
        [("Hm", -1.0)] * 2000,
        [('{"amount": 900}', -3.0)],
        [(" ", -2.0)],
    ],
)
@pytest.mark.parametrize(
    "shape", ["openai with reasoning deltas", "deepseek", "ollama", "think in the content", "harmony"]
)
def test_whatever_the_thought_is(shape: str, thought: Tokens, wire: WireServer) -> None:
    said = said_of(SHAPES[shape], wire, "stream", SHAPES[shape].serve(thought, ANSWER, []))
    assert said["token.count"] == 2
    assert said["confidence.score"] == pytest.approx(math.exp(-0.2))
