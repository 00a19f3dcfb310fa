# ruff: noqa: D107  (what the methods do is said once, at Contender)
"""What is compared: the floors, ours, and the peers, each writing to a tracer provider of the benchmark's."""

from __future__ import annotations

import importlib
import importlib.metadata
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from answer import CHUNKS, MESSAGES, PARAMS, result
from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from langchain_logprobs import LogprobsCallbackHandler, LogprobsInstrumentor, Settings


class Provider(TracerProvider):
    """A tracer provider whose ended spans are counted, and kept if asked; nothing is exported, whoever asks for it.

    Langfuse adds an exporting processor of its own. Exporters run in the background and are the same for all, so they
    are no part of what is measured.
    """

    def __init__(self, *, keep: bool = False) -> None:
        super().__init__(shutdown_on_exit=False)
        self.counter = _Counter(keep)
        super().add_span_processor(self.counter)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Take our own, which watches for the spans of others and exports nothing; nobody else's."""
        if type(span_processor).__module__.startswith("langchain_logprobs."):
            super().add_span_processor(span_processor)


class _Counter(SpanProcessor):
    def __init__(self, keep: bool) -> None:
        self.ended = 0
        self.spans: list[ReadableSpan] | None = [] if keep else None

    def on_end(self, span: ReadableSpan) -> None:
        self.ended += 1
        if self.spans is not None:
            self.spans.append(span)


class Contender:
    """One way to watch a model call.

    Attributes:
        name: How the tables call it.
        callbacks: The handlers to pass; empty for the instrumentors, which add their own once they are switched on.
        traces: Whether it writes spans.
        reads: Whether these hold what it read itself, and are not another contender's again.
        is_peer: Whether it is somebody else's.
    """

    name: str
    traces = True
    reads = True
    is_peer = False

    def __init__(self, provider: Provider) -> None:
        """Make it; it writes to the provider."""
        self.callbacks: list[BaseCallbackHandler] = []

    def switch_on(self) -> None:
        """Patch what it patches."""

    def switch_off(self) -> None:
        """Undo that."""

    def finish(self) -> None:
        """Do what else belongs to its price, once a run is over."""


class NoHandler(Contender):
    """LangChain alone."""

    name = "no handler"
    traces = reads = False


class _NothingHandler(BaseCallbackHandler):
    run_inline = True

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        pass

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        pass

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        pass


class Nothing(Contender):
    """The price of being called at all."""

    name = "handler that does nothing"
    traces = reads = False

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.callbacks = [_NothingHandler()]


class _AppendHandler(_NothingHandler):
    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.entries: list[Any] = []

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        info = chunk.generation_info
        if info and info.get("logprobs"):
            self.entries.extend(info["logprobs"]["content"])


class AppendOnly(Contender):
    """The floor: the least that anybody can do who wants to keep the logprobs."""

    name = "append-only floor"
    traces = reads = False

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.callbacks = [_AppendHandler()]


class _AppendAndRecordHandler(_AppendHandler):
    def __init__(self, provider: Provider, attributes: dict[str, Any]) -> None:
        self._tracer = provider.get_tracer("benchmark")
        self._attributes = attributes

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        super().on_chat_model_start()
        self._span = self._tracer.start_span("chat")

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self._span.set_attributes(self._attributes)
        self._span.end()


class Ours(Contender):
    """With default settings: every token and logprob, every measure, the alternatives of the weakest tokens, events."""

    name = "langchain-logprobs"
    settings = Settings()

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.callbacks = [LogprobsCallbackHandler(self.settings, tracer_provider=provider)]


class OursAllAlternatives(Ours):
    """With the alternatives of every token too, and a span as large as that needs."""

    name = f"{Ours.name}, alternatives of all tokens"
    settings = Settings(alternatives="all", span_bytes=4_000_000)


class _Encoder(SpanExporter):
    """Makes the bytes that an exporter sends, and sends none."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


class OursExported(Ours):
    """With default settings, and its spans encoded by OpenTelemetry's batch processor, in its thread, as they are sent.

    What a collector's answer costs is no part of it.
    """

    name = f"{Ours.name}, with batch export"
    reads = False

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._provider = provider
        TracerProvider.add_span_processor(provider, BatchSpanProcessor(_Encoder()))

    def finish(self) -> None:
        """Wait until they are."""
        self._provider.force_flush()


class OursInstrumented(Contender):
    """Switched on for the whole process, with all that this brings.

    Spans are joined where another instrumentation has some, ours are current while their work runs, and models are
    asked for logprobs without a change to the code.
    """

    name = f"{Ours.name}, instrumented, request_logprobs"
    reads = False

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._provider = provider
        self._settings = Settings(request_logprobs=5)

    def switch_on(self) -> None:
        """Add the handler to every run of LangChain."""
        LogprobsInstrumentor().instrument(self._settings, tracer_provider=self._provider)

    def switch_off(self) -> None:
        """Undo that."""
        LogprobsInstrumentor().uninstrument()


class OursUnsampled(Ours):
    """Where the trace is not sampled and nobody collects metrics."""

    name = f"{Ours.name}, unsampled"
    traces = reads = False

    def __init__(self, provider: Provider) -> None:
        unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        self.callbacks = [LogprobsCallbackHandler(tracer_provider=unsampled, meter_provider=self._meters())]

    def _meters(self) -> MeterProvider:
        return NoOpMeterProvider()


class OursMeters(OursUnsampled):
    """Where the trace is not sampled, and metrics are collected."""

    name = f"{Ours.name}, unsampled, with metrics"

    def _meters(self) -> MeterProvider:
        return SdkMeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


class AppendAndRecord(Contender):
    """The floor, and OpenTelemetry's SDK is handed, ready made, the attributes that ours writes.

    It looks at every item of every array. What is left between this and ours is what ours does itself: read, measure
    and lay out.
    """

    name = "append-only, SDK given our attributes"
    reads = False
    ours: type[Ours] = Ours

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        kept = Provider(keep=True)
        (ours,) = self.ours(kept).callbacks
        run_id = uuid4()
        ours.on_chat_model_start({}, [MESSAGES], run_id=run_id, invocation_params=PARAMS)
        for chunk in CHUNKS:
            ours.on_llm_new_token(chunk.text, chunk=chunk, run_id=run_id)
        ours.on_llm_end(result(), run_id=run_id)
        (span,) = kept.counter.spans or []
        self.callbacks = [_AppendAndRecordHandler(provider, dict(span.attributes or {}))]


class AppendAndRecordAllAlternatives(AppendAndRecord):
    """The same with the alternatives of every token: no handler that writes them so can cost less."""

    name = f"{AppendAndRecord.name}, alternatives of all tokens"
    ours = OursAllAlternatives


class _Instrumented(Contender):
    """A package whose instrumentor adds its handler to every run of LangChain, for as long as it is switched on."""

    is_peer = True
    module: str

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._provider = provider
        self._instrumentor: Any = importlib.import_module(self.module).LangChainInstrumentor()

    def switch_on(self) -> None:
        self._instrumentor.instrument(tracer_provider=self._provider, skip_dep_check=True)

    def switch_off(self) -> None:
        self._instrumentor.uninstrument()


class Official(_Instrumented):
    """opentelemetry-instrumentation-genai-langchain."""

    name = "opentelemetry-instrumentation-genai-langchain"
    module = "opentelemetry.instrumentation.genai.langchain"


class OpenInference(_Instrumented):
    """openinference-instrumentation-langchain."""

    name = "openinference-instrumentation-langchain"
    module = "openinference.instrumentation.langchain"


class OpenInferenceJoined(OpenInference):
    """openinference-instrumentation-langchain, and ours switched on beside it, which adds to its spans."""

    name = f"{OpenInference.name} with {Ours.name} joined"

    def switch_on(self) -> None:
        """Switch both on, ours behind."""
        super().switch_on()
        LogprobsInstrumentor().instrument(Settings(request_logprobs=5), tracer_provider=self._provider)

    def switch_off(self) -> None:
        """Switch both off."""
        LogprobsInstrumentor().uninstrument()
        super().switch_off()


class Langfuse(Contender):
    """langfuse's callback handler, its client with keys that open nothing."""

    name = "langfuse"
    is_peer = True
    _numbers = itertools.count()

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        import langfuse
        from langfuse.langchain import CallbackHandler
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        key = f"pk-benchmark-{next(self._numbers)}"  # langfuse keeps one client for each key
        langfuse.Langfuse(
            public_key=key,
            secret_key="sk-benchmark",
            base_url="http://127.0.0.1:9",
            tracer_provider=provider,
            span_exporter=InMemorySpanExporter(),
        )
        self.callbacks = [CallbackHandler(public_key=key)]


PEERS: tuple[type[Contender], ...] = (Official, OpenInference, Langfuse)
EVERYONE: tuple[type[Contender], ...] = (
    NoHandler,
    Nothing,
    AppendOnly,
    AppendAndRecord,
    Ours,
    OursExported,
    OursInstrumented,
    AppendAndRecordAllAlternatives,
    OursAllAlternatives,
    *PEERS,
    OpenInferenceJoined,
)
RUNS: tuple[type[Contender], ...] = (
    NoHandler,
    Ours,
    OursInstrumented,
    OursUnsampled,
    OursMeters,
    *PEERS,
    OpenInferenceJoined,
)
"""Who takes part where whole runs are compared (runs.py)."""


def installed(
    provider_of: Callable[[], Provider], everyone: Sequence[type[Contender]] = EVERYONE
) -> tuple[list[tuple[Contender, Provider]], list[str]]:
    """Make every contender that is installed, each with a provider of its own.

    Args:
        provider_of: Makes a provider.
        everyone: Who is to take part.

    Returns:
        The contenders with their providers, and the names of the peers that are not installed.
    """
    for noisy in ("langfuse", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    found, missing = [], []
    for make in everyone:
        provider = provider_of()
        try:
            found.append((make(provider), provider))
        except ImportError:
            missing.append(make.name)
    return found, missing


def versions() -> dict[str, str]:
    """Return the version of everything that the numbers depend on."""
    names = ("langchain-core", "opentelemetry-sdk", *(peer.name for peer in PEERS))
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
