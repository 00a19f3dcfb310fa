"""How a run starts and ends: its span, and at the end of a model call the report on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import time_ns
from typing import Any
from uuid import UUID

from langchain_logprobs.capture import first_use
from langchain_logprobs.capture.beside_report import pairs_of, requested
from langchain_logprobs.capture.calls import ModelCall, tentative
from langchain_logprobs.capture.endings import endings
from langchain_logprobs.capture.failures import completion_in, is_control_flow, refuses_logprobs
from langchain_logprobs.capture.inline import guarded, run_in_context
from langchain_logprobs.capture.joining import Joining
from langchain_logprobs.capture.kept import Call, Step
from langchain_logprobs.capture.received import collect, kept, tokens_held
from langchain_logprobs.capture.runs import OpenRuns, Run
from langchain_logprobs.confidence.report import ConfidenceReport, report_on
from langchain_logprobs.confidence.status import why_not_asked
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import current, names
from langchain_logprobs.telemetry.actions import Action
from langchain_logprobs.telemetry.masking import known_paths
from langchain_logprobs.telemetry.process import is_suppressed
from langchain_logprobs.telemetry.roll_up import RollUp
from langchain_logprobs.telemetry.spans import EndedCall, Kind, Telemetry

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_NO_ROOM = "dropped: too many tokens waited for their ending (Settings.max_deferred_tokens)"

_MOST_REMEMBERED = 1_000
_said: set[tuple[str, str]] = set()


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
        self._joining = Joining(telemetry) if settings.spans == "join" else None
        self.spanless = False
        """Whether this handler only hands out reports; the spans are those of other handlers."""

    def start_step(
        self,
        name: str | None,
        kind: Kind,
        run_id: UUID,
        parent_run_id: UUID | None,
        pairs: Sequence[tuple[str, Any]],
        step: Step | None = None,
        work: str | None = None,
    ) -> None:
        """Start a run that is no model call; without a name it gets no span.

        Args:
            name: The name of its span.
            kind: Its kind.
            run_id: The run's id.
            parent_run_id: The id of the run above it.
            pairs: Its first attributes.
            step: What is kept with it.
            work: What kind of frame its work is done in (telemetry/current.py); None where it is done in none.
        """
        visible = name is not None and self._settings.spans != "llm"
        run = self._start(name if visible else None, kind, run_id, parent_run_id, pairs, step or Step())
        if work is not None and run is not None and run.span is not None:
            current.started(work, run.key, run.span)

    def start_call(
        self, name: str, run_id: UUID, parent_run_id: UUID | None, pairs: Sequence[tuple[str, Any]], call: Call
    ) -> None:
        """Start a model call."""
        run = self._start(name, "client", run_id, parent_run_id, pairs, call)
        if run is not None and (work := run.work) is not None:
            current.started("call", *work)

    def span_of(self, run: Run) -> Any:
        """Return the span of an open run, ours or another instrumentation's; None where it has none."""
        return run.span if run.elsewhere is None or self._joining is None else self._joining.span_of(run)

    def span_to_add_to(self, run: Run) -> Any:
        """Return what is to be written on for an open run's span; None where it has none."""
        return run.span if run.elsewhere is None or self._joining is None else self._joining.span_to_add_to(run)

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

    def act(self, run_id: UUID, taken: Action) -> None:
        """Write on a run's span, and on those above it, what was done about an unsure answer.

        Args:
            run_id: The run in which it was done. Of several handlers that hear of it, the one that owns it writes.
            taken: What was done.
        """
        run = self._runs.find(run_id)
        if run is None or run.owner is not self:
            return
        for key in taken.replaced:
            self._runs.discard(run, key)
        above: Run | None = run
        written = False
        while above is not None:
            span = above.owner.span_to_add_to(above)
            if span is not None:
                telemetry = self._private if above.private else self._telemetry
                telemetry.record_action(span, taken, time_ns(), with_event=not written)
                written = True
            above = above.parent

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
        run.tentative = tentative.get()
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
        known = self._runs.find(run_in_context())
        if known is None or known is told or (told is None and parent_run_id is not None):
            return told
        if told is None:
            top = known
            while top.parent is not None:
                top = top.parent
            if top.elsewhere is not None:  # what the caller's current span was is then not known from the root's
                return known
            return known if self._telemetry.is_below(top.span, known.spans()) else None
        return known if known.parent is told else told

    def _own(self, run: Run, name: str | None, kind: Kind, pairs: Sequence[tuple[str, Any]]) -> None:
        """Start the run's span, and be the one to end it."""
        run.owner = self
        if self.spanless or (self._joining is not None and self._joining.start(run, name, kind, pairs)):
            return
        if name is not None:
            above = run.parent
            parent_span = None
            while above is not None and parent_span is None:
                parent_span, above = above.owner.span_of(above), above.parent
            run.span = self._telemetry.start_span(name, kind, parent_span, run.start_time, pairs)

    def _join(self, run: Run) -> None:
        """Note who wants the report of a model call: if nobody does, nothing of the call is stored or read."""
        if not isinstance(run.data, Call):
            return
        if self._on_call is not None and self._on_call not in run.takers:
            run.takers = (*run.takers, self._on_call)
            run.awaited = run.awaited or self.spanless
        if run.pieces is None and (run.elsewhere is not None or self._is_seen(run) or self._telemetry.counts):
            run.pieces = []
            if run.data.read_request is not None:
                run.data.asked, run.data.messages = run.data.read_request()
                run.data.read_request = None  # it holds the prompt

    def _is_seen(self, run: Run) -> bool:
        """Tell whether a model call's report goes anywhere: to the program, on its span or on one above it.

        If not, its metrics are all that comes of it.
        """
        if run.takers:
            return True
        above: Run | None = run
        while above is not None:
            if self._telemetry.is_recording(above.span):
                return True
            if above.elsewhere is not None and above.owner.span_of(above) is not None:
                return True
            above = above.parent
        return False

    def finish(self, run: Run, error: BaseException | None, response: Any, abandoned: str | None) -> None:
        """Write an ended run on its span, and end the span whatever happens: now, or as its turn comes."""
        end_time = time_ns()
        is_call = isinstance(run.data, Call)
        if self._joining is not None and run.elsewhere is not None:
            run.span = self._joining.to_write_on(run, is_call=is_call)
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
        try:
            self._write(run, error, response, abandoned, end_time)
        finally:
            if self._joining is not None and run.elsewhere is not None:
                self._joining.let_go(run)

    def _write(
        self, run: Run, error: BaseException | None, response: Any, abandoned: str | None, end_time: int
    ) -> None:
        failure = None if error is None or is_control_flow(error) else error
        telemetry = self._private if run.private else self._telemetry
        if isinstance(run.data, Step):
            self._runs.settle(run, run.data.roll_up, failed=failure is not None)
            if self._joining is not None and run.parent is None and (root := self._joining.above(run)) is not None:
                telemetry.write_roll_up(root, run.data.roll_up)
            telemetry.end_span(run.span, end_time, failure, run.data.roll_up, run.data.pairs())
            return
        try:
            if run.pieces is not None and (self._is_seen(run) or telemetry.counts):
                self._record(run, run.data, error, response, abandoned, end_time, telemetry, failed=failure is not None)
            if not run.takers:  # whoever takes the reports may want no spans
                first_use.check_spans(telemetry)
        except Exception as fault:
            logger.warning("langchain-logprobs could not record a model call; the chain goes on", exc_info=True)
            telemetry.mark_failed(run.span, fault)
        finally:
            telemetry.end_span(run.span, end_time, failure)

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
        call.asked.note_requested(*requested(call, received, error))
        report = report_on(received, call.asked, self._settings, for_metrics=not self._is_seen(run))
        self._log(report, call, failed=error is not None)
        first = received.choices[0]
        generations = [choice.generation for choice in received.choices if choice.generation is not None]
        ended = EndedCall(
            report=report,
            identity=call.identity,
            response=pairs_of(run.start_time, call, received, response, report.cached),
            generations=generations,
            chunks=first.chunks,
            start_time=run.start_time,
            end_time=end_time,
            known_paths=lambda: known_paths(report, call.asked, self._settings.max_fields),
            failure=error if failed else None,
            abandoned=abandoned is not None,
        )
        answers = None if self.spanless else telemetry.record_call(run.span, ended)
        roll_up = RollUp.of(report, telemetry.span_id(run.span), answers)
        if run.private:
            roll_up.known_paths = ended.known_paths()
        self._runs.settle(run, roll_up, failed=failed)
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
        if report.has_tokens:
            first_use.logprobs_came()
        elif call.asked.known_to_refuse:  # that was said when it was learnt
            return
        elif report.status == "missing" and report.reason is not None:
            level = logging.INFO if call.asked.requested else logging.WARNING  # nobody who wrote the code asked
            _say_once(level, call.asked.class_name, report.reason)
        elif report.status == "not_requested" and not failed:
            completion = call.identity.get(names.OPERATION) == "text_completion"
            # Whoever has had logprobs, or was told, may well do without them in other calls.
            level = logging.WARNING if first_use.is_first("not asked") else logging.INFO
            _say_once(level, call.asked.class_name, why_not_asked(call.asked, completion=completion))


def _say_once(level: int, class_name: str, reason: str) -> None:
    if (class_name, reason) in _said or len(_said) >= _MOST_REMEMBERED:
        return
    _said.add((class_name, reason))
    logger.log(level, "no logprobs from %s: %s", class_name or "a model", reason)
