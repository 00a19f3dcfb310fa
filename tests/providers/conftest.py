"""Lets the tests of this folder import their helpers (`wire`, `recorder`): pytest's importlib mode does not.

Not all integrations can be installed together, so each test skips itself where its package is missing. Each
requirements file here makes one environment; in such a one, `LOGPROBS_PROVIDERS_REQUIRED=1` makes a failure of every
skip for want of a package that the file lists.
"""

import importlib.metadata
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


# LiteLLM fetches a price list over the network when it is imported, unless told to use its own.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

_MISSING = re.compile(r"could not import '([\w.]+)'")


def _listed(file: Path) -> list[str]:
    return re.findall(r"^[\w-]+", file.read_text(), re.MULTILINE)


def _installed_share(file: Path) -> float:
    installed = {each.name.lower().replace("_", "-") for each in importlib.metadata.distributions()}
    return sum(name in installed for name in _listed(file)) / len(_listed(file))


_FILE = max(HERE.glob("requirements-*.txt"), key=_installed_share)
"""The file that this environment was made from: of no other are so many packages installed."""

_REQUIRED = frozenset(_listed(_FILE) if os.environ.get("LOGPROBS_PROVIDERS_REQUIRED") else ())


def _fail_if_required(report: Any) -> Any:
    found = _MISSING.search(str(report.longrepr)) if report.skipped else None
    package = found[1].split(".")[0].replace("_", "-") if found else None
    if package in _REQUIRED:
        report.outcome = "failed"
        report.longrepr = f"skipped, but {_FILE.name} lists {package}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A test that skipped itself."""
    return _fail_if_required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A test file that skipped itself."""
    return _fail_if_required((yield))


_LEFT_OPEN = ("ignore:unclosed:ResourceWarning", "ignore:Deleting 'AsyncInferenceClient' client:UserWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """SDKs leave sockets and event loops open, and the collector finds them in whichever test it runs."""
    for item in items:
        if HERE in item.path.parents:
            for each in _LEFT_OPEN:
                item.add_marker(pytest.mark.filterwarnings(each))
