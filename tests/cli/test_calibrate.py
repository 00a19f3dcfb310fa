"""`langchain-logprobs calibrate`, as a person runs it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_logprobs.calibration import Calibration, Row
from langchain_logprobs.cli.main import main
from tests.calibration import populations
from tests.cli.test_view import attribute, request, span


def table(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "field_path", "item", "score", "right"])
        writer.writerows([(row.model, row.path, row.item, row.score, int(row.right)) for row in rows])
    return path


def test_rows_become_a_calibration_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = table(tmp_path / "rows.csv", populations.rows(300, seed=1))
    assert main(["calibrate", str(rows), "--report", "report.html", "--error", "0.2", "--confidence", "0.8"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    calibration = Calibration.load("calibration.json")
    assert (calibration.error, calibration.confidence) == (0.2, 0.8)
    threshold = calibration.threshold(model="small", path="/email")
    assert threshold is not None
    assert f"Accept from {threshold:g} on: at most 20 % of what is accepted is wrong, with 80 % confidence" in shown
    assert f"{calibration.name} is written to calibration.json" in shown
    assert calibration.name in Path("report.html").read_text(encoding="utf-8")


def test_traces_and_labels_become_a_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = populations.rows(120, seed=1, path="")
    spans, labels = [], ["span_id,field_path,right"]
    for number, row in enumerate(rows):
        attributes = [
            attribute("logprobs.status", "recorded"),
            attribute("gen_ai.response.model", "small"),
            attribute("logprobs.confidence.score", row.score),
        ]
        spans.append(span(span_id=f"{number + 1:016x}", attributes=attributes))
        labels.append(f"{number + 1:016x},,{int(row.right)}")
    silent = span(span_id="f" * 16, attributes=[attribute("logprobs.status", "missing")])
    silent["attributes"].append(attribute("gen_ai.request.model", "small"))
    (tmp_path / "traces.jsonl").write_text(json.dumps(request(*spans, silent)), encoding="utf-8")
    (tmp_path / "labels.csv").write_text("\n".join([*labels, f"{'f' * 16},,1"]), encoding="utf-8")
    words = ["calibrate", str(tmp_path / "labels.csv"), "--traces", str(tmp_path / "traces.jsonl")]
    assert main([*words, "-o", str(tmp_path / "c.json")]) == 0
    (group,) = Calibration.load(tmp_path / "c.json").groups
    assert (group.model, group.path, group.labels, group.wrong) == (
        "small",
        "",
        120,
        sum(not row.right for row in rows),
    )
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 labelled value has no score (labels.csv, line 122): not learned from" in shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("score,right\n1,1\n", "the column 'model' is missing"),
        ("score,right,model,field_path\n0.5,1,m,/a\n0.6,1,m,/a\n", "all 2 rows are right"),
        ("score,right,model,field_path\nnan,1,m,/a\n0.6,0,m,/a\n", "rows.csv, line 2: the score is NaN"),
    ],
)
def test_bad_rows_end_with_a_sentence(tmp_path: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text(text)
    assert main(["calibrate", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "c.json")]) == 1
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""
    assert not (tmp_path / "c.json").exists()


def test_files_that_cannot_be_read_or_written_end_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = str(table(tmp_path / "rows.csv", populations.rows(60)))
    for words in (
        [str(tmp_path / "none.csv")],
        [str(tmp_path)],
        [rows, "--traces", str(tmp_path / "none.jsonl")],
        [rows, "-o", str(tmp_path / "no" / "c.json")],
        [rows, "-o", str(tmp_path / "c.json"), "--report", str(tmp_path / "no" / "r.html")],
    ):
        assert main(["calibrate", *words]) == 1
        assert "langchain-logprobs: cannot " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--error", "10"], ["--error", "0"], ["--confidence", "nan"], ["--confidence", "x"]])
def test_a_promise_out_of_range_ends_with_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["calibrate", "rows.csv", *words])
    assert end.value.code == 2
    assert "is not over 0 and under 1" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["sklearn", "matplotlib", "rich", "scipy", "numpy"])
def test_without_the_extra_it_says_what_to_install(package: str) -> None:
    program = f"""
import sys
sys.modules[{package!r}] = None
from langchain_logprobs.cli.main import main
sys.exit(main(["calibrate", "rows.csv"]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stderr
    assert f"needs the package {package}" in run.stderr
    assert 'pip install "langchain-logprobs[calibrate]"' in run.stderr
