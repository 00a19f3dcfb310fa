"""MLflow's own tracking server, with its SQLite store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.backends import START_TIMEOUT, installed
from tests.e2e.processes import free_ports, serving

HEADERS = {"x-mlflow-experiment-id": "0"}


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """Run it on a free port of 127.0.0.1; it takes traces at /v1/traces with the HEADERS."""
    program = installed("mlflow") / "bin" / "mlflow"
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--default-artifact-root", str(folder / "artifacts")]
    # Without the last two it starts eight more processes, and reports its use to its makers.
    env = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with serving(command, ready_url=f"{url}/health", log=folder / "mlflow.log", timeout=START_TIMEOUT, env=env):
        yield url
