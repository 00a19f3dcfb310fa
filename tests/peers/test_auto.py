"""A program that knows nothing of tracing, started by `opentelemetry-instrument` where every peer is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.peers.calls import answer, tokens_of
from tests.peers.test_matrix import ALL, calls_of
from tests.providers.wire import WireServer

PROGRAM = """
import asyncio
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="gpt-4o", logprobs=True, api_key="unused")
chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model
chain.invoke({"question": "a"})
list(chain.stream({"question": "b"}))
asyncio.run(chain.ainvoke({"question": "c"}))
"""
OFF = {
    "all of them": "",
    "genai-openai alone": "langchain",  # three instrumentations of LangChain share that name
}


def spans_of(output: str) -> list[Any]:
    """What the console exporter printed: one JSON document after the other."""
    decoder, spans, place = json.JSONDecoder(), [], 0
    while (place := output.find("{", place)) >= 0:
        span, place = decoder.raw_decode(output, place)
        spans.append(span)
    return spans


@pytest.mark.skipif("official" not in ALL, reason="the environment is another")
@pytest.mark.parametrize("off", OFF)
def test_one_span_of_each_call_has_its_tokens_and_none_is_ours(off: str) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_", "COV_"))}
    with WireServer() as wire:
        wire.answer("/v1/chat/completions", answer)
        done = subprocess.run(
            [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-c", PROGRAM],
            env={
                **kept,
                "OPENAI_BASE_URL": f"{wire.url}/v1",
                "OTEL_TRACES_EXPORTER": "console",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": OFF[off],
                "TRACELOOP_TELEMETRY": "false",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2_000:]
    spans = spans_of(done.stdout)
    calls = calls_of(spans)
    found = sorted((call["attributes"]["logprobs.tokens"] for call in calls), key=lambda tokens: str(tokens[0]))
    assert found == [tokens_of(question) for question in "abc"]
    assert {call["attributes"]["logprobs.status"] for call in calls} == {"recorded"}
    if OFF[off]:
        # The requests' own spans are there too; a step of ours would be one more.
        assert [span for span in spans if span["name"] != "POST"] == calls
