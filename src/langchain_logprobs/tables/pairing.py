"""Which inputs of two sources are the same, so that their answers can be compared one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_logprobs.tables.rows import Called
from langchain_logprobs.telemetry import names

Keyed = dict[str, list[Called]]
"""Model calls by what they were asked."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Inputs that are on both sides.

    Attributes:
        by: By what they were found to be the same.
        a: The calls of A, by input.
        b: The calls of B, by input.
    """

    by: str
    a: Keyed
    b: Keyed

    @property
    def keys(self) -> list[str]:
        """The inputs on both sides, in the order of A."""
        return [key for key in self.a if key in self.b]


def pair(a: Sequence[Called], b: Sequence[Called], by: str | None = None) -> Pairing | None:
    """Find the inputs that two sources have in common.

    Args:
        a: The calls of A.
        b: The calls of B.
        by: The attribute that tells an input: of the call, or of the nearest span above it that has it. None: what
            finds the most pairs of all the messages of the request, the last message of the user (which stays the same
            where the system prompt is what changed), and the conversation; the first of them where they find as many.

    Returns:
        The pairing; None where the two have no input in common.
    """
    ways: dict[str, Callable[[Called], str | None]] = {
        names.INPUT_MESSAGES: lambda called: called.find(names.INPUT_MESSAGES),
        "last user message": lambda called: called.question,
        names.CONVERSATION: lambda called: called.find(names.CONVERSATION),
    }
    if by is not None:
        ways = {by: lambda called: called.find(by)}
    found = [Pairing(name, _keyed(a, key), _keyed(b, key)) for name, key in ways.items()]
    best = max(found, key=lambda pairing: len(pairing.keys))
    return best if best.keys else None


def _keyed(calls: Sequence[Called], key: Callable[[Called], str | None]) -> Keyed:
    found: Keyed = {}
    for called in calls:
        value = key(called)
        if value is not None:
            found.setdefault(value, []).append(called)
    return found
