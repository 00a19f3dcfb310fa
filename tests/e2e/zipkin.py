"""A real Zipkin, from Maven: its server is one Java archive."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.processes import cache_dir, free_ports, locked, serving

VERSION = "3.5.1"
INSTALL_TIMEOUT = 600.0  # 131 MB
START_TIMEOUT = 180.0


def can_run() -> bool:
    """Whether there is a Java to run it, and a Maven to fetch it with."""
    return shutil.which("java") is not None and shutil.which("mvn") is not None


def install() -> Path:
    """Fetch the server, once, and return the archive."""
    archive = cache_dir() / f"zipkin-server-{VERSION}-exec.jar"
    with locked(cache_dir() / "zipkin.lock"):
        if not archive.exists():
            artifact = f"io.zipkin:zipkin-server:{VERSION}:jar:exec"
            subprocess.run(
                ["mvn", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={cache_dir()}"],
                cwd=cache_dir(),
                timeout=INSTALL_TIMEOUT,
                check=True,
            )
    return archive


@contextmanager
def running_zipkin(folder: Path) -> Iterator[str]:
    """Run Zipkin with its memory storage on a free port; gives its address."""
    archive = install()
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with serving(
        ["java", "-Xmx512m", "-jar", str(archive)],
        ready_url=f"{address}/health",
        log=folder / "zipkin.log",
        timeout=START_TIMEOUT,
        env={"QUERY_PORT": str(port)},
    ):
        yield address
