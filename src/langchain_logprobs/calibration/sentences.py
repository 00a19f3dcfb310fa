"""What the figures of a group come to, in sentences: the same ones in the terminal and on the page."""

from __future__ import annotations

from langchain_logprobs.calibration.fit import CalibrationReport, GroupReport, percent
from langchain_logprobs.confidence.calibrated import Calibrated


def promise(report: CalibrationReport) -> str:
    """Return what a threshold promises."""
    found = report.calibration
    return (
        f"of what is accepted at most {percent(found.error)} is wrong, with {percent(found.confidence)} confidence, "
        "if new answers are like the labelled ones"
    )


def verdict(group: GroupReport, report: CalibrationReport) -> str:
    """Return what to do with the values of a group, in a sentence."""
    result = group.result
    if result.threshold is None or result.accepted is None:
        return "Accept none of these: all are left for people."
    accepted = next(step for step in reversed(group.steps) if step.passed)
    found = report.calibration
    return (
        f"Accept from {result.threshold:g} on: at most {percent(found.error)} of what is accepted is wrong, with "
        f"{percent(found.confidence)} confidence, if new answers are like the labelled ones. Of {result.labels} labels "
        f"{percent(result.accepted)} are accepted, {accepted.wrong} of these {accepted.accepted} "
        f"{'is' if accepted.wrong == 1 else 'are'} wrong, and {percent(1 - result.accepted)} are left for people."
    )


def summary(report: CalibrationReport) -> str:
    """Return how many groups got what."""
    results = [group.result for group in report.groups]
    with_threshold = sum(each.threshold is not None for each in results)
    with_map = sum(bool(each.points) for each in results)
    groups = "1 field" if len(results) == 1 else f"{len(results)} fields"
    return f"Of {groups}, {with_threshold} got a threshold and {with_map} a map."


def number(value: float, digits: int = 2) -> str:
    """Return a number as it stands in a table: .93; 1 and 0 only for what is that."""
    text = f"{value:.{digits}f}"
    if float(text) == 1 and value < 1:
        text = "0." + "9" * digits
    return text.removeprefix("0") if text.startswith("0.") else text


def change(before: float, after: float | None) -> str:
    """Return a figure before and after."""
    return number(before) if after is None else f"{number(before)} → {number(after)}"


def area_text(group: GroupReport) -> str:
    """Return the AUROC with its interval; a dash where there is none."""
    found = group.area
    return "–" if found is None else f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def field_name(result: Calibrated) -> str:
    """Return what a person calls the field."""
    return result.path or "the answer"


def asked(result: Calibrated) -> str:
    """Return the model, and the prompt where it is known."""
    return result.model if result.prompt is None else f"{result.model}, prompt {result.prompt}"
