"""What the wire format modules read a raw container into, and the steps that most of them share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langchain_logprobs.tokens import Alternative, TokenLogprob


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
    tokens: list[TokenLogprob] = field(default_factory=list)
    reasoning: list[TokenLogprob] = field(default_factory=list)
    malformed: int = 0
    problem: str | None = None

    def reject(self, problem: str) -> None:
        """Count something unreadable; the first description is kept."""
        self.malformed += 1
        if self.problem is None:
            self.problem = problem


class WireFormat(NamedTuple):
    """One shape in which logprobs travel.

    Attributes:
        name: The name published as `logprobs.source`.
        read: Called with a raw container, the text of the chunk that carried it (None where there was no chunk) and
            a Reading. Appends the container's tokens and returns True, or returns False and leaves the Reading alone
            when the container is not of this format.
        size: How many answer tokens a container of this format holds, found without reading them; None when the
            container is not of this format.
    """

    name: str
    read: Callable[[Any, str | None, Reading], bool]
    size: Callable[[Any], int | None]


def read_number(value: object, into: Reading) -> float | None:
    """Return a logprob as a float, or None where it is absent, NaN or no number (the last is counted)."""
    if type(value) is float:
        return value if value == value else None
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):  # numpy's float64 is a float
        try:
            number = float(value)
        except OverflowError:
            into.reject(f"a logprob too large for a float, of {value.bit_length()} bits")
            return None
        return number if number == number else None
    into.reject(f"a logprob of type {type(value).__name__}")
    return None


def read_bytes(value: object) -> bytes | None:
    """Return a token's bytes, or None where they are absent or not a list of byte values."""
    if type(value) is list:
        try:
            return bytes(value)
        except (TypeError, ValueError):
            return None
    return value if type(value) is bytes else None


def as_mapping(value: object) -> Mapping[str, Any] | None:
    """Return a dict as it is and a pydantic object (LiteLLM, Ollama, Databricks) as a dict; None for the rest."""
    if isinstance(value, Mapping):
        return value
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        dumped = dump()
        if isinstance(dumped, Mapping):
            return dumped
    return None


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
        raw_bytes = read_bytes(fields.get("bytes"))
        if type(token) is not str:
            if raw_bytes is None:
                into.reject("an entry without a token")
                continue
            token = raw_bytes.decode("utf-8", "replace")
        logprob = fields.get("logprob")
        if type(logprob) is not float or logprob != logprob:
            logprob = _entry_logprob(fields, into)
        tops = fields.get("top_logprobs") or fields.get("top_probs")
        tokens.append(
            TokenLogprob(token, logprob, raw_bytes, read_alternatives(tops, into) if tops else ()),
        )


def read_alternatives(tops: object, into: Reading) -> tuple[Alternative, ...]:
    """Return the alternatives of one position from a list of entries or a `{token: logprob}` dict."""
    if isinstance(tops, Mapping):
        return read_alternative_dict(tops, into)
    if not isinstance(tops, (list, tuple)):
        into.reject(f"alternatives of type {type(tops).__name__}")
        return ()
    alternatives = []
    for top in tops:
        fields = top if type(top) is dict else as_mapping(top)
        token = fields.get("token") if fields is not None else None
        if fields is None or type(token) is not str:
            into.reject("an alternative without a token")
            continue
        logprob = fields.get("logprob")
        if type(logprob) is not float or logprob != logprob:
            logprob = _entry_logprob(fields, into)
        raw = fields.get("bytes")
        alternatives.append(Alternative(token, logprob, read_bytes(raw) if raw is not None else None))
    return tuple(alternatives)


def read_alternative_dict(tops: Mapping[Any, Any], into: Reading) -> tuple[Alternative, ...]:
    """Return alternatives from `{token: logprob}` (legacy completions), best first since a dict has no order to keep.

    vLLM's values can be objects with a `logprob` attribute or key.
    """
    alternatives = []
    for token, value in tops.items():
        if not isinstance(token, str):
            into.reject(f"an alternative with a token of type {type(token).__name__}")
            continue
        number = value
        if not isinstance(value, (int, float)) and value is not None:
            fields = as_mapping(value)
            number = fields.get("logprob") if fields is not None else getattr(value, "logprob", value)
        alternatives.append(Alternative(token, read_number(number, into)))
    alternatives.sort(key=_by_logprob, reverse=True)
    return tuple(alternatives)


def _by_logprob(alternative: Alternative) -> float:
    return -math.inf if alternative.logprob is None else alternative.logprob


def _entry_logprob(fields: Mapping[str, Any], into: Reading) -> float | None:
    """Return an entry's logprob where it is not the plain float of the common case."""
    logprob = read_number(fields.get("logprob"), into)
    if logprob is None and "prob" in fields:
        prob = read_number(fields["prob"], into)
        if prob is not None and prob > 0.0:
            return math.log(prob)
        if prob == 0.0:
            return -math.inf
    return logprob
