"""Calibration: from labelled answers to probabilities that are true and thresholds that keep a promise.

`Calibration.load` and what it returns need nothing but this package; `calibrate` needs the extra `[calibrate]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from langchain_logprobs import _lazily
from langchain_logprobs.confidence.calibrated import (
    Calibrated,
    Calibration,
    CalibrationFileError,
    CalibrationWarning,
    calibrated,
    calibrated_fields,
)

if TYPE_CHECKING:
    from langchain_logprobs.calibration.fit import CalibrationReport, GroupReport, calibrate
    from langchain_logprobs.calibration.page import page_html
    from langchain_logprobs.calibration.rows import Row, RowsError
    from langchain_logprobs.calibration.sources import read_rows

__all__ = [
    "Calibrated",
    "Calibration",
    "CalibrationFileError",
    "CalibrationReport",
    "CalibrationWarning",
    "GroupReport",
    "Row",
    "RowsError",
    "calibrate",
    "calibrated",
    "calibrated_fields",
    "page_html",
    "read_rows",
]

_HOMES = {
    "CalibrationReport": "fit",
    "GroupReport": "fit",
    "Row": "rows",
    "RowsError": "rows",
    "calibrate": "fit",
    "page_html": "page",
    "read_rows": "sources",
}

__getattr__: Callable[[str], Any] = _lazily(__name__, _HOMES)
