"""From tokens to numbers: how sure was the model, over a whole answer.

Everything is in nats (natural logarithms). A *censored* token (its logprob is None, NaN, infinite, a sentinel at or
below -9998, or impossibly far above 0) has no honest number: it is counted and left out of every mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress, pairwise
from operator import add, ge, lt, mul, ne, sub
from typing import NamedTuple

from langchain_logprobs.formats.tokens import (
    LOW_PROBABILITY,
    ROUNDING_LOGPROB,
    SENTINEL_LOGPROB,
    Alternative,
    TokenLogprob,
    Tokens,
    logprobs_of,
    texts_of,
    usable_logprob,
)


@dataclass(frozen=True, slots=True)
class Measures:
    """The confidence of a sequence of tokens. None where a value cannot be computed.

    Attributes:
        token_count: Tokens, scored and censored.
        scored_count: Tokens with a usable logprob.
        censored_count: Tokens without one.
        sum_logprob: Sum of the scored logprobs: the log-likelihood of the sequence (nats).
        mean_logprob: Their mean (nats).
        confidence: exp(mean_logprob), in (0, 1]: the length-normalised probability.
        perplexity: exp(-mean_logprob), at least 1; None where it is too large for a float.
        min_logprob: The lowest scored logprob (nats).
        min_probability: Its exponential.
        min_index: The index of its token; the first one on a tie.
        low_count: Scored tokens with a probability under the threshold.
        low_ratio: Their share of the scored tokens.
        entropy_mean: Mean over the positions with alternatives of the truncated entropy (nats),
            `-sum(p ln p)` over the alternatives and the sampled token. It is a lower bound of the model's entropy.
        entropy_max: The largest of those entropies (nats).
        covered_mass_mean: Mean of the probability that those tokens hold together, at most 1.
        top_k: The largest number of alternatives returned at a position. Entropies of different k do not compare.
        margin_mean: Mean of p1 - p2, the two most likely tokens, over the positions with two or more alternatives
            (Farr 2024). A censored alternative counts as probability 0.
        off_top1_ratio: Share of the positions with alternatives whose token was not the most likely one.
    """

    token_count: int
    scored_count: int
    censored_count: int
    sum_logprob: float | None
    mean_logprob: float | None
    confidence: float | None
    perplexity: float | None
    min_logprob: float | None
    min_probability: float | None
    min_index: int | None
    low_count: int
    low_ratio: float | None
    entropy_mean: float | None
    entropy_max: float | None
    covered_mass_mean: float | None
    top_k: int | None
    margin_mean: float | None
    off_top1_ratio: float | None


def measure(tokens: Sequence[TokenLogprob], *, low_probability: float = LOW_PROBABILITY) -> Measures:
    """Measure the confidence of a sequence of tokens.

    Sums over the answer are exact (`math.fsum`), the alternatives of a position are added from the best to the worst,
    so their order changes nothing, and probabilities are never multiplied, so a long answer does not underflow.

    Args:
        tokens: The tokens of one answer, in order; it may be empty.
        low_probability: Below this probability a token counts as low.

    Returns:
        The measures; see each field of Measures for its definition and for when it is None.
    """
    sheet = _measure_plain(tokens) if isinstance(tokens, Tokens) else None
    if sheet is None:
        sheet = _measure_with_care(tokens)
    scored, lowest, min_index, negative_entropies, masses, margins, off_top1, top_k = sheet
    fsum = math.fsum
    count = len(scored)
    total = fsum(scored) + 0.0  # + 0.0 turns -0.0 into 0.0
    mean = max(total / count, lowest) if count else None  # rounding could put it under the lowest of them
    low = _below(scored, low_probability)
    positions = len(masses)
    return Measures(
        token_count=len(tokens),
        scored_count=count,
        censored_count=len(tokens) - count,
        sum_logprob=total if count else None,
        mean_logprob=mean,
        confidence=None if mean is None else math.exp(mean),
        perplexity=None if mean is None else _exp(-mean),
        min_logprob=lowest + 0.0 if count else None,
        min_probability=math.exp(lowest) if count else None,
        min_index=min_index,
        low_count=low,
        low_ratio=low / count if count else None,
        entropy_mean=0.0 - fsum(negative_entropies) / positions if positions else None,
        entropy_max=0.0 - min(negative_entropies) if positions else None,
        covered_mass_mean=fsum([mass if mass < 1.0 else 1.0 for mass in masses]) / positions if positions else None,
        top_k=top_k or None,
        margin_mean=fsum(margins) / len(margins) if margins else None,
        off_top1_ratio=off_top1 / positions if positions else None,
    )


class _Sheet(NamedTuple):
    """What the measures are made of."""

    scored: list[float]
    lowest: float
    min_index: int | None
    negative_entropies: list[float]
    masses: list[float]
    margins: list[float]
    off_top1: int
    top_k: int


def _measure_plain(tokens: Tokens) -> _Sheet | None:
    """Measure an answer column by column; None if it is not plain enough, which takes a look at each token.

    Plain is: no token is censored, none of the logprobs is above 0, and every token has equally many alternatives,
    the best of which is not censored.
    """
    logprobs = tokens.logprobs
    others = tokens.alternatives.logprobs
    count = len(logprobs)
    lowest = min(logprobs, default=-math.inf)
    if lowest <= SENTINEL_LOGPROB or max(logprobs) > 0.0:
        return None
    if not others:
        return _Sheet(logprobs, lowest, logprobs.index(lowest), [], [], [], 0, 0)
    if not isinstance(tokens.stops, range):
        return None
    width = tokens.stops.step
    ranks: list[Sequence[float]] = [others[rank::width] for rank in range(width)]
    if not all(all(map(ge, better, worse)) for better, worse in pairwise(ranks)):
        # vLLM sends the sampled token first, whatever its rank.
        rows = [sorted(others[start : start + width], reverse=True) for start in range(0, len(others), width)]
        ranks = [*zip(*rows, strict=True)]
    # A censored alternative behind others counts as probability 0, which is its exponential.
    if min(ranks[0]) <= SENTINEL_LOGPROB or min(ranks[-1]) == -math.inf or max(ranks[0]) > 0.0:
        return None
    exp = math.exp
    probabilities = [[*map(exp, rank)] for rank in ranks]
    masses = _added(probabilities)
    negative_entropies = _added([map(mul, *columns) for columns in zip(probabilities, ranks, strict=True)])
    margins = [*map(sub, *probabilities[:2])] if width > 1 else []
    texts, other_texts = tokens.tokens, tokens.alternatives.tokens
    # The sampled token is nearly always the first alternative; where it is not, it can be a later one or none.
    suspects = compress(range(count), map(ne, texts, other_texts[0::width]))
    strays = {index for index in suspects if texts[index] not in other_texts[index * width : (index + 1) * width]}
    if "" in texts or "\ufffd" in "".join(texts):  # parts of characters, which can share a spelling
        for index, text in enumerate(texts):
            if (not text or "\ufffd" in text) and not _among(text, tokens[index].bytes, tokens[index].alternatives):
                strays.add(index)
    for index in strays:
        own = exp(logprobs[index])
        masses[index] += own
        negative_entropies[index] += own * logprobs[index]
    off_top1 = sum(map(lt, logprobs, ranks[0]))
    return _Sheet(logprobs, lowest, logprobs.index(lowest), negative_entropies, masses, margins, off_top1, width)


def _added(columns: Sequence[Iterable[float]]) -> list[float]:
    """Add columns up row by row, from the first to the last."""
    total, *others = columns
    for column in others:
        total = map(add, total, column)
    return [*total]


def _measure_with_care(tokens: Sequence[TokenLogprob]) -> _Sheet:
    """Measure an answer token by token."""
    exp = math.exp
    scored: list[float] = []
    lowest = math.inf
    min_index: int | None = None
    negative_entropies: list[float] = []
    masses: list[float] = []
    margins: list[float] = []
    off_top1 = 0
    top_k = 0
    for index, (token, logprob, token_bytes, alternatives) in enumerate(tokens):
        if logprob is not None and SENTINEL_LOGPROB < logprob <= ROUNDING_LOGPROB:
            if logprob > 0.0:
                logprob = 0.0
            scored.append(logprob)
            if logprob < lowest:
                lowest, min_index = logprob, index
        else:
            logprob = None
        found = [usable_logprob(each) for each in logprobs_of(alternatives)]
        usable = sorted([each for each in found if each is not None], reverse=True)
        if not usable:
            continue
        top_k = max(top_k, len(found))
        probabilities = [*map(exp, usable)]
        if len(found) > 1:
            margins.append(probabilities[0] - (probabilities[1] if len(usable) > 1 else 0.0))
        if logprob is None or logprob < usable[0]:
            off_top1 += 1
        if logprob is not None and not _among(token, token_bytes, alternatives):
            usable.append(logprob)
            probabilities.append(exp(logprob))
        # Not `sum`, which compensates from Python 3.12 on: this has to be the same as column by column.
        masses.append(reduce(add, probabilities))
        negative_entropies.append(reduce(add, map(mul, probabilities, usable)))
    return _Sheet(scored, lowest, min_index, negative_entropies, masses, margins, off_top1, top_k)


def _among(token: str, token_bytes: bytes | None, alternatives: Sequence[Alternative]) -> bool:
    """Tell whether a token is one of the alternatives of its position."""
    if token not in texts_of(alternatives):
        return False
    if token and "\ufffd" not in token:
        return True
    # Parts of characters can share a spelling; their bytes tell them apart.
    return any(
        other.token == token and (token_bytes is None or other.bytes is None or other.bytes == token_bytes)
        for other in alternatives
    )


def _below(scored: list[float], low_probability: float) -> int:
    if low_probability <= 0.0:
        return 0
    threshold = math.log(low_probability)
    return len([logprob for logprob in scored if logprob < threshold])


def _exp(value: float) -> float | None:
    try:
        return math.exp(value)
    except OverflowError:
        return None
