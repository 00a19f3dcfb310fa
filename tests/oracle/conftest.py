"""The marker `slow`: such tests are left out unless `-m` names them (`pytest tests/oracle -m slow`)."""

from tests.confidence.alignment.conftest import pytest_collection_modifyitems, pytest_configure

__all__ = ["pytest_collection_modifyitems", "pytest_configure"]
