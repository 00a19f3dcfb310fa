"""The spans of other instrumentations, joined: ours is added to them before they end, and nothing of theirs changes.

A span processor sees each of their spans start, and finds the run that it is for: most instrumentations start it inside
LangChain's start callback, whose caller passed the run's id; those of a model's client start it inside our own frame
(current.py). As theirs may end before our callback is called, the ending is held back on the span itself, with its
time, until we have written; a run of ours always ends, so none is held for ever.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Mapping
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, TracerProvider

from langchain_logprobs.telemetry import current, names, peers, process

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_START_CALLBACKS = frozenset(
    ("on_chat_model_start", "on_llm_start", "on_chain_start", "on_tool_start", "on_retriever_start")
)
_MOST_FRAMES = 30
"""How far up a start callback is looked for: the instrumentations have at most ten frames in it."""


class JoinedSpan(Span):
    """Another instrumentation's span, as those see it who write ours: of what they write, only ours gets there."""

    def __init__(self, claim: Claim) -> None:
        """Take what is known of the span."""
        self._claim = claim
        self.attributes: dict[str, Any] = {}
        self.events: list[tuple[str, Any, int | None]] = []

    def get_span_context(self) -> SpanContext:
        """Return the span's context."""
        context: SpanContext = self._claim.span.get_span_context()
        return context

    def is_recording(self) -> bool:
        """Tell whether it can still be written to."""
        return self._claim.is_open

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Keep ours for when both are done; what has any other name stays as its owner writes it."""
        self.attributes.update((name, value) for name, value in attributes.items() if name.startswith("logprobs."))

    def set_attribute(self, key: str, value: Any) -> None:
        """Keep one."""
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Keep an event."""
        self.events.append((name, attributes, timestamp))

    def update_name(self, name: str) -> None:
        """Leave the name to its owner."""

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Leave the status to its owner."""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Leave exceptions to its owner."""

    def end(self, end_time: int | None = None) -> None:
        """Hear that all of ours is there; the span itself ends when its owner says so, at the time that it says."""
        self._claim.written()


def _ignore(*args: Any, **kwargs: Any) -> bool:
    """Do and say what an ended span does and says."""
    return False


_ENDED = dict.fromkeys(
    (
        "add_event",
        "add_link",
        "is_recording",
        "record_exception",
        "set_attribute",
        "set_attributes",
        "set_status",
        "update_name",
    ),
    _ignore,
)


class Claim:
    """A span of another instrumentation, which is the one of a run."""

    def __init__(self, home: PeerSpans, key: int, span: Any, above: Any) -> None:
        """Hold the span's ending from now on.

        Args:
            home: Where it is found.
            key: The run's.
            span: The span, of OpenTelemetry's SDK.
            above: The same instrumentation's span above it, where that is no run's own; None otherwise.
        """
        self.span = span
        self.above = above
        self._home = home
        self._key = key
        self._lock = threading.RLock()
        self.joined: JoinedSpan = JoinedSpan(self)
        self._is_written = False
        self._end_time: int | None = None
        span.end = self._end  # on the instance: whoever ends it comes by here

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to: it has not ended, or its ending is held."""
        with self._lock:
            return "end" in vars(self.span) and (self._end_time is not None or bool(self.span.is_recording()))

    def written(self) -> None:
        """Take what is to be added. It is written as the last thing before the span ends, when its room is known."""
        with self._lock:
            self._is_written = True
            if self._end_time is None:
                return
        self._close()

    def let_go(self) -> None:
        """Hold the ending no longer: nothing more comes of ours."""
        with self._lock:
            if self._end_time is None:
                return
        self._close()

    def _end(self, end_time: int | None = None) -> None:
        with self._lock:
            if self._end_time is None:
                self._end_time = time_ns() if end_time is None else end_time
            if not self._is_written and self._home.hold(self._key, self):
                # To all others it has ended: whoever writes on it now would not have been heard without us.
                vars(self.span).update(_ENDED)
                return
        self._close()

    def _close(self) -> None:
        with self._lock:
            if vars(self.span).pop("end", None) is None:  # another thread has been here
                return
            for name in _ENDED:
                vars(self.span).pop(name, None)
        self._home.forget(self._key, self)
        try:
            if self._is_written:
                self._home.write(self.span, self.joined)
        except Exception:
            logger.warning("langchain-logprobs could not write on another's span; it ends as ever", exc_info=True)
        finally:
            self.span.end(self._end_time)


class PeerSpans:
    """The spans of others on one tracer provider that are the spans of runs."""

    def __init__(self) -> None:
        """Start with none."""
        # A claim lives as long as its span holds it: one that its owner loses without ending it is forgotten too. Once
        # it was ended, its owner has no more use for it, and it is we who must keep it.
        self._claims: weakref.WeakValueDictionary[int, Claim] = weakref.WeakValueDictionary()
        self._held: dict[int, Claim] = {}
        self._awaited: set[int] = set()
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._said = False
        self._limits: Any = None

    def __len__(self) -> int:
        """Return how many spans are held or waited for."""
        return len(self._claims) + len(self._held) + len(self._awaited)

    def add_user(self, user: object) -> None:
        """Claim spans for as long as this user lives."""
        self._users.add(user)

    def expect(self, key: int) -> None:
        """Hold the ending of the run's span, if it has one, until `let_go`."""
        self._awaited.add(key)

    def hold(self, key: int, claim: Claim) -> bool:
        """Keep a span whose owner has ended it while its run is open; tell whether it is kept."""
        with self._lock:
            awaited = key in self._awaited
            if awaited:
                self._held[key] = claim
        return awaited

    def find(self, key: int) -> Claim | None:
        """Return the claim on the run's span, or None."""
        return self._claims.get(key)

    def let_go(self, key: int) -> None:
        """Hold the ending of the run's span no longer, whatever has become of the run."""
        with self._lock:
            self._awaited.discard(key)
            claim = self._claims.pop(key, None)
        if claim is not None:
            claim.let_go()

    def forget(self, key: int, claim: Claim) -> None:
        """Forget a span that ends."""
        with self._lock:
            if self._claims.get(key) is claim:
                del self._claims[key]
            if self._held.get(key) is claim:
                del self._held[key]

    def started(self, span: Any, parent_context: Context | None) -> None:
        """Look at a span that starts. It never raises into whoever starts it."""
        try:
            scope = span.instrumentation_scope.name
            if scope in peers.RUN_SCOPES:
                key = _run_of_start_callback()
            elif peers.is_model_call(scope, span.attributes):
                key = current.run_key(parent_context)
                key = key if key in self._awaited else None
            else:
                return
            if key is not None and self._users:
                self._claim(key, scope, span, parent_context)
        except Exception:  # a shape that we do not know
            if not self._said:
                self._said = True
                logger.warning("langchain-logprobs cannot join another instrumentation's span", exc_info=True)

    def _claim(self, key: int, scope: str, span: Any, parent_context: Context | None) -> None:
        above: Any = trace.get_current_span(parent_context)
        if getattr(getattr(above, "instrumentation_scope", None), "name", None) != scope or "end" in vars(above):
            above = None
        with self._lock:
            if key not in self._claims:  # the first has the run's span: a second instrumentation's stays as it is
                self._claims[key] = Claim(self, key, span, above)

    def write(self, span: Any, ours: JoinedSpan) -> None:
        """Write ours on another's span, as much as it has room for: a full span would drop its oldest attributes."""
        if self._limits is None:
            from opentelemetry.sdk.trace import SpanLimits

            self._limits = SpanLimits()
        room = _room(self._limits.max_span_attributes, len(span.attributes), span.dropped_attributes)
        span.set_attributes(_fitting(ours.attributes, room))
        events = ours.events
        room = _room(self._limits.max_events, len(span.events), span.dropped_events)
        if len(events) > room:
            events = [event for event in events if event[0] != names.CHUNK_EVENT][: int(room)]
        for event in events:
            span.add_event(*event)


def _room(limit: int | None, used: int, dropped: int) -> float:
    if dropped:
        return 0
    return float("inf") if limit is None else max(0, limit - used)


def _fitting(attributes: Mapping[str, Any], room: float) -> dict[str, Any]:
    """Return as many attributes as fit, the first ones; those that belong together (parallel arrays) all or none."""
    if len(attributes) <= room:
        return dict(attributes)
    groups: dict[str, dict[str, Any]] = {}
    for name, value in attributes.items():
        part = name.split(".")[1]
        groups.setdefault("tokens" if part == "values" else part, {})[name] = value
    fitting: dict[str, Any] = {}
    for group in groups.values():
        if len(fitting) + len(group) <= room:
            fitting.update(group)
    return fitting


def _run_of_start_callback() -> int | None:
    """Return the key of the run whose start callback is being called up the stack."""
    frame = sys._getframe(2)
    for _ in range(_MOST_FRAMES):
        code = frame.f_code
        if code.co_name in _START_CALLBACKS and "run_id" in code.co_varnames:
            key = getattr(frame.f_locals.get("run_id"), "int", None)
            return key if isinstance(key, int) else None
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


def keeps_every_trace(provider: object) -> bool:
    """Tell whether no trace that begins here is sampled out, as far as the provider's sampler says.

    Only then does a missing span mean that another instrumentation has none: otherwise it may have been sampled out.
    """
    sampler: Any = getattr(provider, "sampler", None) or getattr(getattr(provider, "provider", None), "sampler", None)
    try:
        return str(sampler.get_description()).startswith(("AlwaysOnSampler", "ParentBased{root:AlwaysOnSampler"))
    except Exception:
        return False


# By the provider's id: some cannot be hashed.
_watched: dict[int, tuple[weakref.ref[Any], PeerSpans]] = {}
_lock = threading.Lock()


def peer_spans_on(given: TracerProvider | None) -> PeerSpans | None:
    """Return the spans of others on a provider, watched from now on; None where nothing can be seen of them.

    Args:
        given: The provider; None for the process's own.
    """
    provider: Any = process.tracer_provider() if given is None else given
    if provider is None or not hasattr(provider, "add_span_processor"):
        return None
    try:
        with _lock:
            key = id(provider)
            known = _watched.get(key)
            if known is not None and known[0]() is provider:
                return known[1]
            found = PeerSpans()
            provider.add_span_processor(_watcher(found))
            _watched[key] = (weakref.ref(provider, lambda _: _watched.pop(key, None)), found)
            return found
    except Exception:  # a provider of somebody's own
        logger.warning("langchain-logprobs cannot watch %s: it makes spans of its own", type(provider), exc_info=True)
        return None


def _watcher(found: PeerSpans) -> Any:
    from opentelemetry.sdk.trace import SpanProcessor  # who can add a processor has the SDK

    class Watcher(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            found.started(span, parent_context)

    return Watcher()
