"""What is told of one model call: the `ConfidenceReport`, made by one function.

Spans, events, metrics, the roll-up, the program and the pictures all read it and compute nothing again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_logprobs.confidence import status as statuses
from langchain_logprobs.confidence.alignment.align import AlignmentStatus, align
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.find_json import is_structured
from langchain_logprobs.confidence.fields.report import Field, FieldReport
from langchain_logprobs.confidence.fields.tool_calls import ToolCallReport
from langchain_logprobs.confidence.inputs import Asked, Choice, Received
from langchain_logprobs.confidence.measures import Measures, measure
from langchain_logprobs.confidence.parts import Parts, divide
from langchain_logprobs.confidence.status import StatusName
from langchain_logprobs.confidence.stretches import Stretch, find_stretches
from langchain_logprobs.confidence.verdict import NO_VERDICT, Basis, Level, Verdict, Weakest, verdict_on, weakest_of
from langchain_logprobs.formats.tokens import Tokens

if TYPE_CHECKING:
    from rich.console import RenderableType

    from langchain_logprobs.settings import Settings


class ChoiceReport(NamedTuple):
    """One of the answers of a call.

    Attributes:
        tokens: Its tokens.
        parts: Which of them are the answer.
        measures: The measures of its answer and tool calls; `min_index` counts in all of its tokens.
    """

    tokens: Tokens
    parts: Parts
    measures: Measures


def certainty(leaf: Leaf) -> float:
    """Return the confidence of a value for sorting: one with a censored token, which has none, comes first."""
    confidence = leaf.field.confidence
    return -1.0 if confidence is None else confidence


class Leaf(NamedTuple):
    """One value of a structured answer or of a tool call's arguments, with its place in the whole answer.

    Attributes:
        above: What stands before its pointer: `/tool_calls/<index>/<name>` of a tool call's argument, else nothing.
        field: The value and its confidence.
    """

    above: str
    field: Field

    @property
    def path(self) -> str:
        """Its JSON Pointer in the whole answer. Made anew each time: those of all values can take far more memory."""
        return self.above + self.field.path


@dataclass(frozen=True, slots=True, repr=False)
class ConfidenceReport:
    """How sure the model was of one call: the numbers that the call's span carries.

    Attributes:
        status: `recorded`, `partial`, `missing` or `not_requested`.
        reason: Why the status is not `recorded`, and the cure where there is one; None where there is nothing to say.
        source: The wire format that was read; None where none was.
        choices: Each answer of the call; the first is the one that tokens, stretches and fields are of.
        measures: The measures of all choices together, over the tokens of answers and tool calls; `min_index` is None
            where that token is not in the first choice.
        verdict: The level, what it is based on, and the number behind it.
        weakest: The weakest token of all choices; None where there is no token.
        stretches: The low-confidence stretches of the first choice, in the order of its tokens, at most as many as the
            setting says, the worst ones.
        stretch_count: How many there are in all choices.
        fields: The values of the answer's JSON; None where it is no JSON and was not meant to be.
        tool_calls: The arguments of each tool call.
        reasoning: The measures of the reasoning text; None where no token of one came.
        outside_count: Tokens that are in no measure: a prompt that is echoed, end marks, fences that were stripped.
        cached: Whether LangChain took the answer from its cache.

    Example:
        >>> from langchain_core.messages import AIMessage
        >>> from langchain_logprobs import confidence_of
        >>> entries = [{"token": "Lima", "logprob": -0.1, "top_logprobs": []}]
        >>> report = confidence_of(AIMessage("Lima", response_metadata={"logprobs": {"content": entries}}))
        >>> report.status, report.level, round(report.score, 3)
        ('recorded', 'high', 0.905)
    """

    status: StatusName
    reason: str | None
    source: str | None
    choices: tuple[ChoiceReport, ...]
    measures: Measures
    verdict: Verdict
    weakest: Weakest | None
    stretches: tuple[Stretch, ...]
    stretch_count: int
    fields: FieldReport | None
    tool_calls: tuple[ToolCallReport, ...]
    reasoning: Measures | None
    outside_count: int
    cached: bool
    unreadable: str | None

    @property
    def level(self) -> Level | None:
        """`high`, `medium` or `low`; None where there is no number to take it from."""
        return self.verdict.level

    @property
    def basis(self) -> Basis | None:
        """What the level is based on: `answer` or `fields`."""
        return self.verdict.basis

    @property
    def score(self) -> float | None:
        """exp(mean logprob) of the answer and its tool calls, in (0, 1]; None where no token has a logprob."""
        return self.measures.confidence

    @property
    def detected(self) -> bool:
        """Whether there is a low-confidence stretch, or a token without an honest logprob."""
        return self.stretch_count > 0 or self.measures.censored_count > 0

    @property
    def tokens(self) -> Tokens:
        """All tokens of the first choice, those outside the answer among them."""
        return self.choices[0].tokens

    @property
    def text(self) -> str:
        """The text of the first choice, in which all offsets count."""
        return self.choices[0].parts.alignment.text

    @property
    def alignment(self) -> AlignmentStatus | None:
        """How the tokens of the first choice correspond to its text; None where there are no tokens."""
        return self.choices[0].parts.alignment.status if self.has_tokens else None

    @property
    def has_tokens(self) -> bool:
        """Whether any choice has a token, scored or not."""
        return any(len(choice.tokens) for choice in self.choices)

    def leaves(self) -> Iterator[Leaf]:
        """Yield the values of the answer's JSON, or of its tool calls' arguments, that parsers would see."""
        if self.tool_calls:
            for call in self.tool_calls:
                for field in call.fields.leaves:
                    if not field.shadowed:
                        yield Leaf(call.path, field)
        elif self.fields is not None:
            for field in self.fields.leaves:
                if not field.shadowed:
                    yield Leaf("", field)

    @property
    def least_field(self) -> Leaf | None:
        """The least certain value; one with a censored token is less certain than any other. None without values."""
        known = [leaf for leaf in self.leaves() if leaf.field.token_count]
        return min(known, key=certainty) if known else None

    def __repr__(self) -> str:
        """Show the verdict and the sizes; the text may be private, and long."""
        score = None if self.score is None else round(self.score, 3)
        tokens = len(self.tokens)
        return (
            f"ConfidenceReport({self.status}, level={self.level}, basis={self.basis}, score={score}, tokens={tokens})"
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook: the answer shaded where it is unsure, and its fields."""
        from langchain_logprobs.confidence.display import html_of

        return html_of(self)

    def __rich__(self) -> RenderableType:
        """Show it in rich's console."""
        from langchain_logprobs.confidence.display import rich_of

        return rich_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that `json.dumps` takes; what could not be computed is None."""
        weakest = None if self.weakest is None else self.weakest._asdict()
        return {
            "status": self.status,
            "reason": self.reason,
            "source": self.source,
            "level": self.level,
            "basis": self.basis,
            "score": self.score,
            "detected": self.detected,
            "alignment": None if self.alignment is None else str(self.alignment),
            "text": self.text,
            "measures": _plain(self.measures),
            "weakest": weakest,
            "stretches": [_plain_stretch(stretch) for stretch in self.stretches],
            "stretch_count": self.stretch_count,
            "fields": {leaf.path: leaf.field.to_dict() for leaf in self.leaves()},
            "reasoning": None if self.reasoning is None else _plain(self.reasoning),
            "outside_count": self.outside_count,
            "cached": self.cached,
        }


def report_on(received: Received, asked: Asked, settings: Settings, *, for_metrics: bool = False) -> ConfidenceReport:
    """Make the report on an ended model call. It is the only maker of reports.

    Args:
        received: What the call received.
        asked: What was asked of it.
        settings: The thresholds, and how many stretches to keep.
        for_metrics: Whether only its numbers are wanted: then nobody looks for stretches.
    """
    low = settings.low_probability
    choices = tuple(_choice_report(choice, asked, low) for choice in received.choices)
    status = statuses.status_of(received, asked, [choice.parts for choice in choices])
    first, answer = received.choices[0], choices[0]
    weakest = weakest_of([(one.tokens, one.parts.counted, one.measures.min_index) for one in choices])
    total = answer.measures
    if len(choices) > 1:
        together = Tokens()
        for one in choices:
            together.extend(one.tokens.select(one.parts.counted))
        total = measure(together, low_probability=low)
        total = replace(total, min_index=_index_in_first(choices, total))
    stretches: list[Stretch] = []
    stretch_count = 0
    if not for_metrics:
        stretches, stretch_count = _stretches(answer, low, settings.max_stretches)
        stretch_count += sum(_stretches(other, low, 0)[1] for other in choices[1:])
    fields = None
    if len(answer.tokens) and not first.tool_calls:
        fields = _fields(answer, asked)
    report = ConfidenceReport(
        status=status.name,
        reason=status.reason,
        source=next((choice.reading.source for choice in received.choices if choice.reading.source), None),
        choices=choices,
        measures=total,
        verdict=NO_VERDICT,
        weakest=weakest,
        stretches=tuple(stretches),
        stretch_count=stretch_count,
        fields=fields,
        tool_calls=answer.parts.tool_calls,
        reasoning=_reasoning(first, answer, low),
        outside_count=sum(len(one.parts.outside) for one in choices),
        cached=any(choice.cached for choice in received.choices),
        unreadable=status.unreadable,
    )
    verdict = verdict_on(
        total.confidence,
        [leaf.field.confidence for leaf in report.leaves() if leaf.field.token_count],
        censored=total.censored_count > 0,
        high=settings.high_confidence,
        medium=settings.medium_confidence,
    )
    return replace(report, verdict=verdict)


def _choice_report(choice: Choice, asked: Asked, low_probability: float) -> ChoiceReport:
    tokens = choice.reading.tokens
    parts = divide(tokens, choice, asked)
    counted = parts.counted
    if len(counted) == len(tokens):
        return ChoiceReport(tokens, parts, measure(tokens, low_probability=low_probability))
    measures = measure(tokens.select(counted), low_probability=low_probability)
    if measures.min_index is not None:
        measures = replace(measures, min_index=counted[measures.min_index])
    return ChoiceReport(tokens, parts, measures)


def _index_in_first(choices: Sequence[ChoiceReport], total: Measures) -> int | None:
    first = choices[0].measures
    return first.min_index if first.min_logprob == total.min_logprob else None


def _stretches(choice: ChoiceReport, low_probability: float, limit: int) -> tuple[list[Stretch], int]:
    """Find the stretches of the answer's text and those of its tool calls, which stand in no text of the answer."""
    parts = choice.parts
    among = None if len(parts.answer) == len(choice.tokens) else parts.answer
    found, count = find_stretches(choice.tokens, parts.alignment, threshold=low_probability, most=limit, among=among)
    if parts.tool_call:
        spelled = align(choice.tokens, None, among=parts.tool_call)
        more, more_count = find_stretches(
            choice.tokens, spelled, threshold=low_probability, most=limit, among=parts.tool_call
        )
        nowhere = [stretch._replace(start=None, end=None, byte_start=None, byte_end=None) for stretch in more]
        found = sorted([*found, *nowhere], key=lambda each: each.token_start)
        count += more_count
    return found, count


def _fields(answer: ChoiceReport, asked: Asked) -> FieldReport | None:
    alignment, start = answer.parts.alignment, answer.parts.answer_start
    schema = asked.answer_schema()
    structured = is_structured(alignment.text[start:], schema is not None)
    if not structured and len(answer.parts.answer) != 1:  # one token can be a label, with alternatives to tell it from
        return None
    report = field_confidences(answer.tokens, alignment, schema=schema, start=start)
    return report if structured or any(field.distribution for field in report) else None


def _reasoning(choice: Choice, answer: ChoiceReport, low_probability: float) -> Measures | None:
    """Measure the reasoning, whether the provider reports its tokens apart or among those of the answer."""
    tokens = Tokens()
    tokens.extend(choice.reading.reasoning)
    tokens.extend(answer.tokens.select(answer.parts.reasoning))
    return measure(tokens, low_probability=low_probability) if len(tokens) else None


def _plain(measures: Measures) -> dict[str, Any]:
    return {name: getattr(measures, name) for name in measures.__slots__}


def _plain_stretch(stretch: Stretch) -> dict[str, Any]:
    alternatives = [
        {"token": other.token, "logprob": other.logprob if _is_finite(other.logprob) else None}
        for other in stretch.alternatives
    ]
    return {**stretch._asdict(), "alternatives": alternatives}


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
