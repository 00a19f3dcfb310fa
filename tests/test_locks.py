"""The locks hold what is asked for, and nothing of the machine that they were made on."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPILED = {
    "oldest": "pyproject.toml",
    "providers-litellm": "tests/providers/requirements-litellm.txt",
    "providers-most": "tests/providers/requirements-most.txt",
    "peers-most": "tests/peers/requirements-most.txt",
    "peers-openai-v2": "tests/peers/requirements-openai-v2.txt",
    "phoenix": "tests/e2e/requirements-phoenix.txt",
    "suites": "tests/suites/requirements-suites.txt",
    "mlflow": "tests/e2e/requirements-mlflow.txt",
}
"""Each file of locks/, and what it is made from."""


def _asked(lines: list[Any]) -> set[tuple[str, str]]:
    """Names and bounds, without the other groups that a group includes and the other extras that an extra does."""
    requirements = [Requirement(line) for line in lines if isinstance(line, str)]
    return {(each.name, str(each.specifier)) for each in requirements if each.name != PROJECT["project"]["name"]}


def _noted(entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """The same of the copy that uv.lock keeps of what it was made from."""
    return {(each["name"], str(Requirement(each["name"] + each.get("specifier", "")).specifier)) for each in entries}


def _lines(path: Path) -> list[str]:
    return [line.split(" #")[0] for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"\w", line)]


def _for_tests(*more: str) -> list[str]:
    groups = [PROJECT["dependency-groups"][name] for name in ("test", *more)]
    return [*PROJECT["project"]["dependencies"], *(line for group in groups for line in group)]


def test_uv_lock_was_made_from_this_pyproject() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    own = next(package for package in lock["package"] if package["name"] == PROJECT["project"]["name"])
    groups = PROJECT["dependency-groups"]
    extras = [line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
    assert set(own["metadata"]["provides-extras"]) == set(PROJECT["project"]["optional-dependencies"])
    assert _noted(own["metadata"]["requires-dist"]) == _asked(PROJECT["project"]["dependencies"] + extras)
    assert set(own["metadata"]["requires-dev"]) == set(groups)
    for name, lines in groups.items():
        included = [line for each in lines if isinstance(each, dict) for line in groups[each["include-group"]]]
        assert _noted(own["metadata"]["requires-dev"][name]) == _asked(lines + included), f"{name}: run `make lock`"


def test_each_compiled_lock_has_its_source() -> None:
    assert {path.stem for path in (ROOT / "locks").iterdir()} == set(COMPILED)
    assert {path.name for path in ROOT.glob("tests/*/requirements-*.txt")} == {
        Path(source).name for source in COMPILED.values() if source.endswith(".txt")
    }


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_lock_has_one_allowed_version_of_all_that_is_asked_for(name: str) -> None:
    pins = [Requirement(line) for line in _lines(ROOT / "locks" / f"{name}.txt")]
    assert all(re.fullmatch(r"==[\w.!+]+", str(pin.specifier)) for pin in pins)
    source = ROOT / COMPILED[name]
    asked = [] if source.suffix == ".toml" else _lines(source)
    for_tests = {"phoenix": [], "mlflow": [], "oldest": _for_tests("calibrate", "tables")}.get(name, _for_tests())
    for line in asked + for_tests:
        requirement = Requirement(line)
        held = [pin for pin in pins if pin.name == requirement.name]
        assert held, f"{line}: run `make lock`"
        for pin in held:
            version = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(version, prereleases=True), f"{line}: run `make lock`"


def test_the_oldest_is_the_oldest_that_is_allowed() -> None:
    pins = dict(line.split(" ;")[0].split("==") for line in _lines(ROOT / "locks" / "oldest.txt"))
    bounds: dict[str, Version] = {}
    for line in _for_tests("calibrate", "tables"):
        name, bound = Requirement(line).name, Version(re.findall(r">=([\w.]+)", line)[-1])
        bounds[name] = max(bound, bounds.get(name, bound))
    # langchain-openai 1.0.3 does not install with langchain-core 1.0.
    newer = {name for name, bound in bounds.items() if Version(pins[name]) != bound}
    assert newer == {"langchain-core"}, "take the lines of the others out of locks/oldest.txt and run `make lock`"


@pytest.mark.parametrize("path", [ROOT / "uv.lock", *sorted((ROOT / "locks").iterdir())], ids=lambda path: path.name)
def test_no_lock_names_a_registry_but_pypi(path: Path) -> None:
    hosts = set(re.findall(r"\w+://([^/\"\s]*)", path.read_text(encoding="utf-8")))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}
    if path.suffix == ".txt":
        others = [line for line in path.read_text(encoding="utf-8").splitlines() if not re.match(r"#|[\w.-]+==", line)]
        assert others == []


def _newest() -> Any:
    spec = importlib.util.spec_from_file_location("newest", ROOT / ".ci" / "newest.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_newer_is_told_package_by_package(tmp_path: Path) -> None:
    newest = _newest()
    lock = tmp_path / "some.txt"
    lock.write_text("# made by\nsame==1.0\nforked==1.0 ; python_full_version < '3.12'\nforked==2.0\ngone==3\nup==1.9\n")
    before = newest.pins(lock)
    assert before["forked"] == {"1.0", "2.0"}
    lock.write_text("same==1.0\nforked==2.0\nup==1.10.0b1\nnew-one==0.1\n")
    assert list(newest.changes(before, newest.pins(lock))) == [
        "forked 1.0, 2.0 -> 2.0",
        "gone 3 -> none",
        "new-one none -> 0.1",
        "up 1.9 -> 1.10.0b1",
    ]
    assert newest.pins(ROOT / "uv.lock")["langchain-core"]


def test_what_failed_is_told() -> None:
    newest = _newest()
    assert newest.failures("...\nFAILED tests/a.py::b - no\nERROR tests/c.py\n2 failed\n") == [
        "FAILED tests/a.py::b - no",
        "ERROR tests/c.py",
    ]
    assert newest.failures("x\n" * 20 + "mypy: no\n")[-1] == "mypy: no"
