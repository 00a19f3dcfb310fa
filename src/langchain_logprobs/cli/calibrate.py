"""`langchain-logprobs calibrate`: labelled answers to a calibration that a program loads, and a report on it."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_logprobs.calibration.rows import RowsError, read_records
from langchain_logprobs.calibration.sources import Labelled, read_rows, trace_rows
from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of

if TYPE_CHECKING:
    from langchain_logprobs.calibration.fit import CalibrationReport

_PACKAGES = ("sklearn", "scipy", "numpy", "matplotlib", "rich", "threadpoolctl")
_HELP = "labelled rows: CSV, JSON or JSON lines with score, right, model, field_path; prompt and item can be given"


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    calibrate = commands.add_parser(
        "calibrate",
        help="learn probabilities and thresholds from labelled answers",
        description="Learn from labelled answers how probable it is that a value is right, and from which score on it "
        "may be accepted, for each model, prompt and field by itself. What the labels do not carry is refused.",
    )
    calibrate.add_argument("rows", metavar="ROWS", help=_HELP)
    calibrate.add_argument(
        "--traces",
        metavar="SOURCE",
        help=f"where the scores are, ROWS then has span_id, field_path, right (and trace_id, ...): {SOURCE_HELP}",
    )
    calibrate.add_argument(
        "-o", "--output", metavar="FILE", default="calibration.json", help="where to write it (calibration.json)"
    )
    calibrate.add_argument("--report", metavar="FILE", help="write the report with its pictures as one web page")
    calibrate.add_argument(
        "--error", type=_share, default=0.1, metavar="A", help="at most this share of what is accepted is wrong (0.1)"
    )
    calibrate.add_argument(
        "--confidence", type=_share, default=0.9, metavar="C", help="with which confidence this is promised (0.9)"
    )
    calibrate.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="pass over a column; can be given again"
    )
    calibrate.add_argument("--no-color", action="store_true", help="no colours (as with the variable NO_COLOR)")
    calibrate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Calibrate as the options say.

    Raises:
        CannotShowError: The rows cannot be taken, a file cannot be read or written, or a package is missing.
    """
    try:
        from rich.console import Console

        from langchain_logprobs.calibration.fit import calibrate
        from langchain_logprobs.calibration.page import page_html
        from langchain_logprobs.calibration.terminal import print_report
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _PACKAGES:
            raise
        raise CannotShowError(
            f"langchain-logprobs calibrate needs the package {missing}, which this Python does not have.\n"
            'Install what it needs with:  pip install "langchain-logprobs[calibrate]"'
        ) from error
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(no_color=options.no_color or None, highlight=False, soft_wrap=False)
    try:
        labelled = _labelled(options)
        report = calibrate(labelled.rows, error=options.error, confidence=options.confidence)
    except RowsError as error:
        raise CannotShowError(str(error)) from error
    print_report(report, console)
    if labelled.without_score:
        more = len(labelled.without_score)
        console.print(
            f"{more} labelled {'value has' if more == 1 else 'values have'} no score ({labelled.without_score[0]}"
            f"{', ...' if more > 1 else ''}): not learned from, and always left for people.",
            markup=False,
        )
    _write(report, options)
    console.print(f"{report.calibration.name} is written to {options.output}", markup=False, soft_wrap=True)
    if options.report:
        _write_text(options.report, page_html(report, Path(options.rows).name))
        console.print(f"The report with its pictures is in {options.report}", markup=False, soft_wrap=True)


def _labelled(options: argparse.Namespace) -> Labelled:
    try:
        if options.traces is None:
            return read_rows(options.rows, ignore=options.ignore)
        return trace_rows(spans_of(options.traces, None), read_records(options.rows), ignore=options.ignore)
    except OSError as error:
        raise CannotShowError(f"cannot read {error.filename or options.rows}: {error.strerror}.") from error


def _write(report: CalibrationReport, options: argparse.Namespace) -> None:
    try:
        report.calibration.save(options.output)
    except OSError as error:
        raise CannotShowError(f"cannot write {options.output}: {error.strerror}.") from error


def _write_text(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotShowError(f"cannot write {path}: {error.strerror}.") from error


def _share(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not over 0 and under 1 (0.1 for ten in a hundred)")
    return number
