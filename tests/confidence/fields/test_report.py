"""The confidence of each JSON field: the correct answers of the peers' failure table, and hand computations."""

import json
import math
import pickle

import pytest

from langchain_logprobs.confidence.alignment.align import align
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.report import FieldReport, FieldStatus
from tests.token_lists import VECTOR_C, joints, tokens_of


def check(tokens, expected: dict[str, float | None], text=None, status="ok") -> FieldReport:
    report = field_confidences(tokens, text)
    assert report.status == status
    assert joints(report) == pytest.approx(expected, abs=1e-12)
    return report


class TestWhatThePeersGetWrong:
    """Each row of the table of failures, with the right answer."""

    def test_string_number_and_boolean(self) -> None:
        report = check(tokens_of(*VECTOR_C), {"/label": -0.3502, "/score": -1.65, "/ok": -0.15})
        label, score, ok = report.leaves
        assert label.end_logprob == -0.003
        assert label.end_probability is not None
        assert score.end_probability is not None
        assert label.end_probability == pytest.approx(math.exp(-0.003) + math.exp(-6) + math.exp(-8))
        assert (label.token_start, label.token_count, label.min_index) == (3, 2, 3)
        start = math.exp(-0.002)  # its quote; ":" alone could be followed by anything
        assert (label.start_logprob, label.start_probability) == (-0.002, pytest.approx(start))
        assert label.confidence == label.probability == pytest.approx(start * math.exp(-0.3502) * label.end_probability)
        assert score.start_probability is None  # its first token is that of its core
        assert score.confidence == pytest.approx(math.exp(-1.65) * score.end_probability)
        assert score.min_probability == pytest.approx(math.exp(-0.8))
        # "0" would have gone on with the number
        assert score.end_probability == pytest.approx(math.exp(-0.01) + math.exp(-4.8))
        assert ok.kind == "boolean"
        assert not any(field.straddles or field.shared or field.empty_core for field in report.leaves)

    def test_number_and_comma_in_one_token(self) -> None:
        report = check(tokens_of(['{"a":', -0.1], ["5,", -1.0], ['"b":', -0.1], ["1", -0.2], ["}", -0.1]),
                       {"/a": -1.0, "/b": -0.2})  # fmt: skip
        assert report["/a"].straddles
        assert report["/a"].end_logprob is None
        assert not report["/b"].straddles

    def test_boolean_and_brace_in_one_token(self) -> None:
        report = check(tokens_of(['{"a":', -0.1], ["true}", -1.5]), {"/a": -1.5})
        assert report["/a"].straddles

    def test_closing_quote_and_brace_in_one_token(self) -> None:
        report = check(tokens_of(['{"a":"', -0.04], ["x", -0.5], ["y", -0.7], ['"}', -0.9]), {"/a": -1.2})
        assert report["/a"].end_logprob == -0.9

    def test_one_token_for_two_values(self) -> None:
        report = check(tokens_of(['{"', -0.1], ['a":1,"b":2', -1.2], ["}", -0.1]), {"/a": -1.2, "/b": -1.2})
        assert report["/a"].shared
        assert report["/b"].shared
        assert report[""].joint_logprob == -1.2  # counted once
        assert report[""].token_count == 1

    @pytest.mark.parametrize("halves", [
        [["\\xf0\\x9f\\x98", -0.6, [], b"\xf0\x9f\x98"], ["\\x80", -0.4, [], b"\x80"]],
        [["bytes:\\xf0\\x9f\\x98", -0.6], ["bytes:\\x80", -0.4]],
        [["\ufffd", -0.6, [], b"\xef\xbf\xbd"], ["\ufffd", -0.4, [], b"\xef\xbf\xbd"]],
        [["", -0.6], ["😀", -0.4]],
        [["\xf0\x9f\x98", -0.6], ["\x80", -0.4]],
    ], ids=["openai-chat", "openai-completions", "replacement", "empty", "latin1"])  # fmt: skip
    def test_split_character(self, halves) -> None:
        tokens = tokens_of(['{"e":"', -0.03], *halves, ['","n":', -0.05], ["5", -0.8], ["}", -0.01])
        report = check(tokens, {"/e": -1.0, "/n": -0.8}, '{"e":"😀","n":5}')
        assert report["/e"].token_count == 2
        field = report["/n"]
        assert (field.start, field.byte_start, field.byte_end) == (13, 16, 17)

    def test_escapes_cut_apart(self) -> None:
        tokens = tokens_of(['{"a":"a', -0.5], ["\\", -0.6], ["n", -0.7], ["b\\", -0.2], ['"', -0.3], ["c", -0.3],
                           ["\\u00", -0.5], ["e9", -0.5], ['"}', -0.01])  # fmt: skip
        text = "".join(token.token for token in tokens)
        report = check(tokens, {"/a": -3.6})
        field = report["/a"]
        assert json.loads(text[field.start : field.end]) == 'a\nb"cé'

    @pytest.mark.parametrize("tokens, joint", [
        (tokens_of(['{"a":', -0.1], ['""', -0.6], ["}", -0.1]), -0.6),
        (tokens_of(['{"a', -0.1], ['":"","', -0.5], ['b":1}', -0.1]), -0.5),
    ])  # fmt: skip
    def test_empty_string(self, tokens, joint: float) -> None:
        report = field_confidences(tokens)
        assert report["/a"].joint_logprob == joint
        assert report["/a"].empty_core

    def test_exponent(self) -> None:
        check(tokens_of(['{"a":', -0.1], ["1", -0.2], ["e", -0.3], ["5", -0.4], ["}", -0.1]), {"/a": -0.9})

    def test_null(self) -> None:
        report = check(tokens_of(['{"a":', -0.1], ["null", -0.5], ["}", -0.1]), {"/a": -0.5})
        assert report["/a"].confidence == pytest.approx(math.exp(-0.6))

    def test_duplicate_keys(self) -> None:
        tokens = tokens_of(['{"a":', -0.1], ["1", -0.5], [',"a":', -0.1], ["2", -0.7], ["}", -0.1])
        report = field_confidences(tokens)
        assert [(f.path, f.joint_logprob, f.shadowed) for f in report.leaves] == [
            ("/a", -0.5, True),
            ("/a", -0.7, False),
        ]
        assert report["/a"].joint_logprob == -0.7

    @pytest.mark.parametrize(
        "before, behind", [("```json\n", "\n```"), ("Sure! Here it is:\n", ""), ("", "\nDone [1].")]
    )
    def test_fence_and_prose(self, before: str, behind: str) -> None:
        tokens = tokens_of(*([before, -0.9],) * bool(before), ['{"a":', -0.1], ["5", -0.5], ["}", -0.1],
                           *([behind, -0.9],) * bool(behind))  # fmt: skip
        check(tokens, {"/a": -0.5})

    def test_fence_that_the_server_stripped(self) -> None:
        tokens = tokens_of(["```", -9.0], ["json", -9.0], ['\n{"a":', -0.1], ["5", -0.5], ["}\n", -0.1], ["```", -9.0],
                           ["<|im_end|>", -9.0])  # fmt: skip
        report = check(tokens, {"/a": -0.5}, '{"a":5}')
        assert report["/a"].token_start == 3
        assert field_confidences(tokens, align(tokens, '{"a":5}')) == report

    def test_truncated(self) -> None:
        report = check(tokens_of(['{"a":', -0.1], ["1", -0.2], [',"b":"', -0.1], ["hel", -0.7]),
                       {"/a": -0.2, "/b": -0.7}, status="truncated")  # fmt: skip
        assert report.truncated
        assert [field.closed for field in report.fields] == [False, True, False]
        assert report["/b"].end_probability is None

    def test_top_level_scalar(self) -> None:
        report = check(tokens_of(["4", -0.5], ["2", -0.7]), {"": -1.2})
        assert report[""].end_probability is None

    def test_top_level_scalar_and_end_of_text(self) -> None:
        report = check(
            tokens_of(["42", -0.5], ["<|im_end|>", -0.7, [["<|im_end|>", -0.7], ["0", -0.8]]]), {"": -0.5}, "42"
        )
        assert report[""].end_probability == pytest.approx(math.exp(-0.7))

    def test_top_level_array(self) -> None:
        check(tokens_of(["[", -0.1], ["1", -0.2], [",", -0.1], ["2", -0.3], ["]", -0.1]), {"/0": -0.2, "/1": -0.3})

    def test_reasoning_in_the_list(self) -> None:
        reasoning = [["<think>", -0.1], ["5", -0.2], ["?", -0.3], ["</think>", -0.1]]
        tokens = tokens_of(*reasoning, ['{"a":', -0.1], ["5", -0.5], ["}", -0.01])
        report = check(tokens, {"/a": -0.5}, '{"a":5}')
        assert report.alignment == "substring"

    def test_missing_tokens(self) -> None:
        tokens = tokens_of(['{"a', -0.1], ["12", -0.4], [',"b":', -0.02], ["7", -0.6], ["}", -0.1])
        report = check(tokens, {"/a": -0.4, "/b": -0.6}, '{"a":12,"b":7}')  # `":` has none, but the values have theirs
        assert report.alignment == "partial"
        report = check(tokens, {"/a": -0.4, "/b": None}, '{"a":12,"b":75}')
        assert report["/b"].token_start is None
        assert field_confidences(tokens, '{"a":12,"b":12,"b":7}').status is FieldStatus.FAILED

    def test_quote_in_a_key(self) -> None:
        check(tokens_of(['{"a\\"b":', -0.1], ["1", -0.2], ["}", -0.1]), {'/a"b': -0.2})

    def test_value_equal_to_its_key(self) -> None:
        check(tokens_of(['{"', -0.1], ["name", -0.2], ['":"', -0.1], ["name", -0.9], ['"}', -0.1]), {"/name": -0.9})


class TestForeignTokens:
    """Tokens that are not the answer's never lend it their logprobs."""

    def test_the_same_document_in_the_reasoning(self) -> None:
        draft = [['{"a":', -3.0], ["5", -3.0], ["}", -3.0]]
        tokens = tokens_of(["<think>", -0.1], *draft, ["</think>", -0.1], ['{"a":', -0.1], ["5", -0.5], ["}", -0.1])
        check(tokens, {"/a": -0.5}, '{"a":5}')

    def test_only_the_reasoning_has_tokens(self) -> None:
        tokens = tokens_of(["<think>", -0.1], ['{"a":5}', -3.0], ["</", -0.1], ["think>", -0.1])
        assert field_confidences(tokens, '{"a":5}').status is FieldStatus.FAILED

    def test_answer_inside_a_longer_number(self) -> None:
        assert field_confidences(tokens_of(["1", -0.1], ["5", -0.1]), "5").status is FieldStatus.FAILED

    def test_part_without_tokens_has_no_numbers(self) -> None:
        tokens = tokens_of(['{"a":', -0.1], ["12", -0.4], [',"b":7', -0.2])
        report = field_confidences(tokens, '{"a":12,"b":77}')
        assert report.alignment == "partial"
        assert report["/a"].joint_logprob == -0.4
        b = report["/b"]
        assert (b.token_start, b.token_count, b.joint_logprob, b.mean_logprob, b.confidence) == (
            None,
            0,
            None,
            None,
            None,
        )

    def test_white_space_without_tokens_at_the_cut(self) -> None:
        report = field_confidences(tokens_of(["0", -0.1], ['"', -0.1]), '" ')
        assert (report.status, report.alignment) == ("truncated", "stripped")
        assert report[""].token_count == 0


class TestNumbers:
    def test_container_is_the_union_of_its_values(self) -> None:
        tokens = tokens_of(
            ['{"a":[', -9], ["1", -0.1], [",", -9], ["2", -0.2], ['],"b":"', -9], ["x", -0.3], ['"}', -9]
        )
        report = field_confidences(tokens)
        assert report["/a"].joint_logprob == pytest.approx(-0.3)
        assert report["/a"].mean_logprob == pytest.approx(-0.15)
        assert report[""].token_count == 3
        assert report[""].mean_logprob == pytest.approx(-0.2)
        assert report[""].confidence == report["/b"].confidence == pytest.approx(math.exp(-9 - 0.3 - 9))
        assert report["/a"].confidence == report["/a/1"].confidence == pytest.approx(math.exp(-9 - 0.2))
        assert (report[""].min_index, report["/b"].min_index) == (5, 4)
        assert [field.path for field in report.fields] == ["", "/a", "/a/0", "/a/1", "/b"]

    def test_token_over_three_values_counts_once_in_each_container(self) -> None:
        report = field_confidences(tokens_of(["[[", -9], ["1,2],[3", -0.5], [",", -9], ["4", -0.25], ["]]", -9]))
        assert report["/0"].joint_logprob == -0.5
        assert report["/1"].joint_logprob == -0.75
        assert report[""].joint_logprob == -0.75
        assert [field.shared for field in report.leaves] == [True, True, True, False]

    def test_censored_token(self) -> None:
        tokens = tokens_of(
            ['{"a":', -0.1], ["1", -0.2], ["2", -9999.0], [',"b":"', -0.1], ["x", -0.5], ["y", None], ['"}', -1]
        )
        report = field_confidences(tokens)
        a, b = report["/a"], report["/b"]
        assert (a.joint_logprob, a.censored_count, a.confidence, a.min_probability) == (-0.2, 1, None, None)
        assert (b.joint_logprob, b.censored_count, b.confidence, b.min_index) == (-0.5, 1, None, 5)
        assert a.confidence_bound == pytest.approx(math.exp(-0.2 - 0.1))  # nothing says how small the hidden one was
        assert b.confidence_bound == pytest.approx(math.exp(-0.1 - 0.5 - 1))
        assert (report[""].censored_count, report[""].confidence) == (2, None)
        assert report[""].confidence_bound == b.confidence_bound
        assert report.least is b
        assert report.below(0.01) == [a, b]  # not known to be more

    def test_bound_of_a_censored_token(self) -> None:
        tokens = tokens_of(["[", 0.0], ["7", -9999.0, [["8", math.log(0.6)], ["9", math.log(0.1)]]], ["]", 0.0])
        field = field_confidences(tokens)["/0"]
        assert (field.confidence, field.confidence_bound) == (None, pytest.approx(0.1))  # the least that was listed
        tokens = tokens_of(["[", 0.0], ["7", -9999.0, [["8", math.log(0.99)]]], ["]", 0.0])
        assert field_confidences(tokens)["/0"].confidence_bound == pytest.approx(0.01)  # what it leaves

    def test_only_censored_tokens(self) -> None:
        a = field_confidences(tokens_of(["[", -0.1], ["1", math.nan], ["]", -0.1]))["/0"]
        assert (a.joint_logprob, a.mean_logprob, a.min_probability, a.min_index, a.confidence) == (*[None] * 3, 1, None)
        whole = field_confidences(tokens_of(["[", -0.1], ["1", math.nan], ["]", -0.1]))[""]
        assert (whole.joint_logprob, whole.token_count, whole.censored_count) == (None, 1, 1)

    def test_censored_end(self) -> None:
        field = field_confidences(tokens_of(["[", -0.1], ["1", -0.1], ["]", -9999.0, [["]", -9999.0], [",", -0.3]]]))[
            "/0"
        ]
        assert field.end_logprob is None
        assert field.end_probability == pytest.approx(math.exp(-0.3))

    def test_long_string_does_not_underflow(self) -> None:
        tokens = tokens_of(['"', -0.1], *[["x", -5.0]] * 1000, ['"', -0.1])
        field = field_confidences(tokens)[""]
        assert field.joint_logprob == -5000.0
        assert (field.basis, field.probability) == ("token", 0.0)
        assert field.confidence == pytest.approx(math.exp(-0.1 - 5))  # its quote, and per token

    def test_pretty_printing_is_no_straddling(self) -> None:
        field = field_confidences(tokens_of(['{\n  "a":', -0.1], [" 5", -0.2], ["\n}", -0.1]))["/a"]
        assert not field.straddles
        assert field.joint_logprob == -0.2

    @pytest.mark.parametrize("text, kind", [("{}", "object"), ("[ ]", "array")])
    def test_empty_container(self, text: str, kind: str) -> None:
        report = field_confidences(tokens_of([text[:1], -0.5], [text[1:], -0.25]))
        field = report[""]
        assert (field.kind, field.joint_logprob, field.empty_core, field.is_leaf) == (kind, -0.75, True, False)

    def test_missing_path(self) -> None:
        with pytest.raises(KeyError, match="/z"):
            field_confidences(tokens_of(["[]", -0.1]))["/z"]


class TestStatus:
    @pytest.mark.parametrize(
        "text", ["", "  ", "plain prose", "3 apples", "t", "-", "- a list", "[ ] a task", "see {this}", "I"]
    )
    def test_no_json(self, text: str) -> None:
        assert field_confidences(tokens_of([text, -0.1]), text).status is FieldStatus.NO_JSON

    @pytest.mark.parametrize("text, problem", [
        ('{"a":1,}', "expected a key in double quotes at 7"),
        ('{"a" 1}', "expected a colon at 5"),
        ('{"a":1 "b":2}', "expected a comma or the end of the container at 7"),
        ('{"a":"\\x"}', "bad escape in a string at 5"),
        ('{"\\x":1}', "bad escape in a key at 2"),
        ('{"a":01}', "not a number at 5"),
        ('{"a":nope}', "expected a value at 5"),
    ])  # fmt: skip
    def test_invalid(self, text: str, problem: str) -> None:
        report = field_confidences(tokens_of([text, -0.1]))
        assert (report.status, report.problem, report.fields) == (FieldStatus.INVALID, problem, ())

    def test_too_large(self) -> None:
        deep = field_confidences(tokens_of(["[" * 200, -0.1]))
        assert (deep.status, deep.problem) == (FieldStatus.TOO_LARGE, "nested deeper than 128 levels at 128")
        long = field_confidences(tokens_of(["[" + "1," * 100_001 + "1]", -0.1]))
        assert (long.status, long.problem, long.fields) == (
            FieldStatus.TOO_LARGE, "more than 100000 values at 199999", ())  # fmt: skip

    def test_no_tokens(self) -> None:
        assert field_confidences([], '{"a":1}').status is FieldStatus.NO_LOGPROBS
        assert field_confidences([]).status is FieldStatus.NO_LOGPROBS
        assert field_confidences([], "prose").status is FieldStatus.NO_JSON

    def test_the_longest_complete_document_wins(self) -> None:
        text = '[1] says {"a": 1, "b": 2} and {"c": 3'
        report = field_confidences(tokens_of([text, -0.1]))
        assert [field.path for field in report.leaves] == ["/a", "/b"]

    @pytest.mark.parametrize(
        "text", ['{"a":{"b":1},}', '{"a":nope,"b":{"c":1}}', '{"a":nope,"b":{"c":1}', '[["a",,{"b":1}]']
    )
    def test_nothing_inside_a_broken_document(self, text: str) -> None:
        assert field_confidences(tokens_of([text, -0.1])).status is FieldStatus.INVALID

    @pytest.mark.parametrize(
        "text", ['[Note] {"a": 1}', ':-{ {"a": 1}', 'Either {x: [1]} or {"a": 1}', '{x} says: {"a":1} "']
    )
    def test_document_after_other_brackets(self, text: str) -> None:
        assert joints(field_confidences(tokens_of([text, -0.1]))) == {"/a": -0.1}

    def test_truncated_document_in_prose(self) -> None:
        report = field_confidences(tokens_of(['Here: {"a": "b', -0.1]))
        assert report.status is FieldStatus.TRUNCATED

    def test_fence_of_another_language(self) -> None:
        assert field_confidences(tokens_of(["```python\n1 + 1\n```", -0.1])).status is FieldStatus.NO_JSON

    def test_truncated_fence(self) -> None:
        report = field_confidences(tokens_of(['As asked:\n```json\n{"a": tr', -0.1]))
        assert report.status is FieldStatus.TRUNCATED
        assert report["/a"].kind == "boolean"

    def test_text_of_the_tokens_that_is_no_utf8(self) -> None:
        tokens = tokens_of(['{"a":"', -0.1], ["\\xff", -0.5, [], b"\xff"], ['","b":', -0.1], ["2", -0.2], ["}", -0.1])
        check(tokens, {"/a": -0.5, "/b": -0.2})

    def test_lone_surrogates(self) -> None:
        tokens = tokens_of(['{"\ud800":', -0.1], ["2", -0.2], ["}", -0.1])
        check(tokens, {"/\ud800": -0.2}, '{"\ud800":2}')
        check(tokens, {"/\ufffd\ufffd\ufffd": -0.2})  # a text made of bytes has no lone surrogates


class TestReport:
    """What a program does with a report."""

    TOKENS = (['{"total": ', 0], ["97", math.log(0.3)], [', "items": [{"na/me": "', 0], ["bolt", -0.01],
              ['"}], "note": ', 0], ["{}", 0], [', "e": []}', 0])  # fmt: skip

    def report(self) -> FieldReport:
        return field_confidences(tokens_of(*self.TOKENS))

    def test_iterating_gives_the_values(self) -> None:
        report = self.report()
        assert [one.path for one in report] == ["/total", "/items/0/na~1me"]
        assert [one.value for one in report] == [97, "bolt"]
        assert (len(report), bool(report)) == (2, True)
        assert bool(field_confidences(tokens_of(["prose", -0.1]))) is False
        assert bool(field_confidences(tokens_of(["{}", -0.1]))) is True

    def test_membership(self) -> None:
        report = self.report()
        assert "/total" in report
        assert "" in report
        assert "/items/0/na~1me" in report
        assert not {"total", "/items/1", "/items/0/na/me", "/total/x", "/", None, 3} & {path for path in [
            "total", "/items/1", "/items/0/na/me", "/total/x", "/", None, 3] if path in report}  # fmt: skip

    def test_below_and_least(self) -> None:
        report = self.report()
        assert [one.path for one in report.below(0.8)] == ["/total"]
        assert report.below(0.3 - 1e-9) == []
        assert report.least is report["/total"]
        assert field_confidences(tokens_of(["[]", -0.1])).least is None

    def test_a_replaced_value_is_not_the_least(self) -> None:
        report = field_confidences(tokens_of(['{"a":', 0], ["1", -5], [',"a":', 0], ["2", -0.1], ["}", 0]))
        assert report.least is report["/a"]
        assert report["/a"].value == 2
        assert report.below(0.5) == []
        assert report.as_values() == {"a": pytest.approx(math.exp(-0.1))}

    def test_values_without_logprobs_are_not_known_to_be_sure(self) -> None:
        report = field_confidences(tokens_of(['{"a":', 0], ["12", -0.4], [',"b":7', 0]), '{"a":12,"b":77}')
        assert [one.path for one in report.below(0.01)] == ["/b"]
        assert report.least is report["/a"]
        assert (report[""].confidence, report[""].confidence_bound) == (None, report["/a"].confidence)

    def test_in_the_shape_of_the_answer(self) -> None:
        report = self.report()
        total, name = (one.confidence for one in report)
        assert report.as_values() == {"total": total, "items": [{"na/me": name}], "note": {}, "e": []}
        assert field_confidences(tokens_of(["prose", -0.1])).as_values() is None
        assert field_confidences(tokens_of(["4", -0.5])).as_values() == pytest.approx(math.exp(-0.5))

    def test_plain_data(self) -> None:
        shown = json.loads(json.dumps(self.report().to_dict()))
        assert (shown["status"], shown["alignment"], shown["problem"]) == ("ok", "exact", None)
        assert [(one["path"], one["value"], one["basis"]) for one in shown["fields"]] == [
            ("/total", 97, "value"), ("/items/0/na~1me", "bolt", "value")]  # fmt: skip
        assert not [key for one in shown["fields"] for key in one if key.startswith("_")]
        spread = field_confidences(tokens_of(["[", 0], ["true", -0.1, [["false", -2.5]]], ["]", 0])).to_dict()[
            "fields"
        ][0]
        assert spread["runner_up"] == {"value": False, "probability": pytest.approx(math.exp(-2.5)), "kind": "boolean",
                                       "only_kind": False}  # fmt: skip
        assert [label["value"] for label in spread["distribution"]["labels"]] == [True, False]

    @pytest.mark.parametrize("path, hint", [
        ("total", '"/total"'), ("/totl", '"/total"'), ("/items/1/na~1me", '"/items/0/na~1me"'),
        ("/items/0/na/me", '"/items/0/na~1me"'), ("total/", '"/total"'),
    ])  # fmt: skip
    def test_a_wrong_path_is_told_the_right_one(self, path: str, hint: str) -> None:
        with pytest.raises(KeyError, match=r"no field .*; did you mean .*\? There are: ") as raised:
            self.report()[path]
        assert f"did you mean {hint}?" in raised.value.args[0]

    def test_a_wrong_path_is_told_in_few_words(self) -> None:
        text = json.dumps({"k" * 5000 + str(number): number for number in range(2000)})
        with pytest.raises(KeyError) as raised:
            field_confidences(tokens_of([text, -0.1]))["x" * 5000]
        assert len(str(raised.value)) < 1500
        assert "and 1991 more" in str(raised.value)

    def test_a_path_where_there_is_none(self) -> None:
        with pytest.raises(KeyError, match="there are none, as the status is"):
            field_confidences(tokens_of(["prose", -0.1]))["/a"]
        with pytest.raises(KeyError, match='no field "3"'):
            self.report()[3]  # type: ignore[index]

    def test_a_field_shows_itself_without_its_value(self) -> None:
        shown = repr(self.report()["/total"])
        assert "/total" in shown
        assert "97" not in shown

    def test_pickle_and_equality(self) -> None:
        report = self.report()
        assert pickle.loads(pickle.dumps(report)) == report == self.report()
        assert pickle.loads(pickle.dumps(report))["/items/0/na~1me"].value == "bolt"
        assert report["/total"] != report["/items"]
        assert len({report["/total"], self.report()["/total"]}) == 1
