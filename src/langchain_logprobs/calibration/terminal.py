"""The report in the terminal."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from langchain_logprobs.calibration import sentences
from langchain_logprobs.calibration.fit import CalibrationReport, GroupReport, percent


def print_report(report: CalibrationReport, console: Console) -> None:
    """Print a table for each model and prompt, and a sentence for each field."""
    for asked, several in groupby(report.groups, key=lambda group: sentences.asked(group.result)):
        groups = list(several)
        console.print(Text(asked, style="bold"))
        console.print(_table(groups))
        for group in groups:
            _print_group(group, report, console)
        console.print()
    console.print(Text(sentences.summary(report)))


def _table(groups: list[GroupReport]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("field", overflow="fold")
    for head in ("labels", "wrong", "AUROC (95 %)", "ECE", "Brier", "from", "left"):
        table.add_column(head, justify="right", no_wrap=True)
    for group in groups:
        result, after = group.result, group.after
        table.add_row(
            Text(sentences.field_name(result)),
            f"{result.labels:,}",
            f"{result.wrong:,}",
            sentences.area_text(group),
            sentences.change(group.before.calibration_error, None if after is None else after.calibration_error),
            sentences.change(group.before.brier, None if after is None else after.brier),
            "none" if result.threshold is None else f"{result.threshold:g}",
            "all" if result.accepted is None else percent(1 - result.accepted),
        )
    return table


def _print_group(group: GroupReport, report: CalibrationReport, console: Console) -> None:
    style = "yellow" if group.result.threshold is None else "green"
    text = Text.assemble((sentences.field_name(group.result), "bold"), "  ")
    text.append(sentences.verdict(group, report), style=style)
    for reason in group.result.reasons:
        text.append(f" {reason}")
    console.print(text)
