"""Each event in a line, with and without what the model wrote."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.events import Event, line_of

LOW = {names.ABOUT: "“Hm” .08", names.MIN_PROBABILITY: 0.0821, names.TOKEN_START: 3}
JUDGED = {names.EVALUATION_LABEL: "low", names.EVALUATION_SCORE: 0.333}


@pytest.mark.parametrize(
    ("name", "attributes", "line", "private"),
    [
        (names.LOW_CONFIDENCE_EVENT, LOW, "“Hm” .08", "low confidence: probability 0.08 from token 3 on"),
        (
            names.LOW_CONFIDENCE_EVENT,
            {names.ABOUT: "“Oz” ?", names.TOKEN_START: 0},
            "“Oz” ?",
            "low confidence: no honest logprob from token 0 on",
        ),
        (
            names.CHUNK_EVENT,
            {names.CHUNK_INDEX: 4, names.TOKEN_START: 9, names.TOKEN_COUNT: 3},
            "chunk 4 brought tokens 9 to 11",
            None,
        ),
        (
            names.CHUNK_EVENT,
            {names.CHUNK_INDEX: 0, names.TOKEN_START: 0, names.TOKEN_COUNT: 1},
            "chunk 0 brought token 0",
            None,
        ),
        (names.CHOICE_EVENT, {names.CHOICE_INDEX: 1, names.CONFIDENCE: 0.5}, "choice 1: score 0.50", None),
        (names.CHOICE_EVENT, {names.CHOICE_INDEX: 1}, "choice 1: no score", None),
        (names.EVALUATION_EVENT, JUDGED, "token confidence is low (0.33)", None),
        (
            names.EVALUATION_EVENT,
            {**JUDGED, names.EVALUATION_EXPLANATION: "unsure of Hm"},
            "token confidence is low (0.33): unsure of Hm",
            "token confidence is low (0.33)",
        ),
    ],
)
def test_a_line(name: str, attributes: dict[str, Any], line: str, private: str | None) -> None:
    event = Event(name, 0, attributes)
    assert line_of(event, with_text=True) == line
    assert line_of(event, with_text=False) == (line if private is None else private)
