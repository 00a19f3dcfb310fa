"""Under the instrumentor, a run's span is current while its work is done: requests and queries hang under it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsInstrumentor, Settings
from langchain_logprobs.telemetry import current
from tests.providers.wire import WireServer, json_body, sse
from tests.support import EndedSpan, ScriptedModel, Traced, openai_answer

httpx = pytest.importorskip("opentelemetry.instrumentation.httpx")
sqlite = pytest.importorskip("opentelemetry.instrumentation.sqlite3")


@tool
def look_up(city: str) -> str:
    """Look a city up."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.cursor().execute("select 1").fetchone())


@tool
async def alook_up(city: str) -> str:
    """Look a city up."""
    await asyncio.sleep(0)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.cursor().execute("select 1").fetchone())


class Documents(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(look_up.func(query))]  # type: ignore[attr-defined]


class Work:
    """What a program does. Each method makes requests or queries, and says how many of each."""

    def __init__(self, url: str) -> None:
        keys: Any = {"base_url": f"{url}/v1", "api_key": "unused", "max_retries": 0}
        self.model = ChatOpenAI(model="gpt-4o", logprobs=True, **keys)
        self.completions = OpenAI(model="gpt-3.5-turbo-instruct", logprobs=1, **keys)

    def invoke(self) -> tuple[int, int]:
        self.model.invoke("q")
        return 1, 0

    def stream(self) -> tuple[int, int]:
        before = trace.get_current_span()
        for _ in self.model.stream("q"):
            assert trace.get_current_span() is before
        return 1, 0

    def batch(self) -> tuple[int, int]:
        self.model.batch(["a", "b", "c"])
        return 3, 0

    def ainvoke(self) -> tuple[int, int]:
        asyncio.run(self.checked(self.model.ainvoke("q")))
        return 1, 0

    def astream(self) -> tuple[int, int]:
        async def read() -> None:
            before = trace.get_current_span()
            async for _ in self.model.astream("q"):
                assert trace.get_current_span() is before

        asyncio.run(self.checked(read()))
        return 1, 0

    def abatch(self) -> tuple[int, int]:
        asyncio.run(self.checked(self.model.abatch(["a", "b", "c"])))
        return 3, 0

    def gather(self) -> tuple[int, int]:
        async def all_of_them() -> None:
            await asyncio.gather(*(self.model.ainvoke("q") for _ in range(5)))

        asyncio.run(self.checked(all_of_them()))
        return 5, 0

    def early_close(self) -> tuple[int, int]:
        steps = self.model.stream("q")
        next(steps)
        steps.close()  # type: ignore[attr-defined]
        return 1, 0

    def early_aclose(self) -> tuple[int, int]:
        async def read() -> None:
            steps: Any = self.model.astream("q")
            await anext(steps)
            await steps.aclose()

        asyncio.run(self.checked(read()))
        return 1, 0

    def left_behind(self) -> tuple[int, int]:
        async def read() -> None:
            async for _ in self.model.astream("q"):
                break  # the event loop closes it later, in another task

        asyncio.run(self.checked(read()))
        return 1, 0

    def interleaved(self) -> tuple[int, int]:
        before = trace.get_current_span()
        for _ in zip(self.model.stream("a"), self.model.stream("b"), strict=True):
            assert trace.get_current_span() is before
        return 2, 0

    def ainterleaved(self) -> tuple[int, int]:
        async def read() -> None:
            before = trace.get_current_span()
            one, two = self.model.astream("a"), self.model.astream("b")
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    await anext(one)
                    await anext(two)
                    assert trace.get_current_span() is before
            with pytest.raises(StopAsyncIteration):
                await anext(two)

        asyncio.run(self.checked(read()))
        return 2, 0

    def cancelled(self) -> tuple[int, int]:
        async def cancel() -> None:
            task = asyncio.create_task(self.model.ainvoke("slow"))
            await asyncio.sleep(0.3)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(self.checked(cancel()))
        return 1, 0

    def completion(self) -> tuple[int, int]:
        self.completions.invoke("q")
        list(self.completions.stream("q"))
        return 2, 0

    def tool(self) -> tuple[int, int]:
        look_up.invoke({"city": "Lima"})
        return 0, 1

    def atool(self) -> tuple[int, int]:
        asyncio.run(self.checked(alook_up.ainvoke({"city": "Lima"})))
        asyncio.run(self.checked(look_up.ainvoke({"city": "Lima"})))
        return 0, 2

    def retriever(self) -> tuple[int, int]:
        Documents().invoke("q")
        asyncio.run(self.checked(Documents().ainvoke("q")))
        return 0, 2

    def model_in_a_tool(self) -> tuple[int, int]:
        @tool
        def ask(city: str) -> str:
            """Ask another model."""
            with contextlib.closing(sqlite3.connect(":memory:")) as connection:
                connection.cursor().execute("select 1")
                list(self.model.stream(city))
                look_up.invoke({"city": city})
                return str(connection.cursor().execute("select 2").fetchone())

        ask.invoke({"city": "Lima"})
        return 1, 3

    def agent(self) -> tuple[int, int]:
        from langchain_core.messages import AIMessage

        # The oldest langgraph does not go with the langgraph-prebuilt that it asks for.
        prebuilt = pytest.importorskip("langgraph.prebuilt", exc_type=ImportError)

        def decide(state: MessagesState) -> Any:
            self.model.invoke("q")
            calls = [{"name": "look_up", "args": {"city": city}, "id": city} for city in ("Lima", "Rome")]
            return {"messages": [AIMessage("", tool_calls=calls)]}

        graph = StateGraph(MessagesState)
        graph.add_node("decide", decide)
        graph.add_node("tools", prebuilt.ToolNode([look_up]))
        graph.add_edge(START, "decide")
        graph.add_edge("decide", "tools")
        compiled: Any = graph.compile()
        compiled.invoke({"messages": [("user", "q")]})
        return 1, 2

    @staticmethod
    async def checked(work: Any) -> None:
        before = trace.get_current_span()
        await work
        assert trace.get_current_span() is before


MODES = [name for name, value in vars(Work).items() if isinstance(value, Callable) and not name.startswith("_")]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    clients = [
        kind()
        for name in ("HTTPXClientInstrumentor", "HTTPX2ClientInstrumentor")
        if (kind := getattr(httpx, name, None))
    ]
    others = [*clients, sqlite.SQLite3Instrumentor()]
    for each in others:
        each.instrument(tracer_provider=provider)
    LogprobsInstrumentor().instrument(Settings(), tracer_provider=provider)
    yield exporter
    LogprobsInstrumentor().uninstrument()
    for each in others:
        each.uninstrument()


@pytest.fixture
def wire() -> Iterator[WireServer]:
    def slow(request: Any) -> Any:
        if "slow" in str(request.json):
            import time

            time.sleep(1.0)
        return openai_answer()(request)

    def plain(request: Any) -> Any:
        choice = {"index": 0, "text": "As", "finish_reason": "stop", "logprobs": None}
        body = {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "instruct",
            "choices": [choice],
            "usage": {},
        }
        return sse([body]) if request.json.get("stream") else json_body(body)

    with WireServer() as server:
        server.answer("/v1/chat/completions", slow)
        server.answer("/v1/completions", plain)
        yield server


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a span of the program's"])
@pytest.mark.parametrize("mode", [name for name in MODES if name != "checked"])
def test_requests_and_queries_hang_under_our_spans(
    spans: InMemorySpanExporter, wire: WireServer, mode: str, inside: bool
) -> None:
    program = TracerProvider(shutdown_on_exit=False).get_tracer("program")
    work = getattr(Work(wire.url), mode)
    with program.start_as_current_span("POST /ask") if inside else contextlib.nullcontext():
        before = trace.get_current_span()
        requests, queries = work()
        assert trace.get_current_span() is before
        assert current.run_key() is None
    wait_for_all_ends()
    ended = cast("tuple[EndedSpan, ...]", spans.get_finished_spans())
    found = {span.context.span_id: span for span in ended}
    inner = {"requests": 0, "queries": 0}
    for span in found.values():
        scope = scope_of(span)
        if scope == "langchain_logprobs":
            continue
        above = found[span.parent.span_id]
        assert scope_of(above) == "langchain_logprobs"
        assert above.context.trace_id == span.context.trace_id
        if "httpx" in scope:
            inner["requests"] += 1
            assert above.name.startswith(("chat gpt-4o", "text_completion"))
        else:
            inner["queries"] += 1
            assert above.name.startswith(("execute_tool", "retrieval"))
    assert inner == {"requests": requests, "queries": queries}
    if requests:
        traces = {f"{span.context.trace_id:032x}" for span in found.values()}
        assert {request.headers["traceparent"].split("-")[1] for request in wire.requests} <= traces


def scope_of(span: EndedSpan) -> str:
    assert span.instrumentation_scope
    return span.instrumentation_scope.name


def wait_for_all_ends() -> None:
    handler: Any = LogprobsInstrumentor().handler
    for _ in range(100):
        if not handler.open_runs:
            return
        import gc
        import time

        gc.collect()
        time.sleep(0.05)
    raise AssertionError("a run is still open")


def test_without_the_instrumentor_nothing_is_current(wire: WireServer) -> None:
    seen = []

    class Watching(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(trace.get_current_span())
            return super()._generate(*args, **kwargs)

    traced = Traced()
    Watching().invoke("q", config=traced.config)
    assert seen == [trace.INVALID_SPAN]
    assert set() == current.FRAMED


def test_a_model_of_ones_own_and_a_second_delivery(spans: InMemorySpanExporter) -> None:
    seen = []

    class Watching(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(trace.get_current_span())
            return super()._generate(*args, **kwargs)

        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            for chunk in super()._stream(*args, **kwargs):
                seen.append(trace.get_current_span())
                yield chunk

    handler = LogprobsInstrumentor().handler
    Watching().invoke("q", config={"callbacks": [handler]})
    list(Watching().stream("q", config={"callbacks": [handler]}))
    ended = {span.context.span_id for span in spans.get_finished_spans()}
    assert {span.get_span_context().span_id for span in seen} == ended
    assert len(seen) == 6


def test_what_is_thrown_in_a_stream_comes_out(spans: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError, match="went away"):
        list(ScriptedModel(fail_after=2).stream("q"))
    with pytest.raises(RuntimeError, match="went away"):
        asyncio.run(Work.checked(ScriptedModel(fail_after=2).ainvoke("q")))
    assert [span.status.is_ok for span in spans.get_finished_spans()] == [False, False]


def test_the_methods_are_put_back(spans: InMemorySpanExporter) -> None:
    import inspect

    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

    patched = [BaseChatModel.stream, BaseChatModel.astream, BaseTool.run, BaseTool.arun]
    assert inspect.isgeneratorfunction(BaseChatModel.stream)
    assert inspect.isasyncgenfunction(BaseChatModel.astream)
    assert inspect.iscoroutinefunction(BaseTool.arun)
    assert inspect.signature(BaseTool.run).parameters["tool_call_id"]
    LogprobsInstrumentor().uninstrument()
    assert set() == current.FRAMED
    original = [BaseChatModel.stream, BaseChatModel.astream, BaseTool.run, BaseTool.arun]
    assert all(one is not two for one, two in zip(patched, original, strict=True))
    assert [each.__wrapped__ for each in patched] == original  # type: ignore[attr-defined]
    LogprobsInstrumentor().instrument()
    assert len(current.FRAMED) == 4
