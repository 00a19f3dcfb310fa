"""What is said of each value of a structured answer: `Field`, and all of them together: `FieldReport`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from langchain_logprobs.confidence.alignment.align import AlignmentStatus
from langchain_logprobs.confidence.fields.distribution import Distribution, RunnerUp
from langchain_logprobs.confidence.fields.json_pointer import split
from langchain_logprobs.confidence.fields.json_scan import Kind, Value
from langchain_logprobs.confidence.fields.json_value import python_value

_CONTAINERS = frozenset({"object", "array"})
_MAX_SHOWN_PATHS = 10
_MAX_SHOWN_LENGTH = 80
_MAX_COMPARED = 500


class FieldStatus(StrEnum):
    """What became of the search for fields."""

    OK = "ok"
    """There is a complete JSON document."""
    TRUNCATED = "truncated"
    """There is one that is cut off; values that did not end are not `closed`."""
    LABEL = "label"
    """The text is no JSON but one word of a closed list: one field, whose path is ""."""
    NO_JSON = "no_json"
    """The text holds no JSON."""
    INVALID = "invalid"
    """The text begins as a JSON object or array and cannot be read; there are no fields."""
    TOO_LARGE = "too_large"
    """The JSON is nested deeper, or has more values, than is looked at (128 levels, 100,000 values); no fields."""
    NO_LOGPROBS = "no_logprobs"
    """There is JSON, but no token came with it: nothing is known of how sure the model was; no fields."""
    FAILED = "failed"
    """The tokens could not be aligned with the text, so that no value can be given its tokens."""


class Source(NamedTuple):
    """The text that a report's offsets count in, and its values: a field takes its path and value from here."""

    text: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True, repr=False)
class Field:
    """One value of a JSON document and the confidence in it. Logprobs are in nats, offsets count in the answer's text.

    A container (object or array) has the numbers of all the values in it, from the union of their tokens: a token
    that spells a part of two values counts once.

    Attributes:
        kind: `object`, `array`, `string`, `number`, `boolean` or `null`.
        start: Offset of the value in code points, with a string's quotes.
        end: Offset behind it.
        core_start: As `start`, without a string's quotes.
        core_end: As `end`, without a string's quotes.
        byte_start: As `start`, in UTF-8 bytes.
        byte_end: As `end`, in UTF-8 bytes.
        token_start: Index of its first token; None where it has none, because the logprobs of this part are missing.
        token_count: How many tokens spell its core; of a container, the tokens of its values, which do not have to be
            neighbours. Tokens cannot be divided: one that spells more than the value counts whole.
        censored_count: How many of the tokens that its confidence needs have no usable logprob: of its core's, and of
            those of its start and end.
        joint_logprob: Sum of the usable logprobs of its core's tokens. None where there is none.
        mean_logprob: Mean of them.
        start_logprob: Logprob of the token that holds a string's opening quote, or a container's bracket, where that
            is a token before the core's; else None.
        start_probability: The probability that the value begins so (a string and not null): that of this token and
            of the alternatives that spell the quote alone, or begin with the bracket. A lower bound where a quote and
            a string's first letters can be one token. None as `start_logprob`.
        end_logprob: Logprob of the token that ends the value. None where its last token ends it too (`straddles`),
            where it is not closed, and for containers.
        end_probability: The probability that the value ends where it does: that of all alternatives that end it. A
            lower bound, as the provider does not send all of them. 4 can be sure and 42 missed.
        min_probability: The smallest of the probabilities of its tokens, `start_probability` and `end_probability`.
            None where a token is censored, which is the least probable of all.
        min_index: Index of that token, or of the censored one.
        probability: The probability of this very value: of its start, its core and its end together. None for
            containers, and where one of these is censored.
        confidence: The number to look at first, see docs/confidence.md. Of numbers, booleans, nulls and strings of at
            most 16 tokens the `probability` of this very value, with and without a schema alike; of longer strings
            `start_probability` times the probability per token, exp(mean_logprob), which does not fall with the
            length. Of a container the least of those in it, or its own `start_probability` if that is less; the
            start of the whole document does not count. None where a token is censored or has no logprobs: then
            nothing is known but `confidence_bound`.
        confidence_bound: Where `confidence` is None although there are tokens, the most that it can be, by the
            alternatives of the censored tokens; else None.
        closed: Whether the value was seen to its end. False at the cut of a truncated document.
        shadowed: Whether the same key comes again later, so that parsers give the later value.
        shared: Whether one of its tokens also spells a part of another value.
        straddles: Whether one of its tokens also spells something around it, other than white space.
        empty_core: Whether it has no characters of its own ("" or {}); its tokens are those of its quotes or brackets.
        distribution: The probabilities of the allowed values, where there are some to tell apart: of a boolean or
            null, of a value from a closed list, and of a union (text or null). None for other values, for one that is
            not closed, and where the provider sent no alternatives.

    Example:
        >>> from langchain_logprobs import Alternative, TokenLogprob, field_confidences
        >>> paid = TokenLogprob(" true", -0.9, alternatives=[Alternative(" true", -0.9), Alternative(" false", -0.6)])
        >>> tokens = [TokenLogprob('{"paid":', -0.01), paid, TokenLogprob("}", -0.01)]
        >>> field = field_confidences(tokens)["/paid"]
        >>> field.value, round(field.confidence, 2), str(field.runner_up), round(field.runner_up.probability, 2)
        (True, 0.4, 'false', 0.55)
    """

    _source: Source = field(compare=False)
    _index: int
    kind: Kind
    start: int
    end: int
    core_start: int
    core_end: int
    byte_start: int
    byte_end: int
    token_start: int | None
    token_count: int
    censored_count: int
    joint_logprob: float | None
    mean_logprob: float | None
    start_logprob: float | None
    start_probability: float | None
    end_logprob: float | None
    end_probability: float | None
    min_probability: float | None
    min_index: int | None
    probability: float | None
    confidence: float | None
    confidence_bound: float | None
    closed: bool
    shadowed: bool
    shared: bool
    straddles: bool
    empty_core: bool
    distribution: Distribution | None

    @property
    def path(self) -> str:
        """JSON Pointer (RFC 6901); "" is the whole document. Made anew each time."""
        return self._source.values[self._index].path

    @property
    def keys(self) -> list[str | int]:
        """The keys, and the indices in arrays, that lead to the value from the whole document. Made anew each time."""
        values, index, found = self._source.values, self._index, list[str | int]()
        while values[index].parent >= 0:
            found.append(values[index].key)
            index = values[index].parent
        return found[::-1]

    @property
    def value(self) -> Any:
        """The value as Python has it, a container with all that it holds. Made anew each time.

        Of a value that is cut off, what there is of it; None where that is no value yet ("tru").
        """
        return python_value(self._source.text, self._source.values, self._index)

    @property
    def runner_up(self) -> RunnerUp | None:
        """The most probable allowed value that this one is not, also where it was the more probable one.

        None where the allowed values are not known, or the alternatives show no other.
        """
        return self.distribution.runner_up if self.distribution is not None else None

    @property
    def basis(self) -> Literal["value", "token", "least"]:
        """What `confidence` is: of this very value, per token of a long text, or the least of a container's values."""
        if not self.is_leaf and not self.empty_core:
            return "least"
        return "token" if is_long_text(self.kind, self.token_count) else "value"

    @property
    def is_leaf(self) -> bool:
        """Whether this is a value and no container."""
        return self.kind not in _CONTAINERS

    @property
    def core_byte_start(self) -> int:
        """As `core_start`, in UTF-8 bytes."""
        return self.byte_start + self.core_start - self.start  # a quote is one byte

    @property
    def core_byte_end(self) -> int:
        """As `core_end`, in UTF-8 bytes."""
        return self.byte_end + self.core_end - self.end

    def __repr__(self) -> str:
        """Show where it is and how sure, and no value: that can be long, and private."""
        path = _shown(self.path)
        return f"Field({path}, {self.kind}, confidence={self.confidence}, tokens={self.token_count})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the attributes by their names, with `path`, `value`, `basis` and `runner_up`."""
        names = [name for name in self.__dataclass_fields__ if not name.startswith("_") and name != "distribution"]
        runner_up = self.runner_up
        return {
            "path": self.path,
            "value": self.value,
            "basis": self.basis,
            "runner_up": runner_up._asdict() if runner_up is not None else None,
            **{name: getattr(self, name) for name in names},
            "distribution": self.distribution.to_dict() if self.distribution is not None else None,
        }


LONG_TEXT_TOKENS = 16
"""Strings of more tokens than this have the probability per token as their confidence.

On 363 labelled JSON answers of two small models, whose longest value takes 12 tokens, a border at 12 or more was at
least as good as any lower one in seven of eight tasks (AUROC of being right), and 89 % of the wrong answers had a value
below .5, against 77 % with the probability per token alone. So the border lies above all of them. Of long texts nobody
asks for the very wording, whose probability falls with the length alone.
"""


def is_long_text(kind: Kind, token_count: int) -> bool:
    """Return whether a value is a text whose very wording is not what its confidence is about."""
    return kind == "string" and token_count > LONG_TEXT_TOKENS


@dataclass(frozen=True, slots=True)
class FieldReport:
    """The fields of one answer. Iterating over it gives the values without the containers.

    Attributes:
        status: What became of the search.
        alignment: How the tokens were found to correspond to the text.
        fields: The fields in the order of the text, a container before what it holds; empty unless `status` is `ok`,
            `truncated` or `label`.
        problem: Why the JSON is `invalid` or `too_large`, with the offset in code points; else None.

    Example:
        >>> from langchain_logprobs import TokenLogprob, field_confidences
        >>> parts = {'{"total": ': -0.01, "97": -1.2, ', "paid": ': -0.01, "true": -0.02, "}": -0.01}
        >>> report = field_confidences([TokenLogprob(*part) for part in parts.items()])
        >>> report["/total"].value, round(report["/total"].confidence, 2)
        (97, 0.3)
        >>> [field.path for field in report.below(0.8)]
        ['/total']
    """

    status: FieldStatus
    alignment: AlignmentStatus
    fields: tuple[Field, ...] = ()
    problem: str | None = None
    _by_place: dict[tuple[int, str], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def truncated(self) -> bool:
        """Whether the document is cut off."""
        return self.status is FieldStatus.TRUNCATED

    @property
    def leaves(self) -> tuple[Field, ...]:
        """The values without the containers."""
        return tuple(one for one in self.fields if one.is_leaf)

    @property
    def least(self) -> Field | None:
        """The least certain value, a censored one before all others; None where none has tokens.

        Values that a later one of the same key replaces are left out.
        """
        known = [one for one in self if one.token_count and not one.shadowed]
        return min(known, key=_certainty, default=None)

    def below(self, confidence: float) -> list[Field]:
        """Return the values that are not known to be at least this certain, in the order of the text.

        Args:
            confidence: The threshold, a probability.

        Returns:
            Those whose confidence is less, and those without one: a censored token is no sure one, and a value
            without logprobs may be anything. Values that a later one of the same key replaces are left out.
        """
        return [one for one in self if not one.shadowed and (one.confidence is None or one.confidence < confidence)]

    def as_values(self) -> Any:
        """Return the confidences in the shape of the answer: each value's place holds its confidence, or None.

        Example:
            >>> from langchain_logprobs import TokenLogprob, field_confidences
            >>> field_confidences([TokenLogprob('{"paid": ', 0.0), TokenLogprob("true}", 0.0)]).as_values()
            {'paid': 1.0}
        """
        if not self.fields:
            return None
        shaped: list[Any] = []
        for one in self.fields:
            node: Any = {} if one.kind == "object" else [] if one.kind == "array" else one.confidence
            shaped.append(node)
            place = one._source.values[one._index]
            if place.parent >= 0:
                holder = shaped[place.parent]
                if isinstance(holder, dict):
                    holder[place.key] = node
                else:
                    holder.append(node)
        return shaped[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the status, and every value as `Field.to_dict` gives it; containers are left out."""
        return {
            "status": str(self.status),
            "alignment": str(self.alignment),
            "problem": self.problem,
            "fields": [one.to_dict() for one in self],
        }

    def __iter__(self) -> Iterator[Field]:
        """Yield the values without the containers, in the order of the text."""
        return (one for one in self.fields if one.is_leaf)

    def __len__(self) -> int:
        """Return how many values there are, containers not counted."""
        return sum(one.is_leaf for one in self.fields)

    def __bool__(self) -> bool:
        """Return whether there is any field: an empty object is one."""
        return bool(self.fields)

    def __contains__(self, path: object) -> bool:
        """Return whether there is a field at a JSON Pointer."""
        return isinstance(path, str) and self._find(path) is not None

    def __getitem__(self, path: str) -> Field:
        """Return the field at a JSON Pointer; of a repeated key the last, as `json.loads` does.

        Raises:
            KeyError: There is none. The message names the pointers that there are.
        """
        found = self._find(path) if isinstance(path, str) else None
        if found is None:
            raise KeyError(self._missing(path))
        return found

    def _find(self, path: str) -> Field | None:
        if not self.fields or (path and not path.startswith("/")):
            return None
        if not self._by_place:
            for index, one in enumerate(self.fields):
                place = one._source.values[one._index]
                self._by_place[place.parent, str(place.key)] = index  # a later one of the same key replaces it
        index = 0
        for part in split(path):
            following = self._by_place.get((index, part))
            if following is None:
                return None
            index = following
        return self.fields[index]

    def _missing(self, path: object) -> str:
        missing = f"no field {_shown(path)}"
        if not self.fields:
            return f"{missing}: there are none, as the status is {str(self.status)!r}"
        # Pointers can be as long as the answer, and there can be thousands.
        paths = [shown for one in self.fields[:_MAX_COMPARED] if len(shown := one.path) <= _MAX_SHOWN_LENGTH]
        close = difflib.get_close_matches(f"/{path}"[:_MAX_SHOWN_LENGTH].replace("//", "/"), paths, n=1)
        hint = f"; did you mean {_shown(close[0])}?" if close else ""
        named = ", ".join(_shown(one.path) for one in self.fields[:_MAX_SHOWN_PATHS])
        more = len(self.fields) - _MAX_SHOWN_PATHS
        return f"{missing}{hint or '.'} There are: {named}{f' and {more} more' if more > 0 else ''}"


def _certainty(one: Field) -> tuple[int, float]:
    if one.confidence is None:
        return 0, one.confidence_bound if one.confidence_bound is not None else 0.0
    return 1, one.confidence


def _shown(path: object) -> str:
    text = str(path)
    return f'"{text}"' if len(text) <= _MAX_SHOWN_LENGTH else f'"{text[:_MAX_SHOWN_LENGTH]}..."'
