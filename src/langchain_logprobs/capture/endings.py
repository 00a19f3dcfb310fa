"""Endings that are put off (`Settings.deferred`): one thread does them, in the order of the ends they are of."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context

EXIT_SECONDS = 30.0
"""How long the program's exit waits for what is still to be done."""

logger: logging.Logger = logging.getLogger("langchain_logprobs")


class Endings:
    """What is to be done of the runs that have ended, for the whole process: first in, first out.

    Whoever does an ending, the thread or somebody who drains, holds one lock from taking it out until it is done: so
    the order is kept, and a drain needs no thread that is still alive.
    """

    def __init__(self) -> None:
        """Start with nothing to do; the first ending starts the thread."""
        self._waiting: deque[tuple[int, Context, Callable[[], None]]] = deque()
        self._tokens = 0
        self._dropped = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        # Re-entrant: the garbage collector, which may run anywhere, ends the runs of streams that nobody reads.
        self._counting = threading.RLock()
        self._doing = threading.Lock()
        self._doer: int | None = None
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many there was no room for."""
        return self._dropped

    def put(self, end: Callable[[], None], tokens: int, most: int) -> bool:
        """Put an ending off. It is done with the context variables that the caller has now.

        Args:
            end: Does it; whatever it raises is logged.
            tokens: How many tokens it holds on to.
            most: How many tokens may wait together. A single ending is taken whatever it has.

        Returns:
            Whether it was taken, or is done already, as at the program's exit.
        """
        waiting = (tokens, copy_context(), end)
        with self._counting:
            if self._tokens and self._tokens + tokens > most:
                self._dropped += 1
                dropped = self._dropped
            else:
                self._tokens += tokens
                self._waiting.append(waiting)
                dropped = 0
        if dropped:
            self._say_dropped(dropped, most)
            return False
        if self._closed or not self._has_thread():
            self.drain(EXIT_SECONDS)
        else:
            self._wake.put(None)
        return True

    def drain(self, seconds: float) -> bool:
        """Do all that waits now, in this thread, behind what the other one is at.

        Args:
            seconds: How long to go on at most.

        Returns:
            Whether all is done. An ending that asks for this itself, in `on_call`, is told that it is not.
        """
        if self._doer == threading.get_ident():
            return False
        deadline = time.monotonic() + seconds
        for _ in range(len(self._waiting) + 1):  # one more: what the other thread has taken out is to be done, too
            if not self._doing.acquire(timeout=max(0.0, deadline - time.monotonic())):
                return False
            try:
                self._doer = threading.get_ident()
                if not self._do_next():
                    return True
            finally:
                self._doer = None
                self._doing.release()
        return True

    def close(self) -> None:
        """Do what waits, and from now on each ending at once: the program ends."""
        self._closed = True
        if not self.drain(EXIT_SECONDS):
            logger.warning("langchain-logprobs: %d model calls and steps were not recorded at exit", len(self))

    def _do_next(self) -> bool:
        if not self._waiting:
            return False
        tokens, context, end = self._waiting.popleft()
        try:
            context.run(end)
        except Exception:
            logger.warning("langchain-logprobs could not end a run", exc_info=True)
        finally:
            with self._counting:
                self._tokens -= tokens
        return True

    def _has_thread(self) -> bool:
        if self._thread is None:
            with self._counting:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="langchain-logprobs-endings", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
                        return False
                    self._thread = thread
        return True

    def _work(self) -> None:
        while True:
            self._wake.get()
            while self._waiting:
                self.drain(60.0)

    def _say_dropped(self, dropped: int, most: int) -> None:
        if dropped == 10 ** (len(str(dropped)) - 1):  # the first, the tenth, the hundredth, ...
            logger.warning(
                "langchain-logprobs: %d runs so far were ended at once, model calls without their logprobs: "
                "over %d tokens waited (Settings.max_deferred_tokens)",
                dropped,
                most,
            )

    def forget_after_fork(self) -> None:
        """In a forked child there is no thread, and what waited is done by the parent."""
        closed = self._closed
        self.__init__()  # type: ignore[misc]
        self._closed = closed


endings: Endings = Endings()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=endings.forget_after_fork)
