"""Families D, E, I, O and truth F3: prompts that are echoed, empty lists, odd spellings, tokens that were lost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from tests.repros.calls import ScriptedCompletion, short, told
from tests.support import Traced


def completion(tokens: list[str], logprobs: list[float | None]) -> dict[str, Any]:
    return {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": None, "text_offset": [0] * len(tokens)}


def test_a_prompt_that_is_echoed_is_not_the_answer() -> None:
    traced = Traced()
    container = completion(["Carol", " has", " 20", " books"], [None, -9.2, -7.1, -0.05])
    model = ScriptedCompletion(text="Carol has 20 books", container=container, echo=True)
    model.invoke("Carol has 20", config=traced.config)
    said = short(traced)
    assert said["token.count"] == 1
    assert said["token.outside_count"] == 3
    assert said["confidence.score"] == pytest.approx(math.exp(-0.05))
    assert said["low_confidence.detected"] is False
    assert said["token.censored_count"] == 0


def test_an_answer_that_repeats_the_prompt_by_itself_is_an_answer() -> None:
    traced = Traced()
    container = completion(["Carol", " has", " 20"], [-0.5, -0.2, -0.1])
    ScriptedCompletion(text="Carol has 20", container=container).invoke("Carol has", config=traced.config)
    assert short(traced)["token.count"] == 3


def test_empty_lists_are_an_empty_container(caplog: pytest.LogCaptureFixture) -> None:
    traced = Traced()
    empty: dict[str, Any] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    ScriptedCompletion(text="", container=empty).invoke("q", config=traced.config)
    assert "unknown format" not in str(short(traced).get("status.reason"))
    assert "unknown format" not in caplog.text


@pytest.mark.parametrize(
    ("tokens", "text", "path", "value"),
    [
        (["{", '"', "a", '":', 'Ġ"', "b", "Ġc", '"}'], '{"a": "b c"}', "/a", "b c"),
        (["{", '"', "a", '":', '▁"', "b", "▁c", '"}'], '{"a": "b c"}', "/a", "b c"),
        (["{", '"', "a", '":', 'Ġ"', "æĺ¯", '"}'], '{"a": "是"}', "/a", "是"),
        (["{Ċ", 'Ġ"', "a", '":', "Ġtrue", "Ċ", "}"], '{\n "a": true\n}', "/a", True),
        (["{", '"a"', ":", "▁[", "1", ",", "▁2", "]", "}"], '{"a": [1, 2]}', "/a/1", 2),
    ],
)
def test_other_spellings_of_tokens_are_read(tokens: list[str], text: str, path: str, value: object) -> None:
    said = told(AIMessage(text), [(token, -0.1) for token in tokens])
    assert said["fields.status"] == "ok"
    assert path in said["fields.paths"]
    assert said["status"] == "recorded"


def test_a_token_that_was_lost_in_the_middle_is_seen() -> None:
    said = told(AIMessage("The sky is blue"), [("The", -0.1), (" sky", -0.1), (" blue", -2.0)])
    assert said["status"] == "partial"
    assert said["alignment"] in ("partial", "failed")


def test_empty_tokens_without_bytes_are_gaps() -> None:
    tokens = [("", -0.5), ("", -0.5), ("", -0.5), ("\ufe0f", -0.5), ("\n", -0.5), ("", -0.5), ("", -0.5)]
    said = told(AIMessage("🌟❤️\n🐦"), tokens)
    assert said["token.count"] == 7
    assert said["alignment"] in ("resynchronised", "failed")
