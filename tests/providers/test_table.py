"""The table itself: the page that is written from it, and the environments that its packages are installed in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from table import ROWS

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
