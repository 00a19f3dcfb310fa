"""Rows from answers with their logprobs, and from traces with labels: the score is the one that a program will see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_logprobs import Settings, confidence_of
from langchain_logprobs.calibration import RowsError, read_rows
from langchain_logprobs.calibration.rows import Placed
from langchain_logprobs.calibration.sources import trace_rows
from langchain_logprobs.view.model import SpanData, span_data
from tests.support import ScriptedModel, Traced, entry

PIECES = [('{"email": "', 0.0), ("a@b.c", -0.5), ('", "qty": ', -0.01), ("4", -0.2), ("}", 0.0)]
ENTRIES = [entry(token, logprob) for token, logprob in PIECES]
CENSORED = [entry(token, -9999.0 if token == "4" else logprob) for token, logprob in PIECES]
TEXT = "".join(token for token, _ in PIECES)


def report_of(entries: list[Any]) -> Any:
    return confidence_of(AIMessage(TEXT, response_metadata={"logprobs": {"content": entries}}), settings=Settings())


def answers(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "answers.jsonl"
    whole = [
        {"model": "m", "text": TEXT, "logprobs": {"content": ENTRIES}, "right": True, **record} for record in records
    ]
    path.write_text("\n".join(json.dumps(record) for record in whole))
    return path


def test_answers_give_a_row_for_each_label(tmp_path: Path) -> None:
    labels = {"/email": True, "/qty": 0, "": "wrong"}
    rows = read_rows(answers(tmp_path, {"right": labels, "item": "17", "prompt": "v1"})).rows
    report = report_of(ENTRIES)
    scores = {leaf.path: leaf.field.confidence for leaf in report.leaves()} | {"": report.score}
    assert [(row.path, row.score, row.right) for row in rows] == [
        (path, scores[path], right) for path, right in (("/email", True), ("/qty", False), ("", False))
    ]
    assert {(row.model, row.prompt, row.item, row.place) for row in rows} == {
        ("m", "v1", "17", "answers.jsonl, line 1")
    }


def test_what_has_no_score_is_counted_apart(tmp_path: Path) -> None:
    censored = {"logprobs": {"content": CENSORED}, "right": {"/email": True, "/qty": True, "": True}}
    found = read_rows(
        answers(
            tmp_path, censored, {"logprobs": None}, {"text": "no", "right": {"/qty": False}}, {"right": {"/qty": True}}
        )
    )
    assert [(row.path, row.place) for row in found.rows] == [
        ("/email", "answers.jsonl, line 1"),
        ("/qty", "answers.jsonl, line 4"),
    ]
    assert found.without_score == [f"answers.jsonl, line {line}" for line in (1, 1, 2, 3)]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"right": {"/emial": True}}, "none of the answers has a field /emial"),
        ({"right": {"email": True}}, "write the JSON Pointer /email"),
        ({"right": {"/email": "perhaps"}}, "right is 'perhaps'"),
        ({"right": None}, "right is None"),
        ({"text": 4}, "its text is no text"),
        ({"model": ""}, "model is ''"),
        ({"gold": {}}, "'gold' is not known"),
    ],
)
def test_bad_answers_are_refused(tmp_path: Path, record: dict[str, Any], told: str) -> None:
    with pytest.raises(RowsError) as refused:
        read_rows(answers(tmp_path, {}, record))
    assert told in str(refused.value)
    assert "answers.jsonl, line" in str(refused.value)


def traced(entries: list[Any], question: str = "Who?", settings: Settings | None = None) -> SpanData:
    traced = Traced(settings)
    ScriptedModel(entries=entries).invoke(question, traced.config)
    return span_data(traced.call)


def labels(span: SpanData, *fields: tuple[str, Any], **more: Any) -> list[Placed]:
    named = {"span_id": span.span_id.upper(), **more}
    return [
        (f"labels.csv, line {n}", {**named, "field_path": path, "right": right})
        for n, (path, right) in enumerate(fields, 2)
    ]


def test_traces_give_the_scores_that_the_report_has() -> None:
    span = traced(ENTRIES)
    found = trace_rows([span], labels(span, ("/email", "1"), ("/qty", "0"), ("", "1"), trace_id=span.trace_id))
    report = report_of(ENTRIES)
    scores = {leaf.path: leaf.field.confidence for leaf in report.leaves()} | {"": report.score}
    assert {row.path: row.score for row in found.rows} == scores
    assert [row.right for row in found.rows] == [True, False, True]
    assert {(row.model, row.prompt, row.item) for row in found.rows} == {
        ("scripted-1", None, f"span {span.trace_id}/{span.span_id}")
    }


def test_censored_values_and_calls_without_logprobs_have_no_score() -> None:
    censored, none = traced(CENSORED), traced([])
    found = trace_rows(
        [censored, none], [*labels(censored, ("/email", "1"), ("/qty", "1"), ("", "1")), *labels(none, ("", "1"))]
    )
    assert [row.path for row in found.rows] == ["/email"]
    assert len(found.without_score) == 3


def test_the_same_question_asked_twice_is_one_item() -> None:
    settings = Settings(capture_messages=True)
    spans = [traced(ENTRIES, question, settings) for question in ("Who?", "Who?", "Why?")]
    rows = trace_rows(spans, [label for span in spans for label in labels(span, ("/email", "1"))]).rows
    assert rows[0].item == rows[1].item != rows[2].item


def test_a_label_can_say_model_prompt_and_item() -> None:
    span = traced(ENTRIES)
    (row,) = trace_rows([span], labels(span, ("/email", "1"), model="m", prompt="v2", item="17")).rows
    assert (row.model, row.prompt, row.item) == ("m", "v2", "17")


def test_bad_labels_of_traces_are_refused() -> None:
    span, few = traced(ENTRIES), traced(ENTRIES, settings=Settings(max_fields=1))
    chain = SpanData(span.trace_id, "c" * 16, None, "chain", 0, 0, {})
    copy = SpanData("f" * 32, span.span_id, None, span.name, 0, 0, span.attributes)
    cases = [
        ([few], labels(span, ("", "1")), "Is it another file's?"),
        ([span], labels(span, ("", "1"), trace_id="0" * 32), "of trace 000"),
        ([span, copy], labels(span, ("", "1")), "Give the column `trace_id` too"),
        ([chain], labels(chain, ("", "1")), "no model call"),
        ([span], labels(span, ("/phone", "1")), "none of the answers has a field /phone"),
        ([few], labels(few, ("/email", "1"), ("/qty", "1")), "Settings(max_fields=...)"),
        ([span], labels(span, ("/email", "")), "right is ''"),
        ([span], [("labels.csv, line 2", {"field_path": "", "right": 1})], "'span_id' is missing"),
    ]
    for spans, records, told in cases:
        with pytest.raises(RowsError) as refused:
            trace_rows(spans, records)
        assert told in str(refused.value)
        assert "labels.csv, line" in str(refused.value)
