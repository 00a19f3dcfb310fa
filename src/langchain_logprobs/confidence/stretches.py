"""The parts of an answer that the model was unsure of, as a reader would mark them: whole words, not token shards."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypedDict

from langchain_logprobs.confidence.alignment.align import Alignment, align
from langchain_logprobs.formats.tokens import LOW_PROBABILITY, Alternatives, TokenLogprob, Tokens

VERY_LOW_PROBABILITY: Final = 0.05
"""Below it a stretch is `very_low`. Uncalibrated too."""

Severity = Literal["watch", "low", "very_low"]
"""`very_low`: a token below 0.05, or censored; `low`: below 0.2; `watch`: above, where the threshold was raised."""

_WIDEST_WORD = 32
"""A word is completed by at most this many characters on each side: a longer run is no word (base64, a digest)."""

# Scripts that write no spaces between words. Runs of \w are whole sentences there, so nothing is completed.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaa7f"
    "\u2e80-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Python's \w leaves out the vowel signs of Indic scripts and combining accents, which stand inside words.
_SPACED_LETTER = rf"(?:[^\W{_UNSPACED}]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff\u200c\u200d])"
_INSIDE_WORD = re.compile(rf"(?<={_SPACED_LETTER}){_SPACED_LETTER}")
_REST_OF_WORD = re.compile(rf"(?<={_SPACED_LETTER}){_SPACED_LETTER}{{1,{_WIDEST_WORD}}}")
_LETTER = re.compile(r"\w")
_BLANK_OR_CODE = re.compile(r"\s*(?:[{\[]|```)")
_NOT_BLANK = re.compile(r"\S")


class StretchSettings(TypedDict, total=False):
    """The settings of `low_confidence_stretches`, to hand on with `**`."""

    threshold: float
    merge_gap: int
    max_stretches: int | None
    words: bool
    punctuation: bool | None
    pad: int


FLARE: Final[StretchSettings] = {
    "threshold": LOW_PROBABILITY,
    "merge_gap": 3,
    "words": False,
    "punctuation": False,
    "pad": 2,
}
"""The rule of LangChain's FlareChain with its defaults: indices less than 5 apart merge, two tokens more on the right.

FlareChain's `min_token_gap` is `merge_gap + 2`, its `num_pad_tokens` is `pad`, its `min_prob` is `threshold`.
"""


class Stretch(NamedTuple):
    """A part of the answer that holds tokens of low probability.

    A named tuple for the reason that the tokens are: a weak answer has hundreds.

    Attributes:
        text: The text of the stretch; where the alignment failed, the joined text of its tokens.
        start: Offset of its first character in the text, in code points. None where the alignment failed.
        end: Offset behind its last character, in code points; None as above.
        byte_start: As `start`, in UTF-8 bytes.
        byte_end: As `end`, in UTF-8 bytes.
        token_start: Index of its first token.
        token_count: How many tokens it touches, completed words and gaps included.
        low_count: How many of them made it a stretch: low or censored ones.
        censored_count: How many of these have no usable logprob.
        min_probability: Smallest probability of the low tokens; None where all of them are censored.
        min_index: Index of the token of `min_probability`; of the first low token where all are censored.
        mean_logprob: Mean logprob in nats of all its tokens that have a usable one; None where none has.
        severity: `very_low`, `low` or `watch`, by the weakest token.
        alternatives: What else the model could have said in the place of the token at `min_index`.

    Example:
        >>> from langchain_logprobs import TokenLogprob, low_confidence_stretches
        >>> [stretch] = low_confidence_stretches([TokenLogprob("In ", -0.1), TokenLogprob("1935", -2.1)])
        >>> stretch.text, stretch.start, stretch.end, stretch.severity
        ('1935', 3, 7, 'low')
    """

    text: str
    start: int | None
    end: int | None
    byte_start: int | None
    byte_end: int | None
    token_start: int
    token_count: int
    low_count: int
    censored_count: int
    min_probability: float | None
    min_index: int
    mean_logprob: float | None
    severity: Severity
    alternatives: Alternatives


class _Run(NamedTuple):
    """Low tokens that belong together, and the range of tokens and characters that they cover."""

    low: list[int]
    first: int
    last: int
    start: int
    end: int


def low_confidence_stretches(
    tokens: Sequence[TokenLogprob],
    text: str | Alignment | None = None,
    *,
    threshold: float = LOW_PROBABILITY,
    merge_gap: int = 1,
    max_stretches: int | None = None,
    words: bool = True,
    punctuation: bool | None = None,
    pad: int = 0,
) -> list[Stretch]:
    r"""Find the parts of an answer in which the model was unsure.

    A token is low if its probability is below the threshold or it is censored (it has no honest logprob). Low tokens
    with few others between them make one stretch; its edges are trimmed of white space and moved out to whole words.
    After FLARE (Jiang et al. 2023, arXiv:2305.06983), whose rule in LangChain is the preset:
    `low_confidence_stretches(tokens, text, **FLARE)`.

    Tokens that have no place in the text are left out, but a reasoning part that stands in the text is a part of it:
    which tokens are the answer is left to the caller, or to `confidence_of`, whose `stretches` are those of a span.

    Args:
        tokens: The tokens of the answer.
        text: The answer's text, or its alignment where that is known already. None: what the tokens spell.
        threshold: Probability below which a token is low. The default is uncalibrated, like every fixed threshold.
        merge_gap: How many tokens that are not low may lie between two low ones of one stretch.
        max_stretches: Keep only this many, the worst ones. None keeps all.
        words: Whether a stretch covers whole words. Scripts without spaces are left as they are. False: it covers
            whole tokens, untrimmed.
        punctuation: Whether a token without a letter or digit can be low. None: only in JSON and code blocks, where
            punctuation is what the model decides on; in prose a rare comma is no doubt. White space never is.
        pad: How many more tokens to add on the right (FLARE adds two).

    Returns:
        The stretches in the order of the text. Tokens that have no place in the text are left out. Where the alignment
        failed, every token counts and the offsets are None.

    Raises:
        ValueError: The threshold is not in (0, 1], or a count is negative.

    Example:
        >>> from langchain_logprobs import TokenLogprob, low_confidence_stretches
        >>> tokens = [TokenLogprob("Quick", -0.1), TokenLogprob("s", -3.0), TokenLogprob("ilver rises.", -0.1)]
        >>> [stretch.text for stretch in low_confidence_stretches(tokens)]
        ['Quicksilver']
    """
    if max_stretches is not None and max_stretches < 0:
        raise ValueError(f"max_stretches must not be negative, got {max_stretches!r}")
    stretches, _ = find_stretches(
        tokens,
        text,
        threshold=threshold,
        merge_gap=merge_gap,
        most=max_stretches,
        words=words,
        punctuation=punctuation,
        pad=pad,
    )
    return stretches


def find_stretches(
    tokens: Sequence[TokenLogprob],
    text: str | Alignment | None,
    *,
    threshold: float = LOW_PROBABILITY,
    merge_gap: int = 1,
    most: int | None = None,
    words: bool = True,
    punctuation: bool | None = None,
    pad: int = 0,
    among: Sequence[int] | None = None,
) -> tuple[list[Stretch], int]:
    """Find the worst stretches, and how many there are in all; see `low_confidence_stretches`.

    `among`: the positions of the tokens that can make a stretch; None for all.
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold!r}")
    for name, value in (("merge_gap", merge_gap), ("pad", pad)):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value!r}")
    # A little above the exact bound: the few tokens this lets through are compared as probabilities, as FLARE does.
    bound = math.log(threshold) + 1e-9
    tokens = Tokens.of(tokens)
    logprobs = tokens.logprobs
    low = [index for index, logprob in enumerate(logprobs) if not bound <= logprob]  # nor is NaN, a censored one
    if among is not None:
        allowed = set(among)
        low = [index for index in low if index in allowed]
    if not low:
        return [], 0
    alignment = text if isinstance(text, Alignment) else align(tokens, text)
    if punctuation is None:
        punctuation = _BLANK_OR_CODE.match(alignment.text) is not None
    low = _significant(tokens, alignment, low, threshold, words, punctuation)
    groups = _grouped(low, merge_gap)
    runs = (_completed if words and not alignment.failed else _covered)(alignment, groups, pad)
    kept = runs
    if most is not None and len(runs) > most:  # a weak answer has hundreds, and making one costs more than finding it
        worst = sorted(range(len(runs)), key=lambda run: min(map(_order, map(logprobs.__getitem__, runs[run].low))))
        kept = [runs[index] for index in sorted(worst[:most])]
    return [_stretch(tokens, alignment, run) for run in kept], len(runs)


def _order(logprob: float) -> float:
    return logprob if logprob == logprob else -math.inf  # a censored token is weaker than any other


def worst_stretches(stretches: Sequence[Stretch], count: int) -> list[Stretch]:
    """Keep the stretches with the weakest tokens.

    Args:
        stretches: Stretches in the order of the text.
        count: How many to keep.

    Returns:
        At most `count` of them, still in the order of the text. A censored token is weaker than any other; among
        equals the earlier one stays.
    """
    if len(stretches) <= count:
        return list(stretches)
    kept = sorted(range(len(stretches)), key=lambda index: _weakness(stretches[index]))[:count]
    return [stretches[index] for index in sorted(kept)]


def _weakness(stretch: Stretch) -> float:
    return 0.0 if stretch.censored_count or stretch.min_probability is None else stretch.min_probability


def _significant(
    tokens: Tokens,
    alignment: Alignment,
    low: list[int],
    threshold: float,
    words: bool,
    punctuation: bool,
) -> list[int]:
    """Leave out the tokens outside the text, white space, and punctuation where it does not count."""
    pattern = _NOT_BLANK if punctuation else _LETTER
    text, starts, ends = alignment.text, alignment.starts, alignment.ends
    kept = []
    for index in low:
        if alignment.failed or not words:
            shown = pattern.search(tokens.texts[index])
        else:
            # The text, not the token: "\xf0\x9f" as literal escapes is an emoji, though it spells letters.
            shown = pattern.search(text, starts[index], ends[index])
        if shown is None or (not alignment.failed and starts[index] == ends[index]):
            continue
        if not math.exp(tokens.logprobs[index]) >= threshold:  # nor is NaN, a censored one
            kept.append(index)
    return kept


def _grouped(low: list[int], merge_gap: int) -> list[list[int]]:
    groups: list[list[int]] = []
    previous = None
    for index in low:
        if previous is not None and index - previous <= merge_gap + 1:
            groups[-1].append(index)
        else:
            groups.append([index])
        previous = index
    return groups


def _covered(alignment: Alignment, groups: list[list[int]], pad: int) -> list[_Run]:
    """Return the runs that cover the groups, from their first tokens to their last, and `pad` more."""
    runs = []
    for low in groups:
        first, last = low[0], min(low[-1] + pad, alignment.token_count - 1)
        place = (0, 0) if alignment.failed else (alignment.starts[first], alignment.ends[last])
        runs.append(_Run(low, first, last, *place))
    return runs


def _completed(alignment: Alignment, groups: list[list[int]], pad: int) -> list[_Run]:
    """Return the runs that cover the groups and the words at their edges; groups that share a word are one run."""
    text, starts, ends = alignment.text, alignment.starts, alignment.ends
    last_token = len(starts) - 1
    runs: list[_Run] = []
    for low in groups:
        first, last = low[0], low[-1]
        start, end = _whole_words(text, starts[first], ends[min(last + pad, last_token)])
        touched = alignment.tokens_between(start, end)
        if touched.start < first:
            first = touched.start
        if touched.stop > last + 1:
            last = touched.stop - 1
        if runs and (first <= runs[-1].last or start < runs[-1].end):
            before = runs.pop()
            low, first = before.low + low, before.first
            start, end = min(before.start, start), max(before.end, end)
        runs.append(_Run(low, first, last, start, end))
    return runs


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Trim white space from a part of the text, which has more than that, and complete the words at its edges."""
    part = text[start:end]
    end -= len(part) - len(part.rstrip())
    start += len(part) - len(part.lstrip())
    leftmost = start - _WIDEST_WORD
    while start > leftmost and _INSIDE_WORD.match(text, start):
        start -= 1
    rest = _REST_OF_WORD.match(text, end)
    return start, rest.end() if rest else end


def _stretch(tokens: Tokens, alignment: Alignment, run: _Run) -> Stretch:
    low = run.low
    scored = [(logprob, index) for index in low if (logprob := tokens.logprobs[index]) == logprob]
    censored_count = len(low) - len(scored)
    weakest, min_index = min(scored) if scored else (None, low[0])
    min_probability = None if weakest is None else math.exp(weakest)
    logprobs = [logprob for logprob in tokens.logprobs[run.first : run.last + 1] if logprob == logprob]
    if alignment.failed:
        text = "".join(tokens.texts[run.first : run.last + 1])
        offsets: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    else:
        text = alignment.text[run.start : run.end]
        offsets = (run.start, run.end, alignment.byte_offset(run.start), alignment.byte_offset(run.end))
    if censored_count or min_probability is None or min_probability < VERY_LOW_PROBABILITY:
        severity: Severity = "very_low"
    else:
        severity = "low" if min_probability < LOW_PROBABILITY else "watch"
    return Stretch(
        text,
        *offsets,
        run.first,
        run.last - run.first + 1,
        len(low),
        censored_count,
        min_probability,
        min_index,
        math.fsum(logprobs) / len(logprobs) if logprobs else None,
        severity,
        tokens.alternatives_at(min_index),
    )
