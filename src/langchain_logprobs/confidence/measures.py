"""From tokens to numbers: how sure was the model, over a whole answer.

Everything is in nats (natural logarithms). A *censored* token (its logprob is None, NaN, infinite, a sentinel at or
below -9998, or impossibly far above 0) has no honest number: it is counted and left out of every mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from operator import add, ge, lt, mul, ne, sub
from typing import Final, TypeVar

from langchain_logprobs.formats.tokens import LOW_PROBABILITY, TokenLogprob, Tokens

_NO_CHANCE: Final = -1e300
"""What a censored logprob is compared and added up as: less than any other, of probability 0."""

_T = TypeVar("_T")


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

    Example:
        >>> from langchain_logprobs import TokenLogprob, measure
        >>> measures = measure([TokenLogprob("Yes", -0.5), TokenLogprob("!", -9999.0)])
        >>> measures.mean_logprob, measures.scored_count, measures.censored_count
        (-0.5, 1, 1)
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

    Every token that it is given counts. Which of a call's tokens are its answer (and not reasoning, an end mark or an
    echoed prompt) is left to the caller; `confidence_of` decides that, and is what a span says.

    Args:
        tokens: The tokens of one answer, in order; it may be empty.
        low_probability: Below this probability a token counts as low.

    Returns:
        The measures; see each field of Measures for its definition and for when it is None.

    Example:
        >>> from langchain_logprobs import TokenLogprob, measure
        >>> measures = measure([TokenLogprob("Lima", -0.1), TokenLogprob(".", -2.3)])
        >>> round(measures.confidence, 2), measures.min_index, measures.low_count
        (0.3, 1, 1)
    """
    tokens = Tokens.of(tokens)
    scored = [logprob for logprob in tokens.logprobs if logprob == logprob] if tokens.censored else tokens.logprobs
    sums = _sums(tokens)
    fsum = math.fsum
    count = len(scored)
    lowest = min(scored, default=0.0)
    total = fsum(scored) + 0.0  # + 0.0 turns -0.0 into 0.0
    mean = max(total / count, lowest) if count else None  # rounding could put it under the lowest of them
    low = _below(scored, low_probability)
    positions = len(sums.masses)
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
        min_index=tokens.logprobs.index(lowest) if count else None,
        low_count=low,
        low_ratio=low / count if count else None,
        entropy_mean=0.0 - fsum(sums.negative_entropies) / positions if positions else None,
        entropy_max=0.0 - min(sums.negative_entropies) if positions else None,
        covered_mass_mean=fsum([mass if mass < 1.0 else 1.0 for mass in sums.masses]) / positions
        if positions
        else None,
        top_k=sums.top_k or None,
        margin_mean=fsum(sums.margins) / len(sums.margins) if sums.margins else None,
        off_top1_ratio=sums.off_top1 / positions if positions else None,
    )


@dataclass(slots=True)
class _Sums:
    """What the measures of the alternatives are made of: one number for each position that has any that is usable.

    Attributes:
        masses: The probability that the alternatives and the sampled token hold together.
        negative_entropies: The sum of p ln p over them (nats).
        margins: p1 - p2, at the positions with two alternatives or more.
        off_top1: At how many positions the sampled token was not the most likely one.
        top_k: The largest number of alternatives at a position.
    """

    masses: list[float] = field(default_factory=list)
    negative_entropies: list[float] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    off_top1: int = 0
    top_k: int = 0


def _sums(tokens: Tokens) -> _Sums:
    sums = _Sums()
    own = _filled(tokens.logprobs, tokens.censored)
    others = _filled(tokens.alternatives.logprobs, tokens.alternatives.censored)
    for width, positions, starts in _groups(tokens, others):
        _add_positions(sums, tokens, _pick(own, positions), others, width, positions, starts)
    return sums


def _groups(tokens: Tokens, others: list[float]) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
    """Yield the positions that have usable alternatives, those with equally many together.

    Yields:
        How many alternatives each of them has, their positions, and where their alternatives start. The last two are
        ranges where nothing is left out, as it mostly is, which is quicker to pick than a list.
    """
    width = tokens.width
    if width == 0:
        return
    if width is not None and not tokens.alternatives.censored:
        yield width, range(len(tokens)), range(0, len(others), width)
        return
    by_width: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    start = 0
    for position, stop in enumerate(tokens.stops):
        if start < stop and max(others[start:stop]) > _NO_CHANCE:
            positions, starts = by_width[stop - start]
            positions.append(position)
            starts.append(start)
        start = stop
    for width, (positions, starts) in by_width.items():
        yield width, positions, starts


def _add_positions(
    sums: _Sums,
    tokens: Tokens,
    own: list[float],
    others: list[float],
    width: int,
    positions: Sequence[int],
    starts: Sequence[int],
) -> None:
    """Add up positions with equally many alternatives, column by column: all the best ones, all the second ones, ...

    The alternatives of a position are added from the best to the worst, whatever order they came in.
    """
    ranks: list[Sequence[float]] = [_pick(others, starts, rank) for rank in range(width)]
    if not all(all(map(ge, better, worse)) for better, worse in pairwise(ranks)):
        # vLLM sends the sampled token first, whatever its rank.
        ranks = [*zip(*[sorted(others[start : start + width], reverse=True) for start in starts], strict=True)]
    probabilities = [[*map(math.exp, rank)] for rank in ranks]
    masses = _added(probabilities)
    negative_entropies = _added([map(mul, *columns) for columns in zip(probabilities, ranks, strict=True)])
    for index in _strays(tokens, positions, starts, width):
        if own[index] > _NO_CHANCE:
            probability = math.exp(own[index])
            masses[index] += probability
            negative_entropies[index] += probability * own[index]
    sums.masses += masses
    sums.negative_entropies += negative_entropies
    if width > 1:
        sums.margins += map(sub, *probabilities[:2])
    sums.off_top1 += sum(map(lt, own, ranks[0]))
    sums.top_k = max(sums.top_k, width)


def _strays(tokens: Tokens, positions: Sequence[int], starts: Sequence[int], width: int) -> set[int]:
    """Return which of the positions have a token that is none of its own alternatives."""
    texts, other_texts = _pick(tokens.texts, positions), tokens.alternatives.texts
    # The sampled token is nearly always the first alternative; where it is not, it can be a later one or none.
    suspects = compress(range(len(texts)), map(ne, texts, _pick(other_texts, starts)))
    strays = {index for index in suspects if texts[index] not in other_texts[starts[index] : starts[index] + width]}
    if "" in texts or "\ufffd" in "".join(texts):
        # Parts of characters can share a spelling; their bytes tell them apart.
        for index, text in enumerate(texts):
            if (not text or "\ufffd" in text) and not _among(tokens, positions[index]):
                strays.add(index)
    return strays


def _among(tokens: Tokens, position: int) -> bool:
    """Tell whether a token is one of the alternatives of its position, by its text and its bytes."""
    text, token_bytes = tokens.texts[position], tokens.bytes_at(position)
    return any(
        other.token == text and (token_bytes is None or other.bytes is None or other.bytes == token_bytes)
        for other in tokens.alternatives_at(position)
    )


def _filled(logprobs: list[float], censored: Mapping[int, object]) -> list[float]:
    if not censored:
        return logprobs
    return [logprob if logprob == logprob else _NO_CHANCE for logprob in logprobs]


def _pick(column: list[_T], places: Sequence[int], shift: int = 0) -> list[_T]:
    """Return the items of a column at some places, each moved by the shift."""
    if isinstance(places, range):
        return column[places.start + shift :: places.step]
    return [column[place + shift] for place in places]


def _added(columns: Sequence[Iterable[float]]) -> list[float]:
    """Add columns up row by row, from the first to the last."""
    total, *others = columns
    for column in others:
        total = map(add, total, column)
    return [*total]


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
