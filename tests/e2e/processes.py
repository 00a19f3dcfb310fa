"""Start the servers that the end-to-end tests talk to, wait until they answer, and stop all of what was started."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LOG_LINES_SHOWN = 30


def cache_dir() -> Path:
    """What is slow to build (Jaeger's binary, Phoenix's environment) is kept here from run to run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "langchain-logprobs"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two test runs at once do not build the same thing into the same place."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def get_json(url: str, body: object = None, *, timeout: float = 30.0) -> Any:
    """GET a JSON document, or POST one and read the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.load(response)


def is_answering(url: str) -> bool:
    """Whether a GET is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:  # refused, timed out, or an HTTP error
        return False


def wait_for(look: Callable[[], T | None], *, timeout: float, what: str) -> T:
    """Call until something is returned; TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if (found := look()) is not None:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.1)


@contextmanager
def serving(
    command: Sequence[str], *, ready_url: str, log: Path, timeout: float, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own until the `with` block ends; entered once `ready_url` answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:

        def ready() -> bool | None:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{_last_lines(log)}")
            return is_answering(ready_url) or None

        try:
            wait_for(ready, timeout=timeout, what=f"{command[0]} answering at {ready_url}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{_last_lines(log)}") from None
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a server and everything it started: politely, then not. There is nothing of theirs to save."""
    for sent, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            break
    # The leader is gone; its children share the group, and one that ignored the polite signal goes now.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
