"""What is kept with an open run, and what an ended model call shows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_logprobs.capture.received import Captured
from langchain_logprobs.confidence.alignment.align import Alignment, AlignmentStatus, align
from langchain_logprobs.confidence.findings import Findings, RollUp, Status, level_of, measure_choices
from langchain_logprobs.confidence.measures import measure
from langchain_logprobs.confidence.status import mention_lost_flag, why_missing
from langchain_logprobs.confidence.stretches import find_stretches
from langchain_logprobs.confidence.structured import is_structured, structure
from langchain_logprobs.formats.tokens import Tokens
from langchain_logprobs.settings import Settings

logger = logging.getLogger("langchain_logprobs")


@dataclass(slots=True)
class Step:
    """What is kept with a run that is no model call: the roll-up of the calls below it."""

    roll_up: RollUp = field(default_factory=RollUp)


@dataclass(slots=True)
class Call:
    """What is kept with a model call: what was asked for, and who was asked.

    Attributes:
        identity: Its operation, provider and model, by their GenAI names.
        request: The keyword arguments of the start callback: the request's parameters and options.
        asked: Whether logprobs were asked for, in the request or on the constructor.
        asked_in_constructor_only: Whether the constructor has them but the request does not carry them.
        choices: How many answers were asked for.
        class_name: The model's class, empty where it is unknown.
    """

    identity: dict[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False
    asked_in_constructor_only: bool = False
    choices: int = 1
    class_name: str = ""


def find(
    call: Call, captured: Captured, settings: Settings, *, failed: str | None = None, abandoned: str | None = None
) -> Findings:
    """Return what an ended model call shows.

    Args:
        call: What was asked for.
        captured: What came.
        settings: The thresholds.
        failed: Why the run ended with an error, or because its consumer stopped; None where it did not.
        abandoned: Why it was ended for it; None where it ended by itself.
    """
    first = captured.choices[0].reading
    choices = [choice.reading.tokens for choice in captured.choices]
    alignments = [align(choice.reading.tokens, choice.text) for choice in captured.choices]
    measured = measure_choices(choices, alignments, settings.low_probability)
    lost = captured.lost
    if lost is None and any(map(_spell_a_part, choices, alignments)):
        lost = "the tokens spell only a part of the answer"
    status, reason = _status(
        call,
        captured,
        abandoned or failed or lost,
        any(choices) or bool(first.reasoning),
        failed=failed is not None,
        abandoned=abandoned is not None,
    )
    tool_calls = _tool_calls(captured.choices[0].generation)
    fields = None
    if choices[0] and (tool_calls or is_structured(captured.choices[0].text or "", call.request)):
        fields = structure(choices[0], alignments[0], tool_calls, call.request)
    stretches, stretch_count = find_stretches(
        choices[0], alignments[0], threshold=settings.low_probability, most=settings.max_stretches
    )
    confidence = measured.total.confidence
    return Findings(
        status=status,
        reason=reason,
        source=next((choice.reading.source for choice in captured.choices if choice.reading.source), None),
        choices=choices,
        measures=measured.measures,
        total=measured.total,
        weakest_token=measured.weakest_token,
        outside_count=measured.outside_count,
        level=level_of(confidence, high=settings.high_confidence, medium=settings.medium_confidence),
        stretches=stretches,
        stretch_count=stretch_count,
        fields=fields,
        reasoning=measure(first.reasoning, low_probability=settings.low_probability) if first.reasoning else None,
    )


def _spell_a_part(tokens: Tokens, alignment: Alignment) -> bool:
    """Tell whether tokens are missing: what is there lies inside the answer's text, once or several times."""
    if alignment.status not in (AlignmentStatus.PARTIAL, AlignmentStatus.FAILED):
        return False
    joined = "".join(tokens.texts).strip()
    return bool(joined) and joined in alignment.text


def _status(
    call: Call, captured: Captured, early: str | None, any_tokens: bool, *, failed: bool, abandoned: bool
) -> tuple[Status, str | None]:
    malformed = sum(choice.reading.malformed for choice in captured.choices)
    unreadable = None
    if malformed:
        problem = next(choice.reading.problem for choice in captured.choices if choice.reading.problem)
        unreadable = f"{malformed} logprob values could not be read, the first: {problem}"
        logger.warning("%s", unreadable)
    reason = early or unreadable
    if any_tokens:
        return ("recorded" if reason is None else "partial"), reason
    if not call.asked and not malformed and not abandoned:
        if not failed:
            mention_lost_flag(call.class_name, call.request)
        return "not_requested", None
    if reason is not None:
        return "partial", reason
    tool_calls = bool(_tool_calls(captured.choices[0].generation))
    return "missing", why_missing(
        call.class_name, call.request, in_constructor_only=call.asked_in_constructor_only, tool_calls=tool_calls
    )


def _tool_calls(generation: Any) -> list[Any]:
    """Return an answer's tool calls, those whose arguments LangChain could not parse among them."""
    message = getattr(generation, "message", None)
    calls = [getattr(message, name, None) for name in ("tool_calls", "invalid_tool_calls")]
    return [call for found in calls if isinstance(found, list) for call in found]
