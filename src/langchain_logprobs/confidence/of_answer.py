"""`confidence_of`: the report on an answer that a program holds, the same that is on the span of its call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_logprobs.confidence.inputs import Asked, Choice, Received
from langchain_logprobs.confidence.report import ConfidenceReport, report_on
from langchain_logprobs.settings import Settings

_ACCEPTED = (
    "an AIMessage, a Generation, an LLMResult, or the dict that with_structured_output(..., include_raw=True) returns"
)
_CURE = (
    "A parsed answer has lost its logprobs: use with_structured_output(..., include_raw=True), or read the reports "
    "inside `with confidence_of_calls() as calls:`"
)


def confidence_of(answer: Any, *, schema: object = None, settings: Settings | None = None) -> ConfidenceReport:
    """Return how sure the model was of an answer: the numbers that the span of its call carries, by the same code.

    Args:
        answer: An AIMessage, a Generation, an LLMResult of one prompt, or the dict that
            `with_structured_output(..., include_raw=True)` returns.
        schema: What the answer follows: a JSON schema, a Pydantic model class, or another type that Pydantic can
            describe. A message does not carry the schema of its request, so what may stand in a field is known only
            if you say it; without it the fields have no `distribution` and no `runner_up`. The class of a parsed
            answer in an `include_raw` dict is taken as the schema.
        settings: The thresholds, as the handler takes them; None for those of the environment.

    Returns:
        The report. Where the answer holds no logprobs, its status is `missing` and says so.

    Raises:
        TypeError: The answer is none of these.

    Example:
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs import confidence_of
        >>> confidence_of(AIMessage("Lima")).status
        'missing'
    """
    if settings is None:
        settings = Settings.from_env()
    if isinstance(answer, Mapping) and "raw" in answer and "parsed" in answer:
        parsed = answer["parsed"]
        if schema is None and hasattr(type(parsed), "model_json_schema"):
            schema = type(parsed)
        answer = answer["raw"]
    choices = [Choice.of(generation) for generation in _generations(answer)]
    return report_on(Received(choices), Asked(schema=schema, unsaid=True, choices=len(choices)), settings)


def _generations(answer: Any) -> Sequence[Any]:
    """Return the generations or messages that an answer consists of, one for each choice."""
    found = getattr(answer, "generations", None)
    if isinstance(found, (list, tuple)) and found:
        nested = [each for each in found if isinstance(each, (list, tuple))]
        if len(nested) > 1:
            raise TypeError(
                f"cannot tell which answer is meant: the LLMResult holds those of {len(nested)} prompts. "
                "Give one of its generations"
            )
        return nested[0] if nested else found
    if hasattr(answer, "generation_info") or isinstance(getattr(answer, "response_metadata", None), Mapping):
        return [answer]
    raise TypeError(f"cannot read confidence from {type(answer).__name__}: give {_ACCEPTED}. {_CURE}")
