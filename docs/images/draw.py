"""Draw the pictures of the documentation: real answers of the local model, in the terminal and on the page.

python docs/images/draw.py     # after `make browser`, which brings what drives Chromium
"""

from __future__ import annotations

import io
import re
import runpy
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from langchain_logprobs.view.model import read_traces, span_data
from langchain_logprobs.view.page.build import page_html
from langchain_logprobs.view.page.data import page_data
from langchain_logprobs.view.terminal.trace import print_traces

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import demo  # noqa: E402
from local_model import local_model  # noqa: E402

# Only the first and the second colour are used: the background and the text.
THEME = TerminalTheme((22, 27, 34), (230, 237, 243), [(0, 0, 0)] * 8, [(0, 0, 0)] * 8)
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


def save(name: str, spans: Iterable[ReadableSpan]) -> None:
    """Write a picture without anything that a browser would fetch from another host."""
    console = Console(record=True, width=98, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    print_traces(spans, console, theme="dark")
    svg = console.export_svg(title="langchain-logprobs", theme=THEME, unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", FONTS)
    (HERE / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


def photograph(name: str, spans: Iterable[ReadableSpan]) -> None:
    """Write a picture of the page of some spans, as it opens in the browser."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "page.html"
        page.write_text(page_html(page_data(read_traces(map(span_data, spans))), "Token confidence"), encoding="utf-8")
        # In a container there is no user namespace for the sandbox; the page is our own.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1180, "height": 560})
        view.goto(page.as_uri())
        view.screenshot(path=HERE / f"{name}.png")
        browser.close()


def main() -> None:
    """Draw trace.svg and page.png (the first programs of the demo) and structured.svg (the example of that name)."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    with local_model() as served:
        demo.chain(demo.chat_model(model=served.model, base_url=served.base_url, api_key="none"))
        save("trace", spans.get_finished_spans())
        spans.clear()
        demo.streamed_chain(demo.chat_model(model=served.model, base_url=served.base_url, api_key="none"))
    photograph("page", spans.get_finished_spans())
    save("structured", runpy.run_path(str(EXAMPLES / "structured_output.py"))["spans"].get_finished_spans())


if __name__ == "__main__":
    main()
