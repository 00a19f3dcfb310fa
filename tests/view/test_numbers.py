"""What a person sees of an answer is what the program gets of it and what stands on its span, number by number."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from langchain_logprobs import Settings, confidence_of
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.telemetry.attributes import confidence_or_bound
from langchain_logprobs.view.model import Node, SpanData, read_traces, span_data
from langchain_logprobs.view.page.data import page_data
from langchain_logprobs.view.terminal.pen import decimal
from langchain_logprobs.view.terminal.trace import print_traces
from tests.golden.answers import Answer, answers
from tests.golden.replay import SETTINGS, Replayer


def span_of(answer: Answer) -> SpanData:
    spans = Replayer(SETTINGS["default"]).replay(answer.events).raw
    calls = [span for span in spans if span.attributes and "logprobs.status" in span.attributes]
    return span_data(calls[answer.call])


def drawn(span: SpanData) -> str:
    console = Console(file=io.StringIO(), width=500)
    print_traces([span], console, legend=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def recorded() -> list[tuple[Answer, ConfidenceReport, SpanData]]:
    found = []
    for answer in answers():
        if answer.complete:
            report = confidence_of(answer.result, schema=answer.schema, settings=Settings())
            found.append((answer, report, span_of(answer)))
    return found


def test_the_view_says_what_the_report_and_the_span_say(
    recorded: list[tuple[Answer, ConfidenceReport, SpanData]],
) -> None:
    seen: Counter[str] = Counter()
    for answer, report, span in recorded:
        (trace,) = read_traces([span])
        (node,) = trace.roots
        (page,) = page_data([trace])["traces"][0]["spans"]
        weakest = None if report.weakest is None else report.weakest.probability
        numbers = (report.level, report.score, weakest)
        attributes = span.attributes
        assert numbers == (
            attributes.get("logprobs.confidence.level"),
            attributes.get("logprobs.confidence.score"),
            attributes.get("logprobs.min.probability"),
        ), answer.name
        shown = page["attributes"]
        assert numbers == (node.level, node.confidence, shown.get("logprobs.min.probability")), answer.name
        assert numbers[:2] == (page["level"], page["confidence"]), answer.name
        same_fields(answer, report, node, page)
        same_words(answer, report, drawn(span))
        seen.update(level=report.level is not None, fields=sum(1 for _ in report.leaves()), answers=1)
    assert seen["answers"] > 150
    assert seen["level"] > 150
    assert seen["fields"] > 60


def same_fields(answer: Answer, report: ConfidenceReport, node: Node, page: dict[str, Any]) -> None:
    assert node.answer is not None
    leaves = [leaf for leaf in report.leaves() if leaf.field.token_count]
    expected = [(leaf.path, confidence_or_bound(leaf), leaf.field.confidence is None) for leaf in leaves]
    assert [(field.path, field.confidence, field.censored) for field in node.answer.fields] == expected, answer.name
    listed = page["call"]["fields"]
    assert [(field["path"], field["confidence"], field["censored"]) for field in listed] == expected, answer.name
    for field, leaf in zip(listed, leaves, strict=True):
        runner_up = leaf.field.runner_up
        told = None if runner_up is None else [json.dumps(runner_up.value, ensure_ascii=False), runner_up.probability]
        if not report.tool_calls:  # what a tool may be given is said in the request only
            assert field["runner_up"] == told, answer.name
        assert field["weakest"] is None or node.answer.tokens[field["weakest"]].counted
        if not report.tool_calls:
            assert field["value"] == report.text[leaf.field.start : leaf.field.end], answer.name


def same_words(answer: Answer, report: ConfidenceReport, picture: str) -> None:
    if report.score is None:
        assert "confidence" not in picture
        return
    assert f"confidence {report.score:.3f}" in picture, answer.name
    assert report.weakest is not None
    assert report.level is not None
    assert report.level in picture.splitlines()[0], answer.name
    assert decimal(report.weakest.probability) in picture, answer.name
    for leaf in report.leaves():
        if leaf.field.confidence is not None:
            assert decimal(leaf.field.confidence) in picture, (answer.name, leaf.path)
