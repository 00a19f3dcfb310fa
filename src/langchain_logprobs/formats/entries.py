"""What the wire format modules read a raw container into, and the steps that most of them share.

Nothing here raises, whatever a server sent: what is well formed is read, what is not is counted in the Reading.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

from langchain_logprobs.formats.columns import Columns
from langchain_logprobs.formats.tokens import Tokens

Spelled: TypeAlias = tuple[str, float | None, bytes | None]
"""The text, the raw logprob (nats) and the bytes of a token or of an alternative."""


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
    tokens: Tokens = field(default_factory=Tokens)
    reasoning: Tokens = field(default_factory=Tokens)
    malformed: int = 0
    problem: str | None = None

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


class EntryKeys(NamedTuple):
    """The names under which an entry keeps its text, its logprob (nats), and a probability in place of that."""

    text: str = "token"
    logprob: str = "logprob"
    prob: str = "prob"


OPENAI_KEYS: Final = EntryKeys()


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
    """Append entries of the form that `read_entries` says to the answer's, the quick way where they are plain."""
    plain = read_plain(entries)
    if plain is None:
        read_entries(entries, into.tokens, into)
    elif into.tokens:
        into.tokens.extend(plain)
    else:
        into.tokens = plain


def read_plain(entries: Sequence[Any]) -> Tokens | None:
    """Return the tokens of entries that are as OpenAI sends them, bytes or not, column by column; None if any is not.

    An answer of 2,000 tokens has 12,000 small dicts, and reading them with care, one after the other, takes five times
    as long. Whatever is unusual (a missing key, another type, NaN) is left to `read_entries`, which reads plain entries
    into the same tokens.
    """
    texts: list[str] = []
    logprobs: list[float] = []
    all_bytes: list[int] = []
    others: list[Mapping[str, Any]] = []
    other_texts: list[str] = []
    other_logprobs: list[float] = []
    stops: list[int] = []
    try:
        for entry in entries:
            texts.append(entry["token"])
            logprobs.append(entry["logprob"])
            all_bytes += entry.get("bytes") or ()
            tops = entry["top_logprobs"]
            for other in tops:  # once: most of the time goes into fetching small dicts from memory
                other_texts.append(other["token"])
                other_logprobs.append(other["logprob"])
            others += tops
            stops.append(len(others))
        bytes(all_bytes)  # raises where one is no byte
        own = Columns(texts, logprobs, [*entries])
        alternatives = Columns(other_texts, other_logprobs, others)
    except Exception:  # an object of any class can be in the place of a dict
        return None
    for column in (own, alternatives):
        if any(type(raw) is not float for raw in chain(column.censored.values(), column.rounded.values())):
            return None
    return Tokens(own, alternatives, stops)


def read_entries(entries: Sequence[Any], tokens: Tokens, into: Reading) -> None:
    """Append entries of the form `{"token", "logprob", "bytes", "top_logprobs"}`, of which only `token` must be there.

    llama.cpp's entries after sampling carry `prob` and `top_probs` instead; their logarithms are taken.
    """
    for entry in entries:
        read_entry(entry, tokens, into)


def read_entry(
    entry: object, tokens: Tokens, into: Reading, *, tops: object = None, keys: EntryKeys = OPENAI_KEYS
) -> None:
    """Append the token of one entry.

    Args:
        entry: The entry.
        tokens: Where its token goes.
        into: Counts what is unreadable.
        tops: Its alternatives, for formats that keep them apart; None: those in the entry.
        keys: The names that the entry and its alternatives use.
    """
    try:
        spelled = _spelled(entry, "an entry", into, keys)
        if spelled is None:
            return
        if tops is None:
            fields: Any = entry if type(entry) is dict else as_mapping(entry)
            tops = fields.get("top_logprobs")
            if tops is None:
                tops = fields.get("top_probs")
        alternatives = read_alternatives(tops, into, keys) if tops else ()
    except Exception as error:  # an object of any class can be in the place of a dict
        into.reject(f"an entry that raises {type(error).__name__}")
        return
    tokens.add(*spelled, alternatives)


def read_alternatives(tops: object, into: Reading, keys: EntryKeys = OPENAI_KEYS) -> list[Spelled]:
    """Return the alternatives of one position from a list of entries or a `{token: logprob}` dict."""
    if isinstance(tops, Mapping):
        return read_alternative_pairs(tops.items(), into)
    if not isinstance(tops, (list, tuple)):
        into.reject(f"alternatives of type {type(tops).__name__}")
        return []
    return [each for top in tops if (each := _spelled(top, "an alternative", into, keys)) is not None]


def read_alternative_pairs(pairs: Iterable[tuple[Any, Any]], into: Reading) -> list[Spelled]:
    """Return alternatives from the items of a `{token: logprob}` dict, best first: a dict has no order to keep.

    vLLM's values can be objects with a `logprob` attribute or key.
    """
    alternatives: list[Spelled] = []
    for token, value in pairs:
        if not isinstance(token, str):
            into.reject(f"an alternative with a token of type {type(token).__name__}")
            continue
        if type(value) is not float:
            value = logprob_of(value)
        alternatives.append((token, read_number(value, into), None))
    alternatives.sort(key=_by_logprob, reverse=True)
    return alternatives


def logprob_of(value: object) -> object:
    """Return the `logprob` of one of vLLM's objects (or of the dict that it becomes in JSON), else the value itself."""
    fields = as_mapping(value)
    return fields["logprob"] if fields is not None and "logprob" in fields else value


def spell_token_id(token_id: int | str) -> str:
    """Return what stands for a token's text where only its id is known, in vLLM's spelling."""
    return f"token_id:{token_id}"


def _spelled(value: object, what: str, into: Reading, keys: EntryKeys) -> Spelled | None:
    """Return what an entry or an alternative spells; None where it has neither text nor bytes (which is counted)."""
    fields = value if type(value) is dict else as_mapping(value)
    if fields is None:
        into.reject(f"{what} of type {type(value).__name__}")
        return None
    raw = fields.get("bytes")
    raw_bytes = None if raw is None else read_bytes(raw, into)
    text = fields.get(keys.text)
    if not isinstance(text, str):
        if raw_bytes is None:
            into.reject(f"{what} without a token")
            return None
        text = raw_bytes.decode("utf-8", "replace")
    logprob = fields.get(keys.logprob)
    if type(logprob) is not float or logprob != logprob:
        logprob = _unusual_logprob(logprob, fields.get(keys.prob), into)
    return text, logprob, raw_bytes


def _unusual_logprob(logprob: object, prob: object, into: Reading) -> float | None:
    """Return a logprob that is not the plain float of the common case, or the logarithm of the probability."""
    if logprob is not None or prob is None:
        return read_number(logprob, into)
    probability = read_number(prob, into)
    if probability is None:
        return None
    if probability < 0.0:
        into.reject("a negative probability")
        return None
    return math.log(probability) if probability > 0.0 else -math.inf


def _by_logprob(alternative: Spelled) -> float:
    return -math.inf if alternative[1] is None else alternative[1]
