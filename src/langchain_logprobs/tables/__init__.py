"""Traces as tables: calls, values and stretches as rows, and two sources side by side.

`table` needs nothing but this package, and pandas or polars for a data frame; `compare` needs the extra `[compare]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from langchain_logprobs import _lazily

if TYPE_CHECKING:
    from langchain_logprobs.tables.columns import Column
    from langchain_logprobs.tables.comparison import Comparison, Difference
    from langchain_logprobs.tables.make import Table, table
    from langchain_logprobs.tables.side_by_side import compare

__all__ = ["Column", "Comparison", "Difference", "Table", "compare", "table"]

# No home has the name of what it holds: importing it would put the module in that name's place.
_HOMES = {
    "Column": "columns",
    "Comparison": "comparison",
    "Difference": "comparison",
    "Table": "make",
    "compare": "side_by_side",
    "table": "make",
}

__getattr__: Callable[[str], Any] = _lazily(__name__, _HOMES)
