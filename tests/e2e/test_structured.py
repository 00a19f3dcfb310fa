"""A structured answer of the real model: each field's confidence, and the same computed by hand from HTTP."""

from __future__ import annotations

import json
import math
import re
from typing import Literal

import pytest
from pydantic import BaseModel

from langchain_logprobs import Alternative, TokenLogprob, field_confidences
from tests.e2e.paths import chat_model
from tests.e2e.proxy import RecordingProxy
from tests.e2e.tracing import Traced, attributes


class Review(BaseModel):
    """What a customer thinks of a product."""

    product: str
    opinion: Literal["good", "mixed", "bad"]
    weeks_used: int
    buys_again: bool


PROMPT = """Turn each review into JSON.

Review: I love this toaster. After three weeks I bought a second one.
{"product": "toaster", "opinion": "good", "weeks_used": 3, "buys_again": true}

Review: The kettle boils fast and looks nice, but the lid broke after two weeks. Would not buy it again."""


@pytest.fixture
def answered(wire: RecordingProxy, traced: Traced) -> tuple[RecordingProxy, Traced, Review]:
    model = chat_model(wire.url, temperature=0, max_tokens=100)
    review = model.with_structured_output(Review, method="json_schema").invoke(PROMPT, config=traced.config)
    assert isinstance(review, Review)
    return wire, traced, review


def test_each_field_has_the_confidence_that_http_carried(answered: tuple[RecordingProxy, Traced, Review]) -> None:
    wire, traced, review = answered
    (exchange,) = wire.exchanges
    (call,) = traced.calls
    found = attributes(call)
    assert found["logprobs.fields.status"] == "ok"
    assert found["logprobs.fields.paths"] == ("/product", "/opinion", "/weeks_used", "/buys_again")

    # By hand: where each token begins in what the tokens spell, fences and all, and which of them touch each value.
    joined = "".join(exchange.tokens())
    starts = [len("".join(exchange.tokens()[:index])) for index in range(len(exchange.tokens()))]
    for index, (name, value) in enumerate(json.loads(review.model_dump_json()).items()):
        match = re.search(rf'"{name}":\s*"?({re.escape(str(value).lower() if value is False else str(value))})', joined)
        assert match is not None
        low, high = match.span(1)
        touching = [
            logprob
            for start, token, logprob in zip(starts, exchange.tokens(), exchange.values(), strict=True)
            if start < high and start + len(token) > low
        ]
        # The probability of this very value: at least that of its tokens, its quotes' among them (other tokens could
        # have begun and ended it too), and no more than that of those which spell its core.
        around = [
            logprob
            for start, token, logprob in zip(starts, exchange.tokens(), exchange.values(), strict=True)
            if start < high + 1 and start + len(token) > low - 1
        ]
        confidence = found["logprobs.fields.confidences"][index]
        assert math.exp(math.fsum(around)) - 1e-12 <= confidence <= math.exp(math.fsum(touching)) + 1e-12, name
        assert confidence <= found["logprobs.fields.min_probabilities"][index] + 1e-12


def test_the_allowed_values_share_at_most_one(answered: tuple[RecordingProxy, Traced, Review]) -> None:
    wire, _, review = answered
    (exchange,) = wire.exchanges
    tokens = [
        TokenLogprob(
            entry["token"],
            entry["logprob"],
            bytes(entry["bytes"]),
            tuple(Alternative(top["token"], top["logprob"], bytes(top["bytes"])) for top in entry["top_logprobs"]),
        )
        for entry in exchange.entries()
    ]
    report = field_confidences(tokens, schema=Review)
    for path, allowed in (("/opinion", {"good", "mixed", "bad"}), ("/buys_again", {True, False})):
        distribution = report[path].distribution
        assert distribution is not None
        assert {label.value for label in distribution.labels} == allowed
        assert 0.0 < distribution.coverage <= 1.0 + 1e-9
        assert distribution.coverage + distribution.unresolved + distribution.other <= 1.0 + 1e-9
        assert math.fsum(label.mass for label in distribution.labels) == pytest.approx(distribution.coverage)
        for label in distribution.labels:
            assert 0.0 <= label.mass <= label.upper <= 1.0 + 1e-9
    assert report["/opinion"].distribution.labels[0].value == review.opinion  # type: ignore[union-attr]
