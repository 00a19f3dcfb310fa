"""The table itself: the page that is written from it, and the environments that its packages are installed in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.providers.table import ROWS

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent


def test_the_page_is_not_stale() -> None:
    script = HERE.parent.parent / "docs" / "generate_providers.py"
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_every_package_is_in_one_environment() -> None:
    files = sorted(HERE.glob("requirements-*.txt"))
    listed = [name for file in files for name in re.findall(r"^[\w-]+", file.read_text(), re.MULTILINE)]
    assert len(listed) == len(set(listed))
    assert {row.package for row in ROWS} <= set(listed)


def test_rows_have_names_of_their_own() -> None:
    assert len({str(row) for row in ROWS}) == len(ROWS)


SKIPPING = """
import pytest

def test_listed():
    pytest.importorskip("a_listed.module")

def test_not_listed():
    pytest.importorskip("another")
"""


def test_a_required_package_is_not_skipped_over(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest((HERE / "conftest.py").read_text())
    pytester.makefile(".txt", **{"requirements-x": "# a comment\na-listed>=1\n"})
    pytester.makepyfile(test_one=SKIPPING, test_file='import pytest\npytest.importorskip("a_listed")\n')
    monkeypatch.delenv("LOGPROBS_PROVIDERS_REQUIRED", raising=False)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(skipped=3)
    monkeypatch.setenv("LOGPROBS_PROVIDERS_REQUIRED", "1")
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--continue-on-collection-errors")
    run.assert_outcomes(failed=1, errors=1, skipped=1)
    run.stdout.fnmatch_lines("*skipped, but requirements-x.txt lists a-listed*")
