"""Draw trace.svg, the picture in the README: a real answer of the local model, as the terminal shows it.

python docs/images/trace.py
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from langchain_logprobs.view.terminal import print_traces

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "examples"))

import demo  # noqa: E402
from local_model import local_model  # noqa: E402

# Only the first and the second colour are used: the background and the text.
THEME = TerminalTheme((22, 27, 34), (230, 237, 243), [(0, 0, 0)] * 8, [(0, 0, 0)] * 8)
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


def main() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    with local_model() as served:
        demo.chain(demo.chat_model(model=served.model, base_url=served.base_url, api_key="none"))
    console = Console(record=True, width=98, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    print_traces(spans.get_finished_spans(), console, theme="dark")
    svg = console.export_svg(title="langchain-logprobs", theme=THEME, unique_id="trace")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # they would be fetched from another host
    svg = svg.replace("Fira Code, monospace", FONTS)
    (HERE / "trace.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
