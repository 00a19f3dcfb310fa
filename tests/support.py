"""What the tests share: a traced handler, answers in OpenAI's form, and a model that needs no network."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from langchain_logprobs import LogprobsCallbackHandler, Settings
from tests.providers.wire import Body, Request, json_body, sse

TOKENS = ["As", " an", " AI", ",", " I"]
LOGPROBS = [-1.5358024, -0.028062303, -0.009415812, -0.07371779, -4.298773e-05]


def entry(token: str, logprob: Any, *others: tuple[str, float]) -> dict[str, Any]:
    """One entry in OpenAI's chat form; the sampled token is the first of its alternatives where there are others."""
    tops = [(token, logprob), *others] if others else []
    return {
        "token": token,
        "bytes": list(token.encode()),
        "logprob": logprob,
        "top_logprobs": [{"token": top, "bytes": list(top.encode()), "logprob": value} for top, value in tops],
    }


ENTRIES = [entry(token, logprob) for token, logprob in zip(TOKENS, LOGPROBS, strict=True)]


def completion(entries: Sequence[Any], text: str | None = None, **choice: Any) -> dict[str, Any]:
    """A chat completion of OpenAI's API, not streamed."""
    content = "".join(item["token"] for item in entries) if text is None else text
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
                "logprobs": {"content": list(entries), "refusal": None},
                **choice,
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": len(entries), "total_tokens": 3 + len(entries)},
    }


def chunks(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """The same, streamed: a first chunk with the role and no token, one chunk a token, and the finish reason."""

    def chunk(delta: dict[str, Any], logprobs: Any, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [choice],
        }

    return [
        chunk({"role": "assistant", "content": ""}, {"content": [], "refusal": None}),
        *(chunk({"content": item["token"]}, {"content": [item], "refusal": None}) for item in entries),
        chunk({}, None, "stop"),
    ]


def openai_answer(entries: Sequence[Any] = ENTRIES, *, pause: float = 0.0) -> Any:
    """An answer for WireServer.answer: streamed where the request asks for it."""

    def answer(request: Request) -> Body:
        if request.json.get("stream"):
            pieces = [f"data: {json.dumps(item)}\n\n".encode() for item in chunks(entries)]
            return Body((*pieces, b"data: [DONE]\n\n"), content_type="text/event-stream", pause=pause)
        return json_body(completion(entries))

    return answer


# For the type checker: no span is made of these two.


class EndedEvent(Event):
    """An event of a test: a test knows the types of its attributes."""

    attributes: Mapping[str, Any]


class EndedSpan(ReadableSpan):
    """A span of a test: it has what a span can be without, and a test knows the types of its attributes."""

    attributes: Mapping[str, Any]
    events: tuple[EndedEvent, ...]
    context: SpanContext
    parent: Any
    start_time: int
    end_time: int


class OpenSpans(SpanProcessor):
    """Counts the spans that have started and not yet been passed on. Add it behind the processor that exports.

    A run is taken out of the handler's books before its span has ended, perhaps on another thread: a test that looks at
    spans waits for this count, not for `open_runs`.
    """

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        with self._lock:
            self.count += 1

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            self.count -= 1


class Traced:
    """A handler whose spans end in memory."""

    def __init__(self, settings: Settings | None = None, **providers: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._open = OpenSpans()
        self.provider.add_span_processor(self._open)
        self.handler = LogprobsCallbackHandler(settings, tracer_provider=self.provider, **providers)
        self.config: RunnableConfig = {"callbacks": [self.handler]}

    @property
    def spans(self) -> tuple[EndedSpan, ...]:
        """The ended spans, in the order of their ends."""
        self.handler.flush()  # where their endings are put off
        return cast("tuple[EndedSpan, ...]", self.exporter.get_finished_spans())

    @property
    def open_spans(self) -> int:
        """How many spans have started and not ended."""
        return self._open.count

    def named(self, start: str) -> list[EndedSpan]:
        """The ended spans whose name starts so."""
        return [span for span in self.spans if span.name.startswith(start)]

    @property
    def call(self) -> EndedSpan:
        """The one model call's span."""
        (span,) = [span for span in self.spans if span.attributes and "logprobs.status" in span.attributes]
        return span


class Listener(BaseCallbackHandler):
    """Somebody else's handler, which writes down what it was told."""

    def __init__(self, inline: bool) -> None:
        self.run_inline = inline
        self.heard: list[str] = []

    def on_llm_start(self, *_: Any, **__: Any) -> None:
        self.heard.append("start")

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.heard.append("end")


class ScriptedModel(BaseChatModel):
    """A chat model that answers with these entries, invoked or streamed, as langchain-openai's would."""

    entries: list[Any] = ENTRIES
    fail_after: int | None = None
    logprobs: bool = True

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "scripted-1", "logprobs": self.logprobs}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.fail_after is not None:
            raise RuntimeError("the server went away")
        info = {"finish_reason": "stop", "logprobs": {"content": self.entries, "refusal": None}}
        text = "".join(item["token"] for item in self.entries)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text), generation_info=info)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for index, item in enumerate(self.entries):
            if index == self.fail_after:
                raise RuntimeError("the server went away")
            info = {"logprobs": {"content": [item], "refusal": None}}
            yield ChatGenerationChunk(message=AIMessageChunk(content=item["token"]), generation_info=info)


__all__ = [
    "ENTRIES",
    "LOGPROBS",
    "TOKENS",
    "Listener",
    "ScriptedModel",
    "Traced",
    "chunks",
    "completion",
    "entry",
    "sse",
]
