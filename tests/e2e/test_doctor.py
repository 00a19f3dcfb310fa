"""`langchain-logprobs doctor` beside real backends: the test span is taken, found again, and whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.e2e.backends import INSTALL_TIMEOUT, JAEGER_BUILD_TIMEOUT, Jaeger, Phoenix

pytestmark = pytest.mark.timeout(JAEGER_BUILD_TIMEOUT + INSTALL_TIMEOUT)


def doctor(backend: str, endpoint: str, protocol: str) -> tuple[int, list[str]]:
    """Run the command as a person does; return its exit code and what it says of the span's way."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_LOGPROBS"))}
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    done = subprocess.run(
        [sys.executable, "-m", "langchain_logprobs", "doctor", "--backend", backend],
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()[-2:]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_jaeger(jaeger: Jaeger, protocol: str) -> None:
    endpoint = jaeger.grpc_endpoint if protocol == "grpc" else jaeger.http_endpoint
    code, (taken, shown) = doctor(jaeger.query_url, endpoint, protocol)
    assert code == 0
    assert "took a test span" in taken
    assert shown == f"ok     {jaeger.query_url} shows it, whole"


def test_phoenix(phoenix: Phoenix) -> None:
    code, (taken, shown) = doctor(phoenix.url, phoenix.http_endpoint, "http/protobuf")
    assert code == 0
    assert "took a test span" in taken
    assert shown == f"ok     {phoenix.url} shows it, whole"


def test_a_protocol_that_the_port_does_not_speak(jaeger: Jaeger) -> None:
    code, (_, said) = doctor(jaeger.query_url, jaeger.grpc_endpoint, "http/protobuf")
    assert code == 1
    assert said.startswith("WRONG")
    assert "did not take a test span" in said
