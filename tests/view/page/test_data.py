"""The page's data: every number as it stands on the span, every value as the model wrote it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from langchain_logprobs import Settings
from langchain_logprobs.view.model import EventData, SpanData, read_traces
from langchain_logprobs.view.page.data import list_data, page_data
from tests.view.gallery import CENSORED, INVOICE, SHORT, gallery


def span(span_id: str, parent: str | None = None, *, start: int = 0, **rest: Any) -> SpanData:
    attributes = rest.pop("attributes", {})
    return SpanData("ab" * 16, span_id, parent, span_id, start, start + 5_000_000, attributes, **rest)


def shown(*spans: SpanData) -> dict[str, Any]:
    (trace,) = page_data(read_traces(spans))["traces"]
    return trace


def call(attributes: dict[str, Any], events: tuple[EventData, ...] = ()) -> dict[str, Any]:
    (row,) = shown(span("call", attributes={"logprobs.status": "recorded", **attributes}, events=events))["spans"]
    found: dict[str, Any] = row["call"]
    return found


def answer(text: str, **attributes: Any) -> dict[str, Any]:
    """A call whose tokens are the words of a text, `|` between them."""
    tokens = text.split("|")
    values = [-0.1] * len(tokens)
    return {"logprobs.tokens": tokens, "logprobs.values": values, **{f"logprobs.{k}": v for k, v in attributes.items()}}


@pytest.fixture(scope="module")
def traces() -> dict[str, list[SpanData]]:
    return gallery()


def calls_of(spans: list[SpanData]) -> list[tuple[SpanData, dict[str, Any]]]:
    by_id = {each.span_id: each for each in spans}
    return [(by_id[row["id"]], row["call"]) for row in shown(*spans)["spans"] if "call" in row]


def test_every_number_is_the_spans_own(traces: dict[str, list[SpanData]]) -> None:
    for name, spans in traces.items():
        for original, drawn in calls_of(spans):
            attributes = original.attributes
            assert drawn["tokens"] == list(attributes.get("logprobs.tokens", ())), name
            censored = set(attributes.get("logprobs.token.censored_positions", ()))
            values = [None if i in censored else v for i, v in enumerate(attributes.get("logprobs.values", ()))]
            assert drawn["logprobs"] == values, name
            assert [field["path"] for field in drawn["fields"]] == list(attributes.get("logprobs.fields.paths", ()))
            for key, column in (("confidence", "confidences"), ("weakest", "min_indexes")):
                assert [field[key] for field in drawn["fields"]] == list(
                    attributes.get(f"logprobs.fields.{column}", ())
                )
            stretches = [event for event in original.events if event.name == "logprobs.low_confidence"]
            assert sorted(stretch["start"] for stretch in drawn["stretches"]) == sorted(
                event.attributes["logprobs.token.start"] for event in stretches
            )
            chunks = [event for event in original.events if event.name == "logprobs.chunk"]
            assert (drawn["chunks"] is None) == (not chunks)
        for row in shown(*spans)["spans"]:
            original = next(each for each in spans if each.span_id == row["id"])
            for key, value in row["attributes"].items():
                expected = original.attributes[key]
                assert value == (list(expected) if isinstance(expected, tuple) else expected)


def test_values_are_shown_as_the_model_wrote_them(traces: dict[str, list[SpanData]]) -> None:
    ((_, drawn),) = calls_of(traces["json"])
    assert [(field["path"], field["value"]) for field in drawn["fields"]] == [
        ("/vendor", '"Acme Tools"'),
        ("/total", "142.50"),
        ("/currency", '"EUR"'),
        ("/paid", "true"),
        ("/limit", "1e400"),
    ]
    for field in drawn["fields"]:
        tokens = drawn["tokens"][field["start"] : field["start"] + field["count"]]
        assert field["value"] in "".join(tokens)
        assert field["start"] <= field["weakest"] < field["start"] + field["count"]
    assert len(INVOICE) == len(drawn["tokens"])


def test_the_arguments_of_a_tool_call_are_found_in_the_models_own_markup(traces: dict[str, list[SpanData]]) -> None:
    ((_, drawn),) = calls_of(traces["tool"])
    (field,) = drawn["fields"]
    assert (field["path"], field["value"]) == ("/tool_calls/0/population/city", '"Lima"')


def test_the_same_path_in_two_tool_calls_is_told_apart_by_the_weakest_token() -> None:
    text = '{"name": "f", "arguments": {"x": |1|}}|\n|{"name": "f", "arguments": {"x": |2|}}'
    drawn = call(
        answer(text)
        | {
            "logprobs.fields.paths": ["/tool_calls/0/f/x", "/tool_calls/1/f/x"],
            "logprobs.fields.confidences": [0.9, 0.8],
            "logprobs.fields.min_indexes": [1, 5],
        }
    )
    assert [field["value"] for field in drawn["fields"]] == ["1", "2"]


@pytest.mark.parametrize(
    "text, path, index, value",
    [
        ('{"a": |1|, "a": |2|}', "/a", 3, "2"),
        ('{"a": |1|, "a": |2|}', "/a", 1, "1"),
        ('{"a": |1|, "a": |2|}', "/a", None, "2"),
        ('{"a": |1|2|}', "/a", 3, "12"),  # that it ends here was the doubt
        ('{"a|": "b|c"| |}', "/a", 4, None),  # the token is nowhere near the value
        ('{"a": |1|}\n{"a": |2|}', "/1/a", 3, "2"),  # JSON lines
        ("refund", "", 0, "refund"),  # a label alone
        (" return|_item \n", "", 1, "return_item"),
        ('{"a|": "b|c"}', "/a", 1, '"bc"'),
        ('Sure: |```json\n|{"a/b": |-0.0|}\n```', "/a~1b", 3, "-0.0"),
        ('{"a": [|1.10|, {"é|": null|}]}', "/a/1/é", 3, "null"),
        ("42", "", 0, "42"),
        ('"yes"', "", 0, '"yes"'),
        ("[|[1]|]", "/0/0", 1, "1"),
        ("no JSON |here", "/a", 1, None),
        ('{"a": "cut o', "/a", 0, '"cut o'),
        ('5" pipe: |{"a": |true|}', "/a", 2, "true"),
        ('{"city": |"東京"|}', "/city", 1, '"東京"'),
        ("{" * 3000, "/a", 0, None),
        ("", "/a", None, None),
    ],
)
def test_where_a_value_stands(text: str, path: str, index: int | None, value: str | None) -> None:
    fields: dict[str, Any] = {"logprobs.fields.paths": [path], "logprobs.fields.confidences": [0.5]}
    if index is not None:
        fields["logprobs.fields.min_indexes"] = [index]
    (field,) = call(answer(text) | fields)["fields"]
    assert field["value"] == value


def test_a_field_whose_token_was_not_recorded() -> None:
    fields = {
        "logprobs.fields.paths": ["/a"],
        "logprobs.fields.confidences": [0.5],
        "logprobs.fields.min_indexes": [99],
        "logprobs.fields.runners_up": ["true"],
        "logprobs.fields.runner_up_probabilities": [0.25],
    }
    (field,) = call(answer('{"a": |false|}') | fields)["fields"]
    assert (field["value"], field["weakest"], field["runner_up"]) == ("false", None, ["true", 0.25])


def test_without_text_the_numbers_stay(traces: dict[str, list[SpanData]]) -> None:
    silent = gallery(settings=Settings(capture_text=False))
    for name in ("json", "short", "tool"):
        ((_, full),), ((_, drawn),) = calls_of(traces[name]), calls_of(silent[name])
        assert drawn["logprobs"] == full["logprobs"]
        assert set(drawn["tokens"]) == {None}
        assert [field["weakest"] for field in drawn["fields"]] == [field["weakest"] for field in full["fields"]]
        assert all(field["value"] is None for field in drawn["fields"])
        words = json.dumps(shown(*silent[name]))
        assert "Lima" not in words
        assert "Arnhem" not in words


def test_tokens_that_spell_one_character_are_drawn_as_one_and_keep_their_indexes() -> None:
    drawn = call(
        {
            "logprobs.tokens": ["a", "\\xe2\\x82", "\\xac", "b", "c"],
            "logprobs.values": [-0.1, -0.2, -3.0, -0.1, -2.0],
            "logprobs.alternatives.positions": [2, 4],
            "logprobs.alternatives.tokens": ["x", "y"],
            "logprobs.alternatives.values": [-0.5, -0.6],
        },
        (
            EventData("logprobs.low_confidence", 0, {"logprobs.token.start": 1, "logprobs.token.count": 3}),
            EventData("logprobs.chunk", 1_000_000, {"logprobs.token.start": 3}),
        ),
    )
    assert drawn["tokens"] == ["a", "€", "b", "c"]
    assert drawn["starts"] == [0, 1, 3, 4]
    assert drawn["logprobs"] == [-0.1, -3.0, -0.1, -2.0]
    assert drawn["alternatives"] == {"1": [["x", math.exp(-0.5)]], "3": [["y", math.exp(-0.6)]]}
    assert [(each["start"], each["count"]) for each in drawn["stretches"]] == [(1, 2)]
    assert drawn["chunks"] == {"starts": [2], "offsets_us": [1000], "grouped": False}


def test_groups_of_chunks_are_called_groups() -> None:
    events = [
        EventData("logprobs.chunk", index * 1_000_000, {"logprobs.token.start": index, "logprobs.chunk.index": index})
        for index in (0, 2)
    ]
    assert call(answer("a|b|c"), tuple(events))["chunks"] == {
        "starts": [0, 2],
        "offsets_us": [0, 2000],
        "grouped": True,
    }


def test_exact_arrivals_are_read_before_the_events() -> None:
    chunk = EventData("logprobs.chunk", 9_000_000, {"logprobs.token.start": 0, "logprobs.chunk.index": 0})
    arrays = {"logprobs.chunk.starts": [0, 1, 7], "logprobs.chunk.offsets_us": [10, 20, 30]}
    drawn = call(answer("a|b") | arrays, (chunk,))
    assert drawn["chunks"] == {"starts": [0, 1], "offsets_us": [10, 20], "grouped": False}


def test_arrivals_without_starts_are_one_token_each() -> None:
    drawn = call(answer("a|b") | {"logprobs.chunk.offsets_us": [10, 20]})
    assert drawn["chunks"] == {"starts": [0, 1], "offsets_us": [10, 20], "grouped": False}


def test_reasoning_is_told_apart_only_where_the_numbers_leave_it_out(traces: dict[str, list[SpanData]]) -> None:
    ((_, drawn),) = calls_of(traces["reasoning"])
    assert "".join(drawn["tokens"][: drawn["reasoning"]]) == "<think>The user wants a number.</think>\n\n"
    assert all(position >= drawn["reasoning"] for position in drawn["least_certain"])
    assert call(answer("I |wrote |</think>| here"))["reasoning"] == 0


def test_questions_answers_and_reasons() -> None:
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "When?"}, "not a part", {"type": "image", "id": 1}]},
        "not a message",
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"x": "é"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": "ok"}]},
        {"role": "assistant", "finish_reason": "stop", "parts": [{"type": "token_confidence", "level": "low"}]},
    ]
    drawn = call({"gen_ai.input.messages": json.dumps(messages), "gen_ai.output.messages": "[not JSON"})
    assert [message["role"] for message in drawn["input"]] == ["user", "assistant", "tool", "assistant"]
    parts = [(part["kind"], part["name"], part["text"]) for message in drawn["input"] for part in message["parts"]]
    assert parts == [
        ("text", None, "When?"),
        ("image", None, '{\n  "type": "image",\n  "id": 1\n}'),
        ("tool_call", "f", '{\n  "x": "é"\n}'),
        ("tool_call_response", None, "ok"),
    ]
    assert drawn["input"][-1]["finish_reason"] == "stop"
    assert drawn["output"] == []


@pytest.mark.parametrize("attribute", ["{}", "5", "null", "[" * 100_000, 7, None, '[{"parts": 5}]'])
def test_messages_in_another_form(attribute: Any) -> None:
    drawn = call({"gen_ai.input.messages": attribute})
    assert [message["parts"] for message in drawn["input"]] in ([], [[]])


def test_the_tree_is_flat_with_depths_however_deep_it_is() -> None:
    spans = [span("0")] + [span(str(depth), str(depth - 1), start=depth) for depth in range(1, 3000)]
    rows = shown(*spans)["spans"]
    assert [row["depth"] for row in rows] == list(range(3000))
    json.dumps(rows)


def test_half_a_trace_and_spans_of_other_instrumentations() -> None:
    foreign = span(
        "foreign",
        attributes={
            "gen_ai.operation.name": "chat",
            "logprobs.mean": math.nan,
            "http.url": "secret",
            "logprobs.x": [1],
        },
    )
    drawn = shown(span("orphan", "gone", start=9, error="refused"), foreign)
    assert [(row["id"], row["depth"], row["error"]) for row in drawn["spans"]] == [
        ("foreign", 0, None),
        ("orphan", 0, "refused"),
    ]
    assert drawn["spans"][0]["attributes"] == {}
    assert drawn["spans"][0]["call"]["status"] == "missing"
    assert (drawn["level"], drawn["errors"], drawn["calls"]) == (None, 1, 1)


def test_attributes_of_the_wrong_type_are_left_out() -> None:
    wrong = {
        "logprobs.mean": "low",
        "logprobs.token.count": [1],
        "logprobs.perplexity": math.inf,
        "logprobs.min.token": 5,
        "logprobs.min.probability": True,
        "logprobs.low_confidence.detected": "yes",
        "logprobs.new": "kept",
        "logprobs.large": 10**400,
        "logprobs.sum": -(10**400),
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.response.model": 5,
        "gen_ai.usage.input_tokens": "many",
    }
    (row,) = shown(span("a", attributes=wrong))["spans"]
    assert row["attributes"] == {"logprobs.new": "kept"}


def test_the_least_certain_traces_come_first() -> None:
    def one(number: int, **attributes: Any) -> SpanData:
        named = {f"logprobs.{key.replace('__', '.')}": value for key, value in attributes.items()}
        return SpanData(f"{number:032x}", "a", None, str(number), number, number + 1, named)

    spans = [
        one(1),
        one(2, confidence__level="high", min__probability=0.9),
        one(3, confidence__level="low", min__probability=0.3),
        one(4, confidence__level="high", min__probability=0.1),
        one(5, confidence__level="medium", confidence__score=0.7),
        one(6, confidence__level="high", low_confidence__detected=True, min__probability=0.5),
        one(7, confidence__level="low", min__probability=0.2),
        one(8),
    ]
    listed = list_data(read_traces(spans))["traces"]
    assert [int(row["name"]) for row in listed] == [7, 3, 5, 6, 4, 2, 8, 1]
    assert listed[0]["weakest_probability"] == 0.2
    assert all("spans" not in row for row in listed)


def test_the_row_of_a_trace_is_its_roots_roll_up(traces: dict[str, list[SpanData]]) -> None:
    row = shown(*traces["short"])
    root = next(each for each in traces["short"] if each.parent_id is None)
    assert row["name"] == root.name
    for key, name in (
        ("level", "confidence.level"),
        ("confidence", "confidence.score"),
        ("weakest", "min.token"),
        ("weakest_probability", "min.probability"),
        ("tokens", "token.count"),
    ):
        assert row[key] == root.attributes[f"logprobs.{name}"]
    assert (row["calls"], len(SHORT)) == (1, row["tokens"])


def test_beside_a_level_stands_the_number_that_it_is_taken_from(traces: dict[str, list[SpanData]]) -> None:
    row = shown(*traces["json"])
    (call,) = [each for each in row["spans"] if "call" in each]
    least = min(field["confidence"] for field in call["call"]["fields"])
    assert row["score"] == call["score"] == least < call["confidence"]
    prose = shown(*traces["short"])
    assert prose["score"] == prose["confidence"]


def test_a_trace_without_its_root_is_rated_by_its_calls(traces: dict[str, list[SpanData]]) -> None:
    half = [each for each in traces["short"] if each.parent_id is not None]
    assert shown(*half)["level"] == shown(*traces["short"])["level"]


def test_censored_tokens_have_no_number(traces: dict[str, list[SpanData]]) -> None:
    ((_, drawn),) = calls_of(traces["censored"])
    assert drawn["logprobs"][3] is None
    assert drawn["tokens"][3] == CENSORED[3]["token"]
    assert drawn["least_certain"][0] == 3


def test_an_empty_page() -> None:
    assert page_data([])["traces"] == []
    assert list_data([])["traces"] == []
