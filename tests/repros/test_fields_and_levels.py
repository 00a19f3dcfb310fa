"""Families C, K, L, Q, seeing F3 and F4, truth F1, F2, F5, F8: values, their runners-up, and the level they make."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_logprobs import Alternative, TokenLogprob, field_confidences
from tests.repros.calls import Token, told

log = math.log


def test_the_runner_up_is_what_the_model_nearly_said() -> None:
    tokens: list[Token] = [('{"spam":', 0.0), (" true", -1.0, [(" false", -0.46), (" true", -1.0)]), ("}", 0.0)]
    said = told(AIMessage('{"spam": true}'), tokens)
    assert said["fields.runners_up"] == ("false",)
    assert said["fields.runner_up_probabilities"] == pytest.approx((math.exp(-0.46),))


def test_an_unsure_value_makes_a_structured_answer_low() -> None:
    tokens: list[Token] = [
        ('{"total": ', 0.0),
        ("97", log(0.21)),
        (', "currency": "', 0.0),
        ("EUR", log(0.16), [("USD", log(0.7)), ("EUR", log(0.16))]),
        ('"}', 0.0),
    ]
    said = told(AIMessage('{"total": 97, "currency": "EUR"}'), tokens)
    assert said["confidence.level"] == "low"
    assert said["confidence.basis"] == "fields"
    assert said["fields.min_path"] == "/currency"
    assert said["fields.min_confidence"] == pytest.approx(0.16)


def test_digits_that_are_each_likely_are_together_unlikely() -> None:
    tokens: list[Token] = [('{"id": ', 0.0), *((digit, log(0.6)) for digit in "142.50"), ("}", 0.0)]
    said = told(AIMessage('{"id": 142.50}'), tokens)
    assert said["confidence.level"] == "low"
    assert said["fields.min_confidence"] == pytest.approx(0.6**6)


def test_a_close_second_choice_is_on_the_span() -> None:
    tokens: list[Token] = [
        ("It was finished in", log(0.95)),
        (" 1935", log(0.41), [(" 1935", log(0.41)), (" 1936", log(0.38)), (" 1934", log(0.10))]),
        (".", log(0.99)),
    ]
    said = told(AIMessage("It was finished in 1935."), tokens)
    assert said["alternatives.positions"] == (1, 1, 1)
    assert " 1936" in said["alternatives.tokens"]
    assert said["answer"] == "It was finished in [1935 .41, nearly 1936 .38]."


def test_a_sure_answer_says_so() -> None:
    assert told(AIMessage("Lima."), [("Lima", -0.01), (".", -0.01)])["answer"] == "Lima. (sure throughout)"


def entry(text: str, probability: float, *others: tuple[str, float]) -> TokenLogprob:
    return TokenLogprob(text, log(probability), None, tuple(Alternative(other, log(mass)) for other, mass in others))


def test_what_is_decided_at_the_opening_quote_counts() -> None:
    tokens = [
        entry('{"s":', 0.999),
        entry(' "', 0.55, (' "', 0.55), (" null", 0.45)),
        entry("good", 0.9, ("good", 0.9), ("bad", 0.1)),
        entry('"}', 0.999),
    ]
    schema: Any = {"type": "object", "properties": {"s": {"enum": ["good", "bad", None]}}}
    field = field_confidences(tokens, '{"s": "good"}', schema=schema)["/s"]
    assert field.distribution is not None
    masses = {label.value: label.mass for label in field.distribution.labels}
    assert masses["good"] == pytest.approx(0.495, rel=1e-3)
    assert masses[None] == pytest.approx(0.45)
    assert masses["bad"] == pytest.approx(0.055)
    assert field.confidence == pytest.approx(0.495, rel=2e-3)
    assert field.runner_up is not None
    assert field.runner_up.value is None


def test_the_end_of_a_number_counts() -> None:
    tokens = [entry('{"n":', 0.999), entry(" 4", 0.98, (" 4", 0.98)), entry("}", 0.4, ("}", 0.4), ("2", 0.6))]
    assert field_confidences(tokens, '{"n": 4}')["/n"].confidence == pytest.approx(0.98 * 0.4)


def test_a_value_has_one_confidence_with_and_without_the_schema() -> None:
    tokens = [
        entry('{"kind": "', 0.999),
        entry("return", 0.55, ("return", 0.55), ("refund", 0.45)),
        entry("_", 0.999),
        entry("item", 0.999),
        entry('"}', 0.999),
    ]
    text = '{"kind": "return_item"}'
    schema: Any = {"type": "object", "properties": {"kind": {"enum": ["refund", "return_item"]}}}
    without = field_confidences(tokens, text)["/kind"].confidence
    assert without == pytest.approx(field_confidences(tokens, text, schema=schema)["/kind"].confidence, rel=0.01)
    assert without == pytest.approx(0.549, abs=0.005)
