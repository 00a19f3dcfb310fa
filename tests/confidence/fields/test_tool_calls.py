"""Tool calls whose tokens the server returns: the arguments' fields, under the call's name and index."""

import math

import pytest

from langchain_logprobs.confidence.fields.tool_calls import tool_call_confidences
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
