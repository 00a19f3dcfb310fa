"""`ConfidenceMiddleware`: an agent that does something about an unsure answer, field or tool call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import hook_config
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from langchain_logprobs.agents.doubts import Below, OnMissing, Thresholds, on_missing_of
from langchain_logprobs.agents.notes import anote, anoting, note, noting
from langchain_logprobs.agents.plan import Ask, Attempt, Call, Note, Plan, Step, mark_of
from langchain_logprobs.agents.review import reviewed
from langchain_logprobs.calls import attempted_calls

_WORDS = ("interrupt", "retry", "escalate")
_MOST_RETRIES = 10


class ConfidenceMiddleware(AgentMiddleware):
    """Has an agent act where the model was unsure: of its answer, a field of it, or an argument of a tool call.

    It reads the report on the model call, the numbers that the call's span carries, and writes what was done on the
    spans above the call as `logprobs.action`. A tool is not called with an unsure argument before that is settled.

    The model has to be asked for logprobs (`logprobs=True`, `top_logprobs=5`). OpenAI's API returns none for the tokens
    of tool calls: what then happens is what `on_missing` says. llama.cpp, vLLM and others return them.

    Example:
        >>> from langchain.agents import create_agent
        >>> from langchain_core.language_models import GenericFakeChatModel
        >>> from langchain_core.messages import AIMessage
        >>> from langgraph.checkpoint.memory import InMemorySaver
        >>> from langchain_logprobs.agents import ConfidenceMiddleware
        >>> logprobs = {"content": [{"token": "Lima", "logprob": -0.9, "top_logprobs": []}]}
        >>> model = GenericFakeChatModel(messages=iter([AIMessage("Lima", response_metadata={"logprobs": logprobs})]))
        >>> middleware = ConfidenceMiddleware(below=0.8, on_missing="review")
        >>> agent = create_agent(model, middleware=[middleware], checkpointer=InMemorySaver())
        >>> question = {"messages": [("user", "What is the capital of Peru?")]}
        >>> result = agent.invoke(question, {"configurable": {"thread_id": "1"}})
        >>> print(result["__interrupt__"][0].value["action_requests"][0]["description"])
        The answer is not sure enough:
        .41: [Lima .41]
    """

    def __init__(
        self,
        below: Below,
        *,
        on_missing: OnMissing,
        on_low: Step | Sequence[Step] = "interrupt",
        escalate_to: BaseChatModel | str | None = None,
        retries: int = 1,
        tell_model: bool = False,
        prompt: str | None = None,
    ) -> None:
        """Choose what is unsure, and what is done about it.

        Args:
            below: What is less sure than this is unsure. A probability for all; or a dict of them by JSON Pointer, for
                the value there and all below it, `*` for any key or index, the most special one counts: `{"": 0.7,
                "/tool_calls/*/transfer": 0.95}` (without "", nothing else is looked at); or a
                `langchain_logprobs.calibration.Calibration`, whose thresholds keep a promise, and of what it does not
                know nothing is sure. Of a structured answer and of tool calls each value is looked at, of prose the
                score.
            on_missing: What is done where logprobs are missing and so nothing can be told: `allow` lets it pass,
                `review` shows it to a person, `raise` raises `MissingLogprobsError`. There is no default.
            on_low: What is done about an unsure answer. `interrupt` stops for a person and needs a checkpointer: the
                interrupt's value has the form of LangChain's HumanInTheLoopMiddleware, with `unsure` in each action
                request, and is resumed like it, with `Command(resume={"decisions": [...]})`. `retry` asks again,
                `escalate` asks `escalate_to`; a function gets an `Unsure`, and returns an AIMessage to be taken
                instead, or None to let the answer pass (or it raises). A sequence of these is gone through until an
                answer is sure; an answer that is unsure at its end passes, with the action `accept`.
            escalate_to: The model for `escalate`, as create_agent takes one. Ask it for logprobs too.
            retries: How often `retry` asks again, 1 to 10. At temperature 0 only `tell_model` makes a difference.
            tell_model: Whether a retry says in its prompt what was unsure. The conversation does not keep that.
            prompt: What the prompt is called in the calibration.

        Raises:
            TypeError: `below` or a step is of the wrong kind.
            ValueError: A setting has a value that is not allowed; the message says which are.
        """
        super().__init__()
        steps: tuple[Any, ...] = (on_low,) if isinstance(on_low, str) or callable(on_low) else tuple(on_low)
        _check(steps, escalate_to, retries)
        model = init_chat_model(escalate_to) if isinstance(escalate_to, str) else escalate_to
        self._plan = Plan(Thresholds(below, prompt), on_missing_of(on_missing), steps, retries, tell_model, model)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Ask the model, and do what is to be done about an unsure answer, but for a person's part."""
        plan = self._plan.run(request)
        answer: Any = None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration as done:
                return done.value
            answer = None
            if isinstance(step, Ask):
                with attempted_calls() as calls:
                    response = handler(step.request)
                answer = Attempt(response, calls)
            elif isinstance(step, Note):
                note(step.action)
            elif isinstance(step, Call):
                answer = step.function(step.unsure)
                if inspect.isawaitable(answer):
                    if inspect.iscoroutine(answer):
                        answer.close()
                    raise TypeError("an async function in on_low needs an agent that runs async (ainvoke, astream)")

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """As `wrap_model_call`, for an agent that runs async; functions may be async too."""
        plan = self._plan.run(request)
        answer: Any = None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration as done:
                return done.value
            answer = None
            if isinstance(step, Ask):
                with attempted_calls() as calls:
                    response = await handler(step.request)
                answer = Attempt(response, calls)
            elif isinstance(step, Note):
                await anote(step.action)
            elif isinstance(step, Call):
                answer = step.function(step.unsure)
                if inspect.isawaitable(answer):
                    answer = await answer

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Stop for a person where one is to look at the answer; go on with the decision."""
        message = _last_answer(state)
        judgement = None if message is None else mark_of(message)
        if message is None or judgement is None:
            return None
        return noting(reviewed(message, judgement, state))

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """As `after_model`, for an agent that runs async."""
        message = _last_answer(state)
        judgement = None if message is None else mark_of(message)
        if message is None or judgement is None:
            return None
        return await anoting(reviewed(message, judgement, state))


def _last_answer(state: Any) -> AIMessage | None:
    return next((each for each in reversed(state["messages"]) if isinstance(each, AIMessage)), None)


def _check(steps: Sequence[Any], escalate_to: Any, retries: Any) -> None:
    if not steps:
        raise ValueError("on_low=() does nothing: give at least one step")
    for step in steps:
        if not callable(step) and step not in _WORDS:
            raise ValueError(f"on_low={step!r:.200} is none of {', '.join(_WORDS)}, and no function")
    last = next((place for place, step in enumerate(steps) if callable(step) or step == "interrupt"), len(steps))
    if last < len(steps) - 1:
        raise ValueError("on_low: what stands behind `interrupt` or a function is never reached")
    if ("escalate" in steps) != (escalate_to is not None):
        raise ValueError("`escalate` in on_low and escalate_to=<a model> need each other")
    if isinstance(retries, bool) or not isinstance(retries, int) or not 1 <= retries <= _MOST_RETRIES:
        raise ValueError(f"retries={retries!r:.200} is not a whole number from 1 to {_MOST_RETRIES}")
