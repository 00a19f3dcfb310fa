"""Family Q: a classifier's one word has its distribution, and the answer's line never says more than the level."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from langchain_logprobs import confidence_of
from tests.providers import making
from tests.providers.wire import WireServer
from tests.repros.calls import Token, entries, report_of, told
from tests.support import Traced, entry, openai_answer

log = math.log


def answer(text: str, probability: float, *others: tuple[str, float]) -> Token:
    return (text, log(probability), [(text, log(probability)), *((other, log(mass)) for other, mass in others)])


@pytest.mark.parametrize(
    ("text", "tokens", "value", "runner_up", "confidence"),
    [
        ("2", [answer("2", 0.61, ("1", 0.3), ("3", 0.08))], 2, "1", 0.61),
        ("2", [answer(" 2", 0.61, (" 1", 0.3)), ("<|im_end|>", log(0.9))], 2, "1", 0.61 * 0.9),
        ("positive", [answer("positive", 0.7, ("negative", 0.25))], "positive", '"negative"', 0.7),
        ("B", [("<think>", 0.0), ("hm", -3.0), ("</think>", 0.0), answer("B", 0.4, ("A", 0.5))], "B", '"A"', 0.4),
        ("是", [answer("是", 0.7, ("否", 0.25))], "是", '"否"', 0.7),
        ("Ja", [answer("▁Ja", 0.6, ("▁Nein", 0.3))], "Ja", '"Nein"', 0.6),
        ("日本", [("æĹ¥æľ¬", log(0.6), [("Ġno", log(0.3))])], "日本", '"no"', 0.6),
        ("true", [answer("true", 0.6, ("false", 0.3))], True, "false", 0.6),
    ],
)
def test_one_word_in_one_token(
    text: str, tokens: list[Token], value: object, runner_up: str, confidence: float
) -> None:
    said = told(AIMessage(text), tokens)
    assert said["fields.paths"] == ("",)
    assert said["fields.confidences"] == pytest.approx((confidence,))
    assert said["fields.runners_up"] == (runner_up,)
    assert said["confidence.basis"] == "fields"
    report = report_of(AIMessage(text), tokens)
    assert report.fields is not None
    (field,) = report.fields
    assert field.value == value
    assert field.distribution is not None
    assert said["answer"].startswith(f"[{text} ")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello", [("Hello", -0.1)]),
        (".", [answer(".", 0.9, ("!", 0.05))]),
        ("Hello there", [answer("Hello there", 0.9, ("Hi", 0.05))]),
        ("Lima.", [answer("Lima", 0.9, ("Quito", 0.05)), (".", -0.01)]),
        ("", [("<|im_end|>", -0.1, [("A", -3.0)])]),
        ("42", [("42", -0.1)]),
    ],
)
def test_what_is_no_label_has_no_fields(text: str, tokens: list[Token]) -> None:
    said = told(AIMessage(text), tokens)
    assert "fields.status" not in said
    assert said.get("confidence.basis", "answer") == "answer"


CLOSED = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["positive", "negative", "mixed"]}}}


@pytest.mark.parametrize(
    "asked",
    [
        {"extra_body": {"guided_choice": ["positive", "negative", "mixed"]}},
        {"extra_body": {"structured_outputs": {"choice": ["positive", "negative", "mixed"]}}},
        {"model_kwargs": {"response_format": CLOSED}},
    ],
)
@pytest.mark.parametrize("path", ["invoke", "stream", "ainvoke"])
def test_one_of_the_request_s_list_in_several_tokens(asked: dict[str, Any], path: str) -> None:
    tokens = [entry("neg", log(0.5), ("pos", log(0.3)), ("mixed", log(0.1))), entry("ative", -0.01)]
    traced = Traced()
    with WireServer() as wire:
        wire.answer("*", openai_answer(tokens))
        chat = ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True, "top_logprobs": 3, **asked})
        if path == "ainvoke":
            asyncio.run(chat.ainvoke("q", config=traced.config))
        else:
            list(chat.stream("q", config=traced.config)) if path == "stream" else chat.invoke("q", config=traced.config)
    said = traced.call.attributes or {}
    assert said["logprobs.fields.status"] == "label"
    assert said["logprobs.fields.runners_up"] == ('"positive"',)
    assert said["logprobs.fields.runner_up_probabilities"] == pytest.approx((0.3,))
    assert said["logprobs.fields.confidences"] == pytest.approx((0.5 * math.exp(-0.01),))


def test_the_list_of_choices_as_the_schema() -> None:
    tokens = [("neg", log(0.5), [("pos", log(0.3))]), ("ative", -0.01)]
    message = AIMessage("negative", response_metadata={"logprobs": {"content": entries(tokens)}})
    report = confidence_of(message, schema={"enum": ["positive", "negative"]})
    assert report.fields is not None
    assert report.fields[""].runner_up is not None
    assert report.fields[""].runner_up.value == "positive"
    assert json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("text", "tokens", "line"),
    [
        ("Lima.", [("Lima", -0.01), (".", -0.01)], "Lima. (sure throughout)"),
        ("so so", [("so", log(0.6)), (" so", log(0.62))], "[so .60] so"),
        ("so so", [("so", log(0.8)), (" so", log(0.82))], "[so .80] so"),
        ('{"a": 4}', [('{"a":', -0.01), (" 4", log(0.82)), ("}", -0.01)], '{"a": [4 .81]}'),
        ("", [("<|im_end|>", -0.5)], ""),
    ],
)
def test_sure_throughout_is_said_of_what_is_sure(text: str, tokens: list[Token], line: str) -> None:
    said = told(AIMessage(text), tokens)
    assert said.get("answer", "") == line
    assert ("sure throughout" in line) == (said.get("confidence.level") == "high")


def test_a_runner_up_of_a_whole_type_is_called_so() -> None:
    tokens = [('{"a":', -0.01), (" null", log(0.55), [(" null", log(0.55)), (' "', log(0.4))]), ("}", -0.01)]
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    report = confidence_of(
        AIMessage('{"a": null}', response_metadata={"logprobs": {"content": entries(tokens)}}), schema=schema
    )
    assert report.fields is not None
    assert str(report.fields["/a"].runner_up) == "any string"
