"""The open runs: who is whose parent, and that each of them ends exactly once, whatever happens.

A run ends by its own callback; with its parent; by its age or when too many are open; when the program exits; or when
LangChain forgets it. The last is how a cancelled `ainvoke` is noticed, for which LangChain sends no callback at all:
LangChain's run manager holds the run's UUID object for as long as the run can still report anything, so once that
object is gone, so is the run. (Where something else keeps the UUID, age is what is left.)
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_logprobs.capture.reaper import reaper
from langchain_logprobs.telemetry import process
from langchain_logprobs.telemetry.roll_up import RollUp

if TYPE_CHECKING:
    from langchain_logprobs.capture.received import Pieces

_EXPIRED = "abandoned: open for longer than Settings.max_run_seconds"

_REMEMBERED_ENDS = 10_000
"""How many ended runs whose UUID object is gone are remembered, so that a late callback does not open them again."""

_MOST_ENDS = 1_000_000

_NOT_LOOKED = object()

_STEPS_A_CALL = 10
"""Runs that may be open for each open model call: an agent has four to six above each of its calls."""

logger: logging.Logger = logging.getLogger("langchain_logprobs")


class Run:
    """One open run.

    Attributes:
        key: `run_id.int`; an int is hashed in C, a UUID in Python, and the key must not keep the UUID alive.
        parent: The run above it, None for a root or where that run is not open.
        span: Its span, None where it has none (a hidden step, or model calls only).
        start_time: When it started (nanoseconds since the epoch).
        expires: When it is closed if it is still open (nanoseconds since the epoch).
        owner: The lifecycle that started its span and ends it.
        takers: Whom the program wants its report handed to.
        elsewhere: What is kept of it where another instrumentation has its span; None where its span is ours.
        data: What the handler keeps with the run.
        pieces: The token callbacks so far, three items for each (see `received.Pieces`); None where nobody wants them.
        dropped_pieces: Token callbacks over the limit, which were not kept.
        deliveries: How often each callback is delivered: a handler that is given twice is called twice.
        private: Whether a handler that it is reported to keeps text in.
        awaited: Whether the program waits for its report, so that its ending cannot be put off.
        deferred: Whether an ending below it was put off, so that its own has to wait for that.
        tentative: Whether its answer may be replaced by that of another call (`agents/`).
        children: The open runs below it.
    """

    __slots__ = (
        "awaited",
        "children",
        "data",
        "deferred",
        "deliveries",
        "dropped_pieces",
        "elsewhere",
        "expires",
        "key",
        "owner",
        "parent",
        "pieces",
        "private",
        "span",
        "start_time",
        "takers",
        "tentative",
        "watch",
    )

    def __init__(self, run_id: UUID, parent: Run | None, start_time: int, data: Any) -> None:
        """Make a run that is not open yet."""
        self.key: int = run_id.int
        self.parent: Run | None = parent
        self.span: Any = None
        self.start_time: int = start_time
        self.expires: int = start_time
        self.owner: Any = None
        self.takers: tuple[Callable[[Any], object], ...] = ()
        self.elsewhere: Any = None
        self.data: Any = data
        self.pieces: Pieces | None = []
        self.dropped_pieces: int = 0
        self.deliveries: int = 1
        self.private: bool = False
        self.awaited: bool = False
        self.deferred: bool = False
        self.tentative: bool = False
        self.children: dict[int, Run] = {}
        self.watch: weakref.ref[UUID] | None = None

    @property
    def work(self) -> tuple[int, Any] | None:
        """What is current while the work of a model call is done: its key, and its span where that is ours.

        None where another instrumentation has a span for the run: what is current is then its own affair.
        """
        if self.elsewhere is not None:
            return (self.key, None) if self.elsewhere.by_client else None
        return None if self.span is None else (self.key, self.span)

    def spans(self) -> Iterator[Any]:
        """Yield its span and those of the runs above it, where they are ours."""
        run: Run | None = self
        while run is not None:
            if run.span is not None:
                yield run.span
            run = run.parent


class OpenRuns:
    """The open runs of one tracer provider, shared by all handlers that write to it.

    Sharing is what makes a handler on a model's constructor and another one in the config write one span, not two,
    and find each other's parents.
    """

    def __init__(self, tracer_provider: Callable[[], object] | None = None) -> None:
        """Start with no run open.

        Args:
            tracer_provider: Gives the provider that they are of; None for the process's own, whichever that is.
        """
        self._provider = tracer_provider
        self._seen: object = _NOT_LOOKED  # what the process's provider was when the last run started
        self._open: dict[int, Run] = {}
        self._calls: dict[int, Run] = {}  # those of them that are model calls, the oldest first
        # A run that has ended is remembered for as long as its UUID object lives: so long LangChain can still report
        # something of it. Callers who rebuild the UUID for each callback get the last ones remembered beside that.
        self._ended: dict[int, weakref.ref[UUID] | None] = {}
        self._forgotten: deque[int] = deque()
        self._lock = threading.RLock()
        self.get: Callable[[int], Run | None] = self._open.get  # by key
        reaper.watch(self)

    def __len__(self) -> int:
        """Return how many runs are open."""
        return len(self._open)

    def find(self, run_id: UUID | None) -> Run | None:
        """Return the open run with this id, or None."""
        return None if run_id is None else self._open.get(run_id.int)

    def was_ended(self, run_id: UUID) -> bool:
        """Tell whether a run with this id has ended (as far as that is remembered)."""
        return run_id.int in self._ended

    def ignore(self, run_id: UUID) -> None:
        """Take a run for ended before it starts: nothing of it is recorded."""
        with self._lock:
            self._remember(run_id.int, reaper.reference(run_id, self, run_id.int))

    def open(self, run: Run, run_id: UUID, *, is_call: bool, max_calls: int, max_age_seconds: float) -> None:
        """Open a run, and close the ones that have been open for too long or are too many.

        Args:
            run: The run.
            run_id: Its id.
            is_call: Whether it is a model call: those hold what was received, and they are what is limited.
            max_calls: Model calls open at once; over it, the oldest is closed. Of other runs, `_STEPS_A_CALL` times
                as many.
            max_age_seconds: Seconds after which a run is closed.
        """
        self._look_at_provider()
        run.expires = run.start_time + int(max_age_seconds * 1e9)
        while (oldest := self._first(self._open)) is not None and oldest.expires < run.start_time:
            self.close(oldest, _EXPIRED)
        if len(self._calls) >= max_calls and is_call:
            self._close_for_room(self._calls, f"over {max_calls} model calls were open (Settings.max_open_calls)")
        elif len(self._open) >= max_calls * _STEPS_A_CALL:
            limit = f"over {max_calls * _STEPS_A_CALL} runs were open ({_STEPS_A_CALL} times Settings.max_open_calls)"
            self._close_for_room(self._open, limit)
        with self._lock:
            run.watch = reaper.reference(run_id, self, run.key)
            self._open[run.key] = run
            if is_call:
                self._calls[run.key] = run
            if run.parent is not None:
                run.parent.children[run.key] = run
        reaper.start(max_age_seconds)

    def end(self, run_id: UUID) -> Run | None:
        """Take a run out because it ends now, and close what is still open below it.

        Returns:
            The run, for the caller to end its span; None when no such run is open (it has ended already).
        """
        return self._take(run_id.int, "abandoned: its parent ended first")

    def close(self, run: Run, reason: str) -> None:
        """End a run that does not end by itself, once, and all that is open below it, for the same reason."""
        if self._take(run.key, reason) is not None:
            run.owner.abandon(run, reason)

    def close_all(self, reason: str) -> None:
        """End every open run."""
        while (newest := self._newest()) is not None:
            self.close(newest, reason)

    def close_if_silent(self, key: int, pieces_seen: int) -> int | None:
        """Close a forgotten run unless it received something since; return its new number of pieces if it did."""
        run = self._open.get(key)
        if run is None or not _is_forgotten(run):
            return None
        received = len(run.pieces or ())
        if received != pieces_seen:
            return received
        self.close(run, "abandoned: LangChain reported no end")
        return None

    def settle(self, run: Run, below: RollUp, *, failed: bool) -> None:
        """Hand the roll-up of a run that ends to the run above it, one at a time over all threads."""
        with self._lock:
            below.settle(failed=failed)
            above = _roll_up_of(run.parent)
            if above is None:
                return
            if run.tentative and not failed and _roll_up_of(run) is None:
                above.hold(run.key, below)
                if any(run.key in roll_up.replaced for roll_up in _above(run.parent)):
                    above.discard(run.key)
            else:
                above.take(below, failed=failed)

    def discard(self, run: Run | None, key: int) -> None:
        """Take a call whose answer was replaced out of the numbers of the spans above it.

        Args:
            run: The run in which it was replaced, which has the call below it.
            key: The call's.
        """
        with self._lock:
            roll_ups = list(_above(run))
            if not any(roll_up.discard(key) for roll_up in roll_ups) and roll_ups:
                roll_ups[0].replaced.add(key)  # its ending is put off (Settings.deferred)

    def forget(self, key: int) -> int | None:
        """Hear that a run's UUID object is gone.

        Returns:
            How many token callbacks it has received, where it is still open; None where it has ended (and is now
            remembered only as one of the last), also if another run with the same id is open.
        """
        if (run := self._open.get(key)) is not None:
            return len(run.pieces or ()) if _is_forgotten(run) else None
        with self._lock:
            if self._ended.get(key) is not None:
                self._ended[key] = None
                self._forgotten.append(key)
                self._drop_forgotten()
        return None

    def close_expired(self, now: int) -> None:
        """Close the runs that have been open for too long."""
        with self._lock:
            expired = [run for run in self._open.values() if run.expires < now]
        for run in expired:
            self.close(run, _EXPIRED)

    def clear_after_fork(self) -> None:
        """Start anew in a forked child: the parent's runs go on in the parent."""
        self._lock = threading.RLock()
        self._open.clear()
        self._calls.clear()
        self._ended.clear()
        self._forgotten.clear()

    def _look_at_provider(self) -> None:
        """Notice, when a run starts, that the process has got its provider since the last one did.

        Handlers that name a provider and handlers that do not share their runs as soon as both come to the same. And a
        provider that is set up after the first run shuts down before us at exit, unless we register anew.
        """
        own = process.tracer_provider()
        if own is self._seen:
            return
        if self._provider is not None and own is not None and self._provider() is own:
            self._become(_shared)
            self._look_at_provider()
            return
        self._seen = own
        if self._provider is None and (named := _registry_of(own)) is not None:
            named._become(self)
        reaper.come_first_at_exit()

    def _become(self, other: OpenRuns) -> None:
        """Hand all runs over to another registry, and be the same from now on for whoever holds this one."""
        if self.__dict__ is other.__dict__:
            return
        with other._lock, self._lock:
            other._open.update(self._open)
            other._calls.update(self._calls)
            other._ended.update(self._ended)
            other._forgotten.extend(self._forgotten)
            self.__dict__ = other.__dict__

    def _take(self, key: int, reason_below: str) -> Run | None:
        """Take a run out, and close those below it, the innermost first."""
        with self._lock:
            run = self._open.get(key)
            if run is None:
                return None
            below = [run]
            for above in below:  # grows while it is walked: parents before their children
                below.extend(above.children.values())
            for each in below:
                self._open.pop(each.key, None)  # two threads can have opened one run, below two others
                self._calls.pop(each.key, None)
                self._remember(each.key, each.watch)
            if run.parent is not None:
                run.parent.children.pop(key, None)
        for each in reversed(below[1:]):
            each.children.clear()
            each.owner.abandon(each, reason_below)
        return run

    def _remember(self, key: int, watch: weakref.ref[UUID] | None) -> None:
        alive = watch is not None and watch() is not None
        self._ended[key] = watch if alive else None
        if not alive:
            self._forgotten.append(key)
            self._drop_forgotten()
        elif len(self._ended) > _MOST_ENDS:  # somebody keeps the ids of a million runs
            del self._ended[next(iter(self._ended))]

    def _drop_forgotten(self) -> None:
        if len(self._forgotten) > _REMEMBERED_ENDS:
            oldest = self._forgotten.popleft()
            if oldest in self._ended and self._ended[oldest] is None:
                del self._ended[oldest]

    def _close_for_room(self, runs: dict[int, Run], limit: str) -> None:
        oldest = self._first(runs)
        if oldest is not None:
            if not self._over_limit:
                self._over_limit = True
                logger.warning("langchain-logprobs: %s: the oldest are closed and lose what comes later", limit)
            self.close(oldest, f"abandoned: {limit}")

    _over_limit = False

    def _first(self, runs: dict[int, Run]) -> Run | None:
        with self._lock:
            return next(iter(runs.values()), None)

    def _newest(self) -> Run | None:
        with self._lock:
            return next(reversed(self._open.values()), None)


def _is_forgotten(run: Run) -> bool:
    return run.watch is None or run.watch() is None  # the UUID object that it was started with is gone


def _above(run: Run | None) -> Iterator[RollUp]:
    """Yield the roll-ups of a run and of those above it."""
    while run is not None:
        if (roll_up := _roll_up_of(run)) is not None:
            yield roll_up
        run = run.parent


def _roll_up_of(run: Run | None) -> RollUp | None:
    roll_up = None if run is None else getattr(run.data, "roll_up", None)
    return roll_up if isinstance(roll_up, RollUp) else None


_shared = OpenRuns()
_by_provider: weakref.WeakKeyDictionary[Any, OpenRuns] = weakref.WeakKeyDictionary()


def runs_of(tracer_provider: object) -> OpenRuns:
    """Return the open runs that all handlers on this tracer provider share; None stands for the process's own."""
    if process.is_own(tracer_provider):
        return _shared
    try:
        return _by_provider.setdefault(tracer_provider, OpenRuns(weakref.ref(tracer_provider)))
    except TypeError:  # a provider of somebody's own that cannot be weakly referenced shares with nobody
        return OpenRuns(lambda: tracer_provider)


def _registry_of(tracer_provider: object) -> OpenRuns | None:
    try:
        return _by_provider.get(tracer_provider)
    except TypeError:
        return None
