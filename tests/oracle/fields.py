"""The confidence of every value, a second time: from its first character over its core to its end.

Slow, obvious, and without a line of the product's own. Offsets are in UTF-8 bytes of the text.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob
from tests.oracle import alignment
from tests.oracle.documents import CONTAINERS, Document, Value
from tests.oracle.measures import usable
from tests.oracle.schemas import Label, Place, identity, kind_of

LONG_TEXT = 16
"""Strings of more tokens have their probability per token as their confidence: no one asks for their very wording."""
BLANK = b" \t\n\r"
Read = Callable[[TokenLogprob | Alternative], bytes]
"""How the tokens are read: gives the bytes of one."""
Numbers = dict[str, Any]


@dataclass
class Tokens:
    """The tokens of an answer and their places in its text."""

    tokens: Sequence[TokenLogprob]
    spans: alignment.Spans
    text: str
    read: Read
    whole: bool
    """Whether no token is missing, so that what has no token is white space that was stripped."""

    def at(self, start: int, end: int) -> range:
        """The tokens that spell a part of the text."""
        found = [index for index, span in enumerate(self.spans) if span and span[0] < end and span[1] > start]
        return range(found[0], found[-1] + 1) if found else range(0)

    def cover(self, start: int, end: int) -> bool:
        """Whether tokens spell all of a part."""
        spelled = {at for span in self.spans if span for at in range(*span)}
        missing = [at for at in range(start, end) if at not in spelled]
        return bool(self.at(start, end)) and (not missing or self.whole)

    def others(self, index: int) -> Iterator[tuple[Alternative, float]]:
        """The alternatives that were not taken, with their probabilities."""
        taken = False
        for other in self.tokens[index].alternatives:
            if not taken and other.token == self.tokens[index].token:
                taken = True
            elif (logprob := usable(other.logprob)) is not None:
                yield other, math.exp(logprob)

    def probability(self, index: int) -> float | None:
        logprob = usable(self.tokens[index].logprob)
        return None if logprob is None else math.exp(logprob)

    def bound(self, index: int) -> float:
        """The most that a token's probability can be."""
        known = self.probability(index)
        listed = [probability for _, probability in self.others(index)]
        return known if known is not None else max(0.0, min([1.0, *listed, 1.0 - math.fsum(listed)]))

    def offset(self, code_point: int) -> int:
        return len(alignment.encode(self.text[:code_point]))


def fields(
    tokens: Tokens,
    document: Document,
    place: Place | None,
    *,
    shift: int = 0,
    labels: list[Label] | None = None,
    bare: bool = False,
) -> list[Numbers]:
    """What is said of each value, in the order of the text.

    Args:
        tokens: The tokens.
        document: The values; their offsets and `shift` together count in the tokens' text, in code points.
        place: Where the document stands in the schema.
        labels: What the one value could have been, where the schema does not say it.
        bare: Whether it is a label without quotes.
    """
    assert document.root is not None
    said: dict[int, Numbers] = {}
    for value in reversed(document.values):  # what a container holds before the container
        said[id(value)] = Field(tokens, value, shift, bare).numbers(said)
    for value in document.values:
        there = place_of(value, place)
        allowed, kinds = choices(value, there)
        if labels is not None:
            allowed, kinds = labels, set()
        own = said[id(value)]
        own["distribution"] = None
        if allowed is not None and own["token_count"] and (value.closed or value.kind in kinds):
            own["distribution"] = Walk(tokens, allowed, kinds, bare).over(Field(tokens, value, shift, bare))
    return [said[id(value)] for value in document.values]


def place_of(value: Value, root: Place | None) -> Place | None:
    if value.parent is None or root is None:
        return root
    above = place_of(value.parent, root)
    return above.child(value.key) if above else None


def choices(value: Value, place: Place | None) -> tuple[list[Label] | None, set[str]]:
    """The values to tell apart and the types of which every value is allowed; None where there is no choice."""
    if place is not None and place.is_choice:
        return place.listed(), place.kinds
    words: dict[str, list[Label]] = {"boolean": [True, False], "null": [None]}
    return words.get(value.kind), set()


class Field:
    """One value and its tokens."""

    def __init__(self, tokens: Tokens, value: Value, shift: int, bare: bool) -> None:
        self.tokens, self.value, self.shift, self.bare = tokens, value, shift, bare
        core = (value.start, value.end) if bare else value.core
        self.start, self.end = tokens.offset(value.start + shift), tokens.offset(value.end + shift)
        self.core_start, self.core_end = tokens.offset(core[0] + shift), tokens.offset(core[1] + shift)
        self.quoted = self.core_start > self.start
        self.empty = value.kind in CONTAINERS or core[0] == core[1]
        low, high = (self.start, self.end) if self.empty else (self.core_start, self.core_end)
        self.mine: list[int] = []
        if not value.members and tokens.cover(low, high):
            self.mine = [*tokens.at(low, high)]
        self.holder = bool(value.members)

    def collect(self) -> list[int]:
        """The tokens of a container: those of all that it holds."""
        if not self.holder:
            return self.mine
        inner = [Field(self.tokens, one, self.shift, self.bare).collect() for one in self.value.members]
        return sorted({index for each in inner for index in each})

    def numbers(self, said: dict[int, Numbers]) -> Numbers:
        value, tokens = self.value, self.tokens
        mine = self.collect()
        logprobs = [usable(tokens.tokens[index].logprob) for index in mine]
        scored = [logprob for logprob in logprobs if logprob is not None]
        start, end = self.start_edge(mine), self.end_edge(mine)
        own: Numbers = {
            "path": value.path, "kind": value.kind, "start": value.start, "end": value.end, "closed": value.closed,
            "shadowed": value.shadowed, "token_start": mine[0] if mine else None, "token_count": len(mine),
            "joint_logprob": math.fsum(scored) if scored else None,
            "start_probability": start[1] if start else None, "end_probability": end[1] if end else None,
        }  # fmt: skip
        edges = [edge for edge in (start, end) if edge]
        counting = [edge for edge in edges if not (value.parent is None and value.kind in CONTAINERS)]
        hidden = [index for index, logprob in zip(mine, logprobs, strict=True) if logprob is None]
        hidden += [index for index, probability in counting if probability is None]
        weak = [(math.exp(p), index) for index, p in zip(mine, logprobs, strict=True) if p is not None]
        weak += [(probability, index) for index, probability in counting if probability is not None]
        own["censored_count"] = len(hidden)
        own["min_probability"] = None if hidden or not weak else min(weak)[0]
        own["min_indexes"] = [min(hidden)] if hidden else [index for p, index in weak if p == min(weak)[0]]
        if self.holder:
            own.update(self.of_container(said, start))
        else:
            own.update(self.of_value(mine, logprobs, start, end))
        return own

    def of_container(self, said: dict[int, Numbers], start: tuple[int, float | None] | None) -> Numbers:
        """A container is as sure as the least sure of what it holds, and as its own bracket."""
        # What a later value of the same key replaces does not count; in a container that is replaced itself, all does.
        members = [said[id(one)] for one in self.value.members if self.value.shadowed or not one.shadowed]
        least = [one["confidence"] for one in members]
        bounds = [one["confidence"] if one["confidence"] is not None else one["confidence_bound"] for one in members]
        if start and self.value.parent is not None:
            least.append(start[1])
            bounds.append(start[1] if start[1] is not None else self.tokens.bound(start[0]))
        if None not in least:
            return {"probability": None, "confidence": min(least, default=None), "confidence_bound": None}
        bound = min([1.0, *(one for one in bounds if one is not None)])
        return {"probability": None, "confidence": None, "confidence_bound": bound}

    def of_value(self, mine: list[int], logprobs: list[float | None], start: tuple[int, float | None] | None,
                 end: tuple[int, float | None] | None) -> Numbers:  # fmt: skip
        if not mine:
            return {"probability": None, "confidence": None, "confidence_bound": None}
        probability = self.product([*mine], [edge for edge in (start, end) if edge], 1.0)
        confidence = probability
        if self.value.kind == "string" and len(mine) > LONG_TEXT:
            confidence = self.product([*mine], [edge for edge in (start,) if edge], 1 / len(mine))
        return {
            "probability": probability[0], "confidence": confidence[0],
            "confidence_bound": None if confidence[0] is not None else confidence[1],
        }  # fmt: skip

    def product(
        self, core: list[int], edges: list[tuple[int, float | None]], exponent: float
    ) -> tuple[float | None, float]:
        """The probability of all these tokens, and the most that it can be where one of them is not known."""
        tokens = self.tokens
        bound = math.prod(tokens.bound(index) for index in core) ** exponent
        bound *= math.prod(tokens.bound(index) if p is None else p for index, p in edges)
        known = [tokens.probability(index) for index in core] + [probability for _, probability in edges]
        return (None if None in known else bound), bound

    def start_edge(self, mine: list[int]) -> tuple[int, float | None] | None:
        """The token before the core that holds the first character, and how probable it was to begin so."""
        tokens = self.tokens
        first = tokens.at(self.start, self.start + 1)
        if not mine or not first or first[0] >= mine[0]:
            return None
        index = first[0]
        span = tokens.spans[index]
        assert span is not None
        data = alignment.encode(tokens.text)
        character = data[self.start : self.start + 1]
        parts = [] if (own := tokens.probability(index)) is None else [own]
        for other, probability in tokens.others(index):
            rest = (behind(tokens.read, other, data[span[0] : self.start]) or b"").lstrip(BLANK)
            if rest == character or (self.value.kind in CONTAINERS and rest.startswith(character)):
                parts.append(probability)
        return index, min(1.0, math.fsum(parts)) if parts else None

    def end_edge(self, mine: list[int]) -> tuple[int, float | None] | None:
        """The token behind the core, and how probable it was to end there."""
        tokens = self.tokens
        if not mine or not self.value.closed or self.empty or self.value.kind in CONTAINERS:
            return None
        index, size = mine[-1] + 1, len(alignment.encode(tokens.text))
        last = tokens.spans[mine[-1]]
        if index >= len(tokens.tokens) or (last and last[1] > self.core_end):
            return None
        span = tokens.spans[index]
        if self.core_end < size and (span is None or not span[0] <= self.core_end < span[1]):
            return None
        parts = [] if (own := tokens.probability(index)) is None else [own]
        for other, probability in tokens.others(index):
            first = alignment.decode(tokens.read(other))[:1]
            ends = first == '"' if self.quoted else first != "" and not first.isalnum() and first not in ".+-_"
            parts += [probability] * ends
        return index, min(1.0, math.fsum(parts)) if parts else None


def behind(read: Read, other: Alternative, before: bytes) -> bytes | None:
    """What an alternative spells behind what the emitted token spells before a value, white space aside.

    Empty where it ends before; None where it spells something else.
    """
    branch = read(other)
    if alignment.lost(TokenLogprob(other.token, None, other.bytes)):
        return b""
    stripped = before.rstrip(BLANK)
    if branch.startswith(stripped):
        return branch[len(stripped) :]
    at = 0
    for byte in before:
        if byte in BLANK:
            continue
        while at < len(branch) and branch[at] in BLANK:
            at += 1
        if at == len(branch):
            return b""
        if branch[at] != byte:
            return None
        at += 1
    return branch[at:]


class Walk:
    """The probabilities of the allowed values: the alternatives of each token of the emitted one, as branches."""

    def __init__(self, tokens: Tokens, labels: list[Label], kinds: set[str], bare: bool) -> None:
        self.tokens, self.labels, self.kinds, self.bare = tokens, labels, kinds, bare
        self.shares: list[tuple[list[Any], float]] = []
        """What each branch can still become, and its probability."""

    def over(self, value: Field) -> Numbers | None:
        tokens = self.tokens
        data = alignment.encode(tokens.text)
        held = tokens.at(value.start, value.start + 1)
        reach, fit, seen_any = 1.0, self.fit(b""), False
        for place in range(held[0] if held else value.mine[0] if value.mine else 0, len(tokens.tokens)):
            span = tokens.spans[place]
            if span is None:
                if value.end < len(data):
                    break
                begin, reached = value.end, data[value.start : value.end] + b"\n"
            else:
                begin, end = span
                following = tokens.spans[place + 1] if place + 1 < len(tokens.tokens) else None
                if following and following[0] < end:
                    end = max(begin, following[0])
                reached = data[value.start : min(end, value.end + 1)]
            seen_any = seen_any or bool(tokens.tokens[place].alternatives)
            spelled = data[value.start : begin]
            seen = 0.0
            for other, probability in tokens.others(place):
                seen += probability
                self.branch(spelled, behind(tokens.read, other, data[begin : value.start]), reach * probability)
            fit = self.fit(reached)
            own = tokens.probability(place)
            if own is None:
                self.shares.append((["?", "?", *fit], reach * max(0.0, 1.0 - seen)))
                reach = 0.0
                break
            reach *= own
            if len(fit) <= 1:
                break
        self.shares.append((fit, reach))
        return self.result(value) if seen_any else None

    def branch(self, spelled: bytes, rest: bytes | None, mass: float) -> None:
        if rest is None:
            self.shares.append(([], mass))
            return
        if not spelled:
            rest = rest.lstrip(BLANK)
        if rest:
            self.shares.append((self.fit(spelled + rest), mass))
        else:
            self.shares.append((["?", "?", *self.fit(spelled)], mass))

    def fit(self, spelled: bytes) -> list[Any]:
        """The labels and types that something which begins so can become."""
        if not spelled:
            return [*map(identity, self.labels), *self.kinds]
        first = chr(spelled[0])
        kind = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}.get(
            first, "number" if first in "-0123456789NI" else ""
        )
        if kind in self.kinds:
            return [kind]
        test = can_be_bare if self.bare else can_be
        return [identity(label) for label in self.labels if test(label, spelled)]

    def result(self, value: Field) -> Numbers:
        every = [*map(identity, self.labels), *self.kinds]
        one = {key: math.fsum(mass for fit, mass in self.shares if fit == [key]) for key in every}
        one = {key: min(1.0, mass) for key, mass in one.items()}
        some = math.fsum(mass for fit, mass in self.shares if len(fit) > 1)
        none = math.fsum(mass for fit, mass in self.shares if not fit)
        coverage = min(1.0, math.fsum(one.values()))
        unresolved = min(1.0 - coverage, some)
        other = max(0.0, min(1.0 - coverage - unresolved, none))
        unseen = max(0.0, 1.0 - coverage - unresolved - other)
        upper = {}
        for key in every:
            possible = math.fsum(mass for fit, mass in self.shares if len(fit) > 1 and key in fit)
            upper[key] = min(1.0, one[key] + possible + unseen)
        return {"mass": one, "upper": upper, "coverage": coverage, "unresolved": unresolved, "other": other}


def can_be(label: Label, spelled: bytes) -> bool:
    """Whether a label is what something that begins so, in JSON, can become."""
    shown = alignment.encode(json.dumps(label, ensure_ascii=False))
    if spelled.startswith(b'"'):
        string = re.match(rb'"(?:[^"\\]|\\.)*"', spelled, re.DOTALL)
        if string is None:
            return isinstance(label, str) and shown.startswith(spelled.split(b"\\")[0])
        return equal(label, string.group())
    word = b""
    for byte in spelled:
        if not (chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-+._")):
            break
        word += bytes([byte])
    if not word:
        return False
    if len(word) < len(spelled):
        return equal(label, word)
    number = word[:1] in b"-0123456789NI"
    if number and re.search(b"[eE]", word) and kind_of(label) == "number":
        return True
    same = number and b"." in word and equal(label, word.rstrip(b"0").rstrip(b"."))
    return shown.startswith(word) or same


def equal(label: Label, shown: bytes) -> bool:
    try:
        value = json.loads(shown.decode("utf-8", "surrogatepass"), strict=False)
    except ValueError:
        return False
    return not isinstance(value, (list, dict)) and identity(value) == identity(label)


def can_be_bare(label: Label, spelled: bytes) -> bool:
    """The same for a label without quotes, which an end mark or a line ends."""
    shown = alignment.encode(label if isinstance(label, str) else json.dumps(label))
    head = re.split(rb"\n|<[|/a-z]|\[/", spelled)[0].rstrip()
    return shown.startswith(spelled) or (head != spelled and head == shown)
