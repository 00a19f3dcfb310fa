"""The confidence of a value is the probability of this very value: of its start, its core and its end."""

import math
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.report import LONG_TEXT_TOKENS, Field
from tests.token_lists import tokens_of


def ln(probability: float) -> float:
    return math.log(probability)


def said(text: str, probability: float, **others: float) -> list:
    """A token with its alternatives; `_` in a name stands for a space, and `quote` for a quote."""
    names = {name.replace("quote", '"').replace("_", " "): value for name, value in others.items()}
    return [text, ln(probability), [[text, ln(probability)], *([name, ln(value)] for name, value in names.items())]]


GOOD = [['{"a":', -0.0], said(' "', 0.55, _null=0.45), said("good", 0.9, bad=0.1), ['"}', -0.0]]


class Ticket(BaseModel):
    kind: Literal["refund", "return_item"]


def field(entries: list, schema: object = None, path: str = "/a") -> Field:
    return field_confidences(tokens_of(*entries), schema=schema)[path]


class TestWhereItBegins:
    @pytest.mark.parametrize("schema", [
        {"properties": {"a": {"enum": ["good", "bad", None]}}},
        {"properties": {"a": {"anyOf": [{"const": "good"}, {"const": "bad"}, {"type": "null"}]}}},
        {"properties": {"a": {"type": "string", "enum": ["good", "bad"], "nullable": True}}},
    ])  # fmt: skip
    def test_null_in_a_closed_list(self, schema: dict) -> None:
        one = field(GOOD, schema)
        assert one.confidence == one.probability == pytest.approx(0.495)
        assert (one.start_probability, one.min_probability, one.min_index) == (
            pytest.approx(0.55),
            pytest.approx(0.55),
            1,
        )
        assert one.distribution is not None
        assert {label.value: label.mass for label in one.distribution.labels} == pytest.approx(
            {"good": 0.495, "bad": 0.055, None: 0.45}
        )
        assert {label.value: label.upper for label in one.distribution.labels} == pytest.approx(
            {"good": 0.495, "bad": 0.055, None: 0.45}
        )
        assert one.runner_up is not None
        assert (one.runner_up.value, one.runner_up.kind) == (None, "null")
        assert one.runner_up.probability == pytest.approx(0.45)
        assert str(one.runner_up) == "null"

    @pytest.mark.parametrize("inner", [
        {"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "STRING", "nullable": True}, {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/s"}]},
    ])  # fmt: skip
    def test_optional_text(self, inner: dict) -> None:
        one = field(GOOD, {"properties": {"a": inner}, "$defs": {"s": {"type": "string"}}})
        assert one.confidence == pytest.approx(0.495)
        assert one.runner_up is not None
        assert (one.runner_up.value, one.runner_up.probability) == (None, pytest.approx(0.45))
        assert one.distribution is not None
        assert [(kind.kind, kind.mass) for kind in one.distribution.kinds] == [("string", pytest.approx(0.55))]

    def test_null_where_a_text_was_as_likely(self) -> None:
        one = field([['{"a":', -0.0], said(" null", 0.55, _quote=0.44), ["}", -0.0]],
                    {"properties": {"a": {"type": ["string", "null", "integer"]}}})  # fmt: skip
        assert one.confidence == pytest.approx(0.55)
        assert one.runner_up is not None
        assert (one.runner_up.only_kind, str(one.runner_up)) == (True, "any string")
        assert one.runner_up.probability == pytest.approx(0.44)
        assert [(kind.kind, kind.mass) for kind in one.distribution.kinds] == [  # type: ignore[union-attr]
            ("string", pytest.approx(0.44)), ("number", 0.0)]  # fmt: skip

    def test_optional_object_and_list(self) -> None:
        schema = {"properties": {"a": {"anyOf": [{"type": "object"}, {"type": "null"}]}}}
        entries = [['{"a":', -0.0], [" {", ln(0.51), [[" {", ln(0.51)], [" null", ln(0.49)]]], ['"b":', -0.0],
                   ["1", -0.0], ["}}", -0.0]]  # fmt: skip
        one = field(entries, schema)
        assert (one.confidence, one.start_probability) == (pytest.approx(0.51), pytest.approx(0.51))
        assert str(one.runner_up) == "null"
        assert field_confidences(tokens_of(*entries))["/a/b"].confidence == pytest.approx(1.0)
        entries = [['{"a":', -0.0], [" [", ln(0.51), [[" null", ln(0.4)], [" []", ln(0.09)]]], ['"', -0.0], ["b", -0.0],
                   ['"]}', -0.0]]  # fmt: skip
        assert field(entries).confidence == pytest.approx(0.6)  # an empty list is a list too

    def test_the_quote_in_a_token_with_the_first_letters(self) -> None:
        one = field([['{"a":', -0.0], [' "go', ln(0.5), [[" null", ln(0.5)]]], ["od", -0.0], ['"}', -0.0]])
        assert (one.start_probability, one.confidence) == (None, pytest.approx(0.5))  # it counts as the core's

    def test_the_quote_with_other_white_space_is_the_same(self) -> None:
        one = field([['{"a":', -0.0], [' "', ln(0.5), [['"', ln(0.3)], ['\n"', ln(0.1)], ['"g', ln(0.1)]]],
                     ["good", -0.0], ['"}', -0.0]])  # fmt: skip
        assert one.start_probability == pytest.approx(0.9)

    def test_long_text_that_was_nearly_null(self) -> None:
        one = field([['{"a":', -0.0], said(' "', 0.51, _null=0.49), *[["word ", ln(0.9)]] * 30, ['"}', ln(0.2)]])
        assert (one.basis, one.confidence) == ("token", pytest.approx(0.51 * 0.9))


class TestWhereItEnds:
    def test_a_number_that_would_more_likely_have_gone_on(self) -> None:
        one = field([['{"a":', -0.0], [" 4", ln(0.98)], ["}", ln(0.4), [["}", ln(0.4)], ["2", ln(0.6)]]]])
        assert one.confidence == pytest.approx(0.98 * 0.4)
        assert (one.end_probability, one.min_probability, one.min_index) == (pytest.approx(0.4), pytest.approx(0.4), 2)

    def test_a_label_that_begins_another(self) -> None:
        entries = [['{"a":"', -0.0], ["a", ln(0.98)], ['"}', ln(0.5), [['"}', ln(0.5)], ["b", ln(0.5)]]]]
        one = field(entries, {"properties": {"a": {"enum": ["a", "ab"]}}})
        assert one.confidence == pytest.approx(0.49)
        assert {label.value: label.mass for label in one.distribution.labels} == pytest.approx(  # type: ignore[union-attr]
            {"a": 0.49, "ab": 0.49}
        )
        assert (one.runner_up.value, one.runner_up.probability) == ("ab", pytest.approx(0.49))  # type: ignore[union-attr]

    def test_all_that_ends_it_counts(self) -> None:
        one = field(
            [["[", -0.0], ["4", -0.0], ["]", ln(0.5), [[",", ln(0.2)], ["\n", ln(0.1)], ["2", ln(0.2)]]]], path="/0"
        )
        assert one.confidence == pytest.approx(0.8)

    def test_a_number_at_the_cut_has_no_end(self) -> None:
        one = field([["[", -0.0], ["4", ln(0.5)]], path="/0")
        assert (one.closed, one.end_probability, one.confidence) == (False, None, pytest.approx(0.5))

    @pytest.mark.parametrize(
        "text, kind", [("true", "boolean"), ("null", "null"), ("-1.5e3", "number"), ('"日本"', "string")]
    )
    def test_every_kind(self, text: str, kind: str) -> None:
        one = field(
            [["[", -0.0], [text[:1], ln(0.8)], [text[1:], ln(0.9)], ["]", ln(0.7), [["}", ln(0.2)]]]], path="/0"
        )
        assert (one.kind, one.confidence) == (kind, pytest.approx(0.8 * 0.9 * 0.9 if kind != "string" else 0.8 * 0.9))


def test_the_same_number_with_and_without_a_schema() -> None:
    entries = [['{"kind": "', -0.0], ["return", ln(0.55)], ["_", ln(0.999)], ["item", ln(0.999)], ['"}', -0.0]]
    without, with_schema = field(entries, path="/kind"), field(entries, Ticket, "/kind")
    assert without.confidence == with_schema.confidence == pytest.approx(0.55 * 0.999**2)
    assert without.basis == with_schema.basis == "value"


@pytest.mark.parametrize(
    "schema", [None, {"properties": {"a": {"type": "boolean"}}}, {"properties": {"a": {"enum": [True, False]}}}]
)
def test_the_runner_up_is_not_the_value_itself(schema: object) -> None:
    # sampled against the odds
    one = field([['{"a":', -0.0], said(" true", 0.3, _false=0.7), ["}", -0.0]], schema)
    assert (one.value, one.confidence) == (True, pytest.approx(0.3))
    assert (one.runner_up.value, one.runner_up.probability) == (False, pytest.approx(0.7))  # type: ignore[union-attr]


@pytest.mark.parametrize("value, others, runner_up", [
    ("open", {"paid": 0.449}, "paid"), ("paid", {"open": 0.2}, "open"), ("zzz", {"open": 0.1, "paid": 0.3}, "paid"),
    ("open", {"xyz": 0.4}, None), ("paid", {"open": 0.2, "op": 0.7}, "open"),
])  # fmt: skip
def test_runners_up_of_a_closed_list(value: str, others: dict, runner_up: str | None) -> None:
    one = field(
        [['{"a":"', -0.0], said(value, 0.3, **others), ['"}', -0.0]], {"properties": {"a": {"enum": ["open", "paid"]}}}
    )
    assert (one.runner_up and one.runner_up.value) == runner_up


def test_one_of_a_hundred_constants() -> None:
    schema = {"properties": {"a": {"anyOf": [{"const": f"c{number}"} for number in range(100)]}}}
    entries = [['{"a":"', -0.0], said("c71", 0.73, c99=0.15, nothing=0.08), ['"}', -0.0]]
    one = field(entries, schema)
    assert one.distribution is not None
    assert one.distribution.coverage == pytest.approx(0.88)
    assert one.distribution.other == pytest.approx(0.08)
    assert one.runner_up is not None
    assert one.runner_up.value == "c99"


@pytest.mark.parametrize("length, basis", [(1, "value"), (LONG_TEXT_TOKENS, "value"), (LONG_TEXT_TOKENS + 1, "token")])
def test_the_border_between_short_and_long(length: int, basis: str) -> None:
    one = field([['{"a":"', -0.0], *[["x", ln(0.9)]] * length, ['"}', -0.0]])
    assert one.basis == basis
    assert one.confidence == pytest.approx(0.9**length if basis == "value" else 0.9)
    assert one.probability == pytest.approx(0.9**length)


class TestCensored:
    def test_a_field_is_marked_and_the_least_certain_one(self) -> None:
        tokens = tokens_of(['{"total": ', -0.01], ["42", -9999.0, [["42", -9999.0], ["43", ln(0.6)], ["44", ln(0.01)]]],
                           [', "name": "', -0.01], ["x", -0.01], ['"}', -0.01])  # fmt: skip
        report = field_confidences(tokens)
        total = report["/total"]
        assert (total.confidence, total.probability, total.censored_count, total.min_index) == (None, None, 1, 1)
        assert total.confidence_bound == pytest.approx(0.01 * math.exp(-0.01))
        assert report.least is total
        assert report.below(0.8) == [total]
        assert (report[""].confidence, report[""].confidence_bound) == (None, total.confidence_bound)
        assert report["/name"].confidence_bound is None

    def test_a_censored_quote(self) -> None:
        one = field([['{"a":', -0.0], [' "', None, [[" null", ln(0.7)], [" 1", ln(0.2)]]], ["x", -0.0], ['"}', -0.0]])
        assert (one.confidence, one.censored_count, one.min_index) == (None, 1, 1)
        assert one.confidence_bound == pytest.approx(0.1)

    def test_a_censored_end(self) -> None:
        one = field([["[", -0.0], ["4", ln(0.5)], ["]", -9999.0]], path="/0")
        assert (one.confidence, one.censored_count, one.confidence_bound) == (None, 1, pytest.approx(0.5))
        known = field([["[", -0.0], ["4", ln(0.5)], ["]", -9999.0, [[",", ln(0.4)]]]], path="/0")
        assert (known.confidence, known.censored_count) == (pytest.approx(0.2), 0)  # a comma would have ended it too

    def test_a_long_text(self) -> None:
        one = field([['{"a":"', -0.0], *[["x", ln(0.9)]] * 19, ["y", None], ['"}', -0.0]])
        assert (one.basis, one.confidence) == ("token", None)
        assert one.confidence_bound == pytest.approx(0.9 ** (19 / 20))

    def test_no_alternatives_and_nothing_known(self) -> None:
        one = field([["[", -0.0], ["4", None], ["]", -0.0]], path="/0")
        assert (one.confidence, one.confidence_bound) == (None, 1.0)


class TestOtherSpellings:
    """Servers that send a vocabulary's own spelling: the alternatives are read as the tokens are."""

    SCHEMA: ClassVar = {
        "properties": {"a": {"enum": ["good day", "bad day", None]}, "n": {"type": ["integer", "null"]}}
    }

    @pytest.mark.parametrize("space", ["\u0120", "\u2581"])
    def test_byte_level_and_sentencepiece(self, space: str) -> None:
        tokens = tokens_of(
            ['{"a":', -0.0], [space + '"', ln(0.6), [[space + "null", ln(0.4)]]],
            ["good", ln(0.9), [["bad", ln(0.1)]]], [space + "day", -0.0], ['",', -0.0], [space + '"n":', -0.0],
            [space + "4", ln(0.7), [[space + "null", ln(0.2)]]],
            [space + "}", ln(0.5), [["}", ln(0.3)], ["2", ln(0.2)]]],
        )  # fmt: skip
        report = field_confidences(tokens, '{"a": "good day", "n": 4 }', schema=self.SCHEMA)
        assert report["/a"].confidence == pytest.approx(0.54)
        assert (report["/a"].runner_up.value, report["/a"].runner_up.probability) == (None, pytest.approx(0.4))  # type: ignore[union-attr]
        assert report["/n"].confidence == pytest.approx(0.7 * 0.8)
        assert str(report["/n"].runner_up) == "null"

    def test_a_bare_label(self) -> None:
        tokens = tokens_of(["\u0120yes", ln(0.6), [["\u0120no", ln(0.3)]]], ["\u0120", -0.0])
        one = field_confidences(tokens, "yes", schema={"enum": ["yes", "no"]})[""]
        assert (one.value, one.runner_up.value) == ("yes", "no")  # type: ignore[union-attr]
