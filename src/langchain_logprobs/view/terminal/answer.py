"""What one model call said, drawn with rich: shaded text or JSON, the numbers, and what the model nearly said."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, Token, number, string
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.nearly import nearly_said
from langchain_logprobs.view.terminal.pen import Pen, decimal
from langchain_logprobs.view.terminal.shading import LIST_BELOW, NARROW, token_text
from langchain_logprobs.view.terminal.structured import draw_fields, draw_json

LISTED = 5
"""Tokens of an answer that are listed as its least certain ones."""

_CONTEXT = (22, 14)  # characters around a listed token


def draw_answer(answer: Answer, pen: Pen, max_tokens: int) -> Iterator[RenderableType]:
    """Draw what a model call said.

    Args:
        answer: What it said.
        pen: For the console that it is drawn on.
        max_tokens: How many of its tokens to draw; 0 for all.

    Yields:
        The parts of the picture, from top to bottom.
    """
    if not answer.has_logprobs:
        yield _no_logprobs(answer)
        return
    if answer.status == "partial":
        yield _status(answer, "only a part of the logprobs was recorded")
    yield Text()
    document = draw_json(answer, pen)
    if document is not None:
        yield document
    elif answer.tokens:
        yield _text(answer, pen, max_tokens)
    yield Text()
    if document is None and answer.fields:
        yield draw_fields(answer.fields, pen)
        yield Text()
    yield Flow(Text.assemble((name, "dim"), " ", value) for name, value in _facts(answer))
    # In JSON it is the values that count, and they name their weakest tokens themselves. Brackets and keys that a
    # grammar enforced often look unlikely, because most servers send the probabilities from before the grammar.
    listed = [] if document is not None else answer.least_certain(LISTED, LIST_BELOW)
    if listed:
        yield Text()
        yield _LeastCertain(answer, listed, pen)
    elif document is None and answer.tokens:
        yield Text(f"no token under {decimal(LIST_BELOW)}", style="dim")
    yield Text()


def _text(answer: Answer, pen: Pen, max_tokens: int) -> Text:
    drawn = answer.tokens[: max_tokens or None]
    text = pen.answer(drawn)
    text.rstrip()
    hidden = answer.tokens[len(drawn) :]
    if hidden:
        weakest = min(0.0 if token.probability is None else token.probability for token in hidden)
        text.append(f" … {len(hidden):,} more tokens, the least certain at {decimal(weakest)}", "dim")
    if answer.omitted:
        text.append(f" … {answer.omitted:,} tokens were not recorded: the span's size was limited", "dim")
    return text


def _no_logprobs(answer: Answer) -> Text:
    explained = {
        "not_requested": "no logprobs: they were not asked for, e.g. with ChatOpenAI(logprobs=True, top_logprobs=5)",
        "missing": "no logprobs: they were asked for, but none came",
    }
    return _status(answer, explained.get(answer.status, f"no logprobs ({printable(answer.status)})"))


def _status(answer: Answer, said: str) -> Text:
    return Text(said + (f" ({printable(answer.reason)})" if answer.reason else ""), style="dim italic")


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
    reasoning = number(found, names.REASONING_MEAN)
    if reasoning is not None:
        yield "reasoning", f"mean {reasoning:.3f} nats, not in these numbers"
    if answer.choices:  # the first one is drawn
        yield (
            "choices",
            " · ".join(decimal(score) or "unknown" for score in answer.choices),
        )


class _LeastCertain:
    """Tokens in their context, and what the model nearly said: side by side, or below each other on a narrow screen."""

    def __init__(self, answer: Answer, listed: list[Token], pen: Pen) -> None:
        self._answer = answer
        self._listed = listed
        self._pen = pen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= NARROW
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
            nearly = nearly_said(token, before="" if wide else "nearly ") or ""
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
