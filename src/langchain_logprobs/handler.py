"""Where a chunk comes in: LangChain's callbacks, each run started, fed and ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from langchain_logprobs._version import __version__
from langchain_logprobs.capture import asked, first_use
from langchain_logprobs.capture.endings import endings
from langchain_logprobs.capture.inline import InlineUnlessItStarvesOthers, guarded, log_failure
from langchain_logprobs.capture.kept import Call, Step
from langchain_logprobs.capture.lifecycle import Lifecycle
from langchain_logprobs.capture.received import ITEMS_A_PIECE, container_of, has_metadata
from langchain_logprobs.capture.runs import runs_of
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import genai, names
from langchain_logprobs.telemetry.actions import Action
from langchain_logprobs.telemetry.messages import input_messages, input_of
from langchain_logprobs.telemetry.spans import Telemetry

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from langchain_logprobs.capture.calls import ModelCall
    from langchain_logprobs.confidence.inputs import Asked

_HIDDEN_TAG = "langsmith:hidden"
_GRAPH_STEP_TAG = "graph:step"
_AGENT_INTEGRATIONS = ("langgraph", "langchain_create_agent", "deepagents")


class LogprobsCallbackHandler(BaseCallbackHandler):
    """Puts the token logprobs of every model call on OpenTelemetry spans.

    Pass it in `config={"callbacks": [LogprobsCallbackHandler()]}`; sync, async, streamed and batched runs are all
    traced, and one handler can serve any number of runs at once. It never raises into the chain.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> from langchain_logprobs import LogprobsCallbackHandler
        >>> handler = LogprobsCallbackHandler(on_call=lambda call: print(call.class_name, call.report.status))
        >>> answer = FakeListChatModel(responses=["Lima"]).invoke("Peru?", config={"callbacks": [handler]})
        FakeListChatModel not_requested
    """

    run_inline: bool = cast(bool, InlineUnlessItStarvesOthers())
    # LangChain asks this once a token. In the base class the answer is a property, which costs as much as the rest.
    ignore_llm: Any = False

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        on_call: Callable[[ModelCall], object] | None = None,
    ) -> None:
        """Make a handler.

        Args:
            settings: What to record; None reads the environment (Settings.from_env).
            tracer_provider: Where spans go; None for the process's own provider.
            meter_provider: Where metrics go; None for the process's own.
            logger_provider: Where log-based events go (Settings.events); None for the process's own.
            on_call: Called with each model call as it ends, in the thread or event loop that ends it, so it should
                take no longer than a callback may; with `Settings.deferred` a little later, in a thread of ours. What
                it raises is logged and goes no further.

        Raises:
            TypeError: `settings` is no Settings, or `on_call` cannot be called.
        """
        if settings is not None and not isinstance(settings, Settings):
            raise TypeError(
                f"settings={settings!r:.200} is not a langchain_logprobs.Settings, such as Settings(spans='llm')."
            )
        if on_call is not None and not callable(on_call):
            raise TypeError(f"on_call={on_call!r:.200} cannot be called: give a function that takes a ModelCall.")
        first_use.check_versions()
        self._settings = Settings.from_env() if settings is None else settings
        telemetry = Telemetry(self._settings, tracer_provider, meter_provider, logger_provider, __version__)
        self._runs = runs_of(tracer_provider)
        self._lifecycle = Lifecycle(self._settings, telemetry, self._runs, on_call)
        self._find = self._runs.get  # the token callback's one look-up
        self._max_items = self._settings.max_chunks * ITEMS_A_PIECE

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def open_runs(self) -> int:
        """How many runs are open now, over all handlers that share this one's tracer provider."""
        return len(self._runs)

    def get_span(self, run_id: UUID) -> Span | None:
        """Return the span of an open run, to write attributes of your own on it.

        Args:
            run_id: The run's id, as LangChain's callbacks and `config["run_id"]` have it.

        Returns:
            The span, ours or another instrumentation's (`Settings.spans`); None where no such run is open or has one.
        """
        run = self._runs.find(run_id)
        return None if run is None else cast("Span | None", run.owner.span_of(run))

    def note_requested(self, run_id: UUID, told: Carrying) -> None:
        """Note of a model call what became of asking for its logprobs. Not public: for patches/requesting."""
        run = self._runs.find(run_id)
        if run is not None and isinstance(run.data, Call):
            run.data.carrying = told

    def __deepcopy__(self, memo: object) -> LogprobsCallbackHandler:
        """Return this very handler: a copied model (`model_copy(deep=True)`) reports to the same one."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a handler with the same settings, on the providers of the process that loads it."""
        return LogprobsCallbackHandler, (self._settings,)

    def close(self) -> None:
        """End the spans of all open runs now, as `partial`. The program's exit does this by itself."""
        self._runs.close_all("abandoned: the handler was closed")
        self.flush()

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """End the spans of the runs that have ended, where that was put off (`Settings.deferred`).

        A flush or the shutdown of OpenTelemetry's tracer provider does it by itself, and so does the program's exit.

        Args:
            timeout_seconds: How long to go on at most.

        Returns:
            Whether all is done.
        """
        return endings.drain(timeout_seconds)

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
        self._start_call("chat", serialized, prompt, (), run_id, parent_run_id, metadata or {}, kwargs)

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
        self._start_call("text_completion", serialized, prompts, prompts, run_id, parent_run_id, metadata or {}, kwargs)

    def _start_call(
        self,
        operation: str,
        serialized: dict[str, Any],
        messages: Sequence[Any],
        prompts: Sequence[str],
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: Mapping[str, Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        params = asked.invocation_params(kwargs)
        model = genai.request_model(metadata, params)
        identity: dict[str, Any] = {names.OPERATION: operation, names.PROVIDER: genai.provider_name(metadata, params)}
        if model is not None:
            identity[names.REQUEST_MODEL] = model
        identity.update(genai.server_attributes(serialized, params))
        pairs = [*identity.items(), *genai.request_attributes(params, metadata)]

        def read_request() -> tuple[Asked, str | None]:
            wanted = input_messages(messages) if self._settings.capture_messages else None
            return asked.asked_of(serialized, prompts, params, kwargs, _dropped_by), wanted

        call = Call(identity, read_request)
        name = operation if model is None else f"{operation} {model}"
        self._lifecycle.start_call(name, run_id, parent_run_id, pairs, call)

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
            run = self._find(run_id.int) or self._lifecycle.start_late(run_id, parent_run_id)
            if run is None:
                return
            pieces = run.pieces
            if pieces is None:  # nobody would see what became of it
                return
            if len(pieces) < self._max_items:
                # Nearly all integrations have it here; where not, container_of looks everywhere that holds anything.
                info = None if chunk is None else chunk.generation_info
                container = info.get("logprobs") if info else None
                if container is None and (info or kwargs or has_metadata(chunk)):
                    container = container_of(chunk, kwargs)
                if type(info) is Carrying and isinstance(run.data, Call):
                    run.data.carrying = info
                # Without a text, the chunk says what it brought: reasoning, or a part of a tool call.
                pieces.extend((time_ns(), token or chunk or "", container))
                if chunk is None and isinstance(run.data, Call):
                    run.data.without_chunks = True
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
            self._lifecycle.start_late(run_id, parent_run_id)
        self._lifecycle.end(run_id, None, response)

    @guarded
    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """End the span with what had come until then."""
        if self._runs.find(run_id) is None:
            self._lifecycle.start_late(run_id, parent_run_id)
        self._lifecycle.end(run_id, error, kwargs.get("response"))

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
        name = str(kwargs.get("name") or asked.class_name(serialized) or "chain")
        # Phoenix knows no operation for these, and would call their kind unknown.
        pairs: list[tuple[str, Any]] = [(names.SPAN_KIND, "CHAIN")]
        if _is_graph(name, parent_run_id, tags, metadata):
            agent = str(metadata.get("lc_agent_name") or name)
            pairs = [(names.OPERATION, "invoke_agent"), (names.AGENT_NAME, agent)]
            pairs += genai.conversation_attributes(metadata)
            name = f"invoke_agent {agent}"
        elif parent_run_id is None:
            pairs += [(names.OPERATION, "invoke_workflow"), (names.WORKFLOW_NAME, name)]
            pairs += genai.conversation_attributes(metadata)
            name = f"invoke_workflow {name}"
        hidden = _HIDDEN_TAG in tags
        step = Step(whole=len(pairs) > 1)
        if step.whole and self._settings.capture_messages:
            step.given = input_of(inputs)
        self._lifecycle.start_step(None if hidden else name, "internal", run_id, parent_run_id, pairs, step)

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
            (names.OPERATION, "execute_tool"),
            (names.TOOL_NAME, name),
            (names.TOOL_CALL_ID, kwargs.get("tool_call_id")),
        ]
        self._lifecycle.start_step(f"execute_tool {name}", "internal", run_id, parent_run_id, pairs, work="tool")

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
        name = str(kwargs.get("name") or asked.class_name(serialized) or "retriever")
        pairs = [(names.OPERATION, "retrieval")]
        self._lifecycle.start_step(f"retrieval {name}", "client", run_id, parent_run_id, pairs, work="retriever")

    @guarded
    def _on_end(self, result: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._lifecycle.end(run_id, None, None)

    @guarded
    def _on_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._lifecycle.end(run_id, error, None)

    @guarded
    def on_chain_end(
        self, outputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, inputs: Any = None, **kwargs: Any
    ) -> None:
        """End a chain's, graph's or graph node's span."""
        run = self._runs.find(run_id)
        step = None if run is None else run.data
        # What a stream is given is told when it ends.
        if isinstance(step, Step) and step.whole and step.given is None and self._settings.capture_messages:
            step.given = input_of(inputs)
        self._lifecycle.end(run_id, None, None)

    on_tool_end: Any = _on_end
    on_retriever_end: Any = _on_end
    on_chain_error: Any = _on_error
    on_tool_error: Any = _on_error
    on_retriever_error: Any = _on_error

    @guarded
    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write down what was done about an unsure answer; other events are somebody else's."""
        if name == names.ACTION_EVENT and (taken := Action.of(data)) is not None:
            self._lifecycle.act(run_id, taken)

    def on_interrupt(self, event: Any) -> None:
        """LangGraph tells every handler; a run that is interrupted also ends, which is what counts here."""

    def on_resume(self, event: Any) -> None:
        """LangGraph tells every handler; the resumed run starts anew."""


def _is_graph(name: str, parent_run_id: UUID | None, tags: Sequence[str], metadata: Mapping[str, Any]) -> bool:
    """Tell a LangGraph graph from its nodes, which carry the same metadata and a tag for their step."""
    if any(tag.startswith(_GRAPH_STEP_TAG) for tag in tags if isinstance(tag, str)):
        return False
    if name == "LangGraph":
        return True
    if metadata.get("ls_integration") not in _AGENT_INTEGRATIONS:
        return False
    return parent_run_id is None or name == metadata.get("lc_agent_name")


def _dropped_by(class_name: str) -> str | None:
    # Not at the top: only a call that asks for logprobs needs the patches.
    from langchain_logprobs.patches.recovery import dropped_by

    return dropped_by(class_name)
