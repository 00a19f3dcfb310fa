"""Which of the documents in a text is the answer, and which answers are meant to be JSON."""

import json

import pytest
from pydantic import BaseModel

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.find_json import answer_start, find_document, is_structured
from langchain_logprobs.confidence.fields.json_value import python_value
from langchain_logprobs.confidence.fields.report import FieldStatus
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.token_lists import tokens_of


class Invoice(BaseModel):
    total: int
    paid: bool = False


def found(text: str, start: int = 0, schema: object = None) -> object:
    document = find_document(text, start, schema)
    return None if document is None or not document.values else python_value(text, document.values)


@pytest.mark.parametrize("text, value", [
    ('{"a": 1}', {"a": 1}),
    ('\ufeff{"a": 1}', {"a": 1}),
    ('\ufeff \n[1, 2]\n', [1, 2]),
    ('```json\n{"a": 1}\n```', {"a": 1}),
    ('```\n{"a": 1}\n```', {"a": 1}),
    ('~~~json\n{"a": 1}\n~~~', {"a": 1}),
    ('````JSON\n{"a": "```"}\n````', {"a": "```"}),
    ('```json {"a": 1}```', {"a": 1}),
    ('```json\n\ufeff{"a": 1}\n```', {"a": 1}),
    ('Here you are: {"a": 1}. Ask me more!', {"a": 1}),
    ('```python\nx = [1]\n```\nso {"a": 1}', {"a": 1}),
    ('```python\n[1, 2]\n```\n\n```json\n{"a": 1}\n```\n\n```sh\n[ -f x ]\n```', {"a": 1}),
    ("The list is [1, 2, 3], as in [7].", [1, 2, 3]),
    ("答えは{\"金額\": 97}です。[1]", {"金額": 97}),
])  # fmt: skip
def test_the_one_document(text: str, value: object) -> None:
    assert found(text) == value


@pytest.mark.parametrize("text", ['see {x {"b": 1}} here', 'a [x, [1, 2], {"b": 1}] b', '{x: "}", y: {"b": 1}} z'])
def test_nothing_inside_what_cannot_be_read_is_the_answer(text: str) -> None:
    assert found(text) is None
    assert found(f'{text} and {{"a": 2}}') == {"a": 2}


@pytest.mark.parametrize("text, value", [
    # a draft in a fence, the answer in another one
    ('A draft:\n```json\n{"total": 41}\n```\nThe answer:\n```json\n{"total": 97, "ok": true}\n```',
     {"total": 97, "ok": True}),
    ('A draft:\n```json\n{"total": 41, "note": "longer"}\n```\nThe answer:\n```\n{"total": 97}\n```', {"total": 97}),
    # a long example, a short answer
    ('Example: {"total": 0, "items": ["a", "b"], "note": "long"} Answer: {"total": 9}', {"total": 9}),
    ('First {"a": 1}, no: {"a": 2}, no: {"a": 3}', {"a": 3}),
    ('Example: {"a": 0}. Answer: [{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ('[1] says {"a": 1, "b": 2} and {"c": 3', {"a": 1, "b": 2}),  # what is complete before what is cut off
    ('{"a": 1} Wait, I mean {"a": 2}', {"a": 2}),
    ('{"a": 1}{"a": 2}', {"a": 2}),
    ('```json\n{"a": 1}\n```\nIt says {"b": 2}.', {"a": 1}),  # an explanation of what is in the fence
])  # fmt: skip
def test_of_several_the_answer(text: str, value: object) -> None:
    assert found(text) == value


@pytest.mark.parametrize("text, value", [
    ('Answer: {"total": 9} (as in {"see": "page 3"})', {"total": 9}),
    ('```json\n{"total": 9}\n```\nSend it with:\n```json\n{"method": "POST", "path": "/x"}\n```', {"total": 9}),
    ('Draft {"total": 8}. Final {"total": 9, "paid": true}. Thanks [2]', {"total": 9, "paid": True}),
    ('```json\n{"x": 1}\n```\nso {"total": 9}', {"total": 9}),
    ('Example: {"x": 1}. Answer: {"total": 9, "pa', {"total": 9}),
    ('[{"total": 1}] is wrong, {"total": 9} is right, {"none": 1}', {"total": 9}),
    ('{"none": 1} {"other": 2}', {"other": 2}),  # none fits: the last one
])  # fmt: skip
def test_of_several_the_one_that_fits_the_schema(text: str, value: object) -> None:
    assert found(text, schema=Invoice) == value


def test_a_schema_of_an_array() -> None:
    assert found('for {"a": 1}: ["x", "y"] and {"b": 2}', schema={"type": "array"}) == ["x", "y"]


class TestReasoning:
    THOUGHT = '<think>draft {"total": 4, "note": "not sure"}</think>'

    @pytest.mark.parametrize("text, value", [
        (THOUGHT + '{"total": 5}', 5),
        (THOUGHT + '```json\n{"total": 5}\n```', 5),
        (THOUGHT + 'So: {"total": 5}.', 5),
        ('draft {"total": 4, "x": [1, 2]}</think>\n\n{"total": 5}', 5),  # the template wrote the opening mark
        ('[THINK]{"total": 4, "x": [1, 2]}[/THINK]{"total": 5}', 5),
        ('<|channel|>analysis<|message|>{"total": 4, "x": 1}<|end|><|channel|>final<|message|>{"total": 5}', 5),
        ('<reasoning>{"total": 4, "x": 1}</reasoning>\n{"total": 5}', 5),
    ])  # fmt: skip
    def test_the_draft_is_not_the_answer(self, text: str, value: int) -> None:
        report = field_confidences(tokens_of([text, -0.1]), text)
        assert [(field.path, field.value) for field in report] == [("/total", value)]

    @pytest.mark.parametrize("text", [
        THOUGHT, THOUGHT + "I cannot say.", '<think>draft {"total": 4', '<think>{"total": 4} hm', "[THINK]{}",
    ])  # fmt: skip
    def test_only_a_draft(self, text: str) -> None:
        assert field_confidences(tokens_of([text, -0.1]), text).status is FieldStatus.NO_JSON

    def test_the_caller_knows_where_the_answer_begins(self) -> None:
        text = 'maybe {"total": 4}. {"total": 5}'
        assert found(text, text.index(".")) == {"total": 5}
        assert field_confidences(tokens_of([text, -0.1]), text, start=len(text)).status is FieldStatus.NO_JSON

    def test_an_end_mark_inside_the_answer(self) -> None:
        text = '{"html": "<b></think>", "n": 1}'
        assert answer_start(text) == 0
        assert field_confidences(tokens_of([text, -0.1]), text)["/n"].value == 1


class TestJsonLines:
    def test_all_lines_are_an_array(self) -> None:
        tokens = tokens_of(['{"a":', 0], ["1", -0.5], ["}\n", 0], ['{"a":', 0], ["2", -0.7], ["}\n\n", 0], ["[", 0],
                           ["3", -0.9], ["]\n", 0])  # fmt: skip
        report = field_confidences(tokens)
        assert report.status is FieldStatus.OK
        assert [(one.path, one.value, one.joint_logprob) for one in report] == [
            ("/0/a", 1, -0.5), ("/1/a", 2, -0.7), ("/2/0", 3, -0.9)]  # fmt: skip
        assert report[""].value == [{"a": 1}, {"a": 2}, [3]]

    @pytest.mark.parametrize("text", ['```jsonl\n{"a":1}\n{"a":2}\n```', 'So:\n```\n{"a":1}\n{"a":2}\n```'])
    def test_in_a_fence(self, text: str) -> None:
        assert found(text) == [{"a": 1}, {"a": 2}]

    def test_the_last_one_is_cut_off(self) -> None:
        report = field_confidences(tokens_of(['{"a":1}\n{"a":"x', -0.1]))
        assert report.status is FieldStatus.TRUNCATED
        assert report.as_values().__class__ is list
        assert [(one.path, one.value, one.closed) for one in report] == [("/0/a", 1, True), ("/1/a", "x", False)]

    def test_the_schema_wants_an_object(self) -> None:
        assert found('{"total": 1}\n{"total": 2}', schema=Invoice) == {"total": 2}
        assert found('{"total": 1}\n{"total": 2}', schema=list[Invoice]) == [{"total": 1}, {"total": 2}]

    @pytest.mark.parametrize("text", ['{"a":1}\n2', '{"a":1}\nthat is it', "1\n2", '{"a":1}\n{x'])
    def test_no_lines(self, text: str) -> None:
        document = find_document(text)
        assert document is None or document.values[0].key == ""
        assert found(text) in (None, {"a": 1})

    def test_many_values(self) -> None:
        assert field_confidences(tokens_of(["[1,2,3,4,5,6,7,8,9]\n" * 11_000, -0.1])).status is FieldStatus.TOO_LARGE


@pytest.mark.parametrize("text, has_schema, expected", [
    ('{"a": 1}', False, True), ('\ufeff{"a": 1}', False, True), (' \n[1]', False, True), ("[]", False, True),
    ('["a", "b', False, True), ('[{"a": 1', False, True), ("```json\n{}\n```", False, True),
    ("```\n{}\n```", False, True), ("~~~json\n[1]\n~~~", False, True), ("Here:\n```JSON\n{}```", False, True),
    ("positive", True, True), ("", False, False), ("See [1]", False, False), ("[Note] see [1]", False, False),
    ("[1] says so", False, False), ("```python\n[1]\n```", False, False), ("```\nls\n```", False, False),
    ("a {x} b", False, False), ("42", False, False), ('"quoted"', False, False),
])  # fmt: skip
def test_is_structured(text: str, has_schema: bool, expected: bool) -> None:
    assert is_structured(text, has_schema) is expected


def test_values_of_all_kinds() -> None:
    text = '{"s": "a\\n\\u00e9", "n": -1.5e2, "i": 10, "t": true, "z": null, "o": {"l": [[], {}]}, "s": "again"}'
    report = field_confidences([TokenLogprob(text, -0.1)], text)
    assert report[""].value == json.loads(text)
    assert [report[path].value for path in ("/s", "/n", "/o", "/o/l/1")] == ["again", -150.0, {"l": [[], {}]}, {}]


@pytest.mark.parametrize("text, value", [
    ('{"a": "hel', {"a": "hel"}), ('{"a": "x\\', {"a": "x"}), ('{"a": "x\\u00', {"a": "x"}), ("[1, 2", [1, 2]),
    ("[1.", [1]), ("[1e", [1]), ("[-", [None]), ("[tr", [None]), ('{"a": {"b": 1}, "c', {"a": {"b": 1}}),
])  # fmt: skip
def test_values_of_what_is_cut_off(text: str, value: object) -> None:
    assert found(text) == value


def test_a_number_of_more_digits_than_python_reads() -> None:
    assert found("[" + "9" * 5000 + "]") == ["9" * 5000]
