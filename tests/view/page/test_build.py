"""The page as one file: what it may do, and that a trace cannot change that."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from langchain_logprobs.view.page.build import page_html, policy
from langchain_logprobs.view.terminal.shading import BANDS, CENSORED

NASTY = [
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<!--",
    "<![CDATA[",
    "--><img src=x onerror=alert(1)>",
    "{{data}}{{script}}{{",
    "&lt;/script&gt;",
    "\u2028\u2029",
    "\u202eevil\u202c",
    "\x00\x1b[31m",
    "\ud83d",
    "'\"`${alert(1)}",
    "x" * 1_000_000,
]


class Page(HTMLParser):
    """What a browser would see: the elements and the text in each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in ("script", "style"):
            self.inside[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def sha256(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_stays_data(text: str) -> None:
    data = {"traces": [{"id": text, text[:50]: [text]}]}
    plain, nasty = Page(page_html({"traces": []}, "title")), Page(page_html(data, text))
    assert [tag for tag, _ in nasty.elements] == [tag for tag, _ in plain.elements]
    style, block, script = nasty.inside
    assert [style, script] == [plain.inside[0], plain.inside[2]]
    assert json.loads(block) == data
    assert not set("<>&") & set(block)


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else() -> None:
    page = Page(page_html({"traces": []}, "title"))
    style, _, script = page.inside
    (meta,) = [each for each in page.named("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert meta["content"] == policy()
    rules = dict(rule.split(" ", 1) for rule in policy().split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == sha256(script)
    assert rules["style-src"] == sha256(style)
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy()
    # A policy counts from where it stands.
    tags = [tag for tag, _ in page.elements]
    assert tags.index("meta") < min(tags.index("style"), tags.index("script"), tags.index("link"))


def test_nothing_is_asked_from_anywhere() -> None:
    page = Page(page_html({"traces": []}, "title"))
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "data"):
            assert attributes.get(name) in (None, "data:,"), (tag, attributes)
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    style, _, script = page.inside
    assert "://" not in style
    assert "url(" not in style
    assert "@import" not in style
    assert "://" not in script
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "XMLHttpRequest"):
        assert word not in script


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        page_html({"x": float("nan")}, "title")


def test_the_files_of_the_page_are_in_the_package() -> None:
    from importlib import resources

    folder = resources.files("langchain_logprobs.view.page")
    names = {item.name for item in folder.iterdir()}
    assert {"page.html", "page.css", "page.js", "heat.js"} <= names


def colours(style: str, dark: bool) -> dict[str, str]:
    light, night = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", night)) if dark else {})


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_is_readable(dark: bool) -> None:
    found = colours(Page(page_html({"traces": []}, "")).inside[0], dark)
    for step in ("1", "2", "3", "4", "x"):
        assert contrast(found["b" + step], found["t" + step]) >= 4.5, step
    for word in ("text", "dim", "link", "error"):
        for ground in ("page", "card"):
            assert contrast(found[word], found[ground]) >= 4.5, (word, ground)
    assert contrast(found["text"], found["here"]) >= 4.5
    assert contrast(found["dim"], found["here"]) >= 4.5
    for sign in ("focus", "bar"):
        assert contrast(found[sign], found["page"]) >= 3.0 or sign == "bar"


@pytest.mark.parametrize("dark", [False, True])
def test_the_scale_is_the_terminals(dark: bool) -> None:
    found = colours(Page(page_html({"traces": []}, "")).inside[0], dark)
    for step, band in zip("1234x", (*BANDS[1:], CENSORED), strict=True):
        assert (found["b" + step], found["t" + step]) == (band.dark if dark else band.light)


@pytest.mark.parametrize("dark", [False, True])
def test_more_doubt_stands_out_more_also_without_hue(dark: bool) -> None:
    found = colours(Page(page_html({"traces": []}, "")).inside[0], dark)
    against = [contrast(found["b" + step], found["page"]) for step in "1234"]
    assert against == sorted(against)
    assert all(later / earlier > 1.15 for earlier, later in pairwise(against))


def test_a_title_is_text() -> None:
    page = page_html({"traces": []}, "<b>&")
    assert "<title>&lt;b&gt;&amp;</title>" in page


def test_data_that_look_like_the_template() -> None:
    data = {"traces": ["{{title}}"]}
    assert json.loads(Page(page_html(data, "t")).inside[1]) == data
