"""One trace as a tree in the terminal: spans, answers shaded by probability, and what the model nearly said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.view.answer import Answer, string
from langchain_logprobs.view.model import Node, SpanData, Trace, read_traces, span_data
from langchain_logprobs.view.terminal.answer import draw_answer
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.pen import Pen, Theme
from langchain_logprobs.view.terminal.structured import draw_json

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MAX_TOKENS = 400
"""Tokens of one answer that are drawn; the list of its least certain tokens always covers all of them."""

_TEXT_WIDTH = 100  # longer lines are hard to read


class TraceView:
    """A trace that rich can print: `console.print(TraceView(trace))`."""

    def __init__(
        self, trace: Trace, *, max_tokens: int = MAX_TOKENS, theme: Theme | None = None, legend: bool = True
    ) -> None:
        """Prepare a picture.

        Args:
            trace: The trace, from `read_traces`.
            max_tokens: How many tokens of an answer to draw; 0 for all.
            theme: Colours for a dark or a light screen; None asks the terminal.
            legend: Explain the colours and signs below the trace.
        """
        self._trace = trace
        self._legend = legend
        self._max_tokens = max_tokens
        self._theme = theme

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the trace for what this console can show."""
        pen = Pen.for_console(console, self._theme)
        for root in self._trace.roots:
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
            pen.level(head, node.level, node.confidence)
            if node.calls is not None and node.calls > 1:
                head.append(f"  over {node.calls} model calls", "not bold dim")
        if note:
            head.append(f"  {note}", "not bold dim")
        parts: list[RenderableType] = [head]
        if node.span.error is not None:
            parts.append(_error(node.span))
        if node.answer is not None:
            parts += [
                Padding(Constrain(part, _TEXT_WIDTH), (0, 0, 0, 2))
                for part in draw_answer(node.answer, pen, self._max_tokens)
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
        self._answers = [answer for trace in traces for answer in _answers(trace) if answer.has_logprobs]

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
    max_tokens: int = MAX_TOKENS,
    theme: Theme | None = None,
    legend: bool = True,
) -> None:
    """Print the traces that spans belong to.

    Args:
        spans: Finished spans of the OpenTelemetry SDK (`InMemorySpanExporter.get_finished_spans()`), or spans that were
            read back from a file.
        console: Where to print; by default standard output.
        max_tokens: How many tokens of an answer to draw; 0 for all.
        theme: Colours for a dark or a light screen; None asks the terminal.
        legend: Explain the colours and signs below the last trace.
    """
    console = console or Console()
    read = [span if isinstance(span, SpanData) else span_data(span) for span in spans]
    traces = read_traces(read)
    for position, trace in enumerate(traces):
        if position:
            console.print()
        console.print(TraceView(trace, max_tokens=max_tokens, theme=theme, legend=False))
    if legend:
        console.print(Legend(traces, theme=theme))


def _answers(trace: Trace) -> Iterator[Answer]:
    waiting = list(trace.roots)
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        if node.answer is not None:
            yield node.answer


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.995 else f"{seconds * 1e3:.0f} ms" if seconds >= 0.001 else "<1 ms"


def _error(span: SpanData) -> Text:
    kind = string(span.attributes, "error.type")
    said = " ".join(printable(part) for part in (kind and kind + ":", span.error) if part)
    return Text(f"✗ {said or 'failed'}", style="red", overflow="fold")
