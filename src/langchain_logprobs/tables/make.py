"""Tables of traces, and the forms that they are handed on in: CSV, JSON, and data frames of pandas or polars."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_logprobs.tables.columns import COLUMNS, Column, Kind, Of
from langchain_logprobs.tables.rows import Row, calls_in, rows_of
from langchain_logprobs.telemetry.gate import clean
from langchain_logprobs.view.model import SpanData, span_data
from langchain_logprobs.view.sources.read import read_source

if TYPE_CHECKING:
    import pandas
    import polars
    from opentelemetry.sdk.trace import ReadableSpan
    from rich.console import RenderableType

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, the full-width signs among them."""

_PANDAS: dict[Kind, str] = {"text": "string", "number": "Float64", "integer": "Int64", "flag": "boolean"}
_NO_FRAMES = "a data frame needs pandas or polars, and this Python has neither.\nInstall one:  pip install pandas"


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows of traces. Iterating over it gives them, each a dict by the columns' names; what is not known is None.

    Attributes:
        of: What it is of: `calls`, `fields` or `stretches`.
        columns: Its columns.
        rows: Its rows, in the order in which the traces and their calls started.
    """

    of: Of
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def to_csv(self) -> str:
        r"""Return it as CSV, with `\r\n` between the lines (RFC 4180) and an empty cell for what is not known.

        Model output can be anything, also `=HYPERLINK(...)`, and a CSV file is opened in spreadsheets. A text that
        one would take for a formula gets an apostrophe in front, as does a text that begins with apostrophes and such
        a sign, so that taking one apostrophe away gives the text back. Numbers stay numbers.
        """
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([column.name for column in self.columns])
        writer.writerows([[_cell(row.get(column.name)) for column in self.columns] for row in self.rows])
        return out.getvalue()

    def to_json(self) -> str:
        """Return it as a JSON array of objects, one row a line, with null for what is not known."""
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
        return f"[\n{lines}\n]\n" if lines else "[]\n"

    def to_frame(self) -> pandas.DataFrame | polars.DataFrame:
        """Return it as a data frame, of pandas where that is installed, else of polars.

        Raises:
            ImportError: Neither is installed.
        """
        for package, make in (("pandas", self.to_pandas), ("polars", self.to_polars)):
            try:
                return make()
            except ModuleNotFoundError as error:
                if error.name != package:
                    raise
        raise ImportError(_NO_FRAMES)

    def to_pandas(self) -> pandas.DataFrame:
        """Return it as a data frame of pandas, whose types can be missing (Float64, Int64, boolean, string)."""
        import pandas

        columns = {
            each.name: pandas.array(self._cells(each), dtype=_PANDAS[each.kind])  # type: ignore[call-overload]
            for each in self.columns
        }
        return pandas.DataFrame(columns)

    def to_polars(self) -> polars.DataFrame:
        """Return it as a data frame of polars, with null for what is not known."""
        import polars

        types: dict[Kind, Any] = {
            "text": polars.String,
            "number": polars.Float64,
            "integer": polars.Int64,
            "flag": polars.Boolean,
        }
        series = [polars.Series(each.name, self._cells(each), dtype=types[each.kind]) for each in self.columns]
        return polars.DataFrame(series)

    def _cells(self, column: Column) -> list[Any]:
        """Return a column's cells; text as UTF-8 can carry it, which data frames need."""
        cells = [row[column.name] for row in self.rows]
        return [clean(cell) if isinstance(cell, str) else cell for cell in cells]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        return iter(self.rows)

    def __repr__(self) -> str:
        """Show what it is of and its size; the rows may be private."""
        return f"<Table of {len(self.rows):,} {self.of}, {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from langchain_logprobs.tables.display import table_html

        return table_html(self)

    def __rich__(self) -> RenderableType:
        """Show it in rich's console."""
        from langchain_logprobs.tables.display import table_rich

        return table_rich(self)


def table(source: str | Path | Iterable[SpanData | ReadableSpan], of: Of = "calls") -> Table:
    """Return the model calls of traces as a table, or their values, or their low-confidence stretches.

    Args:
        source: What `langchain-logprobs view` opens: a file or an address of a backend. Or spans, as
            `InMemorySpanExporter.get_finished_spans` or `read_source` returns them.
        of: `calls`; `fields` for the values of structured answers and of tool calls' arguments, as many as the spans
            hold; or `stretches`.

    Returns:
        The table. A call without logprobs is a row of `calls` as well; its numbers are not known.

    Raises:
        ValueError: `of` is no table.
        SourceError: The source cannot be read; the message says why, and what to do instead.
        OSError: The file cannot be read.

    Example:
        >>> from langchain_logprobs.view.model import SpanData
        >>> attributes = {"logprobs.status": "recorded", "logprobs.confidence.score": 0.41}
        >>> span = SpanData("ab" * 16, "cd" * 8, None, "chat m", 1, 2, attributes)
        >>> [(row["name"], row["score"], row["level"]) for row in table([span])]
        [('chat m', 0.41, None)]
    """
    if of not in COLUMNS:
        raise ValueError(f"of={of!r} is no table: it is one of {', '.join(COLUMNS)}")
    columns = COLUMNS[of]
    rows = [row for called in calls_in(spans_in(source)) for row in rows_of(called, of)]
    return Table(of, columns, tuple({column.name: row.get(column.name) for column in columns} for row in rows))


def spans_in(source: str | Path | Iterable[SpanData | ReadableSpan]) -> list[SpanData]:
    """Return the spans of a source, as `table` takes one."""
    if isinstance(source, str | Path):
        return read_source(str(source))
    return [each if isinstance(each, SpanData) else span_data(each) for each in source]


def _cell(value: Any) -> Any:
    """Return a value as it stands in a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.lstrip("'").startswith(_FORMULA) else value
    return value
