"""How OpenAI's chat models are asked: Chat Completions by a flag, the Responses API by an entry of its `include`.

Everything that builds on langchain-openai's base class is asked the same way, whoever's server it talks to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langchain_logprobs.capture.asked import RESPONSES_INCLUDE

_REASONS_ALWAYS = re.compile(r"(o[134]|gpt-5)(-mini|-nano|-pro|-codex|-preview)?(-\d{4}-\d{2}-\d{2})?")
"""OpenAI's models that reason on every call and refuse logprobs: named, each process saves a refused request."""

_MOST = {"ChatXAI": 8}
"""The most alternatives that a provider gives, where that is less than OpenAI's 20."""

_BARE_NUMBERS = "ChatTogether"
"""The class whose streams can bring bare numbers, and whose provider knows no count of alternatives."""


def ask(model: Any, given: Mapping[str, Any], top: int) -> Mapping[str, Any] | None:
    """Return the keyword arguments that ask; None for a model that is known to refuse."""
    name = given.get("model") or getattr(model, "model_name", None)
    if isinstance(name, str) and _REASONS_ALWAYS.fullmatch(name):
        return None
    names = [base.__name__ for base in type(model).__mro__]
    if _BARE_NUMBERS in names:
        return {"logprobs": True}
    top = min([top, *(most for base, most in _MOST.items() if base in names)])
    # As langchain-openai tells which API a call goes to: our own `include` would send it to the other one.
    if model._use_responses_api({**model._default_params, **given}):
        include = given.get("include") or getattr(model, "include", None) or []
        return {"include": [*include, RESPONSES_INCLUDE], "top_logprobs": top}
    return {"logprobs": True, "top_logprobs": top}


def mergeable(model: Any) -> bool:
    """Tell whether LangChain can merge the logprobs of the model's chunks."""
    return all(base.__name__ != _BARE_NUMBERS for base in type(model).__mro__)
