"""What contributors look for: each of it names only what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
RUN = ROOT / ".ci" / "run"


def yaml_of(path: Path) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def ci(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", RUN, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_ci_lists_its_parts_without_running_any() -> None:
    done = ci("--list")
    assert done.returncode == 0
    parts = done.stdout.splitlines()
    assert len(parts) == len(set(parts)) == len(re.findall(r"^part \"", RUN.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"tests", "lint", "types", "site", "build", "demo"} <= set(parts)


@pytest.mark.parametrize("word", ["nonsense", "test", "tests lint", "."])
def test_ci_refuses_a_part_that_is_not_there(word: str) -> None:
    done = ci(word)
    assert done.returncode == 1
    assert "no part is called" in done.stderr
    assert done.stdout == ""


def test_every_target_that_ci_makes_is_there() -> None:
    made = re.findall(r"\bmake ([\w-]+)", RUN.read_text(encoding="utf-8"))
    assert len(made) > 8
    assert set(made) <= TARGETS


def test_the_workflow_runs_every_part_and_names_none() -> None:
    workflow = yaml_of(ROOT / ".github" / "workflows" / "ci.yml")
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(".ci/run --list" in step for step in steps)
    assert '.ci/run "${{ matrix.name }}"' in steps
    for path in (ROOT / ".github" / "workflows").iterdir():
        made = re.findall(r"\bmake ([\w-]+)", path.read_text(encoding="utf-8"))
        assert set(made) <= TARGETS, path.name


def test_every_session_of_nox_is_a_target() -> None:
    pytest.importorskip("nox")
    command = [sys.executable, "-m", "nox", "--list", "-f", str(ROOT / "noxfile.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    names = set(re.findall(r"^[*-] ([\w-]+)", done.stdout, re.MULTILINE))
    assert names - {"tests"} <= TARGETS
    assert {"tests", "lint", "types", "providers"} <= names
    versions = re.findall(r"tests\(python='([\d.]+)'\)", done.stdout)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert sorted(set(versions)) == sorted(re.findall(r"Python :: (3\.\d+)", pyproject))


def test_every_hook_is_a_tool_that_the_tests_install() -> None:
    config = yaml_of(ROOT / ".pre-commit-config.yaml")
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert all(repo["repo"] == "local" for repo in config["repos"])
    for hook in hooks:
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program == "python" or f'"{program}>=' in (ROOT / "pyproject.toml").read_text("utf-8").replace(
            "import-linter", "lint-imports"
        )


def test_the_forms_for_issues_can_be_read() -> None:
    forms = [yaml_of(path) for path in (ROOT / ".github" / "ISSUE_TEMPLATE").iterdir() if path.stem != "config"]
    assert len(forms) == 2
    for form in forms:
        ids = [field["id"] for field in form["body"]]
        assert len(ids) == len(set(ids))
        assert all(field["attributes"]["label"] for field in form["body"])
