"""A real browser: Chromium of this machine, driven by Playwright. `make browser` installs what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.view.model import SpanData, read_traces
from langchain_logprobs.view.page.build import page_html
from langchain_logprobs.view.page.data import page_data
from tests.view.gallery import gallery

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
REQUIRED = "LOGPROBS_BROWSER_REQUIRED"


def _missing(what: str) -> None:
    sentence = f"{what} is missing: `make browser` installs what these tests need"
    if os.environ.get(REQUIRED):
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, for the tests in this folder: while Playwright lives, no other event loop can run in this thread."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("the Python package playwright")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        _missing("Chromium")
    with sync_playwright() as playwright:
        # In a container there is no user namespace for the sandbox; the pages are our own, from 127.0.0.1 or a file.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if not AXE.exists():
        _missing("the npm package axe-core")
    return AXE.read_text("utf-8")


@pytest.fixture(scope="session")
def traces() -> dict[str, list[SpanData]]:
    """The spans of every kind of answer, by its name."""
    return gallery()


class Look:
    """A page in the browser, and everything that went wrong in it or was asked by it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))

    def _dialog(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open spans as a page in a file; after the test, nothing went wrong there and nobody was asked for anything."""
    contexts = []
    allowed: list[str] = []
    looks: list[Look] = []

    def opened(
        *spans: list[SpanData],
        fragment: str = "",
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        address: str | None = None,
        **options: Any,
    ) -> Any:
        if address is None:
            data = page_data(read_traces(span for each in spans for span in each))
            path = tmp_path / f"page{len(looks)}.html"
            path.write_text(page_html(data, "Token confidence"), "utf-8")
            address = path.as_uri()
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True, **options
        )
        contexts.append(context)
        look = Look(context.new_page())
        looks.append(look)
        look.page.set_default_timeout(10_000)
        look.page.goto(address + fragment)
        return look.page

    opened.allowed = allowed  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    for look in looks:
        assert [problem for problem in look.problems if not problem.startswith(tuple(allowed))] == []
        own = look.requests[0].partition("#")[0]
        origin = own if own.startswith("file:") else "/".join(own.split("/")[:3])
        strangers = [url for url in look.requests if not url.startswith((origin, "data:", "blob:"))]
        assert strangers == []
