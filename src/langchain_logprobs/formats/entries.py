"""What the wire format modules read a raw container into, and the steps that most of them share.

Nothing here raises, whatever a server sent: what is well formed is read, what is not is counted in the Reading.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import countOf
from typing import Any, NamedTuple

from langchain_logprobs.formats.tokens import Alternative, Columns, TokenLogprob, Tokens

_new: Any = tuple.__new__
"""Makes a named tuple from a tuple of all its fields, in half the time of calling its class."""


@dataclass(slots=True)
class Reading:
    """The tokens read so far from one or more raw containers of one choice.

    Attributes:
        source: Name of the wire format of the first container that held tokens, e.g. `openai.chat`; None while
            there was none.
        tokens: The answer's tokens, in order.
        reasoning: Tokens of a reasoning text that the provider reports apart from the answer (DeepSeek).
        malformed: How many containers, entries or values could not be read.
        problem: What the first of them was, for a log line; None where there was none.
    """

    source: str | None = None
    tokens: list[TokenLogprob] | Tokens = field(default_factory=list)
    reasoning: list[TokenLogprob] = field(default_factory=list)
    malformed: int = 0
    problem: str | None = None

    def to_append(self) -> list[TokenLogprob]:
        """Return the answer's tokens as a list that more can be appended to."""
        if not isinstance(self.tokens, list):
            self.tokens = list(self.tokens)
        return self.tokens

    def reject(self, problem: str) -> None:
        """Count something unreadable; the first description is kept."""
        self.malformed += 1
        if self.problem is None:
            self.problem = problem


def _none_of(containers: Sequence[Any]) -> list[list[Any]] | None:
    return None


class WireFormat(NamedTuple):
    """One shape in which logprobs travel. No container is of two of them, so the order of trying does not matter.

    Attributes:
        name: The name published as `logprobs.source`.
        read: Called with a raw container, the text of the chunk that carried it (None where there was no chunk) and
            a Reading. Appends the container's tokens and returns True, or returns False and leaves the Reading alone
            when the container is not of this format.
        size: How many answer tokens a container of this format holds, found without reading them; None when the
            container is not of this format.
        entries_of: Called with several containers. Returns the entries of each, for `read_all`, or None where one is
            not of this format or holds something else too. A format without such containers returns None.
    """

    name: str
    read: Callable[[Any, str | None, Reading], bool]
    size: Callable[[Any], int | None]
    entries_of: Callable[[Sequence[Any]], list[list[Any]] | None] = _none_of


def is_number(value: object) -> bool:
    """Return whether a value is a real number (numpy's too); a bool is none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def read_number(value: object, into: Reading) -> float | None:
    """Return a logprob as a float, or None where it is absent, NaN or no number (the last is counted)."""
    if type(value) is float:
        return value if value == value else None
    if value is None:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool):  # an int, or one of numpy's floats
        try:
            number = float(value)
        except OverflowError:
            into.reject("a logprob too large for a float")
            return None
        return number if number == number else None
    into.reject(f"a logprob of type {type(value).__name__}")
    return None


def read_bytes(value: object, into: Reading) -> bytes | None:
    """Return a token's bytes, or None where they are absent or not a list of byte values (the latter is counted)."""
    if type(value) is list:
        try:
            return bytes(value)
        except (TypeError, ValueError, OverflowError):
            into.reject("bytes that are not numbers from 0 to 255")
            return None
    if value is None or type(value) is bytes:
        return value
    into.reject(f"bytes of type {type(value).__name__}")
    return None


def as_mapping(value: object) -> Mapping[str, Any] | None:
    """Return a dict as it is and the fields of an object (LiteLLM, Ollama, Databricks); None for the rest."""
    if isinstance(value, Mapping):
        return value
    # The fields of a pydantic object stand in its __dict__, unknown ones in an extra dict. Reading them there, one
    # level at a time, costs nothing; model_dump() would copy the whole answer.
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict):  # a class has a mappingproxy
        return None
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if isinstance(extra, dict) and extra else fields


def read_all(entries: Sequence[Any], into: Reading) -> None:
    """Append the answer's entries, of the form that `read_entries` says, the quick way where they are plain."""
    plain = None if into.tokens else read_plain(entries)
    if plain is not None:
        into.tokens = plain
    else:
        read_entries(entries, into.to_append(), into)


def read_entries(entries: Sequence[Any], tokens: list[TokenLogprob], into: Reading) -> None:
    """Append entries of the form `{"token", "logprob", "bytes", "top_logprobs"}`, of which only `token` must be there.

    llama.cpp's entries after sampling carry `prob` and `top_probs` instead; their logarithms are taken.
    """
    for entry in entries:
        fields = entry if type(entry) is dict else as_mapping(entry)
        if fields is None:
            into.reject(f"an entry of type {type(entry).__name__}")
            continue
        token = fields.get("token")
        raw_bytes = read_bytes(fields.get("bytes"), into)
        if type(token) is not str:
            if raw_bytes is None:
                into.reject("an entry without a token")
                continue
            token = raw_bytes.decode("utf-8", "replace")
        logprob = fields.get("logprob")
        if type(logprob) is not float or logprob != logprob:
            logprob = _entry_logprob(fields, into)
        tops = fields.get("top_logprobs") or fields.get("top_probs")
        tokens.append(_new(TokenLogprob, (token, logprob, raw_bytes, read_alternatives(tops, into) if tops else ())))


def read_plain(entries: Sequence[Any]) -> Tokens | None:
    """Return the tokens of entries that are as OpenAI sends them, bytes or not, column by column; None if any is not.

    An answer of 2,000 tokens has 12,000 small dicts, and reading them with care, one after the other, takes six times
    as long. Whatever is unusual (a missing key, another type, NaN, a logprob above 0) is left to `read_entries`.
    """
    texts: list[str] = []
    logprobs: list[float] = []
    all_bytes: list[int] = []
    others: list[Mapping[str, Any]] = []
    widths: list[int] = []
    other_texts: list[str] = []
    other_logprobs: list[float] = []
    try:
        for entry in entries:
            texts.append(entry["token"])
            logprobs.append(entry["logprob"])
            all_bytes += entry.get("bytes") or ()
            tops = entry["top_logprobs"]
            others += tops
            widths.append(len(tops))
        for other in others:
            other_texts.append(other["token"])
            other_logprobs.append(other["logprob"])
        "".join(texts)  # raises where one is no text; the next two likewise
        "".join(other_texts)
        bytes(all_bytes)
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError):
        return None
    if (
        countOf(map(type, logprobs), float) == len(logprobs)
        and countOf(map(type, other_logprobs), float) == len(other_logprobs)
        and sum(logprobs) <= 0.0
        and sum(other_logprobs) <= 0.0
    ):
        return Tokens(texts, logprobs, entries, Columns(other_texts, other_logprobs, others), _stops(widths))
    return None


def _stops(widths: list[int]) -> Sequence[int]:
    """Return where each of consecutive parts ends; as a range where all are equally wide, as they mostly are."""
    width = widths[0] if widths else 0
    if width and widths.count(width) == len(widths):
        return range(width, width * len(widths) + 1, width)
    return [*accumulate(widths)]


def read_alternatives(tops: object, into: Reading) -> Sequence[Alternative]:
    """Return the alternatives of one position from a list of entries or a `{token: logprob}` dict."""
    if isinstance(tops, Mapping):
        return read_alternative_pairs(tops.items(), into)
    if not isinstance(tops, (list, tuple)):
        into.reject(f"alternatives of type {type(tops).__name__}")
        return ()
    alternatives = []
    for top in tops:
        fields = top if type(top) is dict else as_mapping(top)
        if fields is None:
            into.reject(f"an alternative of type {type(top).__name__}")
            continue
        token = fields.get("token")
        raw = fields.get("bytes")
        raw_bytes = read_bytes(raw, into) if raw is not None else None
        if type(token) is not str:
            if raw_bytes is None:
                into.reject("an alternative without a token")
                continue
            token = raw_bytes.decode("utf-8", "replace")
        logprob = fields.get("logprob")
        if type(logprob) is not float or logprob != logprob:
            logprob = _entry_logprob(fields, into)
        alternatives.append(_new(Alternative, (token, logprob, raw_bytes)))
    return tuple(alternatives)


def read_alternative_pairs(pairs: Iterable[tuple[Any, Any]], into: Reading) -> Sequence[Alternative]:
    """Return alternatives from the items of a `{token: logprob}` dict, best first: a dict has no order to keep.

    vLLM's values can be objects with a `logprob` attribute or key.
    """
    alternatives = []
    for token, value in pairs:
        if not isinstance(token, str):
            into.reject(f"an alternative with a token of type {type(token).__name__}")
            continue
        if type(value) is not float:
            value = logprob_of(value)
        alternatives.append(Alternative(token, read_number(value, into)))
    alternatives.sort(key=_by_logprob, reverse=True)
    return tuple(alternatives)


def logprob_of(value: object) -> object:
    """Return the `logprob` of one of vLLM's objects (or of the dict that it becomes in JSON), else the value itself."""
    fields = as_mapping(value)
    return fields["logprob"] if fields is not None and "logprob" in fields else value


def spell_token_id(token_id: int | str) -> str:
    """Return what stands for a token's text where only its id is known, in vLLM's spelling."""
    return f"token_id:{token_id}"


def _by_logprob(alternative: Alternative) -> float:
    return -math.inf if alternative.logprob is None else alternative.logprob


def _entry_logprob(fields: Mapping[str, Any], into: Reading) -> float | None:
    """Return an entry's logprob where it is not the plain float of the common case."""
    logprob = read_number(fields.get("logprob"), into)
    if logprob is not None or "prob" not in fields:
        return logprob
    prob = read_number(fields["prob"], into)
    if prob is None:
        return None
    if prob < 0.0:
        into.reject("a negative probability")
        return None
    return math.log(prob) if prob > 0.0 else -math.inf
