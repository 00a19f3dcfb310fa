"""What is installed around this package, and whether it goes together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Literal, NamedTuple

from langchain_logprobs.capture.first_use import outdated
from langchain_logprobs.instrumentor import LogprobsInstrumentor
from langchain_logprobs.patches.recovery import recoverable

OURS = "langchain-logprobs"
_SDK = "opentelemetry-sdk"
_EXPORTERS = ("opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")
_COMMAND, _DISTRO = "opentelemetry-instrumentation", "opentelemetry-distro"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


class Finding(NamedTuple):
    """One line of what was found.

    Attributes:
        mark: `ok`, `note` for what may be wanted so, or `WRONG`.
        text: What it is, and where it is not well also the cure.
    """

    mark: Literal["ok", "note", "WRONG"]
    text: str


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def packages() -> Iterator[Finding]:
    """Yield whether the packages are there that a trace needs."""
    too_old = dict(outdated())
    for name in ("langchain-core", "langchain"):
        version = version_of(name)
        if name in too_old:
            yield Finding("WRONG", f"{name} {version} is too old: pip install --upgrade '{name}>=1'")
        elif version is not None:
            yield Finding("ok", f"{name} {version}")
    sdk = version_of(_SDK)
    if sdk is None:
        yield Finding("WRONG", f'{_SDK} is missing, spans go nowhere: pip install "{OURS}[otlp]"')
        return
    exporters = [name for name in _EXPORTERS if version_of(name)]
    if exporters:
        yield Finding("ok", f"{_SDK} {sdk} with {', '.join(exporters)}")
    else:
        yield Finding("note", f'{_SDK} {sdk} without an OTLP exporter: pip install "{OURS}[otlp]"')


def instrumentations() -> Iterator[Finding]:
    """Yield what traces LangChain in this process, and what would under `opentelemetry-instrument`."""
    on = LogprobsInstrumentor().handler is not None
    automatic = "opentelemetry.instrumentation.auto_instrumentation.sitecustomize" in sys.modules
    skipped = [name.strip() for name in os.environ.get(_DISABLED, "").split(",")]
    if on:
        yield Finding("ok", f"{OURS} is switched on in this process")
    elif OURS in skipped or "*" in skipped:
        yield Finding("WRONG", f"{_DISABLED}={os.environ[_DISABLED]} leaves {OURS} out: take it from there")
    elif automatic:
        yield Finding("WRONG", f"opentelemetry-instrument did not switch {OURS} on: its lines above say why")
    yield _zero_code(on=on)
    for point in metadata.entry_points(group="opentelemetry_instrumentor"):
        distribution = point.dist.name if point.dist else point.name
        if "langchain" in distribution and distribution != OURS and point.name not in skipped:
            yield Finding("note", f"{distribution} {version_of(distribution)} traces LangChain too")


def _zero_code(*, on: bool) -> Finding:
    command, distro = version_of(_COMMAND), version_of(_DISTRO)
    if command and distro:
        where = "runs this" if on else "has all it needs: opentelemetry-instrument python app.py"
        return Finding("ok", f"opentelemetry-instrument {command} {where}")
    if command:
        return Finding(
            "WRONG", f"opentelemetry-instrument {command} exports nothing without {_DISTRO}: pip install {_DISTRO}"
        )
    return Finding("note", f'to trace without code: pip install "{OURS}[auto]"')


def recovery() -> Iterator[Finding]:
    """Yield which installed integrations drop logprobs, and whether they are made to keep them."""
    for patch, on in recoverable():
        version = patch.installed()
        if version is None:
            continue
        call = f'recover_dropped_logprobs("{patch.integration}")'
        what = f"{patch.distribution} {version} drops some logprobs"
        if on:
            yield Finding("ok", f"{what}, and {call} is on")
        elif patch.tested_with(version):
            yield Finding("note", f"{what}, and recovery is off in this process: call {call}")
        else:
            yield Finding("note", f"{what}; {call} was tested with {patch.versions} and leaves it alone")
