"""The served page in a real browser, from an app that sends its traces to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from tests.e2e.browser.conftest import Open
from tests.e2e.processes import free_ports, is_answering, stop, wait_for
from tests.view.gallery import gallery


@pytest.fixture
def served() -> Iterator[tuple[str, str]]:
    port, otlp = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "langchain_logprobs", "serve", "--port", str(port), "--otlp", str(otlp)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_answering(address) or None, timeout=30, what="the page")
        yield address, f"http://127.0.0.1:{otlp}/v1/traces"
    finally:
        stop(process)


def test_from_the_app_to_the_unsure_word(open_page: Open, served: tuple[str, str]) -> None:
    from playwright.sync_api import expect

    address, endpoint = served
    page = open_page(address=address)
    assert "no traces here yet" in page.locator("main").inner_text()
    sent = gallery([OTLPSpanExporter(endpoint=endpoint)])
    page.reload()
    expect(page.locator(".traces tbody tr")).to_have_count(len(sent))
    page.locator(".traces tbody tr", has_text="“.3”").first.get_by_role("link").click()
    assert page.locator("h1").inner_text().startswith("Trace ")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.textContent") == "1935"
    page.get_by_role("link", name="All traces").click()
    expect(page.locator(".traces tbody tr")).to_have_count(len(sent))
    call = next(span for span in sent["json"] if "logprobs.status" in span.attributes)
    page.goto(f"{address}/trace/{call.trace_id}#span-{call.span_id}-token-21")
    assert page.evaluate("document.activeElement.textContent").startswith("EUR")
    open_page.allowed.append("Failed to load resource: the server responded with a status of 404")  # type: ignore[attr-defined]
    page.goto(f"{address}/trace/{'0' * 31}1")
    assert "no trace" in page.locator(".note").inner_text()
    page.get_by_role("link", name="All traces").click()
    page.wait_for_url(f"{address}/")
