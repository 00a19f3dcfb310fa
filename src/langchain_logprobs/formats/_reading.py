"""What a wire format module reads a raw container into, and the helpers that all of them share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langchain_logprobs.tokens import Alternative, TokenLogprob


@dataclass(slots=True)
class Reading:
    """The tokens read so far from one or more raw containers of one choice.

    Attributes:
        source: Name of the wire format that was read first, e.g. `openai.chat`; None while nothing was recognised.
        tokens: The answer's tokens, in order.
        reasoning: Tokens of a reasoning text that the provider reports apart from the answer (DeepSeek).
        malformed: How many containers or entries could not be read and were left out.
        problem: What the first malformed one was, for a log line; None where there was none.
    """

    source: str | None = None
    tokens: list[TokenLogprob] = field(default_factory=list)
    reasoning: list[TokenLogprob] = field(default_factory=list)
    malformed: int = 0
    problem: str | None = None

    def reject(self, problem: str) -> None:
        """Count something unreadable; the first description is kept."""
        self.malformed += 1
        if self.problem is None:
            self.problem = problem


class WireFormat(NamedTuple):
    """One way in which logprobs travel.

    Attributes:
        name: The name published as `logprobs.source`.
        read: Appends a container's tokens to the Reading and returns True, or returns False and leaves the Reading
            alone when the container is not of this format.
        size: How many answer tokens a container of this format holds, without reading them.
    """

    name: str
    read: Callable[[Any, Reading], bool]
    size: Callable[[Any], int]
