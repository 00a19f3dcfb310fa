"""With `deferred` the end of a run is done by a thread of ours: the same spans, in order, and none is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from operator import itemgetter
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda, RunnableParallel
from opentelemetry import trace
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from langchain_logprobs import LogprobsCallbackHandler, Settings, confidence_of_calls
from langchain_logprobs.capture.endings import endings
from langchain_logprobs.telemetry import spans as spans_module
from tests.capture.test_runs import SlowModel, cancelled, wait_until
from tests.support import ENTRIES, TOKENS, ScriptedModel, Traced, entry

THREAD = "langchain-logprobs-endings"


@contextmanager
def thread_held() -> Iterator[None]:
    """Keep our thread busy for as long as the block lasts."""
    reached, release = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert release.wait(60)

    endings.put(wait, 1, 1)
    assert reached.wait(60)
    try:
        yield
    finally:
        release.set()


def deferred(**settings: Any) -> Traced:
    return Traced(Settings(deferred=True, **settings))


# The same spans as without.

UNSURE = [entry("Lima", -0.05), entry(" or", -2.5, (" and", -0.2)), entry(" Cusco", -1.9, (" Quito", -0.4))]


def invoked(traced: Traced) -> None:
    (ScriptedModel(entries=UNSURE) | StrOutputParser()).invoke("q", config=traced.config)


def streamed(traced: Traced) -> None:
    list((ScriptedModel() | StrOutputParser()).stream("q", config=traced.config))


def invoked_async(traced: Traced) -> None:
    asyncio.run((ScriptedModel() | StrOutputParser()).ainvoke("q", config=traced.config))


def streamed_async(traced: Traced) -> None:
    async def read() -> None:
        async for _ in (ScriptedModel(entries=UNSURE) | StrOutputParser()).astream("q", config=traced.config):
            pass

    asyncio.run(read())


def batch(traced: Traced) -> None:
    chain = RunnableParallel(one=ScriptedModel(), other=ScriptedModel(entries=UNSURE))
    chain.batch(["a"] * 20, config={**traced.config, "max_concurrency": 8})


def interleaved(traced: Traced) -> None:
    streams = [ScriptedModel(entries=UNSURE).stream("q", config=traced.config) for _ in range(5)]
    for _ in range(len(UNSURE)):
        for stream in streams:
            next(stream)
    for stream in streams:
        list(stream)


def failed(traced: Traced) -> None:
    for model in (ScriptedModel(fail_after=0), ScriptedModel(entries=UNSURE, fail_after=2)):
        for run in (model.invoke, lambda *args, model=model, **kwargs: list(model.stream(*args, **kwargs))):
            with suppress(RuntimeError):
                run("q", config=traced.config)
    chain = ScriptedModel(fail_after=0).with_fallbacks([ScriptedModel(entries=UNSURE)])
    (chain | StrOutputParser()).invoke("q", config=traced.config)


def broken_off(traced: Traced) -> None:
    stream = ScriptedModel().stream("q", config=traced.config)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    model = SlowModel()

    async def read() -> None:
        async for _ in model.astream("q", config=traced.config):
            pass

    asyncio.run(cancelled(model, read()))
    other = SlowModel()
    asyncio.run(cancelled(other, other.ainvoke("q", config=traced.config)))
    wait_until(lambda: traced.open_spans == 0)


def graph(traced: Traced) -> None:
    from langgraph.graph import END, START, MessagesState, StateGraph

    steps: Any = StateGraph(MessagesState)
    steps.add_node("ask", lambda state: {"messages": [ScriptedModel(entries=UNSURE).invoke(state["messages"])]})
    steps.add_edge(START, "ask")
    steps.add_edge("ask", END)
    steps.compile().invoke({"messages": ["q"]}, config=traced.config)


PROGRAMS = [
    invoked,
    streamed,
    invoked_async,
    streamed_async,
    batch,
    interleaved,
    failed,
    broken_off,
    graph,
]

TIMES = ("gen_ai.response.time_to_first_chunk", "logprobs.time_to_first_token", "logprobs.chunk.offsets_us")
IDS = ("logprobs.min.span_id", "logprobs.worst.span_id", "gen_ai.response.id")


def written(traced: Traced, *left_out: str) -> Counter[str]:
    """What the spans say, without their times and with the names of spans in the place of their ids."""
    names = {f"{span.context.span_id:016x}": span.name for span in traced.spans}
    said: Counter[str] = Counter()
    for span in traced.spans:
        attributes = {
            name: names.get(value, "") if name in IDS else value
            for name, value in sorted(span.attributes.items())
            if name not in (*TIMES, "gen_ai.output.messages", *left_out)
        }
        above = None if span.parent is None else names[f"{span.parent.span_id:016x}"]
        events = [(event.name, sorted(event.attributes)) for event in span.events]
        said[repr((span.name, above, span.status.status_code, span.status.description, attributes, events))] += 1
    return said


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_spans_say_the_same(program: Callable[[Traced], None]) -> None:
    plain, later = Traced(Settings()), deferred()
    program(plain)
    program(later)
    # Of two calls side by side the root shows the answer of the one that ends last, which is now this, now that one.
    left_out = ("output.value",) if program is batch else ()
    assert written(later, *left_out) == written(plain, *left_out)
    assert all(span.end_time for span in later.spans)
    assert len(endings) == 0


@pytest.mark.parametrize("program", [invoked, streamed, invoked_async, streamed_async, batch, failed])
def test_nothing_of_it_is_done_on_the_callers_thread(program: Callable[[Traced], None]) -> None:
    traced, threads = deferred(), set()
    handler = LogprobsCallbackHandler(
        Settings(deferred=True),
        tracer_provider=traced.provider,
        on_call=lambda call: threads.add(threading.current_thread().name),
    )
    traced.config["callbacks"] = [handler]
    program(traced)
    wait_until(lambda: len(endings) == 0 and bool(threads))
    assert threads == {THREAD}


# Order and times.


def test_ends_keep_their_times_and_parents_come_after_children() -> None:
    traced = deferred()
    with thread_held():
        for _ in range(3):
            (ScriptedModel() | StrOutputParser()).invoke("q", config=traced.config)
        returned = time.time_ns()
        assert traced.exporter.get_finished_spans() == ()
        time.sleep(0.01)
    spans = traced.spans
    assert all(span.end_time <= returned for span in spans)
    assert [span.end_time for span in spans] == sorted(span.end_time for span in spans)
    order = [span.context.span_id for span in spans]
    for span in spans:
        if span.parent is not None:
            assert order.index(span.context.span_id) < order.index(span.parent.span_id)
            assert span.end_time <= spans[order.index(span.parent.span_id)].end_time
    assert [span.attributes["logprobs.llm_call.count"] for span in traced.named("invoke_workflow")] == [1, 1, 1]


@pytest.mark.parametrize("steps_deferred", [True, False])
def test_of_two_handlers_one_of_which_defers_the_parents_come_after_the_children(steps_deferred: bool) -> None:
    traced = Traced(Settings(deferred=steps_deferred))
    other = LogprobsCallbackHandler(Settings(deferred=not steps_deferred), tracer_provider=traced.provider)

    def ask(text: str) -> Any:
        return ScriptedModel(callbacks=[other]).invoke(text)

    chain: RunnableLambda[str, Any] = RunnableLambda(ask)
    with thread_held():
        chain.with_config(run_name="outer").invoke("q", config=traced.config)
    assert [span.name for span in traced.spans][-1] == "invoke_workflow outer"
    assert traced.spans[-1].attributes["logprobs.llm_call.count"] == 1
    assert traced.spans[-1].attributes["logprobs.token.count"] == len(TOKENS)


# What a program does to its message, or a context variable, does not change what is written.


def test_a_message_that_the_program_goes_on_with() -> None:
    traced = deferred()
    with thread_held():
        message = ScriptedModel().invoke("q", config=traced.config)
        message.response_metadata.clear()
        message.additional_kwargs["more"] = "x"
        message.content = "something else"
        message.id = "another"
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert traced.call.attributes["logprobs.alignment"] == "exact"
    assert "something else" not in traced.call.attributes["gen_ai.output.messages"]


class ManyKinds(ScriptedModel):
    """Answers with content blocks and a tool call."""

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._generate(*args, **kwargs)
        message: Any = result.generations[0].message
        message.content = [{"type": "text", "text": message.content}]
        message.tool_calls = [{"name": "look", "args": {"at": "it"}, "id": "1", "type": "tool_call"}]
        return result


def test_lists_that_the_program_goes_on_with() -> None:
    plain, traced = Traced(Settings()), deferred()
    ManyKinds().invoke("q", config=plain.config)
    with thread_held():
        message: Any = ManyKinds().invoke("q", config=traced.config)
        message.tool_calls.clear()
        message.content.append({"type": "text", "text": "more"})
    assert written(traced) == written(plain)


@pytest.mark.parametrize("odd", [None, 17, LLMResult(generations=[]), LLMResult(generations=[[]])])
def test_an_end_with_an_odd_result(odd: Any) -> None:
    traced, run_id = deferred(), uuid4()
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True})
    traced.handler.on_llm_end(odd, run_id=run_id)
    assert traced.call.attributes["logprobs.status"] == "missing"


def test_a_generation_of_somebodys_own() -> None:
    traced, run_id = deferred(), uuid4()
    entries = {"content": ENTRIES}
    generation = SimpleNamespace(text="".join(TOKENS), generation_info={"logprobs": entries}, message=17)
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id)
    traced.handler.on_llm_end(SimpleNamespace(generations=[[generation]], llm_output=None), run_id=run_id)
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)


def test_on_call_sees_the_callers_context_and_span() -> None:
    traced, seen = Traced(), []
    handler = LogprobsCallbackHandler(
        Settings(deferred=True),
        tracer_provider=traced.provider,
        on_call=lambda call: seen.append(trace.get_current_span()),
    )
    with traced.provider.get_tracer("app").start_as_current_span("mine") as mine:
        ScriptedModel().invoke("q", config={"callbacks": [handler]})
    assert handler.flush()
    assert seen == [mine]


BLOCK = """
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from langchain_logprobs import LogprobsCallbackHandler, Settings, confidence_of_calls
from tests.support import Traced
from tests.test_deferred import UNSURE, ScriptedModel, thread_held

traced, told = Traced(), []
if OWN:
    trace.set_tracer_provider(traced.provider)
handler = LogprobsCallbackHandler(Settings(deferred=True), tracer_provider=traced.provider, on_call=told.append)
model = ScriptedModel(entries=UNSURE)
chain = RunnableLambda(lambda text: model.invoke(text)) | StrOutputParser()
with thread_held():
    with confidence_of_calls() as calls:
        chain.invoke("q", config={"callbacks": [handler]})
        assert [call.report.level for call in calls] == ["low"]
    model.invoke("q", config={"callbacks": [handler]})  # outside, it waits
    assert len(told) == (1 if OWN else 0), told
assert handler.flush()
assert [call.report.level for call in told] == ["low", "low"]
assert traced.named("invoke_workflow")[0].attributes["logprobs.llm_call.count"] == 1
"""


@pytest.mark.parametrize("own", [True, False])
def test_a_block_of_confidence_of_calls_has_its_calls_at_once(own: bool) -> None:
    """On the process's own provider the block and the handler share the run, which is then not put off at all."""
    code = f"OWN = {own}\n{BLOCK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_block_alone_puts_nothing_off() -> None:
    with thread_held(), confidence_of_calls(settings=Settings(deferred=True)) as calls:
        (ScriptedModel() | StrOutputParser()).invoke("q")
        assert [call.report.status for call in calls] == ["recorded"]
        assert len(endings) == 0


# A flush, the shutdown, the exit.


def batched(**provider: Any) -> tuple[TracerProvider, InMemorySpanExporter, LogprobsCallbackHandler]:
    exporter = InMemorySpanExporter()
    made = TracerProvider(shutdown_on_exit=False, **provider)
    made.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
    return made, exporter, LogprobsCallbackHandler(Settings(deferred=True), tracer_provider=made)


@pytest.mark.parametrize("how", ["force_flush", "shutdown"])
def test_right_after_the_answers_all_of_them_go_out(how: str) -> None:
    for _ in range(10):
        provider, exporter, handler = batched()
        chain = ScriptedModel(entries=ENTRIES * 40) | StrOutputParser()
        chain.batch(["q"] * 5, config={"callbacks": [handler]})
        getattr(provider, how)()
        assert Counter(span.name for span in exporter.get_finished_spans())["chat scripted-1"] == 5
        assert len(exporter.get_finished_spans()) == 15
        provider.shutdown()


def test_a_flush_goes_on_no_longer_than_it_may() -> None:
    provider, exporter, handler = batched()
    with thread_held():
        ScriptedModel().invoke("q", config={"callbacks": [handler]})
        assert provider.force_flush(50) is False
        assert handler.flush(0.01) is False
    provider.force_flush()  # what it returns is not looked at: the oldest SDK's batch processor returns None
    assert len(exporter.get_finished_spans()) == 1
    provider.shutdown()


def test_one_processor_however_many_handlers_there_are() -> None:
    provider, _, handler = batched()
    for _ in range(3):
        for each in (handler, LogprobsCallbackHandler(Settings(deferred=True), tracer_provider=provider)):
            ScriptedModel().invoke("q", config={"callbacks": [each]})
    kinds = [type(each).__name__ for each in provider._active_span_processor._span_processors]
    assert kinds == ["DrainingProcessor", "BatchSpanProcessor", "Watcher"]  # the last is of spans="join"
    provider.shutdown()


def test_without_deferred_nothing_is_added() -> None:
    traced = Traced(Settings())
    ScriptedModel().invoke("q", config=traced.config)
    kinds = [type(each).__name__ for each in traced.provider._active_span_processor._span_processors]
    assert "DrainingProcessor" not in kinds


def test_a_provider_that_flushes_all_at_once_is_named_with_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    spans_module._say_not_drained.cache_clear()
    provider, exporter, handler = batched(active_span_processor=ConcurrentMultiSpanProcessor(2))
    for _ in range(3):
        ScriptedModel().invoke("q", config={"callbacks": [handler]})
    (line,) = [record.getMessage() for record in caplog.records]
    assert "TracerProvider" in line
    assert "flush()" in line
    assert handler.flush()
    provider.shutdown()
    assert len(exporter.get_finished_spans()) == 3


def test_close_ends_what_is_open_and_what_waits() -> None:
    provider, exporter, handler = batched()
    stream = ScriptedModel().stream("q", config={"callbacks": [handler]})
    next(stream)
    handler.close()
    provider.force_flush()
    (span,) = exporter.get_finished_spans()
    assert (span.attributes or {})["logprobs.status"] == "partial"
    stream.close()  # type: ignore[attr-defined]
    provider.shutdown()


EXIT = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from langchain_logprobs import LogprobsCallbackHandler, Settings
from tests.support import ENTRIES, ScriptedModel

def prints(span):
    return f"{span.name} {span.attributes['logprobs.status']} {span.attributes['logprobs.token.count']}\\n"

def run():
    handler = LogprobsCallbackHandler(Settings(deferred=True))
    for _ in range(20):
        ScriptedModel(entries=ENTRIES * 100).invoke("q", config={"callbacks": [handler]})
    stream = ScriptedModel().stream("q", config={"callbacks": [handler]})
    next(stream)
    return stream

early = run() if "late" in sys.argv else None
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=prints)))
stream = run()
if "uncaught" in sys.argv:
    raise SystemExit("an error")
"""


@pytest.mark.parametrize("how", ["plain", "late", "uncaught"])
def test_the_programs_exit_waits_for_them(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", EXIT, how], capture_output=True, text=True, timeout=120, check=False)
    said = Counter(done.stdout.splitlines())
    assert said == {"chat scripted-1 recorded 500": 20, "chat scripted-1 partial 1": 1}, done.stderr


FORKED = """
import os, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from langchain_logprobs import LogprobsCallbackHandler, Settings
from tests.support import ScriptedModel
from tests.test_deferred import thread_held

trace.set_tracer_provider(TracerProvider())
name = "parent"
exporter = ConsoleSpanExporter(formatter=lambda span: f"{name}: {span.attributes['logprobs.status']}\\n")
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(exporter))
handler = LogprobsCallbackHandler(Settings(deferred=True))
with thread_held():
    for _ in range(3):
        ScriptedModel().invoke("q", config={"callbacks": [handler]})
    child = os.fork()
    if child == 0:
        name = "child"
        for _ in range(2):
            ScriptedModel().invoke("q", config={"callbacks": [handler]})
        trace.get_tracer_provider().force_flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_worker_records_its_own_calls_and_not_the_parents() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert Counter(done.stdout.splitlines()) == {"child: recorded": 2, "parent: recorded": 3}


# Too much at once.


def test_over_the_limit_a_call_ends_at_once_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    traced = deferred(max_deferred_tokens=2 * len(TOKENS) + 3)
    before = endings.dropped
    with thread_held():
        for _ in range(2):
            ScriptedModel().invoke("q", config=traced.config)
        list((ScriptedModel() | StrOutputParser()).stream("q", config=traced.config))
        ended = traced.exporter.get_finished_spans()
        assert [(span.attributes or {})["logprobs.status"] for span in ended] == ["partial"]
    spans = traced.spans
    (dropped,) = [span for span in spans if span.attributes.get("logprobs.status") == "partial"]
    assert dropped.attributes["logprobs.status.reason"].startswith("dropped: ")
    assert dropped.attributes["gen_ai.request.model"] == "scripted-1"
    assert "logprobs.tokens" not in dropped.attributes
    assert [span.attributes["logprobs.status"] for span in traced.named("chat")].count("recorded") == 2
    (root,) = traced.named("invoke_workflow")
    assert root.attributes["logprobs.llm_call.count"] == 1
    assert endings.dropped == before + 1
    assert "Settings.max_deferred_tokens" in caplog.text


def test_steps_over_the_limit_end_at_once(caplog: pytest.LogCaptureFixture) -> None:
    traced = deferred(max_deferred_tokens=1)
    with thread_held():
        for _ in range(3):
            RunnableLambda(str).invoke("q", config=traced.config)
        assert len(traced.exporter.get_finished_spans()) == 3
        with suppress(RuntimeError):
            ScriptedModel(fail_after=0).invoke("q", config=traced.config)
    assert traced.call.attributes["logprobs.status.reason"].startswith("dropped: ")
    assert traced.call.attributes["error.type"] == "RuntimeError"


def test_a_busy_server_loses_nothing_under_the_limit() -> None:
    traced = deferred()

    async def serve() -> None:
        chain = ScriptedModel(entries=UNSURE) | StrOutputParser()
        await asyncio.gather(*(chain.ainvoke("q", config=traced.config) for _ in range(300)))

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(lambda: asyncio.run(serve())) for _ in range(3)]:
            future.result()
    said = Counter(map(itemgetter("logprobs.status"), (span.attributes for span in traced.named("chat"))))
    assert said == {"recorded": 900}
    assert all(span.attributes["logprobs.llm_call.count"] == 1 for span in traced.named("invoke_workflow"))


def test_private_calls_stay_private() -> None:
    traced = deferred()
    private = LogprobsCallbackHandler(Settings(capture_text=False), tracer_provider=traced.provider)
    ScriptedModel().invoke("q", config={"callbacks": [traced.handler, private]})
    assert "logprobs.tokens" not in traced.call.attributes
    assert traced.call.attributes["logprobs.status"] == "recorded"


def test_a_call_that_nobody_sees_is_not_put_off() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    handler = LogprobsCallbackHandler(Settings(deferred=True), tracer_provider=provider)
    with thread_held():
        ScriptedModel().invoke("q", config={"callbacks": [handler]})
        assert len(endings) == 0
