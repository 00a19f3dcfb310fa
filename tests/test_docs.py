"""The documentation says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_logprobs

ROOT = Path(__file__).resolve().parent.parent


def test_the_generated_parts_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_public_name_is_there_and_documented() -> None:
    assert set(langchain_logprobs.__all__) == set(langchain_logprobs._HOMES) | {"__version__"}
    assert dir(langchain_logprobs) == sorted(langchain_logprobs.__all__)
    for name in langchain_logprobs.__all__:
        value = getattr(langchain_logprobs, name)
        assert isinstance(value, str) or value.__doc__, name


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
    # Two small modules: the rest is imported when it is first used.
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["langchain_logprobs", "langchain_logprobs._version"]
