"""How the page looks and how it bears much: sizes, colour schemes, screens, and what axe-core says of it."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from langchain_logprobs.view.model import SpanData
from tests.e2e.browser.conftest import Open
from tests.e2e.browser.test_page import Traces, inspector, model_call, token
from tests.view.gallery import WORDS


def one_call(tokens: list[str], logprobs: list[float], **attributes: Any) -> list[SpanData]:
    known = {"logprobs.status": "recorded", "logprobs.tokens": tokens, "logprobs.values": logprobs, **attributes}
    return [SpanData("ab" * 16, "cd" * 8, None, "chat m", 0, 10**9, known)]


def test_a_token_of_a_megabyte_and_names_that_try_things(open_page: Open) -> None:
    nasty = one_call(["a" * 1_000_000, "\u202e" * 1000, " end"], [-3.0, -2.0, -0.1])
    nasty.append(
        SpanData("ab" * 16, "ef" * 8, "cd" * 8, "<b>\u202e" + "x" * 100_000, 0, 1, {}, error="\u2067" * 10_000)
    )
    page = open_page(nasty)
    assert "… 998,000 more characters" in page.locator(".answer").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("n")
    assert "unknown" not in inspector(page)


def test_attributes_of_the_wrong_type(open_page: Open) -> None:
    wrong: dict[str, Any] = {
        "logprobs.mean": [1],
        "logprobs.min.token": {"a": 1},
        "logprobs.min.probability": "low",
        "gen_ai.response.finish_reasons": "length",
        "gen_ai.output.messages": '[{"role": 5, "parts": [{"type": "text", "content": "said"}]}]',
        "logprobs.fields.paths": ["/a", 5],
        "logprobs.fields.confidences": [0.5, 0.5],
        "logprobs.fields.min_indexes": ["x", 1],
        "logprobs.alternatives.positions": [0, "x", None],
        "logprobs.new": 10**400,
    }
    page = open_page(one_call(["a", "b"], [-3.0, -0.1], **wrong))
    assert page.locator(".answer").inner_text() == "ab"


def big(count: int, *, lines: bool) -> list[SpanData]:
    dice = random.Random(1)
    tokens = [" " + dice.choice(WORDS) for _ in range(count)]
    if lines:
        tokens[::100] = ["\n\n" + token.strip() for token in tokens[::100]]
    values = [-dice.expovariate(6.0) for _ in range(count)]
    return one_call(tokens, values)


TIMING = "() => { const [n] = performance.getEntriesByType('navigation'); return n.loadEventEnd - n.startTime; }"


def test_two_thousand_tokens_are_there_in_half_a_second(open_page: Open) -> None:
    taken = []
    for _ in range(3):
        page = open_page(big(2000, lines=True))
        page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
        assert page.locator(".answer .t").count() == 2000
        taken.append(page.evaluate(TIMING))
    assert min(taken) < 500


@pytest.mark.parametrize("lines", [True, False])
def test_twenty_thousand_tokens_scroll(open_page: Open, lines: bool) -> None:
    page = open_page(big(20_000, lines=lines))
    assert page.locator(".answer .t").count() == 20_000
    frames = page.evaluate(
        """async () => {
          const gaps = [];
          let last = performance.now();
          for (let step = 0; step < 60; step++) {
            scrollBy(0, 300);
            await new Promise(requestAnimationFrame);
            const now = performance.now();
            gaps.push(now - last);
            last = now;
          }
          return gaps.sort((a, b) => a - b);
        }"""
    )
    assert frames[len(frames) // 2] < 150
    started = time.monotonic()
    page.keyboard.press("p")
    assert page.evaluate("document.activeElement.classList.contains('t')")
    assert time.monotonic() - started < 2


def test_many_calls_are_drawn_when_they_are_near(open_page: Open, traces: Traces) -> None:
    call = model_call(traces["long"])
    spans = [
        SpanData("ab" * 16, f"{number:016x}", None, f"chat {number}", number, number + 10**6, call.attributes)
        for number in range(1, 31)
    ]
    page = open_page(spans)
    assert page.locator(".card .answer").count() < 10
    page.keyboard.press("p")
    assert page.locator("#span-" + f"{30:016x} .answer").count() == 1
    assert page.evaluate("document.activeElement.closest('li').id") == f"span-{30:016x}"


AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.map(each => each.id + ': ' + each.nodes.map(node => node.html.slice(0, 200)).join(' | '));
}"""


@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing(open_page: Open, traces: Traces, axe: str, scheme: str, width: int) -> None:
    pages = {name: [spans] for name, spans in traces.items()} | {"list": list(traces.values())}
    for name, spans in pages.items():
        page = open_page(*spans, scheme=scheme, width=width)
        if name != "list":
            page.keyboard.press("n")
        for details in page.locator("details").all():
            details.evaluate("element => element.open = true")
        # What the browser has not laid out yet has no place, and axe takes the colours of its neighbours for its own.
        page.locator(".block, .card").evaluate_all("all => all.forEach(e => (e.style.contentVisibility = 'visible'))")
        page.evaluate(axe)
        assert page.evaluate(AXE) == [], name
        page.context.close()


@pytest.mark.parametrize("width", [320, 600, 960, 1920])
def test_nothing_is_wider_than_the_screen(open_page: Open, traces: Traces, width: int) -> None:
    for name, spans in traces.items():
        page = open_page(spans, width=width, height=800)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.context.close()
    page = open_page(*traces.values(), width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_the_token_in_hand_and_its_alternatives_are_both_seen(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["long"], width=390, height=844)
    page.keyboard.press("n")
    page.keyboard.press("n")
    box = page.locator(".t.now").bounding_box()
    panel = page.locator("#inspector").bounding_box()
    assert 0 <= box["y"] < panel["y"] - box["height"]
    assert panel["y"] + panel["height"] <= 845
    assert page.get_by_role("button", name="next").bounding_box()["y"] >= 0


def test_dark_is_dark(open_page: Open, traces: Traces) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert open_page(traces["short"], scheme="dark").evaluate(ground) == "rgb(15, 20, 25)"
    assert open_page(traces["short"]).evaluate(ground) == "rgb(255, 255, 255)"


def test_without_colours_doubt_is_still_marked(open_page: Open, traces: Traces) -> None:
    page = open_page(traces["short"], forced_colors="active")
    assert token(page, ".3").evaluate("element => getComputedStyle(element).outlineStyle") == "solid"


def test_without_text_the_numbers_are_drawn(open_page: Open) -> None:
    call = one_call([], [-0.1, -3.0])
    del call[0].attributes["logprobs.tokens"]  # type: ignore[attr-defined]
    page = open_page(call)
    assert page.locator(".answer").inner_text().count("■") == 2
    page.keyboard.press("n")
    assert "“■” .05" in inspector(page)
