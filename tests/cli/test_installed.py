"""What the doctor says of packages that are missing, one by one; tests/cli/test_doctor.py takes them away for real."""

from __future__ import annotations

import sys
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_logprobs.cli import installed
from langchain_logprobs.patches import patching

AUTOMATIC = "opentelemetry.instrumentation.auto_instrumentation.sitecustomize"
HTTP, GRPC = "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that are there, by their versions."""
    versions = {"langchain-core": "1.8.3"}
    monkeypatch.setattr(installed, "version_of", versions.get)
    monkeypatch.setattr(installed, "outdated", list)
    monkeypatch.delenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", raising=False)
    return versions


def test_packages(there: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def marks() -> list[str]:
        return [finding.mark for finding in installed.packages()]

    assert marks() == ["ok", "WRONG"]  # LangChain, and no SDK
    there["opentelemetry-sdk"] = "1.45.0"
    assert marks() == ["ok", "note"]  # and no exporter
    there[GRPC] = "1.45.0"
    assert marks() == ["ok", "ok"]
    there["langchain"] = "0.0.27"
    monkeypatch.setattr(installed, "outdated", lambda: [("langchain", "0.0.27")])
    assert marks() == ["ok", "WRONG", "ok"]


def test_instrumentations(there: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    other = metadata.EntryPoint("langchain", "some:Instrumentor", "opentelemetry_instrumentor")
    point = SimpleNamespace(name=other.name, dist=SimpleNamespace(name="openinference-instrumentation-langchain"))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    there["openinference-instrumentation-langchain"] = "0.1.80"

    def said() -> list[str]:
        return [f"{finding.mark} {finding.text}" for finding in installed.instrumentations()]

    assert said() == [
        'note to trace without code: pip install "langchain-logprobs[auto]"',
        "note openinference-instrumentation-langchain 0.1.80 traces LangChain too",
    ]
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "langchain")
    assert len(said()) == 1
    there["opentelemetry-instrumentation"] = "0.66b0"
    assert "exports nothing without opentelemetry-distro" in said()[0]
    there["opentelemetry-distro"] = "0.66b0"
    assert said()[0].startswith("ok opentelemetry-instrument 0.66b0 has all it needs")
    monkeypatch.setitem(sys.modules, AUTOMATIC, sys)
    assert said()[0].startswith("WRONG opentelemetry-instrument did not switch langchain-logprobs on")
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*")
    assert said()[0].startswith("WRONG OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=* leaves langchain-logprobs out")


@pytest.mark.parametrize(
    ("version", "on", "said"),
    [
        (None, False, []),
        ("1.1", False, ['note some 1.1 drops some logprobs, and recovery is off in this process: call ']),
        ("1.1", True, ['ok some 1.1 drops some logprobs, and recover_dropped_logprobs("some") is on']),
        ("3.0", False, ['note some 3.0 drops some logprobs; recover_dropped_logprobs("some") was tested with >=1,<2']),
    ],
)  # fmt: skip
def test_recovery(monkeypatch: pytest.MonkeyPatch, version: str | None, on: bool, said: list[str]) -> None:
    patch: Any = SimpleNamespace(
        integration="some",
        distribution="some",
        versions=">=1,<2",
        installed=lambda: version,
        tested_with=lambda found: patching.Patch("s", "s", "1", "2", list, frozenset()).tested_with(found),
    )
    monkeypatch.setattr(installed, "recoverable", lambda: [(patch, on)])
    found = [f"{finding.mark} {finding.text}" for finding in installed.recovery()]
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
