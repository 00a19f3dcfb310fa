"""What is in deploy/ says what the handler measures, and the dashboard is what its script builds."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from langchain_logprobs.telemetry import names

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
FILES = [
    DEPLOY / "grafana" / "dashboard.json",
    DEPLOY / "prometheus" / "rules.yml",
    DEPLOY / "collector" / "config.yaml",
]


def test_the_dashboard_is_what_its_script_builds() -> None:
    pytest.importorskip("grafana_foundation_sdk")
    built = runpy.run_path(str(DEPLOY / "grafana" / "build.py"))["as_json"]()
    assert built == FILES[0].read_text(encoding="utf-8"), "run deploy/grafana/build.py"


def test_no_two_panels_overlap_and_each_has_a_query_of_its_own() -> None:
    board = json.loads(FILES[0].read_text(encoding="utf-8"))
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & places, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= cells
        if panel["type"] != "row":
            letters = [target["refId"] for target in panel["targets"]]
            assert letters == list("ABC"[: len(letters)])
            assert panel["description"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_what_the_handler_writes_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    documented = {item.name for item in names.DOCUMENTED}
    attributes = documented | {names.OPERATION, names.REQUEST_MODEL}
    metrics = {item.name: item.type for item in names.DOCUMENTED if item.group == "metric"}
    in_prometheus = {name.replace(".", "_") for name in attributes}
    for name, kind in metrics.items():
        endings = ("_total",) if "counter" in kind else ("_bucket", "_count", "_sum")
        in_prometheus |= {name.replace(".", "_") + ending for ending in endings}
    found = set(re.findall(r"(?<![\w:])(?:logprobs|gen_ai)[._][\w.]+\w", text))
    assert found
    assert found <= attributes | in_prometheus | set(metrics)
