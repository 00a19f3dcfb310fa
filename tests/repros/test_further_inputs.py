"""Further inputs of the kinds that were reported: other values, languages and shapes, streamed, empty and huge."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import OpenAI

from langchain_logprobs import confidence_of
from tests.providers import making
from tests.providers.wire import WireServer, json_body, sse
from tests.repros.calls import Token, chunk, entries, streamed, told
from tests.support import Traced

log = math.log


def sampled(text: str, probability: float, *others: tuple[str, float]) -> Token:
    return (text, log(probability), [*((other, log(mass)) for other, mass in others), (text, log(probability))])


def with_schema(text: str, tokens: list[Token], place: Any) -> Any:
    """The field at `/a` of an answer whose schema says what may stand there."""
    message = AIMessage(text, response_metadata={"logprobs": {"content": entries(tokens)}})
    report = confidence_of(message, schema={"type": "object", "properties": {"a": place}})
    assert report.fields is not None
    return report.fields["/a"]


# C and truth F5: the runner-up is never the value itself.


@pytest.mark.parametrize(
    ("tokens", "place", "value", "runner_up", "probability"),
    [
        ([sampled(" false", 0.2, (" true", 0.8))], {"type": "boolean"}, "false", True, 0.8),
        ([sampled(" null", 0.3, (" true", 0.6))], {"type": ["boolean", "null"]}, "null", True, 0.6),
        ([sampled(' "open', 0.4, (' "paid', 0.45)), ('"', 0.0)], {"enum": ["open", "paid"]}, '"open"', "paid", 0.45),
        ([sampled(' "서울', 0.3, (' "부산', 0.5)), ('"', 0.0)], {"enum": ["서울", "부산"]}, '"서울"', "부산", 0.5),
        ([sampled(" 2", 0.3, (" 1", 0.6)), ("", 0.0)], {"enum": [1, 2, 3]}, "2", 1, 0.6),
        ([sampled(" 2", 0.3, (" 1", 0.3))], {"enum": [1, 2]}, "2", 1, 0.3),
        ([sampled(' "v7"', 0.3, (' "v8"', 0.6))], {"enum": [f"v{at}" for at in range(5000)]}, '"v7"', "v8", 0.6),
    ],
)
def test_the_runner_up_is_another_value(
    tokens: list[Token], place: Any, value: str, runner_up: object, probability: float
) -> None:
    spelled = [('{"a":', 0.0), *(token for token in tokens if token[0]), ("}", 0.0)]
    field = with_schema(f'{{"a": {value}}}', spelled, place)
    assert field.runner_up is not None
    assert field.runner_up.value == runner_up
    assert field.runner_up.probability == pytest.approx(probability, rel=1e-6)


# Truth F1: what is decided at the first character counts.


@pytest.mark.parametrize(
    ("tokens", "text", "place", "confidence"),
    [
        ([sampled(' "', 0.51, (" null", 0.49)), ("a@b.c", -0.001), ('"', 0.0)], '"a@b.c"', ["string", "null"], 0.51),
        ([sampled(' "', 0.6, (" 4", 0.4)), ("4", 0.0), ('"', 0.0)], '"4"', ["string", "number"], 0.6),
        ([sampled(" null", 0.45, (' "', 0.55))], "null", ["string", "null"], 0.45),
        ([sampled(' "', 0.7, (" false", 0.2)), ("no", 0.0), ('"', 0.0)], '"no"', ["string", "boolean"], 0.7),
        ([sampled(' "', 0.5, (" null", 0.5)), ("Zürich", 0.0), ('"', 0.0)], '"Zürich"', ["string", "null"], 0.5),
        ([sampled(" [", 0.6, (" null", 0.4)), ("1", 0.0), ("]", 0.0)], "[1]", ["array", "null"], 0.6),
        (
            [sampled(" {", 0.3, (" null", 0.7)), ('"b": ', 0.0), ("1", 0.0), ("}", 0.0)],
            '{"b": 1}',
            ["object", "null"],
            0.3,
        ),
    ],
)
def test_the_first_character_counts(tokens: list[Token], text: str, place: list[str], confidence: float) -> None:
    field = with_schema(f'{{"a": {text}}}', [('{"a":', 0.0), *tokens, ("}", 0.0)], {"type": place})
    assert field.confidence == pytest.approx(confidence, rel=2e-3)
    shown = field.distribution
    assert shown is not None
    every = {kind.kind: kind for kind in shown.kinds} | {label.value: label for label in shown.labels}
    assert all(one.upper >= one.mass for one in every.values())


# Truth F2: the end counts, of numbers and of labels that begin others.


@pytest.mark.parametrize(
    ("tokens", "text", "confidence"),
    [
        ([(" 4", log(0.9)), sampled("}", 0.4, ("2", 0.6))], "4", 0.9 * 0.4),
        ([(" 4", log(0.9)), sampled("}", 0.3, (".5", 0.3), ("\n", 0.4))], "4", 0.9 * 0.7),
        ([(' "a', log(0.9)), sampled('"}', 0.5, ("b", 0.5))], '"a"', 0.9 * 0.5),
        ([(' "é', log(0.9)), sampled('"}', 0.5, ('",', 0.2), ("è", 0.3))], '"é"', 0.9 * 0.7),
        ([(" -1", log(0.9)), sampled("}", 0.2, ("e", 0.8))], "-1", 0.9 * 0.2),
        ([(" tr", log(0.9)), ("ue", log(0.8)), ("}", 0.0)], "true", 0.72),
    ],
)
def test_the_end_counts(tokens: list[Token], text: str, confidence: float) -> None:
    spelled = [('{"a":', 0.0), *tokens]
    joined = "".join(token[0] for token in spelled)
    said = told(AIMessage(joined), spelled)
    assert said["fields.confidences"] == pytest.approx((confidence,))
    assert joined == f'{{"a": {text}}}'


# Truth F8, seeing F3, family L: the level is that of the least certain value, wherever it stands.


@pytest.mark.parametrize("probability", [0.9, 0.7, 0.3])
@pytest.mark.parametrize("shape", ["object", "array", "fence", "nested", "lines", "call", "calls"])
def test_one_unsure_value_makes_the_level(shape: str, probability: float) -> None:
    sure: list[Token] = [(f'"k{at}": ', 0.0) if shape != "array" else ("0, ", 0.0) for at in range(1)]
    unsure: list[Token] = [("7", log(probability))]
    around = {
        "object": ("{", "}"),
        "array": ("[", "]"),
        "fence": ("```json\n{", "}\n```"),
        "nested": ('{"a": [{"b": {', "}}]}"),
        "lines": ('{"x": 1}\n{', "}"),
        "call": ("{", "}"),
        "calls": ("{", "}"),
    }[shape]
    tokens = [(around[0], 0.0), *sure, *unsure, (around[1], 0.0)]
    calls = [{"name": "f", "args": {"k0": 7}, "id": "1", "type": "tool_call"}]
    if shape == "calls":
        tokens = [('{"k0": 1}', 0.0), *tokens]
        calls = [{"name": "f", "args": {"k0": 1}, "id": "0", "type": "tool_call"}, *calls]
    message = AIMessage("", tool_calls=calls) if "call" in shape else AIMessage("".join(word for word, *_ in tokens))
    said = told(message, tokens)
    assert said["confidence.level"] == {0.9: "high", 0.7: "medium", 0.3: "low"}[probability]
    assert said["confidence.basis"] == "fields"
    assert said["fields.min_confidence"] == pytest.approx(probability)


# Seeing F4: a close contest is on the span, whatever its place and the length of the answer.


@pytest.mark.parametrize("at", [0, 3, 700])
@pytest.mark.parametrize(("word", "rival"), [(" 1935", " 1936"), ("是", "不"), (" no", " yes"), ("ä", "ö"), ("{", "[")])
def test_a_close_second_choice_is_kept(at: int, word: str, rival: str) -> None:
    tokens: list[Token] = [sampled(f" w{number}", 0.97, (" x", 0.01)) for number in range(max(at + 2, 5))]
    tokens[at] = sampled(word, 0.41, (rival, 0.38))
    said = told(AIMessage("".join(token[0] for token in tokens)), tokens)
    assert at in said["alternatives.positions"]
    assert rival in said["alternatives.tokens"]
    assert rival.strip() in said["answer"]


# D: empty lists are an empty container, at every place of a stream.


def legacy(text: str, tokens: list[str], **choice: Any) -> dict[str, Any]:
    container = {"tokens": tokens, "token_logprobs": [-0.1] * len(tokens), "top_logprobs": [], "text_offset": []}
    made = {"index": 0, "text": text, "logprobs": container, "finish_reason": None, **choice}
    return {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [made]}


@pytest.mark.parametrize(
    "pieces",
    [
        [legacy("Hi", ["Hi"]), legacy("", [], finish_reason="length")],
        [legacy("", []), legacy("Hi", ["Hi"]), legacy("", [], finish_reason="stop")],
        [legacy("Hi", ["Hi"]), legacy("", []), legacy(" é", [" é"]), legacy("", [], finish_reason="stop")],
        [legacy("", []), legacy("", [], finish_reason="length")],
        [legacy("Hi", ["Hi"]), {**legacy("", []), "choices": []}],
    ],
)
@pytest.mark.parametrize("path", ["stream", "astream"])
def test_empty_lists_in_a_stream(pieces: list[Any], path: str, caplog: pytest.LogCaptureFixture) -> None:
    traced = Traced()
    with WireServer() as wire:
        wire.answer("*", sse(pieces))
        model = OpenAI(**{**making.completions(wire.url), "logprobs": 1})

        async def consume() -> None:
            async for _ in model.astream("q", config=traced.config):
                pass

        list(model.stream("q", config=traced.config)) if path == "stream" else asyncio.run(consume())
    said = traced.call.attributes or {}
    count = sum(len(piece["choices"][0]["logprobs"]["tokens"]) for piece in pieces if piece["choices"])
    assert said["logprobs.status"] == ("recorded" if count else "missing")
    assert said.get("logprobs.token.count", 0) == count
    assert "unknown format" not in caplog.text


# E: a prompt that is echoed is outside, in other languages, streamed and in batches.


@pytest.mark.parametrize("prompt", ["Carol has", "서울은", "a\n\nb", "x" * 3000, "“é” 😀"])
@pytest.mark.parametrize("path", ["invoke", "ainvoke", "stream"])
def test_a_prompt_that_is_echoed_is_outside(prompt: str, path: str) -> None:
    words = [prompt[at : at + 7] for at in range(0, len(prompt), 7)]
    tokens = [*words, " 20", " books"]
    logprobs = [None, *[-7.0] * (len(words) - 1), -0.3, -0.1]
    container = {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": None}
    container["text_offset"] = [len("".join(tokens[:at])) for at in range(len(tokens))]
    choice = {"index": 0, "text": "".join(tokens), "logprobs": container, "finish_reason": "stop"}
    body = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
    traced = Traced()
    with WireServer() as wire:
        wire.answer("*", sse([body]) if path == "stream" else json_body({**body, "usage": {}}))
        model = OpenAI(**{**making.completions(wire.url), "logprobs": 1, "model_kwargs": {"echo": True}})
        if path == "ainvoke":
            asyncio.run(model.ainvoke(prompt, config=traced.config))
        else:
            (list(model.stream(prompt, config=traced.config)) if path == "stream"
             else model.invoke(prompt, config=traced.config))  # fmt: skip
    said = traced.call.attributes or {}
    assert said["logprobs.token.count"] == 2
    assert said["logprobs.token.outside_count"] == len(words)
    assert said["logprobs.confidence.score"] == pytest.approx(math.exp(-0.2))
    assert said["logprobs.low_confidence.detected"] is False


# O and truth F3: what was lost is said, and nothing is placed where it is not.


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The sky is blue", ["The", " sky", " blue"]),
        ("Der Himmel ist blau", ["Der", " ist", " blau"]),
        ("하늘은 파랗다", ["하늘은", "다"]),
        ('{"a": 1, "b": 2}', ['{"a": 1', ', "b"', " 2}"]),
        ("The sky is blue and wide", ["The", " wide"]),
        ("The sky", ["The"]),
    ],
)
def test_lost_tokens_are_said(text: str, tokens: list[str]) -> None:
    said = told(AIMessage(text), [(token, -0.1) for token in tokens])
    assert said["status"] == "partial"
    assert said["status.reason"]
    assert said["alignment"] == "partial"
    again = streamed([*(chunk([(token, -0.1)], token) for token in tokens), chunk([], chunk_position="last")])
    assert again["alignment"] == "exact"  # what LangChain joined of a stream is all that there is


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("🌟❤️\n🐦", ["", "", "", "\ufe0f", "\n", "", ""]),
        ("🌟, ok 🐦", ["", "", ", ok ", "", ""]),
        ('{"a":"🌍","b":1}', ['{"a":"', "", "", '","b":', "1", "}"]),
        ("日本", ["", "", "", ""]),
        ("a 😀 b", ["a", " ", "", "", " b"]),
        ("é", ["", ""]),
    ],
)
def test_empty_tokens_without_bytes_are_gaps_and_count(text: str, words: list[str]) -> None:
    said = told(AIMessage(text), [(word, -0.5) for word in words])
    assert said["token.count"] == len(words)
    assert said["confidence.score"] == pytest.approx(math.exp(-0.5))
    if '"b"' in text:
        assert said["fields.paths"] == ("/a", "/b")
