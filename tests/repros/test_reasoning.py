"""Families A, B and truth F6, F7: thinking is never measured as the answer, wherever it comes from."""

from __future__ import annotations

import math

import pytest
from langchain_core.messages import AIMessage

from tests.repros.calls import chunk, streamed, told

PAY = [{"name": "pay", "args": {"amount": 900}, "id": "c", "type": "tool_call"}]
TOOL = [('<tool_call>{"name":"pay","arguments":{"amount":', 0.0), ("900", -0.02), ("}}</tool_call>", 0.0)]
THINKING = [("<think>", 0.0), ("Pay", -3.5), (" now", -2.5), ("</think>", 0.0)]


def reasoned(text: str, **message: object) -> AIMessage:
    return AIMessage("", additional_kwargs={"reasoning_content": text}, **message)


def test_thinking_before_a_tool_call_is_no_part_of_it() -> None:
    said = told(AIMessage("", tool_calls=PAY), [*THINKING, *TOOL])
    assert (said["token.count"], said["reasoning.token.count"], said["token.outside_count"]) == (3, 2, 2)
    assert said["confidence.score"] == pytest.approx(math.exp(-0.02 / 3))
    assert said["confidence.level"] == "high"
    assert said["low_confidence.detected"] is False
    assert said["fields.confidences"] == pytest.approx((math.exp(-0.02),))


def test_thinking_that_takes_all_the_tokens_has_no_answer_to_measure() -> None:
    said = told(reasoned("Pay now"), [("Pay", -3.5), (" now", -2.5)])
    assert said["token.count"] == 0
    assert said["reasoning.token.count"] == 2
    assert said["reasoning.mean"] == -3.0
    assert "confidence.level" not in said
    assert said["low_confidence.detected"] is False


def test_a_tool_call_whose_tokens_did_not_come_is_not_recorded() -> None:
    said = told(reasoned("Pay now", tool_calls=PAY), [("Pay", -3.5), (" now", -2.5)])
    assert said["status"] == "partial"
    assert "tool call" in said["status.reason"]
    assert said["token.count"] == 0
    assert "confidence.level" not in said


def test_an_end_mark_alone_is_no_answer() -> None:
    said = told(AIMessage(""), [("<|im_end|>", -0.9)])
    assert said["token.count"] == 0
    assert said["token.outside_count"] == 1


@pytest.mark.parametrize(
    ("reasoning", "tokens", "text", "count"),
    [
        ("It is 42", [("It", -1.0), (" is", -0.5), (" 42", -2.0), ("42", -0.05)], "42", 1),
        ("maybe 4\n", [("maybe", -1.0), (" 4", -3.0), ("\n", -0.1), ("4", -0.05)], "4", 1),
        ("x", [("x", -3.0), ("xy", -0.1), ("z", -0.1)], "xyz", 2),
        ("Ja, 7", [("Ja", -1.0), (",", -1.0), (" 7", -2.0), ("7 Äpfel", -0.05)], "7 Äpfel", 1),
        ("是 是", [("是", -1.0), (" ", -1.0), ("是", -2.0), ("是", -0.05)], "是", 1),
        ("a", [("<think>", 0.0), ("a", -4.0), ("</think>", 0.0), ("a", -0.05)], "a", 1),
    ],
)
def test_a_reasoning_text_that_is_known_is_cut_off_first(
    reasoning: str, tokens: list[tuple[str, float]], text: str, count: int
) -> None:
    said = told(AIMessage(text, additional_kwargs={"reasoning_content": reasoning}), tokens)
    assert said["token.count"] == count
    assert said["confidence.score"] == pytest.approx(math.exp(sum(p for _, p in tokens[-count:]) / count))
    assert said["status"] == "recorded"
    assert said["reasoning.token.count"] >= 1


def test_thinking_inside_the_content_is_no_part_of_the_answer() -> None:
    tokens = [
        ("<think>", 0.0),
        ("draft ", -1.0),
        ('{"total": 4, "note": "not sure"}', -2.0),
        ("</think>", 0.0),
        ('{"total": ', -0.01),
        ("5", -0.02),
        ("}", -0.01),
    ]
    said = told(AIMessage("".join(text for text, _ in tokens)), tokens)
    assert said["fields.paths"] == ("/total",)
    assert said["token.count"] == 3
    assert said["reasoning.token.count"] == 2
    assert said["confidence.level"] == "high"


def test_thinking_that_was_cut_off_in_the_content_is_thinking() -> None:
    said = told(AIMessage("<think>Let me see"), [("<think>", 0.0), ("Let", -1.0), (" me see", -2.0)])
    assert said["token.count"] == 0
    assert said["reasoning.token.count"] == 2


def test_an_answer_that_talks_of_the_marks_is_an_answer() -> None:
    text = "Close it with `</think>`, which follows <think>."
    said = told(AIMessage(text), [(text[:20], -0.1), (text[20:], -0.2)])
    assert said["token.count"] == 2


def test_harmonys_channels() -> None:
    tokens = [
        ("<|channel|>", 0.0),
        ("analysis", -0.1),
        ("<|message|>", 0.0),
        ("hm", -4.0),
        ("<|end|>", 0.0),
        ("<|start|>", 0.0),
        ("assistant", 0.0),
        ("<|channel|>", 0.0),
        ("final", 0.0),
        ("<|message|>", 0.0),
        ("42", -0.05),
        ("<|return|>", 0.0),
    ]
    said = told(AIMessage("42"), tokens)
    assert said["token.count"] == 1
    assert said["confidence.score"] == pytest.approx(math.exp(-0.05))
    assert said["confidence.level"] == "high"


def test_a_stream_says_which_tokens_are_thinking() -> None:
    said = streamed(
        [
            chunk([("Let", -1.0)], reasoning="Let"),
            chunk([(" me", -2.0)], reasoning=" me"),
            chunk([("4", -3.0)], reasoning="4"),
            chunk([("4", -0.1)], "4"),
            chunk([("2", -0.1)], "2"),
            chunk([], chunk_position="last"),
        ]
    )
    assert said["token.count"] == 2
    assert said["confidence.score"] == pytest.approx(math.exp(-0.1))
    assert said["reasoning.token.count"] == 3
    assert said["reasoning.ranges"] == (0, 3)


def test_a_stream_of_thinking_and_a_tool_call() -> None:
    call = [{"name": "pay", "args": '{"amount": 900}', "id": "c", "index": 0, "type": "tool_call_chunk"}]
    said = streamed(
        [
            chunk([("Pay", -3.5)], reasoning="Pay"),
            chunk([('{"amount": ', 0.0), ("900", -2.4), ("}", 0.0)], tool_call_chunks=call),
            chunk([], chunk_position="last"),
        ]
    )
    assert said["token.count"] == 3
    assert said["low_confidence.detected"] is True
    assert said["min.token"] == "900"
    assert said["reasoning.token.count"] == 1
    assert said["confidence.basis"] == "fields"


def test_a_stream_of_content_blocks() -> None:
    blocks = [
        chunk([("Hm", -3.0)], [{"type": "reasoning", "reasoning": "Hm", "index": 0}]),  # type: ignore[arg-type]
        chunk([("42", -0.1)], [{"type": "text", "text": "42", "index": 1}]),  # type: ignore[arg-type]
        chunk([], chunk_position="last"),
    ]
    said = streamed(blocks)
    assert said["token.count"] == 1
    assert said["reasoning.token.count"] == 1


def test_a_failed_alignment_is_said() -> None:
    said = told(AIMessage("42"), [("Let", -1.0), (" me", -1.0), (" think", -1.0)])
    assert said["alignment"] == "failed"
    assert said["status"] == "partial"
    assert said["status.reason"]


def test_a_tool_call_beside_text_counts() -> None:
    tokens = [("Sure", -0.01), (".", -0.01), TOOL[0], ("900", -2.4), TOOL[2]]
    said = told(AIMessage("Sure.", tool_calls=PAY), tokens)
    assert said["token.count"] == 5
    assert said["low_confidence.detected"] is True
    assert said["min.probability"] == pytest.approx(math.exp(-2.4))
    assert said["confidence.level"] == "low"
    assert said["confidence.basis"] == "fields"
    assert said["fields.min_path"] == "/tool_calls/0/pay/amount"
