"""The trace as a person sees it in a terminal."""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.color import Color
from rich.console import Console
from rich.style import Style

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.view.model import EventData, SpanData
from langchain_logprobs.view.terminal.pen import Pen, decimal, screen_theme
from langchain_logprobs.view.terminal.shading import BANDS, CENSORED, band_of, token_text
from langchain_logprobs.view.terminal.trace import TraceView, print_traces
from tests.support import entry

ANSWER = {
    "logprobs.status": "recorded",
    "logprobs.tokens": ["Lima", " lies", " in", " the", " Amazon", "."],
    "logprobs.values": [math.log(p) for p in (0.99, 0.8, 0.6, 0.3, 0.1, 0.95)],
    "logprobs.alternatives.positions": [4, 4, 4, 4],
    "logprobs.alternatives.tokens": [" Amazon", " Andes", " heart", " xyz"],
    "logprobs.alternatives.values": [math.log(p) for p in (0.1, 0.4, 0.08, 0.001)],
    "logprobs.confidence.score": 0.506,
    "logprobs.confidence.level": "medium",
    "logprobs.mean": -0.681,
    "logprobs.perplexity": 1.976,
    "logprobs.min.token": " Amazon",
    "logprobs.min.probability": 0.1,
    "logprobs.entropy.mean": 0.62,
    "logprobs.entropy.top_k": 5,
    "logprobs.entropy.covered_mass": 0.934,
    "logprobs.token.count": 6,
    "logprobs.token.censored_count": 0,
}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLORFGBG", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    # rich keeps combined styles with the codes of the console that first printed them; a test has many consoles.
    Style._add.cache_clear()


def call(attributes: dict[str, Any], name: str = "chat m", **fields: Any) -> SpanData:
    recorded = {"logprobs.status": "recorded", **attributes}
    return SpanData("ab" * 16, "01" * 8, None, name, 0, 1_500_000_000, recorded, **fields)


def draw(*spans: SpanData, width: int = 110, colours: str | None = None, **options: Any) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colours is not None,
        color_system=colours,  # type: ignore[arg-type]
        no_color=options.pop("no_color", None),
    )
    print_traces(spans, console, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(drawn: str) -> list[str]:
    return [line.rstrip() for line in drawn.splitlines()]


def test_without_colour_marks_say_where_the_model_was_unsure() -> None:
    text = draw(call(ANSWER))
    assert "  Lima lies in ‹the› «Amazon↓».\n" in re.sub(r" +\n", "\n", text)
    assert "\x1b" not in text


def test_the_numbers_and_what_the_model_nearly_said() -> None:
    text = draw(call(ANSWER))
    assert "chat m  1.50 s  medium .51  trace abababab" in text
    assert "confidence 0.506   mean -0.681 nats   perplexity 1.98   weakest “Amazon” .10" in text
    assert "entropy 0.62 nats (top 5, which cover .93)   tokens 6" in text
    assert re.search(r"«\.10» +Lima lies in the «Amazon↓»\. +Andes .40 · heart .08 *\n", text), (
        "neither itself nor .001"
    )


def test_in_colour_doubt_is_a_background_and_an_underline_and_certainty_is_neither() -> None:
    text = draw(call(ANSWER), colours="truecolor", theme="dark")
    assert "  Lima \x1b" in text, "an edge stands between a certain and a doubtful token"
    assert re.search(r"Lima \x1b\[38;2;\d+;\d+;\d+;48;2;74;66;57mlies\x1b\[0m ", text)
    assert re.search(r"\x1b\[4;38;2;0;0;0;48;2;236;112;20mthe\x1b\[0m", text)
    assert re.search(r"\x1b\[1;4;38;2;0;0;0;48;2;254;217;118mAmazon↓\x1b\[0m", text)
    assert "«" not in text


def test_no_color_is_honoured_and_the_underline_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    switched_off = draw(call(ANSWER), colours="truecolor", no_color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    for text in (switched_off, draw(call(ANSWER), colours="truecolor")):
        assert not re.search(r"\x1b\[[\d;]*[34]8;", text)
        assert "\x1b[4m‹the›" in text
        assert "\x1b[1;4m«Amazon↓»" in text


def test_sixteen_colours_have_marks_too() -> None:
    text = draw(call(ANSWER), colours="standard")
    assert re.search(r"\x1b\[1;4;37;41m«Amazon↓»", text)
    assert "48;" not in text


def test_256_colours_are_used_where_there_is_no_truecolor() -> None:
    text = draw(call(ANSWER), colours="256")
    assert "48;5;" in text
    assert "48;2;" not in text


def test_a_light_screen_has_its_own_colours() -> None:
    dark, light = (draw(call(ANSWER), colours="truecolor", theme=theme) for theme in ("dark", "light"))
    assert dark != light
    assert "48;2;153;52;4mAmazon" in light
    assert screen_theme({"COLORFGBG": "0;15"}) == "light"
    assert screen_theme({"COLORFGBG": "15;0"}) == "dark"
    assert screen_theme({}) == screen_theme({"COLORFGBG": "default;default"}) == "any"


def luminance(colour: str) -> float:
    channels = [value / 255 for value in Color.parse(colour).get_truecolor()]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_step_can_be_read_and_stands_out_more_than_the_one_before(theme: str) -> None:
    pairs = [pair for band in (*BANDS, CENSORED) if (pair := getattr(band, theme)) is not None]
    for background, text in pairs:
        darker, lighter = sorted((luminance(background), luminance(text)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, background
    steps = [luminance(pair[0]) for pair in pairs[:-1]]
    # Lightness alone orders the steps, so that they can be told apart without seeing hue.
    assert steps == sorted(steps, reverse=theme == "light")


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_on_a_screen_that_may_be_light_or_dark_the_steps_differ_in_kind() -> None:
    pen = Pen("any")
    kinds = [(style.bgcolor is not None, bool(style.bold), style.color is not None) for style in map(pen.style, BANDS)]
    assert len(set(kinds)) == len(BANDS)
    assert kinds == sorted(kinds), "coloured, bold, a block, a bold block"
    for band in (*BANDS[1:], CENSORED):
        assert band.any is not None
        background, text = band.any
        assert background is None or contrast(background, text) >= 4.5
        stands_out = [contrast(background or text, screen) for screen in ("#ffffff", "#000000")]
        assert min(stands_out) >= 3.7, "no step is near to either screen"
        assert background is not None or min(stands_out) >= 4.4, "and text can be read on both"
    assert "38;2;176;96;0mlies" in draw(call(ANSWER), colours="truecolor")


def test_bands_have_fixed_edges() -> None:
    assert [band_of(p).label for p in (1.0, 0.9, 0.8999, 0.7, 0.5, 0.2, 0.1999, 0.0)] == [
        *["≥.9", "≥.9", ".7–.9", ".7–.9", ".5–.7", ".2–.5", "<.2", "<.2"]
    ]
    assert band_of(None) is CENSORED


def test_a_token_without_a_probability_is_marked_as_unknown_in_every_console() -> None:
    attributes = ANSWER | {"logprobs.token.censored_positions": [0], "logprobs.token.censored_count": 1}
    for colours in (None, "standard", "truecolor"):
        text = draw(call(attributes), colours=colours)
        assert "?Lima?" in text
        assert "?unknown?" in text
    assert "tokens 6 and 1 without a probability" in draw(call(attributes))


@pytest.mark.parametrize(
    "status, said",
    [
        ("not_requested", "no logprobs: they were not asked for, e.g. with ChatOpenAI(logprobs=True, top_logprobs=5)"),
        ("missing", "no logprobs: they were asked for, but none came (because)"),
        ("\x1b[2J", "no logprobs (␛[2J)"),
    ],
)
def test_no_logprobs_is_a_state_of_its_own(status: str, said: str) -> None:
    reason = {"logprobs.status.reason": "because"} if status == "missing" else {}
    text = draw(call({"logprobs.status": status, **reason}))
    assert said in text
    assert "probability" not in text, "no legend where nothing is shaded"
    assert "confidence" not in text


def test_a_partial_answer_says_so() -> None:
    text = draw(call(ANSWER | {"logprobs.status": "partial", "logprobs.status.reason": "cancelled"}))
    assert "only a part of the logprobs was recorded (cancelled)" in text
    assert "‹the›" in text


def test_all_choices_have_their_confidence_and_their_text() -> None:
    found: list[dict[str, Any]] = [
        {"logprobs.confidence.score": 0.9, "logprobs.min.token": " Amazon", "logprobs.min.probability": 0.1},
        {"logprobs.confidence.score": 0.4, "logprobs.min.token": " no", "logprobs.min.probability": 0.25},
        {},
    ]
    events = tuple(EventData("logprobs.choice", 0, {"logprobs.choice.index": i} | each) for i, each in enumerate(found))
    messages = [{"role": "assistant", "parts": [{"type": "text", "content": said}]} for said in ("Lima", "no\x1b", "")]
    text = draw(call(ANSWER | {"gen_ai.output.messages": json.dumps(messages)}, events=events))
    assert re.search(r"\n +0 +\.90 +“Amazon” «\.10» +the answer above *\n", text)
    assert re.search(r"\n +1 +‹\.40› +“no” ‹\.25› +no␛ *\n", text)
    assert re.search(r"\n +2 +\?unknown\? *\n", text)


def test_reasoning_stands_apart() -> None:
    ranges = {"logprobs.reasoning.ranges": [0, 100], "logprobs.reasoning.mean": -0.25}
    tokens = [f" r{index}" for index in range(100)] + ["Yes"]
    attributes = {"logprobs.tokens": tokens, "logprobs.values": [-2.0] * 100 + [-0.01]}
    text = " ".join(draw(call(attributes | ranges)).split())
    assert "reasoning, in none of the numbers: «r0»" in text
    assert "«r59» … 40 more tokens Yes" in text
    assert "reasoning mean -0.250 nats, not in these numbers" in text
    assert "no token under .50" in text, "a token of the reasoning is not listed"
    assert "«r99»" in draw(call(attributes | ranges), full=True)


def test_tokens_outside_the_answer_are_not_shaded() -> None:
    attributes = ANSWER | {"logprobs.token.outside_ranges": [3, 5]}
    assert "Lima lies in the Amazon." in draw(call(attributes))


def asked(*parts: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in parts])


def test_the_question_is_drawn_where_it_was_recorded() -> None:
    messages = asked(("system", "Be brief."), ("user", "One?"), ("user", "Where \x1b[2Jis\nLima? " + "x " * 200))
    text = draw(call(ANSWER | {"gen_ai.input.messages": messages}))
    assert "… 2 earlier messages" in text
    assert "user: Where ␛[2Jis⏎Lima? x x" in text
    assert "x…" in text
    assert "Be brief." not in text
    full = draw(call(ANSWER | {"gen_ai.input.messages": messages}), full=True)
    assert "system: Be brief." in full
    assert "x…" not in full
    assert full.count("x ") >= 199
    assert "… 1 earlier message\n" in re.sub(
        " +\n", "\n", draw(call(ANSWER | {"gen_ai.input.messages": asked(("user", "a"), ("user", "b"))}))
    )


def test_the_finish_reason_and_a_cached_answer() -> None:
    text = draw(call(ANSWER | {"gen_ai.response.finish_reasons": ["length", "length"], "logprobs.cached": True}))
    assert "finish reason length   answer from the cache" in text


def test_what_was_said_is_drawn_without_logprobs_too() -> None:
    said = asked(("assistant", "Peru."))
    text = draw(call({"logprobs.status": "missing", "gen_ai.output.messages": said}))
    assert "assistant: Peru." in text
    line = {"logprobs.mean": -0.5, "logprobs.answer": "in [1935 .41, nearly 1936 .38]"}
    assert "in [1935 .41, nearly 1936 .38]" in draw(call(line))


def test_certain_answers_say_so() -> None:
    text = draw(call({"logprobs.tokens": ["Yes"], "logprobs.values": [-0.01]}))
    assert "no token under .50" in text
    assert "least certain" not in text


def test_the_numbers_are_shown_where_no_tokens_were_recorded() -> None:
    text = draw(call({"logprobs.status": "recorded", "logprobs.mean": -0.5}))
    assert "mean -0.500 nats" in text
    assert "least certain" not in text
    assert "no token under" not in text


def test_an_empty_answer_is_drawn() -> None:
    assert "chat m" in draw(call({"logprobs.status": "recorded", "logprobs.tokens": [], "logprobs.values": []}))
    assert draw() == ""


def test_text_that_was_not_recorded_is_drawn_as_blocks() -> None:
    text = draw(call({"logprobs.values": [-0.01, -3.0]}))
    assert "■ «■»" in text
    assert re.search(r"«\.05» +token 1", text)


def test_tokens_cannot_write_to_the_terminal() -> None:
    hostile = [
        "\x1b[31mred",
        "\x07",
        "\x9b2J",
        "[bold]x[/bold]",
        ":smile:",
        "\u202eabc",
        "\ud83d",
        "a\rb",
        "\t",
        "\x7f",
    ]
    attributes = {"logprobs.tokens": hostile, "logprobs.values": [-1.0] * len(hostile), "logprobs.min.token": "\x1b"}
    text = draw(call({**attributes, "logprobs.min.probability": 0.1}, name="\x1b]0;title\x07[red]", error="\x1b[2J"))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    for shown in (
        "␛[31mred",
        "␇",
        "<U+009B>2J",
        "[bold]x[/bold]",
        ":smile:",
        "<U+202E>abc",
        "\\ud83d",
        "a␍b",
        "⇥",
        "␡",
    ):
        assert shown in text, shown
    text.encode()


def test_white_space_is_visible_where_it_is_in_doubt_and_only_there() -> None:
    sure, unsure = -0.01, -3.0
    tokens = ["a", " ", "b", "\n", "c", "  ", "d", "\n\n", "e", ""]
    text = draw(
        call({"logprobs.tokens": tokens, "logprobs.values": [sure, sure, sure, sure, sure, *[unsure] * 5]}), width=60
    )
    assert lines(text)[2:5] == ["  a b", "  c«␣␣»«d»«⏎⏎»", ""]
    assert lines(text)[5] == "  «e»«∎»"
    assert "«∎»" in draw(call({"logprobs.tokens": [""], "logprobs.values": [unsure]}))
    assert "∎" not in draw(call({"logprobs.tokens": ["a", ""], "logprobs.values": [sure, sure]}), legend=False)


def test_a_space_in_front_is_shown_where_it_tells_two_alternatives_apart() -> None:
    def nearly(*alternatives: str) -> str:
        count = len(alternatives)
        return draw(
            call(
                {
                    "logprobs.tokens": [" a"],
                    "logprobs.values": [-3.0],
                    "logprobs.alternatives.positions": [0] * count,
                    "logprobs.alternatives.tokens": alternatives,
                    "logprobs.alternatives.values": [-1.5] * count,
                }
            )
        )

    assert "b .22 · c .22" in nearly(" b", " c")
    assert "␣b .22 · c .22" in nearly(" b", "c")
    assert "∎ .22 · ␣ .22 · ⏎ .22" in nearly("", " ", "\n")


def test_alternatives_that_were_not_near_are_not_named() -> None:
    attributes = {
        "logprobs.tokens": ["a"],
        "logprobs.values": [-3.0],
        "logprobs.alternatives.positions": [0],
        "logprobs.alternatives.tokens": ["b"],
        "logprobs.alternatives.values": [-9.0],
    }
    assert "nothing else was near" in draw(call(attributes))


def long_answer(count: int, unsure: dict[int, float]) -> dict[str, Any]:
    values = [math.log(unsure.get(position, 0.95)) for position in range(count)]
    tokens = [f" w{position}" for position in range(count)]
    return {"logprobs.tokens": tokens, "logprobs.values": values, "logprobs.token.count": count}


def test_long_answers_show_their_unsure_passages_and_where_they_are() -> None:
    attributes = long_answer(5000, {700: 0.4, 4000: 0.1, 4010: 0.05}) | {
        "logprobs.token.count": 5007,
        "logprobs.tokens.recorded": 5000,
    }
    stretch = EventData("logprobs.low_confidence", 0, {"logprobs.token.start": 2000, "logprobs.token.count": 3})
    drawn = draw(call(attributes, events=(stretch,)))
    text = " ".join(drawn.split())
    assert "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 … 1,976 tokens, none under .40 … w1988 w1989" in text
    assert "w2014 … 1,973 sure tokens … w3988" in text
    assert "«w4000» w4001" in text
    assert "w4022 … 977 sure tokens … … 7 more tokens were not recorded: the span's size was limited" in text
    assert re.search(r"«\.05» +4,010 ", drawn)
    strip = lines(drawn)[2].strip()
    assert len(strip) == 100 - 2 or len(strip) == 100
    place = 4000 * len(strip) // 5000
    assert strip[place] == "█"
    assert strip[700 * len(strip) // 5000] == "▆"
    assert set(strip) == {"▁", "▆", "█"}
    full = draw(call(attributes), full=True)
    assert "w2500" in full
    assert "sure tokens" not in full


def test_a_long_answer_without_low_tokens_shows_the_weakest_it_has_and_a_sure_one_its_start() -> None:
    text = " ".join(draw(call(long_answer(400, {200: 0.4}))).split())
    assert "w11 … 176 sure tokens … w188" in text
    assert "‹w200›" in text
    sure = " ".join(draw(call(long_answer(400, {}))).split())
    assert "w11 … 388 sure tokens …" in sure
    assert "no token under .50" in sure


def test_all_the_low_tokens_of_a_long_answer_are_listed_up_to_twenty() -> None:
    listed = draw(call(long_answer(900, dict.fromkeys(range(0, 900, 100), 0.1))))
    assert listed.count("«.10»") == 9
    many = draw(call(long_answer(900, dict.fromkeys(range(0, 900, 10), 0.1))))
    assert many.count("«.10»") == 20


def test_no_sure_passage_of_a_few_tokens_is_folded() -> None:
    text = draw(call(long_answer(400, dict.fromkeys(range(0, 400, 45), 0.1))))
    assert "sure tokens" not in text
    assert "w399" in text


@pytest.mark.parametrize("width", [1, 5, 20, 40, 63, 64, 200])
@pytest.mark.parametrize("kind", ["text", "missing", "json", "long", "choices"])
def test_any_width_can_be_drawn_and_is_kept(width: int, kind: str) -> None:
    question = {"gen_ai.input.messages": asked(("user", "Where is Lima?"))}
    attributes: dict[str, dict[str, Any]] = {
        "missing": {"logprobs.status": "missing"},
        "json": STRUCTURED,
        "long": long_answer(400, {1: 0.1}),
    }
    events = [EventData("logprobs.choice", 0, {"logprobs.confidence.score": 0.5})] * 2 if kind == "choices" else []
    drawn = draw(call({**attributes.get(kind, ANSWER), **question}, events=tuple(events)), width=width)
    assert all(len(line) <= width for line in drawn.splitlines())


def test_on_a_narrow_screen_what_was_nearly_said_stands_below() -> None:
    text = draw(call(ANSWER), width=50)
    assert "the model nearly said" not in text
    assert "nearly Andes .40 · heart .08" in text
    assert "nearly" not in draw(call({"logprobs.tokens": ["a"], "logprobs.values": [-3.0]}), width=50)


def test_a_long_context_is_cut_between_words() -> None:
    words = [f" word{position}" for position in range(80)]
    values = [-0.01] * 80
    values[50] = -4.0
    text = draw(call({"logprobs.tokens": words, "logprobs.values": values}))
    assert "…word47 word48 word49 «word50» word51…" in text
    glued = draw(call({"logprobs.tokens": ["a" * 40, "b", "c" * 40], "logprobs.values": [-0.01, -4.0, -0.01]}))
    assert "…" + "a" * 22 + "«b»" + "c" * 14 + "…" in glued


def test_errors_are_shown_on_their_span() -> None:
    text = draw(call({"error.type": "RateLimitError"}, error="try later"))
    assert "✗ RateLimitError: try later" in text
    assert "✗ failed" in draw(call({}, error=""))
    assert "✗ ValueError('x')" in draw(call({"error.type": "ValueError"}, error="ValueError('x')"))


def test_an_error_is_told_once() -> None:
    failed = {"error.type": "RateLimitError"}
    ended = {"logprobs.status": "partial", "logprobs.status.reason": "ended early by RateLimitError", **failed}
    spans = [
        SpanData("ef" * 16, "a", None, "chain", 0, 1, failed, error="try later"),
        SpanData("ef" * 16, "b", "a", "step", 0, 1, failed, error="try later"),
        SpanData("ef" * 16, "c", "b", "chat m", 0, 1, ended, error="try later"),
        SpanData("ef" * 16, "d", "a", "other", 0, 1, {}, error="another"),
    ]
    text = draw(*spans)
    assert text.count("try later") == 1
    assert text.count("failed, see below") == 2
    assert "✗ another" in text
    assert "ended early" not in text
    assert "no logprobs" not in text
    partial = draw(SpanData("ef" * 16, "c", None, "chat m", 0, 1, ANSWER | ended, error="try later"))
    assert "only a part of the logprobs was recorded\n" in re.sub(" +\n", "\n", partial)


def test_a_level_says_what_it_is_taken_from() -> None:
    fields = {
        "logprobs.confidence.level": "low",
        "logprobs.confidence.score": 0.9,
        "logprobs.confidence.basis": "fields",
        "logprobs.fields.min_confidence": 0.3,
        "logprobs.fields.min_path": "/pop",
    }
    assert "low .30 of /pop  trace" in draw(call(STRUCTURED | fields))
    unknown = {"logprobs.confidence.level": "low", "logprobs.min.censored": True, "logprobs.min.probability": 0.1}
    text = draw(call(ANSWER | unknown))
    assert "low .51 with an unknown token" in text
    assert "weakest “Amazon” ≤.10" in text
    assert "“Amazon” unknown" in draw(
        call({k: v for k, v in (ANSWER | unknown).items() if k != "logprobs.min.probability"})
    )


def test_of_several_calls_the_worst_is_marked() -> None:
    root = {
        "logprobs.llm_call.count": 2,
        "logprobs.confidence.level": "low",
        "logprobs.confidence.score": 0.8,
        "logprobs.worst.span_id": "c",
        "logprobs.worst.confidence": 0.4,
    }
    drawn = lines(
        draw(
            SpanData("ef" * 16, "a", None, "agent", 0, 1, root),
            SpanData("ef" * 16, "b", "a", "chat m", 0, 1, {"logprobs.status": "missing"}),
            SpanData("ef" * 16, "c", "a", "chat m", 1, 1, {"logprobs.status": "missing"}),
        )
    )
    assert drawn[0] == "agent  <1 ms  low .40  the worst of 2 model calls  trace efefefef"
    assert [line.endswith("◂ the worst") for line in drawn if "chat m" in line] == [False, True]


def test_a_tree_has_guides_levels_and_durations() -> None:
    def at(span_id: str, parent: str | None, nanoseconds: int, **attributes: Any) -> SpanData:
        return SpanData("ef" * 16, span_id, parent, span_id, 0, nanoseconds, attributes)

    level = {"logprobs.confidence.level": "low", "logprobs.confidence.score": 0.4}
    drawn = draw(
        at("graph", None, 3_000_000_000, **level, **{"logprobs.llm_call.count": 2}),
        at("step", "graph", 20_000_000),
        at("tool", "step", 3),
        at("end", "graph", 3),
    )
    assert lines(drawn) == [
        "graph  3.00 s  low .40  the worst of 2 model calls  trace efefefef",
        "├── step  20 ms",
        "│   └── tool  <1 ms",
        "└── end  <1 ms",
    ]


STRUCTURED = {
    "logprobs.tokens": ['{"', "city", '":', ' "', "Lima", '",', ' "', "pop", '":', " ", "9", "}"],
    "logprobs.values": [0.0, 0.0, 0.0, 0.0, -0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -1.2, 0.0],
    "logprobs.fields.paths": ["/city", "/pop"],
    "logprobs.fields.confidences": [math.exp(-0.05), math.exp(-1.2)],
    "logprobs.fields.min_probabilities": [math.exp(-0.05), math.exp(-1.2)],
    "logprobs.fields.min_indexes": [4, 10],
    "logprobs.fields.status": "ok",
    "logprobs.alternatives.positions": [10, 10],
    "logprobs.alternatives.tokens": ["10", "8"],
    "logprobs.alternatives.values": [math.log(0.28), math.log(0.2)],
}


def test_a_structured_answer_is_json_with_the_confidence_of_each_value() -> None:
    drawn = lines(draw(call(STRUCTURED)))
    assert re.fullmatch(r'  {"city": "Lima", +\.95', drawn[2])
    assert re.fullmatch(r'   "pop": ‹9›} +‹\.30› +“9” nearly 10 \.28 · 8 \.20', drawn[3])


def test_a_draft_is_not_the_answer() -> None:
    tokens = [
        "A draft:\n```json\n",
        '{"total": ',
        "41",
        "}\n```\nThe answer:\n```json\n",
        '{"total": ',
        "97",
        ', "ok": ',
    ]
    attributes = {
        "logprobs.tokens": [*tokens, "true", "}\n```"],
        "logprobs.values": [-0.01, -0.01, -0.01, -0.01, -0.01, math.log(0.3), -0.01, -0.01, -0.01],
        "logprobs.fields.paths": ["/total", "/ok"],
        "logprobs.fields.confidences": [0.3, 0.99],
        "logprobs.fields.min_indexes": [5, 7],
    }
    text = draw(call(attributes))
    assert re.search(r'{"total": 41} *\n', text)
    assert re.search(r'{"total": ‹97›, +‹\.30›', text)
    assert re.search(r' "ok": true} +\.99', text)


def test_a_value_with_an_unknown_token_says_so_and_how_much_it_can_be() -> None:
    censored = STRUCTURED | {"logprobs.fields.censored": [0, 1], "logprobs.fields.confidences": [1.0, 0.4]}
    text = draw(call(censored))
    assert re.search(r'"city": \?"Lima"\?, +\?unknown\?', text)
    assert re.search(r'"pop": \?9\?} +\?≤\.40\?', text)


def test_a_key_that_comes_again_is_told_and_its_first_value_keeps_its_shade() -> None:
    twice = {
        "logprobs.tokens": ['{"a": ', "1", ',\n"a": ', "2", "}"],
        "logprobs.values": [0.0, math.log(0.3), 0.0, math.log(0.95), 0.0],
        "logprobs.fields.paths": ["/a"],
        "logprobs.fields.confidences": [0.95],
        "logprobs.fields.min_indexes": [3],
    }
    drawn = lines(draw(call(twice)))
    assert re.fullmatch(r'  {"a": ‹1›, +the same key comes again', drawn[2])
    assert re.fullmatch(r'  "a": 2} +\.95', drawn[3])


def test_stretches_outside_the_values_are_listed_below_them() -> None:
    doubt = [0.0, -2.0, 0.0, 0.0, -0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -1.2, 0.0]
    stretches = tuple(
        EventData("logprobs.low_confidence", 0, {"logprobs.token.start": at, "logprobs.token.count": 1})
        for at in (1, 10)
    )
    text = draw(call(STRUCTURED | {"logprobs.values": doubt}, events=stretches))
    assert re.search(r"outside the values *[^\n]*\n +«\.14» +{\"«city»", text)
    assert "outside" not in draw(call(STRUCTURED, events=stretches[1:]))


def test_on_a_narrow_screen_keys_are_whole_and_notes_stand_below() -> None:
    drawn = lines(draw(call(STRUCTURED), width=40))
    assert [re.sub(r"  +", "  ", line) for line in drawn[2:5]] == [
        *['  {"city": "Lima",  .95', '  "pop": ‹9›}  ‹.30›', "  “9” nearly 10 .28 · 8 .20"],
    ]


def test_fields_without_their_text_are_listed_by_path() -> None:
    hidden = {name: value for name, value in STRUCTURED.items() if name != "logprobs.tokens"}
    text = draw(call(hidden))
    assert re.search(r"  /city +\.95", text)
    assert re.search(r"  /pop +‹\.30› +“■” nearly 10", text)


def test_fields_whose_weakest_token_has_no_alternatives() -> None:
    plain = {name: value for name, value in STRUCTURED.items() if "alternatives" not in name}
    assert re.search(r"‹\.30› *\n", draw(call(plain)))


def test_the_runner_up_of_a_closed_list_is_named() -> None:
    runners = {
        "logprobs.fields.runners_up": ['"Cusco"', "8"],
        "logprobs.fields.runner_up_probabilities": [0.04, 0.001],
    }
    text = draw(call(STRUCTURED | runners))
    assert re.search(r'"Lima", +\.95 +nearly "Cusco" \.04', text)
    assert "nearly 10 .28" in text, "a runner-up that was not near gives way to the tokens"


def test_the_arguments_of_a_tool_call_are_drawn_in_the_models_own_markup() -> None:
    paths = ["/tool_calls/0/f/city", "/tool_calls/0/f/pop"]
    drawn = lines(draw(call(STRUCTURED | {"logprobs.fields.paths": paths})))
    assert re.fullmatch(r'  {"city": "Lima", +\.95', drawn[2])


def test_values_that_the_text_does_not_show_are_listed_by_path() -> None:
    text = draw(call(STRUCTURED | {"logprobs.fields.paths": ["/tool_calls/0/f/city", "/tool_calls/0/g/elsewhere"]}))
    assert re.search(r"  /tool_calls/0/g/elsewhere +‹\.30›", text)
    nowhere = draw(call(STRUCTURED | {"logprobs.fields.paths": ["/x", "/y"]}))
    assert '{"city": "Lima", "pop": ‹9›}' in nowhere
    assert re.search(r"  /y +‹\.30›", nowhere)


def test_large_json_is_folded_around_its_unsure_values() -> None:
    tokens = ["[\n"] + [f"{number},\n" for number in range(499)] + ["499]"]
    large = {
        "logprobs.tokens": tokens,
        "logprobs.values": [-0.01] * 501,
        "logprobs.fields.paths": ["/3", "/250", "/499"],
        "logprobs.fields.confidences": [0.99, 0.4, 0.99],
        "logprobs.fields.min_indexes": [4, 251, 500],
        "logprobs.fields.count": 500,
    }
    text = draw(call(large))
    folded = [re.sub(r"  +", "  ", line.strip()) for line in lines(text)[2:9]]
    assert folded == [
        *["… 249 sure lines …", "248,", "249,", "‹250›,  ‹.40›", "251,", "252,", "… 247 sure lines …"],
    ]
    assert "confidence of the 3 least certain of 500 values" in text


def test_levels_that_are_not_known_are_printed_plainly() -> None:
    assert "␛odd .50" in draw(call({"logprobs.confidence.level": "\x1bodd", "logprobs.confidence.score": 0.5}))


@pytest.mark.parametrize(
    "value, shown",
    [
        *[(None, ""), (0.0, ".00"), (1.0, "1.00"), (0.9996, "1.00"), (0.9987, ".999"), (0.996, ".996"), (0.994, ".99")],
        *[(0.256, ".26"), (0.01, ".01"), (0.0061, ".006"), (0.0001, "<.001")],
    ],
)
def test_probabilities_have_two_digits_and_are_never_rounded_to_certain(value: float | None, shown: str) -> None:
    assert decimal(value) == shown


def test_printable_text_keeps_scripts_and_emoji_whole() -> None:
    family = "👩\u200d👩\u200d👧 नमस्ते سلام"
    assert printable(family) == family
    assert printable("a\nb", keep_lines=True) == "a\nb"
    assert printable("a\nb\x7f") == "a⏎b␡"
    assert token_text(" a ", show_space=False) == "a"
    assert token_text(" " * 100, show_space=False) == "␣" * 31 + "…"


def test_a_trace_can_be_printed_by_any_console() -> None:
    from langchain_logprobs.view.model import read_traces

    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="256")
    console.print(TraceView(read_traces([call(ANSWER)])[0]))
    assert isinstance(console.file, io.StringIO)
    assert "probability" in console.file.getvalue()
    assert Pen.for_console(console).colours == "full"


def test_the_legend_stands_once_below_all_traces_and_explains_the_signs_they_have() -> None:
    quiet = {"logprobs.tokens": ["a"], "logprobs.values": [-0.01]}
    ended = {"logprobs.tokens": [""], "logprobs.values": [-2.0]}
    second = SpanData("cd" * 16, "02" * 8, None, "second", 0, 1, ended)
    assert draw(call(quiet), second).count("probability ≥.9") == 1
    assert "∎ no text" in draw(call(quiet), second)
    assert "first choice" not in draw(call(quiet), second)
    assert "↓ not the model's first choice" in draw(call(ANSWER))
    assert "probability" not in draw(call(ANSWER), legend=False)


def drawn_by_handler(text: str, entries: list[dict[str, Any]]) -> str:
    """The picture of the spans that the handler makes of an answer with these entries."""
    message = AIMessage(text, response_metadata={"logprobs": {"content": entries, "refusal": None}})
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    GenericFakeChatModel(messages=iter([message])).invoke("?", config={"callbacks": [handler]})
    console = Console(file=io.StringIO(), width=100)
    print_traces(exporter.get_finished_spans(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_handlers_own_spans_are_drawn() -> None:
    text = drawn_by_handler("Yes and", [entry("Yes", -0.01), entry(" and", -2.5, (" but", -0.3))])
    assert "Yes «and↓»" in text
    assert re.search(r"«\.08» +Yes «and↓» +but \.74", text)


def test_the_answer_and_not_its_draft_is_drawn_with_the_answers_confidence() -> None:
    said = [
        *[("A draft:\n```json\n", 0.99), ('{"total": ', 0.99), ("41", 0.99), ("}\n```\nThe answer:\n```json\n", 0.99)],
        *[('{"total": ', 0.99), ("97", 0.3), (', "ok": ', 0.99), ("true", 0.99), ("}\n```", 0.99)],
    ]
    entries = [entry(token, math.log(probability)) for token, probability in said]
    drawn = lines(drawn_by_handler("".join(token for token, _ in said), entries))
    assert '  {"total": 41}' in drawn
    assert any(re.match(r' *{"total": ‹97›, +‹\.30›', line) for line in drawn)
    assert any(re.match(r' *"ok": true} +\.9\d', line) for line in drawn)
