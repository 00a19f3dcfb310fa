"""What one model call said, read from its span's attributes: tokens, numbers, alternatives, JSON fields.

A span can come from a file that anybody wrote: an attribute of the wrong type counts as absent, and arrays that should
be parallel are read as far as the shorter one goes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_logprobs.confidence.alignment.token_bytes import escaped_bytes
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.messages import read_messages

_SPELLED_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")
_SPELLED_ASCII = re.compile(r"\\x[0-7]")  # a whole character, which no provider spells so: an answer about bytes
_MAX_PIECES = 8  # a character is at most four bytes, so at most four tokens; some slack for joined emoji

Part = Literal["answer", "tool_call", "reasoning", "outside"]
"""What a token spells: the span says it of all but those of the answer."""

_RANGES: tuple[tuple[Part, str], ...] = (
    ("tool_call", names.TOOL_CALL_RANGES),
    ("reasoning", names.REASONING_RANGES),
    ("outside", names.OUTSIDE_RANGES),
)


@dataclass(frozen=True, slots=True)
class Token:
    r"""One token, or the several that spell one character.

    Attributes:
        index: Where it stands in the span's arrays.
        text: What it says; None where the text was not recorded.
        probability: Its probability, of several tokens the lowest; None where the provider gave none (*censored*).
        alternatives: What else the model could have said here and how probable that was, best first; empty where
            that is not known.
        logprob: Its logprob as it was recorded, in nats; None for a censored one.
        size: How many tokens of the span's arrays it stands for.
        part: What it is a part of; the numbers of a call are over `answer` and `tool_call`.
    """

    index: int
    text: str | None
    probability: float | None
    alternatives: tuple[tuple[str, float], ...] = ()
    logprob: float | None = None
    size: int = 1
    part: Part = "answer"

    @property
    def counted(self) -> bool:
        """Whether the numbers of the call cover it."""
        return self.part in ("answer", "tool_call")

    @property
    def off_top1(self) -> bool:
        """Whether the model thought something else more likely than what it said."""
        return bool(self.alternatives and self.probability is not None and self.alternatives[0][1] > self.probability)


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a structured answer.

    Attributes:
        path: JSON Pointer, e.g. `/invoice/total`.
        confidence: Its probability as the library computed it; where it is `censored`, the most that it can be.
        min_probability: The probability of its weakest token; None where not recorded.
        weakest: That token; None where it is not among the recorded ones.
        censored: Whether a token of it has no honest probability: weaker than any other value.
        runner_up: The allowed value that came second, as JSON, and its probability; None where that is not known.
    """

    path: str
    confidence: float
    min_probability: float | None = None
    weakest: Token | None = None
    censored: bool = False
    runner_up: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers of a call.

    Attributes:
        confidence: exp(mean logprob) of its tokens; None where it has none.
        min_token: Its weakest token; None where not recorded.
        min_probability: The probability of that; None where not known.
        text: What it says; None where messages were not recorded.
    """

    confidence: float | None
    min_token: str | None = None
    min_probability: float | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model call said.

    Attributes:
        status: `recorded`, `partial`, `missing` or `not_requested`.
        reason: Why it is not `recorded`; None where not known.
        tokens: The recorded tokens, in order.
        omitted: How many tokens at the end a budget left out.
        choices: Where the call gave several answers, all of them; the tokens are those of the first.
        stretches: Its low-confidence stretches: of each the index of its first token and the one behind its last.
        fields: The values of a structured answer, in order.
        field_count: How many values it has; more than `fields` where a setting left out the most certain ones.
        field_status: What became of the search for values; None where the answer was not looked at as JSON.
        attributes: The span's attributes: where the summary numbers are read from.
    """

    status: str
    reason: str | None
    tokens: tuple[Token, ...]
    omitted: int
    choices: tuple[Choice, ...]
    stretches: tuple[tuple[int, int], ...]
    fields: tuple[Field, ...]
    field_count: int
    field_status: str | None
    attributes: Mapping[str, Any]

    @property
    def has_logprobs(self) -> bool:
        """Whether there is anything to say about the model's certainty."""
        return bool(self.tokens) or number(self.attributes, names.MEAN) is not None

    @property
    def text(self) -> str:
        """The recorded tokens, joined."""
        return "".join(token.text or "" for token in self.tokens)

    @property
    def reasoning_size(self) -> int:
        """How many tokens at the start are the reasoning before the answer, its marks among them."""
        first = next((at for at, token in enumerate(self.tokens) if token.counted), len(self.tokens))
        return first if any(token.part == "reasoning" for token in self.tokens[:first]) else 0

    def least_certain(self, count: int, below: float) -> list[Token]:
        """Return the tokens under a probability that count, the least certain first, before them the censored ones."""
        counted = (token for token in self.tokens if token.counted)
        doubtful = [token for token in counted if token.probability is None or token.probability < below]
        return sorted(doubtful, key=lambda token: -1.0 if token.probability is None else token.probability)[:count]

    def unsure(self, below: float) -> list[bool]:
        """Return of each token whether it is under a probability, unknown, or in a low-confidence stretch.

        Of reasoning and what else does not count none is.
        """
        inside = {index for start, end in self.stretches for index in range(start, end)}
        return [
            token.counted and (token.probability is None or token.probability < below or token.index in inside)
            for token in self.tokens
        ]


def read_answer(
    attributes: Mapping[str, Any],
    stretches: Iterable[Mapping[str, Any]] = (),
    choices: Iterable[Mapping[str, Any]] = (),
) -> Answer:
    """Read a model call.

    Args:
        attributes: The attributes of its span.
        stretches: The attributes of its `logprobs.low_confidence` events.
        choices: The attributes of its `logprobs.choice` events.

    Returns:
        The answer; without tokens where none were recorded.
    """
    stretches = list(stretches)
    tokens = _tokens(attributes, stretches)
    fields = tuple(_fields(attributes, tokens))
    count = (number(attributes, names.TOKEN_COUNT) or 0) + (number(attributes, names.CENSORED_COUNT) or 0)
    recorded = number(attributes, names.TOKENS_RECORDED)
    return Answer(
        status=string(attributes, names.STATUS) or ("recorded" if tokens else "missing"),
        reason=string(attributes, names.STATUS_REASON),
        tokens=tuple(_join_split_characters(tokens)),
        omitted=0 if recorded is None else max(0, int(count) - int(recorded)),
        choices=tuple(_choices(attributes, choices)),
        stretches=tuple(_stretches(stretches, len(tokens))),
        fields=fields,
        field_count=int(number(attributes, names.FIELD_COUNT) or len(fields)),
        field_status=string(attributes, names.FIELD_STATUS),
        attributes=attributes,
    )


def number(attributes: Mapping[str, Any], name: str) -> float | None:
    """Return an attribute that is a finite number, else None."""
    value = attributes.get(name)
    return value if is_number(value) else None


def string(attributes: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is a string, else None."""
    value = attributes.get(name)
    return value if isinstance(value, str) else None


def is_number(value: object) -> bool:
    """Whether a value is a finite number that fits into a span."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _choices(attributes: Mapping[str, Any], choices: Iterable[Mapping[str, Any]]) -> Iterator[Choice]:
    found = sorted(choices, key=lambda choice: number(choice, names.CHOICE_INDEX) or 0)
    texts = [message.text for message in read_messages(attributes.get(names.OUTPUT_MESSAGES))] if found else []
    for place, choice in enumerate(found):
        yield Choice(
            number(choice, names.CONFIDENCE),
            string(choice, names.MIN_TOKEN),
            number(choice, names.MIN_PROBABILITY),
            texts[place] if place < len(texts) else None,
        )


def _stretches(stretches: Iterable[Mapping[str, Any]], count: int) -> Iterator[tuple[int, int]]:
    for stretch in stretches:
        start, length = number(stretch, names.TOKEN_START), number(stretch, names.TOKEN_COUNT)
        if start is not None and length is not None:
            yield max(0, int(start)), min(count, int(start + length))


def _array(attributes: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = attributes.get(name)
    return value if isinstance(value, list | tuple) else ()


def _tokens(attributes: Mapping[str, Any], stretches: Sequence[Mapping[str, Any]]) -> list[Token]:
    values = _array(attributes, names.VALUES)
    texts: Sequence[Any] = _array(attributes, names.TOKENS) or [None] * len(values)
    censored = {position for position in _array(attributes, names.CENSORED_POSITIONS) if isinstance(position, int)}
    parts = _parts(attributes)
    tokens = []
    for index, (text, value) in enumerate(zip(texts, values, strict=False)):
        logprob = float(value) if index not in censored and is_number(value) else None
        said = text if isinstance(text, str) else None
        part = parts.get(index, "answer")
        tokens.append(Token(index, said, _probability(logprob), logprob=logprob, part=part))
    for index, alternatives in _alternatives(attributes, stretches, tokens).items():
        others = sorted((item for item in alternatives if item[0] != tokens[index].text), key=lambda item: -item[1])
        tokens[index] = replace(tokens[index], alternatives=tuple(others))
    return tokens


def _parts(attributes: Mapping[str, Any]) -> dict[int, Part]:
    """Return the part of each token that is not a part of the answer's text."""
    found: dict[int, Part] = {}
    most = len(_array(attributes, names.VALUES))
    for part, name in _RANGES:
        edges = [edge for edge in _array(attributes, name) if isinstance(edge, int)]
        for first, behind in zip(edges[::2], edges[1::2], strict=False):
            found.update(dict.fromkeys(range(max(0, first), min(behind, most)), part))
    return found


def _probability(logprob: object) -> float | None:
    return math.exp(min(0.0, float(logprob))) if isinstance(logprob, int | float) and is_number(logprob) else None


def _alternatives(
    attributes: Mapping[str, Any], stretches: Sequence[Mapping[str, Any]], tokens: Sequence[Token]
) -> dict[int, list[tuple[str, float]]]:
    """Return the alternatives of each token that has some: from the span's arrays, else from the events."""
    found: dict[int, list[tuple[str, float]]] = {}
    positions = _array(attributes, names.ALTERNATIVE_POSITIONS)
    for position, alternative in zip(positions, _paired(attributes), strict=False):
        if isinstance(position, int) and 0 <= position < len(tokens) and alternative:
            found.setdefault(position, []).append(alternative)
    for stretch in stretches:
        start, length = number(stretch, names.TOKEN_START), number(stretch, names.TOKEN_COUNT)
        members = tokens[int(start) : int(start) + int(length)] if start is not None and length is not None else ()
        if members:
            # An event's alternatives are those of its weakest token.
            weakest = min(members, key=lambda token: -1.0 if token.probability is None else token.probability)
            listed = [alternative for alternative in _paired(stretch) if alternative]
            found.setdefault(weakest.index, listed)
    return found


def _paired(attributes: Mapping[str, Any]) -> Iterator[tuple[str, float] | None]:
    texts, values = _array(attributes, names.ALTERNATIVE_TOKENS), _array(attributes, names.ALTERNATIVE_VALUES)
    for text, value in zip(texts, values, strict=False):
        probability = _probability(value)
        yield (text, probability) if isinstance(text, str) and probability is not None else None


def _join_split_characters(tokens: Sequence[Token]) -> Iterator[Token]:
    r"""Yield the tokens, those that spell one character in pieces (as the literal text `\xf0\x9f`) as one."""
    at = 0
    while at < len(tokens):
        size, text = _split_character(tokens[at : at + _MAX_PIECES])
        pieces = tokens[at : at + size]
        if size == 1:
            yield pieces[0] if text is None else replace(pieces[0], text=text)
        else:
            weakest = min(pieces, key=lambda token: -1.0 if token.probability is None else token.probability)
            yield replace(weakest, text=text, size=size)
        at += size


def _split_character(tokens: Sequence[Token]) -> tuple[int, str | None]:
    """Return how many of the tokens spell text in bytes, and that text; (1, None) where the first one does not."""
    raw = b""
    for size, token in enumerate(tokens, 1):
        text = token.text or ""
        if not _SPELLED_BYTE.search(text) or _SPELLED_ASCII.search(text):
            break
        raw += escaped_bytes(text, None)
        try:
            return size, raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            continue
    return 1, None


def _fields(attributes: Mapping[str, Any], tokens: Sequence[Token]) -> Iterator[Field]:
    paths, confidences = _array(attributes, names.FIELD_PATHS), _array(attributes, names.FIELD_CONFIDENCES)
    censored = {index for index in _array(attributes, names.FIELD_CENSORED) if isinstance(index, int)}
    nothing = [None] * len(paths)
    lowest, indexes, seconds, second_values = (
        _array(attributes, name) or nothing
        for name in (
            names.FIELD_MIN_PROBABILITIES,
            names.FIELD_MIN_INDEXES,
            names.FIELD_RUNNERS_UP,
            names.FIELD_RUNNER_UP_PROBABILITIES,
        )
    )
    columns = zip(paths, confidences, lowest, indexes, seconds, second_values, strict=False)
    for place, (path, confidence, low, index, second, value) in enumerate(columns):
        if isinstance(path, str) and is_number(confidence):
            yield Field(
                path,
                confidence,
                min_probability=low if is_number(low) else None,
                weakest=tokens[index] if isinstance(index, int) and 0 <= index < len(tokens) else None,
                censored=place in censored,
                runner_up=(second, value) if second and isinstance(second, str) and is_number(value) else None,
            )
