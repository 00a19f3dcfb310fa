"""What a piece of work costs, counted: the same on a busy machine as on an idle one."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable


def calls_in(work: Callable[[], object]) -> int:
    """How many functions were called, Python's and C's."""
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def bytes_in(work: Callable[[], object]) -> int:
    """The most bytes that were allocated at once, and what the work returns is among them."""
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        del kept
        tracemalloc.stop()
