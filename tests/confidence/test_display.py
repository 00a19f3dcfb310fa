"""A report in a notebook and in rich's console."""

from __future__ import annotations

import html
import io
import json
import re
from html.parser import HTMLParser
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel
from rich.console import Console

from langchain_logprobs import ConfidenceReport, confidence_of
from langchain_logprobs.confidence import display
from langchain_logprobs.view.terminal.shading import BANDS, CENSORED
from tests.support import entry


def report(*tokens: Any, text: str | None = None, schema: object = None, **message: Any) -> ConfidenceReport:
    entries = [entry(*token) for token in tokens]
    joined = "".join(each["token"] for each in entries) if text is None else text
    return confidence_of(
        AIMessage(joined, response_metadata={"logprobs": {"content": entries}}, **message), schema=schema
    )


def drawn(one: ConfidenceReport, **console: Any) -> str:
    file = io.StringIO()
    Console(file=file, width=100, legacy_windows=False, **console).print(one)
    return file.getvalue()


class Page(HTMLParser):
    """The text of some HTML, and the tooltips; fails on elements that are not closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.titles: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "b", "span", "small", "table", "thead", "tbody", "tr", "th", "td"}
        assert {name for name, _ in attrs} <= {"style", "title", "dir"}
        self.titles += [value or "" for name, value in attrs if name == "title"]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


BRIDGE = report(("Built in", -0.01), (" 1935", -0.89, (" 1936", -0.97), (" 1934", -3.0)), (".", -0.02))


def test_an_unsure_word_is_shaded_and_says_what_it_nearly_was() -> None:
    source = BRIDGE._repr_html_()
    page = Page(source)
    assert "Built in 1935." in page.text
    assert page.titles == ["“1935” .41, nearly 1936 .38, 1934 .05"]
    assert 'background:#ec7014;color:#000000;text-decoration:underline" title=' in source
    assert source.count("<span") == 1


def test_what_the_model_wrote_is_text_and_nothing_else() -> None:
    evil = "<script>alert(1)</script>\" onmouseover='x' \x1b[31m\u202e\ud83d&amp;"
    others = [{"token": evil, "logprob": -2.0}, {"token": evil + "2", "logprob": -1.0}]
    entries = [{"token": evil, "logprob": -2.0, "top_logprobs": others}]  # half an emoji has no UTF-8 bytes
    one = confidence_of(AIMessage(evil, response_metadata={"logprobs": {"content": entries}}))
    page = Page(one._repr_html_())  # only known elements and attributes
    shown = evil.replace("\x1b", "␛").replace("\u202e", "<U+202E>").replace("\ud83d", "\\ud83d")
    assert shown in page.text
    assert page.titles[0].startswith(f"“{shown}” .14, nearly")
    one._repr_html_().encode()
    assert "\x1b" not in drawn(one)


class Ticket(BaseModel):
    kind: Literal["refund", "return"]
    note: str


def ticket() -> ConfidenceReport:
    return report(
        ('{"kind": "', -0.01),
        ("return", -1.2, ("ref", -0.5)),
        ('", "note": "', -0.01),
        ("a [bold]b", -0.1),
        ('"}', -0.01),
        schema=Ticket,
    )


def test_fields_are_a_table_with_their_runner_up() -> None:
    one = ticket()
    page = Page(one._repr_html_())
    assert re.search(r'/kind"return"\.30"refund" \.60/note"a \[bold\]b"\.', page.text)
    assert page.text.startswith("low least certain /kind .30 · score ")
    lines = [line.rstrip() for line in drawn(one).splitlines()]
    assert ["/kind", '"return"', ".30", '"refund" .60'] in [re.split(r"\s{2,}", line) for line in lines]
    assert any(line.startswith("/note ") and '"a [bold]b"' in line for line in lines)


def test_rich_draws_the_same_words() -> None:
    plain = drawn(BRIDGE)
    head, answer = plain.splitlines()
    assert head.startswith("medium score .74 · weakest “1935” .41 · 3 tokens")
    assert answer == "Built in 1935."
    coloured = drawn(BRIDGE, force_terminal=True, color_system="standard")
    assert re.search(" \x1b\\[4;30;43m1935\x1b\\[0m", coloured)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (confidence_of(AIMessage("Lima")), "missing the answer holds no logprobs: were they asked for"),
        (report(("42", -9999.0, ("41", -0.1), ("43", -3.0))), "weakest “42” at most .05"),
        (report(("42", None)), "weakest “42” ?"),
        (report(text="Nothing of it."), "missing"),
        (report(("Lima", -0.1), text="Quito is the capital."), "partial"),
        (report(("<think>", -0.1), ("4?", -1.0), ("</think>", -0.1), ("5", -0.1)), "reasoning .37 over 1 token,"),
    ],
)
def test_what_is_not_the_whole_truth_is_said(one: ConfidenceReport, said: str) -> None:
    assert said in Page(one._repr_html_()).text
    assert said in " ".join(drawn(one).split())


def test_the_reasoning_is_not_drawn() -> None:
    one = report(("<think>", -0.1), ("4?", -1.0), ("</think>", -0.1), ("5", -0.1))
    assert "4?" not in one._repr_html_()


def test_a_tool_call_is_drawn_by_its_own_tokens() -> None:
    call = {"name": "pay", "args": {"amount": 900}, "id": "c1"}
    one = report(
        ('<tool_call>\n{"name": "pay", "arguments": {"amount": ', -0.01),
        ("900", -1.5, ("90", -0.4)),
        ("}}\n</tool_call>", -0.01),
        text="",
        tool_calls=[call],
    )
    page = Page(one._repr_html_())
    assert "“900” .22, nearly 90 .67" in page.titles
    assert "/tool_calls/0/pay/amount900.2" in page.text


def test_a_character_of_several_tokens_is_drawn_once_and_as_its_least_certain_one() -> None:
    def half(token: str, data: bytes, logprob: float) -> dict[str, Any]:
        return {"token": token, "bytes": list(data), "logprob": logprob, "top_logprobs": []}

    smile = "😀".encode()
    entries = [entry("Hi ", -0.01), half("\ufffd", smile[:2], -0.01), half("\ufffd", smile[2:], -3.0)]
    one = confidence_of(AIMessage("Hi 😀", response_metadata={"logprobs": {"content": entries}}))
    source = one._repr_html_()
    assert Page(source).text.count("😀") == 1
    assert re.search('background:#993404[^>]*title="[^"]* .05">😀', source)


@pytest.mark.parametrize("first", [-9999.0, -0.01])
def test_a_character_with_a_censored_token_is_drawn_as_censored(first: float) -> None:
    smile = "😀".encode()
    halves = [
        {"token": "\ufffd", "bytes": list(data), "logprob": logprob, "top_logprobs": []}
        for data, logprob in ((smile[:2], first), (smile[2:], -9999.0 if first > -1 else -0.01))
    ]
    one = confidence_of(AIMessage("Hi 😀", response_metadata={"logprobs": {"content": [entry("Hi ", -0.01), *halves]}}))
    assert re.search('title="[^"]* [?]">😀', one._repr_html_())


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "日本語の答え", "a\n\nb\tc", "e\u0301", "👩‍👩‍👧‍👦"])
def test_any_script_is_drawn_whole(text: str) -> None:
    one = report(*[(character, -1.0) for character in text])
    shown = text.replace("\t", "⇥")
    assert shown in Page(one._repr_html_()).text


def test_a_huge_answer_is_cut_and_says_so() -> None:
    one = report(*[("word ", -2.0)] * 10_000)
    source = one._repr_html_()
    assert f"the first {display.MAX_TEXT:,} of 50,000 characters" in source
    assert len(source) < 1_000_000
    values = {f"key{index}": index for index in range(200)}
    tokens = [(part, -2.0 if part.isdigit() else -0.01) for part in re.split(r"(\d+(?=[,}]))", json.dumps(values))]
    many = report(*tokens)
    assert f"the {display.MAX_FIELDS} least certain of 200 fields" in many._repr_html_()
    assert many._repr_html_().count("<tr>") == display.MAX_FIELDS + 1


def test_the_colours_are_those_of_the_terminal() -> None:
    light = {band.light for band in (*BANDS, CENSORED)} - {None}
    assert {(shade.background, shade.colour) for shade in (*display.SHADES, display.UNKNOWN)} == light


def test_repr_is_short_and_quotes_nothing() -> None:
    assert repr(BRIDGE) == "ConfidenceReport(recorded, level=medium, basis=answer, score=0.736, tokens=3)"


def test_html_is_one_fragment() -> None:
    assert html.unescape(BRIDGE._repr_html_()).count("<div") == BRIDGE._repr_html_().count("</div>")


def test_a_token_of_spaces_alone_is_seen_in_its_tooltip() -> None:
    page = Page(report(("a", -0.01), ("  ", -3.0, (" b", -0.1)))._repr_html_())
    assert "“␣␣” .05, nearly b .90" in page.titles
