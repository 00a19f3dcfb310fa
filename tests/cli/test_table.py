"""`langchain-logprobs table` and `compare`."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.cli import main as cli
from tests.cli.test_view import CALL, attribute, request, span


def write(path: Path, *spans: dict[str, Any]) -> str:
    path.write_text(json.dumps(request(*spans)), encoding="utf-8")
    return str(path)


def calls(count: int, score: float) -> list[dict[str, Any]]:
    return [
        span(
            span_id=f"{number:016x}",
            attributes=[
                attribute("logprobs.status", "recorded"),
                attribute("logprobs.confidence.score", score + number / 100 * (1 if score < 0.6 else 1.1)),
                attribute("gen_ai.conversation.id", f"=d{number}"),
                attribute("document", number),
            ],
        )
        for number in range(count)
    ]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write(tmp_path / "traces.json", span(attributes=CALL), *calls(2, 0.5))


def test_a_table_goes_to_standard_output_or_a_file(
    file: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(["table", file]) == 0
    printed = capfdbinary.readouterr().out
    assert printed.count(b"\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(printed.decode(), newline="")))
    assert [row["score"] for row in rows].count("") == 1
    assert {row["conversation"] for row in rows} == {"", "'=d0", "'=d1"}
    for name, form in (("t.csv", "csv"), ("t.JSON", "json"), ("t.txt", "csv")):
        assert cli.main(["table", file, "-o", str(tmp_path / name)]) == 0
        raw = (tmp_path / name).read_bytes()
        assert raw == printed if form == "csv" else len(json.loads(raw)) == 3
    assert cli.main(["table", file, "-o", str(tmp_path / "x.csv"), "--format", "json"]) == 0
    rows = json.loads((tmp_path / "x.csv").read_bytes())
    assert {row["conversation"] for row in rows} == {None, "=d0", "=d1"}


def test_the_other_tables_and_one_trace(file: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["table", file, "--of", "fields", "--format", "json", "--trace", "abab"]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert cli.main(["table", file, "--trace", "ff"]) == 1
    assert "holds no trace with an id that starts with 'ff'" in capfd.readouterr().err


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path, file: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["table", str(tmp_path / "none")]) == 1
    assert cli.main(["table", file, "-o", str(tmp_path / "no" / "t.csv")]) == 1
    assert "cannot write" in capfd.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["table", file, "--format", "xlsx"])
    assert stopped.value.code == 2


def test_text_that_no_utf8_carries_is_replaced(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(request(span(name="chat \ud83d", attributes=CALL))), encoding="utf-8")
    for form in ("csv", "json"):
        assert cli.main(["table", str(path), "--format", form]) == 0
        assert b"chat ?" in capfdbinary.readouterr().out


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    pytest.importorskip("scipy")
    return write(tmp_path / "monday.json", *calls(9, 0.5)), write(tmp_path / "tuesday.json", *calls(9, 0.6))


def test_two_files_side_by_side(two: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", *two]) == 0
    shown = capfd.readouterr().out
    assert "9 inputs on both sides, paired by gen_ai.conversation.id" in shown
    assert "changed" in shown
    assert cli.main(["compare", *two, "--by", "document", "--format", "json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["paired_by"], found["differences"][0]["difference"]) == ("document", pytest.approx(0.104))
    assert cli.main(["compare", *two, "--no-pairs", "-o", str(tmp_path / "c.html")]) == 0
    assert "two crowds" in (tmp_path / "c.html").read_text(encoding="utf-8")
    assert cli.main(["compare", *two, "-o", str(tmp_path / "c.txt")]) == 0
    assert "on both sides" in (tmp_path / "c.txt").read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_said(
    two: tuple[str, str], file: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bare = write(tmp_path / "bare.json", span(attributes=[attribute("logprobs.status", "missing")]))
    for arguments, said in (
        (["-", "-"], "cannot both be standard input"),
        ([bare, two[0]], "bare.json: none of its 1 model calls has logprobs"),
        ([*two, "--by", "nothing"], "no value of nothing is on both sides"),
    ):
        assert cli.main(["compare", *arguments]) == 1
        assert said in capfd.readouterr().err


@pytest.mark.parametrize("package", ["scipy", "rich"])
def test_a_missing_package_is_named(
    two: tuple[str, str], package: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert cli.main(["compare", *two]) == 1
    assert 'pip install "langchain-logprobs[compare]"' in capfd.readouterr().err
