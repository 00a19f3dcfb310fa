"""Why logprobs that were asked for did not come, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from langchain_logprobs.capture.asked import asks_by_include
from langchain_logprobs.patches.recovery import dropped_by

logger = logging.getLogger("langchain_logprobs")

_MOST_REMEMBERED = 1_000
_said: set[tuple[str, str]] = set()

_RECOVERED_ON_ONE_PATH = frozenset({"openai_responses"})
"""Integrations whose class also has a path that keeps the logprobs."""


def why_missing(class_name: str, request: Mapping[str, Any], *, in_constructor_only: bool, tool_calls: bool) -> str:
    """Return the likely cause and the cure, and log them the first time.

    Args:
        class_name: The model's class; empty where it is unknown.
        request: The keyword arguments of LangChain's start callback.
        in_constructor_only: Whether the constructor has the flag but the request does not carry it.
        tool_calls: Whether the answer is a tool call.
    """
    reason = _reason(class_name, request, in_constructor_only, tool_calls)
    _say(logging.WARNING, class_name, reason)
    return reason


def mention_lost_flag(class_name: str, request: Mapping[str, Any]) -> None:
    """Log, the first time, that a structured output asks for no logprobs, because a bound flag is dropped there."""
    options = request.get("options")
    if isinstance(options, Mapping) and "ls_structured_output_format" in options:
        _say(
            logging.INFO,
            class_name,
            "this structured output asks for no logprobs; .bind(logprobs=True).with_structured_output(...) drops the "
            "flag: set logprobs=True on the constructor, or pass it to invoke",
        )


def _reason(class_name: str, request: Mapping[str, Any], in_constructor_only: bool, tool_calls: bool) -> str:
    model = class_name or "the model"
    integration = dropped_by(class_name)
    if integration is not None:
        params = request.get("invocation_params")
        by_include = isinstance(params, Mapping) and asks_by_include(params)
        if by_include or integration not in _RECOVERED_ON_ONE_PATH:
            return f'{model} drops its logprobs: call langchain_logprobs.recover_dropped_logprobs("{integration}") once'
    if in_constructor_only:
        return f"{model} does not send its constructor's logprobs flag: use .bind(logprobs=True)"
    if tool_calls:
        return "the answer is a tool call, for whose tokens most providers send no logprobs"
    return "the provider sent none; not every model and endpoint has them"


def _say(level: int, class_name: str, reason: str) -> None:
    if (class_name, reason) in _said or len(_said) >= _MOST_REMEMBERED:
        return
    _said.add((class_name, reason))
    logger.log(level, "no logprobs from %s: %s", class_name or "a model", reason)
