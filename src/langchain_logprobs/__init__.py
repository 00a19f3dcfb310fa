"""Token confidence for every LangChain model call, on OpenTelemetry spans."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_logprobs._version import __version__
    from langchain_logprobs.calls import ModelCalls, WithConfidence, confidence_of_calls, with_confidence
    from langchain_logprobs.capture.calls import ModelCall
    from langchain_logprobs.confidence.fields.assign import field_confidences
    from langchain_logprobs.confidence.fields.report import Field, FieldReport
    from langchain_logprobs.confidence.fields.tool_calls import ToolCallReport, tool_call_confidences
    from langchain_logprobs.confidence.measures import Measures, measure
    from langchain_logprobs.confidence.of_answer import confidence_of
    from langchain_logprobs.confidence.report import ConfidenceReport
    from langchain_logprobs.confidence.stretches import Stretch, low_confidence_stretches
    from langchain_logprobs.formats.answer import read_logprobs
    from langchain_logprobs.formats.carrying import strip_logprobs
    from langchain_logprobs.formats.tokens import Alternative, TokenLogprob
    from langchain_logprobs.handler import LogprobsCallbackHandler
    from langchain_logprobs.instrumentor import LogprobsInstrumentor
    from langchain_logprobs.patches.recovery import recover_dropped_logprobs
    from langchain_logprobs.settings import Settings

__all__ = [
    "Alternative",
    "ConfidenceReport",
    "Field",
    "FieldReport",
    "LogprobsCallbackHandler",
    "LogprobsInstrumentor",
    "Measures",
    "ModelCall",
    "ModelCalls",
    "Settings",
    "Stretch",
    "TokenLogprob",
    "ToolCallReport",
    "WithConfidence",
    "__version__",
    "confidence_of",
    "confidence_of_calls",
    "field_confidences",
    "low_confidence_stretches",
    "measure",
    "read_logprobs",
    "recover_dropped_logprobs",
    "strip_logprobs",
    "tool_call_confidences",
    "with_confidence",
]

# Imported when first used, as langchain-core does it: a program that only mentions us must not wait for OpenTelemetry.
_HOMES = {
    "Alternative": "formats.tokens",
    "ConfidenceReport": "confidence.report",
    "Field": "confidence.fields.report",
    "FieldReport": "confidence.fields.report",
    "LogprobsCallbackHandler": "handler",
    "LogprobsInstrumentor": "instrumentor",
    "Measures": "confidence.measures",
    "ModelCall": "capture.calls",
    "ModelCalls": "calls",
    "Settings": "settings",
    "Stretch": "confidence.stretches",
    "TokenLogprob": "formats.tokens",
    "ToolCallReport": "confidence.fields.tool_calls",
    "WithConfidence": "calls",
    "__version__": "_version",
    "confidence_of": "confidence.of_answer",
    "confidence_of_calls": "calls",
    "field_confidences": "confidence.fields.assign",
    "low_confidence_stretches": "confidence.stretches",
    "measure": "confidence.measures",
    "read_logprobs": "formats.answer",
    "recover_dropped_logprobs": "patches.recovery",
    "strip_logprobs": "formats.carrying",
    "tool_call_confidences": "confidence.fields.tool_calls",
    "with_confidence": "calls",
}


def _lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package that imports its public names when they are first used.

    Args:
        package: The package's name.
        homes: The module in it that each name is in.
    """

    def imported(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home}"), name)
        vars(sys.modules[package])[name] = value
        return value

    return imported


__getattr__: Callable[[str], Any] = _lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
