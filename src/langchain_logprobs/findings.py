"""What one ended model call shows: from the captured choices to everything that the telemetry writes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_logprobs.measures import Measures, measure
from langchain_logprobs.stretches import Stretch
from langchain_logprobs.structured import Structure
from langchain_logprobs.tokens import TokenLogprob

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
        measures: The measures of each choice.
        total: The measures of all choices together.
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
    choices: list[list[TokenLogprob]]
    measures: list[Measures]
    total: Measures
    level: Level | None
    stretches: list[Stretch]
    stretch_count: int
    fields: Structure | None = None
    reasoning: Measures | None = None

    @property
    def tokens(self) -> list[TokenLogprob]:
        """The tokens of choice 0, the ones that the arrays hold."""
        return self.choices[0]

    @property
    def weakest_token(self) -> str:
        """The text of the weakest token of all choices; empty where there is none."""
        index = self.total.min_index
        if index is None:
            return ""
        for tokens in self.choices:
            if index < len(tokens):
                return tokens[index].token
            index -= len(tokens)
        return ""  # pragma: no cover  # min_index is an index into the choices, one after the other


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


def measure_choices(
    choices: Sequence[Sequence[TokenLogprob]], low_probability: float
) -> tuple[list[Measures], Measures]:
    """Return the measures of each choice, and of all of them together."""
    each = [measure(tokens, low_probability=low_probability) for tokens in choices]
    if len(each) == 1:
        return each, each[0]
    everything = [token for tokens in choices for token in tokens]
    return each, measure(everything, low_probability=low_probability)


def level_of(confidence: float | None, *, high: float, medium: float) -> Level | None:
    """Return the level of a confidence, None where there is none."""
    if confidence is None:
        return None
    return "high" if confidence >= high else "medium" if confidence >= medium else "low"


def worst(first: Level | None, second: Level | None) -> Level | None:
    """Return the lower of two levels; None counts as no level at all."""
    known = [level for level in (first, second) if level is not None]
    return min(known, key=_WORST_FIRST.index) if known else None
