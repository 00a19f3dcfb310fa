"""The calibration in a program: read, asked, applied to a report, without the extra's packages."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_logprobs import confidence_of
from langchain_logprobs.calibration import (
    Calibrated,
    Calibration,
    CalibrationFileError,
    CalibrationWarning,
    calibrate,
    calibrated,
    calibrated_fields,
)
from tests.calibration import populations
from tests.support import entry

EMAIL = Calibrated(
    model="small",
    prompt="v1",
    path="/email",
    labels=120,
    wrong=40,
    points=((0.2, 0.1), (0.6, 0.5), (1.0, 0.9)),
    method="isotonic",
    threshold=0.93,
    accepted=0.4,
)
QUANTITY = replace(EMAIL, path="/qty", points=((0.0, 0.0), (1.0, 0.6)))
REFUSED = Calibrated(model="small", prompt="v1", path="/note", labels=12, wrong=1, reasons=("Too few labels: 12.",))
CALIBRATION = Calibration((EMAIL, QUANTITY, REFUSED), error=0.1, confidence=0.9)
KEY: dict[str, Any] = {"model": "small", "prompt": "v1"}


def answer(*pieces: tuple[str, float]) -> Any:
    entries = [entry(token, logprob) for token, logprob in pieces]
    text = "".join(token for token, _ in pieces)
    return confidence_of(AIMessage(text, response_metadata={"logprobs": {"content": entries}}))


BOTH = answer(('{"email": "', 0.0), ("a@b.c", -0.5), ('", "qty": ', -0.01), ("4", -0.2), ("}", 0.0))


@pytest.mark.parametrize(
    ("score", "probability"), [(0.0, 0.1), (0.2, 0.1), (0.4, 0.3), (0.6, 0.5), (0.9, 0.8), (1.0, 0.9), (7.0, 0.9)]
)
def test_between_points_the_map_is_straight_and_beyond_them_flat(score: float, probability: float) -> None:
    assert CALIBRATION.probability(score, path="/email", **KEY) == pytest.approx(probability)


def test_nan_has_no_probability() -> None:
    assert CALIBRATION.probability(float("nan"), path="/email", **KEY) is None


def test_what_was_refused_gives_nothing_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in ("/note", "/never labelled"):
            assert CALIBRATION.probability(0.9, path=path, **KEY) is None
            assert CALIBRATION.threshold(path=path, **KEY) is None
            assert not CALIBRATION.fits(path=path, **KEY)
    assert CALIBRATION.fits(path="/email", **KEY)
    assert CALIBRATION.threshold(path="/email", **KEY) == 0.93


@pytest.mark.parametrize(
    "other", [{"model": "large", "prompt": "v1"}, {"model": "small", "prompt": "v2"}, {"model": "small"}]
)
def test_another_model_or_prompt_gets_nothing_and_is_warned_of_once(other: dict[str, str]) -> None:
    calibration = Calibration(CALIBRATION.groups, 0.1, 0.9)

    def ask() -> None:
        for _ in range(3):
            assert calibration.probability(0.9, path="/email", **other) is None
            assert calibration.threshold(path="/email", **other) is None
            assert not calibration.fits(path="/email", **other)

    with pytest.warns(CalibrationWarning, match="was made for model 'small' with prompt 'v1', not for") as caught:
        ask()
    assert len(caught) == 1


def test_the_warnings_end_where_prompts_never_do() -> None:
    calibration = Calibration(CALIBRATION.groups, 0.1, 0.9)
    with pytest.warns(CalibrationWarning) as caught:
        assert not any(calibration.fits(model="small", prompt=str(number), path="/email") for number in range(200))
    assert len(caught) == 10


def test_a_star_stands_for_any_index() -> None:
    calibration = Calibration(
        (replace(EMAIL, path="/items/*/price"), replace(EMAIL, path="/items/2/price", threshold=0.5)), 0.1, 0.9
    )
    assert calibration.threshold(path="/items/17/price", **KEY) == 0.93
    assert calibration.threshold(path="/items/2/price", **KEY) == 0.5
    assert calibration.threshold(path="/items/17/name", **KEY) is None


def test_a_report_gets_the_probability_of_each_value_and_the_least_for_all() -> None:
    scores = {leaf.path: leaf.field.confidence for leaf in BOTH.leaves()}
    found = calibrated_fields(BOTH, CALIBRATION, **KEY)
    assert found == {path: CALIBRATION.probability(score, path=path, **KEY) for path, score in scores.items()}
    assert set(found) == {"/email", "/qty"}
    assert calibrated(BOTH, CALIBRATION, **KEY) == min(found.values())


def test_an_answer_labelled_as_a_whole_has_a_map_of_its_own() -> None:
    whole = Calibration((*CALIBRATION.groups, replace(EMAIL, path="")), 0.1, 0.9)
    assert calibrated(BOTH, whole, **KEY) == whole.probability(BOTH.score, **KEY)
    prose = answer(("As", -0.3), (" an AI", -0.2))
    assert calibrated(prose, whole, **KEY) == whole.probability(prose.score, **KEY)
    assert calibrated(prose, CALIBRATION, **KEY) is None


def test_one_value_without_a_map_leaves_the_answer_without_a_probability() -> None:
    report = answer(('{"email": "', 0.0), ("a@b.c", -0.5), ('", "note": "', -0.01), ("hi", -0.2), ('"}', 0.0))
    assert set(calibrated_fields(report, CALIBRATION, **KEY)) == {"/email"}
    assert calibrated(report, CALIBRATION, **KEY) is None


def test_a_censored_token_leaves_no_probability() -> None:
    whole = Calibration((EMAIL, QUANTITY, replace(EMAIL, path="")), 0.1, 0.9)
    report = answer(('{"email": "', 0.0), ("a@b.c", -9999.0), ('", "qty": ', -0.01), ("4", -0.2), ("}", 0.0))
    assert set(calibrated_fields(report, whole, **KEY)) == {"/qty"}
    assert calibrated(report, whole, **KEY) is None


def test_no_logprobs_have_no_probability() -> None:
    assert calibrated(confidence_of(AIMessage("Lima")), CALIBRATION, **KEY) is None


def test_a_calibration_comes_back_from_its_file(tmp_path: Path) -> None:
    found = calibrate(populations.rows(300, model='Übung "1"'), error=0.2).calibration
    for calibration in (found, CALIBRATION, Calibration((), 0.1, 0.9)):
        calibration.save(tmp_path / "c.json")
        read = Calibration.load(tmp_path / "c.json")
        assert (read.groups, read.error, read.confidence) == (
            calibration.groups,
            calibration.error,
            calibration.confidence,
        )
        assert read.name == calibration.name == json.loads((tmp_path / "c.json").read_text())["name"]
    assert found.name != CALIBRATION.name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, '"format" is not'),
        ({"version": 2}, "its version is 2 and this package reads version 1"),
        ({"groups": 4}, "a part is missing or of the wrong kind"),
        ({"promise": {"error": 0.1}}, "a part is missing"),
        ({"promise": {"error": 10, "confidence": 0.9}}, "10 is no number from 0 to 1"),
        ({"groups": [{"path": "/x"}]}, "a part is missing"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**CALIBRATION.to_dict(), **change}))
    with pytest.raises(CalibrationFileError, match=r"c\.json holds no calibration") as refused:
        Calibration.load(path)
    assert told in str(refused.value)
    assert "langchain-logprobs calibrate" in str(refused.value)


@pytest.mark.parametrize(
    "points",
    [[[0.5, 0.5], [0.5, 0.6]], [[0.1, 0.5], [0.5, 0.4]], [[0.1, "x"]], [[0.1, float("nan")]], [[2, 0.1]], [[1]]],
)
def test_a_map_that_is_none_is_refused(tmp_path: Path, points: Any) -> None:
    data = CALIBRATION.to_dict()
    data["groups"][0]["points"] = points
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data))
    with pytest.raises(CalibrationFileError):
        Calibration.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", "[" * 100_000])
def test_any_other_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(CalibrationFileError):
        Calibration.load(path)


def test_a_program_needs_none_of_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    CALIBRATION.save(path)
    program = f"""
import sys
from langchain_logprobs.calibration import Calibration, calibrated
assert Calibration.load({str(path)!r}).probability(0.4, model="small", prompt="v1", path="/email") > 0.29
others = {{"numpy", "scipy", "sklearn", "matplotlib", "rich", "langchain_core", "opentelemetry"}}
print(sorted(others & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr
