"""Every span arrives at a gRPC server of default limits, all settings at their defaults: ours and the application's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.otlp import SplittingSpanExporter
from tests.otlp.receiver import grpc_receiver
from tests.support import entry

TOKENS = 2_000
WORDS = [" river", " shapes", " the", " land", " it", " crosses"]


def answer() -> LLMResult:
    """An answer of 2,000 tokens with two alternatives each, one in twenty of them unsure."""
    entries = []
    for number in range(TOKENS):
        word, other = WORDS[number % 6], WORDS[(number + 1) % 6]
        logprob = -2.3456789 if number % 20 == 0 else -0.0123456789
        entries.append(entry(word, logprob, (other, -0.3 if number % 20 == 0 else -4.5)))
    text = "".join(item["token"] for item in entries)
    info = {"finish_reason": "stop", "logprobs": {"content": entries}}
    return LLMResult(generations=[[ChatGeneration(message=AIMessage(text), generation_info=info)]])


def calls_inside_own_spans(exporter: SpanExporter, calls: int) -> None:
    """Make so many calls, each inside a span of the application's, and flush once."""
    # The processor's own thread must not send a part of them before the flush, however slow this machine is: one
    # flush is the case. The sizes of its batches stay the default.
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    tracer = provider.get_tracer("the app")
    ended: Any = answer()
    for _ in range(calls):
        with tracer.start_as_current_span("POST /chat"):
            run = uuid4()
            handler.on_chat_model_start({}, [[]], run_id=run, invocation_params={"logprobs": True})
            handler.on_llm_end(ended, run_id=run)
    provider.force_flush()
    provider.shutdown()


@pytest.mark.parametrize("calls", [150, pytest.param(600, marks=pytest.mark.slow)])
def test_every_span_arrives(calls: int) -> None:
    with grpc_receiver() as receiver:
        exporter = OTLPSpanExporter(endpoint=receiver.endpoint, insecure=True)
        calls_inside_own_spans(SplittingSpanExporter(exporter), calls)
    assert Counter(receiver.names) == {"POST /chat": calls, "chat": calls}
    assert max(receiver.requests) <= 4_000_000
    # The parts are filled: a span of the kind is 40 to 48 KB.
    assert len(receiver.requests) <= calls * 48_000 // 3_500_000 + 2 + 2 * calls // 512


@pytest.mark.parametrize("calls", [150, pytest.param(600, marks=pytest.mark.slow)])
def test_without_it_they_are_lost_with_the_applications_own(calls: int) -> None:
    with grpc_receiver() as receiver:
        # The time-out is what it goes on trying for, in vain.
        calls_inside_own_spans(OTLPSpanExporter(endpoint=receiver.endpoint, insecure=True, timeout=1), calls)
    assert Counter(receiver.names)["POST /chat"] < calls // 2


APPLICATION = """
from uuid import uuid4
from opentelemetry import trace
from langchain_logprobs import LogprobsCallbackHandler
from tests.otlp.test_arrival import answer

handler, ended = LogprobsCallbackHandler(), answer()
for _ in range(100):
    with trace.get_tracer("app").start_as_current_span("POST /chat"):
        run = uuid4()
        handler.on_chat_model_start({}, [[]], run_id=run, invocation_params={"logprobs": True})
        handler.on_llm_end(ended, run_id=run)
trace.get_tracer_provider().force_flush()
"""


def instrumented(endpoint: str, **environ: str) -> Sequence[str]:
    """Run the application under `opentelemetry-instrument`; return what it wrote on standard error."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "LANGCHAIN_"))}
    command = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    done = subprocess.run(
        [command, sys.executable, "-c", APPLICATION],
        env={
            **kept,
            "PYTHONPATH": os.getcwd(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stderr.splitlines()


def test_under_opentelemetry_instrument_by_its_name_alone() -> None:
    with grpc_receiver() as receiver:
        said = instrumented(receiver.endpoint, OTEL_TRACES_EXPORTER="otlp_split")
    assert Counter(receiver.names) == {"POST /chat": 100, "chat": 100}
    assert said == []


def test_under_opentelemetry_instrument_as_it_is_one_line_names_cause_and_cure() -> None:
    with grpc_receiver() as receiver:
        said = instrumented(receiver.endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert Counter(receiver.names)["POST /chat"] < 50
    (warning,) = [line for line in said if "otlp_split" in line]
    assert "512" in warning
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=64" in warning


def test_with_small_batches_all_arrive_too_and_nothing_is_said() -> None:
    with grpc_receiver() as receiver:
        said = instrumented(receiver.endpoint, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="64")
    assert Counter(receiver.names) == {"POST /chat": 100, "chat": 100}
    assert said == []
