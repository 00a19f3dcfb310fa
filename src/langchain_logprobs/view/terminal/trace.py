"""One trace as a tree in the terminal: spans, answers shaded by probability, and what the model nearly said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import string
from langchain_logprobs.view.choose import calls_of
from langchain_logprobs.view.model import Node, SpanData, Trace, read_traces, span_data
from langchain_logprobs.view.terminal.answer import draw_answer
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.pen import Pen, Theme
from langchain_logprobs.view.terminal.structured import draw_json

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_TEXT_WIDTH = 100  # longer lines are hard to read


class TraceView:
    """A trace that rich can print: `console.print(TraceView(trace))`."""

    def __init__(self, trace: Trace, *, full: bool = False, theme: Theme | None = None, legend: bool = True) -> None:
        """Prepare a picture.

        Args:
            trace: The trace, from `read_traces`.
            full: Draw all of a long answer, and of what was asked; else the passages that are unsure.
            theme: Colours for a dark or a light screen; None asks the terminal.
            legend: Explain the colours and signs below the trace.
        """
        self._trace = trace
        self._legend = legend
        self._full = full
        self._worst: str | None = None
        self._theme = theme

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the trace for what this console can show."""
        pen = Pen.for_console(console, self._theme)
        for root in self._trace.roots:
            self._worst = root.worst_span_id
            tree = Tree(self._label(root, pen, f"trace {self._trace.trace_id[:8]}"), guide_style="dim")
            waiting = [(tree, root)]
            while waiting:
                branch, node = waiting.pop()
                for child in node.children:
                    waiting.append((branch.add(self._label(child, pen)), child))
            yield tree
        if self._legend:
            yield Legend([self._trace], theme=self._theme)

    def _label(self, node: Node, pen: Pen, note: str = "") -> RenderableType:
        head = Text(printable(node.span.name), style="bold", overflow="fold")
        head.append(f"  {_duration(node.seconds)}", "not bold dim")
        if node.level is not None:
            head.append("  ", "not bold")
            pen.level(head, node.level, node.score)
            if node.least_field is not None:
                head.append(f" of {printable(node.least_field) or '/'}", "not bold dim")
            elif node.level == "low" and node.span.attributes.get(names.MIN_CENSORED) is True:
                head.append(" with an unknown token", "not bold dim")
            if node.calls is not None and node.calls > 1:
                head.append(f"  the worst of {node.calls} model calls", "not bold dim")
        if node.span.span_id == self._worst:
            head.append("  ◂ the worst", "not bold dim")
        if note:
            head.append(f"  {note}", "not bold dim")
        parts: list[RenderableType] = [head]
        if node.span.error is not None:
            below = any(_said(child.span) == _said(node.span) for child in node.children)
            parts.append(Text("✗ failed, see below" if below else f"✗ {_said(node.span)}", "red", overflow="fold"))
        if node.answer is not None:
            parts += [
                Padding(Constrain(part, _TEXT_WIDTH), (0, 0, 0, 2))
                for part in draw_answer(node.answer, pen, full=self._full, failed=node.span.error is not None)
            ]
        return Group(*parts)


class Legend:
    """Explains the colours and signs in traces; nothing where they have none."""

    def __init__(self, traces: Iterable[Trace], *, theme: Theme | None = None) -> None:
        """Prepare the legend.

        Args:
            traces: What it stands below.
            theme: As of the traces.
        """
        self._theme = theme
        answers = (node.answer for trace in traces for node in calls_of(trace))
        self._answers = [answer for answer in answers if answer is not None and answer.has_logprobs]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for what this console can show."""
        if self._answers:
            pen = Pen.for_console(console, self._theme)
            shown = [answer.tokens for answer in self._answers if draw_json(answer, pen) is None]
            yield Text()
            yield Flow(pen.legend([token for tokens in shown for token in tokens]))


def print_traces(
    spans: Iterable[ReadableSpan | SpanData],
    console: Console | None = None,
    *,
    full: bool = False,
    theme: Theme | None = None,
    legend: bool = True,
) -> None:
    """Print the traces that spans belong to.

    Args:
        spans: Finished spans of the OpenTelemetry SDK (`InMemorySpanExporter.get_finished_spans()`), or spans that were
            read back from a file.
        console: Where to print; by default standard output.
        full: Draw all of a long answer, and of what was asked; else the passages that are unsure.
        theme: Colours for a dark or a light screen; None asks the terminal.
        legend: Explain the colours and signs below the last trace.
    """
    read = [span if isinstance(span, SpanData) else span_data(span) for span in spans]
    draw_traces(read_traces(read), console or Console(), full=full, theme=theme, legend=legend)


def draw_traces(
    traces: Sequence[Trace], console: Console, *, full: bool = False, theme: Theme | None = None, legend: bool = True
) -> None:
    """Print traces; see `print_traces`."""
    for position, trace in enumerate(traces):
        if position:
            console.print()
        console.print(TraceView(trace, full=full, theme=theme, legend=False))
    if legend:
        console.print(Legend(traces, theme=theme))


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.995 else f"{seconds * 1e3:.0f} ms" if seconds >= 0.001 else "<1 ms"


def _said(span: SpanData) -> str | None:
    """Return what an error says; None where there is none."""
    if span.error is None:
        return None
    kind = string(span.attributes, names.ERROR_TYPE)
    words = (kind and not span.error.startswith(kind) and kind + ":", span.error)
    return " ".join(printable(word) for word in words if word) or "failed"
