"""Fixtures of the end-to-end tests: a real model, real backends, and a handler whose spans can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_model import LocalModel, local_model

from tests.e2e.backends import Jaeger, Phoenix, has_go, running_jaeger, running_phoenix
from tests.e2e.mlflow import running_mlflow
from tests.e2e.proxy import RecordingProxy
from tests.e2e.tracing import Traced

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that `-m "not e2e"` leaves it out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """Jaeger, running; built first if this machine has not built it yet."""
    if not has_go():
        pytest.skip("Jaeger is built with Go, and there is no `go` on the PATH")
    with running_jaeger(tmp_path_factory.mktemp("jaeger")) as backend:
        yield backend


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    """Phoenix, running; installed first if this machine has not installed it yet."""
    with running_phoenix(tmp_path_factory.mktemp("phoenix")) as backend:
        yield backend


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's tracking server, running; installed first if this machine has not installed it yet."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(scope="session")
def model_server() -> Iterator[LocalModel]:
    """SmolLM2 behind llama.cpp's server."""
    with local_model() as served:
        yield served


@pytest.fixture
def wire(model_server: LocalModel) -> Iterator[RecordingProxy]:
    """A proxy in front of the model that keeps what HTTP carried."""
    with RecordingProxy(model_server.base_url) as proxy:
        yield proxy


@pytest.fixture
def traced() -> Iterator[Traced]:
    """A handler whose finished spans are kept in memory."""
    with Traced() as kept:
        yield kept
