"""OpenAI's legacy completions: parallel lists `tokens`, `token_logprobs`, `top_logprobs` (a dict a position).

Together's chat answers carry the same lists without alternatives. The first logprob is None when the prompt is echoed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_logprobs.formats._reading import (
    Reading,
    WireFormat,
    as_mapping,
    read_alternatives,
    read_number,
)
from langchain_logprobs.tokens import TokenLogprob

_BYTES_PREFIX = "bytes:"
"""OpenAI spells a token that is no whole character as `bytes:` and the escaped bytes, and sends no bytes field."""


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens; a list that is too short leaves its value unknown, never the token out."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_completions(fields):
        return False
    tokens, logprobs, tops = (_list(fields, key, into) for key in ("tokens", "token_logprobs", "top_logprobs"))
    if len(logprobs) > len(tokens):
        into.reject(f"{len(logprobs)} logprobs for {len(tokens)} tokens")
    elif len(logprobs) < len(tokens):
        into.reject(f"{len(tokens)} tokens with {len(logprobs)} logprobs")
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            into.reject(f"a token of type {type(token).__name__}")
            continue
        logprob = read_number(logprobs[index], into) if index < len(logprobs) else None
        alternatives = tops[index] if index < len(tops) else None
        into.tokens.append(
            TokenLogprob(
                token, logprob, _spelled_bytes(token), read_alternatives(alternatives, into) if alternatives else ()
            )
        )
    return True


def size(container: Any) -> int | None:
    """Return the number of tokens."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_completions(fields):
        return None
    tokens = fields.get("tokens")
    return len(tokens) if isinstance(tokens, (list, tuple)) else 0


def _is_completions(fields: Mapping[str, Any]) -> bool:
    return isinstance(fields.get("tokens"), (list, tuple)) or isinstance(fields.get("token_logprobs"), (list, tuple))


def _list(fields: Mapping[str, Any], key: str, into: Reading) -> list[Any] | tuple[Any, ...]:
    value = fields.get(key)
    if isinstance(value, (list, tuple)):
        return value
    if value is not None:
        into.reject(f"{key!r} of type {type(value).__name__}")
    return ()


def _spelled_bytes(token: str) -> bytes | None:
    if not token.startswith(_BYTES_PREFIX):
        return None
    try:
        # The escapes are \xNN; latin-1 gives each of them back as one byte.
        return token[len(_BYTES_PREFIX) :].encode("ascii").decode("unicode_escape").encode("latin-1")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None


FORMAT = WireFormat("openai.completions", read, size)
