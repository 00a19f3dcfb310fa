"""A file of traces that a program is still writing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.view.model import Trace

_SECONDS = 0.5  # between two looks
_PATIENCE = 4  # looks at an unchanged file until a trace without its root, or a broken line, is told as it is


def follow(path: str, read: Callable[[], Sequence[Trace]]) -> Iterator[list[Trace]]:
    """Yield the traces of a file as they come, until the user interrupts.

    A trace comes when its root has been written, which is its last span, or when nothing more was written for a while;
    and again when more of it is written later.

    Args:
        path: The file; it does not have to be there yet.
        read: Reads it.

    Raises:
        CannotShowError: It is no file.
    """
    if path == "-" or "://" in path:
        raise CannotShowError(f"--watch follows a file, and {path} is none.")
    drawn: dict[str, int] = {}
    seen: tuple[int, int] | None = None
    unchanged = 0
    problem = ""
    try:
        while True:
            state = _state(path)
            unchanged = unchanged + 1 if state == seen else 0
            seen = state
            if state is not None and unchanged in (0, _PATIENCE):
                try:
                    yield list(_news(read(), drawn, patient=unchanged == 0))
                except CannotShowError as error:  # most often a line that is being written
                    if unchanged and str(error) != problem:
                        problem = str(error)
                        sys.stderr.write(f"langchain-logprobs: {problem}\n")
            time.sleep(_SECONDS)
    except KeyboardInterrupt:
        return


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _news(traces: Sequence[Trace], drawn: dict[str, int], *, patient: bool) -> Iterator[Trace]:
    """Yield the traces of which there is more than was drawn."""
    for trace in traces:
        whole = all(root.span.parent_id is None for root in trace.roots)
        size = _size(trace)
        if drawn.get(trace.trace_id) != size and (whole or not patient):
            drawn[trace.trace_id] = size
            yield trace


def _size(trace: Trace) -> int:
    waiting, count = list(trace.roots), 0
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        count += 1
    return count
