"""What one ended model call shows: from the captured choices to everything that the telemetry writes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import Literal, NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.measures import Measures, measure
from langchain_logprobs.confidence.stretches import Stretch
from langchain_logprobs.confidence.structured import Structure
from langchain_logprobs.formats.tokens import Tokens

Status = Literal["recorded", "partial", "missing", "not_requested"]
Level = Literal["high", "medium", "low"]

_WORST_FIRST: tuple[Level, ...] = ("low", "medium", "high")


@dataclass(slots=True)
class Findings:
    """The findings of one model call.

    Attributes:
        status: Whether there are logprobs, and all of them.
        reason: Why the status is not `recorded`; None where there is nothing to say.
        source: The wire format that was read; None where none was.
        choices: The tokens of each choice.
        measures: The measures of each choice, over its tokens inside the answer's text. `min_index` counts in all of
            its tokens.
        total: The measures of all choices together; `min_index` is None where the weakest token is not in choice 0.
        weakest_token: The text of the weakest token of all choices; None where there is none.
        outside_count: Tokens outside the answers' texts, which no measure counts: the end-of-text mark, fences that
            the server stripped, a reasoning text before the answer.
        level: The level of `total`; None where it has no mean.
        stretches: Its low-confidence stretches: of choice 0, in the order of the text, at most as many as the setting
            says, the worst ones.
        stretch_count: How many there are.
        fields: The values of its JSON or of its tool calls' arguments; None where it is not structured.
        reasoning: The measures of its reasoning text, None where the provider reported none apart.
    """

    status: Status
    reason: str | None
    source: str | None
    choices: list[Tokens]
    measures: list[Measures]
    total: Measures
    weakest_token: str | None
    outside_count: int
    level: Level | None
    stretches: list[Stretch]
    stretch_count: int
    fields: Structure | None = None
    reasoning: Measures | None = None

    @property
    def tokens(self) -> Tokens:
        """The tokens of choice 0, the ones that the arrays hold."""
        return self.choices[0]

    @property
    def has_tokens(self) -> bool:
        """Whether any choice has a token, scored or not."""
        return any(self.choices)


@dataclass(slots=True)
class RollUp:
    """The model calls below one span, added up as they end."""

    calls: int = 0
    scored_count: int = 0
    detected: bool = False
    level: Level | None = None
    min_logprob: float | None = None
    min_token: str | None = None
    min_span_id: str | None = None
    sum_logprob: float = 0.0

    def add(self, findings: Findings, span_id: str) -> None:
        """Add one ended model call that had logprobs."""
        total = findings.total
        self.calls += 1
        self.scored_count += total.scored_count
        self.detected = self.detected or total.low_count > 0
        self.sum_logprob += total.sum_logprob or 0.0
        self.level = worst(self.level, findings.level)
        if total.min_logprob is not None and (self.min_logprob is None or total.min_logprob < self.min_logprob):
            self.min_logprob = total.min_logprob
            self.min_token = findings.weakest_token
            self.min_span_id = span_id

    @property
    def mean_logprob(self) -> float | None:
        """The mean over all scored tokens (nats), None where there are none."""
        return self.sum_logprob / self.scored_count if self.scored_count else None

    @property
    def confidence(self) -> float | None:
        """exp(mean_logprob)."""
        return None if self.mean_logprob is None else math.exp(self.mean_logprob)

    @property
    def min_probability(self) -> float | None:
        """The probability of the weakest token."""
        return None if self.min_logprob is None else math.exp(self.min_logprob)


class Measured(NamedTuple):
    """The measures of all choices; see the attributes of the same names in Findings."""

    measures: list[Measures]
    total: Measures
    weakest_token: str | None
    outside_count: int


def measure_choices(choices: Sequence[Tokens], alignments: Sequence[Alignment], low_probability: float) -> Measured:
    """Measure each choice, and all of them together, over the tokens that lie inside the answer's text.

    Where the tokens could not be aligned with the text, all of them count.
    """
    scored: list[Tokens] = []
    each: list[Measures] = []
    for tokens, alignment in zip(choices, alignments, strict=True):
        inside = None
        if any(map(eq, alignment.starts, alignment.ends)):  # a token without a place has an empty span
            inside = [index for index in range(len(tokens)) if alignment.starts[index] < alignment.ends[index]]
        part = tokens if inside is None else tokens.select(inside)
        measures = measure(part, low_probability=low_probability)
        if inside is not None and measures.min_index is not None:
            measures = replace(measures, min_index=inside[measures.min_index])
        scored.append(part)
        each.append(measures)
    total = each[0]
    if len(each) > 1:
        together = Tokens()
        for part in scored:
            together.extend(part)
        total = measure(together, low_probability=low_probability)
    weakest = None
    if total.min_logprob is not None:
        choice = next(index for index, one in enumerate(each) if one.min_logprob == total.min_logprob)
        position = each[choice].min_index
        weakest = None if position is None else choices[choice].texts[position]
        total = replace(total, min_index=position if choice == 0 else None)
    outside = sum(len(tokens) for tokens in choices) - sum(len(part) for part in scored)
    return Measured(each, total, weakest, outside)


def level_of(confidence: float | None, *, high: float, medium: float) -> Level | None:
    """Return the level of a confidence, None where there is none."""
    if confidence is None:
        return None
    return "high" if confidence >= high else "medium" if confidence >= medium else "low"


def worst(first: Level | None, second: Level | None) -> Level | None:
    """Return the lower of two levels; None counts as no level at all."""
    known = [level for level in (first, second) if level is not None]
    return min(known, key=_WORST_FIRST.index) if known else None
