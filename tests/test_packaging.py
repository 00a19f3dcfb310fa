"""What PyPI shows and what a source package holds."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
CLIENTS = ("langfuse", "langsmith", "mlflow", "phoenix")
SOURCE = PROJECT["urls"]["Source"]
LINK = re.compile(r"(!?)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def page() -> str:
    """README as PyPI gets it."""
    pytest.importorskip("hatch_fancy_pypi_readme")
    command = [sys.executable, "-m", "hatch_fancy_pypi_readme", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_every_link_and_picture_of_the_page_leads_somewhere(page: str) -> None:
    links = LINK.findall(page)
    assert len(links) >= 10
    for picture, target in links:
        assert target.startswith(("https://", "#")), target
        path = target.partition("/langchain-logprobs/langchain-logprobs/")[2].partition("#")[0]
        if not path:
            continue
        path = path.removeprefix("blob/") if not picture else path
        tag, _, file = path.partition("/")
        assert tag.startswith("v"), target
        assert (ROOT / file).is_file(), target
        host = "https://raw.githubusercontent.com/" if picture else "https://github.com/"
        assert target.startswith(host), target
    assert [target for picture, target in links if picture]


def test_the_page_is_for_those_who_install_it(page: str) -> None:
    assert "LangChain 1.x" in page
    assert "Python 3.11" in page
    assert "make demo" not in page
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == re.findall(r"^## (?!See it run)(.+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


def test_addresses_stand_in_one_place_but_for_the_pages_links() -> None:
    files = [ROOT / "pyproject.toml", *sorted((ROOT / ".github").rglob("*.yml"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    owner = SOURCE.removeprefix("https://github.com/")
    addresses = set(re.findall(r"(?:github\.com|githubusercontent\.com)/([\w-]+/[\w-]+)", text))
    assert addresses == {owner}


def test_every_extra_is_in_readme_by_what_it_is_for() -> None:
    rows = re.findall(r"^\| .+ \| (`langchain-logprobs\[.+) \|$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert sorted(extra for row in rows for extra in re.findall(r"\[(\w+)\]`", row)) == sorted(EXTRAS)


def _whole(extra: str) -> set[str]:
    """What an extra installs, those that it includes resolved."""
    found: set[str] = set()
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            found |= {each for included in requirement.extras for each in _whole(included)}
        else:
            found.add(line)
    return found


def test_all_is_all_but_the_clients_of_other_peoples_tools() -> None:
    assert _whole("all") == {line for extra in EXTRAS for line in _whole(extra) if extra not in CLIENTS}


def test_the_core_keeps_to_what_langchain_brings_and_the_api() -> None:
    core = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert core == {"langchain-core", "opentelemetry-api", "packaging", "pydantic"}
    needs = importlib.metadata.requires("langchain-core") or []
    assert core - {"langchain-core", "opentelemetry-api"} <= {Requirement(line).name for line in needs}


def test_langchain_is_1() -> None:
    (bound,) = [line for line in PROJECT["dependencies"] if line.startswith("langchain-core")]
    assert not Requirement(bound).specifier.contains("0.3.99")
    assert Requirement(bound).specifier.contains("1.0.0")
    assert not Requirement(bound).specifier.contains("2.0.0")


def test_the_classifiers_say_the_pythons_that_it_is_for() -> None:
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert pythons[0] == PROJECT["requires-python"].removeprefix(">=")
    minors = [int(version.partition(".")[2]) for version in pythons]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_a_source_package_has_all_that_its_tests_read() -> None:
    included = set(PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    read = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'ROOT / "([\w.-]+)"', path.read_text(encoding="utf-8"))
    }
    assert read - included - {"pyproject.toml"} == set()


def test_the_commands_are_there() -> None:
    assert importlib.metadata.version("langchain-logprobs") == _said("--version").removeprefix("langchain-logprobs ")
    assert "doctor" in _said("--help")


def _said(word: str) -> str:
    command = [sys.executable, "-m", "langchain_logprobs", word]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
