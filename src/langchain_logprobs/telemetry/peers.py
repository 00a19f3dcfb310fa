"""Which instrumentations of others have spans that we can join, and how each is recognised: by public names alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

RUN_SCOPES = frozenset(
    {
        "langfuse-sdk",
        "openinference.instrumentation.langchain",
        "opentelemetry.instrumentation.genai.langchain",
        "opentelemetry.instrumentation.langchain",
    }
)
"""Instrumentation scopes of those that have a span for LangChain's runs, and start it inside LangChain's callbacks."""

_HANDLERS = (
    "langfuse.",
    "openinference.instrumentation.langchain.",
    "opentelemetry.instrumentation.genai.langchain.",
    "opentelemetry.instrumentation.langchain.",
)
"""Where the classes of their callback handlers are defined."""

_CLIENT_SCOPES = ("opentelemetry.instrumentation.", "logfire.")
"""How the scopes of those begin that have a span for the model client's request."""

_MODEL_CALLS = ("chat", "text_completion", "generate_content")

_CLIENT_INSTRUMENTORS = (
    ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
)
"""Their instrumentors, which say by OpenTelemetry's own interface whether they are on."""


def any_handler(handlers: Iterable[object]) -> bool:
    """Tell whether one of these callback handlers belongs to another instrumentation, which has spans for runs."""
    return any(type(each).__module__.startswith(_HANDLERS) for each in handlers)


def is_client_traced() -> bool:
    """Tell whether another instrumentation has a span for each request that a model's client makes."""
    for module, name in _CLIENT_INSTRUMENTORS:
        instrumentor = getattr(sys.modules.get(module), name, None)
        if instrumentor is not None and instrumentor().is_instrumented_by_opentelemetry:
            return True
    if "logfire" in sys.modules and (openai := sys.modules.get("openai")) is not None:
        # Logfire says of no client whether it has instrumented it; but then the method is one of Logfire's.
        method = getattr(getattr(openai, "OpenAI", None), "request", None)
        return str(getattr(method, "__globals__", {}).get("__name__")).startswith("logfire.")
    return False


def is_model_call(scope: str, attributes: Any) -> bool:
    """Tell whether a span that starts is what an instrumentation of a client has for a model call."""
    if not scope.startswith(_CLIENT_SCOPES):
        return False
    return (attributes or {}).get("gen_ai.operation.name") in _MODEL_CALLS
