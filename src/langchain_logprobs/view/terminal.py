"""One trace as a tree in the terminal: spans, answers shaded by probability, and what the model nearly said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, Field, Token, number, string
from langchain_logprobs.view.json_lines import json_lines
from langchain_logprobs.view.model import Node, SpanData, Trace, read_traces, span_data
from langchain_logprobs.view.pen import Pen, Theme, decimal
from langchain_logprobs.view.shading import BANDS, LIST_BELOW, band_of, printable, token_text

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MAX_TOKENS = 400
"""Tokens of one answer that are drawn; the list of its least certain tokens always covers all of them."""

LISTED = 5
"""Tokens in that list."""

_LISTED_ALTERNATIVES = 3
_TEXT_WIDTH = 100  # longer lines are hard to read
_JSON_LINES = 200
_TABLE_WIDTH = 64  # with less room than this, columns side by side are too narrow to read
_CONTEXT = (22, 14)  # characters around a listed token
_WORTH_NAMING = 0.01  # an alternative less probable than this was not nearly said


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
            parts += [Padding(Constrain(part, _TEXT_WIDTH), (0, 0, 0, 2)) for part in self._answer(node.answer, pen)]
        return Group(*parts)

    def _answer(self, answer: Answer, pen: Pen) -> Iterator[RenderableType]:
        if not answer.has_logprobs:
            yield _no_logprobs(answer)
            return
        yield Text()
        document = _json(answer, pen)
        if document is not None:
            yield document
        elif answer.tokens:
            yield self._text(answer, pen)
        yield Text()
        if document is None and answer.fields:
            yield _field_list(answer, pen)
            yield Text()
        yield _Flow(Text.assemble((name, "dim"), " ", value) for name, value in _facts(answer))
        # In JSON it is the values that count, and they name their weakest tokens themselves. Brackets and keys that a
        # grammar enforced often look unlikely, because most servers send the probabilities from before the grammar.
        listed = [] if document is not None else answer.least_certain(LISTED, LIST_BELOW)
        if listed:
            yield Text()
            yield _LeastCertain(answer, listed, pen)
        elif document is None and answer.tokens:
            yield Text(f"no token under {decimal(LIST_BELOW)}", style="dim")
        yield Text()

    def _text(self, answer: Answer, pen: Pen) -> Text:
        drawn = answer.tokens[: self._max_tokens or None]
        text = pen.answer(drawn)
        text.rstrip()
        hidden = answer.tokens[len(drawn) :]
        if hidden:
            weakest = min(0.0 if token.probability is None else token.probability for token in hidden)
            text.append(f" … {len(hidden):,} more tokens, the least certain at {decimal(weakest)}", "dim")
        if answer.omitted:
            text.append(f" … {answer.omitted:,} tokens were not recorded: the span's size was limited", "dim")
        return text


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
            shown = [answer.tokens for answer in self._answers if _json(answer, pen) is None]
            yield Text()
            yield _Flow(pen.legend([token for tokens in shown for token in tokens]))


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


def _no_logprobs(answer: Answer) -> Text:
    explained = {
        "not_requested": "no logprobs: they were not asked for, e.g. with ChatOpenAI(logprobs=True, top_logprobs=5)",
        "missing": "no logprobs: they were asked for, but none came",
    }
    line = Text(explained.get(answer.status, f"no logprobs ({printable(answer.status)})"), style="dim italic")
    if answer.reason:
        line.append(f" ({printable(answer.reason)})")
    return line


class _Flow:
    """Short texts side by side, as many on a line as fit: a number is never parted from its name."""

    def __init__(self, texts: Iterable[Text], between: str = "   ") -> None:
        self._texts = list(texts)
        self._between = Text(between, "dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(overflow="fold")
        for text in self._texts:
            if line and line.cell_len + self._between.cell_len + text.cell_len > options.max_width:
                yield line
                line = Text(overflow="fold")
            if line:
                line.append(self._between)
            line.append(text)
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        whole = self._between.join(self._texts)
        widest = max((text.cell_len for text in self._texts), default=0)
        return Measurement(widest, whole.cell_len).with_maximum(options.max_width)


def _facts(answer: Answer) -> Iterator[tuple[str, str]]:
    found = answer.attributes
    for label, name, form in (
        ("confidence", names.CONFIDENCE, ".3f"),
        ("mean", names.MEAN, ".3f"),
        ("perplexity", names.PERPLEXITY, ".2f"),
    ):
        value = number(found, name)
        if value is not None:
            yield label, f"{value:{form}}" + (" nats" if name == names.MEAN else "")
    weakest = number(found, names.MIN_PROBABILITY)
    if weakest is not None:
        text = string(found, names.MIN_TOKEN)
        yield "weakest", (f"“{token_text(text, show_space=False)}” " if text is not None else "") + decimal(weakest)
    entropy, top_k = number(found, names.ENTROPY_MEAN), number(found, names.ENTROPY_TOP_K)
    if entropy is not None:
        mass = number(found, names.COVERED_MASS)
        over = [f"top {top_k:.0f}"] if top_k is not None else []
        over += [f"which cover {decimal(min(1.0, mass))}"] if mass is not None else []
        yield "entropy", f"{entropy:.2f} nats" + (f" ({', '.join(over)})" if over else "")
    count, censored = number(found, names.TOKEN_COUNT), number(found, names.CENSORED_COUNT)
    if count is not None:
        yield "tokens", f"{count:,.0f}" + (f" and {censored:,.0f} without a probability" if censored else "")


class _LeastCertain:
    """Tokens in their context, and what the model nearly said: side by side, or below each other on a narrow screen."""

    def __init__(self, answer: Answer, listed: list[Token], pen: Pen) -> None:
        self._answer = answer
        self._listed = listed
        self._pen = pen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _TABLE_WIDTH
        named = any(token.alternatives for token in self._listed)
        table = Table(box=None, padding=(0, 3 if wide else 1, 0, 0), header_style="dim")
        table.add_column(justify="right", no_wrap=True)
        table.add_column("least certain", overflow="fold")
        table.add_column("the model nearly said" if named and wide else "", overflow="fold")
        place = {id(token): position for position, token in enumerate(self._answer.tokens)}
        for token in self._listed:
            probability = Text()
            self._pen.shade(probability, decimal(token.probability) or "unknown", token.probability)
            said = _in_context(self._answer, place[id(token)], self._pen)
            nearly = _nearly_said(token, before="" if wide else "nearly ") or ""
            if wide:
                table.add_row(probability, said, nearly)
            else:
                table.add_row(probability, said)
                if nearly:
                    table.add_row("", nearly)
        yield table


def _in_context(answer: Answer, position: int, pen: Pen) -> Text:
    token = answer.tokens[position]
    line = Text()
    if token.text is None:
        line.append(f"token {token.index}")
        return line
    before, after = _CONTEXT
    earlier = "".join(item.text or "" for item in answer.tokens[max(0, position - before) : position])
    later = "".join(item.text or "" for item in answer.tokens[position + 1 : position + 1 + after])
    line.append(_clip(earlier, -before), "dim")
    pen.token(line, Token(token.index, token.text.rstrip("\n") or token.text, token.probability, token.alternatives))
    line.append(_clip(later, after), "dim")
    return line


def _clip(text: str, length: int) -> str:
    """Return the end (length below zero) or the start of a text, on one line, cut between words."""
    line = printable(text)
    if len(line) <= abs(length):
        return line
    if length < 0:
        kept = line[length:]
        return "…" + (kept[kept.index(" ") + 1 :] if " " in kept[:-1] else kept)
    kept = line[:length]
    return (kept[: kept.rindex(" ")] if " " in kept[1:] else kept) + "…"


def _nearly_said(token: Token, before: str = "") -> _Flow | None:
    """Return the alternatives of a token, None where they are not known."""
    if not token.alternatives:
        return None
    others = [item for item in token.alternatives if item[1] >= _WORTH_NAMING][:_LISTED_ALTERNATIVES]
    if not others:
        return _Flow([Text("nothing else was near", "dim")])
    # A space in front is shown only where it is what tells two of them apart.
    show_space = len({text[:1] == " " for text, _ in (*others, (token.text or "", 0.0))}) > 1
    texts = []
    for position, (text, probability) in enumerate(others):
        first = Text.assemble((before, "dim")) if position == 0 else Text()
        strength = "bold" if position == 0 and token.off_top1 else "dim"
        texts.append(first.append(token_text(text, show_space=show_space)).append(f" {decimal(probability)}", strength))
    return _Flow(texts, between=" · ")


def _json(answer: Answer, pen: Pen) -> RenderableType | None:
    """Draw a structured answer as JSON, each value with its confidence; None where its values are not in its text."""
    document = answer.json_value() if answer.fields else None
    lines = json_lines(document[0], {field.path: field for field in answer.fields}) if document is not None else []
    if not any(line.field for line in lines):
        return None
    table = _field_table()
    for line in lines[:_JSON_LINES]:
        text = Text(printable(line.before))
        if line.field is None:
            text.append(printable(line.value))
        else:
            pen.shade(text, printable(line.value), line.field.confidence)
        text.append(line.after)
        table.add_row(text, *(_field_columns(line.field, pen) if line.field else ("", "")))
    if len(lines) > _JSON_LINES:
        table.add_row(Text(f"… {len(lines) - _JSON_LINES:,} more lines", "dim"))
    if answer.field_count > len(answer.fields):
        table.add_row(Text(f"confidence of the {len(answer.fields)} least certain values", "dim"))
    return table


def _field_list(answer: Answer, pen: Pen) -> RenderableType:
    """Draw the values by their paths: of a tool call, and where the text was not recorded."""
    table = _field_table()
    for field in answer.fields:
        table.add_row(Text(printable(field.path) or "/"), *_field_columns(field, pen))
    return table


def _field_table() -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _field_columns(field: Field, pen: Pen) -> tuple[Text, RenderableType]:
    confidence = Text()
    pen.shade(confidence, decimal(field.confidence), field.confidence)
    if field.runner_up is not None and field.runner_up[1] >= _WORTH_NAMING:
        value, probability = field.runner_up
        return confidence, Text.assemble(("nearly ", "dim"), printable(value), (f" {decimal(probability)}", "dim"))
    token = field.weakest
    if token is None or band_of(token.probability) is BANDS[0]:
        return confidence, ""
    said = f"“{token_text(token.text, show_space=False)}” nearly "
    return confidence, _nearly_said(token, before=said) or ""
