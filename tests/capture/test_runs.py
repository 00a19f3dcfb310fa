"""Every run ends exactly once, whatever happens to it, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import CallbackManager
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode
from pydantic import Field

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.capture.kept import Call
from langchain_logprobs.capture.reaper import Reaper, reaper
from langchain_logprobs.capture.runs import OpenRuns
from langchain_logprobs.formats.read import size_of
from tests.profile import examples
from tests.support import ENTRIES, LOGPROBS, TOKENS, ScriptedModel, Traced, entry


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class SlowModel(ScriptedModel):
    """Never comes to its end. Streamed, it brings three tokens first."""

    reached: Any = Field(default_factory=asyncio.Event)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        self.reached.set()
        await asyncio.Event().wait()

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        for chunk in [*self._stream([])][:3]:
            yield chunk
        self.reached.set()
        await asyncio.Event().wait()


async def cancelled(model: SlowModel, running: Coroutine[Any, Any, Any]) -> None:
    """Run it until the model has nothing more to bring, and cancel it then."""
    task = asyncio.create_task(running)
    await model.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_cancelled_ainvoke_for_which_langchain_reports_nothing() -> None:
    traced, model = Traced(), SlowModel()
    asyncio.run(cancelled(model, model.ainvoke("hi", config=traced.config)))
    wait_until(lambda: traced.open_spans == 0)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert traced.call.attributes["logprobs.status.reason"].startswith("abandoned")
    assert traced.call.status.status_code is StatusCode.UNSET


def test_a_timeout_inside_a_chain_closes_the_call_with_its_parent() -> None:
    traced = Traced()

    async def impatient(value: str, config: Any) -> str:
        model = SlowModel()
        call = asyncio.create_task(model.ainvoke(value, config=config))
        await model.reached.wait()
        await asyncio.wait_for(call, 0)
        return value

    with pytest.raises(TimeoutError):
        asyncio.run(RunnableLambda(impatient).ainvoke("hi", config=traced.config))
    wait_until(lambda: traced.open_spans == 0)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert len(traced.spans) == 2


def test_a_cancelled_astream_keeps_what_had_arrived_and_is_no_error() -> None:
    traced, model = Traced(), SlowModel()
    arrived = []

    async def consume() -> None:
        async for chunk in model.astream("hi", config=traced.config):
            arrived.append(chunk.content)

    asyncio.run(cancelled(model, consume()))
    wait_until(lambda: traced.open_spans == 0)
    assert traced.call.attributes["logprobs.status"] == "partial"
    assert traced.call.attributes["logprobs.tokens"] == tuple(arrived) == tuple(TOKENS[:3])
    assert traced.call.status.status_code is StatusCode.UNSET
    assert "error.type" not in traced.call.attributes


@pytest.mark.parametrize("how", ["break", "close", "drop"])
def test_a_stream_that_is_not_read_to_its_end(how: str) -> None:
    traced = Traced()
    stream = ScriptedModel().stream("hi", config=traced.config)
    next(stream)
    next(stream)
    if how == "close":
        stream.close()  # type: ignore[attr-defined]
    elif how == "drop":
        del stream
        gc.collect()
    else:
        for _ in stream:
            break
        del stream
    wait_until(lambda: traced.open_spans == 0)
    taken = 3 if how == "break" else 2
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS[:taken])
    assert traced.call.attributes["logprobs.status"] == "partial"


class UnmergeableModel(ScriptedModel):
    """Together's stream: a bare float a chunk, on which LangChain's own merge raises after the last token."""

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        for chunk, logprob in zip(super()._stream(*args, **kwargs), LOGPROBS, strict=True):
            chunk.generation_info = {"logprobs": logprob}
            chunk.message.response_metadata = {}
            yield chunk


def test_a_merge_error_inside_langchain() -> None:
    traced = Traced()
    with pytest.raises(TypeError):
        list(UnmergeableModel().stream("hi", config=traced.config))
    gc.collect()
    wait_until(lambda: traced.open_spans == 0)
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert traced.call.attributes["logprobs.values"] == tuple(LOGPROBS)


def start(traced: Traced, run_id: UUID, parent: UUID | None = None) -> None:
    traced.handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=parent)


def result(*entries: dict[str, Any]) -> LLMResult:
    info = {"logprobs": {"content": list(entries)}}
    return LLMResult(
        generations=[
            [ChatGeneration(message=AIMessage("".join(item["token"] for item in entries)), generation_info=info)]
        ]
    )


def test_an_end_and_then_an_error_is_one_end() -> None:
    traced, run_id = Traced(), uuid4()
    start(traced, run_id)
    traced.handler.on_llm_end(result(*ENTRIES), run_id=run_id)
    traced.handler.on_llm_error(RuntimeError("late"), run_id=run_id)
    assert traced.call.attributes["logprobs.status"] == "recorded"


def test_a_run_that_never_ends_is_closed_by_age_without_any_other_run() -> None:
    traced, run_id = Traced(Settings(max_run_seconds=0.2)), uuid4()
    start(traced, run_id)
    wait_until(lambda: len(traced.spans) == 1)
    assert "max_run_seconds" in traced.call.attributes["logprobs.status.reason"]


def test_a_run_that_never_ends_is_closed_by_the_next_one_when_too_many_are_open() -> None:
    traced = Traced(Settings(max_open_calls=3))
    run_ids = [uuid4() for _ in range(5)]
    for run_id in run_ids:
        start(traced, run_id)
    assert traced.handler.open_runs == 3
    assert all("max_open_calls" in span.attributes["logprobs.status.reason"] for span in traced.spans)
    assert len(traced.spans) == 2
    traced.handler.close()
    assert (traced.handler.open_runs, len(traced.spans)) == (0, 5)


def test_a_child_is_closed_before_its_parent() -> None:
    traced, parent, child = Traced(), uuid4(), uuid4()
    traced.handler.on_chain_start({}, {}, run_id=parent, name="outer")
    start(traced, child, parent)
    traced.handler.on_llm_new_token("As", run_id=child, logprobs={"content": ENTRIES[:1]})
    traced.handler.on_chain_end({}, run_id=parent)
    assert [span.name for span in traced.spans] == ["chat", "invoke_workflow outer"]
    assert traced.spans[0].attributes["logprobs.tokens"] == ("As",)
    assert traced.spans[1].attributes["logprobs.token.count"] == 1


def test_a_uuid_that_is_rebuilt_for_each_call_is_not_taken_for_an_abandoned_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("langchain_logprobs.capture.runs.reaper", Reaper(grace_seconds=600.0))
    traced, number = Traced(), uuid4().int
    start(traced, UUID(int=number))
    runs = traced.handler._runs
    start(traced, other := uuid4())
    traced.handler.on_llm_end(LLMResult(generations=[]), run_id=other)
    key = other.int
    del other
    wait_until(lambda: runs._ended[key] is None)  # the reaper has heard of both, and gives the first its time
    assert traced.handler.open_runs == 1
    pieces: int | None = runs.forget(number)
    for item in ENTRIES:
        traced.handler.on_llm_new_token(item["token"], run_id=UUID(int=number), logprobs={"content": [item]})
        assert pieces is not None
        pieces = runs.close_if_silent(number, pieces)
    traced.handler.on_llm_end(LLMResult(generations=[]), run_id=UUID(int=number))
    assert traced.spans[1].attributes["logprobs.status"] == "recorded"
    assert len(traced.spans[1].attributes["logprobs.tokens"]) == 5


def test_a_forgotten_run_that_stays_silent_is_closed() -> None:
    traced, number = Traced(), uuid4().int
    start(traced, UUID(int=number))
    traced.handler.on_llm_new_token("As", run_id=UUID(int=number), logprobs={"content": ENTRIES[:1]})
    wait_until(lambda: traced.open_spans == 0)
    assert traced.call.attributes["logprobs.status.reason"] == "abandoned: LangChain reported no end"
    assert traced.call.attributes["logprobs.tokens"] == ("As",)


PROGRAM = """
import sys
from uuid import uuid4
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from langchain_logprobs import LogprobsCallbackHandler

handler = LogprobsCallbackHandler()  # before the provider is set up
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
run_id = uuid4()
handler.on_chat_model_start({}, [[]], run_id=run_id)
handler.on_llm_new_token("As", run_id=run_id, logprobs={"content": [{"token": "As", "logprob": -0.5}]})
"""


def test_the_programs_exit_closes_and_exports_what_is_open() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert '"logprobs.status": "partial"' in done.stdout
    assert "the program exited" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_starts_with_no_open_runs_and_works() -> None:
    code = (
        PROGRAM
        + """
import os
pid = os.fork()
if pid == 0:
    print("child open:", handler.open_runs, flush=True)
    other = uuid4()
    handler.on_chat_model_start({}, [[]], run_id=other)
    del other
    os._exit(0)
os.waitpid(pid, 0)
print("parent open:", handler.open_runs, flush=True)
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "child open: 0" in done.stdout
    assert "parent open: 1" in done.stdout


def test_threads_and_streams_interleaved_hold_exactly_their_own_tokens() -> None:
    traced = Traced()
    manager = CallbackManager.configure([traced.handler])

    def drive(number: int) -> None:
        for repeat in range(3):
            (run,) = manager.on_chat_model_start({}, [[]], name=str(number))
            for index in range(20):
                run.on_llm_new_token("t", logprobs={"content": [entry(f"{number}-{repeat}-{index}", -0.5)]})
                if index % 7 == number % 7:
                    time.sleep(0)
            run.on_llm_end(LLMResult(generations=[]))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(drive, range(32)))

    class Numbered(ScriptedModel):
        async def _astream(self, *args: Any, **kwargs: Any) -> Any:
            for chunk in self._stream([]):
                await asyncio.sleep(0)
                yield chunk

    async def stream(number: int) -> None:
        model = Numbered(entries=[entry(f"s{number}-0-{index}", -0.5) for index in range(20)])
        async for _ in model.astream("hi", config=traced.config):
            pass

    async def main() -> None:
        await asyncio.gather(*(stream(number) for number in range(200)))

    asyncio.run(main())
    seen: Counter[str] = Counter()
    for span in traced.spans:
        tokens = span.attributes["logprobs.tokens"]
        name = tokens[0].rpartition("-")[0]
        assert tokens == tuple(f"{name}-{index}" for index in range(20))
        seen[name] += 1
    assert len(seen) == 32 * 3 + 200
    assert set(seen.values()) == {1}
    assert traced.handler.open_runs == 0


def test_after_two_thousand_runs_there_is_no_more_than_after_one_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_logprobs.capture.runs._REMEMBERED_ENDS", 100)
    traced = Traced()
    traced.handler = LogprobsCallbackHandler(tracer_provider=TracerProvider(shutdown_on_exit=False))  # keeps no spans
    traced.config["callbacks"] = [traced.handler]
    model, runs = ScriptedModel(), traced.handler._runs
    parent = uuid4()
    traced.handler.on_chain_start({}, {}, run_id=parent, name="server")

    def drive(count: int) -> Counter[str]:
        for index in range(count):
            if index % 10 == 0:
                next(iter(model.stream("hi", config=traced.config)))
            else:
                run_id = uuid4()
                start(traced, run_id, parent if index % 2 else None)
                traced.handler.on_llm_new_token("x", run_id=run_id, logprobs={"content": ENTRIES})
                if index % 3:
                    traced.handler.on_llm_end(result(*ENTRIES), run_id=run_id)
                del run_id
        wait_until(lambda: traced.handler.open_runs == 1)
        wait_until(lambda: len(runs._ended) <= 100)  # the reaper's thread has heard of all whose ids are gone
        gc.collect()
        return Counter(type(each).__name__ for each in gc.get_objects())

    before = drive(1_000)
    more = drive(1_000) - before
    assert more.total() < 100, more.most_common(5)
    found = runs.find(parent)
    assert found is not None
    assert list(found.children) == []
    assert (len(runs), len(runs._calls)) == (1, 0)
    assert len(runs._forgotten) <= 100


def test_open_runs_do_not_outlive_their_handler_and_provider() -> None:
    runs_before = len(reaper._registries)
    traced = Traced()
    assert len(reaper._registries) == runs_before + 1
    del traced
    gc.collect()
    assert len(reaper._registries) <= runs_before
    assert len(OpenRuns()) == 0


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
GOOD = [entry("good", -0.5)]
containers = st.one_of(
    st.just({"content": GOOD}),
    st.just({"content": GOOD}),
    json_values,
    json_values.map(lambda value: {"content": value}),
    json_values.map(lambda value: {"content": [value, *GOOD]}),
    json_values.map(lambda value: {"tokens": value, "token_logprobs": value}),
)
operations = st.tuples(
    st.sampled_from(["start", "token", "token", "token", "end", "error", "chain", "chain_end", "tool", "end_mixed"]),
    st.integers(0, 3),
    st.integers(0, 3),
    containers,
)


def perform(handler: Any, ids: list[UUID], operation: tuple[str, int, int, Any]) -> None:
    kind, which, parent_index, container = operation
    run_id = ids[which]
    parent = None if parent_index == which else ids[parent_index]
    if kind == "start":
        handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=parent, invocation_params={"logprobs": True})
    elif kind == "token":
        handler.on_llm_new_token("good", run_id=run_id, parent_run_id=parent, logprobs=container)
    elif kind == "end":
        message = AIMessage("x", response_metadata={"logprobs": container})
        handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)
    elif kind == "error":
        handler.on_llm_error(ValueError("x"), run_id=run_id, response=container)
    elif kind == "chain":
        handler.on_chain_start({}, {}, run_id=run_id, parent_run_id=parent, name="c", metadata=None)
    elif kind == "tool":
        handler.on_tool_start(None, "", run_id=run_id, parent_run_id=parent)
    elif kind == "chain_end":
        handler.on_chain_end(container, run_id=run_id)
    else:
        handler.on_llm_end(container, run_id=run_id)


def well_formed(container: Any) -> int:
    """How many of our own well-formed entries this token callback brought."""
    content = container.get("content") if isinstance(container, dict) else None
    return sum(item == GOOD[0] for item in content) if isinstance(content, list) else 0


EXAMPLES = int(os.environ.get("LOGPROBS_SEQUENCES", examples(4000)))


def follow(handler: Any, sequence: list[tuple[str, int, int, Any]]) -> int:
    """Perform a sequence on runs of its own; return how many well-formed entries have to be on spans because of it."""
    ids = [uuid4() for _ in range(4)]
    find = handler._runs.find
    expected: dict[int, int] = Counter()  # well-formed entries that reached a model call
    replaced = set()  # calls that ended with a result that holds more than had arrived
    for operation in sequence:
        kind, which, _, container = operation
        before = find(ids[which])
        perform(handler, ids, operation)
        run = find(ids[which])
        if kind == "token" and run is not None and isinstance(run.data, Call):  # a chain's run can have no tokens
            expected[run.key] += well_formed(container)
        if before is not None and before.deliveries > 1:
            replaced.add(before.key)  # a second start: each callback is then taken to be delivered twice
        if kind == "end" and before is not None and size_of(container) > expected[before.key]:
            replaced.add(before.key)
        if before is not None and run is None:
            assert handler._runs.was_ended(ids[which])
    for run_id in ids:
        open_run = find(run_id)
        if open_run is not None:
            handler._runs.close(open_run, "the test is over")
    return sum(count for key, count in expected.items() if key not in replaced)


_threads = ThreadPoolExecutor(3)


@settings(max_examples=EXAMPLES // 3 + 1, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(operations, max_size=14), min_size=3, max_size=3))
def test_any_sequences_of_callbacks_from_several_threads(sequences: list[list[tuple[str, int, int, Any]]]) -> None:
    traced = shared_trace()
    expected = sum(_threads.map(lambda sequence: follow(traced.handler, sequence), sequences))
    assert traced.handler.open_runs == 0
    spans = {span.context.span_id: span for span in traced.spans}
    assert len(spans) == len(traced.spans)  # none ended twice
    recorded = sum((span.attributes.get("logprobs.tokens") or ()).count("good") for span in spans.values())
    assert recorded >= expected
    for span in spans.values():
        assert len(span.attributes.get("logprobs.values", ())) == len(span.attributes.get("logprobs.tokens", ()))


_trace: list[Traced] = []


def shared_trace() -> Traced:
    if not _trace:
        _trace.append(Traced())
    _trace[0].exporter.clear()
    return _trace[0]


def test_threads_that_use_each_others_runs() -> None:
    import random

    traced = Traced()
    failures: list[BaseException] = []
    ids = [uuid4() for _ in range(64)]

    def drive(seed: int) -> None:
        random_ = random.Random(seed)
        kinds = ["start", "token", "token", "end", "error", "chain", "chain_end", "tool"]
        try:
            for _ in range(500):
                which = random_.randrange(61)
                operation = (random_.choice(kinds), 0, random_.randrange(4), {"content": GOOD})
                perform(traced.handler, ids[which : which + 4], operation)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=drive, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    traced.handler.close()
    assert failures == []
    assert traced.handler.open_runs == 0
    assert len({span.context.span_id for span in traced.spans}) == len(traced.spans)
