"""Tool calls whose tokens the server returns: the arguments' fields, under the call's name and index."""

import json
import math

import pytest

from langchain_logprobs.confidence.fields.tool_calls import tool_call_confidences
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.token_lists import joints, tokens_of

SCHEMA = {"type": "object", "properties": {"unit": {"enum": ["celsius", "fahrenheit"]}}}


def call(name: str, args: dict, identity: str | None = None) -> dict:
    return {"name": name, "args": args, "id": identity, "type": "tool_call"}


def test_markup_of_the_model_around_the_arguments() -> None:
    # llama.cpp: the content is empty and the tokens spell all of it, the end of the text included
    tokens = tokens_of(
        ["<tool_call>", -0.1], ['\n{"', -0.1], ["name", -0.1], ['":"', -0.1], ["weather", -0.2],
        ['","arguments":{"city":"', -0.1], ["Par", -0.3], ["is", -0.4], ['","unit":"', 0.0],
        ["c", -0.5, [["c", -0.5], ["f", -1.0]]], ["elsius", -0.01], ['"}}\n', -0.1], ["</tool_call>", -0.1],
        ["<|im_end|>", -0.1],
    )  # fmt: skip
    [report] = tool_call_confidences(
        tokens, [call("weather", {"city": "Paris", "unit": "celsius"}, "id1")], schemas={"weather": SCHEMA}
    )
    assert (report.index, report.name, report.id) == (0, "weather", "id1")
    assert report.text == '{"city":"Paris","unit":"celsius"}'
    assert report.fields.status == "ok"
    assert joints(report.fields) == pytest.approx({"/city": -0.7, "/unit": -0.51})
    city = report.fields["/city"]
    assert report.text[city.core_start : city.core_end] == "Paris"
    assert (city.token_start, city.token_count) == (6, 2)
    spread = report.fields["/unit"].distribution
    assert spread is not None
    assert [(label.value, label.mass) for label in spread.labels] == [
        ("celsius", pytest.approx(math.exp(-0.5))),
        ("fahrenheit", pytest.approx(math.exp(-1.0))),
    ]


def test_entries_are_the_arguments_alone() -> None:
    tokens = tokens_of(['{"a":', -0.1], ["1", -0.2], ["}", -0.1], ['{"a":', -0.1], ["2", -0.4], ["}", -0.1])
    reports = tool_call_confidences(tokens, [call("f", {"a": 1}), call("f", {"a": 2})])
    assert [joints(report.fields) for report in reports] == [{"/a": -0.2}, {"/a": -0.4}]
    assert [report.index for report in reports] == [0, 1]


def test_openai_form() -> None:
    tokens = tokens_of(['{"a":', -0.1], ["1", -0.2], ["}", -0.1])
    [report] = tool_call_confidences(tokens, [{"id": "x", "function": {"name": "f", "arguments": '{ "a": 1 }'}}])
    assert (report.name, report.id, joints(report.fields)) == ("f", "x", {"/a": -0.2})


def test_equal_calls_are_told_apart_by_their_order() -> None:
    tokens = tokens_of(['{"a":', -0.1], ["1", -0.2], ["}\n", -0.1], ['{"a":', -0.1], ["1", -0.4], ["}", -0.1])
    reports = tool_call_confidences(tokens, [call("f", {"a": 1}), call("f", {"a": 1})])
    assert [joints(report.fields) for report in reports] == [{"/a": -0.2}, {"/a": -0.4}]


def test_a_draft_before_the_call_is_not_the_call() -> None:
    tokens = tokens_of(["I could send ", -0.1], ['{"a":1}', -9.0], [" so:\n", -0.1], ['{"name":"f","arguments":', -0.1],
                       ['{"a":', -0.1], ["1", -0.2], ["}}", -0.1])  # fmt: skip
    [report] = tool_call_confidences(tokens, [call("f", {"a": 1})])
    assert joints(report.fields) == {"/a": -0.2}


def test_the_reasoning_is_not_the_call() -> None:
    tokens = tokens_of(["<think>", -0.1], ['{"a":1}', -9.0], ["</think>", -0.1])
    [report] = tool_call_confidences(tokens, [call("f", {"a": 1})])
    assert report.fields.status == "failed"


def test_arguments_under_the_name_of_another_tool() -> None:
    tokens = tokens_of(['{"name":"g","arguments":', -0.1], ['{"a":1}', -0.2], ["}", -0.1])
    [report] = tool_call_confidences(tokens, [call("f", {"a": 1})])
    assert report.fields.status == "failed"


def test_a_parameter_called_like_the_markup() -> None:
    tokens = tokens_of(['{"name":"bob","input":{"x":', -0.1], ["1", -0.2], ["}}", -0.1])
    [report] = tool_call_confidences(tokens, [call("f", {"name": "bob", "input": {"x": 1}})])
    assert joints(report.fields).keys() == {"/name", "/input/x"}


@pytest.mark.parametrize(
    "text", ["", "no JSON", '{"a":2}', '{"a": 1,}', "[1]", '{"a":' * 200, '{"a":' + "9" * 5000 + "}"]
)
def test_arguments_that_the_tokens_do_not_spell(text: str) -> None:
    [report] = tool_call_confidences(tokens_of([text, -0.1]), [call("f", {"a": 1})])
    assert (report.text, report.fields.status, report.fields.fields) == (None, "failed", ())


@pytest.mark.parametrize("odd, status", [
    ({}, "failed"), ({"function": None}, "failed"), ({"name": 3, "args": "{"}, "failed"), ({"args": 3}, "failed"),
    ({"function": {"arguments": "[1]"}}, "invalid"), ({"args": {"a": {1, 2}}}, "failed"),
])  # fmt: skip
def test_odd_tool_calls(odd: dict, status: str) -> None:
    [report] = tool_call_confidences(tokens_of(["{}", -0.1]), [odd])
    assert report.fields.status == status
    assert (report.id, report.token_start, report.token_count) == (None, None, 0)


def test_no_arguments() -> None:
    [report] = tool_call_confidences(
        tokens_of(['{"name":"f","arguments":', -0.1], ["{}", -0.2], ["}", -0.1]), [call("f", {})]
    )
    assert report.fields[""].joint_logprob == -0.2


def test_split_characters_in_a_label() -> None:
    tokens = tokens_of(
        ['{"a":"', 0.0], ["\\xe6\\x97", -0.5, [["\\xe6\\x9c", -1.0, b"\xe6\x9c"]], b"\xe6\x97"],
        ["\\xa5", -0.1, [["\\xa6", -3.0, b"\xa6"]], b"\xa5"], ['"}', -0.1],
    )  # fmt: skip
    schema = {"properties": {"a": {"enum": ["日", "月"]}}}
    [report] = tool_call_confidences(tokens, [call("f", {"a": "日"})], schemas={"f": schema})
    spread = report.fields["/a"].distribution
    assert spread is not None
    assert [(label.value, label.mass) for label in spread.labels] == [
        ("日", pytest.approx(math.exp(-0.5))),
        ("月", pytest.approx(math.exp(-1.0))),
    ]


class TestTokensOfACall:
    """Which tokens are the call's, its markup among them: the rest of the answer is measured apart."""

    def spelled(self, text: list[str], calls: list[dict], **options: object) -> list[str | None]:
        tokens = tokens_of(*([token, -0.1] for token in text))
        return [
            None
            if report.token_start is None
            else "".join(text[report.token_start : report.token_start + report.token_count])
            for report in tool_call_confidences(tokens, calls, **options)  # type: ignore[arg-type]
        ]

    @pytest.mark.parametrize("before, call_text, behind", [
        (["Sure", "."], ["\n<tool_call>", '\n{"name": "f", "arguments": ', '{"a": 1}', "}\n", "</tool_call>"],
         ["<|im_end|>"]),
        (["Sure. "], ["[TOOL_CALLS]", '[{"name": "f", "arguments": ', '{"a": 1}', "}]"], ["</s>"]),
        (["Hm. "], ["[TOOL_CALLS]", "f", "[ARGS]", '{"a"', ": 1}"], ["</s>"]),
        (["I call it. "], ["<function=", "f>", '{"a": 1}', "</function>"], []),
        (["Let me: "], ["<|python_tag|>", '{"name": "f", "parameters": {"a": 1}}'], ["<|eom_id|>"]),
        (["So "], ["<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.f", ":0",
                   "<|tool_call_argument_begin|>", '{"a": 1}', "<|tool_call_end|>", "<|tool_calls_section_end|>"], []),
        (["Well, "], ["<｜tool▁call▁begin｜>", "function", "<｜tool▁sep｜>", "f\n```json\n", '{"a": 1}', "\n```",
                      "<｜tool▁call▁end｜>"], []),
        ([], ['{"a": ', "1", "}"], []),
        (["The answer is ready: "], ['{"a": 1}'], []),
    ])  # fmt: skip
    def test_with_its_markup(self, before: list[str], call_text: list[str], behind: list[str]) -> None:
        [found] = self.spelled([*before, *call_text, *behind], [call("f", {"a": 1})])
        assert found is not None
        assert found.startswith("".join(call_text).lstrip() if call_text[0].isspace() else call_text[0])
        assert "".join(call_text).strip() in found
        assert not any(word.strip() and word in found for word in before)

    def test_calls_side_by_side_share_nothing(self) -> None:
        text = ["Two:", "<tool_call>", '{"name":"f","arguments":', '{"a":1}', "}", "</tool_call>", "\n", "<tool_call>",
                '{"name":"f","arguments":', '{"a":2}', "}", "</tool_call>"]  # fmt: skip
        found = self.spelled(text, [call("f", {"a": 1}), call("f", {"a": 2})])
        assert found == ["".join(text[1:6]), "".join(text[7:])]

    def test_a_call_without_tokens(self) -> None:
        assert self.spelled(["Sure."], [call("f", {"a": 1})]) == [None]

    def test_the_caller_knows_the_first_token(self) -> None:
        text = ["maybe ", '{"a":1}', " or ", '{"a":1}', "."]
        assert self.spelled(text, [call("f", {"a": 1})], first_token=2) == ['{"a":1}']
        assert self.spelled(text, [call("f", {"a": 1})], first_token=4) == [None]
        assert self.spelled(text, [call("f", {"a": 1})], first_token=99) == [None]


class TestArgumentsThatAreNoJson:
    def test_broken(self) -> None:
        [report] = tool_call_confidences(
            tokens_of(["<tool_call>", -0.1], ['{"a": 1,}', -0.2], ["</tool_call>", -0.1]),
            [{"name": "f", "args": '{"a": 1,}', "id": "x", "error": "bad", "type": "invalid_tool_call"}],
        )
        assert (report.fields.status, report.fields.problem) == ("invalid", "expected a key in double quotes at 8")
        assert (report.text, report.token_start, report.token_count) == ('{"a": 1,}', 0, 3)

    def test_broken_and_not_spelled(self) -> None:
        [report] = tool_call_confidences(tokens_of(["Sure.", -0.1]), [{"name": "f", "args": "{'a': 1}", "id": "x"}])
        assert (report.fields.status, report.text, report.token_start) == ("invalid", None, None)

    def test_cut_off(self) -> None:
        tokens = tokens_of(["<tool_call>", -0.1], ['{"a":', -0.1], ["1", -0.2], [',"b":"', -0.1], ["hel", -0.7])
        for arguments in ('{"a":1,"b":"hel', {"a": 1, "b": "hel"}):  # as it came, and as LangChain completes it
            [report] = tool_call_confidences(tokens, [{"name": "f", "args": arguments, "id": None}])
            assert report.fields.status == "truncated"
            assert joints(report.fields) == {"/a": -0.2, "/b": -0.7}
            assert report.fields["/b"].closed is False
            assert (report.token_start, report.token_count) == (0, 5)

    @pytest.mark.parametrize("arguments, status", [
        ("[1]", "invalid"), ("null", "invalid"), ("3", "invalid"), ("[" * 200, "too_large"), ('{"a":', "failed"),
        ("", "failed"),
    ])  # fmt: skip
    def test_other_texts(self, arguments: str, status: str) -> None:
        [report] = tool_call_confidences(
            tokens_of(["Sure.", -0.1]), [{"function": {"name": "f", "arguments": arguments}}]
        )
        assert report.fields.status == status

    def test_an_empty_text_is_no_arguments(self) -> None:
        [report] = tool_call_confidences(tokens_of(["{}", -0.1]), [{"function": {"name": "f", "arguments": ""}}])
        assert (report.fields.status, report.text) == ("ok", "{}")


def test_no_tokens_at_all() -> None:
    [report] = tool_call_confidences([], [call("f", {"a": 1})])
    assert (report.fields.status, report.token_count) == ("no_logprobs", 0)


@pytest.mark.parametrize("said, arguments", [
    ('{"a":1}', {"a": 1.0}), ('{"a":1.0}', {"a": 1}), ('{"b":2,"a":1}', {"a": 1, "b": 2}),
    ('{"a":NaN}', {"a": float("nan")}),
    ('{"a":[true,null]}', {"a": (True, None)}), ('{"a":"\\u00e9"}', {"a": "é"}), ('{"a":1,"a":2}', {"a": 2}),
])  # fmt: skip
def test_equal_arguments(said: str, arguments: dict) -> None:
    [report] = tool_call_confidences(tokens_of([said, -0.1]), [call("f", arguments)])
    assert (report.fields.status, report.text) == ("ok", said)


@pytest.mark.parametrize("said, arguments", [('{"a":true}', {"a": 1}), ('{"a":1}', {"a": "1"}), ('{"a":null}', {})])
def test_unequal_arguments(said: str, arguments: dict) -> None:
    [report] = tool_call_confidences(tokens_of([said, -0.1]), [call("f", arguments)])
    assert report.fields.status == "failed"


def test_calls_in_one_document() -> None:
    tokens = tokens_of(['{"tool_calls":[{"type":"function","function":{"name":"f","arguments":', 0], ['{"a":', 0],
                       ["1", -0.1], ['}}},{"type":"function","function":{"name":"g","arguments":{"a":', 0], ["1", -0.3],
                       ["}}}]}", 0])  # fmt: skip
    reports = tool_call_confidences(tokens, [call("f", {"a": 1}), call("g", {"a": 1})])
    assert [joints(report.fields) for report in reports] == [{"/a": -0.1}, {"/a": -0.3}]
    assert [report.path for report in reports] == ["/tool_calls/0/f", "/tool_calls/1/g"]


def test_offsets_count_in_the_arguments() -> None:
    tokens = tokens_of(
        ["Süß: ", 0],
        ['{"name":"f","arguments":', 0],
        ['{"ä":"', 0],
        ["日本", -0.5],
        ['","n":', 0],
        ["7", -0.1],
        ["}}", 0],
    )
    [report] = tool_call_confidences(tokens, [call("f", {"ä": "日本", "n": 7})])
    name, number = report.fields
    assert report.text == '{"ä":"日本","n":7}'
    assert report.text[name.core_start : name.core_end] == "日本"
    raw = report.text.encode()
    assert raw[name.core_byte_start : name.core_byte_end].decode() == "日本"
    assert raw[number.byte_start : number.byte_end] == b"7"
    assert (name.value, number.value, number.token_start) == ("日本", 7, 5)
    assert report.fields[""].value == {"ä": "日本", "n": 7}


def test_a_hundred_and_sixty_calls_are_all_found() -> None:
    calls = [call("f", {"a": number, "b": "steel"}, str(number)) for number in range(160)]
    text = "".join(json.dumps(one["args"]) for one in calls)
    tokens = [TokenLogprob(text[at : at + 3], -0.1) for at in range(0, len(text), 3)]
    reports = tool_call_confidences(tokens, calls)
    assert [report.fields["/a"].value for report in reports] == list(range(160))
    assert sum(report.token_count for report in reports) >= len(tokens)
