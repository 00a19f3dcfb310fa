"""Whether the logprobs came, and if not, why not and what to do about it: only what the handler can know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from langchain_logprobs.confidence.alignment.align import AlignmentStatus
from langchain_logprobs.confidence.inputs import Asked, Received
from langchain_logprobs.confidence.parts import Parts

StatusName = Literal["recorded", "partial", "missing", "not_requested"]


_ANTHROPIC = "Anthropic's API has none; only another model brings them"
_HAVE_NONE: Mapping[str, str] = {
    "AnthropicLLM": _ANTHROPIC,
    "ChatAnthropic": _ANTHROPIC,
    "ChatAnthropicBedrock": _ANTHROPIC,
    "ChatAnthropicVertex": _ANTHROPIC,
    "HuggingFaceEndpoint": "it has no way to ask for them; use ChatHuggingFace(...).bind(logprobs=True)",
    "HuggingFacePipeline": "it has no way to ask for them",
}
"""Classes that nobody gets logprobs from, and why (docs/providers.md)."""

_HOW_TO_ASK: Mapping[str, str] = {
    "ChatBedrock": 'model_kwargs={"return_logprobs": True}',
    "ChatBedrockConverse": 'additional_model_request_fields={"return_logprobs": True}',
    "ChatGoogleGenerativeAI": ".bind(response_logprobs=True, logprobs=5)",
    "ChatLlamaCpp": "logprobs=1 and .bind(top_logprobs=5)",
    "ChatPerplexity": '.bind(extra_body={"logprobs": True})',
    "ChatVertexAI": "logprobs=5",
    "OllamaLLM": ".bind(logprobs=True)",
    "VLLMOpenAI": 'model_kwargs={"logprobs": 5}',
}
"""How a class is asked that wants neither `logprobs=True` nor, of completion models, `logprobs=5`."""


class Status(NamedTuple):
    """Whether there are logprobs, and all of them.

    Attributes:
        name: `recorded`; `partial`: some were lost, or the run ended early; `missing`: asked for, and none came;
            `not_requested`.
        reason: Why it is not `recorded`, and the cure where there is one; None where there is nothing to say.
        unreadable: What could not be read, for a log line; None where all could.
    """

    name: StatusName
    reason: str | None = None
    unreadable: str | None = None


def status_of(received: Received, asked: Asked, parts: list[Parts]) -> Status:
    """Return the status of a call.

    Args:
        received: What came.
        asked: What was asked for.
        parts: The parts of each choice's tokens.
    """
    unreadable = _unreadable(received)
    early = received.abandoned or received.failed
    first = received.choices[0]
    if any(choice.reading.tokens for choice in received.choices) or first.reading.reasoning:
        reason = early or received.lost or unreadable or _not_all(received, parts)
        return Status("recorded" if reason is None else "partial", reason, unreadable)
    if received.refused:
        return Status("missing", "the provider refuses logprobs for this model: leave the flag out", unreadable)
    if asked.known_to_refuse:
        if asked.requested:
            return Status("missing", "the model refused logprobs, and answered without; it is not asked again")
        return Status("not_requested", "the model has refused logprobs before, so it was not asked")
    if not (asked.logprobs or unreadable or asked.unsaid or received.abandoned):
        return Status("not_requested")
    if early or unreadable:
        return Status("partial", early or unreadable, unreadable)
    if asked.unsaid:
        return Status("missing", "the answer holds no logprobs: were they asked for, as with logprobs=True?")
    return Status("missing", why_missing(asked, received))


def why_missing(asked: Asked, received: Received) -> str:
    """Return why logprobs that were asked for did not come, and the cure.

    Args:
        asked: What was asked for.
        received: What came instead.
    """
    model = asked.class_name or "the model"
    recovery = f'call langchain_logprobs.recover_dropped_logprobs("{asked.dropped_by}") once'
    if asked.to_bind is not None:
        unsent = f"{model} does not send its constructor's logprobs flag"
        if not asked.to_bind:
            return f"{unsent}, and drops the logprobs that it receives"
        also = "" if asked.dropped_by is None else f", and {recovery}, as it drops what it receives"
        return f"{unsent}: use .bind({asked.to_bind}){also}"
    streamed = received.first_chunk_time is not None
    if (
        asked.drops == "always"
        or (streamed and asked.drops == "streamed")
        or (received.without_chunks and asked.drops == "without chunks")
    ):
        when = "" if asked.drops == "always" else " when it streams"
        if asked.dropped_by is None:
            return f"{model} drops the logprobs that it receives{when}"
        return f"{model} drops its logprobs{when}: {recovery}"
    if received.choices[0].tool_calls:
        return "the answer is a tool call, for whose tokens most providers send no logprobs"
    return "none reached LangChain's callbacks; not every model, endpoint and integration has them"


def why_not_asked(asked: Asked, *, completion: bool) -> str:
    """Return why a call asked for no logprobs, and the cure.

    Args:
        asked: What was asked for.
        completion: Whether it is a completion model, whose flag is a number.
    """
    options = asked.request.get("options")
    if isinstance(options, Mapping) and "ls_structured_output_format" in options:
        return (
            "this structured output asks for no logprobs; .bind(logprobs=True).with_structured_output(...) drops the "
            "flag: set logprobs=True on the constructor, or pass it to invoke"
        )
    if asked.class_name in _HAVE_NONE:
        return _HAVE_NONE[asked.class_name]
    flag = "logprobs=5" if completion else "logprobs=True"
    how = _HOW_TO_ASK.get(asked.class_name, f"{flag} on its constructor or .bind({flag})")
    return f"it was not asked for them. Ask with {how}; docs/providers.md has every class"


def _unreadable(received: Received) -> str | None:
    malformed = sum(choice.reading.malformed for choice in received.choices)
    if not malformed:
        return None
    problem = next(choice.reading.problem for choice in received.choices if choice.reading.problem)
    return f"{malformed} logprob values could not be read, the first: {problem}"


def _not_all(received: Received, parts: list[Parts]) -> str | None:
    """Say what of an answer has no logprobs although some came."""
    for choice, part in zip(received.choices, parts, strict=True):
        if not choice.reading.tokens:
            continue
        if part.alignment.status in (AlignmentStatus.PARTIAL, AlignmentStatus.FAILED):
            return part.alignment.reason or "the tokens do not correspond to the answer's text"
        if not part.counted and (choice.text or choice.tool_calls):
            what = "the answer is a tool call" if choice.tool_calls else "the answer has a text"
            return f"{what}, and none of the tokens is of it"
    return None
