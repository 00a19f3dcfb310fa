"""What is unsure in an answer, by its report and the thresholds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_logprobs import ConfidenceReport, confidence_of
from langchain_logprobs.agents import Doubt, Judgement
from langchain_logprobs.agents.doubts import Thresholds
from langchain_logprobs.calibration import Calibrated, Calibration, CalibrationWarning
from tests.agents.servers import entries


def report(*said: tuple[Any, ...], text: str | None = None, tool_calls: Any = ()) -> ConfidenceReport:
    found = {"content": entries(*said)} if said else None
    content = "".join(token for token, *_ in said) if text is None else text
    message = AIMessage(content, response_metadata={"logprobs": found}, tool_calls=list(tool_calls))
    return confidence_of(message)


ORDER = report(
    ('{"item": "', 0.99), ("lamp", 0.7), ('", "parts": [', 0.99), ("3", 0.5), (", ", 0.99), ("4", 0.9), ("]}", 0.99)
)


def paths(judgement: Judgement) -> list[str]:
    return [doubt.path for doubt in judgement.doubts]


@pytest.mark.parametrize(
    ("below", "unsure"),
    [
        (0.95, ["/item", "/parts/0", "/parts/1"]),
        (0.6, ["/parts/0"]),
        (0.01, []),
        ({"": 0.95}, ["/item", "/parts/0", "/parts/1"]),
        ({"/item": 0.95}, ["/item"]),
        ({"/parts": 0.95}, ["/parts/0", "/parts/1"]),  # a pointer is for all below it
        ({"/parts/*": 0.6}, ["/parts/0"]),
        ({"/parts": 0.95, "/parts/0": 0.1}, ["/parts/1"]),  # the more special one counts
        ({"/parts/*": 0.1, "/parts/1": 0.95}, ["/parts/1"]),  # also before a star
        ({"": 0.95, "/item": 0.1}, ["/parts/0", "/parts/1"]),
        ({"/part": 0.95}, []),  # not by the beginning of a key
        ({"/*": 0.6}, ["/parts/0"]),
    ],
)
def test_thresholds(below: Any, unsure: list[str]) -> None:
    assert paths(Thresholds(below).judge(ORDER, "m")) == unsure


def test_the_score_of_prose_counts_and_only_where_it_is_looked_at() -> None:
    prose = report(("Per", 0.9), ("haps", 0.4, ("sonally", 0.3)))
    (doubt,) = Thresholds(0.8).judge(prose, "m").doubts
    assert (doubt.path, doubt.value, doubt.confidence) == ("", "Perhaps", prose.score)
    assert "haps .40, nearly sonally .30" in doubt.about
    assert Thresholds({"/item": 0.9}).judge(prose, "m").sure
    assert Thresholds({"": 0.5}).judge(prose, "m").sure


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "no model call was seen"),
        (report(text="Lima"), "no logprobs (missing)"),
        (report(("Lima", 0.9), text="Quito"), "no correspondence between the tokens and the text"),
        (report(text="", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "1"}]), "no logprobs"),
        (
            report(("hm", 0.9), text="", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "1"}]),
            "arguments of f (failed)",
        ),
    ],
)
def test_what_cannot_be_told_is_missing_and_no_doubt(given: Any, said: str) -> None:
    judgement = Thresholds(0.8).judge(given, "m")
    assert not judgement.sure
    assert judgement.doubts == ()
    assert said in (judgement.missing or "")
    assert judgement.missing == judgement.about


def test_a_call_without_arguments_is_sure() -> None:
    made = report(("{}", 0.9), text="", tool_calls=[{"name": "now", "args": {}, "id": "1"}])
    assert Thresholds(0.99).judge(made, "m").doubts == ()


def test_a_calibration_says_from_where_on_it_is_sure_and_knows_nothing_of_the_rest() -> None:
    def group(path: str, threshold: float | None, model: str = "m") -> Calibrated:
        return Calibrated(model=model, prompt="p1", path=path, labels=100, wrong=20, threshold=threshold)

    known = Calibration((group("/item", 0.6), group("/parts/*", 0.6)), error=0.1, confidence=0.9)
    assert paths(Thresholds(known, "p1").judge(ORDER, "m")) == ["/parts/0"]
    no_promise = Calibration((group("/item", None), group("/parts/*", 0.01)), error=0.1, confidence=0.9)
    (doubt,) = Thresholds(no_promise, "p1").judge(ORDER, "m").doubts
    assert (doubt.path, doubt.threshold) == ("/item", None)
    with pytest.warns(CalibrationWarning, match="not for model 'other'"):
        assert len(paths(Thresholds(known, "p1").judge(ORDER, "other"))) == 3
    with pytest.warns(CalibrationWarning):
        assert len(paths(Thresholds(known).judge(ORDER, "m"))) == 3


def test_a_judgement_survives_a_checkpoint() -> None:
    judgement = Thresholds(0.95).judge(ORDER, "m")
    assert Judgement.of(json.loads(json.dumps(judgement.to_dict()))) == judgement
    assert judgement.confidence == min(doubt.confidence or 0 for doubt in judgement.doubts)


def test_many_and_hostile_values_stay_a_line() -> None:
    said: list[tuple[Any, ...]] = [('["', 0.99)]
    for at in range(30):
        said += [("\x1b[31m<b>" + "x" * 200, 0.3), ('", "' if at < 29 else '"]', 0.99)]
    escaped = [(str(token).replace("\x1b", "\\u001b"), *rest) for token, *rest in said]
    judgement = Thresholds(0.8).judge(report(*escaped), "m")
    assert len(judgement.doubts) == 30
    assert "\x1b" not in judgement.about
    assert judgement.about.endswith("; 22 more")
    assert len(judgement.about) < 1_500


def test_a_doubt_names_its_tool_call() -> None:
    call = {"name": "pay", "args": {"to": "Ann"}, "id": "1"}
    made = report(('{"to": "', 0.99), ("Ann", 0.3), ('"}', 0.99), text="", tool_calls=[call])
    (doubt,) = Thresholds(0.8).judge(made, "m").doubts
    assert isinstance(doubt, Doubt)
    assert (doubt.path, doubt.tool_call) == ("/tool_calls/0/pay/to", 0)
