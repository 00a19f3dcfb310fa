"""A backend that is down, or that takes a connection and never answers: the chain does not notice.

The claim is about wall time: with the handler and a faulty backend a chain takes at most 5 % longer than without a
handler. Runs with and without alternate, so that a busy machine slows both, and the medians of the pairs are compared.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from tests.e2e.paths import GIVEN, chain, chat_model, collect
from tests.e2e.processes import free_ports
from tests.e2e.tracing import Traced
from tests.providers.wire import WireServer, sse

TOKENS = 40
PAUSE = 0.01  # between two tokens: 100 a second is a usual speed
ALLOWED = 1.05
PAIRS = 11
MOST_PAIRS = 44  # for a machine so busy that the first ones say nothing
EXPORT_TIMEOUT = 2  # seconds; by default the exporters try for 10


def answer() -> Any:
    def event(delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    tops = [{"token": f" w{rank}", "logprob": -0.5 - rank, "bytes": None} for rank in range(5)]
    entry = {"token": " word", "logprob": -0.4, "bytes": None, "top_logprobs": tops}
    tokens = [event({"content": " word"}, {"content": [entry]}) for _ in range(TOKENS)]
    return sse([*tokens, event({}, finish="stop")], pause=PAUSE)


@pytest.fixture
def model_url() -> Iterator[str]:
    with WireServer() as server:
        server.answer("/v1/chat/completions", answer())
        yield server.url


@contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on."""
    yield free_ports(1)[0]


@contextmanager
def hanging() -> Iterator[int]:
    """A port that takes every connection and never answers."""
    stopped = threading.Event()
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def take() -> None:
            while not stopped.is_set():
                try:
                    taken.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()
            for each in taken:
                each.close()


def exporter(protocol: str, port: int) -> SpanExporter:
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces", timeout=EXPORT_TIMEOUT)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

    return GrpcExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True, timeout=EXPORT_TIMEOUT)


Call = Callable[[RunnableConfig], list[str]]


@contextmanager
def streaming(mode: str, url: str) -> Iterator[Call]:
    """A function that streams the answer through a chain, in an event loop or without."""
    model = chat_model(url)
    if mode == "sync":
        yield lambda config: list(chain(model).stream(GIVEN, config))
        return
    with asyncio.Runner() as runner:
        yield lambda config: runner.run(collect(chain(model).astream(GIVEN, config)))
        runner.run(model.root_async_client.close())


def seconds(call: Call, config: RunnableConfig) -> float:
    started = time.perf_counter()
    parts = call(config)
    elapsed = time.perf_counter() - started
    assert "".join(parts) == " word" * TOKENS
    return elapsed


def slowdown(call: Call, config: RunnableConfig) -> tuple[float, int]:
    """How many times longer a call takes with this config than with none: the median over pairs, and their number."""
    seconds(call, {})
    seconds(call, config)
    ratios: list[float] = []
    for pairs in (PAIRS, MOST_PAIRS):
        while len(ratios) < pairs:
            if len(ratios) % 2:  # neither of the two is always the first
                with_handler = seconds(call, config)
                without = seconds(call, {})
            else:
                without = seconds(call, {})
                with_handler = seconds(call, config)
            ratios.append(with_handler / without)
        if statistics.median(ratios) <= ALLOWED:
            break
    return statistics.median(ratios), len(ratios)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("fault", [refusing, hanging])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_chain_does_not_notice(
    mode: str,
    fault: Callable[[], Any],
    protocol: str,
    model_url: str,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    with fault() as port:
        # Exported every 0.1 s, so that exports fail while the chain runs and not only afterwards.
        processor = BatchSpanProcessor(exporter(protocol, port), schedule_delay_millis=100)
        with Traced(processors=[processor]) as traced, streaming(mode, model_url) as call:
            ratio, pairs = slowdown(call, traced.config)
            record_property("slowdown", ratio)
            print(f"{ratio:.4f} times as long, median of {pairs} pairs")
            assert traced.handler.open_runs == 0
            assert len(traced.calls) == pairs + 1
    assert ratio <= ALLOWED
    said = [record for record in caplog.records if record.name.startswith("langchain_logprobs")]
    # Over gRPC the first handler of the process says how large a batch can get.
    assert [record for record in said if protocol == "http" or record.module != "batches"] == []
