"""The documentation says what the code does, and its code runs."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_logprobs

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PAGES_WITH_CODE = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]
PUBLIC = [name for name in langchain_logprobs.__all__ if name != "__version__"]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(langchain_logprobs.__path__, "langchain_logprobs.")
    if not module.name.endswith("__main__")
]


def test_the_generated_parts_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
            named = page.parent / target if target else page
            assert named.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", named.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{page.name}: {target}#{anchor}"


def test_every_public_name_is_there() -> None:
    assert set(langchain_logprobs.__all__) == set(langchain_logprobs._HOMES)
    assert dir(langchain_logprobs) == sorted(langchain_logprobs.__all__)


def run_examples(tests: list[doctest.DocTest]) -> int:
    """Run doctests; return how many examples there are. What they print is compared as it stands."""
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    for test in tests:
        said: list[str] = []
        assert not runner.run(test, out=said.append).failed, "".join(said)
    return sum(len(test.examples) for test in tests)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example_that_runs_by_itself(name: str) -> None:
    value = getattr(langchain_logprobs, name)
    tests = [test for test in doctest.DocTestFinder().find(value, name, globs={}) if test.name == name]
    assert run_examples(tests), f"{name} has no example in its docstring"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if str(missing.name).startswith("langchain_logprobs"):
            raise
        pytest.skip(f"{missing.name}, of an extra, is not installed")
    run_examples(doctest.DocTestFinder().find(module))


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_the_pages_runs(page: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.run_page", str(page)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) >= page.read_text(encoding="utf-8").count("```python")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = langchain_logprobs.nothing


IMPORT = """
import sys
import langchain_core.callbacks
before = set(sys.modules)
import langchain_logprobs
print(*sorted(set(sys.modules) - before))
"""


def test_importing_the_package_costs_nearly_nothing() -> None:
    # One small module: the rest is imported when it is first used.
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["langchain_logprobs"]
