"""For LangGraph graphs of one's own: a condition on an edge, and a node in which a person looks at unsure answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_logprobs.agents.doubts import (
    Below,
    Judgement,
    MissingLogprobsError,
    OnMissing,
    Thresholds,
    on_missing_of,
)
from langchain_logprobs.agents.notes import anoting, note, noting
from langchain_logprobs.agents.plan import action_of, model_of
from langchain_logprobs.agents.review import reviewed
from langchain_logprobs.confidence.of_answer import confidence_of


def confidence_route(
    below: Below,
    *,
    on_missing: OnMissing,
    schema: object = None,
    prompt: str | None = None,
    messages_key: str = "messages",
) -> Callable[[Any], Literal["sure", "unsure"]]:
    """Return a condition for an edge: is the last answer of the model `sure` or `unsure`?

    Args:
        below: As `ConfidenceMiddleware` takes it.
        on_missing: Without logprobs: `allow` for `sure`, `review` for `unsure`, or `raise`.
        schema: What the answer follows, as `confidence_of` takes it.
        prompt: What the prompt is called in the calibration.
        messages_key: Where the state has its messages.

    Returns:
        A function of the state, for `add_conditional_edges`.

    Raises:
        TypeError: `below` is of the wrong kind.
        ValueError: A setting has a value that is not allowed.

    Example:
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs.agents import confidence_route
        >>> route = confidence_route(below=0.8, on_missing="review")
        >>> logprobs = {"content": [{"token": "Lima", "logprob": -0.9, "top_logprobs": []}]}
        >>> route({"messages": [AIMessage("Lima", response_metadata={"logprobs": logprobs})]})
        'unsure'
        >>> route({"messages": [AIMessage("Lima")]})
        'unsure'
    """
    judge = _judge(below, prompt, on_missing, schema, messages_key)

    def route(state: Any) -> Literal["sure", "unsure"]:
        _, judgement = judge(state)
        if judgement is None:
            return "sure"
        note(action_of("route", judgement))
        return "unsure"

    return route


def review_node(
    below: Below,
    *,
    on_missing: OnMissing,
    schema: object = None,
    prompt: str | None = None,
    messages_key: str = "messages",
) -> Runnable[Any, dict[str, Any]]:
    """Return a node that stops for a person where the last answer of the model is unsure.

    The interrupt has the form of `ConfidenceMiddleware`'s, and is resumed like it. Behind the node the state has the
    answer as the person left it; a rejected tool call has a tool message with the reason, a rejected answer is followed
    by a human message: where the graph goes then is for its edges to say.

    Args:
        below: As `ConfidenceMiddleware` takes it.
        on_missing: Without logprobs: `allow` to go on, `review` to stop, or `raise`.
        schema: What the answer follows, as `confidence_of` takes it.
        prompt: What the prompt is called in the calibration.
        messages_key: Where the state has its messages; with the reducer `add_messages`.

    Returns:
        The node, for `add_node`; sync and async.

    Raises:
        TypeError: `below` is of the wrong kind.
        ValueError: A setting has a value that is not allowed.

    Example:
        >>> from langgraph.graph import MessagesState, StateGraph
        >>> from langchain_logprobs.agents import review_node
        >>> graph = StateGraph(MessagesState).add_node("review", review_node(below=0.8, on_missing="review"))
    """
    judge = _judge(below, prompt, on_missing, schema, messages_key)

    def changed(state: Any) -> Any:
        message, judgement = judge(state)
        if message is None or judgement is None:
            return {}
        update = yield from reviewed(message, judgement, {"messages": _messages(state, messages_key)})
        return {messages_key: update["messages"]}

    def review(state: Any) -> dict[str, Any]:
        return noting(changed(state))

    async def areview(state: Any) -> dict[str, Any]:
        return await anoting(changed(state))

    return RunnableLambda(review, afunc=areview, name="review")


def _judge(
    below: Below, prompt: str | None, on_missing: OnMissing, schema: object, messages_key: str
) -> Callable[[Any], tuple[AIMessage | None, Judgement | None]]:
    """Return what finds the last answer in a state, and why somebody is to look at it; None where nobody is."""
    thresholds, missing = Thresholds(below, prompt), on_missing_of(on_missing)

    def judge(state: Any) -> tuple[AIMessage | None, Judgement | None]:
        message = next((each for each in reversed(_messages(state, messages_key)) if isinstance(each, AIMessage)), None)
        report = None if message is None else confidence_of(message, schema=schema)
        judgement = thresholds.judge(report, "" if message is None else model_of(message))
        if judgement.missing is not None and missing == "raise":
            note(action_of("raise", judgement))
            raise MissingLogprobsError(f"{judgement.missing}. See on_missing")
        if judgement.sure or (not judgement.doubts and missing == "allow"):
            return message, None
        return message, judgement

    return judge


def _messages(state: Any, key: str) -> list[Any]:
    found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
    return list(found or ())
