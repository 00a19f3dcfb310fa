"""How the code of this package reads tokens: their logprobs, their alternatives, and what a censored one can have been.

Everything here goes through these few accessors, so that one file knows in which form the tokens are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from langchain_logprobs.confidence.alignment.token_bytes import Spelling, lost
from langchain_logprobs.formats.tokens import TokenLogprob, Tokens


class TokenReader:
    """The tokens of one answer, read once for all of its fields.

    Attributes:
        logprobs: The usable logprob of each token (nats); None where it is censored.
    """

    __slots__ = ("_spelling", "_tokens", "logprobs")

    def __init__(self, tokens: Sequence[TokenLogprob], spelling: Spelling) -> None:
        """Read the tokens' logprobs; `spelling` is how their alignment found them to be spelled."""
        self._spelling = spelling
        self._tokens = Tokens.of(tokens)
        self.logprobs: list[float | None] = [
            None if logprob != logprob else logprob for logprob in self._tokens.logprobs
        ]

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self.logprobs)

    def has_alternatives(self, index: int) -> bool:
        """Return whether the provider sent what else could have stood at a position."""
        return len(self._tokens.alternatives_at(index)) > 0

    def others(self, index: int) -> Iterator[tuple[bytes, float]]:
        """Yield the alternatives that were not taken at a position: what each spells, and its probability.

        One whose bytes are lost, or that spells nothing, has no bytes. Those without a usable logprob are left out. The
        emitted token itself is left out once: the same text a second time is another token.
        """
        alternatives = self._tokens.alternatives_at(index)
        emitted_text = self._tokens.texts[index]
        emitted = False
        for position, text, logprob in zip(
            range(alternatives.start, alternatives.stop), alternatives.texts, alternatives.logprobs, strict=True
        ):
            if not emitted and text == emitted_text:
                emitted = True
            elif logprob == logprob:  # not NaN
                raw = alternatives.columns.bytes_at(position)
                yield b"" if lost(text, raw) else self._spelling(text, raw), math.exp(logprob)

    def probability(self, index: int) -> float | None:
        """Return the probability of the emitted token; None where it is censored."""
        logprob = self.logprobs[index]
        return None if logprob is None else math.exp(logprob)

    def bound(self, index: int) -> float:
        """Return the most that the probability of the emitted token can be.

        Of a censored token that is the smallest of its alternatives' probabilities, as the provider lists the most
        likely tokens, and no more than they leave of 1; 1.0 where it has none.
        """
        known = self.probability(index)
        if known is not None:
            return known
        listed = [probability for _, probability in self.others(index)]
        return max(0.0, min(min(listed), 1.0 - math.fsum(listed))) if listed else 1.0
