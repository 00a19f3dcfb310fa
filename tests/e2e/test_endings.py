"""Every path with every ending provoked for real: one export for each span, with what had arrived, and none left open.

What had arrived is known from two sides: a plain handler beside ours keeps the entries of each token callback, and the
proxy underneath keeps what HTTP carried.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import local_model
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from opentelemetry.trace import StatusCode

from tests.e2e.paths import GRACE, PATHS, Path, closing, opened
from tests.e2e.processes import stop, wait_for
from tests.e2e.proxy import RecordingProxy
from tests.e2e.tracing import Traced, attributes, pairs

# The v3 streaming protocol says at each use that it is in beta.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")

ENOUGH = 4  # tokens of an answer that have come before it is ended
LONG = {"max_tokens": 1500, "extra_body": {"ignore_eos": True}}  # so long that it never ends by itself
# Where the consumer stops reading a synchronous stream, LangChain and LangGraph do not always stop: a parser reads the
# rest for its own trace, a graph lets its node finish. So this answer has an end.
SHORT = {"max_tokens": 64, "extra_body": {"ignore_eos": True}}
CLIENT_TIMEOUT = 3.0
PATIENCE = 60.0

STREAMED = [name for name, path in PATHS.items() if path.streamed]
ASYNCHRONOUS = [name for name, path in PATHS.items() if path.asynchronous]


class Delivered(BaseCallbackHandler):
    """Keeps the (token, logprob) pairs that LangChain hands to handlers, for each run, until its root has ended.

    Not longer: a parser in a stream that was left reads the rest of the answer for its own trace, after
    the chain above it has reported its end. Runs are kept by number: a handler that keeps a run's UUID object keeps the
    run from being seen as forgotten.
    """

    run_inline = True  # in the same order, and before anything else happens, as with ours

    def __init__(self) -> None:
        self.runs: dict[int, list[tuple[str, float]]] = {}
        self.root_of: dict[int, int] = {}
        self.ended: set[int] = set()

    def on_chat_model_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self.runs[run_id.int] = []
        self._started(run_id, parent_run_id)

    def on_llm_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self.runs[run_id.int] = []
        self._started(run_id, parent_run_id)

    def on_chain_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self._started(run_id, parent_run_id)

    def on_chain_end(self, *args: Any, run_id: Any, **kwargs: Any) -> None:
        self.ended.add(run_id.int)

    def on_chain_error(self, *args: Any, run_id: Any, **kwargs: Any) -> None:
        self.ended.add(run_id.int)

    def on_llm_new_token(self, token: Any, *, run_id: Any, chunk: Any = None, **kwargs: Any) -> None:
        if self.root_of[run_id.int] in self.ended:
            return
        container = (chunk.generation_info or {}).get("logprobs") if chunk is not None else None
        for entry in (container or {}).get("content") or ():
            self.runs[run_id.int].append((entry["token"], entry["logprob"]))

    def _started(self, run_id: Any, parent_run_id: Any) -> None:
        self.root_of[run_id.int] = self.root_of.get(parent_run_id and parent_run_id.int, run_id.int)

    def enough(self) -> bool:
        return any(len(entries) >= ENOUGH for entries in self.runs.values())


class Scene:
    """A call that is to be ended, and everybody who watches it."""

    def __init__(self, path: Path, wire: RecordingProxy, traced: Traced) -> None:
        self.path = path
        self.wire = wire
        self.traced = traced
        self.delivered = Delivered()
        self.config: RunnableConfig = {"callbacks": [traced.handler, self.delivered]}

    def under_way(self) -> bool:
        """Whether the model is answering: on a streamed path some tokens have come, else all requests are out."""
        if self.path.streamed:
            return self.delivered.enough()
        return len(self.wire.exchanges) == self.path.calls

    def start(self) -> tuple[Any, Any]:
        model = self.path.make(self.wire.url, **SHORT)
        self._model = model  # outlives the stream, as in a program
        return model, self.path.start(model, self.config)

    def _nothing_open(self) -> bool | None:
        # A run of which LangChain reports no end is closed once LangChain has let go of it, which for the v3 protocol's
        # streams takes the garbage collector.
        gc.collect()
        return self.traced.open_spans == 0 or None

    def assert_ended_once(self, *, by_server: bool = False) -> None:
        traced = self.traced
        wait_for(self._nothing_open, timeout=PATIENCE, what="the last open span's end")
        traced.assert_complete()
        calls = traced.calls
        assert len(calls) == len(self.delivered.runs) == self.path.calls
        written = sorted(pairs(call) for call in calls)
        assert written == sorted(self.delivered.runs.values())
        allowed = {"partial"}
        if self.path.streamed:
            (entries,), (exchange,) = written, self.wire.exchanges
            assert len(entries) >= ENOUGH
            finished, carried = exchange.finished, exchange.pairs()  # in this order: HTTP may still bring more
            # A consumer that leaves does not see everything that HTTP still brought; one that waits does.
            assert entries == (carried if by_server else carried[: len(entries)])
            if finished and entries == carried:
                allowed.add("recorded")  # somebody read the rest after all, perhaps up to LangChain's report of the end
        for call in calls:
            assert traced.path(call) == list(self.path.spans)
            status = attributes(call)["logprobs.status"]
            assert status in allowed
            assert ("logprobs.status.reason" in attributes(call)) == (status == "partial")
            # A consumer that stops is no error; a server that fails is one. (The first failure of a batch ends all of
            # its chains: a call that is still waiting then is closed with its parent, before its own error comes.)
            with_parent = self.path.calls > 1 and "parent" in str(attributes(call).get("logprobs.status.reason"))
            failed = by_server and not with_parent
            assert (call.status.status_code is StatusCode.ERROR) == failed
            assert ("error.type" in attributes(call)) == failed
        # Ends that come late must not be written again.
        before = len(traced.spans)
        gc.collect()
        time.sleep(0.2)
        assert len(traced.spans) == before


@pytest.fixture
def scene(request: pytest.FixtureRequest, wire: RecordingProxy, traced: Traced) -> Scene:
    return Scene(PATHS[request.param], wire, traced)


def on_paths(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", names, indirect=True)


@on_paths(STREAMED)
def test_consumer_breaks_out(scene: Scene) -> None:
    """The loop is left, and nothing else is done: what holds the stream goes out of scope."""
    if scene.path.asynchronous:

        async def run(parts: Any) -> None:
            async for _ in await opened(parts):
                if scene.delivered.enough():
                    break

        model, parts = scene.start()
        asyncio.run(closing(model, run(parts)))
    else:

        def run_sync() -> None:
            for _ in scene.start()[1]:
                if scene.delivered.enough():
                    break

        run_sync()
    scene.assert_ended_once()


@on_paths(STREAMED)
def test_consumer_closes_the_stream(scene: Scene) -> None:
    """The loop is left and the stream closed, as `contextlib.closing` and `aclosing` do it."""
    if scene.path.asynchronous:

        async def run(parts: Any) -> None:
            stream = await opened(parts)
            iterator = aiter(stream)
            while not scene.delivered.enough():
                await anext(iterator)
            await (getattr(iterator, "aclose", None) or stream.aclose)()

        model, parts = scene.start()
        asyncio.run(closing(model, run(parts)))
    else:

        def run_sync() -> None:
            stream = scene.start()[1]
            iterator = iter(stream)
            while not scene.delivered.enough():
                next(iterator)
            (getattr(stream, "abort", None) or iterator.close)()  # a graph's v3 stream is aborted

        run_sync()
    scene.assert_ended_once()


@on_paths(STREAMED)
def test_stream_is_garbage_collected(scene: Scene) -> None:
    """The stream is part of a cycle, so that only the garbage collector ends it."""
    if scene.path.asynchronous:

        async def run(parts: Any) -> None:
            iterator = aiter(await opened(parts))
            while not scene.delivered.enough():
                await anext(iterator)
            cycle = [iterator]
            cycle.append(cycle)
            del iterator, parts, cycle
            gc.collect()
            await asyncio.sleep(0.1)  # the event loop closes what was collected

        async def outer() -> None:
            model, parts = scene.start()
            started = [run(parts)]
            del parts
            await closing(model, started.pop())

        asyncio.run(outer())
    else:

        def run_sync() -> None:
            iterator = iter(scene.start()[1])
            while not scene.delivered.enough():
                next(iterator)
            cycle = [iterator]
            cycle.append(cycle)

        run_sync()
        gc.collect()
    scene.assert_ended_once()


@on_paths(ASYNCHRONOUS)
def test_task_is_cancelled(scene: Scene) -> None:
    async def run() -> None:
        model = scene.path.make(scene.wire.url, **LONG)
        task = asyncio.create_task(closing(model, scene.path.consume(model, scene.config)))
        while not scene.under_way():
            await asyncio.sleep(0.01)
            assert not task.done()
        await asyncio.sleep(0.1)
        # One cancel is not always enough: on a busy machine the async stream of the OpenAI client swallows about one in
        # ten, with any handlers and with none (an upstream race, measured 9 of 80 without ours and 6 of 80 with it).
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=2 * GRACE)
        assert task.cancelled()

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    scene.assert_ended_once()


@contextmanager
def own_model_server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A model server that a test may kill or halt: its address and its process."""
    command = [sys.executable, local_model.__file__, "--serve", str(local_model._model_file()), "4", "1"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = next(line.split()[1] for line in process.stdout if line.startswith("listening "))
        yield address, process
    finally:
        stop(process)
        process.stdin.close()
        process.stdout.close()


@contextmanager
def when(condition: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Act once, from another thread, as soon as the condition holds."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(0.01):
            if condition():
                time.sleep(0.1)  # a few more tokens
                act()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


@pytest.mark.parametrize("name", PATHS)
def test_server_is_killed(name: str, traced: Traced) -> None:
    with own_model_server() as (address, process), RecordingProxy(address) as wire:
        scene = Scene(PATHS[name], wire, traced)
        with when(scene.under_way, process.kill), pytest.raises(Exception, match=r"(?i)connection|peer|incomplete"):
            scene.path.run(wire.url, scene.config, **LONG)
    scene.assert_ended_once(by_server=True)


@pytest.fixture(scope="module")
def halting_server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with own_model_server() as server:
        yield server


@pytest.mark.parametrize("name", PATHS)
def test_server_hangs_past_the_timeout(
    name: str, traced: Traced, halting_server: tuple[str, subprocess.Popen[str]]
) -> None:
    address, process = halting_server
    with RecordingProxy(address) as wire:
        scene = Scene(PATHS[name], wire, traced)
        try:
            with (
                when(scene.under_way, lambda: process.send_signal(signal.SIGSTOP)),
                pytest.raises(Exception, match=r"(?i)timed out|timeout"),
            ):
                scene.path.run(wire.url, scene.config, timeout=CLIENT_TIMEOUT, **LONG)
            scene.assert_ended_once(by_server=True)
        finally:
            process.send_signal(signal.SIGCONT)
