"""Writing down what was done: as an event of LangChain's, which the handlers of the run put on its spans."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event

from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.actions import Action

logger: logging.Logger = logging.getLogger("langchain_logprobs")


def note(action: Action) -> None:
    """Tell the handlers of the current run; outside of any run there is nobody to tell. Never raises."""
    try:
        dispatch_custom_event(names.ACTION_EVENT, action.to_dict())
    except RuntimeError:  # no run
        return
    except Exception:
        logger.warning("langchain-logprobs could not write down an action; the agent goes on", exc_info=True)


async def anote(action: Action) -> None:
    """As `note`, in async code."""
    try:
        await adispatch_custom_event(names.ACTION_EVENT, action.to_dict())
    except RuntimeError:
        return
    except Exception:
        logger.warning("langchain-logprobs could not write down an action; the agent goes on", exc_info=True)


def noting(steps: Generator[Action, None, dict[str, Any]]) -> dict[str, Any]:
    """Run steps to their end, and write down what they yield; returns what they return."""
    while True:
        try:
            note(next(steps))
        except StopIteration as done:
            result: dict[str, Any] = done.value
            return result


async def anoting(steps: Generator[Action, None, dict[str, Any]]) -> dict[str, Any]:
    """As `noting`, in async code."""
    while True:
        try:
            await anote(next(steps))
        except StopIteration as done:
            result: dict[str, Any] = done.value
            return result
