"""Agents and graphs that act on an unsure answer: ask a person, ask again, take another model, call a function.

Needs the extra `[agents]`: LangChain and LangGraph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_logprobs import _lazily
from langchain_logprobs.agents.doubts import Doubt, Judgement, MissingLogprobsError

if TYPE_CHECKING:
    from langchain_logprobs.agents.graph import confidence_route, review_node
    from langchain_logprobs.agents.middleware import ConfidenceMiddleware
    from langchain_logprobs.agents.plan import Unsure

__all__ = [
    "ConfidenceMiddleware",
    "Doubt",
    "Judgement",
    "MissingLogprobsError",
    "Unsure",
    "confidence_route",
    "review_node",
]

_HOMES = {
    "ConfidenceMiddleware": "middleware",
    "Unsure": "plan",
    "confidence_route": "graph",
    "review_node": "graph",
}

_imported = _lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    try:
        return _imported(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("langchain", "langgraph"):
            raise
        raise ImportError(
            f"{name} needs the package {error.name}, which this Python does not have.\n"
            'Install what it needs with:  pip install "langchain-logprobs[agents]"'
        ) from error
