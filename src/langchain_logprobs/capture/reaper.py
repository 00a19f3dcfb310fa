"""The one thread that closes the runs which nobody will end: too old, or forgotten by LangChain."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from langchain_logprobs.capture.endings import endings

if TYPE_CHECKING:
    from langchain_logprobs.capture.runs import OpenRuns

ABANDONED_GRACE_SECONDS = 1.0
"""How long a forgotten run may stay silent before it is closed. Somebody who bridges callbacks may rebuild the UUID
object for each of them: the run then looks forgotten between two."""

SWEEP_SECONDS = 60.0
"""How often the age of the open runs is looked at when no run starts."""


def _call(home: weakref.ref[OpenRuns], method: str, *args: int) -> int | None:
    """Call a method of a registry that may be gone; the reference to it lasts no longer than the call."""
    registry = home()
    answer: int | None = None if registry is None else getattr(registry, method)(*args)
    return answer


class Reaper:
    """One daemon thread for the process that closes the runs nobody will end.

    A weak reference's callback can run at any moment, in any thread, even while that thread holds a lock of an
    exporter; so it does nothing but put the run's key into a queue, and the thread closes the run.
    """

    def __init__(self, grace_seconds: float = ABANDONED_GRACE_SECONDS) -> None:
        """Start without a thread, which the first run starts.

        Args:
            grace_seconds: How long a forgotten run may stay silent.
        """
        self._grace_seconds = grace_seconds
        # None wakes the thread to look at the ages again.
        self._queue: queue.SimpleQueue[tuple[weakref.ref[OpenRuns], int] | None] = queue.SimpleQueue()
        self._registries: weakref.WeakSet[OpenRuns] = weakref.WeakSet()
        self._shortest_age = float("inf")
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def watch(self, registry: OpenRuns) -> None:
        """Look after the runs of this registry, for as long as it lives."""
        self._registries.add(registry)

    def start(self, max_age_seconds: float) -> None:
        """See to it that the thread is there, and that ages are looked at often enough."""
        if max_age_seconds < self._shortest_age:
            self._shortest_age = max_age_seconds
            self._queue.put(None)
        if self._thread is None:
            self._start_thread()

    def come_first_at_exit(self) -> None:
        """Close the open runs at exit before any tracer provider that is there now shuts down.

        Hooks run last in, first out, and a provider registers its own when it is made.
        """
        atexit.unregister(self._close_all_at_exit)
        atexit.register(self._close_all_at_exit)

    def reference(self, run_id: UUID, registry: OpenRuns, key: int) -> weakref.ref[UUID]:
        """Return a weak reference to the UUID object that reports the run as forgotten once the object is gone."""
        home = weakref.ref(registry)
        put = self._queue.put  # re-entrant, as a callback of the garbage collector needs it
        return weakref.ref(run_id, lambda _: put((home, key)))

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._work, name="langchain-logprobs-reaper", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        suspects: deque[tuple[float, weakref.ref[OpenRuns], int, int]] = deque()
        next_sweep = time.monotonic()
        while True:
            now = time.monotonic()
            wake = min(next_sweep, suspects[0][0]) if suspects else next_sweep
            try:
                forgotten = self._queue.get(timeout=max(0.0, wake - now))
            except queue.Empty:
                pass
            else:
                if forgotten is None:
                    next_sweep = min(next_sweep, time.monotonic() + self._sweep_interval())
                elif (pieces := _call(forgotten[0], "forget", forgotten[1])) is not None:
                    suspects.append((time.monotonic() + self._grace_seconds, *forgotten, pieces))
            now = time.monotonic()
            while suspects and suspects[0][0] <= now:
                _, home, key, pieces = suspects.popleft()
                pieces = _call(home, "close_if_silent", key, pieces)
                if pieces is not None:
                    suspects.append((now + self._grace_seconds, home, key, pieces))
            if now >= next_sweep:
                for registry in list(self._registries):
                    registry.close_expired(time.time_ns())
                    del registry  # the name must not keep it alive while the thread sleeps
                next_sweep = now + self._sweep_interval()

    def _sweep_interval(self) -> float:
        return min(SWEEP_SECONDS, max(0.05, self._shortest_age / 4))

    def _close_all_at_exit(self) -> None:
        for registry in list(self._registries):
            registry.close_all("abandoned: the program exited")
        endings.close()

    def forget_after_fork(self) -> None:
        """In a forked child neither the thread nor the parent's open runs exist."""
        self._queue = queue.SimpleQueue()
        self._thread = None
        self._lock = threading.Lock()
        for registry in list(self._registries):
            registry.clear_after_fork()


reaper: Reaper = Reaper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reaper.forget_after_fork)
