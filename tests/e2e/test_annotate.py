"""`annotate` on the real servers of Phoenix and MLflow: the scores are there, and after a second time once."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from langchain_logprobs.cli import main as cli
from langchain_logprobs.view.annotations.marks import Mark, marks_of
from langchain_logprobs.view.model import read_traces
from tests.e2e.backends import INSTALL_TIMEOUT, Phoenix, exporter
from tests.e2e.mlflow import HEADERS
from tests.e2e.processes import get_json, wait_for
from tests.view.gallery import gallery

# The first test of each backend may have to install it.
pytestmark = pytest.mark.timeout(INSTALL_TIMEOUT + 300)

ARRIVAL_TIMEOUT = 60.0


def annotate(*words: str, times: int = 2) -> None:
    for _ in range(times):
        assert cli.main(["annotate", *words]) == 0


def sent(tmp_path: Path, *exporters: Any) -> tuple[str, list[Mark]]:
    """Send the gallery; return a file with the same spans, and what is to be said of them."""
    path = tmp_path / f"{uuid.uuid4().hex}.jsonl"
    file_exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    found = gallery([file_exporter.FileSpanExporter(path), *exporters])
    traces = read_traces(span for spans in found.values() for span in spans)
    return str(path), [mark for trace in traces for mark in marks_of(trace)]


def test_phoenix(phoenix: Phoenix, tmp_path: Path) -> None:
    pytest.importorskip("phoenix.client")
    path, marks = sent(tmp_path, exporter(phoenix, "http"))
    wait_for(
        lambda: all(phoenix.read("default", mark.trace_id) for mark in marks) or None,
        timeout=ARRIVAL_TIMEOUT,
        what="the traces in Phoenix",
    )
    annotate(path, "--to", "phoenix", "--url", phoenix.url)

    asked = urlencode({"span_ids": [mark.span_id for mark in marks], "limit": 1000}, doseq=True)
    listed = get_json(f"{phoenix.url}/v1/projects/default/span_annotations?{asked}")["data"]
    found = {(each["span_id"], each["name"]): each["result"] for each in listed}
    assert len(found) == len(listed), "nothing is there twice"
    for mark in marks:
        confidence = found[mark.span_id, "confidence"]
        assert (confidence["label"], confidence.get("score")) == (mark.level, mark.score)
        assert confidence.get("explanation") == mark.answer
    assert {name for _, name in found} == {"confidence", "weakest"}
    assert any("nearly “USD”" in str(each.get("label")) for (_, name), each in found.items() if name == "weakest")


def test_mlflow(mlflow: str, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    path, marks = sent(tmp_path, OTLPSpanExporter(f"{mlflow}/v1/traces", headers=HEADERS))
    whole = [mark for mark in marks if mark.whole]

    def feedback(mark: Mark) -> dict[str, Any]:
        answer = get_json(f"{mlflow}/api/3.0/mlflow/traces/get?trace_id=tr-{mark.trace_id}")
        listed = answer["trace"]["trace_info"].get("assessments", [])
        assert len({each["assessment_name"] for each in listed}) == len(listed), "nothing is there twice"
        return {each["assessment_name"]: each for each in listed}

    annotate(path, "--to", "mlflow", "--url", mlflow)
    for mark in whole:
        found = feedback(mark)
        assert found["confidence_level"]["feedback"]["value"] == mark.level
        assert found["confidence_level"].get("rationale") == mark.answer
        if mark.score is not None:
            assert found["confidence"]["feedback"]["value"] == pytest.approx(mark.score)
        assert ("weakest" in found) == (mark.weakest is not None)

    # What has changed is brought up to date; what a person wrote stays.
    changed = Path(path).read_text(encoding="utf-8").replace('"medium"', '"high"')
    (tmp_path / "changed.jsonl").write_text(changed, encoding="utf-8")
    medium = next(mark for mark in whole if mark.level == "medium")
    annotate(str(tmp_path / "changed.jsonl"), "--to", "mlflow", "--url", mlflow, "--trace", medium.trace_id, times=1)
    assert feedback(medium)["confidence_level"]["feedback"]["value"] == "high"
    assert json.dumps(feedback(medium)).count("langchain-logprobs") == len(feedback(medium))
