"""A run's span is current while the run's work is done, so that the spans of that work hang under it.

The work is done in a frame (patches/running.py): a model's `_generate_with_cache`, each step of its stream, a tool's
`run`. What is attached there is detached in the same frame, in the same context, whatever happens in between. Where the
run starts only inside the frame, its start callback, which LangChain calls in that frame's context, attaches its span
as well; the frame's own token, which is older, takes both off again.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span

_RUN = context.create_key("langchain-logprobs-run")

FRAMED: set[str] = set()
"""The modules of LangChain whose work is done in frames now."""

_frame: ContextVar[Frame | None] = ContextVar("langchain_logprobs_frame", default=None)


def run_key(current: Context | None = None) -> int | None:
    """Return the key of the run whose work is being done, in a context or in the current one; None outside of any."""
    key = context.get_value(_RUN, current)
    return key if isinstance(key, int) else None


class Frame:
    """A frame in which a run's work is done. It can be entered again, for the next step of a stream.

    Attributes:
        kind: What run starts in it: a `call`, a `tool` or a `retriever`; None where it has started already.
    """

    __slots__ = ("_context", "_tokens", "kind")

    def __init__(self, kind: str | None, run: tuple[int, Span | None] | None = None) -> None:
        """Make a frame.

        Args:
            kind: What run starts in it; None where it has started.
            run: The key and the span of that run.
        """
        self.kind = kind
        self._context = None if run is None else _context_of(*run)
        self._tokens: Any = None

    def __enter__(self) -> Frame:
        """Attach."""
        inside = context.get_current() if self._context is None else self._context
        self._tokens = (context.attach(inside), _frame.set(self))
        return self

    def __exit__(self, *exception: object) -> None:
        """Detach, in the context in which it was attached."""
        attached, entered = self._tokens
        try:
            _frame.reset(entered)
        except ValueError:  # a coroutine that nobody waits for any more is closed from some other context
            return
        context.detach(attached)

    def start(self, key: int, span: Span | None) -> None:
        """Take the run that starts in it, and make its span current for the rest of the frame."""
        self.kind = None
        self._context = _context_of(key, span)
        context.attach(self._context)


def started(kind: str, key: int, span: Span | None) -> None:
    """Hear that a run starts here, and make its span current if this is the frame of its work.

    Args:
        kind: `call`, `tool` or `retriever`.
        key: The run's.
        span: Its span; None where another instrumentation has one, which its requests are then found by.
    """
    frame = _frame.get()
    if frame is not None and frame.kind == kind:
        frame.start(key, span)


def _context_of(key: int, span: Span | None) -> Context:
    inside = context.set_value(_RUN, key)
    return inside if span is None else trace.set_span_in_context(span, inside)
