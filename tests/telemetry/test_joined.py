"""Spans of other instrumentations, joined: the shapes that they can have, those that are wrong, and the limits.

The real ones are in tests/peers. The one here stands for any of them, and does what none should.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.capture import joining
from langchain_logprobs.telemetry import joined
from tests.support import TOKENS, ScriptedModel

SCOPE = "openinference.instrumentation.langchain"


class Peer(BaseCallbackHandler):
    """An instrumentation of LangChain's runs."""

    run_inline = True

    def __init__(self, provider: TracerProvider, scope: str = SCOPE) -> None:
        self.tracer = provider.get_tracer(scope)
        self.spans: dict[UUID, Any] = {}
        self.ends = True
        self.attributes = 3

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.start("chain", run_id, kwargs)

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.start("ChatModel", run_id, kwargs)

    def start(self, name: str, run_id: UUID, kwargs: Any) -> None:
        parent = self.spans.get(kwargs["parent_run_id"])
        context = None if parent is None else trace.set_span_in_context(parent)
        self.spans[run_id] = self.tracer.start_span(name, context)

    def end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
        span = self.spans.pop(run_id, None)
        if span is not None and self.ends:
            span.set_attributes({f"peer.{index}": "x" for index in range(self.attributes)})
            span.end()

    on_chain_end = on_llm_end = on_chain_error = on_llm_error = end  # type: ignore[assignment]


Peer.__module__ = f"{SCOPE}._tests"


class Beside:
    """A peer and our handler on one provider."""

    def __init__(self, *, ours_first: bool = False, settings: Settings | None = None, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.peer = Peer(self.provider)
        self.handler = LogprobsCallbackHandler(settings, tracer_provider=self.provider)
        pair = [self.peer, self.handler]
        self.config: Any = {"callbacks": pair[::-1] if ours_first else pair}

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    @property
    def left(self) -> int:
        gc.collect()
        found = joined.peer_spans_on(self.provider)
        assert found is not None
        return len(found) + self.handler.open_runs


@pytest.fixture(autouse=True)
def unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_said", set())


@pytest.mark.parametrize("ours_first", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_ours_is_added_to_its_span_and_nothing_else_changes(ours_first: bool, is_async: bool) -> None:
    beside = Beside(ours_first=ours_first)
    chain = RunnableLambda(lambda text: text) | ScriptedModel()
    if is_async:
        asyncio.run(chain.ainvoke("q", beside.config))
    else:
        chain.invoke("q", beside.config)
    assert [span.name for span in beside.exporter.get_finished_spans()] == ["chain", "ChatModel", "chain"]
    call, root = beside.spans["ChatModel"], beside.spans["chain"]
    assert call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert {name for name in call.attributes if not name.startswith("logprobs.")} == {"peer.0", "peer.1", "peer.2"}
    assert call.status.is_unset
    assert call.parent.span_id == root.context.span_id
    assert root.attributes["logprobs.llm_call.count"] == 1
    assert root.attributes["logprobs.worst.span_id"] == f"{call.context.span_id:016x}"
    assert call.start_time <= call.end_time <= root.end_time
    assert beside.left == 0


def test_its_times_are_those_that_it_says() -> None:
    beside = Beside()
    times = []

    class Late(Peer):
        def end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
            span = self.spans.pop(run_id)
            times.append(span.start_time + 5)
            span.end(times[-1])

        on_llm_end = end  # type: ignore[assignment]

    Late.__module__ = Peer.__module__
    ScriptedModel().invoke("q", config={"callbacks": [Late(beside.provider), beside.handler]})
    ScriptedModel().invoke("q", config={"callbacks": [beside.handler, Late(beside.provider)]})
    assert [span.end_time for span in beside.exporter.get_finished_spans()] == times
    assert all("end" not in vars(span) for span in beside.exporter.get_finished_spans())


@pytest.mark.parametrize("ours_first", [False, True])
def test_one_that_never_ends_is_not_waited_for(ours_first: bool) -> None:
    beside = Beside(ours_first=ours_first)
    beside.peer.ends = False
    ScriptedModel().invoke("q", config=beside.config)
    assert beside.spans == {}
    assert beside.left == 0


def test_one_that_ends_later_has_ours_then() -> None:
    beside = Beside()
    beside.peer.ends = False
    kept = beside.peer.spans = Kept()
    ScriptedModel().invoke("q", config=beside.config)
    (span,) = kept.all
    assert beside.left == 0
    span.end()
    assert beside.spans["ChatModel"].attributes["logprobs.status"] == "recorded"


class Kept(dict):
    """Keeps every span that was ever put in."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Any] = []

    def __setitem__(self, key: Any, value: Any) -> None:
        self.all.append(value)
        super().__setitem__(key, value)


def test_one_that_ends_twice_or_from_two_threads_ends_once(caplog: pytest.LogCaptureFixture) -> None:
    beside = Beside()
    kept = beside.peer.spans = Kept()
    beside.peer.ends = False
    ScriptedModel().invoke("q", config=beside.config)
    threads = [threading.Thread(target=kept.all[0].end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(beside.exporter.get_finished_spans()) == 1


def test_one_that_ended_before_we_could_write_has_ours_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    beside = Beside()

    class Early(Peer):
        def start(self, name: str, run_id: UUID, kwargs: Any) -> None:
            super().start(name, run_id, kwargs)
            self.spans.pop(run_id).end()

    Early.__module__ = Peer.__module__
    ScriptedModel().invoke("q", config={"callbacks": [Early(beside.provider), beside.handler]})
    assert [span.name for span in beside.exporter.get_finished_spans()] == ["ChatModel", "chat scripted-1"]
    assert "another instrumentation" in caplog.text
    assert beside.left == 0


def test_one_that_its_owner_drops_when_it_ends_is_kept_till_ours_is_written() -> None:
    beside = Beside()

    class Collecting(BaseCallbackHandler):
        def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
            gc.collect()

    ScriptedModel().invoke("q", config={"callbacks": [beside.peer, Collecting(), beside.handler]})
    assert [*beside.spans] == ["ChatModel"]
    assert beside.spans["ChatModel"].attributes["logprobs.status"] == "recorded"
    assert beside.left == 0


def test_what_its_owner_writes_after_the_end_is_not_heard_as_ever() -> None:
    beside = Beside()

    class Talkative(Peer):
        def end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
            span = self.spans.pop(run_id)
            span.end()
            assert not span.is_recording()
            span.set_attribute("too", "late")
            span.set_status(trace.StatusCode.ERROR)
            span.record_exception(ValueError())
            span.update_name("late")
            span.add_event("late")
            with trace.use_span(span, end_on_exit=True):
                pass

        on_llm_end = end  # type: ignore[assignment]

    Talkative.__module__ = Peer.__module__
    ScriptedModel().invoke("q", config={"callbacks": [Talkative(beside.provider), beside.handler]})
    (span,) = beside.exporter.get_finished_spans()
    assert (span.name, span.status.is_unset) == ("ChatModel", True)
    assert [name for name in span.attributes or {} if not name.startswith("logprobs.")] == []
    assert not [event for event in span.events if event.name in ("late", "exception")]


class Frozen(SimpleSpanProcessor):
    """Makes spans whose attributes cannot be set, as a later SDK may."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        class Sealed(type(span)):  # type: ignore[misc]
            def __setattr__(self, name: str, value: Any) -> None:
                if name == "end":
                    raise AttributeError(name)
                object.__setattr__(self, name, value)

        span.__class__ = Sealed


def test_one_that_cannot_be_held_ends_as_ever_and_the_call_has_a_span_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Frozen(exporter))
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    for _ in range(3):
        ScriptedModel().invoke("q", config={"callbacks": [Peer(provider), handler]})
    assert [span.name for span in exporter.get_finished_spans()] == ["ChatModel", "chat scripted-1"] * 3
    assert [record.levelname for record in caplog.records] == [
        "WARNING",
        "WARNING",
    ]  # one of each kind, not of each call


@pytest.mark.parametrize("scope", ["renamed", "opentelemetry.instrumentation.httpx"])
def test_one_of_another_scope_is_left_alone(scope: str, caplog: pytest.LogCaptureFixture) -> None:
    beside = Beside()
    peer = Peer(beside.provider, scope)
    chain = RunnableLambda(lambda text: text) | ScriptedModel()
    for _ in range(2):
        chain.invoke("q", config={"callbacks": [peer, beside.handler]})
    names = sorted(span.name for span in beside.exporter.get_finished_spans())
    assert names == sorted(["ChatModel", "chain", "chain", "chat scripted-1"] * 2)
    assert not any(name.startswith("logprobs.") for name in beside.spans["ChatModel"].attributes)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert beside.left == 0


def test_its_spans_on_another_provider_are_not_seen() -> None:
    beside, elsewhere = Beside(), Beside()
    ScriptedModel().invoke("q", config={"callbacks": [elsewhere.peer, beside.handler]})
    assert [*beside.spans] == ["chat scripted-1"]
    assert [*elsewhere.spans] == ["ChatModel"]


def test_a_call_that_it_does_not_show_has_a_span_of_ours_under_its_last() -> None:
    beside = Beside()
    chain = RunnableLambda(lambda text: text) | FakeListLLM(responses=["yes"])  # this peer knows no completion models
    chain.invoke("q", beside.config)
    own, root = beside.spans["text_completion"], beside.spans["chain"]
    assert own.parent.span_id == root.context.span_id
    assert own.start_time < own.end_time <= root.end_time


# Sampling.


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ParentBased(TraceIdRatioBased(0.0)), TraceIdRatioBased(0.0)])
def test_where_its_span_may_be_sampled_out_there_is_none_of_ours(sampler: Any, caplog: Any) -> None:
    beside = Beside(sampler=sampler)
    for _ in range(120):
        ScriptedModel().invoke("q", config=beside.config)
    assert beside.spans == {}
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["langchain-logprobs"]
    assert "LANGCHAIN_LOGPROBS_SPANS=all" in caplog.text
    assert beside.left == 0


def test_under_a_sampled_span_of_the_program_ours_is_sampled_too() -> None:
    beside = Beside(sampler=ParentBased(TraceIdRatioBased(0.0)))
    sampled = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    beside.peer.tracer = Peer(TracerProvider(shutdown_on_exit=False)).tracer
    with trace.use_span(NonRecordingSpan(sampled)):
        ScriptedModel().invoke("q", config=beside.config)
    assert [*beside.spans] == ["chat scripted-1"]
    assert beside.spans["chat scripted-1"].parent.span_id == 2


class Unsure:
    """A sampler that says nothing of itself."""

    def get_description(self) -> str:
        raise RuntimeError


def test_what_a_sampler_says() -> None:
    assert joined.keeps_every_trace(TracerProvider(shutdown_on_exit=False))
    for sampler in (ALWAYS_OFF, TraceIdRatioBased(1.0), ParentBased(TraceIdRatioBased(0.5)), Unsure()):
        assert not joined.keeps_every_trace(TracerProvider(sampler=sampler, shutdown_on_exit=False))  # type: ignore[arg-type]
    assert not joined.keeps_every_trace(object())


# Limits.


@pytest.mark.parametrize("ours_first", [False, True])
@pytest.mark.parametrize("its_own", [3, 90, 100, 115, 128, 140])
def test_its_attributes_are_never_pushed_out(its_own: int, ours_first: bool) -> None:
    beside, alone = Beside(ours_first=ours_first), Beside()
    beside.peer.attributes = alone.peer.attributes = its_own
    ScriptedModel().invoke("q", config=beside.config)
    ScriptedModel().invoke("q", config={"callbacks": [alone.peer]})
    attributes = beside.spans["ChatModel"].attributes
    theirs = {name: value for name, value in attributes.items() if not name.startswith("logprobs.")}
    assert theirs == dict(alone.spans["ChatModel"].attributes)
    assert beside.spans["ChatModel"].dropped_attributes == alone.spans["ChatModel"].dropped_attributes
    assert len(attributes) <= 128
    if its_own <= 115:
        assert attributes["logprobs.status"] == "recorded"
        assert ("logprobs.tokens" in attributes) == ("logprobs.values" in attributes)


def test_a_provider_with_a_limit_of_its_own_that_is_reached() -> None:
    beside = Beside(span_limits=SpanLimits(max_span_attributes=4))
    beside.peer.attributes = 6
    ScriptedModel().invoke("q", config=beside.config)
    assert [*beside.spans["ChatModel"].attributes] == ["peer.2", "peer.3", "peer.4", "peer.5"]


def test_what_fits() -> None:
    ours = {"logprobs.status": 1, "logprobs.values": 2, "logprobs.alternatives.a": 3, "logprobs.tokens": 4}
    assert joined._fitting(ours, 4) == ours
    assert [*joined._fitting(ours, 3)] == ["logprobs.status", "logprobs.values", "logprobs.tokens"]
    assert [*joined._fitting(ours, 2)] == ["logprobs.status", "logprobs.alternatives.a"]
    assert joined._fitting(ours, 0) == {}
    assert joined._room(None, 200, 0) > 1e9


@pytest.mark.parametrize(("its_own", "expected"), [(0, 6), (125, 1), (128, 0)])
def test_its_events_are_never_pushed_out(its_own: int, expected: int) -> None:
    beside = Beside()

    class Eventful(Peer):
        def end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
            for index in range(its_own):
                self.spans[run_id].add_event(f"theirs {index}")
            super().end(result, run_id=run_id)

        on_llm_end = end  # type: ignore[assignment]

    Eventful.__module__ = Peer.__module__
    list(ScriptedModel().stream("q", config={"callbacks": [Eventful(beside.provider), beside.handler]}))
    names = [event.name for event in beside.spans["ChatModel"].events]
    assert [name for name in names if name.startswith("theirs")] == [f"theirs {index}" for index in range(its_own)]
    assert len(names) - its_own == expected or (expected == 1 and 0 < len(names) - its_own <= 3)


# Several, and other settings.


def test_the_first_of_two_has_ours() -> None:
    beside = Beside()
    second = Peer(beside.provider, "langfuse-sdk")
    ScriptedModel().invoke("q", config={"callbacks": [second, *beside.config["callbacks"]]})
    ended: Any = beside.exporter.get_finished_spans()
    found = {span.instrumentation_scope.name: span for span in ended}
    assert "logprobs.status" in found["langfuse-sdk"].attributes
    assert not any(name.startswith("logprobs.") for name in found[SCOPE].attributes)


def test_a_span_that_the_program_opens_in_a_callback_is_not_taken() -> None:
    beside = Beside()

    class Program(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, run_id: UUID, **kwargs: Any) -> None:
            self.span = beside.provider.get_tracer("program").start_span("timing")

        def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
            self.span.end()

    ScriptedModel().invoke("q", config={"callbacks": [Program(), *beside.config["callbacks"]]})
    assert dict(beside.spans["timing"].attributes) == {}
    assert beside.spans["ChatModel"].attributes["logprobs.status"] == "recorded"


@pytest.mark.parametrize("spans", ["all", "llm"])
def test_who_asks_for_spans_of_ours_has_them(spans: Any) -> None:
    beside = Beside(settings=Settings(spans=spans))
    (RunnableLambda(lambda text: text) | ScriptedModel()).invoke("q", beside.config)
    assert "chat scripted-1" in beside.spans
    assert not any(name.startswith("logprobs.") for name in beside.spans["ChatModel"].attributes)


def test_runs_without_us_beside_one_that_is_watched() -> None:
    beside = Beside()
    ScriptedModel().invoke("q", config={"callbacks": [beside.peer]})
    assert beside.spans["ChatModel"].end_time
    assert beside.left == 0


def test_its_span_is_what_get_span_returns() -> None:
    beside = Beside()
    seen: list[Any] = []
    run_id = uuid4()

    class Asking(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(beside.handler.get_span(run_id))
            return super()._generate(*args, **kwargs)

    Asking().invoke("q", config={**beside.config, "run_id": run_id})
    assert seen[0].name == "ChatModel"
    assert beside.handler.get_span(run_id) is None


def test_a_provider_that_is_set_after_the_handler_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Beside()
    handler = LogprobsCallbackHandler()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: beside.provider)
    ScriptedModel().invoke("q", config={"callbacks": [handler, beside.peer]})
    assert beside.spans["ChatModel"].attributes["logprobs.status"] == "recorded"


class Foreign:
    """A tracer provider that is not the SDK's."""

    def __init__(self, processors: bool) -> None:
        if processors:
            self.add_span_processor = self._refuse

    def _refuse(self, processor: Any) -> None:
        raise NotImplementedError

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        return trace.NoOpTracer()


@pytest.mark.parametrize("processors", [False, True])
def test_a_provider_that_cannot_be_watched(processors: bool) -> None:
    provider: Any = Foreign(processors)
    assert joined.peer_spans_on(provider) is None
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    assert ScriptedModel().invoke("q", config={"callbacks": [handler]}).content == "".join(TOKENS)


def test_a_provider_is_watched_once_and_not_kept_alive() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    first = joined.peer_spans_on(provider)
    assert joined.peer_spans_on(provider) is first
    gc.collect()
    before = len(joined._watched)
    del provider, first
    gc.collect()
    assert len(joined._watched) == before - 1


def test_what_the_model_failed_with_stays_its_own(caplog: pytest.LogCaptureFixture) -> None:
    beside = Beside()
    with pytest.raises(RuntimeError):
        ScriptedModel(fail_after=1).invoke("q", config=beside.config)
    call = beside.spans["ChatModel"]
    assert call.attributes["logprobs.status"] == "partial"
    assert "error.type" not in call.attributes
    assert call.status.is_unset  # this peer says nothing of errors
    assert call.events == ()


def test_what_fails_while_we_write_does_not_keep_it_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beside = Beside()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(joined.PeerSpans, "write", fail)
    ScriptedModel().invoke("q", config=beside.config)
    monkeypatch.setattr(joining.Joining, "_to_write_on", fail)
    ScriptedModel().invoke("q", config=beside.config)
    assert [span.name for span in beside.exporter.get_finished_spans()] == ["ChatModel", "ChatModel"]
    assert beside.left == 0


def test_a_joined_span_leaves_what_is_not_ours_alone() -> None:
    beside = Beside()
    spans = joined.peer_spans_on(beside.provider)
    assert spans is not None
    span = beside.provider.get_tracer(SCOPE).start_span("theirs")
    ours = joined.Claim(spans, 1, span, None).joined
    ours.update_name("ours")
    ours.set_status(trace.StatusCode.ERROR)
    ours.record_exception(ValueError())
    ours.set_attribute("gen_ai.usage.output_tokens", 1)
    ours.set_attribute("logprobs.mean", -1.0)
    assert ours.is_recording()
    assert ours.get_span_context() == span.get_span_context()
    ours.end()
    span.end()
    ended = beside.spans["theirs"]
    assert (ended.status.is_unset, ended.events, dict(ended.attributes)) == (True, (), {"logprobs.mean": -1.0})


@pytest.mark.parametrize("ours_first", [False, True])
def test_with_endings_that_are_put_off_it_is_held_until_its_turn(ours_first: bool) -> None:
    beside = Beside(ours_first=ours_first, settings=Settings(deferred=True))
    chain = RunnableLambda(lambda text: text) | ScriptedModel()
    for _ in range(5):
        chain.invoke("q", beside.config)
    beside.provider.force_flush()
    spans = beside.exporter.get_finished_spans()
    calls = [span for span in spans if span.name == "ChatModel"]
    assert [(span.attributes or {})["logprobs.status"] for span in calls] == ["recorded"] * 5
    roots = [span for span in spans if span.parent is None]
    assert [(span.attributes or {})["logprobs.llm_call.count"] for span in roots] == [1] * 5
    assert beside.left == 0
