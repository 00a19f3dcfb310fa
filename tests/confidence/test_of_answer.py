"""`confidence_of`: one report, whatever form the answer is in, and an error with the cure for what is no answer."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from pydantic import BaseModel

from langchain_logprobs import confidence_of, field_confidences, read_logprobs
from tests.golden.answers import answers
from tests.repros.calls import entries, told
from tests.support import entry


class Review(BaseModel):
    """A structured answer."""

    product: str
    stars: int


TEXT = '{"product": "pen", "stars": 4}'
TOKENS = [('{"product": "', -0.01), ("pen", -0.3), ('", "stars": ', -0.01), ("4", -1.5), ("}", -0.01)]
MESSAGE = AIMessage(TEXT, response_metadata={"logprobs": {"content": entries(TOKENS)}})


def test_the_end_mark_counts_neither_in_the_program_nor_on_the_span() -> None:
    said = told(AIMessage("Joe"), [("Joe", math.log(0.5)), ("<|im_end|>", math.log(0.99))])
    assert said["confidence.score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "answer",
    [
        ChatGeneration(message=MESSAGE),
        LLMResult(generations=[[ChatGeneration(message=MESSAGE)]]),
        {"raw": MESSAGE, "parsed": Review(product="pen", stars=4), "parsing_error": None},
        {"raw": MESSAGE, "parsed": None, "parsing_error": ValueError("x")},
        Generation(text=TEXT, generation_info={"logprobs": {"content": entries(TOKENS)}}),
    ],
    ids=["generation", "result", "include_raw", "include_raw without a parsed answer", "completion"],
)
def test_every_form_of_an_answer_gives_the_same_report(answer: Any) -> None:
    expected = confidence_of(MESSAGE, schema=Review).to_dict()
    assert confidence_of(answer, schema=Review).to_dict() == expected


@pytest.mark.parametrize("name", ["providers", "model"])
def test_recorded_answers_give_the_same_report_in_every_form(name: str) -> None:
    count = 0
    for answer in answers(name):
        report = confidence_of(answer.message, schema=answer.schema) if answer.message is not None else None
        if report is None or len(answer.result.generations[0]) != 1:
            continue
        count += 1
        assert confidence_of(answer.result.generations[0][0], schema=answer.schema).to_dict() == report.to_dict()
        assert confidence_of(answer.result, schema=answer.schema).to_dict() == report.to_dict()
        if answer.include_raw is not None:
            assert confidence_of(answer.include_raw, schema=answer.schema).to_dict() == report.to_dict()
    assert count > 20


def test_the_class_of_a_parsed_answer_is_its_schema() -> None:
    class Flag(BaseModel):
        kind: bool

    message = AIMessage('{"kind": true}', response_metadata={"logprobs": {"content": [
        entry('{"kind":', -0.01), entry(" true", -0.9, (" false", -0.6)), entry("}", -0.01)]}})  # fmt: skip
    report = confidence_of({"raw": message, "parsed": Flag(kind=True), "parsing_error": None})
    assert report.fields is not None
    assert report.fields["/kind"].runner_up is not None
    assert report.fields["/kind"].runner_up.value is False


def test_an_answer_without_logprobs_says_so() -> None:
    report = confidence_of(AIMessage("Lima"))
    assert (report.status, report.level, report.score) == ("missing", None, None)
    assert "logprobs=True" in str(report.reason)


@pytest.mark.parametrize("wrong", [Review(product="pen", stars=4), "Lima", None, 4, [MESSAGE], {"a": 1}, object()])
def test_what_is_no_answer_is_refused_with_the_cure(wrong: Any) -> None:
    with pytest.raises(TypeError, match="include_raw=True"):
        confidence_of(wrong)


def test_a_result_of_several_prompts_is_refused() -> None:
    with pytest.raises(TypeError, match="2 prompts"):
        confidence_of(LLMResult(generations=[[ChatGeneration(message=MESSAGE)]] * 2))


def test_the_dict_of_include_raw_has_logprobs() -> None:
    (tokens,) = read_logprobs({"raw": MESSAGE, "parsed": None, "parsing_error": None})
    assert [token.token for token in tokens] == [token[0] for token in TOKENS]


def test_fields_are_found_and_their_absence_is_explained() -> None:
    report = confidence_of(MESSAGE).fields
    assert report is not None
    assert [field.path for field in report] == ["/product", "/stars"]
    assert [field.path for field in report.below(0.5)] == ["/stars"]
    assert "/stars" in report
    with pytest.raises(KeyError, match="/product"):
        report["product"]
    assert str(field_confidences([], '{"a":1}').status) == "no_logprobs"


def test_a_report_is_plain_data() -> None:
    assert json.loads(json.dumps(confidence_of(MESSAGE).to_dict()))["fields"]["/stars"]["value"] == 4


def test_a_humans_message_has_no_logprobs() -> None:
    assert confidence_of(HumanMessage("hi")).status == "missing"
