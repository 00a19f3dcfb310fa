"""One process with one peer, with and without us, and the spans that it made: `python -m tests.peers.scenario '{...}'`.

A process of its own, because an instrumentation is switched on for a process and leaves traces behind.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, TraceIdRatioBased

EXPORTER = InMemorySpanExporter()
ROOT = Path(__file__).resolve().parent.parent.parent


class Scenario(NamedTuple):
    """What a process does.

    Attributes:
        peer: A name of `setup.PEERS`.
        ours: `last` or `first` for our instrumentor, after the peer's or before; `handler` for the bare handler in
            `callbacks`; empty for none of us.
        ratio: The share of traces that is sampled.
        modes: Methods of `calls.Calls`.
        repeat: How often each is called.
    """

    peer: str
    ours: str
    modes: tuple[str, ...]
    ratio: float = 1.0
    repeat: int = 1

    def run(self) -> dict[str, Any]:
        """Run it in a process of its own, and return for each mode the questions, the spans and what is left over."""
        environ = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("OTEL_", "LANGCHAIN_", "LANGSMITH_", "LANGFUSE_", "COV_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.peers.scenario", json.dumps(self._asdict())],
            cwd=ROOT,
            env={**environ, "TRACELOOP_TELEMETRY": "false"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4_000:]
        found: dict[str, Any] = json.loads(done.stdout.rsplit("\n@", 1)[1])
        found["log"] = done.stderr
        return found


def _plain(span: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None
    assert span.instrumentation_scope is not None
    return {
        "name": span.name,
        "scope": span.instrumentation_scope.name,
        "trace": f"{span.context.trace_id:032x}",
        "id": f"{span.context.span_id:016x}",
        "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
        "kind": span.kind.name,
        "status": [span.status.status_code.name, span.status.description],
        "start": span.start_time,
        "end": span.end_time,
        "attributes": dict(span.attributes or {}),
        "events": [[event.name, dict(event.attributes or {})] for event in span.events],
        "dropped": span.dropped_attributes + span.dropped_events,
    }


def _handlers(scenario: Scenario, provider: TracerProvider) -> tuple[Any, Any]:
    """Switch the peer and us on, in the order that is asked for; return the callbacks to pass, and our handler."""
    from langchain_logprobs import LogprobsCallbackHandler, LogprobsInstrumentor
    from tests.peers.setup import PEERS

    if scenario.ours == "first":
        LogprobsInstrumentor().instrument()
    callbacks = PEERS[scenario.peer](provider)
    if scenario.ours == "last":
        LogprobsInstrumentor().instrument()
    if scenario.ours == "handler":
        handler = LogprobsCallbackHandler()
        return lambda: [handler, *callbacks()], handler
    return callbacks, LogprobsInstrumentor().handler if scenario.ours else None


def _left_over(handler: Any) -> int:
    """Wait until all runs have ended, as those that LangChain forgets do in a second; return how much is still kept."""
    from langchain_logprobs.telemetry.joined import peer_spans_on

    gc.collect()  # some peers end a span when a generator of theirs is collected
    if handler is None:
        return 0
    spans = peer_spans_on(None)
    for _ in range(50):
        gc.collect()
        left = handler.open_runs + (0 if spans is None else len(spans))
        if not left:
            break
        time.sleep(0.1)
    return int(left)


def main() -> None:
    scenario = Scenario(**json.loads(sys.argv[1]))
    provider = TracerProvider(
        sampler=ALWAYS_ON if scenario.ratio == 1.0 else ParentBased(TraceIdRatioBased(scenario.ratio))
    )
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))

    from tests.peers.calls import Calls, answer
    from tests.providers.wire import WireServer

    callbacks, handler = _handlers(scenario, provider)
    found: dict[str, Any] = {}
    with WireServer() as wire:
        wire.answer("/v1/chat/completions", answer)
        calls = Calls(wire.url, callbacks)
        for mode in scenario.modes:
            EXPORTER.clear()
            started = time.time_ns()
            asked = [question for _ in range(scenario.repeat) for question in getattr(calls, mode)()]
            ended = time.time_ns()
            left = _left_over(handler)
            if scenario.peer == "langsmith":
                time.sleep(1.0)
            spans = [_plain(span) for span in EXPORTER.get_finished_spans()]
            found[mode] = {"asked": asked, "spans": spans, "left": left, "started": started, "ended": ended}
    print("\n@" + json.dumps({"modes": found}, default=repr))
    sys.stdout.flush()
    os._exit(0)  # without what peers do at exit: some wait for a backend


if __name__ == "__main__":
    # Under its own name, so that the exporter is one.
    from tests.peers import scenario as itself

    itself.main()
