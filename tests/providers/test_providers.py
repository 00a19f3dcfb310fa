"""The real integrations against a local server that speaks each provider's protocol: no logprob they carry is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs.handler import LogprobsCallbackHandler
from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers import answers
from tests.providers.row import LAST, MISSING, RAISES, RECORDED, UNTOLD, Row
from tests.providers.table import ROWS
from tests.providers.wire import WireServer

PATHS = ("invoke", "ainvoke", "stream", "astream", "v3", "av3")


# stream_events(version="v3") says that it is in beta.
pytestmark = pytest.mark.filterwarnings("ignore:.* is in beta")

STATUS = {RAISES: "partial", LAST: "partial"}


def marks(row: Row) -> list[pytest.MarkDecorator]:
    """A row's filters for warnings."""
    return [pytest.mark.filterwarnings(each) for each in row.warns]


def status_of(row: Row, path: str) -> str | None:
    return {"invoke": row.invoke, "stream": row.stream, "v3": row.v3}[path.removeprefix("a")]


def parameters(rows: list[Row], paths: tuple[str, ...]) -> list[Any]:
    """Each row on each path that its class has."""
    return [
        pytest.param(row, path, id=f"{row}-{path}", marks=marks(row))
        for row in rows
        for path in paths
        if status_of(row, path) is not None and not (path.startswith("a") and row.no_async)
    ]


def call(model: Any, path: str, handler: Any) -> None:
    """Call a model on one of PATHS and consume its answer."""
    config = {"callbacks": [handler]}

    async def astream() -> None:
        stream = (
            model.astream("hi", config) if path == "astream" else await model.astream_events("hi", config, version="v3")
        )
        async for _ in stream:
            pass

    if path == "invoke":
        model.invoke("hi", config)
    elif path == "ainvoke":
        asyncio.run(model.ainvoke("hi", config))
    elif path.startswith("a"):
        asyncio.run(astream())
    else:
        for _ in model.stream("hi", config) if path == "stream" else model.stream_events("hi", config, version="v3"):
            pass


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def attributes_after(
    row: Row, path: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch, *, ask: bool
) -> dict[str, Any]:
    """Call a row's model on a path; returns the attributes of the one span."""
    for name, stand_in in row.stands_in.items():
        monkeypatch.setitem(sys.modules, name, stand_in())
    wire.answer("*", row.serve)
    exporter = InMemorySpanExporter()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    handler = LogprobsCallbackHandler(tracer_provider=tracer_provider)
    raises = ask and status_of(row, path) == RAISES
    with pytest.raises(TypeError, match="logprobs already exists") if raises else contextlib.nullcontext():
        call(row.make(wire.url, ask=ask), path, handler)
    handler.close()  # LangChain tells nobody when it cannot merge the chunks: such a run is still open
    (span,) = exporter.get_finished_spans()
    return dict(span.attributes or {})


def assert_recorded(attributes: dict[str, Any], at: slice = slice(None)) -> None:
    assert attributes["logprobs.tokens"] == answers.TOKENS[at]
    assert attributes["logprobs.values"] == pytest.approx(answers.VALUES[at], rel=1e-6)  # Vertex AI's are 32-bit floats


@pytest.mark.parametrize(("row", "path"), parameters(list(ROWS), PATHS))
def test_the_span_has_what_the_wire_carried(
    row: Row, path: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(row.module)
    attributes = attributes_after(row, path, wire, monkeypatch, ask=True)
    expected = status_of(row, path)
    if expected in (MISSING, UNTOLD):
        assert "logprobs.tokens" not in attributes
    else:
        assert_recorded(attributes, slice(-1, None) if expected == LAST else slice(None))
        streamed = path.removeprefix("a") != "invoke"
        assert attributes["logprobs.source"] == ((streamed and row.stream_source) or row.source)
    assert attributes["logprobs.status"] == STATUS.get(expected, expected)
    if wire.requests:
        # The provider was asked, so that it is LangChain's class that dropped what is missing.
        body = wire.requests[-1].body.lower()
        assert (b"logprobs" in body) == (row.asks and row.sent)


@pytest.mark.parametrize(("row", "path"), parameters([row for row in ROWS if row.asks], ("invoke",)))
def test_nobody_asked(row: Row, path: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(row.module)
    attributes = attributes_after(row, path, wire, monkeypatch, ask=False)
    assert attributes["logprobs.status"] == "not_requested"
    assert not {"logprobs.tokens", "logprobs.source", "logprobs.mean"} & set(attributes)


@pytest.mark.parametrize(("row", "path"), parameters([row for row in ROWS if row.recovery], PATHS))
def test_recovered(row: Row, path: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(row.module)
    assert row.recovery is not None
    undo = recover_dropped_logprobs(row.recovery)
    try:
        attributes = attributes_after(row, path, wire, monkeypatch, ask=True)
    finally:
        undo()
    assert attributes["logprobs.status"] == RECORDED
    assert_recorded(attributes)
