"""An answer that is one label: of a closed list that the request names, or of what the alternatives show."""

import math
from enum import Enum
from typing import Literal

import pytest

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.report import Field, FieldStatus
from tests.token_lists import tokens_of


class Mood(Enum):
    GOOD = "positive"
    BAD = "negative"
    SO_SO = "not sure"
    NOT = "not"


END = ["<|im_end|>", math.log(0.9), [["<|im_end|>", math.log(0.9)], [" sure", math.log(0.05)]]]


def label(entries: list, schema: object = None, text: str | None = None) -> Field:
    report = field_confidences(tokens_of(*entries), text, schema=schema)
    assert report.status is FieldStatus.LABEL
    assert [one.path for one in report.fields] == [""]
    return report[""]


def masses(one: Field) -> dict:
    assert one.distribution is not None
    return {label.value: label.mass for label in one.distribution.labels}


@pytest.mark.parametrize("schema", [
    Mood, {"enum": [member.value for member in Mood]}, {"type": "STRING", "enum": [member.value for member in Mood]},
    Literal["positive", "negative", "not sure", "not"],
])  # fmt: skip
class TestClosedList:
    def test_in_two_tokens(self, schema: object) -> None:
        one = label([["pos", math.log(0.6), [["neg", math.log(0.3)], ["not", math.log(0.1)]]], ["itive", -0.0]], schema)
        assert (one.value, one.kind, one.confidence) == ("positive", "string", pytest.approx(0.6))
        assert masses(one) == pytest.approx({"positive": 0.6, "negative": 0.3, "not sure": 0, "not": 0})
        assert one.distribution.unresolved == pytest.approx(0.1)  # type: ignore[union-attr]
        assert one.runner_up is not None
        assert (one.runner_up.value, one.runner_up.probability) == ("negative", pytest.approx(0.3))

    def test_one_that_begins_another(self, schema: object) -> None:
        one = label([["not", math.log(0.5)], END], schema, "not")
        assert one.confidence == pytest.approx(0.5 * 0.95)  # a space would have ended the word too
        assert masses(one) == pytest.approx({"not": 0.45, "not sure": 0.025, "positive": 0, "negative": 0})
        assert (one.start, one.core_start, one.core_end, one.end) == (0, 0, 3, 3)

    @pytest.mark.parametrize("text", [" positive", "positive\n", "\n positive \n"])
    def test_white_space_around_it(self, schema: object, text: str) -> None:
        assert label([[text, -0.5, [["negative", -1.0]]]], schema).value == "positive"

    def test_with_two_words(self, schema: object) -> None:
        assert label([["not", -0.1, [["positive", -3.0]]], [" sure", -0.2]], schema).value == "not sure"

    def test_as_json_it_is_json(self, schema: object) -> None:
        report = field_confidences(
            tokens_of(['"', -0.0], ["not", -0.5, [["positive", -1.0]]], ['"', -0.0]), schema=schema
        )
        assert report.status is FieldStatus.OK
        assert (report[""].value, report[""].runner_up.value) == ("not", "positive")  # type: ignore[union-attr]

    @pytest.mark.parametrize("text", ["positive.", "Positive", "I think: positive", "?"])
    def test_none_of_them(self, schema: object, text: str) -> None:
        assert field_confidences(tokens_of([text, -0.1, [["x", -3.0]]]), schema=schema).status is FieldStatus.NO_JSON


def test_numbers_as_texts() -> None:
    one = label([["2", math.log(0.61), [["1", math.log(0.3)], ["3", math.log(0.08)]]]], {"enum": ["1", "2", "3"]})
    assert (one.value, one.confidence) == ("2", pytest.approx(0.61))
    assert masses(one) == pytest.approx({"2": 0.61, "1": 0.3, "3": 0.08})


def test_numbers_as_numbers_are_json() -> None:
    tokens = tokens_of(["2", math.log(0.61), [["1", math.log(0.3)], ["3", math.log(0.08)]]], ["", -0.0])
    report = field_confidences(tokens, "2", schema={"enum": [1, 2, 3]})
    assert report.status is FieldStatus.OK
    assert (report[""].value, report[""].runner_up.value) == (2, 1)  # type: ignore[union-attr]


class TestWhatTheAlternativesShow:
    def test_a_word(self) -> None:
        one = label([["spam", math.log(0.6), [["spam", math.log(0.6)], ["ham", math.log(0.3)], ["</s>", math.log(0.05)],
                                              [" ham", math.log(0.02)]]]])  # fmt: skip
        assert masses(one) == pytest.approx({"spam": 0.6, "ham": 0.32})
        assert one.distribution.other == pytest.approx(0.05)  # type: ignore[union-attr]

    def test_a_number(self) -> None:
        tokens = tokens_of(["2", math.log(0.61), [["1", math.log(0.3)], ["3", math.log(0.08)], ["two", -9.0]]])
        report = field_confidences(tokens)
        assert report.status is FieldStatus.OK  # a number alone is JSON
        assert (report[""].value, report[""].runner_up.value) == (2, 1)  # type: ignore[union-attr]

    @pytest.mark.parametrize("word", ["да", "正", "sí", "B", "yes"])
    def test_any_language(self, word: str) -> None:
        one = label([[word, math.log(0.6), [["no", math.log(0.3)]]], ["<eos>", -0.0]], text=word)
        assert (one.value, one.runner_up.value) == (word, "no")  # type: ignore[union-attr]

    @pytest.mark.parametrize("entries", [
        [["spam", -0.5]],  # no alternatives
        [["sp", -0.5, [["h", -1.0]]], ["am", -0.1]],  # what "h" would have become is not known
        [["not spam", -0.5, [["spam", -1.0]]]], [["...", -0.5, [["no", -1.0]]]], [["x" * 101, -0.5, [["no", -1.0]]]],
        [["spam", -0.5, [["spam", -0.5], [" ", -2.0], ["\ufffd", -3.0], [".", -4.0]]]],
    ])  # fmt: skip
    def test_too_little_to_tell(self, entries: list) -> None:
        assert field_confidences(tokens_of(*entries)).status is FieldStatus.NO_JSON
