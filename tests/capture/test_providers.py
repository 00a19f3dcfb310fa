"""Handlers that name the process's tracer provider and handlers that do not are one, whenever it was set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each case is a forked process")

Run = Callable[[str], list[str]]

# The process's provider can be set once a process: each order of events has one of its own, forked from this one.
FORKED = """
import json, logging, os, sys, threading, uuid
from langchain_core.language_models import FakeListChatModel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from langchain_logprobs import LogprobsCallbackHandler as Handler, LogprobsInstrumentor as Instrumentor

# What the first half hour is told of is another test's subject.
logging.getLogger("langchain_logprobs").setLevel(logging.ERROR)

class Export(SpanExporter):
    def __init__(self, name):
        self.name = name
    def export(self, spans):
        for span in spans:
            print(self.name, span.name, span.attributes.get("logprobs.status.reason") or "", flush=True)
        return SpanExportResult.SUCCESS

def provider(name="p", processor=SimpleSpanProcessor):
    made = TracerProvider(shutdown_on_exit=True)
    made.add_span_processor(processor(Export(name)))
    return made

def call(*handlers):
    FakeListChatModel(responses=["yes"]).invoke("hi", config={"callbacks": list(handlers)})

def start(handler, run_id, parent=None):
    asked = {"logprobs": True}
    handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=parent, invocation_params=asked)

for line in sys.stdin:
    code, output = json.loads(line)
    child = os.fork()
    if child == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        exec(code, globals())
        sys.exit()
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FORKED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture
def run(server: subprocess.Popen[str], tmp_path: Path) -> Run:
    """Run code in a process of its own, to its exit; give back what it printed."""

    def run(code: str) -> list[str]:
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps([code, str(tmp_path / "output")]), file=server.stdin, flush=True)
        status = server.stdout.readline()
        lines = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
        assert status == "0\n", lines
        return [line.strip() for line in lines]

    return run


@pytest.mark.parametrize(
    "code",
    [
        "p = provider(); trace.set_tracer_provider(p); call(Handler(tracer_provider=p), Handler())",
        "p = provider(); trace.set_tracer_provider(p); call(Handler(), Handler(tracer_provider=p))",
        "p = provider(); named = Handler(tracer_provider=p); trace.set_tracer_provider(p); call(named, Handler())",
        "p = provider(); named = Handler(tracer_provider=p); trace.set_tracer_provider(p); call(Handler(), named)",
        "p = provider(); Instrumentor().instrument(tracer_provider=p); trace.set_tracer_provider(p); call(Handler())",
        "h = Handler(); call(h); p = provider(); trace.set_tracer_provider(p); call(h, Handler(tracer_provider=p))",
        "h = Handler(tracer_provider=trace.get_tracer_provider()); trace.set_tracer_provider(provider())\n"
        "call(h, Handler())",
        "p = provider(); named = [Handler(tracer_provider=p) for _ in range(3)]; trace.set_tracer_provider(p);"
        "call(*named, Handler())",
    ],
)
def test_one_span_a_call(run: Run, code: str) -> None:
    assert run(code) == ["p chat"]


def test_two_providers_get_a_span_each(run: Run) -> None:
    lines = run(
        "q = provider('q'); p = provider(); named = Handler(tracer_provider=q); trace.set_tracer_provider(p)\n"
        "call(named, Handler()); call(Handler(), Handler(tracer_provider=q))"
    )
    assert sorted(lines) == ["p chat", "p chat", "q chat", "q chat"]


def test_a_run_that_is_open_while_the_provider_becomes_the_process_own_goes_on(run: Run) -> None:
    lines = run(
        "p = provider(); named, other = Handler(tracer_provider=p), Handler()\n"
        "first, second, third = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()\n"
        "start(named, first); trace.set_tracer_provider(p); start(other, second)\n"
        "assert named.open_runs == other.open_runs == 2, named.open_runs\n"
        "named.on_chain_start({}, {}, run_id=third, parent_run_id=first)\n"
        "other.on_llm_error(OSError(), run_id=first); named.on_llm_error(OSError(), run_id=second)\n"
        "named.on_llm_new_token('late', run_id=first)\n"
        "assert named.open_runs == other.open_runs == 0"
    )
    assert [line.split()[:2] for line in lines] == [["p", "chain"], ["p", "chat"], ["p", "chat"]]


def test_a_forgotten_run_is_still_noticed_after_that(run: Run) -> None:
    lines = run(
        "import time; p = provider(); named = Handler(tracer_provider=p); trace.set_tracer_provider(p)\n"
        "call(Handler()); run_id = uuid.uuid4(); start(named, run_id); del run_id\n"
        "deadline = time.monotonic() + 20\n"
        "while named.open_runs and time.monotonic() < deadline: time.sleep(0.05)"
    )
    assert lines == ["p chat", "p chat abandoned: LangChain reported no end"]


def test_threads_that_start_runs_while_the_provider_is_set(run: Run) -> None:
    lines = run(
        "p = provider(); named, other = Handler(tracer_provider=p), Handler()\n"
        "def work():\n"
        "    for _ in range(50): call(named, other)\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; trace.set_tracer_provider(p); [thread.join() for thread in threads]\n"
        "assert named.open_runs == other.open_runs == 0\n"
        "for _ in range(3): call(named, other)"
    )
    assert lines[-3:] == ["p chat"] * 3
    assert 200 <= len(lines) - 3 <= 204  # a call that was under way in each thread may have two


def test_a_forked_child_after_that(run: Run) -> None:
    lines = run(
        "p = provider(); named, other = Handler(tracer_provider=p), Handler()\n"
        "trace.set_tracer_provider(p); start(named, left_open := uuid.uuid4())\n"
        # Python 3.12 and later warn of any fork beside a thread; the thread is our reaper, and this is about that.
        "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
        "if (child := os.fork()) == 0:\n"
        "    assert named.open_runs == other.open_runs == 0\n"
        "    call(other, named); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "named.on_llm_error(OSError(), run_id=left_open)"
    )
    assert [line.split()[:2] for line in lines] == [["p", "chat"], ["p", "chat"]]


EXITED = "chat abandoned: the program exited"


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (  # the provider's own shutdown is registered after ours, unless we register anew
            "h = Handler(); call(h); p = provider(processor=BatchSpanProcessor); trace.set_tracer_provider(p)\n"
            "run_id = uuid.uuid4(); start(h, run_id)",
            [f"p {EXITED}"],
        ),
        (
            "p = provider(processor=BatchSpanProcessor); trace.set_tracer_provider(p)\n"
            "run_id = uuid.uuid4(); start(Handler(), run_id)",
            [f"p {EXITED}"],
        ),
        (
            "call(Handler()); q = provider('q', BatchSpanProcessor)\n"
            "run_id = uuid.uuid4(); start(Handler(tracer_provider=q), run_id)",
            [f"q {EXITED}"],
        ),
        (
            "p = provider(processor=BatchSpanProcessor); named = Handler(tracer_provider=p); call(named)\n"
            "q = provider('q', BatchSpanProcessor); trace.set_tracer_provider(q)\n"
            "first, second = uuid.uuid4(), uuid.uuid4(); start(named, first); start(Handler(), second)",
            ["p chat", f"p {EXITED}", f"q {EXITED}"],
        ),
        (
            "h = Handler(); call(h); p = provider(processor=BatchSpanProcessor); trace.set_tracer_provider(p)\n"
            "run_id = uuid.uuid4()\n"
            "thread = threading.Thread(target=start, args=(Handler(tracer_provider=p), run_id), daemon=True)\n"
            "thread.start(); thread.join()",
            [f"p {EXITED}"],
        ),
    ],
)
def test_open_runs_are_exported_at_exit_however_late_the_provider_was_set(
    run: Run, code: str, lines: list[str]
) -> None:
    assert sorted(run(code)) == lines
