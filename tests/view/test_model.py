"""Spans in, what there is to draw out: nothing of it knows rich."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from langchain_logprobs.view.answer import read_answer
from langchain_logprobs.view.choose import Wanted, choose
from langchain_logprobs.view.model import Node, SpanData, Trace, read_traces, span_data
from langchain_logprobs.view.terminal.json_lines import json_lines


def span(span_id: str, parent: str | None = None, *, trace: str = "t", start: int = 0, **attributes: Any) -> SpanData:
    return SpanData(trace, span_id, parent, span_id, start, start + 1_000_000, attributes)


def test_importing_the_package_or_the_data_half_of_the_view_imports_no_rich() -> None:
    data_half = "langchain_logprobs.cli.main, langchain_logprobs.view.sources.otlp_json"
    code = f"import sys, {data_half}; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_spans_of_the_sdk_are_read_with_ids_events_and_error() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("chat m") as chat:
        chat.set_attribute("logprobs.tokens", ["a"])
        chat.add_event("logprobs.chunk", {"logprobs.token.start": 0}, timestamp=7)
        chat.set_status(StatusCode.ERROR, "refused")
    child, root = (span_data(item) for item in exporter.get_finished_spans())
    assert (len(root.trace_id), len(root.span_id), root.parent_id, root.error) == (32, 16, None, None)
    assert (child.parent_id, child.error) == (root.span_id, "refused")
    assert child.attributes["logprobs.tokens"] == ("a",)
    assert [(event.name, event.time_ns, dict(event.attributes)) for event in child.events] == [
        ("logprobs.chunk", 7, {"logprobs.token.start": 0})
    ]


def test_spans_become_trees_in_the_order_in_which_they_started() -> None:
    spans = [
        span("late", "root", start=3),
        span("early", "root", start=2),
        span("root", start=1),
        span("other", trace="u", start=0),
    ]
    first, second = read_traces(spans)
    assert (first.trace_id, second.trace_id) == ("u", "t")
    (root,) = second.roots
    assert [child.span.name for child in root.children] == ["early", "late"]
    assert root.seconds == 0.001


def test_a_span_whose_parent_was_not_read_is_a_root_and_broken_parents_do_no_harm() -> None:
    spans = [span("orphan", "elsewhere"), span("self", "self", start=1), span("a", "b"), span("b", "a")]
    (trace,) = read_traces(spans)
    assert [root.span.name for root in trace.roots] == ["orphan", "self"]


def test_a_trace_deeper_than_pythons_stack_is_read() -> None:
    spans = [span("0")] + [span(str(depth), str(depth - 1)) for depth in range(1, 5000)]
    (trace,) = read_traces(spans)
    node, depth = trace.roots[0], 0
    while node.children:
        (node,) = node.children
        depth += 1
    assert depth == 4999


def test_no_spans_are_no_traces() -> None:
    assert read_traces([]) == []


def test_a_model_call_is_known_by_its_status_or_its_operation() -> None:
    spans: dict[str, dict[str, Any]] = {
        "with status": {"logprobs.status": "missing"},
        "by operation": {"gen_ai.operation.name": "chat"},
        "tool": {"gen_ai.operation.name": "execute_tool"},
        "above": {"logprobs.llm_call.count": 2, "logprobs.confidence.level": "low"},
    }
    calls = [span(name, **attributes) for name, attributes in spans.items()]
    nodes = {node.span.name: node for node in read_traces(calls)[0].roots}
    assert nodes["with status"].answer is not None
    assert nodes["by operation"].answer is not None
    assert nodes["tool"].answer is None
    assert (nodes["above"].answer, nodes["above"].calls, nodes["above"].level) == (None, 2, "low")


def test_tokens_probabilities_and_alternatives() -> None:
    answer = read_answer(
        {
            "logprobs.tokens": ["Paris", " is", "!"],
            "logprobs.values": [-0.05, -1.6, -100.0],
            "logprobs.token.censored_positions": [2],
            "logprobs.alternatives.positions": [1, 1, 1],
            "logprobs.alternatives.tokens": [" is", " was", " has"],
            "logprobs.alternatives.values": [-1.6, -0.4, -2.0],
        }
    )
    first, second, third = answer.tokens
    assert first.probability == pytest.approx(math.exp(-0.05))
    assert not first.off_top1
    assert [text for text, _ in second.alternatives] == [" was", " has"], "itself is not what it nearly said"
    assert second.off_top1
    assert third.probability is None
    assert not third.off_top1
    assert answer.text == "Paris is!"
    assert [token.text for token in answer.least_certain(5, below=0.5)] == ["!", " is"]
    assert answer.status == "recorded"


def test_least_certain_lists_by_probability_alone() -> None:
    values = {"logprobs.tokens": ["a", "b", "c"], "logprobs.values": [-1.0, -3.0, -2.0]}
    some = {
        "logprobs.alternatives.positions": [2],
        "logprobs.alternatives.tokens": ["x"],
        "logprobs.alternatives.values": [-0.2],
    }
    for attributes in (values, values | some):
        assert [token.text for token in read_answer(attributes).least_certain(2, below=0.5)] == ["b", "c"]


def test_tokens_in_a_stretch_are_unsure_whatever_their_probability() -> None:
    values = {"logprobs.tokens": list("abcd"), "logprobs.values": [-0.1, -3.0, -0.1, -0.1]}
    stretches = [{"logprobs.token.start": 1, "logprobs.token.count": 2}, {"logprobs.token.start": 3}]
    outside = {"logprobs.token.outside_ranges": [1, 2]}
    assert read_answer(values, stretches).unsure(0.2) == [False, True, True, False]
    assert read_answer(values | outside, stretches).unsure(0.2) == [False, False, True, False]
    endless = [{"logprobs.token.start": -5, "logprobs.token.count": 2**60}]
    assert read_answer(values, endless).unsure(0.2) == [True] * 4


def test_choices_in_their_order_with_what_they_say() -> None:
    messages = [{"role": "assistant", "parts": [{"type": "text", "content": text}]} for text in ("A", "B", "C")]
    events = [{"logprobs.choice.index": index, "logprobs.confidence.score": index / 10} for index in (2, 0, 1)]
    found = read_answer({"gen_ai.output.messages": json.dumps(messages)}, (), events).choices
    assert [(choice.confidence, choice.text) for choice in found] == [(0.0, "A"), (0.1, "B"), (0.2, "C")]
    assert [choice.text for choice in read_answer({}, (), events).choices] == [None] * 3


def node(attributes: dict[str, Any]) -> Node:
    (trace,) = read_traces([span("call", **{f"logprobs.{key}": value for key, value in attributes.items()})])
    return trace.roots[0]


def test_the_number_behind_a_level() -> None:
    fields = {"confidence.basis": "fields", "fields.min_path": "/b", "fields.min_confidence": 0.2}
    values = {"fields.paths": ["/a", "/b"], "fields.confidences": [0.9, 0.2]}
    call = {"status": "recorded", "confidence.score": 0.9, "confidence.level": "low"}
    assert (node(call).score, node(call).least_field) == (0.9, None)
    assert (node(call | fields).score, node(call | fields).least_field) == (0.2, "/b")
    assert node(call | fields | values | {"fields.censored": [1]}).score is None
    above = {"llm_call.count": 2, "confidence.score": 0.9, "worst.confidence": 0.2, "worst.span_id": "01"}
    assert (node(above | fields).score, node(above | fields).least_field) == (0.2, "/b")
    assert node(above).worst_span_id == "01"
    assert node({**above, "llm_call.count": 1}).worst_span_id is None
    assert node({"llm_call.count": 2, "confidence.score": 0.9}).score == 0.9


def tree(*calls: dict[str, Any]) -> Trace:
    spans = [span("root", **{"logprobs.llm_call.count": len(calls)}), span("step", "root")]
    for index, attributes in enumerate(calls):
        recorded = {"logprobs.status": "recorded"} | {f"logprobs.{key}": value for key, value in attributes.items()}
        spans.append(span(f"call {index}", "step", start=index, **recorded))
    return read_traces(spans)[0]


LOW = {"confidence.level": "low", "confidence.score": 0.3, "low_confidence.detected": True}
HIGH = {"confidence.level": "high", "confidence.score": 0.9, "low_confidence.detected": False}
UNKNOWN = {"confidence.level": "low", "confidence.score": 0.9, "low_confidence.detected": True, "min.censored": True}


@pytest.mark.parametrize(
    "wanted, found",
    [
        (Wanted(), ["call 0", "call 1", "call 2", "call 3"]),
        (Wanted(low=True), ["call 0", "call 2"]),
        (Wanted(level="high"), ["call 1"]),
        (Wanted(below=0.3), ["call 2"]),
        (Wanted(below=0.31), ["call 0", "call 2"]),
        (Wanted(below=1.0), ["call 0", "call 1", "call 2"]),
        (Wanted(low=True, level="low", below=0.5), ["call 0", "call 2"]),
        (Wanted(level="medium"), []),
    ],
)
def test_which_calls_are_wanted(wanted: Wanted, found: list[str]) -> None:
    trace = tree(LOW, HIGH, UNKNOWN, {})
    chosen = choose([trace], wanted, calls=True)
    assert [root.span.name for one in chosen for root in one.roots] == found
    assert choose([trace], wanted) == ([trace] if found else [])


def test_the_last_trace_and_traces_without_calls() -> None:
    empty = read_traces([span("step")])[0]
    traces = [tree(LOW), tree(HIGH), empty]
    assert choose(traces, Wanted(), last=True) == [empty]
    assert choose(traces, Wanted(low=True), last=True) == [traces[0]]
    assert [len(one.roots) for one in choose(traces, Wanted(), calls=True)] == [1, 1]


def test_alternatives_of_an_event_belong_to_its_weakest_token() -> None:
    stretch = {
        "logprobs.token.start": 1,
        "logprobs.token.count": 2,
        "logprobs.alternatives.tokens": ["y"],
        "logprobs.alternatives.values": [-0.5],
    }
    tokens = {"logprobs.tokens": ["a", "b", "c"], "logprobs.values": [-5.0, -1.0, -2.0]}
    answer = read_answer(tokens, [stretch, {"logprobs.token.start": 9, "logprobs.token.count": 1}, {}])
    assert [token.alternatives for token in answer.tokens] == [(), (), (("y", math.exp(-0.5)),)]


def test_text_that_was_not_recorded_leaves_the_numbers() -> None:
    answer = read_answer({"logprobs.values": [-0.1, -2.0]})
    assert [token.text for token in answer.tokens] == [None, None]
    assert answer.text == ""


@pytest.mark.parametrize(
    "attributes",
    [
        {"logprobs.tokens": "abc", "logprobs.values": 1},
        {"logprobs.tokens": ["a", "b"], "logprobs.values": [-0.1]},
        {"logprobs.values": ["x", None, True, float("nan")], "logprobs.tokens": [1, None, "c", []]},
        {"logprobs.values": [-0.1], "logprobs.token.censored_positions": [[], "x"], "logprobs.status": 5},
        {
            "logprobs.values": [-0.1],
            "logprobs.tokens": ["a"],
            "logprobs.alternatives.positions": [7, -1, "x", 0, 0],
            "logprobs.alternatives.tokens": ["a", "b", "c", 4, "d"],
            "logprobs.alternatives.values": [-1, -1, -1, -1, None],
        },
        {"logprobs.fields.paths": [1, "/a", "/b"], "logprobs.fields.confidences": [0.1, None, float("inf")]},
    ],
)
def test_attributes_of_the_wrong_type_count_as_absent(attributes: dict[str, Any]) -> None:
    answer = read_answer(attributes)
    assert all(not token.alternatives for token in answer.tokens)
    assert not answer.fields
    answer.least_certain(9, below=2.0)


@pytest.mark.parametrize(
    "tokens, texts",
    [
        (["a", " \\xf0\\x9f\\x8c", "\\x8d", "!"], ["a", " \U0001f30d", "!"]),
        (["\\xc3", "\\xa9", "\\xc3\\xa9"], ["é", "é"]),
        (["bytes:\\xe2\\x82", "bytes:\\xac"], ["€"]),
        (["bytes: \\xe2\\x82\\xac"], [" €"]),
        (["\\xe2\\x82", "x"], ["\\xe2\\x82", "x"]),  # the rest of the character never came
        (["\\xe2\\x82", " \\xac"], ["\\xe2\\x82", " \\xac"]),
        (["\\xff"] * 20, ["\\xff"] * 20),
        (["\\x41"], ["\\x41"]),  # an answer about bytes
        (["\ufffd", "\ufffd"], ["\ufffd", "\ufffd"]),
        (["", "\\x"], ["", "\\x"]),
    ],
)
def test_characters_that_were_split_over_tokens_are_put_together(tokens: list[str], texts: list[str]) -> None:
    values = [-0.1 * position for position in range(len(tokens))]
    answer = read_answer({"logprobs.tokens": tokens, "logprobs.values": values})
    assert [token.text for token in answer.tokens] == texts


def test_a_split_character_has_the_probability_of_its_weakest_piece() -> None:
    answer = read_answer({"logprobs.tokens": ["\\xc3", "\\xa9"], "logprobs.values": [-0.1, -2.0]})
    (token,) = answer.tokens
    assert (token.text, token.index, token.probability) == ("é", 1, math.exp(-2.0))


def test_tokens_that_a_budget_left_out_are_counted() -> None:
    answer = read_answer(
        {
            "logprobs.values": [-0.1],
            "logprobs.tokens": ["a"],
            "logprobs.token.count": 8,
            "logprobs.token.censored_count": 2,
            "logprobs.tokens.recorded": 1,
        }
    )
    assert answer.omitted == 9


def test_the_numbers_alone_are_logprobs_too() -> None:
    assert read_answer({"logprobs.mean": -0.5}).has_logprobs
    assert not read_answer({"logprobs.mean": True}).has_logprobs
    assert read_answer({}).status == "missing"


FIELDS = {
    "logprobs.tokens": ['{"', "a", '":', " ", "1", ", ", '"b', '":', ' "', "x", '"}'],
    "logprobs.values": [0.0, 0.0, 0.0, 0.0, -1.5, 0.0, 0.0, 0.0, 0.0, -0.7, 0.0],
    "logprobs.fields.paths": ["/a", "/b"],
    "logprobs.fields.confidences": [math.exp(-1.5), math.exp(-0.7)],
    "logprobs.fields.min_probabilities": [math.exp(-1.5), math.exp(-0.7)],
    "logprobs.fields.min_indexes": [4, 9],
    "logprobs.fields.status": "exact",
    "logprobs.alternatives.positions": [4],
    "logprobs.alternatives.tokens": ["2"],
    "logprobs.alternatives.values": [-1.6],
}


def test_fields_know_their_weakest_token() -> None:
    answer = read_answer(FIELDS)
    assert answer.field_status == "exact"
    assert [(field.path, field.weakest and field.weakest.text) for field in answer.fields] == [("/a", "1"), ("/b", "x")]
    assert answer.fields[0].weakest is not None
    assert answer.fields[0].weakest.alternatives == (("2", math.exp(-1.6)),)


def test_the_weakest_token_is_the_one_that_the_span_names_not_one_with_the_same_probability() -> None:
    twice = FIELDS | {
        "logprobs.tokens": ['{"', "name", '":', ' "', "Bolt", '"}'],
        "logprobs.values": [0.0, math.log(0.5), 0.0, 0.0, math.log(0.5), 0.0],
        "logprobs.fields.paths": ["/name"],
        "logprobs.fields.confidences": [0.5],
        "logprobs.fields.min_probabilities": [0.5],
        "logprobs.fields.min_indexes": [4],
        "logprobs.alternatives.positions": [1, 4],
        "logprobs.alternatives.tokens": ["title", "Nut"],
        "logprobs.alternatives.values": [math.log(0.4), math.log(0.4)],
    }
    (field,) = read_answer(twice).fields
    assert field.weakest is not None
    assert (field.weakest.text, field.weakest.alternatives[0][0]) == ("Bolt", "Nut")


@pytest.mark.parametrize("indexes", [None, [99, -1], ["4", None], [4.0, 9.5]])
def test_fields_whose_weakest_token_is_unknown(indexes: Any) -> None:
    attributes = dict(FIELDS) | {"logprobs.fields.min_indexes": indexes}
    assert [field.weakest for field in read_answer(attributes).fields] == [None, None]


def test_censored_fields_are_told() -> None:
    answer = read_answer(FIELDS | {"logprobs.fields.censored": [1, "0", 7]})
    assert [field.censored for field in answer.fields] == [False, True]


def test_each_token_has_its_part() -> None:
    ranges = {
        "logprobs.reasoning.ranges": [1, 3],
        "logprobs.token.outside_ranges": [0, 1, 3, 5, 9, 10, 11],
        "logprobs.token.tool_call_ranges": [6, 8, "x", None],
    }
    answer = read_answer(ranges | {"logprobs.tokens": list("abcdefghij"), "logprobs.values": [-2.0] * 10})
    parts = [token.part for token in answer.tokens]
    expected = ["outside", "reasoning", "reasoning", "outside", "outside", "answer", "tool_call", "tool_call"]
    assert parts == [*expected, "answer", "outside"]
    assert answer.reasoning_size == 5
    assert [token.text for token in answer.least_certain(9, below=0.5)] == list("fghi")
    huge = read_answer({"logprobs.values": [-1.0], "logprobs.reasoning.ranges": [0, 10**18]})
    assert (huge.tokens[0].part, huge.reasoning_size) == ("reasoning", 1)


def drawn(text: str, *paths: str, confidences: dict[str, float] | None = None, **extra: Any) -> list[str]:
    """The lines of an answer whose tokens are between `|`, each value in <> that is shown with its confidence."""
    tokens = text.split("|")
    attributes = {
        "logprobs.tokens": tokens,
        "logprobs.values": [-0.1] * len(tokens),
        "logprobs.fields.paths": list(paths),
        "logprobs.fields.confidences": [(confidences or {}).get(path, 0.5) for path in paths],
    }
    structured = json_lines(read_answer(attributes | {f"logprobs.{key}": value for key, value in extra.items()}))
    if structured is None:
        return []
    assert all(sum(piece.field is not None for piece in line.pieces) <= 1 for line in structured.lines)
    return [
        "".join(f"<{piece.text}>" if piece.field else piece.text for piece in line.pieces) + "~" * line.shadowed
        for line in structured.lines
    ]


@pytest.mark.parametrize(
    "text, paths, lines",
    [
        ('{"a": 1e400, "b": 142.50}', ["/a", "/b"], ['{"a": <1e400>,', ' "b": <142.50>}']),
        ('{"a": 0.1000000000000000055}', ["/a"], ['{"a": <0.1000000000000000055>}']),
        ('{\n   "a":  -0.0 ,\n\t"b": "é\\u00e9"\n}\n', ["/a", "/b"],
         ["{", '   "a":  <-0.0> ,', '\t"b": <"é\\u00e9">', "}"]),
        ('{"a": {"b": [1, 2], "c": {}}, "d": null}', ["/a/b/0", "/a/b/1", "/a/c", "/d"],
         ['{"a": {"b": [<1>,', "   <2>],", '  "c": <{}>},', ' "d": <null>}']),
        ("[0, 1, 2, 3, 4, 5]", ["/2", "/4"], ["[0, 1, <2>,", " 3, <4>, 5]"]),
        ('Sure:\n\n```json\n{"a": true}\n```\nDone.', ["/a"],
         ["Sure:", "", "```json", '{"a": <true>}', "```", "Done."]),
        ('{"a": |1|, "a": 2}', ["/a"], ['{"a": 1, "a": <2>}~']),
        ('{"a": "one\ntwo", "b": 1}', ["/a", "/b"], ['{"a": <"one\ntwo">,', ' "b": <1>}']),
        ('{"a, b": ",", "c": ", "}', ["/a, b", "/c"], ['{"a, b": <",">,', ' "c": <", ">}']),
        ('{"a": 1}\n{"a": 2}', ["/0/a", "/1/a"], ['{"a": <1>}', '{"a": <2>}']),
        ('{"a": [1, {"b": "cut o', ["/a/0", "/a/1/b"], ['{"a": [<1>,', '  {"b": <"cut o>']),
        ('{"東京": "日本", "x": 1}', ["/東京", "/x"], ['{"東京": <"日本">,', ' "x": <1>}']),
        ("refund", [""], ["<refund>"]),
        ("42", [""], ["<42>"]),
        ("prose", ["/a"], []),
        ("", ["/a"], []),
        ("[" * 100_000, ["/0"], []),
    ],
)  # fmt: skip
def test_json_is_drawn_as_the_model_wrote_it(text: str, paths: list[str], lines: list[str]) -> None:
    assert drawn(text, *paths, **{"fields.min_indexes": [0] * len(paths)} if "" in paths else {}) == lines


def test_of_several_documents_the_one_with_the_weakest_token_is_the_answer() -> None:
    text = '```json\n{"total": |41|}\n```\nThe answer:\n```json\n{"total": |97|, "ok": |true|}\n```'
    assert drawn(text, "/total", "/ok", **{"fields.min_indexes": [3, 5]}) == [
        "```json", '{"total": 41}', "```", "The answer:", "```json", '{"total": <97>,', ' "ok": <true>}', "```",
    ]  # fmt: skip


def test_reasoning_and_end_marks_are_no_json() -> None:
    ranges = {"reasoning.ranges": [0, 1], "token.outside_ranges": [1, 2, 4, 5], "fields.min_indexes": [3]}
    text = '<think>{"a": 5}|</think>|{"a": |7}|<|im_end|>'.replace("<|im_end|>", "<im_end>")
    assert drawn(text, "/a", **ranges) == ['{"a": <7>}<im_end>']
