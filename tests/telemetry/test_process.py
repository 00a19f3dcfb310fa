"""A program that forgot where spans should go is told once; one that did not, or wants it so, is not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CALLS = """
import sys
from langchain_core.language_models import FakeListChatModel
from langchain_logprobs import LogprobsCallbackHandler, LogprobsInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exported = TracerProvider()
exported.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
model = FakeListChatModel(responses=["yes"])

def call(times=1, **handler):
    for _ in range(times):
        model.invoke("hi", config={"callbacks": [LogprobsCallbackHandler(**handler)]})
"""
PROVIDER = "langchain-logprobs: no tracer provider is set"
EXPORTER = "langchain-logprobs: the tracer provider has no exporter"


@pytest.mark.parametrize(
    ("code", "environ", "said"),
    [
        ("call()", {}, [PROVIDER]),
        ("call(30)", {}, [PROVIDER]),
        ("LogprobsInstrumentor().instrument(); model.invoke('hi')", {}, [PROVIDER]),
        ("call(tracer_provider=TracerProvider())", {}, [EXPORTER]),
        ("trace.set_tracer_provider(TracerProvider()); call(3)", {}, [EXPORTER]),
        ("call(10); print('before the end', file=sys.stderr)", {}, [PROVIDER, "before the end"]),
        ("trace.set_tracer_provider(exported); call()", {}, []),
        ("call(); trace.set_tracer_provider(exported)", {}, []),  # late, and in time
        ("call(3); trace.set_tracer_provider(exported); call(30)", {}, []),
        ("call(tracer_provider=exported)", {}, []),
        ("call(on_call=lambda call: None)", {}, []),  # takes the reports, and may want no spans
        ("call()", {"OTEL_SDK_DISABLED": "true"}, []),
        ("call(); trace.set_tracer_provider(TracerProvider())", {"OTEL_TRACES_EXPORTER": "none"}, []),
    ],
)
def test_what_is_said(code: str, environ: dict[str, str], said: list[str]) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", CALLS + code], env={**kept, **environ}, capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(said)
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True))
