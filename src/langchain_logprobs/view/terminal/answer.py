"""What one model call was asked and said: shaded text or JSON, the numbers, and what the model nearly said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.answer import Answer, Token, number, string
from langchain_logprobs.view.messages import Message, read_messages
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.least_certain import LeastCertain
from langchain_logprobs.view.terminal.passage import Strip, doubtful, draw_reasoning, draw_text, is_long
from langchain_logprobs.view.terminal.pen import Pen, decimal
from langchain_logprobs.view.terminal.shading import LIST_BELOW, token_text
from langchain_logprobs.view.terminal.structured import draw_fields, draw_json
from langchain_logprobs.view.values import places

LISTED = 5
"""Tokens of an answer that are listed as its least certain ones."""

_LISTED_OF_LONG = 20  # of a long one all whose surroundings are drawn, up to so many
_CLIPPED = 240  # characters of a question, or of another choice, that are drawn


def draw_answer(answer: Answer, pen: Pen, *, full: bool, failed: bool = False) -> Iterator[RenderableType]:
    """Draw what a model call said.

    Args:
        answer: What it said.
        pen: For the console that it is drawn on.
        full: Draw all of it; else of a long answer the passages that are unsure.
        failed: Whether the call ended with an error, which is drawn above.

    Yields:
        The parts of the picture, from top to bottom.
    """
    yield from _question(read_messages(answer.attributes.get(names.INPUT_MESSAGES)), full=full)
    if not answer.has_logprobs:
        yield from _without_logprobs(answer, failed=failed, full=full)
        return
    if answer.status == "partial":
        yield _status(answer, "only a part of the logprobs was recorded", reason=not failed)
    yield Text()
    document = draw_json(answer, pen, full=full)
    yield from _said(answer, document, pen, full=full)
    yield Text()
    if document is None and answer.fields:
        yield draw_fields(answer.fields, pen)
        yield Text()
    yield Flow(Text.assemble((name, "dim"), " ", value) for name, value in _facts(answer))
    if answer.choices:
        yield Text()
        yield _choices(answer, pen, full=full)
    listed = _listed(answer, structured=document is not None, full=full)
    if listed:
        yield Text()
        heading = "least certain" if document is None else "outside the values"
        yield LeastCertain(answer, listed, pen, heading=heading, numbered=is_long(answer))
    elif document is None and answer.tokens:
        yield Text(f"no token under {decimal(LIST_BELOW)}", style="dim")
    yield Text()


def _said(answer: Answer, document: RenderableType | None, pen: Pen, *, full: bool) -> Iterator[RenderableType]:
    reasoning = draw_reasoning(answer, pen, full=full)
    if reasoning is not None:
        yield reasoning
        yield Text()
    if is_long(answer) and document is None and not full:
        yield Strip(answer, pen)
        yield Text()
    if document is not None:
        yield document
    elif answer.tokens:
        yield draw_text(answer, pen, full=full)
    elif (line := string(answer.attributes, names.ANSWER)) is not None:  # the tokens were left out on the way
        yield Text(printable(line, keep_lines=True))


def _listed(answer: Answer, *, structured: bool, full: bool) -> list[Token]:
    """Return the tokens that are listed: where the values tell most, those of stretches that are in no value."""
    unsure = answer.least_certain(len(answer.tokens), LIST_BELOW)
    if structured:
        inside = {index for start, end in answer.stretches for index in range(start, end)}
        told = {at for place in places(answer) if place for at in range(place.start, place.start + place.size)}
        values = {answer.tokens[at].index for at in told}
        unsure = [token for token in unsure if token.index in inside and token.index not in values]
    if full:
        return unsure
    return unsure[: max(LISTED, min(sum(doubtful(answer)), _LISTED_OF_LONG)) if is_long(answer) else LISTED]


def _question(messages: Sequence[Message], *, full: bool) -> Iterator[RenderableType]:
    """Yield the last message of the request, or all of them."""
    if len(messages) > 1 and not full:
        yield Text(f"… {len(messages) - 1} earlier messages" if len(messages) > 2 else "… 1 earlier message", "dim")
    for message in messages if full else messages[-1:]:
        yield Text.assemble((f"{printable(message.role)}: ", "dim"), (_clipped(message.text, full), "italic"))


def _clipped(text: str, full: bool) -> str:
    text = text.strip()
    if not full and len(text) > _CLIPPED:
        text = text[: _CLIPPED - 1].rstrip() + "…"
    return printable(text, keep_lines=full)


def _without_logprobs(answer: Answer, *, failed: bool, full: bool) -> Iterator[RenderableType]:
    for message in read_messages(answer.attributes.get(names.OUTPUT_MESSAGES)):
        if message.text:
            yield Text.assemble((f"{printable(message.role)}: ", "dim"), _clipped(message.text, full))
    if failed:
        return
    explained = {
        "not_requested": "no logprobs: they were not asked for, e.g. with ChatOpenAI(logprobs=True, top_logprobs=5)",
        "missing": "no logprobs: they were asked for, but none came",
    }
    yield _status(answer, explained.get(answer.status, f"no logprobs ({printable(answer.status)})"))


def _status(answer: Answer, said: str, *, reason: bool = True) -> Text:
    because = f" ({printable(answer.reason)})" if reason and answer.reason else ""
    return Text(said + because, style="dim italic")


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
    weakest, censored = number(found, names.MIN_PROBABILITY), found.get(names.MIN_CENSORED) is True
    if weakest is not None or censored:
        text = string(found, names.MIN_TOKEN)
        most = "unknown" if weakest is None else f"≤{decimal(weakest)}" if censored else decimal(weakest)
        yield "weakest", (f"“{token_text(text, show_space=False)}” " if text is not None else "") + most
    entropy, top_k = number(found, names.ENTROPY_MEAN), number(found, names.ENTROPY_TOP_K)
    if entropy is not None:
        mass = number(found, names.COVERED_MASS)
        over = [f"top {top_k:.0f}"] if top_k is not None else []
        over += [f"which cover {decimal(min(1.0, mass))}"] if mass is not None else []
        yield "entropy", f"{entropy:.2f} nats" + (f" ({', '.join(over)})" if over else "")
    count, unscored = number(found, names.TOKEN_COUNT), number(found, names.CENSORED_COUNT)
    if count is not None:
        yield "tokens", f"{count:,.0f}" + (f" and {unscored:,.0f} without a probability" if unscored else "")
    reasoning = number(found, names.REASONING_MEAN)
    if reasoning is not None:
        yield "reasoning", f"mean {reasoning:.3f} nats, not in these numbers"
    reasons = found.get(names.FINISH_REASONS)
    if isinstance(reasons, list | tuple) and reasons:
        yield "finish reason", ", ".join(dict.fromkeys(printable(str(reason)) for reason in reasons))
    if found.get(names.CACHED) is True:
        yield "answer", "from the cache"


def _choices(answer: Answer, pen: Pen, *, full: bool) -> Table:
    """Draw each of several answers with its confidence; the first is drawn above."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("choice", justify="right", style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("weakest", overflow="fold")
    table.add_column("", overflow="fold")
    for place, choice in enumerate(answer.choices):
        confidence, weakest = Text(), Text()
        pen.shade(confidence, decimal(choice.confidence) or "unknown", choice.confidence)
        if choice.min_probability is not None:
            if choice.min_token is not None:
                weakest.append(f"“{token_text(choice.min_token, show_space=False)}” ")
            pen.shade(weakest, decimal(choice.min_probability), choice.min_probability)
        said = Text("the answer above", "dim") if place == 0 else Text(_clipped(choice.text or "", full))
        table.add_row(str(place), confidence, weakest, said)
    return table
