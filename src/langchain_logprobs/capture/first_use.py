"""What keeps the first half hour from showing anything: said once a process, with the cause and the cure."""

from __future__ import annotations

import importlib.util
import logging
from importlib import metadata

from langchain_logprobs.telemetry.spans import Telemetry

logger: logging.Logger = logging.getLogger("langchain_logprobs")

NO_PROVIDER = (
    "nothing is recorded, as OpenTelemetry has no tracer provider: set one with "
    "opentelemetry.trace.set_tracer_provider(...), or start the program by opentelemetry-instrument"
)
NO_SDK = 'they come with pip install "langchain-logprobs[auto]"'
NO_PROCESSOR = (
    "spans are recorded and sent nowhere, as the tracer provider has no span processor: "
    "call provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))"
)

_done: set[str] = set()


def is_first(what: str) -> bool:
    """Tell whether this is the first time in this process that it is asked about something."""
    if what in _done:
        return False
    _done.add(what)
    return True


def logprobs_came() -> None:
    """Note that a call had logprobs: whoever asks for none later knows how to."""
    _done.add("not asked")


def check_spans(telemetry: Telemetry) -> None:
    """Say where the spans of this process end, if it is nowhere. The first call that ends decides."""
    if not is_first("spans"):
        return
    gap = telemetry.gap()
    if gap == "no provider":
        installed = importlib.util.find_spec("opentelemetry.sdk") is not None
        logger.warning("langchain-logprobs: %s", NO_PROVIDER if installed else f"{NO_PROVIDER} ({NO_SDK})")
    elif gap == "no processor":
        logger.warning("langchain-logprobs: %s", NO_PROCESSOR)


def check_versions() -> None:
    """Say once if LangChain is older than what this package can work with.

    pip installs no such langchain-core beside this package. A `langchain<1` it can only fulfil with a release of 2022
    that depends on nothing of LangChain's, and it does so in silence.
    """
    if is_first("versions"):
        for name, version in outdated():
            logger.warning(
                "langchain-logprobs needs LangChain 1.x, and %s %s is installed: pip install --upgrade '%s>=1'",
                name,
                version,
                name,
            )


def outdated() -> list[tuple[str, str]]:
    """Return LangChain's packages that are installed and older than 1.0, each with its version."""
    found = []
    for name in ("langchain-core", "langchain"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version.startswith("0."):
            found.append((name, version))
    return found
