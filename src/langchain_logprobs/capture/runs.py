"""The open runs: who is whose parent, and that each of them ends exactly once, whatever happens.

A run ends by its own callback; with its parent; by its age or when too many are open; when the program exits; or when
LangChain forgets it. The last is how a cancelled `ainvoke` is noticed, for which LangChain sends no callback at all:
LangChain's run manager holds the run's UUID object for as long as the run can still report anything, so once that
object is gone, so is the run. (Where something else keeps the UUID, age is what is left.)
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_logprobs.capture.reaper import reaper

if TYPE_CHECKING:
    from langchain_logprobs.capture.received import Pieces

_EXPIRED = "abandoned: open for longer than Settings.max_run_seconds"

_REMEMBERED_ENDS = 10_000
"""How many ended runs are remembered, so that a late callback does not open them again."""


class Run:
    """One open run.

    Attributes:
        key: `run_id.int`; an int is hashed in C, a UUID in Python, and the key must not keep the UUID alive.
        parent: The run above it, None for a root or where that run is not open.
        span: Its span, None where it has none (a hidden step, or model calls only).
        start_time: When it started (nanoseconds since the epoch).
        expires: When it is closed if it is still open (nanoseconds since the epoch).
        close: Ends the span of a run that will not end by itself; called with the reason.
        data: What the handler keeps with the run.
        pieces: The token callbacks so far, three items for each (see `capture.Pieces`).
        dropped_pieces: Token callbacks over the limit, which were not kept.
        deliveries: How often each callback is delivered: a handler that is given twice is called twice.
        children: The open runs below it.
    """

    __slots__ = (
        "children",
        "close",
        "data",
        "deliveries",
        "dropped_pieces",
        "expires",
        "key",
        "parent",
        "pieces",
        "span",
        "start_time",
        "watch",
    )

    def __init__(
        self, run_id: UUID, parent: Run | None, span: Any, start_time: int, data: Any, close: Callable[[Run, str], None]
    ) -> None:
        """Make a run that is not open yet."""
        self.key = run_id.int
        self.parent = parent
        self.span = span
        self.start_time = start_time
        self.expires = start_time
        self.close = close
        self.data = data
        self.pieces: Pieces = []
        self.dropped_pieces = 0
        self.deliveries = 1
        self.children: dict[int, Run] = {}
        self.watch: weakref.ref[UUID] | None = None

    def ancestors(self) -> Iterator[Run]:
        """Yield the runs above, nearest first."""
        run = self.parent
        while run is not None:
            yield run
            run = run.parent


class OpenRuns:
    """The open runs of one tracer provider, shared by all handlers that write to it.

    Sharing is what makes a handler on a model's constructor and another one in the config write one span, not two,
    and find each other's parents.
    """

    def __init__(self) -> None:
        """Start with no run open."""
        self._open: dict[int, Run] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.RLock()
        self.get = self._open.get  # by key; the token callback's one look-up
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

    def open(self, run: Run, run_id: UUID, *, max_open: int, max_age_seconds: float) -> None:
        """Open a run, and close the ones that have been open for too long or are too many."""
        run.expires = run.start_time + int(max_age_seconds * 1e9)
        while (oldest := self._oldest()) is not None:
            if oldest.expires < run.start_time:
                self.close(oldest, _EXPIRED)
            elif len(self._open) >= max_open:
                self.close(oldest, f"abandoned: over {max_open} runs are open (Settings.max_open_runs)")
            else:
                break
        with self._lock:
            run.watch = reaper.reference(run_id, self, run.key)
            self._open[run.key] = run
            if run.parent is not None:
                run.parent.children[run.key] = run
        reaper.start(max_age_seconds)

    def end(self, run_id: UUID) -> Run | None:
        """Take a run out because it ends now, and close what is still open below it.

        Returns:
            The run, for the caller to end its span; None when no such run is open (it has ended already).
        """
        return self._take(run_id.int)

    def close(self, run: Run, reason: str) -> None:
        """End a run that does not end by itself, once."""
        if self._take(run.key) is not None:
            run.close(run, reason)

    def close_all(self, reason: str) -> None:
        """End every open run."""
        while (newest := self._newest()) is not None:
            self.close(newest, reason)

    def close_if_silent(self, key: int, pieces_seen: int) -> int | None:
        """Close a forgotten run unless it received something since; return its new number of pieces if it did."""
        run = self._open.get(key)
        if run is None:
            return None
        if len(run.pieces) != pieces_seen:
            return len(run.pieces)
        self.close(run, "abandoned: LangChain reported no end")
        return None

    def add_up(self, run: Run, add: Callable[[Any], None]) -> None:
        """Call `add` with the data of every run above, one run at a time over all threads."""
        with self._lock:
            for ancestor in run.ancestors():
                add(ancestor.data)

    def pieces_of(self, key: int) -> int | None:
        """Return how many token callbacks an open run has received; None when it is not open."""
        run = self._open.get(key)
        return None if run is None else len(run.pieces)

    def close_expired(self, now: int) -> None:
        """Close the runs that have been open for too long."""
        with self._lock:
            expired = [run for run in self._open.values() if run.expires < now]
        for run in expired:
            self.close(run, _EXPIRED)

    def _take(self, key: int) -> Run | None:
        with self._lock:
            run = self._open.pop(key, None)
            if run is None:
                return None
            if run.parent is not None:
                run.parent.children.pop(key, None)
            self._ended[key] = None
            if len(self._ended) > _REMEMBERED_ENDS:
                self._ended.popitem(last=False)
            children = list(run.children.values())
        for child in children:
            self.close(child, "abandoned: its parent ended first")
        return run

    def _oldest(self) -> Run | None:
        with self._lock:
            return next(iter(self._open.values()), None)

    def _newest(self) -> Run | None:
        with self._lock:
            return next(reversed(self._open.values()), None)


_shared = OpenRuns()
_by_provider: weakref.WeakKeyDictionary[Any, OpenRuns] = weakref.WeakKeyDictionary()


def runs_of(tracer_provider: object) -> OpenRuns:
    """Return the open runs that all handlers on this tracer provider share; None stands for the process's own."""
    if tracer_provider is None:
        return _shared
    try:
        return _by_provider.setdefault(tracer_provider, OpenRuns())
    except TypeError:  # a provider of somebody's own that cannot be weakly referenced shares with nobody
        return OpenRuns()
