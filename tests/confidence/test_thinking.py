"""Which tokens are nothing but marks around a reasoning text."""

from __future__ import annotations

import pytest

from langchain_logprobs.confidence.thinking import marks_among, thinking_end
from tests.counting import calls_in


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        (["<think>", "so", "</think>"], {0, 2}),
        (["<", "think", ">", "so", "</", "think", ">"], {0, 1, 2, 4, 5, 6}),
        (["so", "</think>", "\n\n"], {1}),
        (["a</think>"], set()),
        (["", "<think>", ""], {0, 1, 2}),  # an empty token at the edge of a mark belongs to it
        (["[THINK]", "sí", "[/THINK]"], {0, 2}),
        (["◁think▷", "好", "◁/think▷"], {0, 2}),
        (["<|channel|>", "analysis", "<|message|>", "x", "<|start|>", "assistant", "<|channel|>", "final"], {0, 1, 2}),
        (
            ["x", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>", "42"],
            {1, 2, 3, 4, 5},
        ),
        (["<", "b", ">"], set()),
        ([], set()),
    ],
)
def test_marks_that_one_or_several_tokens_spell(words: list[str], marks: set[int]) -> None:
    assert marks_among(words) == marks


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>42", "42"),
        ("<|channel|>analysis<|message|>so<|channel|>final<|message|>42", "42"),
        ("<think>so<|start|>assistant</think>42", "42"),
        ("so<|/think|>42", "42"),
        ("so<|END_THINKING|>42", "42"),
        ("</tool_call></tool_call>42", "</tool_call></tool_call>42"),
    ],
)
def test_where_the_answer_begins(text: str, rest: str) -> None:
    assert text[thinking_end(text) :] == rest


def test_marks_cost_what_there_is_of_them_and_of_tokens() -> None:
    def work(count: int) -> int:
        return calls_in(lambda: marks_among(["<think>", "a", "</think>"] * count))

    assert work(4_000) <= 2.2 * work(2_000)
