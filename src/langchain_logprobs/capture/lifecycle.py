"""How a run starts and ends: its span, and at the end of a model call the report on it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from time import time_ns
from typing import Any
from uuid import UUID

from langchain_logprobs.capture.calls import ModelCall
from langchain_logprobs.capture.endings import endings
from langchain_logprobs.capture.failures import refuses_logprobs
from langchain_logprobs.capture.inline import guarded
from langchain_logprobs.capture.received import collect, kept, tokens_held
from langchain_logprobs.capture.runs import OpenRuns, Run
from langchain_logprobs.confidence.inputs import Asked, Received
from langchain_logprobs.confidence.report import ConfidenceReport, report_on
from langchain_logprobs.confidence.status import lost_flag
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import genai, names
from langchain_logprobs.telemetry.masking import known_paths
from langchain_logprobs.telemetry.process import is_suppressed
from langchain_logprobs.telemetry.roll_up import RollUp
from langchain_logprobs.telemetry.spans import EndedCall, Kind, Telemetry

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_NO_ROOM = "dropped: too many tokens waited for their ending (Settings.max_deferred_tokens)"

_MOST_REMEMBERED = 1_000
_said: set[tuple[str, str]] = set()


@dataclass(slots=True)
class Step:
    """What is kept with a run that is no model call."""

    roll_up: RollUp = field(default_factory=RollUp)


@dataclass(slots=True)
class Call:
    """What is kept with a model call.

    Attributes:
        identity: Its operation, provider and model, by their GenAI names.
        asked: What was asked for.
        messages: The prompt as JSON, where it is to be recorded.
        without_chunks: Whether token callbacks came without their chunks.
        carrying: A `generation_info` of a chunk that tells what we asked for; None where none came.
    """

    identity: dict[str, Any]
    asked: Asked = field(default_factory=Asked)
    messages: str | None = None
    without_chunks: bool = False
    carrying: Carrying | None = None


class Lifecycle:
    """Starts and ends the runs of one handler."""

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        runs: OpenRuns,
        on_call: Callable[[ModelCall], object] | None = None,
    ) -> None:
        """Take what the handler has.

        Args:
            settings: Its settings.
            telemetry: Where its spans go.
            runs: The open runs, shared with other handlers.
            on_call: Called with each model call that has ended; None where nobody asks for them.
        """
        self._settings = settings
        self._telemetry = telemetry
        self._runs = runs
        self._on_call = on_call
        self._private = telemetry.without_text()
        self.spanless = False
        """Whether this handler only hands out reports; the spans are those of other handlers."""

    def start_step(
        self,
        name: str | None,
        kind: Kind,
        run_id: UUID,
        parent_run_id: UUID | None,
        pairs: Sequence[tuple[str, Any]],
    ) -> None:
        """Start a run that is no model call; without a name it gets no span."""
        visible = name is not None and self._settings.spans == "all"
        self._start(name if visible else None, kind, run_id, parent_run_id, pairs, Step())

    def start_call(
        self, name: str, run_id: UUID, parent_run_id: UUID | None, pairs: Sequence[tuple[str, Any]], call: Call
    ) -> None:
        """Start a model call."""
        self._start(name, "client", run_id, parent_run_id, pairs, call)

    def start_late(self, run_id: UUID, parent_run_id: UUID | None) -> Run | None:
        """Start a model call whose start was not reported; one that has ended already stays ended."""
        if self._runs.was_ended(run_id):
            return None
        identity = {names.OPERATION: "chat", names.PROVIDER: "unknown"}
        return self._start("chat", "client", run_id, parent_run_id, [*identity.items()], Call(identity))

    def end(self, run_id: UUID, error: BaseException | None, response: Any) -> None:
        """End a run by its own callback."""
        run = self._runs.end(run_id)
        if run is not None:
            run.owner.finish(run, error, response, None)

    @guarded
    def abandon(self, run: Run, reason: str) -> None:
        """End a run that does not end by itself."""
        self.finish(run, None, None, reason)

    def _start(
        self,
        name: str | None,
        kind: Kind,
        run_id: UUID,
        parent_run_id: UUID | None,
        pairs: Sequence[tuple[str, Any]],
        data: Step | Call,
    ) -> Run | None:
        known = self._runs.find(run_id)
        if known is not None:  # this handler, or another on the same provider, was given twice
            known.deliveries += 1
            # Text goes out only if every handler that the run is reported to allows it.
            known.private = known.private or not self._settings.capture_text
            if known.owner.spanless and not self.spanless:
                self._own(known, name, kind, pairs)
            self._join(known)
            return known
        if is_suppressed():  # what comes later of the run is left out too, wherever it is reported from
            self._runs.ignore(run_id)
            return None
        if self._settings.deferred:
            self._telemetry.drain_before_flush(endings.drain)
        run = Run(run_id, self._parent(parent_run_id), time_ns(), data)
        run.private = not self._settings.capture_text
        run.pieces = None
        self._own(run, name, kind, pairs)
        self._join(run)
        settings = self._settings
        self._runs.open(
            run,
            run_id,
            is_call=isinstance(data, Call),
            max_calls=settings.max_open_calls,
            max_age_seconds=settings.max_run_seconds,
        )
        return run

    def _parent(self, parent_run_id: UUID | None) -> Run | None:
        """Return the run above one that starts.

        `with_fallbacks(...).invoke` hands the config that it was given to what it calls, so that nothing but
        LangChain's context says that these calls are its own. The context counts where it names an open run in the
        place that the callback leaves empty: below the parent that it tells, or at the root.
        """
        told = self._runs.find(parent_run_id)
        known = self._runs.find(_run_in_context())
        if known is None or known is told or (told is None and parent_run_id is not None):
            return told
        if told is None:
            top = known
            while top.parent is not None:
                top = top.parent
            return known if self._telemetry.is_below(top.span) else None
        return known if known.parent is told else told

    def _own(self, run: Run, name: str | None, kind: Kind, pairs: Sequence[tuple[str, Any]]) -> None:
        """Start the run's span, and be the one to end it."""
        run.owner = self
        if name is not None and not self.spanless:
            above = run.parent
            while above is not None and above.span is None:
                above = above.parent
            parent_span = None if above is None else above.span
            run.span = self._telemetry.start_span(name, kind, parent_span, run.start_time, pairs)

    def _join(self, run: Run) -> None:
        """Note who wants the report of a model call: if nobody does, nothing of the call is stored or read."""
        if not isinstance(run.data, Call):
            return
        if self._on_call is not None and self._on_call not in run.takers:
            run.takers = (*run.takers, self._on_call)
            run.awaited = run.awaited or self.spanless
        if run.pieces is None and (run.takers or self._telemetry.wants(run.span)):
            run.pieces = []

    def finish(self, run: Run, error: BaseException | None, response: Any, abandoned: str | None) -> None:
        """Write an ended run on its span, and end the span whatever happens: now, or as its turn comes."""
        end_time = time_ns()
        is_call = isinstance(run.data, Call)
        deferred = run.deferred or (self._settings.deferred and not self.spanless)
        if not deferred or run.awaited or (is_call and run.pieces is None):
            self._finish(run, error, response, abandoned, end_time)
            return
        if run.parent is not None:
            run.parent.deferred = True
        tokens = tokens_held(run.pieces, response) if is_call else 1
        ending = partial(self._finish, run, error, kept(response) if is_call else None, abandoned, end_time)
        if not endings.put(ending, tokens, self._settings.max_deferred_tokens):
            if is_call:
                run.pieces, abandoned = [], _NO_ROOM
            self._finish(run, error, None, abandoned, end_time)

    def _finish(
        self, run: Run, error: BaseException | None, response: Any, abandoned: str | None, end_time: int
    ) -> None:
        failure = None if error is None or _is_control_flow(error) else error
        telemetry = self._private if run.private else self._telemetry
        if isinstance(run.data, Step):
            self._runs.settle(run.parent, run.data.roll_up, failed=failure is not None)
            telemetry.end_span(run.span, end_time, failure, run.data.roll_up)
            return
        try:
            if run.pieces is not None:
                self._record(run, run.data, error, response, abandoned, end_time, telemetry, failed=failure is not None)
        except Exception as fault:
            logger.warning("langchain-logprobs could not record a model call; the chain goes on", exc_info=True)
            telemetry.mark_failed(run.span, fault)
        finally:
            telemetry.end_span(run.span, end_time, failure)
        if not (run.takers or self.spanless):  # who takes the reports may want no spans
            telemetry.notice_call()

    def _record(
        self,
        run: Run,
        call: Call,
        error: BaseException | None,
        response: Any,
        abandoned: str | None,
        end_time: int,
        telemetry: Telemetry,
        *,
        failed: bool,
    ) -> None:
        # LangChain hands an error a result too, which is empty, or holds what had been streamed.
        response = completion_in(error) or response
        received = collect(
            run.pieces or [],
            response,
            deliveries=run.deliveries,
            expected_choices=call.asked.choices,
            dropped_pieces=run.dropped_pieces,
        )
        received.failed = None if error is None else f"ended early by {type(error).__name__}"
        received.abandoned = abandoned
        received.refused = error is not None and refuses_logprobs(error)
        received.without_chunks = call.without_chunks
        call.asked.note_requested(*_requested(call, received, error))
        report = report_on(received, call.asked, self._settings)
        self._log(report, call, failed=error is not None)
        first = received.choices[0]
        generations = [choice.generation for choice in received.choices if choice.generation is not None]
        ended = EndedCall(
            report=report,
            identity=call.identity,
            response=_pairs_of(run.start_time, call, received, response, report.cached),
            generations=generations,
            chunks=first.chunks,
            start_time=run.start_time,
            end_time=end_time,
            known_paths=lambda: known_paths(report, call.asked, self._settings.max_fields),
            failure=error if failed else None,
            abandoned=abandoned is not None,
        )
        if not self.spanless:
            telemetry.record_call(run.span, ended)
        roll_up = RollUp.of(report, telemetry.span_id(run.span))
        if run.private:
            roll_up.known_paths = ended.known_paths()
        self._runs.settle(run.parent, roll_up, failed=failed)
        context = None if run.span is None else run.span.get_span_context()
        for take in run.takers:
            try:
                take(ModelCall(UUID(int=run.key), context, call.asked.class_name, report))
            except Exception:
                logger.warning("on_call failed; the chain goes on", exc_info=True)

    def _log(self, report: ConfidenceReport, call: Call, *, failed: bool) -> None:
        """Say once what keeps logprobs from coming, and each time what could not be read."""
        if report.unreadable is not None:
            logger.warning("%s", report.unreadable)
        if call.asked.known_to_refuse:  # that was said when it was learnt
            return
        if report.status == "missing" and report.reason is not None:
            level = logging.INFO if call.asked.requested else logging.WARNING  # nobody who wrote the code asked
            _say_once(level, call.asked.class_name, report.reason)
        elif report.status == "not_requested" and not failed and (hint := lost_flag(call.asked)) is not None:
            _say_once(logging.INFO, call.asked.class_name, hint)


def _requested(call: Call, received: Received, error: BaseException | None) -> tuple[int, bool]:
    """Return for how many alternatives we asked ourselves, and whether the model refuses logprobs."""
    infos = [getattr(choice.generation, "generation_info", None) for choice in received.choices]
    for info in (call.carrying, *infos):
        if isinstance(info, Carrying):
            return info.requested, info.refused
    requested = getattr(error, "langchain_logprobs_requested", 0)  # of a call that failed
    return (requested if isinstance(requested, int) else 0), False


def _pairs_of(start_time: int, call: Call, received: Received, response: Any, cached: bool) -> list[tuple[str, Any]]:
    """Return what is written of a call beside its report: what the provider said, the texts of the request, times."""
    generations = [choice.generation for choice in received.choices if choice.generation is not None]
    pairs = list(genai.response_attributes(response, generations, cached=cached))
    if received.first_chunk_time is not None:
        pairs.append((names.REQUEST_STREAM, True))
    if call.asked.requested:
        pairs.append((names.REQUESTED, call.asked.requested))
    # Not before the end is it known whether all handlers of the run allow text.
    if call.asked.stops:
        pairs.append((names.REQUEST_STOP_SEQUENCES, list(call.asked.stops)))
    if call.messages is not None:
        pairs.append((names.INPUT_MESSAGES, call.messages))
    for name, time in (
        (names.TIME_TO_FIRST_CHUNK, received.first_chunk_time),
        (names.TIME_TO_FIRST_TOKEN, received.first_token_time),
    ):
        if time is not None:
            pairs.append((name, max(0, time - start_time) / 1e9))
    return pairs


def _run_in_context() -> UUID | None:
    """Return the run that LangChain's context names as the one above whatever starts now."""
    module = sys.modules.get("langchain_core.runnables.config")  # who has not imported it has no context either
    variable = getattr(module, "var_child_runnable_config", None)
    config = variable.get() if isinstance(variable, ContextVar) else None
    run_id = getattr(config.get("callbacks"), "parent_run_id", None) if isinstance(config, dict) else None
    return run_id if isinstance(run_id, UUID) else None


def completion_in(error: BaseException | None) -> Any:
    """Return the answer that an exception carries, as a result; None where it carries none.

    OpenAI's client raises LengthFinishReasonError and ContentFilterFinishReasonError for a structured answer that was
    cut off, before LangChain sees it; the exception holds the whole completion.
    """
    completion = getattr(error, "completion", None)
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list):
        return None
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    generations = []
    for choice in choices:
        content = getattr(getattr(choice, "message", None), "content", None)
        logprobs = getattr(choice, "logprobs", None)
        info = {"finish_reason": getattr(choice, "finish_reason", None)}
        if logprobs is not None:
            info["logprobs"] = logprobs
        message = AIMessage(content if isinstance(content, str) else "", response_metadata=info)
        generations.append(ChatGeneration(message=message, generation_info=info))
    usage = getattr(completion, "usage", None)
    output = {"model_name": getattr(completion, "model", None), "id": getattr(completion, "id", None)}
    if usage is not None:
        output["token_usage"] = {
            "prompt_tokens": getattr(usage, "prompt_tokens", None),
            "completion_tokens": getattr(usage, "completion_tokens", None),
        }
    return LLMResult(generations=[list(generations)], llm_output=output)


def _say_once(level: int, class_name: str, reason: str) -> None:
    if (class_name, reason) in _said or len(_said) >= _MOST_REMEMBERED:
        return
    _said.add((class_name, reason))
    logger.log(level, "no logprobs from %s: %s", class_name or "a model", reason)


def _is_control_flow(error: BaseException) -> bool:
    """Tell whether an exception is no failure: LangGraph's interrupts and commands, or a consumer that stopped."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds.isdisjoint(("GraphBubbleUp", "GeneratorExit", "CancelledError"))


def invocation_params(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the request's parameters as LangChain passes them to a start callback."""
    params = kwargs.get("invocation_params")
    return params if isinstance(params, Mapping) else {}
