"""Where a chunk comes in: LangChain's callbacks, each run started, fed and ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry.trace import SpanKind

from langchain_logprobs._version import __version__
from langchain_logprobs.capture import asked as request
from langchain_logprobs.capture.inline import InlineUnlessItStarvesOthers, guarded, log_failure
from langchain_logprobs.capture.received import ITEMS_A_PIECE, collect, container_of
from langchain_logprobs.capture.runs import Run, runs_of
from langchain_logprobs.confidence.calls import Call, Step, find
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import genai
from langchain_logprobs.telemetry.spans import Telemetry

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

logger = logging.getLogger("langchain_logprobs")

_HIDDEN_TAG = "langsmith:hidden"
_GRAPH_STEP_TAG = "graph:step"
_AGENT_INTEGRATIONS = ("langgraph", "langchain_create_agent", "deepagents")


class LogprobsCallbackHandler(BaseCallbackHandler):
    """Puts the token logprobs of every model call on OpenTelemetry spans.

    Pass it in `config={"callbacks": [LogprobsCallbackHandler()]}`; sync, async, streamed and batched runs are all
    traced, and one handler can serve any number of runs at once. It never raises into the chain.
    """

    run_inline = cast(bool, InlineUnlessItStarvesOthers())
    # LangChain asks this once a token. In the base class the answer is a property, which costs as much as the rest.
    ignore_llm = cast(Any, False)

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        """Make a handler.

        Args:
            settings: What to record; None reads the environment (Settings.from_env).
            tracer_provider: Where spans go; None for the process's own provider.
            meter_provider: Where metrics go; None for the process's own.
            logger_provider: Where log-based events go (Settings.events); None for the process's own.

        Raises:
            ValueError: A setting, or an environment variable that gives one, has a value that is not allowed.
        """
        if settings is not None and not isinstance(settings, Settings):
            raise ValueError(f"settings={settings!r} is not a langchain_logprobs.Settings.")
        self._settings = Settings.from_env() if settings is None else settings
        self._telemetry = Telemetry(self._settings, tracer_provider, meter_provider, logger_provider, __version__)
        self._runs = runs_of(tracer_provider)
        self._max_items = self._settings.max_chunks * ITEMS_A_PIECE

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def open_runs(self) -> int:
        """How many runs are open now, over all handlers that share this one's tracer provider."""
        return len(self._runs)

    def close(self) -> None:
        """End the spans of all open runs now, as `partial`. The program's exit does this by itself."""
        self._runs.close_all("abandoned: the handler was closed")

    # Model calls.

    @guarded
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a chat model's span."""
        prompt = messages[0] if messages else []
        self._start_call("chat", serialized, prompt, run_id, parent_run_id, metadata or {}, kwargs)

    @guarded
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a completion model's span."""
        self._start_call("text_completion", serialized, prompts, run_id, parent_run_id, metadata or {}, kwargs)

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store a chunk and return; everything else happens when the run ends."""
        try:  # guarded in place: the decorator would cost a token as much as the storing does
            run = self._runs.get(run_id.int) or self._start_late(run_id, parent_run_id)
            if run is None:
                return
            pieces = run.pieces
            if len(pieces) < self._max_items:
                # Nearly all integrations have it here; where not, container_of looks everywhere.
                info = None if chunk is None else chunk.generation_info
                container = info.get("logprobs") if info else None
                pieces.extend((time_ns(), token, container_of(chunk, kwargs) if container is None else container))
            else:
                run.dropped_pieces += 1
        except Exception:
            log_failure("on_llm_new_token")

    @guarded
    def on_llm_end(
        self, response: LLMResult, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Read what came, write it on the span, and end it."""
        if self._runs.find(run_id) is None:
            self._start_late(run_id, parent_run_id)
        self._end(run_id, None, response)

    @guarded
    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """End the span with what had come until then."""
        if self._runs.find(run_id) is None:
            self._start_late(run_id, parent_run_id)
        self._end(run_id, error, kwargs.get("response"))

    # Everything around them.

    @guarded
    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a chain's, graph's or graph node's span."""
        tags, metadata = tags or [], metadata or {}
        name = str(kwargs.get("name") or request.class_name(serialized) or "chain")
        pairs: list[tuple[str, Any]] = []
        if _is_graph(name, parent_run_id, tags, metadata):
            agent = str(metadata.get("lc_agent_name") or name)
            pairs = [(genai.OPERATION, "invoke_agent"), (genai.AGENT_NAME, agent)]
            pairs += genai.conversation_attributes(metadata)
            name = f"invoke_agent {agent}"
        elif parent_run_id is None:
            pairs = [(genai.OPERATION, "invoke_workflow"), (genai.WORKFLOW_NAME, name)]
            pairs += genai.conversation_attributes(metadata)
            name = f"invoke_workflow {name}"
        hidden = _HIDDEN_TAG in tags
        self._start_step(None if hidden else name, SpanKind.INTERNAL, run_id, parent_run_id, pairs)

    @guarded
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a tool's span."""
        name = str(kwargs.get("name") or (serialized or {}).get("name") or "tool")
        pairs = [
            (genai.OPERATION, "execute_tool"),
            (genai.TOOL_NAME, name),
            (genai.TOOL_CALL_ID, kwargs.get("tool_call_id")),
        ]
        self._start_step(f"execute_tool {name}", SpanKind.INTERNAL, run_id, parent_run_id, pairs)

    @guarded
    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a retriever's span."""
        name = str(kwargs.get("name") or request.class_name(serialized) or "retriever")
        pairs = [(genai.OPERATION, "retrieval")]
        self._start_step(f"retrieval {name}", SpanKind.CLIENT, run_id, parent_run_id, pairs)

    @guarded
    def _on_end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, None, None)

    @guarded
    def _on_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error, None)

    on_chain_end: Any = _on_end
    on_tool_end: Any = _on_end
    on_retriever_end: Any = _on_end
    on_chain_error: Any = _on_error
    on_tool_error: Any = _on_error
    on_retriever_error: Any = _on_error

    def on_interrupt(self, event: Any) -> None:
        """LangGraph tells every handler; a run that is interrupted also ends, which is what counts here."""

    def on_resume(self, event: Any) -> None:
        """LangGraph tells every handler; the resumed run starts anew."""

    # How a run starts and ends.

    def _start_step(
        self,
        name: str | None,
        kind: SpanKind,
        run_id: UUID,
        parent_run_id: UUID | None,
        pairs: Sequence[tuple[str, Any]],
    ) -> None:
        visible = name is not None and self._settings.spans == "all"
        self._start(name if visible else None, kind, run_id, parent_run_id, pairs, Step())

    def _start_call(
        self,
        operation: str,
        serialized: dict[str, Any],
        prompt: Sequence[Any],
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: Mapping[str, Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        params = kwargs.get("invocation_params")
        params = params if isinstance(params, Mapping) else {}
        model = genai.request_model(metadata, params)
        identity = {genai.OPERATION: operation, genai.PROVIDER: genai.provider_name(metadata, params)}
        if model is not None:
            identity[genai.REQUEST_MODEL] = model
        asked = request.asks_for_logprobs(params)
        in_constructor = not asked and request.constructor_asks(serialized)
        call = Call(
            identity, kwargs, asked or in_constructor, in_constructor, genai.choice_count(params),
            request.class_name(serialized),
        )  # fmt: skip
        pairs = [*identity.items(), *genai.request_attributes(params, metadata)]
        if self._settings.capture_messages:
            pairs.append((genai.INPUT_MESSAGES, genai.messages_json(prompt)))
        name = operation if model is None else f"{operation} {model}"
        self._start(name, SpanKind.CLIENT, run_id, parent_run_id, pairs, call)

    def _start(
        self,
        name: str | None,
        kind: SpanKind,
        run_id: UUID,
        parent_run_id: UUID | None,
        pairs: Sequence[tuple[str, Any]],
        data: Step | Call,
    ) -> Run:
        known = self._runs.find(run_id)
        if known is not None:  # this handler, or another on the same provider, was given twice
            known.deliveries += 1
            return known
        start_time = time_ns()
        parent = self._runs.find(parent_run_id)
        above = parent
        while above is not None and above.span is None:
            above = above.parent
        span = None
        if name is not None:
            parent_span = None if above is None else above.span
            span = self._telemetry.start_span(name, kind, parent_span, start_time, pairs)
        run = Run(run_id, parent, span, start_time, data, self._abandon)
        settings = self._settings
        self._runs.open(run, run_id, max_open=settings.max_open_runs, max_age_seconds=settings.max_run_seconds)
        return run

    def _start_late(self, run_id: UUID, parent_run_id: UUID | None) -> Run | None:
        """Start a model call whose start was not reported; one that has ended already stays ended."""
        if self._runs.was_ended(run_id):
            return None
        identity = {genai.OPERATION: "chat", genai.PROVIDER: "unknown"}
        return self._start("chat", SpanKind.CLIENT, run_id, parent_run_id, [*identity.items()], Call(identity))

    def _end(self, run_id: UUID, error: BaseException | None, response: Any) -> None:
        run = self._runs.end(run_id)
        if run is not None:
            self._finish(run, error, response, None)

    @guarded
    def _abandon(self, run: Run, reason: str) -> None:
        self._finish(run, None, None, reason)

    def _finish(self, run: Run, error: BaseException | None, response: Any, abandoned: str | None) -> None:
        """Write an ended run on its span, and end the span whatever happens."""
        end_time = time_ns()
        failure = None if error is None or _is_control_flow(error) else error
        if isinstance(run.data, Step):
            if run.span is not None:
                self._telemetry.end_span(run.span, end_time, failure, run.data.roll_up)
            return
        try:
            self._record(run, run.data, error, response, abandoned, end_time)
        except Exception as fault:
            logger.warning("langchain-logprobs could not record a model call; the chain goes on", exc_info=True)
            self._telemetry.mark_failed(run.span, fault)
        finally:
            self._telemetry.end_span(run.span, end_time, failure)

    def _record(
        self, run: Run, call: Call, error: BaseException | None, response: Any, abandoned: str | None, end_time: int
    ) -> None:
        captured = collect(
            run.pieces,
            response,
            deliveries=run.deliveries,
            expected_choices=call.choices,
            dropped_pieces=run.dropped_pieces,
        )
        failed = None if error is None else f"ended early by {type(error).__name__}"
        findings = find(call, captured, self._settings, failed=failed, abandoned=abandoned)
        first = captured.choices[0]
        generations = [choice.generation for choice in captured.choices if choice.generation is not None]
        pairs = list(genai.response_attributes(response, generations))
        if captured.first_chunk_time is not None:
            pairs.append((genai.TIME_TO_FIRST_CHUNK, max(0, captured.first_chunk_time - run.start_time) / 1e9))
        if self._settings.capture_messages and generations:
            outputs = [getattr(generation, "message", generation.text) for generation in generations]
            pairs.append((genai.OUTPUT_MESSAGES, genai.messages_json(outputs)))
        self._telemetry.record_call(run.span, findings, first.chunks, end_time, call.identity, pairs)
        span_id = self._telemetry.span_id(run.span)
        self._runs.add_up(run, lambda above: above.roll_up.add(findings, span_id) if isinstance(above, Step) else None)


def _is_graph(name: str, parent_run_id: UUID | None, tags: Sequence[str], metadata: Mapping[str, Any]) -> bool:
    """Tell a LangGraph graph from its nodes, which carry the same metadata and a tag for their step."""
    if any(tag.startswith(_GRAPH_STEP_TAG) for tag in tags if isinstance(tag, str)):
        return False
    if name == "LangGraph":
        return True
    if metadata.get("ls_integration") not in _AGENT_INTEGRATIONS:
        return False
    return parent_run_id is None or name == metadata.get("lc_agent_name")


def _is_control_flow(error: BaseException) -> bool:
    """Tell whether an exception is no failure: LangGraph's interrupts and commands, or a consumer that stopped."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds.isdisjoint(("GraphBubbleUp", "GeneratorExit", "CancelledError"))
