"""Traces as tables: every cell is what the span says, and what is not known is empty."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_logprobs import Settings
from langchain_logprobs.tables import table
from langchain_logprobs.tables.columns import COLUMNS
from langchain_logprobs.tables.display import MAX_ROWS
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import EventData, SpanData, span_data
from tests.providers.wire import WireServer, json_body
from tests.support import ENTRIES, ScriptedModel, Traced, completion, entry


class Order(BaseModel):
    """What is read."""

    city: str
    paid: bool


TOKENS = ['{"city":', ' "', "Lima", '",', ' "paid":', " true", "}"]
JSON_ENTRIES = [entry(token, -0.9, (" false", -0.6)) if token == " true" else entry(token, -0.01) for token in TOKENS]


def call(span_id: int = 1, *events: EventData, **attributes: Any) -> SpanData:
    """A model call's span, as a file of anybody could hold it."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    found = {names.STATUS: "recorded", **named}
    return SpanData("ab" * 16, f"{span_id:016x}", None, "chat m", 1_000_000_000, 3_000_000_000, found, events)


@pytest.fixture
def traced() -> Traced:
    """Two calls, one of them structured, below a chain."""
    kept = Traced(Settings(capture_messages=True))
    config: Any = {**kept.config, "metadata": {"thread_id": "doc-7"}}
    with WireServer() as server:
        server.answer("*", lambda _: json_body(completion(JSON_ENTRIES)))
        model = ChatOpenAI(base_url=f"{server.url}/v1", api_key="x", model="m", logprobs=True)  # type: ignore[arg-type]
        model.with_structured_output(Order, method="json_schema").invoke("Was it paid?", config)
    (ScriptedModel(entries=[*ENTRIES, entry(" bot", -2.5, (" man", -0.5))]) | StrOutputParser()).invoke("Who?", config)
    return kept


def test_every_cell_of_a_call_is_what_its_span_says(traced: Traced) -> None:
    rows = list(table(traced.spans))
    spans = {f"{span.context.span_id:016x}": span for span in traced.spans}
    assert len(rows) == 2
    for row in rows:
        span = spans[row["span_id"]]
        for column in COLUMNS["calls"]:
            if column.attribute is not None:
                assert row[column.name] == span.attributes.get(column.attribute), column.name
        assert row["seconds"] == (span.end_time - span.start_time) / 1e9
        assert row["step"] == spans[row["parent_id"]].name
        assert row["conversation"] == "doc-7"
    structured, prose = rows
    assert structured["model"] == "gpt-4o-2024-08-06"
    assert structured["certainty"] == structured["least_confidence"] == pytest.approx(math.exp(-0.91))
    assert structured["question"] == "Was it paid?"
    assert structured["answer"] == "".join(TOKENS)
    assert (prose["certainty"], prose["least_field"]) == (prose["score"], None)


def test_every_value_is_a_row_with_its_numbers(traced: Traced) -> None:
    rows = list(table(traced.spans, "fields"))
    (span,) = [each for each in traced.spans if names.FIELD_PATHS in each.attributes]
    assert [row["path"] for row in rows] == list(span.attributes[names.FIELD_PATHS])
    assert [row["confidence"] for row in rows] == list(span.attributes[names.FIELD_CONFIDENCES])
    assert [row["min_probability"] for row in rows] == list(span.attributes[names.FIELD_MIN_PROBABILITIES])
    by_path = {row["path"]: row for row in rows}
    assert (by_path["/city"]["kind"], by_path["/city"]["value"]) == ("string", "Lima")
    paid = by_path["/paid"]
    assert (paid["kind"], paid["value"], paid["weakest"], paid["nearly"]) == ("boolean", "true", " true", "false")
    assert paid["nearly_probability"] == span.attributes[names.FIELD_RUNNER_UP_PROBABILITIES][rows.index(paid)]


def test_every_stretch_is_a_row(traced: Traced) -> None:
    (row,) = table(traced.spans, "stretches")
    (event,) = [each for span in traced.spans for each in span.events if each.name == names.LOW_CONFIDENCE_EVENT]
    for column in COLUMNS["stretches"]:
        if column.attribute is not None:
            assert row[column.name] == event.attributes.get(column.attribute), column.name
    assert row["text"].strip() == "bot"
    assert (row["nearly"], row["nearly_probability"]) == (" man", pytest.approx(math.exp(-0.5)))


def test_what_is_not_known_is_empty_and_never_0() -> None:
    rows = list(table([call(1, logprobs__status="missing"), call(2, logprobs__mean=float("nan"), logprobs__cached=1)]))
    assert rows[0]["status"] == "missing"
    for name in ("score", "level", "certainty", "tokens", "censored", "min_probability", "fields", "choices"):
        assert rows[0][name] is None
    assert (rows[1]["mean"], rows[1]["cached"]) == (None, None)  # of a wrong type: absent
    lines = list(csv.DictReader(io.StringIO(table([call(1)]).to_csv())))
    assert (lines[0]["score"], lines[0]["tokens"], lines[0]["detected"]) == ("", "", "")


def test_a_censored_value_has_no_confidence_but_a_bound() -> None:
    fields = {names.FIELD_PATHS: ("/a", "/b"), names.FIELD_CONFIDENCES: (0.2, 0.9), names.FIELD_CENSORED: (0,)}
    first, second = table([replace(call(), attributes={names.STATUS: "recorded", **fields})], "fields")
    assert (first["confidence"], first["at_most"]) == (None, 0.2)
    assert (second["confidence"], second["at_most"]) == (0.9, None)


def test_half_a_trace_and_times_of_nobody() -> None:
    orphan = replace(call(1), parent_id="ff" * 8)
    no_time = replace(call(2), start_ns=0, end_ns=0)
    far = replace(call(3), start_ns=2**70)
    rows = {row["span_id"][-1]: row for row in table([orphan, no_time, far])}
    assert (rows["1"]["parent_id"], rows["1"]["step"]) == ("ff" * 8, None)
    assert rows["1"]["start"] == "1970-01-01T00:00:01.000000Z"
    assert (rows["2"]["start"], rows["3"]["start"]) == (None, None)


def test_several_choices_agree_or_not() -> None:
    texts = ['{"a": 1, "b": 2}', '{"a": 1, "b": 3}', '{"b": 2, "a": 1}', '{"a": 1}']
    messages = [{"role": "assistant", "parts": [{"type": "text", "content": text}]} for text in texts]
    events = [EventData(names.CHOICE_EVENT, 1, {names.CHOICE_INDEX: index}) for index in range(4)]
    tokens = ['{"a": ', "1", ', "b": ', "2", "}"]
    span = call(1, *events)
    found = {
        **span.attributes,
        names.OUTPUT_MESSAGES: json.dumps(messages),
        names.TOKENS: tokens,
        names.VALUES: [-0.1] * 5,
        names.FIELD_PATHS: ("/a", "/b"),
        names.FIELD_CONFIDENCES: (0.9, 0.9),
    }
    (row,) = table([replace(span, attributes=found)])
    assert (row["choices"], row["agreement"]) == (4, 0.5)
    fields = table([replace(span, attributes=found)], "fields")
    assert [(each["path"], each["choices"], each["agreement"]) for each in fields] == [("/a", 4, 1.0), ("/b", 4, 0.5)]
    private = {name: value for name, value in found.items() if name != names.OUTPUT_MESSAGES}
    assert table([replace(span, attributes=private)]).rows[0]["agreement"] is None


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''-x", "＋", "－", "＠"],
)
def test_a_spreadsheet_finds_no_formula_and_nothing_is_lost(text: str) -> None:
    (line,) = csv.DictReader(io.StringIO(table([call(gen_ai__provider__name=text)]).to_csv(), newline=""))
    assert line["provider"] == "'" + text


@pytest.mark.parametrize(
    "text", ["a=1", "it's", "'quoted'", "x,y;z", 'say "hi"', "two\nlines", "日本語 é 😀", "\x00", " =1"]
)
def test_other_texts_are_what_they_are(text: str) -> None:
    (line,) = csv.DictReader(io.StringIO(table([call(gen_ai__provider__name=text)]).to_csv(), newline=""))
    assert line["provider"] == text


def test_numbers_below_0_stay_numbers() -> None:
    (line,) = csv.DictReader(io.StringIO(table([call(logprobs__mean=-0.25)]).to_csv()))
    assert line["mean"] == "-0.25"


def test_json_is_one_array_with_null() -> None:
    made = table([call(1, logprobs__mean=-0.25), call(2, gen_ai__provider__name="=x\ud83d")])
    first, second = json.loads(made.to_json())
    assert (first["mean"], first["provider"]) == (-0.25, None)
    assert second["provider"] == "=x\ud83d"
    assert json.loads(table([]).to_json()) == []


@pytest.mark.parametrize("of", ["calls", "fields", "stretches"])
def test_data_frames_have_types_that_can_be_missing(traced: Traced, of: Any) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    made = table(traced.spans, of)
    pandas_frame, polars_frame = made.to_pandas(), made.to_polars()
    assert list(pandas_frame.columns) == polars_frame.columns == [column.name for column in made.columns]
    assert polars_frame.to_dicts() == list(made)
    for column in made.columns:
        cells = pandas_frame[column.name].tolist()
        missing = pandas_frame[column.name].isna().tolist()
        for cell, gone, row in zip(cells, missing, made, strict=True):
            assert gone == (row[column.name] is None)
            assert gone or cell == row[column.name]
    assert len(made.to_frame()) == len(made)
    empty = table([], of)
    assert empty.to_pandas().shape == empty.to_polars().shape == (0, len(made.columns))


def test_a_frame_of_texts_that_no_utf8_carries() -> None:
    pytest.importorskip("polars")
    made = table([call(gen_ai__provider__name="\ud83d")])
    assert made.to_polars()["provider"].to_list() == ["�"]


def test_without_pandas_and_polars_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="needs pandas or polars"):
        table([]).to_frame()


def test_polars_is_taken_where_there_is_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert isinstance(table([call()]).to_frame(), polars.DataFrame)


def test_a_file_and_a_wrong_table(tmp_path: Path) -> None:
    assert len(table(_file(tmp_path))) == 1
    with pytest.raises(ValueError, match="of='call' is no table: it is one of calls, fields, stretches"):
        table([], "call")  # type: ignore[arg-type]
    with pytest.raises(OSError):
        table(tmp_path / "none.jsonl")


def _file(folder: Path) -> Path:
    span = {
        "traceId": "ab" * 16,
        "spanId": "01" * 8,
        "name": "chat m",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
    }
    span["attributes"] = [{"key": names.STATUS, "value": {"stringValue": "missing"}}]  # type: ignore[assignment]
    path = folder / "traces.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}), encoding="utf-8")
    return path


def test_it_shows_itself_in_notebooks_and_terminals(traced: Traced) -> None:
    from rich.console import Console

    made = table(traced.spans, "fields")
    assert repr(made) == "<Table of 2 fields, 15 columns>"
    assert "<td" in made._repr_html_()
    console = Console(width=160)
    with console.capture() as captured:
        console.print(made)
    assert "/paid" in captured.get()
    many = table([call(index, gen_ai__response__model="<script>[red]\x1b") for index in range(MAX_ROWS + 5)])
    html = many._repr_html_()
    assert html.count("<tr>") == MAX_ROWS + 1
    assert "&lt;script&gt;[red]␛" in html
    assert f"the first {MAX_ROWS} of {MAX_ROWS + 5} calls" in html


def test_tables_of_spans_in_memory_and_read_ones_are_the_same(traced: Traced) -> None:
    assert table(traced.spans).rows == table([span_data(span) for span in traced.spans]).rows
