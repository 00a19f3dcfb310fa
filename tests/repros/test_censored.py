"""Families M and truth F4, user_and_style A4: a token without an honest logprob is the weakest there is."""

from __future__ import annotations

import math

import pytest
from langchain_core.messages import AIMessage

from tests.repros.calls import report_of, told


def test_a_censored_token_makes_the_answer_low() -> None:
    said = told(AIMessage("The cat sat"), [("The", -0.1), (" cat", -9999.0, [(" dog", -0.01)]), (" sat", -0.1)])
    assert said["confidence.level"] == "low"
    assert said["low_confidence.detected"] is True
    assert said["min.token"] == " cat"
    assert said["min.censored"] is True
    assert said["min.probability"] == pytest.approx(1 - math.exp(-0.01))
    assert said["min.index"] == 1


@pytest.mark.parametrize("logprob", [None, -9999.0, float("nan"), float("-inf"), -1e9, 0.69, -100.0, -1000.0])
def test_every_kind_of_placeholder_is_censored(logprob: float | None) -> None:
    said = told(AIMessage("a b"), [("a", -0.1), (" b", logprob)])
    assert said["token.censored_count"] == 1
    assert said["token.count"] == 1
    assert said["confidence.level"] == "low"
    assert said["confidence.score"] == pytest.approx(math.exp(-0.1))
    assert said["min.token"] == " b"
    assert "min.probability" not in said  # nothing bounds it


@pytest.mark.parametrize("logprob", [-99.9, -100.5, -31.25, -9000.0])
def test_what_is_no_placeholder_counts(logprob: float) -> None:
    said = told(AIMessage("a b"), [("a", -0.1), (" b", logprob)])
    assert said["token.censored_count"] == 0
    assert said["min.token"] == " b"
    assert said["confidence.level"] == "low"


def test_a_censored_value_is_in_the_arrays_and_marked() -> None:
    tokens = [('{"total": ', -0.01), ("42", -9999.0), (', "name": "', -0.01), ("x", -0.01), ('"}', -0.01)]
    said = told(AIMessage('{"total": 42, "name": "x"}'), tokens)
    assert said["fields.paths"] == ("/total", "/name")
    assert said["fields.censored"] == (0,)
    assert said["fields.min_path"] == "/total"
    assert said["confidence.level"] == "low"
    assert said["confidence.basis"] == "fields"
    report = report_of(AIMessage('{"total": 42, "name": "x"}'), tokens)
    assert report.fields is not None
    assert report.fields["/total"].confidence is None
    assert [field.path for field in report.fields.below(0.5)] == ["/total"]


def test_a_censored_answer_has_a_level_though_no_score() -> None:
    said = told(AIMessage("a"), [("a", -9999.0)])
    assert said["confidence.level"] == "low"
    assert "confidence.score" not in said
