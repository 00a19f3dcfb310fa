"""The measures a second time, by the definitions in the docstring of Measures: one number after the other.

Slow, obvious, and without a line of the product's own. What is read of it is the form of its tokens.
"""

import math
from collections.abc import Sequence

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

Numbers = dict[str, float | int | None]
"""The measures by their names."""


def usable(logprob: float | None) -> float | None:
    """An honest logprob, at most 0; None for a placeholder."""
    if logprob is None or math.isnan(logprob) or logprob <= -9998 or logprob in (-100, -1000) or logprob > 1e-4:
        return None
    return min(float(logprob), 0.0)


def same(one: TokenLogprob | Alternative, other: TokenLogprob | Alternative) -> bool:
    """Whether both are one token: the same text, and the same bytes where both have some."""
    return one.token == other.token and (one.bytes is None or other.bytes is None or one.bytes == other.bytes)


def mean(numbers: Sequence[float]) -> float | None:
    return math.fsum(numbers) / len(numbers) if numbers else None


def measures(tokens: Sequence[TokenLogprob], low: float = 0.2) -> Numbers:
    scored = [(index, logprob) for index, token in enumerate(tokens) if (logprob := usable(token.logprob)) is not None]
    logprobs = [logprob for _, logprob in scored]
    average = mean(logprobs)
    weakest = min(scored, key=lambda pair: pair[1]) if scored else None
    low_count = sum(math.exp(logprob) < low for logprob in logprobs)
    return {
        "token_count": len(tokens),
        "scored_count": len(scored),
        "censored_count": len(tokens) - len(scored),
        "sum_logprob": math.fsum(logprobs) if logprobs else None,
        "mean_logprob": average,
        "confidence": None if average is None else math.exp(average),
        "perplexity": None if average is None or average < -709 else math.exp(-average),
        "min_logprob": weakest[1] if weakest else None,
        "min_probability": math.exp(weakest[1]) if weakest else None,
        "min_index": weakest[0] if weakest else None,
        "low_count": low_count,
        "low_ratio": low_count / len(scored) if scored else None,
        **of_alternatives(tokens),
    }


def of_alternatives(tokens: Sequence[TokenLogprob]) -> Numbers:
    """What the positions with alternatives say."""
    entropies, masses, margins, counts, beaten = [], [], [], [], []
    for token in tokens:
        known = [logprob for other in token.alternatives if (logprob := usable(other.logprob)) is not None]
        if not known:
            continue
        own = usable(token.logprob)
        everything = list(known)
        if own is not None and not any(same(token, other) for other in token.alternatives):
            everything.append(own)
        entropies.append(-math.fsum(math.exp(logprob) * logprob for logprob in everything))
        masses.append(min(1.0, math.fsum(map(math.exp, everything))))
        counts.append(len(token.alternatives))
        if len(token.alternatives) > 1:
            first, second, *_ = [*sorted(map(math.exp, known), reverse=True), 0.0]
            margins.append(first - second)
        beaten.append(own is None or own < max(known))
    return {
        "entropy_mean": mean(entropies),
        "entropy_max": max(entropies, default=None),
        "covered_mass_mean": mean(masses),
        "top_k": max(counts, default=None),
        "margin_mean": mean(margins),
        "off_top1_ratio": mean([float(each) for each in beaten]),
    }
