"""Switched on for the whole process."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

from langchain_logprobs import LogprobsCallbackHandler, LogprobsInstrumentor, Settings, instrumentor
from tests.support import TOKENS, ScriptedModel, Traced


@pytest.fixture
def instrumented() -> Iterator[Traced]:
    traced = Traced()
    LogprobsInstrumentor().instrument(tracer_provider=traced.provider, skip_dep_check=True)
    yield traced
    LogprobsInstrumentor().uninstrument()


def test_every_call_of_the_process_is_traced_with_no_change_to_it(instrumented) -> None:
    model = ScriptedModel()
    model.invoke("hi")
    asyncio.run(model.ainvoke("hi"))
    thread = threading.Thread(target=model.invoke, args=("hi",))
    thread.start()
    thread.join()
    calls = instrumented.named("chat")
    assert [call.attributes["logprobs.tokens"] for call in calls] == [tuple(TOKENS)] * 3


def test_a_handler_in_the_config_makes_no_second_span(instrumented) -> None:
    ScriptedModel().invoke("hi", config=instrumented.config)
    assert len(instrumented.spans) == 1
    assert instrumented.call.attributes["logprobs.tokens"] == tuple(TOKENS)


def test_uninstrument_ends_it_and_it_can_be_switched_on_again(instrumented) -> None:
    LogprobsInstrumentor().uninstrument()
    LogprobsInstrumentor().uninstrument()
    assert LogprobsInstrumentor().handler is None
    ScriptedModel().invoke("hi")
    assert instrumented.spans == ()
    LogprobsInstrumentor().instrument(Settings(spans="llm"), instrumented.provider)
    ScriptedModel().invoke("hi")
    assert len(instrumented.spans) == 1


OTHER = TracerProvider()


@pytest.mark.parametrize(
    ("second", "warns"),
    [
        (lambda traced: {"tracer_provider": traced.provider}, False),
        (lambda traced: {"tracer_provider": traced.provider, "settings": Settings()}, False),
        (lambda traced: {"tracer_provider": traced.provider, "settings": Settings.from_env()}, False),
        (lambda traced: {"tracer_provider": traced.provider, "skip_dep_check": True, "new": 1}, False),
        (lambda traced: {"tracer_provider": traced.provider, "settings": Settings(spans="llm")}, True),
        (lambda traced: {"tracer_provider": traced.provider, "settings": Settings(max_fields=1)}, True),
        (lambda traced: {"tracer_provider": OTHER}, True),
        (lambda traced: {"tracer_provider": traced.provider, "meter_provider": object()}, True),
        (lambda traced: {"tracer_provider": traced.provider, "logger_provider": object()}, True),
        (lambda traced: {}, True),
    ],
)
def test_a_second_instrument_changes_nothing_and_says_so_where_it_would(
    instrumented, caplog: pytest.LogCaptureFixture, second: Any, warns: bool
) -> None:
    handler = LogprobsInstrumentor().handler
    LogprobsInstrumentor().instrument(**second(instrumented))
    assert LogprobsInstrumentor().handler is handler
    messages = [(record.name, record.levelname) for record in caplog.records]
    assert messages == [("langchain_logprobs", "WARNING")] * warns
    if warns:
        assert "uninstrument() before instrument()" in caplog.text


def test_the_process_own_provider_named_or_not_is_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    try:
        LogprobsInstrumentor().instrument()
        LogprobsInstrumentor().instrument(tracer_provider=provider)
        assert not caplog.records
        LogprobsInstrumentor().instrument(tracer_provider=OTHER)
        assert len(caplog.records) == 1
    finally:
        LogprobsInstrumentor().uninstrument()


@pytest.mark.parametrize("wrong", [{"spans": "llm"}, "llm", 5, TracerProvider(), LogprobsCallbackHandler, Settings])
def test_settings_of_another_kind_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"is not a langchain_logprobs\.Settings"):
        LogprobsInstrumentor().instrument(wrong)
    assert LogprobsInstrumentor().handler is None


@pytest.mark.parametrize("call", ["invoke", "stream", "batch", "ainvoke", "astream"])
@pytest.mark.parametrize("key", [context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"], ids=["new", "old"])
def test_suppressed_calls_are_not_traced(instrumented, call: str, key: str) -> None:
    def run() -> None:
        model = ScriptedModel()
        if call == "stream":
            list(model.stream("hi"))
        elif call == "batch":
            model.batch(["hi", "ho"])
        elif call == "ainvoke":
            asyncio.run(model.ainvoke("hi"))
        elif call == "astream":

            async def consume() -> None:
                async for _ in model.astream("hi"):
                    pass

            asyncio.run(consume())
        else:
            model.invoke("hi")

    token = context.attach(context.set_value(key, True))
    try:
        run()
        assert instrumented.spans == ()
    finally:
        context.detach(token)
    run()
    assert len(instrumented.spans) == (2 if call == "batch" else 1)


def test_a_run_that_starts_just_when_the_process_is_uninstrumented_goes_on(
    instrumented, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangChain asks twice, and calls the class of handlers if the second answer is None."""
    real, answers = instrumentor._current.get, iter([True])
    monkeypatch.setattr(instrumentor._current, "get", lambda: real() if next(answers, False) else None)
    assert ScriptedModel().invoke("hi").content == "".join(TOKENS)
    assert type(instrumentor._current()) is BaseCallbackHandler


def test_a_handler_that_cannot_be_made_is_said_once_and_the_chain_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise StopIteration

    monkeypatch.setattr("langchain_logprobs.handler.Telemetry", fails)  # as an API whose provider is not installed
    LogprobsInstrumentor().instrument()
    try:
        for _ in range(3):
            assert ScriptedModel().invoke("hi").content == "".join(TOKENS)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert LogprobsInstrumentor().handler is None
    finally:
        LogprobsInstrumentor().uninstrument()


def test_many_threads_switch_it_on_and_off_under_running_calls() -> None:
    traced, stop, failures = Traced(), threading.Event(), []

    def calls() -> None:
        try:
            while not stop.is_set():
                ScriptedModel().invoke("hi")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        LogprobsInstrumentor().instrument(tracer_provider=traced.provider)
        LogprobsInstrumentor().uninstrument()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert LogprobsInstrumentor().handler is None


def test_opentelemetry_finds_it() -> None:
    (found,) = entry_points(group="opentelemetry_instrumentor", name="langchain-logprobs")
    assert found.load() is LogprobsInstrumentor


# In a process that has not imported LangChain.


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environ}
    )


def test_a_process_without_langchain_pays_next_to_nothing() -> None:
    done = run(
        "import sys; before = set(sys.modules)\n"
        "from langchain_logprobs import LogprobsInstrumentor\n"
        "LogprobsInstrumentor().instrument(skip_dep_check=True)\n"
        "LogprobsInstrumentor().instrument()\n"
        "import json, urllib.request, sqlite3\n"
        "heavy = ('langchain_core', 'langsmith', 'opentelemetry', 'pydantic', 'rich', 'openai')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in heavy])\n"
        "print(sorted(name for name in sys.modules if name.startswith('langchain_logprobs')))\n",
        LANGCHAIN_LOGPROBS_EVENTS="logs",
    )
    assert done.stdout.splitlines() == [
        "[]",
        "['langchain_logprobs', 'langchain_logprobs.instrumentor']",
    ]
    assert done.stderr == ""


TRACED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from langchain_core.language_models import FakeListChatModel
for _ in range(2):
    FakeListChatModel(responses=["yes"]).invoke("hi")
print([span.name for span in exporter.get_finished_spans()])
ours = [each for each in sys.meta_path if "langchain_logprobs" in type(each).__module__]
print([name for each in ours for name in each._acts if name in sys.modules])
"""
INSTRUMENT = "from langchain_logprobs import LogprobsInstrumentor; LogprobsInstrumentor().instrument()\n"


@pytest.mark.parametrize(
    "before",
    [
        INSTRUMENT * 2 + "LogprobsInstrumentor().uninstrument()\n" + INSTRUMENT,
        "import langchain_core\n" + INSTRUMENT,
        "import langchain_core.tracers.context\n" + INSTRUMENT,
        INSTRUMENT + "import importlib.util; importlib.util.find_spec('langchain_core.tracers.context')\n",
        INSTRUMENT + "import threading, importlib\n"
        "threads = [threading.Thread(target=importlib.import_module, args=('langchain_core.tracers.context',))"
        " for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n",
    ],
)
def test_langchain_may_be_imported_before_or_after(before: str) -> None:
    done = run("import sys\n" + before + TRACED)
    assert done.stdout.splitlines() == ["['chat', 'chat']", "[]"], done.stderr
    (line,) = done.stderr.splitlines()
    assert "was not asked" in line


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[ModuleType]]]:
    """A module that is watched for, not yet written, and the list of what was seen imported."""
    seen: list[ModuleType] = []
    name = f"watched_{tmp_path.name.replace('-', '_')}"
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    instrumentor._act_after_import(name, seen.append)
    yield tmp_path / f"{name}.py", seen
    sys.meta_path[:] = finders
    sys.modules.pop(name, None)


def test_a_watched_module_keeps_its_loader_and_its_source(watched: tuple[Path, list[ModuleType]]) -> None:
    path, seen = watched
    path.write_text("answer = 42\n", encoding="utf-8")
    module = importlib.import_module(path.stem)
    assert seen == [module]
    assert module.answer == 42
    assert module.__spec__ is not None
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
    assert vars(module.__spec__.loader).keys() == {"name", "path"}
    assert module.__spec__.loader.get_source(path.stem) == "answer = 42\n"  # type: ignore[union-attr]
    importlib.reload(module)
    assert seen == [module]


def test_a_module_that_fails_to_import_is_watched_until_it_succeeds(watched: tuple[Path, list[ModuleType]]) -> None:
    path, seen = watched
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(path.stem)
    path.write_text("raise OSError('not yet')", encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises(OSError, match="not yet"):
        importlib.import_module(path.stem)
    assert seen == []
    path.write_text("# and now it does\n", encoding="utf-8")
    assert seen == [importlib.import_module(path.stem)]


def test_a_module_that_can_not_be_registered_with_is_imported_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hookless.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    instrumentor._act_after_import("hookless", instrumentor._Current()._register)
    assert importlib.import_module("hookless").__name__ == "hookless"
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("langchain_logprobs", logging.ERROR)
    assert "could not register with LangChain" in record.getMessage()


def test_a_loader_that_cannot_be_watched_still_loads(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Sealed:
        __slots__ = ()

        def create_module(self, spec: Any) -> None:
            return None

        def exec_module(self, module: ModuleType) -> None:
            module.loaded = True  # type: ignore[attr-defined]

    class Finder:
        def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
            return importlib.util.spec_from_loader(name, Sealed()) if name == "sealed" else None  # type: ignore[arg-type]

    # Last: our own finder, which an earlier test may have put there, is asked before it.
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    instrumentor._act_after_import("sealed", lambda _: None)
    assert importlib.import_module("sealed").loaded
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    del sys.modules["sealed"]


def test_a_loader_of_several_modules_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("zipped_first.py", "import zipped_second\n")
        archive.writestr("zipped_second.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "many.zip"))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    seen: list[str] = []
    instrumentor._act_after_import("zipped_first", lambda module: seen.append(module.__name__))
    importlib.util.find_spec("zipped_first")
    module = importlib.import_module("zipped_first")
    assert seen == ["zipped_first"]
    assert "exec_module" not in vars(module.__loader__)
    for name in ("zipped_first", "zipped_second"):
        del sys.modules[name]
