"""The distribution over the allowed values of a field: the trie walk of the reference, and its traps."""

import math
from enum import Enum
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.distribution import Distribution
from tests.profile import examples
from tests.token_lists import VECTOR_C, tokens_of


def spread_of(tokens, schema, path: str = "/a", text: str | None = None) -> Distribution:
    spread = field_confidences(tokens, text, schema=schema)[path].distribution
    assert spread is not None
    total = spread.coverage + spread.unresolved + spread.other
    assert total <= 1 + 1e-12
    assert spread.unseen == pytest.approx(1 - total, abs=1e-12)
    for label in spread.labels:
        assert 0 <= label.mass <= label.upper <= 1
    return spread


def masses(spread: Distribution) -> dict:
    return {label.value: label.mass for label in spread.labels}


def labels(*values) -> dict:
    return {"properties": {"a": {"enum": list(values)}}}


SPAM = labels("not_spam", "not_sure", "spam")
NOT = ["not", -0.2, [["not", -0.2], ["spam", -1.9]]]
_SPAM = ["_spam", -0.3, [["_spam", -0.3], ["_sure", -1.4]]]


class TestTheReferencesExamples:
    def test_alternatives_at_two_tokens(self) -> None:
        spread = spread_of(tokens_of(['{"a":"', 0.0], NOT, _SPAM, ['"}', -0.1]), SPAM)
        assert masses(spread) == pytest.approx({"not_spam": 0.606531, "not_sure": 0.201897, "spam": 0.149569}, abs=1e-6)
        assert spread.coverage == pytest.approx(0.957996, abs=1e-6)
        shares = [label.probability for label in spread.labels]
        assert shares == pytest.approx([0.633125, 0.210749, 0.156127], abs=1e-6)
        assert [label.value for label in spread.labels] == ["not_spam", "not_sure", "spam"]  # best first

    def test_label_of_vector_c(self) -> None:
        schema = {"properties": {"label": {"enum": ["positive", "negative", "neutral"]}}}
        spread = spread_of(tokens_of(*VECTOR_C), schema, "/label")
        quote = math.exp(-0.002)  # the token with the opening quote, which the reference leaves out
        assert masses(spread) == pytest.approx(
            {"positive": quote * 0.704688, "negative": quote * 0.090718, "neutral": quote * 0.201897}, abs=1e-6
        )
        assert spread.coverage == pytest.approx(quote * 0.997303, abs=1e-6)
        assert spread.unresolved == pytest.approx(math.exp(-6.5) + math.exp(-9.1))  # the colon or the key's quote alone
        assert {label.value: label.probability for label in spread.labels} == pytest.approx(
            {"positive": 0.706594, "negative": 0.090963, "neutral": 0.202443}, abs=1e-6
        )

    def test_boolean_of_vector_c_needs_no_schema(self) -> None:
        spread = spread_of(tokens_of(*VECTOR_C), None, "/ok")
        assert masses(spread) == pytest.approx({True: 0.860708, False: 0.135335}, abs=1e-6)
        assert spread.other == pytest.approx(0.002479, abs=1e-6)

    def test_a_label_that_begins_another(self) -> None:
        tokens = tokens_of(['{"a":"', 0.0], ["pos", -0.2, [["pos", -0.2], ["neg", -2.0]]],
                           ['"}', -0.5, [['"}', -0.5], ["itive", -1.2]]])  # fmt: skip
        spread = spread_of(tokens, labels("pos", "positive", "neg"))
        assert masses(spread) == pytest.approx({"pos": 0.496585, "positive": 0.246597, "neg": 0.135335}, abs=1e-6)


class TestWhereALabelBeginsInsideAToken:
    def test_token_with_the_opening_quote(self) -> None:
        tokens = tokens_of(
            ['{"a":', -0.1], ['"spam', -0.5, [['"spam', -0.5], ['"not', -1.2], ["null", -4.0]]], ['"}', -0.1]
        )
        spread = spread_of(tokens, SPAM)
        assert masses(spread)["spam"] == pytest.approx(math.exp(-0.5))
        assert spread.unresolved == pytest.approx(math.exp(-1.2))  # not_spam or not_sure: nothing says which
        assert spread.other == pytest.approx(math.exp(-4))
        upper = {label.value: label.upper for label in spread.labels}
        assert upper["not_sure"] == pytest.approx(math.exp(-1.2) + spread.unseen)
        assert upper["spam"] == pytest.approx(math.exp(-0.5) + spread.unseen)

    def test_token_with_closing_quote_and_brace(self) -> None:
        tokens = tokens_of(['{"a":"', 0.0], ['spam"}', -0.5, [['spam"}', -0.5], ["not", -1.0]]])
        spread = spread_of(tokens, SPAM)
        assert masses(spread) == pytest.approx({"spam": math.exp(-0.5), "not_spam": 0, "not_sure": 0})

    def test_token_that_begins_before_the_value(self) -> None:
        token = [
            '": "not',
            -0.4,
            [['": "not', -0.4], ['": "spam', -1.5], ['":', -3.0], ['":"spam', -4.0], ["_x", -5.0]],
        ]
        spread = spread_of(tokens_of(['{"a', -0.1], token, _SPAM, ['"}', -0.1]), SPAM)
        assert masses(spread)["spam"] == pytest.approx(math.exp(-1.5) + math.exp(-4))  # white space does not matter
        assert spread.unresolved == pytest.approx(math.exp(-3))  # the colon alone: any value can follow
        assert spread.other == pytest.approx(math.exp(-5))

    def test_white_space_and_empty_alternatives_say_nothing_yet(self) -> None:
        token = ["true", -0.5, [["true", -0.5], ["", -2.0], [" ", -2.5], [" false", -3.0], ["\ufffd", -4.0]]]
        spread = spread_of(tokens_of(['{"a":', -0.1], token, ["}", -0.1]), None)
        assert masses(spread) == pytest.approx({True: math.exp(-0.5), False: math.exp(-3)})
        assert spread.unresolved == pytest.approx(math.exp(-2) + math.exp(-2.5) + math.exp(-4))

    def test_null_in_two_tokens(self) -> None:
        tokens = tokens_of(
            ['{"a":', -0.1], ["nu", -0.5, [["nu", -0.5], ["true", -1.5]]], ["ll", -0.1, [["ll", -0.1]]], ["}", -0.1]
        )
        spread = spread_of(tokens, {"properties": {"a": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}}})
        assert masses(spread) == pytest.approx({None: math.exp(-0.5), True: math.exp(-1.5), False: 0})

    def test_fence(self) -> None:
        tokens = tokens_of(["```json\n", -0.1], ['{"a":"', 0.0], NOT, _SPAM, ['"}', -0.1], ["\n```", -0.1])
        assert masses(spread_of(tokens, SPAM))["not_spam"] == pytest.approx(math.exp(-0.5))


class TestNumbersAndSpellings:
    def test_one_is_not_the_beginning_of_ten_once_it_ended(self) -> None:
        tokens = tokens_of(
            ['{"a":', -0.1], ["1", -0.3, [["1", -0.3], ["2", -2.0]]], ["}", -0.4, [["}", -0.4], ["0", -1.5]]]
        )
        spread = spread_of(tokens, labels(1, 10, 2))
        assert masses(spread) == pytest.approx({1: math.exp(-0.7), 10: math.exp(-1.8), 2: math.exp(-2)})

    def test_ten_is_not_one(self) -> None:
        spread = spread_of(
            tokens_of(['{"a":', -0.1], ["10", -0.3, [["10", -0.3], ["1", -2.0]]], ["}", -0.4]), labels(1, 10)
        )
        assert masses(spread) == pytest.approx({10: math.exp(-0.3), 1: 0})
        assert spread.unresolved == pytest.approx(math.exp(-2))

    @pytest.mark.parametrize(
        "behind, expected", [([["<|end|>", -0.4]], {1: math.exp(-0.7), 10: 0}), ([], {1: 0, 10: 0})]
    )
    def test_number_at_the_end_of_the_answer(self, behind, expected) -> None:
        spread = spread_of(tokens_of(["1", -0.3, [["1", -0.3], ["2", -2.0]]], *behind), Literal[1, 10], "", "1")
        assert masses(spread) == pytest.approx(expected)

    def test_text_after_the_answer_that_is_no_token_of_it(self) -> None:
        tokens = tokens_of(["[", -0.1], ["1", -0.3, [["1", -0.3], ["2", -2.0]]], ["<|tool|>", -0.2], ["]", -0.1])
        spread = spread_of(tokens, {"items": {"enum": [1, 10]}}, "/0", "[1]")
        assert spread.unresolved == pytest.approx(math.exp(-0.3))

    @pytest.mark.parametrize("raw, label", [("1.0", 1), ("1e0", 1), ('"caf\\u00e9"', "café"), ('"a\\/b"', "a/b")])
    def test_the_emitted_spelling_counts(self, raw: str, label: object) -> None:
        spread = spread_of(tokens_of(['{"a":', -0.1], [raw, -0.3, [[raw, -0.3]]], ["}", -0.4]), labels(label, "x"))
        assert masses(spread)[label] == pytest.approx(math.exp(-0.3))

    def test_true_is_not_one(self) -> None:
        spread = spread_of(tokens_of(['{"a":', -0.1], ["true", -0.3, [["1", -2.0]]], ["}", -0.4]), labels(1, 2))
        assert (masses(spread), spread.other) == ({1: pytest.approx(math.exp(-2)), 2: 0}, pytest.approx(math.exp(-0.3)))

    def test_more_digits_than_python_reads(self) -> None:
        digits = "9" * 5000
        spread = spread_of(tokens_of(['{"a":', -0.1], [digits, -0.3, [["1", -2.0]]], ["}", -0.4]), labels(1, 2))
        assert spread.other == pytest.approx(math.exp(-0.3))


class TestHonesty:
    def test_no_alternatives_no_distribution(self) -> None:
        assert field_confidences(tokens_of(["[true", -0.1], ["]", -0.1]))["/0"].distribution is None

    def test_truncated_value_has_none(self) -> None:
        assert field_confidences(tokens_of(["[", -0.1], ["tru", -0.1, [["tru", -0.1]]]))["/0"].distribution is None

    def test_censored_alternative_has_no_mass(self) -> None:
        spread = spread_of(tokens_of(["[", 0.0], ["true", -0.1, [["false", -9999.0]]], ["]", 0.0]), None, "/0")
        assert masses(spread) == {True: pytest.approx(math.exp(-0.1)), False: 0}

    def test_censored_token_has_no_more_than_its_alternatives_leave(self) -> None:
        tokens = tokens_of(["[", 0.0], ["true", -9999.0, [["false", -0.1], ["null", -3.0]]], ["]", 0.0])
        spread = spread_of(tokens, None, "/0")
        rest = 1 - math.exp(-0.1) - math.exp(-3)
        assert masses(spread) == {False: pytest.approx(math.exp(-0.1)), True: 0}
        assert spread.unresolved == pytest.approx(rest)

    def test_nothing_covered(self) -> None:
        spread = spread_of(tokens_of(['{"a":', -0.1], ['"x"', -0.3, [['"y"', -2.0]]], ["}", -0.4]), labels("p", "q"))
        assert [label.probability for label in spread.labels] == [None, None]
        assert spread.other == pytest.approx(math.exp(-0.3) + math.exp(-2))

    def test_rounded_probabilities_that_add_up_to_more_than_one(self) -> None:
        spread = spread_of(
            tokens_of(["[", 0.0], ["true", 0.0, [["false", -1e-5], ["null", -1e-5]]], ["]", 0.0]), None, "/0"
        )
        assert spread.coverage == 1
        assert spread.other == 0

    def test_the_same_text_twice_is_two_tokens(self) -> None:
        spread = spread_of(
            tokens_of(["[", 0.0], ["true", -1.0, [["true", -1.0], ["true", -2.0]]], ["]", 0.0]), None, "/0"
        )
        assert masses(spread)[True] == pytest.approx(math.exp(-1) + math.exp(-2))

    def test_lost_bytes_inside_a_label(self) -> None:
        tokens = tokens_of(['{"a":"', 0.0], ["\ufffd", -0.5, [["\ufffd", -0.5], ["x", -1.5]]],
                           ["\ufffd", -0.25, [["\ufffd", -0.25], ["\ufffd", -2.0]]], ['"}', -0.1])  # fmt: skip
        spread = spread_of(tokens, labels("日", "月", "x"), text='{"a":"日"}')
        assert masses(spread) == pytest.approx({"日": math.exp(-0.75), "x": math.exp(-1.5), "月": 0})
        assert spread.unresolved == pytest.approx(math.exp(-2.5))  # 日 or 月, or x not any more


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    "schema", [Colour, Literal["red", "blue"], {"enum": ["red", "blue"]}, '{"enum": ["red", "blue"]}']
)
def test_bare_scalar_under_any_kind_of_schema(schema) -> None:
    tokens = tokens_of(['"', 0.0], ["red", -0.5, [["blue", -1.0]]], ['"', -0.1])
    spread = spread_of(tokens, schema, "")
    assert masses(spread) == pytest.approx({"red": math.exp(-0.5), "blue": math.exp(-1)})


WORDS = st.text('ab"é日', min_size=1, max_size=4)


@settings(max_examples=examples(300))
@given(st.data(), st.lists(WORDS, min_size=2, max_size=5, unique=True))
def test_against_the_whole_distribution(data: st.DataObject, values: list[str]) -> None:
    """A model that says one character a token and shows every continuation: the walk finds each label's probability."""
    import json

    texts = [json.dumps(value, ensure_ascii=False)[1:] for value in values]  # from behind the opening quote
    weights = data.draw(st.lists(st.floats(0.01, 1), min_size=len(values), max_size=len(values)))
    truth = [weight / math.fsum(weights) for weight in weights]
    chosen = data.draw(st.integers(0, len(values) - 1))
    entries = [['{"a":"', 0.0]]
    for position, char in enumerate(texts[chosen]):
        alike = [i for i in range(len(texts)) if texts[i][:position] == texts[chosen][:position]]
        total = math.fsum(truth[i] for i in alike)
        following: dict[str, float] = {}
        for i in alike:
            following[texts[i][position]] = following.get(texts[i][position], 0) + truth[i] / total
        alternatives = [[other, math.log(p)] for other, p in following.items()]
        entries.append([char, math.log(following[char]), alternatives])
    tokens = tokens_of(*entries, ["}", 0.0])
    spread = spread_of(tokens, labels(*values))
    found = masses(spread)
    # Exact for the emitted one; the others are exact or, where they share an untaken branch, unresolved.
    assert found[values[chosen]] == pytest.approx(truth[chosen])
    assert spread.coverage + spread.unresolved == pytest.approx(1)
    for value, probability in zip(values, truth, strict=True):
        label = next(label for label in spread.labels if label.value == value)
        assert label.mass - 1e-9 <= probability <= label.upper + 1e-9
