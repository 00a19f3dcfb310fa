"""Traces as tables: calls, values and stretches as rows, and two sources side by side.

`table` needs nothing but this package, and pandas or polars for a data frame; `compare` needs the extra `[compare]`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
