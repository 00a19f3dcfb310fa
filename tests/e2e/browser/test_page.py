"""The page in a real browser: what is seen, by pointer, keyboard, link, screen reader, in the dark and on a phone."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from typing import Any

import pytest

from langchain_logprobs.view.model import SpanData
from tests.e2e.browser.conftest import Open
from tests.view.gallery import HOSTILE, SHORT

Traces = dict[str, list[SpanData]]

STATE = "() => ({hash: location.hash, top: scrollY})"


def model_call(spans: list[SpanData]) -> SpanData:
    (found,) = [span for span in spans if "logprobs.status" in span.attributes]
    return found


def token(page: Any, text: str) -> Any:
    return page.locator(".t", has_text=text).first


def inspector(page: Any) -> str:
    return str(page.locator("#inspector").inner_text())


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.textContent"))


def test_the_answer_is_shaded_by_probability(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    assert page.locator(".answer").inner_text() == "".join(entry["token"] for entry in SHORT)
    steps = [(0.9, ""), (0.7, "b1"), (0.5, "b2"), (0.2, "b3"), (0.0, "b4")]
    wanted = [next(name for floor, name in steps if math.exp(entry["logprob"]) >= floor) for entry in SHORT]
    drawn = page.locator(".t").evaluate_all("all => all.map(t => [...t.classList].find(name => /^b/.test(name)) || '')")
    assert drawn == wanted


def test_pointing_at_a_token_shows_what_else_it_could_have_been(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    token(page, "Arnhem").hover()
    assert "“Arnhem”" in inspector(page)
    token(page, ".3").hover()
    shown = inspector(page)
    assert "“.3” .14" in shown
    for other, probability in ((".1", ".31"), (".2", ".20")):
        assert other in shown
        assert probability in shown
    assert "cover .65 of the probability" in shown
    assert "came at" in shown


def test_what_has_the_focus_is_shown_when_the_pointer_leaves(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    token(page, ".3").click()
    token(page, "Arnhem").hover()
    page.locator("h1").hover()
    assert "“.3”" in inspector(page)


def test_next_and_previous_by_keys_and_buttons(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    assert page.locator(".place").inner_text() == "2 places"
    page.keyboard.press("n")
    assert (focused(page), page.locator(".place").inner_text()) == ("1935", "1 of 2")
    page.keyboard.press("n")
    assert focused(page).startswith(".3")
    page.keyboard.press("n")
    assert focused(page) == "1935"
    page.keyboard.press("p")
    assert focused(page).startswith(".3")
    page.get_by_role("button", name="previous").click()
    assert focused(page) == "1935"
    page.get_by_label("keys on").uncheck()
    page.keyboard.press("n")
    assert page.locator(".place").inner_text() == "1 of 2"


def test_the_slider_says_what_is_unsure(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    slider = page.get_by_role("slider")
    for value, places in (("0.15", "1 place"), ("0.9", "2 places"), ("0.05", "none"), ("0.65", "2 places")):
        slider.fill(value)
        page.wait_for_function("text => document.querySelector('.place').textContent === text", arg=places)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "0.70"


def test_the_keyboard_alone(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('t')"):
            break
    assert focused(page) == "1935"
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "in"
    assert "“in” .98" in inspector(page)
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.classList.contains('t')")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "in"


def test_arrows_follow_the_direction_of_the_text(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["arabic"])
    page.keyboard.press("n")
    assert focused(page) == "عاصمة"
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "مصر"
    assert page.locator(".block").evaluate("block => getComputedStyle(block).direction") == "rtl"
    first, second = (token(page, text).bounding_box() for text in ("القاهرة", "هي"))
    assert first["x"] > second["x"]


def test_what_a_screen_reader_is_told(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"])
    assert page.get_by_role("button", name=".3, probability .14, nearly .1 .31, .2 .20").count() == 1
    assert page.get_by_role("group", name="The answer, token by token").count() == 1
    assert page.get_by_role("img", name="Where the unsure tokens are: 2 places").count() == 1
    assert page.get_by_role("img", name="When the chunks arrived").count() == 1
    page = open_page(*traces.values())
    assert page.get_by_role("row").count() == len(traces) + 1


def test_links_lead_to_spans_and_tokens(open_page: Open, traces: Traces) -> None:
    call = model_call(traces["short"])
    everything = list(traces.values())
    trace, span = call.trace_id, call.span_id
    for fragment in (f"#trace-{trace}", f"#span-{span}", f"#span-{span.upper()}", f"#span-{span.lstrip('0')}"):
        page = open_page(*everything, fragment=fragment)
        assert page.locator("h1").inner_text() == f"Trace {trace[:8]}"
    assert page.locator(f"li.here#span-{span}").count() == 1
    page = open_page(*everything, fragment=f"#span-{span}-token-7")
    assert focused(page) == "1935"
    page = open_page(traces["short"], fragment="#token-11")
    assert focused(page).startswith(".3")
    page.keyboard.press("p")
    assert page.evaluate(STATE)["hash"] == f"#span-{span}-token-7"
    page.goto(page.url.partition("#")[0] + f"#span-{span}-token-11")
    assert focused(page).startswith(".3")


@pytest.mark.parametrize("fragment", ["#span-1", "#token-999", "#trace-f", "#%E0%A4%A", "#<img>", "#span-x-token-y"])
def test_links_that_lead_nowhere(open_page: Open, traces: Traces, fragment: str) -> None:
    page = open_page(traces["short"], fragment=fragment)
    assert page.locator(".answer .t").count() == len(SHORT)


def test_the_list_leads_to_each_trace_and_back(open_page: Open, traces: Traces) -> None:
    from playwright.sync_api import expect

    page = open_page(*traces.values())
    rows = page.locator(".traces tbody tr")
    levels = rows.evaluate_all("rows => rows.map(row => row.cells[0].textContent.split(' ')[0])")
    order = ["low", "medium", "high", "no"]
    assert [order.index(level) for level in levels] == sorted(order.index(level) for level in levels)
    for index in range(rows.count()):
        rows.nth(index).get_by_role("link").click()
        expect(page.locator("h1")).to_contain_text("Trace ")
        page.get_by_role("link", name="All traces").click()
        expect(page.locator("h1")).to_have_text("Token confidence")


def test_values_of_json_as_written_and_where_they_are(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["json"])
    values = page.locator(".fields tbody tr").evaluate_all("rows => rows.map(row => row.cells[0].textContent)")
    assert values == ['"Acme Tools"', "142.50", '"EUR"', "true", "1e400"]
    row = page.locator(".fields tr", has_text="/currency")
    assert '"USD" .69' in row.inner_text().replace("\t", " ").replace("\n", " ")
    page.get_by_role("link", name='"EUR"').click()
    assert focused(page).startswith("EUR")
    assert "value of /currency .15" in inspector(page)
    page.locator(".fields tr", has_text="/total").hover()
    marked = page.locator(".t.value").evaluate_all("tokens => tokens.map(token => token.textContent).join('')")
    assert marked == "142.50"
    stops = page.locator(".place").inner_text()
    assert stops.endswith("of 2"), "brackets and keys are no places to go to"


def test_tool_calls_choices_reasoning_errors_and_missing_logprobs(open_page: Open, traces: Traces) -> None:
    tool = open_page(traces["tool"])
    assert "population /city" in tool.locator(".fields").inner_text()
    assert "Bogota .60" in tool.locator(".fields").inner_text()
    choices = open_page(traces["choices"])
    table = choices.get_by_role("region", name="Choices").inner_text()
    assert "3 choices" in table
    assert "“Nobody”" in table
    reasoning = open_page(traces["reasoning"])
    assert reasoning.locator("details.reasoning").inner_text().startswith("reasoning, 9 tokens: in none of the numbers")
    reasoning.keyboard.press("n")
    assert focused(reasoning) == "42"
    reasoning.keyboard.press("n")
    assert focused(reasoning) == "42", "what the model thought is no place to go to"
    failed = open_page(traces["error"])
    assert "no such <model>" in failed.locator(".note.error").inner_text()
    missing = open_page(traces["missing"])
    assert "they were asked for, but none came" in missing.locator(".note").inner_text()
    censored = open_page(traces["censored"])
    assert "bx" in token(censored, "forty").get_attribute("class")
    token(censored, "forty").hover()
    assert "unknown" in inspector(censored)


def test_white_space_is_shown_where_it_is_asked_for_or_in_doubt(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["code"])
    assert token(page, "⏎⏎").count() == 1
    assert "    return x ** 2\n" in page.locator(".answer").inner_text()
    page.keyboard.press("w")
    shown = page.locator(".answer").inner_text().replace("\u200b", "")
    assert "····return" in shown
    assert page.get_by_label("show white space").is_checked()


def test_sure_passages_fold_and_open(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["long"])
    everything = page.locator(".answer").text_content()
    page.keyboard.press("f")
    folded = page.locator(".answer").text_content()
    gaps = page.locator(".gap").count()
    assert gaps > 3
    assert len(folded) < len(everything) / 3
    assert page.locator(".answer .b4").count() == page.evaluate(
        "DATA.traces[0].spans.flatMap(s => s.call ? s.call.logprobs : []).filter(l => Math.exp(l) < .2).length"
    )
    page.locator(".gap").first.click()
    assert page.locator(".gap").count() == gaps - 1
    page.keyboard.press("f")
    assert page.locator(".answer").text_content() == everything


def test_saving_as_csv_and_json(open_page: Open, traces: Traces) -> None:
    for name, entries in (("short", SHORT), ("hostile", HOSTILE)):
        page = open_page(traces[name])
        saved = {}
        for ending in ("CSV", "JSON"):
            with page.expect_download() as waiting:
                page.get_by_role("button", name=f"Save {ending}").click()
            assert waiting.value.suggested_filename == f"tokens-{model_call(traces[name]).span_id}.{ending.lower()}"
            with open(waiting.value.path(), encoding="utf-8", newline="") as file:
                saved[ending] = file.read()
        rows = list(csv.DictReader(io.StringIO(saved["CSV"])))
        assert [json.loads(row["token"]) for row in rows] == [entry["token"] for entry in entries]
        assert [float(row["logprob"]) for row in rows] == [entry["logprob"] for entry in entries]
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
        document = json.loads(saved["JSON"])
        assert [row["logprob"] for row in document["tokens"]] == [entry["logprob"] for entry in entries]
        assert document["attributes"]["logprobs.mean"] == model_call(traces[name]).attributes["logprobs.mean"]


def test_hostile_text_is_text(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["hostile"])
    shown = page.locator(".answer").inner_text()
    for text in ("</script>", "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "&amp;", "<!--", "U+202E"):
        assert text in shown
    assert page.locator("#main img, #main script").count() == 0
    assert "\u202e" not in page.locator("body").inner_text()
    time.sleep(0.2)


def test_without_script_there_is_a_sentence(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"], java_script_enabled=False)
    assert "switched off" in page.locator("noscript").inner_text()
