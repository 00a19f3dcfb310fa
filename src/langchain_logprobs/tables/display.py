"""How tables and comparisons look in a notebook and in rich's console."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from langchain_logprobs.confidence.printable import decimal, printable
from langchain_logprobs.tables.comparison import Comparison, Difference

if TYPE_CHECKING:
    from rich.console import RenderableType

    from langchain_logprobs.tables.make import Table

MAX_ROWS = 20
"""Rows of a table that are drawn: those at its beginning."""

_MAX_CELL = 60
_SHOWN = {
    "calls": ("start", "step", "model", "status", "level", "certainty", "score", "least_field", "answer"),
    "fields": ("start", "model", "path", "value", "confidence", "nearly", "nearly_probability", "agreement"),
    "stretches": ("start", "model", "text", "min_probability", "nearly", "nearly_probability"),
}
_LEVELS = ("high", "medium", "low", "unknown")
_STYLE = ' style="text-align:left"'


def table_html(table: Table) -> str:
    """Return a table's beginning as HTML for a notebook; every text is escaped."""
    return _html([], _SHOWN[table.of], _table_cells(table), [_size(table)])


def table_rich(table: Table) -> RenderableType:
    """Return a table's beginning as rich draws it."""
    return _rich([], _SHOWN[table.of], _table_cells(table), [_size(table)])


def comparison_html(comparison: Comparison) -> str:
    """Return a comparison as HTML for a notebook; every text is escaped."""
    return _html(list(_head(comparison)), _heads(comparison), _cells(comparison), list(_notes(comparison)))


def comparison_rich(comparison: Comparison) -> RenderableType:
    """Return a comparison as rich draws it."""
    return _rich(list(_head(comparison)), _heads(comparison), _cells(comparison), list(_notes(comparison)))


def _table_cells(table: Table) -> list[list[str]]:
    return [[_shown(row[name]) for name in _SHOWN[table.of]] for row in table.rows[:MAX_ROWS]]


def _size(table: Table) -> str:
    shown = min(MAX_ROWS, len(table.rows))
    first = "" if shown == len(table.rows) else f"the first {shown} of "
    return f"{first}{len(table.rows):,} {table.of}, {len(_SHOWN[table.of])} of {len(table.columns)} columns"


def _head(comparison: Comparison) -> Iterator[str]:
    for side, name, calls, levels in (
        ("A", comparison.a, comparison.calls_a, comparison.levels_a),
        ("B", comparison.b, comparison.calls_b, comparison.levels_b),
    ):
        told = ", ".join(f"{levels[level]:,} {level}" for level in _LEVELS if level in levels)
        named = side if name == side else f"{side} {name}"
        yield f"{named}: {_count(calls, 'model call')}, level {told}"
    if comparison.paired_by is None:
        yield "not paired: compared as two crowds"
    else:
        yield f"{_count(comparison.pairs, 'input')} on both sides, paired by {comparison.paired_by}"


def _heads(comparison: Comparison) -> Sequence[str]:
    unknown = ("unknown",) if _some_unknown(comparison) else ()
    interval = f"B - A ({comparison.confidence:.4g} interval)"
    last = ("same",) if comparison.paired_by is not None else ("KS", "p")
    return ("confidence of", "n", *unknown, "A", "B", interval, "", *last)


def _some_unknown(comparison: Comparison) -> bool:
    return any(each.unknown_a or each.unknown_b for each in comparison.differences)


def _cells(comparison: Comparison) -> list[list[str]]:
    return [list(_row(comparison, each)) for each in comparison.differences]


def _row(comparison: Comparison, each: Difference) -> Iterator[str]:
    yield printable(each.path) if each.path else "the answer"
    yield f"{each.count_a:,}" if each.count_a == each.count_b else f"{each.count_a:,} / {each.count_b:,}"
    if _some_unknown(comparison):
        yield f"{each.unknown_a:,} / {each.unknown_b:,}"
    yield _three(each.mean_a)
    yield _three(each.mean_b)
    interval = "(too few)" if each.low is None else f"({_signed(each.low)} to {_signed(each.high)})"
    yield f"{_signed(each.difference)} {interval}".strip()
    yield "changed" if each.changed else ""
    if comparison.paired_by is not None:
        yield "" if each.same is None else f"{each.same:.0%}".replace("%", " %")
    else:
        yield _three(each.distance)
        yield "" if each.p_value is None else "<.001" if each.p_value < 0.001 else _three(each.p_value)


def _notes(comparison: Comparison) -> Iterator[str]:
    if comparison.only_a or comparison.only_b:
        yield f"{comparison.only_a:,} of A and {comparison.only_b:,} of B have no partner: in no number of the table"
    if _some_unknown(comparison):
        yield "unknown: no logprobs came, or a token has no honest one; in no mean"
    if any(each.same is not None for each in comparison.differences):
        yield "same: the share of pairs with the same value on both sides"
    if any(each.low is not None for each in comparison.differences):
        yield f"all intervals together hold with {comparison.confidence:.4g}; changed: the interval leaves out 0"


def _html(head: Sequence[str], heads: Sequence[str], rows: list[list[str]], notes: Sequence[str]) -> str:
    above = "".join(f"<div>{escape(printable(line))}</div>" for line in head)
    titles = "".join(f"<th{_STYLE}>{escape(name)}</th>" for name in heads)
    cells = "".join("<tr>" + "".join(f"<td{_STYLE}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    below = "".join(f"<div><small>{escape(line)}</small></div>" for line in notes)
    return (
        f'<div style="font-family:system-ui,sans-serif">{above}<table style="color:inherit;border-spacing:1em 0">'
        f"<thead><tr>{titles}</tr></thead><tbody>{cells}</tbody></table>{below}</div>"
    )


def _rich(head: Sequence[str], heads: Sequence[str], rows: list[list[str]], notes: Sequence[str]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*heads, box=None, header_style="dim", padding=(0, 2, 0, 0))
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    above = [Text(printable(line)) for line in head]
    return Group(*above, drawn, *(Text(line, "dim") for line in notes))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return decimal(value)
    text = printable(str(value))
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"


def _count(count: int, of: str) -> str:
    return f"{count:,} {of}{'' if count == 1 else 's'}"


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"
