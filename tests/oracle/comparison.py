"""What a report of the product and what the oracle says have in common: everything, to 1e-9."""

import math
from typing import Any

from langchain_logprobs import ConfidenceReport, Settings
from langchain_logprobs.confidence.fields.report import Field
from langchain_logprobs.confidence.inputs import Asked, Choice, Received, Told
from langchain_logprobs.confidence.measures import Measures
from langchain_logprobs.confidence.report import report_on
from tests.oracle.parts import Given
from tests.oracle.schemas import identity

SAME_NAMES = (
    *("path", "kind", "start", "end", "closed", "shadowed", "token_start", "token_count", "joint_logprob"),
    *("start_probability", "end_probability", "censored_count", "min_probability"),
    *("probability", "confidence", "confidence_bound"),
)


SETTINGS = Settings(high_confidence=0.8, medium_confidence=0.5)


def product(given: Given, *messages: Any) -> ConfidenceReport:
    """What the product says of a call; the first answer's schema, tools and chunks reach it as a request's do."""
    choices = [Choice.of(message) for message in messages]
    choices[0].told = [Told(kind, start, end) for kind, start, end in given.told]  # type: ignore[arg-type]
    params: dict[str, Any] = {}
    if given.schema is not None:
        params["response_format"] = {"type": "json_schema", "json_schema": {"schema": given.schema}}
    if given.tools:
        params["tools"] = [{"function": {"name": name, "parameters": one}} for name, one in given.tools.items()]
    asked = Asked(request={"invocation_params": params}, echoed=given.echoed, unsaid=True)
    return report_on(Received(choices), asked, SETTINGS)


def near(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def differences(report: ConfidenceReport, expected: dict[str, Any]) -> list[str]:
    """What differs, each with what the report says and what the oracle says."""
    found = []

    def check(name: str, one: Any, other: Any) -> None:
        if not near(one, other):
            found.append(f"{name}: {one!r}, oracle: {other!r}")

    check("level", report.level, expected["level"])
    check("failed", report.choices[0].parts.alignment.failed, expected["failed"])
    check("kinds", kinds(report), expected["kinds"])
    if found:
        return found  # all else follows from it
    weakest = report.weakest
    check("weakest", weakest and weakest.censored, expected["weakest"] and expected["weakest"][1])
    check("weakest.probability", weakest and weakest.probability, expected["weakest"] and expected["weakest"][0])
    compare_measures("measures", report.measures, expected["measures"], check)
    if (report.reasoning is None) != (expected["reasoning"] is None):
        check("reasoning", report.reasoning, expected["reasoning"])
    elif report.reasoning is not None:
        compare_measures("reasoning", report.reasoning, expected["reasoning"], check)
    fields = [(call.path + one.path, one) for call in report.tool_calls for one in call.fields.fields]
    fields += [(one.path, one) for one in (report.fields.fields if report.fields else ())]
    check("paths", [path for path, _ in fields], [one["path"] for one in expected["fields"]])
    for (path, one), other in zip(fields, expected["fields"], strict=False):
        if path == other["path"]:
            compare_field(path, one, other, check)
    return found


def kinds(report: ConfidenceReport) -> list[str]:
    """What each token is, as the report's parts have it."""
    parts = report.choices[0].parts
    named = ["outside"] * len(report.tokens)
    for kind in ("answer", "tool_call", "reasoning"):
        for index in getattr(parts, kind):
            named[index] = kind
    assert sorted(parts.outside) == [index for index, kind in enumerate(named) if kind == "outside"]
    return named


def compare_measures(where: str, measures: Measures, expected: dict[str, Any], check: Any) -> None:
    for name, value in expected.items():
        check(f"{where}.{name}", getattr(measures, name), value)


def compare_field(path: str, one: Field, other: dict[str, Any], check: Any) -> None:
    for name in SAME_NAMES:
        check(f"{path}.{name}", path if name == "path" else getattr(one, name), other[name])
    if (one.min_index is None) != (not other["min_indexes"]) or one.min_index not in [None, *other["min_indexes"]]:
        check(f"{path}.min_index", one.min_index, other["min_indexes"])
    expected = other["distribution"]
    if (one.distribution is None) != (expected is None):
        check(f"{path}.distribution", one.distribution, expected)
    if one.distribution is None or expected is None:
        return
    for name in ("coverage", "unresolved", "other"):
        check(f"{path}.distribution.{name}", getattr(one.distribution, name), expected[name])
    said = {identity(label.value): label for label in one.distribution.labels} | {
        kind.kind: kind for kind in one.distribution.kinds
    }
    check(f"{path}.distribution", {*said}, {*expected["mass"]})
    for key, mass in expected["mass"].items():
        if key in said:
            check(f"{path}.distribution.{key}", said[key].mass, mass)
            check(f"{path}.distribution.{key}.upper", said[key].upper, expected["upper"][key])
