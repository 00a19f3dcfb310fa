"""How each peer is switched on, as its own documentation says; each function returns what is passed in `callbacks`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

Callbacks = Callable[[], Sequence[BaseCallbackHandler]]


def nobody() -> Sequence[BaseCallbackHandler]:
    return ()


def official(provider: TracerProvider) -> Callbacks:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    trace.set_tracer_provider(provider)
    LangChainInstrumentor().instrument()
    return nobody


def openinference(provider: TracerProvider) -> Callbacks:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    trace.set_tracer_provider(provider)
    LangChainInstrumentor().instrument()
    return nobody


def openllmetry(provider: TracerProvider) -> Callbacks:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    trace.set_tracer_provider(provider)
    LangchainInstrumentor().instrument()
    return nobody


def langfuse(provider: TracerProvider) -> Callbacks:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    trace.set_tracer_provider(provider)
    Langfuse(public_key="pk", secret_key="sk", host="http://127.0.0.1:9", span_exporter=Nowhere())
    return lambda: [CallbackHandler()]


def genai_openai(provider: TracerProvider) -> Callbacks:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
    return nobody


def openai_v2(provider: TracerProvider) -> Callbacks:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
    return nobody


def official_and_genai_openai(provider: TracerProvider) -> Callbacks:
    official(provider)
    return genai_openai(provider)


def logfire(provider: TracerProvider) -> Callbacks:
    import logfire as package
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    import langchain_logprobs
    from tests.peers.scenario import EXPORTER

    package.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(EXPORTER)], metrics=False
    )
    # Logfire says where in the program a call is made: for that it leaves out what is installed, as we are elsewhere.
    package.add_non_user_code_prefix(Path(langchain_logprobs.__file__).parent)
    package.instrument_openai()
    return nobody


def langsmith(provider: TracerProvider) -> Callbacks:
    trace.set_tracer_provider(provider)
    for name, value in {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_OTEL_ONLY": "true",
        "LANGSMITH_API_KEY": "unused",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    }.items():
        os.environ[name] = value
    return nobody


def mlflow(provider: TracerProvider) -> Callbacks:
    import mlflow as package

    trace.set_tracer_provider(provider)
    package.langchain.autolog()
    return nobody


PEERS = {
    each.__name__: each
    for each in (
        official,
        openinference,
        openllmetry,
        langfuse,
        genai_openai,
        openai_v2,
        official_and_genai_openai,
        logfire,
        langsmith,
        mlflow,
    )
}
