"""How probable was each allowed value of a field? The alternatives of its tokens, followed like a trie.

At every token of the emitted value each alternative is a branch that the model did not take. If what it spells fits
one allowed value only, its probability belongs to that value; if it fits several, it stays unresolved, for the tokens
that would have come after it are not known; if it fits none, it is something else. Nothing is renormalised at a step:
the masses are probabilities of the model, and what is missing to 1 is said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.alignment.token_bytes import lost_bytes, token_bytes, utf8
from langchain_logprobs.confidence.fields.schema import Scalar
from langchain_logprobs.formats.tokens import TokenLogprob, usable_logprob

_BLANK = b" \t\n\r"
_DECODER = json.JSONDecoder(strict=False)
_WORD_BYTES = frozenset(bytes([byte]) for byte in b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+-.")


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """One allowed value of a field.

    Attributes:
        value: The value.
        mass: The probability of what begins like this value and like no other allowed one.
        upper: The most that it can have: its mass, all of the unresolved mass that fits it, and all that the
            provider's alternatives leave unseen.
        probability: Its mass as a share of the coverage: the estimate if the allowed values are all that matters.
            None where the coverage is 0.
    """

    value: Scalar
    mass: float
    upper: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """The probabilities of a field's allowed values.

    `coverage`, `unresolved` and `other` add up to at most 1; the rest lies in alternatives that the provider did not
    send.

    Attributes:
        labels: The allowed values, the most probable first.
        coverage: Sum of the labels' masses.
        unresolved: Probability of beginnings that fit more than one of them.
        other: Probability of what is none of them.
    """

    labels: tuple[LabelProbability, ...]
    coverage: float
    unresolved: float
    other: float

    @property
    def unseen(self) -> float:
        """Probability of all that the provider's alternatives do not show."""
        return max(0.0, 1.0 - self.coverage - self.unresolved - self.other)


class _Walk:
    """The masses found so far."""

    def __init__(self, encodings: Sequence[bytes]) -> None:
        self.encodings = encodings
        self.masses: list[list[float]] = [[] for _ in encodings]
        self.unresolved: list[tuple[list[int], float]] = []
        self.other: list[float] = []

    def fitting(self, spelled: bytes, among: Sequence[int]) -> list[int]:
        """The labels that begin as spelled, or that were spelled to their end."""
        fitting = []
        for index in among:
            encoding = self.encodings[index]
            if encoding.startswith(spelled) or (spelled.startswith(encoding) and _ends(encoding, spelled)):
                fitting.append(index)
        return fitting

    def add(self, labels: list[int], mass: float) -> None:
        """Give mass to the one label, to the unresolved ones, or to what is none of them."""
        if len(labels) == 1:
            self.masses[labels[0]].append(mass)
        elif labels:
            self.unresolved.append((labels, mass))
        else:
            self.other.append(mass)

    def result(self, values: Sequence[Scalar]) -> Distribution:
        masses = [min(1.0, math.fsum(parts)) for parts in self.masses]
        coverage = min(1.0, math.fsum(masses))  # rounded logprobs can add up to a little more than 1
        unresolved = min(1.0 - coverage, math.fsum(mass for _, mass in self.unresolved))
        other = min(1.0 - coverage - unresolved, math.fsum(self.other))
        unseen = max(0.0, 1.0 - coverage - unresolved - other)
        labels = []
        for index, (value, mass) in enumerate(zip(values, masses, strict=True)):
            possible = math.fsum(part for indices, part in self.unresolved if index in indices)
            share = mass / coverage if coverage else None
            labels.append(LabelProbability(value, mass, min(1.0, mass + possible + unseen), share))
        labels.sort(key=lambda label: -label.mass)  # stable: equal ones stay in the schema's order
        return Distribution(tuple(labels), coverage, unresolved, max(0.0, other))


def distribution(
    tokens: Sequence[TokenLogprob],
    alignment: Alignment,
    byte_span: tuple[int, int],
    first: int,
    allowed: Sequence[Scalar],
    encodings: Sequence[bytes],
) -> Distribution | None:
    """Work out how probable each allowed value of a field was.

    Args:
        tokens: The tokens of the answer.
        alignment: Their alignment with the text.
        byte_span: Start and end of the field's value in UTF-8 bytes, quotes included; the value is closed.
        first: Index of the first token of its core.
        allowed: The allowed values.
        encodings: Their `encodings`.

    Returns:
        The distribution; None where none of the tokens walked has alternatives.
    """
    data = alignment.data
    start, end = byte_span
    walk = _Walk(_as_emitted(allowed, encodings, data[start:end]))
    labels = list(range(len(allowed)))
    reach = 1.0  # the probability of having come as far as the emitted tokens did
    any_alternatives = False
    for index in range(first, len(tokens)):
        token = tokens[index]
        span = alignment.byte_span(index)
        if span is not None:
            begin, stop = span
            following = alignment.byte_span(index + 1) if index + 1 < len(tokens) else None
            if following is not None and following[0] < stop:
                stop = max(begin, following[0])  # tokens of one character whose bytes were lost: not decided yet
            reached = data[start:stop]
        elif end == len(data):
            begin = end
            reached = data[start:end] + b"\n"  # the end of the answer ends the value as well as a comma does
        else:
            break
        any_alternatives = any_alternatives or bool(token.alternatives)
        seen = _add_alternatives(walk, token, data[begin:start], data[start:begin], labels, reach)
        logprob = usable_logprob(token.logprob)
        labels = walk.fitting(reached, labels)
        if logprob is None:
            # How probable the emitted token was is not known, but no more than its alternatives leave.
            walk.unresolved.append((labels, reach * max(0.0, 1.0 - seen)))
            reach = 0.0
            break
        reach *= math.exp(logprob)
        if len(labels) <= 1:
            break
    walk.add(labels, reach)
    return walk.result(allowed) if any_alternatives else None


def _add_alternatives(
    walk: _Walk, token: TokenLogprob, lead: bytes, spelled: bytes, labels: list[int], reach: float
) -> float:
    """Give the mass of each branch not taken to the labels it fits; return the sum of their probabilities here.

    Args:
        walk: Takes the masses.
        token: The emitted token, with its alternatives.
        lead: What the emitted token spells before the value.
        spelled: What the tokens before it spell of the value.
        labels: The labels that fit that.
        reach: The probability of having come here.
    """
    lead = lead.rstrip(_BLANK)
    emitted = False
    seen = []
    for alternative in token.alternatives:
        if not emitted and alternative.token == token.token:
            emitted = True  # the emitted token itself; the same text again is another token
            continue
        logprob = usable_logprob(alternative.logprob)
        if logprob is None:
            continue
        probability = math.exp(logprob)
        seen.append(probability)
        branch = token_bytes(alternative)
        if not branch or lost_bytes(alternative) or (lead and lead.startswith(branch)):
            fitting = labels  # it says nothing about the value yet
        elif not branch.startswith(lead):
            fitting = []
        else:
            rest = branch[len(lead) :]
            fitting = walk.fitting(spelled + rest if spelled else rest.lstrip(_BLANK), labels)
        walk.add(fitting, reach * probability)
    return math.fsum(seen)


def encodings(allowed: Sequence[Scalar]) -> list[bytes]:
    """The JSON text of each label: with the closing quote, so that no label is the beginning of another."""
    return [utf8(json.dumps(label, ensure_ascii=False)) for label in allowed]


def _as_emitted(allowed: Sequence[Scalar], encodings: Sequence[bytes], raw: bytes) -> Sequence[bytes]:
    """The labels' encodings; of the emitted one as the model spelled it (escapes, 1.0 for 1)."""
    if raw in encodings:
        return encodings
    try:
        emitted = _DECODER.decode(raw.decode("utf-8", "surrogatepass"))
    except ValueError:  # a number of more digits than Python reads
        return encodings
    return [
        raw if label == emitted and isinstance(label, bool) == isinstance(emitted, bool) else encoding
        for label, encoding in zip(allowed, encodings, strict=True)
    ]


def _ends(encoding: bytes, spelled: bytes) -> bool:
    """Whether a label that was spelled to its end ends there: 1 goes on in 10, "a" cannot go on."""
    return (
        len(spelled) == len(encoding)
        or encoding.endswith(b'"')
        or spelled[len(encoding) : len(encoding) + 1] not in _WORD_BYTES
    )
