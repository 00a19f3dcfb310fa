# ruff: noqa: D107  (what the methods do is said once, at Contender)
"""What is compared: the floors, ours, and the peers, each writing to a tracer provider of the benchmark's."""

from __future__ import annotations

import importlib
import importlib.metadata
import itertools
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from answer import CHUNKS, MESSAGES, PARAMS, result
from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from langchain_logprobs import LogprobsCallbackHandler, Settings


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
        """Keep to the one processor."""


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
        reads: Whether these hold what it read itself.
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
    AppendAndRecordAllAlternatives,
    OursAllAlternatives,
    *PEERS,
)


def installed(provider_of: Callable[[], Provider]) -> tuple[list[tuple[Contender, Provider]], list[str]]:
    """Make every contender that is installed, each with a provider of its own.

    Args:
        provider_of: Makes a provider.

    Returns:
        The contenders with their providers, and the names of the peers that are not installed.
    """
    for noisy in ("langfuse", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    found, missing = [], []
    for make in EVERYONE:
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
