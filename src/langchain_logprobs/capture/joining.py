"""Whose span is a run's: ours, or that of another instrumentation, which has one for the run already."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_logprobs.capture.inline import log_failure
from langchain_logprobs.capture.runs import Run
from langchain_logprobs.telemetry import current, joined, peers
from langchain_logprobs.telemetry.spans import Kind, Telemetry

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_MOST_FRAMES = 12
"""How far up the manager that calls us is looked for; it is five to eight frames away."""

_MANY = 100


class Elsewhere(NamedTuple):
    """What is kept of a run whose span is another instrumentation's.

    Attributes:
        by_client: Whether that instruments the model's client, and knows nothing of runs.
        name: The name of the span that we would have made; None for a run that has none.
        kind: Its kind.
        pairs: Its first attributes.
        caller: The span that was current when the run started.
    """

    by_client: bool
    name: str | None
    kind: Kind
    pairs: Sequence[tuple[str, Any]]
    caller: Any


class Joining:
    """Decides, for the handlers with `Settings.spans="join"`, which runs get no span of ours, and finds theirs."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Take where our own spans go, which is where those of others have to go to be seen."""
        self._telemetry = telemetry
        self._provider: Any = None
        self._spans: joined.PeerSpans | None = None
        self._missed, self._met = 0, False
        self.look()

    def look(self) -> None:
        """Notice that the process has got its tracer provider since the last run started."""
        provider = self._telemetry.provider_in_force()
        if provider is not self._provider:
            self._provider = provider
            self._spans = joined.peer_spans_on(provider)
            if self._spans is not None:
                self._spans.add_user(self)

    def start(self, run: Run, name: str | None, kind: Kind, pairs: Sequence[tuple[str, Any]]) -> bool:
        """Tell whether the span of a run that starts is another's; it is then looked for when the run ends."""
        self.look()
        if self._spans is None:
            return False
        by_client = False
        if not peers.any_handler(_handlers_called()):
            # Outside of our frames no client's span can be told to be a run's.
            by_client = bool(current.FRAMED) and peers.is_client_traced()
            if not by_client:
                return False
        run.elsewhere = Elsewhere(by_client, name, kind, pairs, self._telemetry.callers_span())
        self._spans.expect(run.key)
        return True

    def span_of(self, run: Run) -> Any:
        """Return the span of an open run that another instrumentation has; None if it is not known."""
        claim = None if self._spans is None else self._spans.find(run.key)
        return None if claim is None or not claim.is_open else claim.span

    def span_to_add_to(self, run: Run) -> Any:
        """Return what is to be written on for an open run that another instrumentation has the span of."""
        claim = None if self._spans is None else self._spans.find(run.key)
        return None if claim is None or not claim.is_open else claim.joined

    def to_write_on(self, run: Run, *, is_call: bool) -> Any:
        """Return the span to write on as a run ends.

        Args:
            run: The run.
            is_call: Whether it is a model call. A call that no other instrumentation shows gets a span of ours after
                all, under the nearest span that one shows; but never where theirs may have been sampled out.

        Returns:
            The span; None where there is none.
        """
        try:
            return self._to_write_on(run, is_call=is_call)
        except Exception:
            log_failure("joining another instrumentation's span")
            return None

    def _to_write_on(self, run: Run, *, is_call: bool) -> Any:
        assert self._spans is not None
        claim = self._spans.find(run.key)
        if claim is not None and claim.is_open:
            self._met = True
            return claim.joined
        if not is_call:
            return None
        parent = self._above(run) if claim is None else claim.span
        if parent is None:
            parent = run.elsewhere.caller
            if not parent.get_span_context().is_valid and not joined.keeps_every_trace(self._provider):
                self._miss()
                return None
        _say_once("a model call has a span of ours, as another instrumentation that is on has shown none for it")
        name, kind, pairs = run.elsewhere.name, run.elsewhere.kind, run.elsewhere.pairs
        return self._telemetry.start_span(name or "chat", kind, parent, run.start_time, pairs)

    def above(self, run: Run) -> Any:
        """Return the span that another instrumentation has above the root run's own; None where it has none."""
        claim = None if self._spans is None else self._spans.find(run.key)
        if claim is None or claim.above is None or not claim.above.is_recording():
            return None
        return claim.above

    def let_go(self, run: Run) -> None:
        """Let the other's span end when it will."""
        if self._spans is not None:
            self._spans.let_go(run.key)

    def _above(self, run: Run) -> Any:
        above = run.parent
        while above is not None:
            span = self.span_of(above) or above.span
            if span is not None:
                return span
            above = above.parent
        return None

    def _miss(self) -> None:
        """Count a call that may have been sampled out; if all are, it is not sampling."""
        self._missed += 1
        if self._missed == _MANY and not self._met:
            _say_once(
                f"another instrumentation is on, and has shown no span for the first {_MANY} model calls: if its spans "
                "go to another tracer provider, set LANGCHAIN_LOGPROBS_SPANS=all"
            )


def _handlers_called() -> Sequence[object]:
    """Return the handlers that the run which starts is told to, as LangChain's manager up the stack has them."""
    frame = sys._getframe(2)
    for _ in range(_MOST_FRAMES):
        if frame.f_code.co_name.endswith("_start"):
            handlers = getattr(frame.f_locals.get("self"), "handlers", None)
            if isinstance(handlers, list):
                return handlers
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ()


_said: set[str] = set()


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        logger.warning("langchain-logprobs: %s", text)
