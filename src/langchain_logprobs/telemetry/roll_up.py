"""What a span says of the model calls below it: their numbers, added up as their steps end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from langchain_logprobs.confidence.report import ConfidenceReport, Leaf, certainty
from langchain_logprobs.confidence.verdict import NO_VERDICT, Verdict, Weakest, is_weaker, is_worse


@dataclass(slots=True)
class RollUp:
    """The model calls below one span.

    A call counts where its answer was used. The calls of a step that failed are kept aside until it is known what
    became of the step above: where that went on (it retried, fell back, or handled the error), nobody got their
    answers, and they are only counted as discarded; where it failed too, nothing replaced them, and they count.

    Attributes:
        calls: Model calls, with and without logprobs.
        discarded: Model calls of steps that failed and were replaced.
        token_count: Scored tokens; those of cached answers are not counted again.
        scored_count: Scored tokens that the mean is over.
        sum_logprob: The sum of their logprobs (nats).
        detected: Whether any call has a low-confidence stretch or a token without an honest logprob.
        verdict: The worst verdict of a call, which is the level.
        worst_span_id: The span of that call (hexadecimal).
        weakest: The weakest token of all calls.
        weakest_span_id: The span of its call.
        least: The least certain field of all calls.
        failed_below: The calls of failed steps below, until it is known what became of this one.
        waiting: Calls right below whose answers may still be replaced, by the keys of their runs.
        replaced: Keys of such calls whose answers were replaced before their ending, which was put off, came here.
        known_paths: What is shown of the field's path where text is not captured.
        answers: What the last call answered, as messages; None where that is not recorded.
    """

    calls: int = 0
    discarded: int = 0
    token_count: int = 0
    scored_count: int = 0
    sum_logprob: float = 0.0
    detected: bool = False
    verdict: Verdict = NO_VERDICT
    worst_span_id: str | None = None
    weakest: Weakest | None = None
    weakest_span_id: str | None = None
    least: Leaf | None = None
    failed_below: RollUp | None = None
    waiting: dict[int, RollUp] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    known_paths: Mapping[str, str] = field(default_factory=dict)
    answers: str | None = None

    @classmethod
    def of(cls, report: ConfidenceReport, span_id: str | None, answers: str | None = None) -> RollUp:
        """Return the roll-up of one ended model call."""
        total = report.measures
        return cls(
            calls=1,
            token_count=0 if report.cached else total.scored_count,
            scored_count=total.scored_count,
            sum_logprob=total.sum_logprob or 0.0,
            detected=report.detected,
            verdict=report.verdict,
            worst_span_id=span_id,
            weakest=report.weakest,
            weakest_span_id=span_id,
            least=report.least_field,
            answers=answers,
        )

    def take(self, below: RollUp, *, failed: bool) -> None:
        """Take in what a call or a step below brought, as it ends.

        Args:
            below: Its roll-up, settled.
            failed: Whether it ended with an error.
        """
        if not failed:
            self._add(below)
        elif self.failed_below is None:
            self.failed_below = below
        else:
            self.failed_below._add(below)

    def hold(self, key: int, below: RollUp) -> None:
        """Keep a call aside whose answer may still be replaced before this step ends."""
        self.waiting[key] = below

    def discard(self, key: int) -> bool:
        """Count a call that was kept aside as discarded: its answer was replaced. False where it is not kept here."""
        held = self.waiting.pop(key, None)
        if held is not None:
            self.discarded += held.calls + held.discarded
        return held is not None

    def settle(self, *, failed: bool) -> None:
        """Decide, as this step ends, what the calls of failed steps below it were; those kept aside count."""
        for held in self.waiting.values():
            self._add(held)
        self.waiting.clear()
        aside, self.failed_below = self.failed_below, None
        if aside is not None:
            if failed:
                self._add(aside)
            else:
                self.discarded += aside.calls + aside.discarded

    def _add(self, other: RollUp) -> None:
        self.discarded += other.discarded
        if not other.calls:
            return
        self.answers = other.answers or self.answers
        first = not self.calls
        self.calls += other.calls
        self.token_count += other.token_count
        self.scored_count += other.scored_count
        self.sum_logprob += other.sum_logprob
        self.detected = self.detected or other.detected
        if first or is_worse(other.verdict, self.verdict):
            self.verdict, self.worst_span_id = other.verdict, other.worst_span_id
        if other.weakest is not None and (self.weakest is None or is_weaker(other.weakest, self.weakest)):
            self.weakest, self.weakest_span_id = other.weakest, other.weakest_span_id
        if other.least is not None and (self.least is None or certainty(other.least) < certainty(self.least)):
            self.least, self.known_paths = other.least, other.known_paths

    @property
    def mean_logprob(self) -> float | None:
        """The mean over all scored tokens (nats), None where there are none."""
        return self.sum_logprob / self.scored_count if self.scored_count else None

    @property
    def confidence(self) -> float | None:
        """exp(mean_logprob)."""
        return None if self.mean_logprob is None else math.exp(self.mean_logprob)
