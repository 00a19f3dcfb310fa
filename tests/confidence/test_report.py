"""The report on a call: its parts are those that the public functions give."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_logprobs import confidence_of, low_confidence_stretches, read_logprobs
from tests.support import entry

PROSE = [
    entry("Lima", -0.1),
    entry(" was", -3.0),
    entry(" not", -0.1),
    entry(" founded", -0.1),
    entry(" by", -2.0),
    entry(" Pizarro", -0.1),
    entry(" in", -0.1),
    entry(" 15", -0.1),
    entry("35", -2.5),
    entry(".", -3.0),
]


def message(entries: list[Any], **kwargs: Any) -> AIMessage:
    text = "".join(each["token"] for each in entries)
    return AIMessage(text, response_metadata={"logprobs": {"content": entries}}, **kwargs)


def test_the_stretches_are_those_of_the_public_function() -> None:
    answer = message(PROSE)
    report = confidence_of(answer)
    (tokens,) = read_logprobs(answer)
    assert list(report.stretches) == low_confidence_stretches(tokens, str(answer.content))
    assert [stretch.text for stretch in report.stretches] == ["was", "by", "1535"]
    assert report.stretch_count == 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_choice_with_tokens_is_enough(order: tuple[int, int]) -> None:
    with_tokens = ChatGeneration(message=message(PROSE))
    without = ChatGeneration(message=AIMessage("Quito"))
    both = [with_tokens, without]
    report = confidence_of(LLMResult(generations=[[both[index] for index in order]]))
    assert report.has_tokens
    assert report.measures.scored_count == 10
    assert not confidence_of(without).has_tokens
