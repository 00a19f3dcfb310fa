"""What is done about an unsure answer, step by step, the same for sync and async agents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, HumanMessage

from langchain_logprobs.agents.doubts import Judgement, MissingLogprobsError, OnMissing, Thresholds
from langchain_logprobs.calls import ModelCalls
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.telemetry.actions import Action

MARK = "token_confidence"
"""The key in an AIMessage's `response_metadata` that says that a person is to look at it, and why."""

_MAX_QUOTED = 2_000


class Unsure(NamedTuple):
    """An unsure answer, as a function that acts on it gets it.

    Attributes:
        message: The answer.
        report: The report on its call, which is what its span says.
        doubts: What is unsure in it.
    """

    message: AIMessage
    report: ConfidenceReport
    doubts: Judgement


Step = str | Callable[[Unsure], Any]


class Ask(NamedTuple):
    """Asks whoever runs the plan for an answer to a request; it is sent back as an `Attempt`."""

    request: Any


class Note(NamedTuple):
    """Has whoever runs the plan write down what was done."""

    action: Action


class Call(NamedTuple):
    """Has whoever runs the plan call a user's function; what it returns is sent back."""

    function: Callable[[Unsure], Any]
    unsure: Unsure


class Attempt(NamedTuple):
    """An answer, with the model calls that were made for it."""

    response: Any
    calls: ModelCalls

    @property
    def message(self) -> AIMessage | None:
        """The answer's message; None where there is none."""
        messages = [self.response] if isinstance(self.response, AIMessage) else _result_of(self.response)
        return next((each for each in reversed(messages) if isinstance(each, AIMessage)), None)

    @property
    def report(self) -> ConfidenceReport | None:
        """The report on the last call, whose answer it is; None where none was seen."""
        return self.calls[-1].report if len(self.calls) else None

    @property
    def run_keys(self) -> tuple[int, ...]:
        """The runs of its calls."""
        return tuple(call.run_id.int for call in self.calls)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about answers that are not sure enough.

    Attributes:
        thresholds: How sure they have to be.
        on_missing: What is done without logprobs.
        steps: What is done in turn until an answer is sure.
        retries: How often each `retry` asks again.
        tell_model: Whether a retry says in the prompt what was unsure.
        escalate_to: The model that `escalate` takes.
    """

    thresholds: Thresholds
    on_missing: OnMissing
    steps: Sequence[Step]
    retries: int
    tell_model: bool
    escalate_to: Any

    def run(self, request: Any) -> Generator[Ask | Note | Call, Any, Any]:
        """Ask for an answer, and do what is to be done about it; returns the response for the agent."""
        attempt: Attempt = yield Ask(request)
        judgement = self._judge(attempt)
        for step in self.steps:
            if not judgement.doubts or self._raises(judgement):
                break
            if callable(step):
                return (yield from self._call(step, attempt, judgement))
            if step == "interrupt":
                return _marked(attempt, judgement)
            for again in self._requests(step, request, attempt, judgement):
                yield Note(action_of(step, judgement, replaced=attempt.run_keys))
                attempt = yield Ask(again)
                judgement = self._judge(attempt)
                if not judgement.doubts:
                    break
        if judgement.missing is not None and (not judgement.doubts or self._raises(judgement)):
            if self.on_missing == "review":
                return _marked(attempt, judgement)
            yield Note(action_of(self.on_missing, judgement))
            if self.on_missing == "raise":
                raise MissingLogprobsError(f"{judgement.missing}. See on_missing")
        elif judgement.doubts:
            yield Note(action_of("accept", judgement))
        return attempt.response

    def _judge(self, attempt: Attempt) -> Judgement:
        message = attempt.message
        if message is None:
            return Judgement((), "the model gave no message")
        return self.thresholds.judge(attempt.report, model_of(message))

    def _raises(self, judgement: Judgement) -> bool:
        return judgement.missing is not None and self.on_missing == "raise"

    def _requests(self, step: str, request: Any, attempt: Attempt, judgement: Judgement) -> list[Any]:
        if step == "escalate":
            return [request.override(model=self.escalate_to)]
        if self.tell_model and attempt.message is not None:
            request = request.override(messages=[*request.messages, _told(attempt.message, judgement)])
        return [request] * self.retries

    def _call(
        self, function: Callable[[Unsure], Any], attempt: Attempt, judgement: Judgement
    ) -> Generator[Call | Note, Any, Any]:
        message, report = attempt.message, attempt.report
        assert message is not None  # where there are doubts, there is an answer with a report
        assert report is not None
        answer = yield Call(function, Unsure(message, report, judgement))
        replaced = attempt.run_keys if isinstance(answer, AIMessage) else ()
        yield Note(action_of("call", judgement, replaced=replaced))
        if answer is None:
            return attempt.response
        if not isinstance(answer, AIMessage):
            raise TypeError(f"a function for unsure answers returns an AIMessage or None, not {type(answer).__name__}")
        return answer


def action_of(word: str, judgement: Judgement, *, replaced: tuple[int, ...] = ()) -> Action:
    """Return what is written of something that was done."""
    return Action(word, len(judgement.doubts), judgement.confidence, judgement.about, replaced)


def model_of(message: AIMessage) -> str:
    """Return the model that gave a message, as its provider names it; "" where it does not."""
    metadata = message.response_metadata
    return str(metadata.get("model_name") or metadata.get("model") or "")


def mark_of(message: AIMessage) -> Judgement | None:
    """Return why a person is to look at a message; None where nobody is."""
    found = message.response_metadata.get(MARK)
    return Judgement.of(found) if isinstance(found, Mapping) else None


def _marked(attempt: Attempt, judgement: Judgement) -> Any:
    """Return a response whose message says that a person is to look at it; the model's own is left as it is."""
    message = attempt.message
    if message is None:
        return attempt.response
    metadata = {**message.response_metadata, MARK: judgement.to_dict()}
    marked = message.model_copy(update={"response_metadata": metadata})
    if isinstance(attempt.response, AIMessage):
        return marked
    result = [marked if each is message else each for each in _result_of(attempt.response)]
    inner = getattr(attempt.response, "model_response", None)
    if inner is not None:
        return dataclasses.replace(attempt.response, model_response=dataclasses.replace(inner, result=result))
    return dataclasses.replace(attempt.response, result=result)


def _result_of(response: Any) -> list[Any]:
    return list(getattr(getattr(response, "model_response", response), "result", ()))


def _told(message: AIMessage, judgement: Judgement) -> HumanMessage:
    """Return what a retry says: the answer, and what was unsure in it. It is in that request alone."""
    calls = [f"{call['name']}({call['args']})" for call in message.tool_calls]
    said = (message.text if isinstance(message.text, str) else str(message.text)) or ", ".join(calls)
    return HumanMessage(
        f"You answered: {said[:_MAX_QUOTED]}\nYou were not sure of this: {judgement.about}\n"
        "Look at these places again, and give the whole answer again."
    )
