"""How our callbacks are called: guarded, and inline unless that would harm somebody else's handler."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

logger: logging.Logger = logging.getLogger("langchain_logprobs")

_P = ParamSpec("_P")
_R = TypeVar("_R")


def guarded(callback: Callable[_P, _R]) -> Callable[_P, _R | None]:
    """Keep every failure of ours out of the user's chain: it is logged, and the callback returns None."""

    @functools.wraps(callback)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return callback(*args, **kwargs)
        except Exception:
            log_failure(callback.__name__)
            return None

    return call


def log_failure(callback: str) -> None:
    """Log the exception being handled, as the failure of a callback."""
    logger.warning("langchain-logprobs failed in %s; the chain goes on", callback, exc_info=True)


class InlineUnlessItStarvesOthers:
    """`run_inline` is True, except where that would take an event from somebody else's handler.

    Inline, a token costs an async chain 4 us; through LangChain's thread pool it costs 100. But for completion models,
    `AsyncCallbackManager.on_llm_start` of langchain-core calls only the inline handlers as soon as there is one, and
    the others miss their start (langchain#39633). So for that one call we step aside, unless another inline handler
    is there: then stepping aside would help nobody, and we would be the ones who miss it.
    """

    def __get__(self, handler: Any, owner: type | None = None) -> bool:
        """Return whether LangChain is to call the handler inline, by who asks."""
        frame = sys._getframe(1)
        if frame.f_code.co_name not in ("on_llm_start", "<listcomp>"):  # LangChain asks three times a token
            return True
        if frame.f_code.co_name == "<listcomp>" and frame.f_back is not None:  # Python 3.11 gives it a frame
            frame = frame.f_back
            if frame.f_code.co_name != "on_llm_start":
                return True
        manager = frame.f_locals.get("self")
        if not getattr(manager, "is_async", False):
            return True
        others = [other for other in getattr(manager, "handlers", ()) if type(other) is not owner]
        return not others or any(other.run_inline for other in others)


def run_in_context() -> UUID | None:
    """Return the run that LangChain's context names as the one above whatever starts now."""
    module = sys.modules.get("langchain_core.runnables.config")  # who has not imported it has no context either
    variable = getattr(module, "var_child_runnable_config", None)
    config = variable.get() if isinstance(variable, ContextVar) else None
    run_id = getattr(config.get("callbacks"), "parent_run_id", None) if isinstance(config, dict) else None
    return run_id if isinstance(run_id, UUID) else None
