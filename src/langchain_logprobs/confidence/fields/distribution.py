"""How probable was each allowed value of a field? The alternatives of its tokens, followed like a trie.

At every token of the emitted value, from the one with its first character on (a string's quote included), each
alternative is a branch that the model did not take. If what it spells fits one allowed value only, its probability
belongs to that value; if it fits several, it stays unresolved, for the tokens that would have come after it are not
known; if it fits none, it is something else. Where values of a whole type are allowed (any string, or null), its mass
is that of the type. Nothing is renormalised at a step: the masses are probabilities of the model, and what is missing
to 1 is said.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langchain_logprobs.confidence.alignment.align import Alignment
from langchain_logprobs.confidence.fields.json_scan import Kind
from langchain_logprobs.confidence.fields.labels import LabelIndex, Scalar, kind_of, kind_of_label
from langchain_logprobs.confidence.fields.token_reader import TokenReader

_BLANK = b" \t\n\r"
_MAX_LEAD = 1000
"""Bytes that a token may spell before a value for its alternatives to be compared with it. A longer token holds a
large part of the answer, and comparing it anew for each value in it would take quadratic time."""


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """One allowed value of a field.

    Attributes:
        value: The value.
        mass: The probability of what begins like this value and like no other allowed one.
        upper: The most that it can have: its mass, all of the unresolved mass that fits it, and all that the
            provider's alternatives leave unseen. Never below the true probability (numbers in exponent notation and
            other unusual spellings aside).
        probability: Its mass as a share of the coverage: the estimate if the allowed values are all that matters.
            None where the coverage is 0.
    """

    value: Scalar
    mass: float
    upper: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class KindProbability:
    """A JSON type of which every value is allowed, such as the string of an optional string.

    Attributes:
        kind: The type.
        mass: The probability of what begins like a value of this type.
        upper: The most that it can have, as of a label.
    """

    kind: Kind
    mass: float
    upper: float


class RunnerUp(NamedTuple):
    """What else a field could have been: the most probable of the allowed values that it is not.

    Attributes:
        value: The value; None where it is null, and where only its type is known, see `kind`.
        probability: Its mass, which can be more than that of the emitted value.
        kind: Its JSON type.
        only_kind: Whether it stands for all values of its type.
    """

    value: Scalar
    probability: float
    kind: Kind
    only_kind: bool = False

    def __str__(self) -> str:
        """Return it as JSON, or as "any string" and the like.

        Example:
            >>> str(RunnerUp("blue", 0.3, "string")), str(RunnerUp(None, 0.3, "number", True))
            ('"blue"', 'any number')
        """
        return f"any {self.kind}" if self.only_kind else json.dumps(self.value, ensure_ascii=False)


class _Fit(NamedTuple):
    """What a beginning can become: labels, by their ranks, and whole types."""

    ranks: tuple[range, ...]
    kinds: tuple[Kind, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.ranks)) + len(self.kinds)


@dataclass(frozen=True, slots=True)
class Distribution:
    """The probabilities of a field's allowed values.

    `coverage`, `unresolved` and `other` add up to at most 1; the rest lies in alternatives that the provider did not
    send.

    Attributes:
        coverage: Sum of the masses of the allowed values and types.
        unresolved: Probability of beginnings that fit more than one of them.
        other: Probability of what is none of them.
    """

    coverage: float
    unresolved: float
    other: float
    _index: LabelIndex = field(repr=False, hash=False)
    _masses: dict[int, float] = field(repr=False, hash=False)  # by rank; a label without one has none
    _kind_masses: dict[Kind, float] = field(repr=False, hash=False)
    _parts: tuple[tuple[_Fit, float], ...] = field(repr=False)  # the unresolved ones
    _emitted: int | Kind | None = field(repr=False)  # the emitted value's rank or type

    @property
    def unseen(self) -> float:
        """Probability of all that the provider's alternatives do not show."""
        return max(0.0, 1.0 - self.coverage - self.unresolved - self.other)

    @property
    def labels(self) -> tuple[LabelProbability, ...]:
        """The allowed values, the most probable first. Made when asked for: there can be thousands."""
        size = len(self._index.values)
        steps = [0.0] * (size + 1)
        for fit, mass in self._parts:
            for ranks in fit.ranks:
                steps[ranks.start] += mass
                steps[ranks.stop] -= mass
        labels: list[LabelProbability | None] = [None] * size
        unseen, possible = self.unseen, 0.0
        for rank, step in enumerate(steps[:size]):
            possible += step
            mass = self._masses.get(rank, 0.0)
            upper = min(1.0, mass + max(0.0, possible) + unseen)
            share = mass / self.coverage if self.coverage else None
            labels[self._index.order[rank]] = LabelProbability(self._index.value(rank), mass, upper, share)
        # Stable: equally probable ones stay in the schema's order.
        return tuple(sorted([label for label in labels if label], key=lambda label: -label.mass))

    @property
    def kinds(self) -> tuple[KindProbability, ...]:
        """The types of which every value is allowed, the most probable first; empty for a closed list."""
        found = []
        for kind, mass in self._kind_masses.items():
            possible = math.fsum(part for fit, part in self._parts if kind in fit.kinds)
            found.append(KindProbability(kind, mass, min(1.0, mass + possible + self.unseen)))
        return tuple(sorted(found, key=lambda one: -one.mass))

    @property
    def runner_up(self) -> RunnerUp | None:
        """The most probable allowed value that was not emitted; None where the tokens show none."""
        best: RunnerUp | None = None
        for rank in sorted(self._masses, key=self._index.order.__getitem__):  # of equal ones the schema's first
            mass = self._masses[rank]
            if rank != self._emitted and mass > (best.probability if best else 0.0):
                value = self._index.value(rank)
                best = RunnerUp(value, mass, kind_of_label(value))
        for kind, mass in self._kind_masses.items():
            if kind != self._emitted and mass > (best.probability if best else 0.0):
                best = RunnerUp(None, mass, kind, only_kind=True)
        return best

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; of the labels only those that have a mass."""
        return {
            "labels": [{"value": label.value, "mass": label.mass, "upper": label.upper}
                       for label in self.labels if label.mass],
            "kinds": [{"kind": one.kind, "mass": one.mass, "upper": one.upper} for one in self.kinds],
            "coverage": self.coverage,
            "unresolved": self.unresolved,
            "other": self.other,
        }  # fmt: skip


class _Walk:
    """The masses found so far."""

    def __init__(self, index: LabelIndex, open_kinds: frozenset[Kind]) -> None:
        self.index = index
        self.open_kinds = open_kinds
        self.masses: dict[int, float] = {}
        self.kinds: dict[Kind, float] = dict.fromkeys(sorted(open_kinds), 0.0)
        self.parts: list[tuple[_Fit, float]] = []
        self.other = 0.0

    def fit(self, spelled: bytes) -> _Fit:
        """What a value that begins as spelled can become."""
        if not spelled:
            return _Fit(self.index.fitting(b""), tuple(self.kinds))
        kind = kind_of(spelled)
        if kind in self.open_kinds:
            return _Fit((), (kind,))
        return _Fit(self.index.fitting(spelled), ())

    def add(self, fit: _Fit, mass: float) -> None:
        """Give mass to the one label or type, to the unresolved ones, or to what is none of them."""
        if fit.size > 1:
            self.parts.append((fit, mass))
        elif fit.kinds:
            self.kinds[fit.kinds[0]] += mass
        elif fit.ranks:
            rank = fit.ranks[0].start
            self.masses[rank] = self.masses.get(rank, 0.0) + mass
        else:
            self.other += mass

    def result(self, emitted: int | Kind | None) -> Distribution:
        """Sum up. Rounded logprobs can add up to a little more than 1."""
        masses = {rank: min(1.0, mass) for rank, mass in self.masses.items()}
        kinds = {kind: min(1.0, mass) for kind, mass in self.kinds.items()}
        coverage = min(1.0, math.fsum(masses.values()) + math.fsum(kinds.values()))
        unresolved = min(1.0 - coverage, math.fsum(mass for _, mass in self.parts))
        other = max(0.0, min(1.0 - coverage - unresolved, self.other))
        return Distribution(
            coverage=coverage,
            unresolved=unresolved,
            other=other,
            _index=self.index,
            _masses=masses,
            _kind_masses=kinds,
            _parts=tuple(self.parts),
            _emitted=emitted,
        )


def distribution(
    reader: TokenReader,
    alignment: Alignment,
    byte_span: tuple[int, int],
    first: int,
    index: LabelIndex,
    *,
    value: Scalar | object,
    kind: Kind,
    open_kinds: frozenset[Kind] = frozenset(),
) -> Distribution | None:
    """Work out how probable each allowed value of a field was.

    Args:
        reader: The tokens of the answer.
        alignment: Their alignment with the text.
        byte_span: Start and end of the field's value in UTF-8 bytes, quotes included; it is closed, or of an open kind.
        first: Index of the token that holds its first character.
        index: The allowed values.
        value: The emitted value; any object where its type is an open one.
        kind: Its JSON type.
        open_kinds: The types of which every value is allowed.

    Returns:
        The distribution; None where none of the tokens walked has alternatives.
    """
    data = alignment.data
    start, end = byte_span
    walk = _Walk(index, open_kinds)
    fit = walk.fit(b"")
    reach = 1.0  # the probability of having come as far as the emitted tokens did
    any_alternatives = False
    for place in range(first, len(reader)):
        span = alignment.byte_span(place)
        if span is not None:
            begin, stop = span
            following = alignment.byte_span(place + 1) if place + 1 < len(reader) else None
            if following is not None and following[0] < stop:
                stop = max(begin, following[0])  # tokens of one character whose bytes were lost: not decided yet
            # One byte behind the value says that it ended; a token can hold all of the answer.
            reached = data[start : min(stop, end + 1)]
        elif end == len(data):
            begin = end
            reached = data[start:end] + b"\n"  # the end of the answer ends the value as well as a comma does
        else:
            break
        any_alternatives = any_alternatives or reader.has_alternatives(place)
        seen = _add_alternatives(walk, reader, place, lead_of(data, begin, start), data[start:begin], reach)
        probability = reader.probability(place)
        fit = walk.fit(reached)
        if probability is None:
            # How probable the emitted token was is not known, but no more than its alternatives leave.
            walk.parts.append((fit, reach * max(0.0, 1.0 - seen)))
            reach = 0.0
            break
        reach *= probability
        if fit.size <= 1:
            break
    walk.add(fit, reach)
    return walk.result(kind if kind in open_kinds else index.rank(value)) if any_alternatives else None


def _add_alternatives(
    walk: _Walk, reader: TokenReader, place: int, lead: bytes | None, spelled: bytes, reach: float
) -> float:
    """Give the mass of each branch not taken to the labels it fits; return the sum of their probabilities here.

    Args:
        walk: Takes the masses.
        reader: The tokens.
        place: The index of the emitted token.
        lead: What it spells before the value; None where that is too long to be compared.
        spelled: What the tokens before it spell of the value.
        reach: The probability of having come here.
    """
    here = walk.fit(spelled)
    seen = []
    for branch, probability in reader.others(place):
        seen.append(probability)
        rest = rest_behind(branch, lead)
        if rest is None:
            walk.add(_Fit((), ()), reach * probability)
            continue
        if not spelled:
            rest = rest.lstrip(_BLANK)
        if rest:
            walk.add(walk.fit(spelled + rest), reach * probability)
        else:
            walk.parts.append((here, reach * probability))  # it says nothing about the value yet
    return math.fsum(seen)


def lead_of(data: bytes, begin: int, start: int) -> bytes | None:
    """Return what a token that begins at one offset spells before a value at another; None where that is too long."""
    return data[begin:start] if start - begin <= _MAX_LEAD else None


def rest_behind(branch: bytes, lead: bytes | None) -> bytes | None:
    """Return what an alternative spells of a value, where the emitted token spells something before it.

    Args:
        branch: What the alternative spells; nothing where that is lost.
        lead: What the emitted token spells before the value; None where that is too long to be compared.

    Returns:
        Its bytes behind the lead; empty where it says nothing about the value yet; None where it spells something
        else in the lead's place.
    """
    if lead is None or not branch:
        return b""
    lead = lead.rstrip(_BLANK)
    if branch.startswith(lead):
        return branch[len(lead) :]
    place = 0
    for byte in lead.translate(None, _BLANK):  # the same with other white space in between
        while place < len(branch) and branch[place] in _BLANK:
            place += 1
        if place == len(branch):
            return b""
        if branch[place] != byte:
            return None
        place += 1
    return branch[place:]
