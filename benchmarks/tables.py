"""Rows of text as a table for the terminal or for Markdown, and the targets as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Rows = Sequence[Sequence[str]]


def as_text(rows: Rows) -> str:
    """Return rows, the first of them the heads, as aligned columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        return "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()

    return "\n".join([line(rows[0]), "  ".join("-" * width for width in widths), *map(line, rows[1:])]) + "\n"


def as_markdown(rows: Rows) -> str:
    """Return rows, the first of them the heads, as a Markdown table."""
    marks = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], marks, *rows[1:]]) + "\n"


def as_checks(targets: Sequence[dict[str, Any]]) -> str:
    """Return the targets, each with its value."""
    return "\n".join(
        f"{'met   ' if each['met'] else 'MISSED'}  {each['value']:10,.2f}  {each['target']}" for each in targets
    )
