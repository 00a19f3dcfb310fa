"""The report: the same figures and sentences on the page and in the terminal, whatever the names hold."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from rich.console import Console

from langchain_logprobs.calibration import CalibrationReport, calibrate, page_html
from langchain_logprobs.calibration.fit import percent
from langchain_logprobs.calibration.sentences import number
from langchain_logprobs.calibration.terminal import print_report
from tests.calibration import populations

NASTY = '</title><script>alert("$x_1$ [red]")</script>'


@pytest.fixture(scope="module")
def report() -> CalibrationReport:
    rows = [
        *populations.rows(300, seed=1),
        *populations.rows(60, seed=2, path="/small"),
        *populations.rows(20, seed=3, model=NASTY, prompt=NASTY, path="/" + NASTY),
        *(row._replace(right=True) for row in populations.rows(90, seed=4, path="")),
    ]
    return calibrate(rows, error=0.2)


def terminal(report: CalibrationReport, width: int) -> str:
    target = io.StringIO()
    print_report(report, Console(file=target, width=width, highlight=False))
    return target.getvalue()


class Page(HTMLParser):
    """What a browser makes of it: its text, its pictures, what it would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links, self.pictures = "", list[str](), list[str](), list[bytes]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        if tag == "img":
            kind, _, data = str(named["src"]).partition(";base64,")
            assert kind == "data:image/svg+xml"
            assert named["alt"]
            self.pictures.append(base64.b64decode(data))
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_and_terminal_say_the_same(report: CalibrationReport) -> None:
    page = " ".join(Page(page_html(report, "rows.csv")).text.split())
    shown = " ".join(terminal(report, 300).split())
    kept = next(group.result for group in report.groups if group.result.threshold is not None)
    sentences = [
        f"Accept from {kept.threshold:g} on: at most 20 % of what is accepted is wrong, with 90 % confidence",
        "Accept none of these: all are left for people.",
        "Too few labels: 20, and at least 50 are needed.",
        "Too few to learn from: 0 of 90 are wrong, and at least 10 are needed.",
        f"{percent(1 - (kept.accepted or 0))} are left for people",
    ]
    for sentence in sentences:
        assert sentence in page
        assert sentence in shown


def test_the_page_needs_nothing_but_itself_and_runs_nothing(report: CalibrationReport) -> None:
    html = page_html(report, NASTY)
    page = Page(html)
    assert "script" not in page.tags
    assert all(link.startswith(("data:image/svg+xml;base64,", "#group-")) for link in page.links)
    assert NASTY in page.text
    assert "http:" not in html
    assert "https:" not in html


def test_each_group_has_its_pictures(report: CalibrationReport) -> None:
    pictures = Page(page_html(report, "rows.csv")).pictures
    assert len(pictures) == len(report.groups)
    for picture in pictures:
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        assert len(picture) < 400_000


def test_the_page_is_the_same_each_time(report: CalibrationReport) -> None:
    assert page_html(report, "rows.csv") == page_html(report, "rows.csv")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_is_not_overrun(report: CalibrationReport, width: int) -> None:
    lines = terminal(report, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("AUROC" in line for line in lines) or width < 80


def test_all_digits_of_a_large_group_are_there() -> None:
    found = calibrate(populations.rows(3000, seed=1), error=0.2)
    assert re.search(r"3,000 +\d,\d{3} +\.\d\d \(\.\d\d to \.\d\d\)", terminal(found, 100))


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.1, "10 %"),
        (0.025, "2.5 %"),
        (0.999, "99.9 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.9999, "over 99.9 %"),
        (1e-5, "under 0.1 %"),
        (0.452, "45 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.934, ".93"), (0.0, ".00"), (1.0, "1.00"), (0.999, ".99"), (0.05, ".05")]
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text
