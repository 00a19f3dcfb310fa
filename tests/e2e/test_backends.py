"""Real backends: what the handler writes is sent by the real exporters and read back through the backend's own API."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.e2e.backends import (
    INSTALL_TIMEOUT,
    JAEGER_BUILD_TIMEOUT,
    Backend,
    EventData,
    SpanData,
    exporter,
    sent,
)
from tests.e2e.paths import GIVEN, chain, chat_model
from tests.e2e.processes import wait_for
from tests.e2e.tracing import Traced, attributes, tokens, values
from tests.providers.wire import WireServer, sse

# The first test may have to build Jaeger (4 minutes on two cores) or to install Phoenix.
pytestmark = pytest.mark.timeout(JAEGER_BUILD_TIMEOUT + INSTALL_TIMEOUT)

TOKENS = 2000
TOP = 5
ARRIVAL_TIMEOUT = 30.0

# What breaks naive storage: spaces, line breaks, quotes, control characters, other scripts, emoji, an empty token.
VOCABULARY = (
    " the",
    " of",
    "The",
    ".",
    ",",
    "\n",
    "\n\n",
    '"',
    "\\",
    "\t",
    " é",
    "ß",
    "你好",
    " мир",
    "😀",
    "👩‍🚀",
    "",
    "{}",
    "[1]",
    " $",
)
CENSORED = -9999.0  # "too unlikely to say"


def streamed_answer() -> list[dict[str, Any]]:
    """An answer of 2,000 tokens with five alternatives each, as the events of OpenAI's chat completions."""
    dice = random.Random(20261122)

    def entry(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    def event(delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    events = [event({"role": "assistant", "content": ""})]
    for position in range(TOKENS):
        tops = sorted((-dice.expovariate(0.4) for _ in range(TOP)), reverse=True)
        others = dice.sample(VOCABULARY, TOP)
        chosen = 0 if dice.random() < 0.8 else dice.randrange(1, TOP)
        token, logprob = others[chosen], tops[chosen] if position % 500 else CENSORED
        alternatives = [entry(other, top) for other, top in zip(others, tops, strict=True)]
        events.append(event({"content": token}, {"content": [{**entry(token, logprob), "top_logprobs": alternatives}]}))
    events.append(event({}, finish="stop"))
    return events


@pytest.fixture(scope="module")
def answer() -> list[dict[str, Any]]:
    return streamed_answer()


@pytest.fixture
def model_url(answer: list[dict[str, Any]]) -> Iterator[str]:
    with WireServer() as server:
        server.answer("/v1/chat/completions", sse(answer))
        yield server.url


@pytest.fixture(params=["phoenix", "jaeger"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue(request.param)
    return found


def ordered(span: SpanData) -> list[EventData]:
    """A span's events in an order of our own: a backend may give those of one time in any."""
    return [event for _, event in _events(span)]


def times(span: SpanData) -> list[int]:
    """When it started and ended, and the times of its events in that order."""
    return [*span.times[:2], *(time for time, _ in _events(span))]


def _events(span: SpanData) -> list[tuple[int, EventData]]:
    pairs = zip(span.times[2:], span.events, strict=True)
    return sorted(pairs, key=lambda pair: (pair[1].name, repr(sorted(pair[1].attributes.items()))))


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_trace_read_back_equals_what_was_sent(
    backend: Backend, protocol: str, model_url: str, answer: list[dict[str, Any]]
) -> None:
    service = f"e2e-{uuid.uuid4().hex}"
    with Traced(service=service, processors=[BatchSpanProcessor(exporter(backend, protocol))]) as traced:
        text = "".join(chain(chat_model(model_url, top_logprobs=TOP)).stream(GIVEN, traced.config))
        assert traced.provider.force_flush()
        traced.assert_complete()

    # What was sent is what the model said.
    entries = [each["choices"][0]["logprobs"]["content"][0] for each in answer[1:-1]]
    (call,) = traced.calls
    assert text == "".join(entry["token"] for entry in entries)
    assert tokens(call) == [entry["token"] for entry in entries]
    assert values(call) == [-100.0 if entry["logprob"] == CENSORED else entry["logprob"] for entry in entries]
    chunks = [event.attributes or {} for event in call.events if event.name == "logprobs.chunk"]
    assert 1 < len(chunks) <= traced.handler.settings.max_chunk_events
    assert sum(int(str(each["logprobs.token.count"])) for each in chunks) == TOKENS

    # What came back is what was sent.
    (root,) = traced.roots
    assert root.context is not None
    trace_id = format(root.context.trace_id, "032x")
    expected = {span.span_id: span for span in map(sent, traced.spans)}
    received = wait_for(
        lambda: found if len(found := backend.read(service, trace_id)) >= len(expected) else None,
        timeout=ARRIVAL_TIMEOUT,
        what=f"{len(expected)} spans in {backend.name}",
    )
    assert {span.span_id for span in received} == set(expected)
    assert len(received) == len(expected)
    for span in received:
        original = expected[span.span_id]
        sent_too = original.attributes
        own = {key: it for key, it in span.attributes.items() if key in sent_too or not backend.own_attribute(key)}
        assert own == original.attributes
        assert ordered(span) == ordered(original)
        assert (span.name, span.parent_id) == (original.name, original.parent_id)
        for kept, time in zip(times(span), times(original), strict=True):
            assert abs(kept - time) <= backend.time_error

    if backend.name == "phoenix":
        # Its own converter has taken our messages: the answer alone, without the part on confidence.
        (kept_call,) = [span for span in received if span.span_id == format(call.context.span_id, "016x")]
        shown = kept_call.attributes["llm.output_messages.0.message.content"]
        assert text.startswith(shown.removesuffix(" …"))
        assert len(shown) > 100
        (kept_root,) = [span for span in received if span.parent_id is None]
        assert kept_root.attributes["openinference.span.kind"] == "CHAIN"
        assert kept_root.attributes["output.value"] == shown

    # The trace is found by its root's level, and not by another level.
    level = attributes(root)["logprobs.confidence.level"]
    other = "high" if level != "high" else "low"
    assert backend.find_roots(service, root.name, {"logprobs.confidence.level": level}) == {trace_id}
    assert backend.find_roots(service, root.name, {"logprobs.confidence.level": other}) == set()
