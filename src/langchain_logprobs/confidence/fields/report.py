"""What is said of each value of a structured answer: `Field`, and all of them together: `FieldReport`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from langchain_logprobs.confidence.alignment.align import AlignmentStatus
from langchain_logprobs.confidence.fields.distribution import Distribution
from langchain_logprobs.confidence.fields.json_scan import Kind

_CONTAINERS = frozenset({"object", "array"})


class FieldStatus(StrEnum):
    """What became of the search for fields."""

    OK = "ok"
    """There is a complete JSON document."""
    TRUNCATED = "truncated"
    """There is one that is cut off; values that did not end are not `closed`."""
    NO_JSON = "no_json"
    """The text holds no JSON."""
    INVALID = "invalid"
    """The text begins as a JSON object or array and cannot be read; there are no fields."""
    FAILED = "failed"
    """The tokens could not be aligned with the text, so that no value can be given its tokens."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a JSON document and the confidence in it. Logprobs are in nats, offsets count in the answer's text.

    A container (object or array) has the numbers of all the values in it, from the union of their tokens: a token
    that spells a part of two values counts once.

    Attributes:
        path: JSON Pointer (RFC 6901); "" is the whole document.
        kind: `object`, `array`, `string`, `number`, `boolean` or `null`.
        start: Offset of the value in code points, with a string's quotes.
        end: Offset behind it.
        core_start: As `start`, without a string's quotes.
        core_end: As `end`, without a string's quotes.
        byte_start: As `start`, in UTF-8 bytes; the next three likewise.
        byte_end: As `end`.
        core_byte_start: As `core_start`.
        core_byte_end: As `core_end`.
        token_start: Index of its first token; None where it has none, because the logprobs of this part are missing.
        token_count: How many tokens spell its core; of a container, the tokens of its values, which do not have to be
            neighbours. Tokens cannot be divided: one that spells more than the value counts whole.
        censored_count: How many of them have no usable logprob.
        joint_logprob: Sum of their logprobs; where `censored_count` is not 0, of the usable ones only. None where
            there is none.
        mean_logprob: Mean of the usable logprobs.
        min_probability: Smallest probability of a token.
        min_index: Index of that token.
        confidence: The number to look at first. Of a number, boolean, null or a value from a closed list the
            probability of this very value, exp(joint_logprob), None if a token is censored; of other strings and of
            containers the probability per token, exp(mean_logprob), which does not fall with the length.
        end_logprob: Logprob of the token that ends the value. None where its last token ends it too (`straddles`),
            where it is not closed, and for containers.
        end_probability: The probability that the value ends where it does: that of all alternatives that end it. The
            joint probability of the value and its end is the product of both; 4 can be sure and 42 missed.
        closed: Whether the value was seen to its end. False at the cut of a truncated document.
        shadowed: Whether the same key comes again later, so that parsers give the later value.
        shared: Whether one of its tokens also spells a part of another value.
        straddles: Whether one of its tokens also spells something around it, other than white space.
        empty_core: Whether it has no characters of its own ("" or {}); its tokens are those of its quotes or brackets.
        distribution: Of a boolean, null or a value from a closed list: the probabilities of the allowed values.
            None for other values, for one that is not closed, and where the provider sent no alternatives.
    """

    path: str
    kind: Kind
    start: int
    end: int
    core_start: int
    core_end: int
    byte_start: int
    byte_end: int
    core_byte_start: int
    core_byte_end: int
    token_start: int | None
    token_count: int
    censored_count: int
    joint_logprob: float | None
    mean_logprob: float | None
    min_probability: float | None
    min_index: int | None
    confidence: float | None
    end_logprob: float | None
    end_probability: float | None
    closed: bool
    shadowed: bool
    shared: bool
    straddles: bool
    empty_core: bool
    distribution: Distribution | None

    @property
    def is_leaf(self) -> bool:
        """Whether this is a value and no container."""
        return self.kind not in _CONTAINERS


@dataclass(frozen=True, slots=True)
class FieldReport:
    """The fields of one answer.

    Attributes:
        status: What became of the search.
        alignment: How the tokens were found to correspond to the text.
        fields: The fields in the order of the text, a container before what it holds; empty unless `status` is `ok`
            or `truncated`.
        problem: Why the JSON is `invalid`, with the offset in code points; else None.
    """

    status: FieldStatus
    alignment: AlignmentStatus
    fields: tuple[Field, ...] = ()
    problem: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether the document is cut off."""
        return self.status is FieldStatus.TRUNCATED

    @property
    def leaves(self) -> tuple[Field, ...]:
        """The values without the containers."""
        return tuple(field for field in self.fields if field.is_leaf)

    def __getitem__(self, path: str) -> Field:
        """Return the field at a JSON Pointer; of a repeated key the last, as `json.loads` does.

        Raises:
            KeyError: There is none.
        """
        for field in reversed(self.fields):
            if field.path == path and not field.shadowed:
                return field
        raise KeyError(path)
