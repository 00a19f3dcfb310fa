"""How a report looks in a notebook and in rich's console: the answer shaded where it is unsure, and its fields.

It draws what the report says and works out nothing of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from langchain_logprobs.confidence.printable import decimal, printable
from langchain_logprobs.confidence.report import ConfidenceReport, Leaf, certainty
from langchain_logprobs.formats.columns import usable_logprob

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_TEXT = 20_000
"""Code points of the answer that are drawn."""

MAX_FIELDS = 50
"""Fields that are listed: the least certain ones."""

_MAX_VALUE = 80
_MAX_OTHERS = 5

_TABLE = ' style="color:inherit;border-spacing:1em 0"'
_LEFT = ' style="text-align:left"'


class Shade(NamedTuple):
    """How a token looks below a probability.

    Attributes:
        below: The probability.
        background: On a page.
        colour: Its text.
        console: The style in rich's console, whose background is not known.
        underline: A sign beside colour.
    """

    below: float
    background: str
    colour: str
    console: str
    underline: bool = False


SHADES = (
    Shade(0.2, "#993404", "#ffffff", "bold underline white on red", True),
    Shade(0.5, "#ec7014", "#000000", "underline black on yellow", True),
    Shade(0.7, "#fec44f", "#000000", "black on yellow"),
    Shade(0.9, "#fee8a8", "#000000", ""),
)
"""The steps of the terminal's and the page's pictures; from .9 up a token looks like any text."""

UNKNOWN = Shade(1.0, "#6b6b6b", "#ffffff", "underline black on white", True)
"""For a token without an honest logprob."""


class _Piece(NamedTuple):
    """A part of the answer's text.

    Attributes:
        text: It.
        token: The index of the token that spells it, of several that share a character the least certain; None
            where no token does.
    """

    text: str
    token: int | None


def html_of(report: ConfidenceReport) -> str:
    """Return a report as HTML for a notebook: no script, every text escaped.

    Example:
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs import confidence_of
        >>> entries = [{"token": "<b>", "logprob": -2.3, "top_logprobs": []}]
        >>> report = confidence_of(AIMessage("<b>", response_metadata={"logprobs": {"content": entries}}))
        >>> "&lt;b&gt;</span>" in html_of(report)
        True
    """
    head = " · ".join(escape(word) for word in _head(report))
    body = "".join(_html_piece(report, piece) for piece in _pieces(report))
    parts = [f"<div><b>{escape(report.level or report.status)}</b> {head}</div>"]
    if body:
        parts.append(f'<div dir="auto" style="white-space:pre-wrap;margin:.5em 0;line-height:1.6">{body}</div>')
    rows = list(_rows(report))
    if rows:
        heads = "".join(f"<th{_LEFT}>{each}</th>" for each in ("field", "value", "confidence", "nearly"))
        cells = "".join(
            f"<tr><td{_LEFT}>{escape(row.path)}</td><td{_LEFT}>{escape(row.value)}</td>"
            f"<td{_LEFT}><span{_style(_shade(row.probability))}>{escape(row.confidence)}</span></td>"
            f"<td{_LEFT}>{escape(row.nearly)}</td></tr>"
            for row in rows
        )
        parts.append(f"<table{_TABLE}><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>")
    parts += [f"<div><small>{escape(each)}</small></div>" for each in _notes(report, len(rows))]
    return f'<div style="font-family:system-ui,sans-serif;max-width:70em">{"".join(parts)}</div>'


def rich_of(report: ConfidenceReport) -> RenderableType:
    """Return a report as rich draws it; rich is imported here and nowhere else."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    drawn: list[RenderableType] = [
        Text.assemble((report.level or report.status, "bold"), " ", " · ".join(_head(report)))
    ]
    body = Text()
    for text, token in _pieces(report):
        shade = None if token is None else _shade(_probability(report, token))
        before, core, after = _bare_space(printable(text, keep_lines=True))
        body.append(before).append(core, None if shade is None else shade.console).append(after)
    if body:
        drawn.append(body)
    rows = list(_rows(report))
    if rows:
        table = Table("field", "value", "confidence", "nearly", box=None, header_style="dim", padding=(0, 2, 0, 0))
        for row in rows:
            shade = _shade(row.probability)
            confidence = Text().append(row.confidence, None if shade is None else shade.console)
            table.add_row(Text(row.path), Text(row.value), confidence, Text(row.nearly))
        drawn.append(table)
    drawn += [Text(each, "dim") for each in _notes(report, len(rows))]
    return Group(*drawn)


def _head(report: ConfidenceReport) -> Iterator[str]:
    """Yield what the first line says behind the level."""
    if report.basis == "fields" and report.least_field is not None:
        least = report.least_field
        yield f"least certain {printable(least.path) or 'value'} {_confidence(least)}"
    if report.score is not None:
        yield f"score {decimal(report.score)}"
    if report.weakest is not None:
        at_most = "at most " if report.weakest.censored and report.weakest.probability is not None else ""
        yield f"weakest “{_short(report.weakest.token)}” {at_most}{decimal(report.weakest.probability)}"
    if report.has_tokens:
        yield _tokens(report.measures.token_count)
    if report.cached:
        yield "from the cache"


def _notes(report: ConfidenceReport, rows: int) -> Iterator[str]:
    """Yield what is said below: all that keeps the picture from being the whole truth."""
    if report.status != "recorded" and report.level is not None:
        yield f"{report.status}: {report.reason or 'some logprobs are missing'}"
    elif report.reason is not None:
        yield report.reason
    leaves = sum(1 for _ in report.leaves())
    if leaves > rows:
        yield f"the {rows} least certain of {leaves:,} fields"
    if len(report.text) > MAX_TEXT:
        yield f"the first {MAX_TEXT:,} of {len(report.text):,} characters"
    if report.reasoning is not None:
        reasoning = report.reasoning
        yield f"reasoning {decimal(reasoning.confidence)} over {_tokens(reasoning.token_count)}, not shown"
    if len(report.choices) > 1:
        yield f"the first of {len(report.choices)} answers; the numbers are over all of them"


def _pieces(report: ConfidenceReport) -> Iterator[_Piece]:
    """Yield the text of the answer and the tokens of its tool calls, in order."""
    parts, texts = report.choices[0].parts, report.tokens.texts
    alignment = parts.alignment
    if alignment.failed:
        yield from _cut([_Piece(texts[index], index) for index in parts.answer])
        return
    at = parts.answer_start
    placed = []
    for index in parts.answer:
        start, end = max(at, alignment.starts[index]), alignment.ends[index]
        if start > at:
            placed.append(_Piece(report.text[at:start], None))
        if end > start:
            placed.append(_Piece(report.text[start:end], index))
            at = end
        elif placed and (before := placed[-1].token) is not None:
            index = min(before, index, key=lambda token: _probability(report, token) or 0.0)
            placed[-1] = placed[-1]._replace(token=index)
    placed.append(_Piece(report.text[at:], None))
    if parts.tool_call:
        placed += [_Piece("\n" if report.text[parts.answer_start :].strip() else "", None)]
        placed += [_Piece(texts[index], index) for index in parts.tool_call]
    yield from _cut(placed)


def _cut(pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    room = MAX_TEXT
    for text, token in pieces:
        if room > 0 and text:
            yield _Piece(text[:room], token)
        room -= len(text)


def _html_piece(report: ConfidenceReport, piece: _Piece) -> str:
    text = escape(printable(piece.text, keep_lines=True))
    shade = None if piece.token is None else _shade(_probability(report, piece.token))
    if shade is None or piece.token is None:
        return text
    before, core, after = _bare_space(text)
    return f'{before}<span{_style(shade)} title="{escape(_about(report, piece.token))}">{core}</span>{after}'


def _bare_space(text: str) -> tuple[str, str, str]:
    """Return the space before a token, the token, and the space behind: shaded words then stand apart."""
    core = text.strip(" \n")
    if not core:
        return "", text, ""
    start = text.index(core)
    return text[:start], core, text[start + len(core) :]


def _style(shade: Shade | None) -> str:
    if shade is None:
        return ""
    underline = ";text-decoration:underline" if shade.underline else ""
    return f' style="background:{shade.background};color:{shade.colour}{underline}"'


def _shade(probability: float | None) -> Shade | None:
    """Return how a token with a probability looks; None where it looks like any text."""
    if probability is None:
        return UNKNOWN
    return next((shade for shade in SHADES if probability < shade.below), None)


def _probability(report: ConfidenceReport, token: int) -> float | None:
    logprob = report.tokens.logprobs[token]
    return math.exp(logprob) if logprob == logprob else None  # NaN: censored


def _about(report: ConfidenceReport, token: int) -> str:
    """Return what a token's tooltip says: its probability, and what else it could have been."""
    own = report.tokens.texts[token]
    known = [(other.token, usable_logprob(other.logprob)) for other in report.tokens.alternatives_at(token)]
    others = sorted([(-logprob, text) for text, logprob in known if logprob is not None and text != own])
    said = [f"{_short(text)} {decimal(math.exp(-cost))}" for cost, text in others[:_MAX_OTHERS]]
    nearly = f", nearly {', '.join(said)}" if said else ""
    return f"“{_short(own)}” {decimal(_probability(report, token))}{nearly}"


class _Row(NamedTuple):
    path: str
    value: str
    probability: float | None
    confidence: str
    nearly: str


def _rows(report: ConfidenceReport) -> Iterator[_Row]:
    """Yield the fields, the least certain ones where there are too many, in the order of the text."""
    leaves = [leaf for leaf in report.leaves() if leaf.field.token_count]
    order = sorted(range(len(leaves)), key=lambda index: certainty(leaves[index]))[:MAX_FIELDS]
    for index in sorted(order):
        leaf = leaves[index]
        runner_up = leaf.field.runner_up
        nearly = "" if runner_up is None else f"{_short(str(runner_up))} {decimal(runner_up.probability)}"
        value = _short(json.dumps(leaf.field.value, ensure_ascii=False))
        yield _Row(_short(leaf.path) or "/", value, leaf.field.confidence, _confidence(leaf), nearly)


def _confidence(leaf: Leaf) -> str:
    bound = leaf.field.confidence_bound
    if leaf.field.confidence is None and bound is not None:
        return f"at most {decimal(bound)}"
    return decimal(leaf.field.confidence)


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count:,} tokens"


def _short(text: str) -> str:
    shown = printable(text.strip(" ") or text.replace(" ", "␣"))
    return shown if len(shown) <= _MAX_VALUE else f"{shown[:_MAX_VALUE]}…"
