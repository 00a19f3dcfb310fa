"""What holds for every test: which of them are left out, and how many random cases they try."""

from __future__ import annotations

import pytest

import tests.profile as profile  # loads it, before any test is made


def pytest_report_header() -> str:
    return f"random cases: {profile.NAME} (LOGPROBS_PROFILE)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out unless `-m` speaks of them; tests that are named one by one are run."""
    if "slow" in config.getoption("-m") or any("::" in argument for argument in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
